/* Cuts what is too large out of a stream of replies: a bulk string above a limit becomes nil, so
 * that no value, member or message of another program ends a connection. Knows where an element
 * begins and ends, and neither replies nor what they mean. */
#ifndef ADAPTERS_REDIS_FILTER_H
#define ADAPTERS_REDIS_FILTER_H

#include <active_users/types.h>

enum {
  REDIS_LINE_MAX_BYTES = 16 * 1024, /* of a status, an error or a number */
  REDIS_BULK_HEAD_SIZE = 32,        /* a dollar sign, the length and its end */
};

typedef struct redis_filter {
  size_t bulk_max;  /* longer ones become nil */
  size_t copy;      /* bytes left of a bulk that passes */
  size_t skip;      /* bytes left of one that does not */
  size_t line;      /* bytes so far of the line that is passing; 0: none is */
  size_t elements;  /* begun since the caller set it to 0, nested ones included */
  size_t skipped;   /* bulks that became nil */
  bool broken;      /* no protocol: all passes from here on, and the caller is to end it */
  uint8_t head_len; /* of a bulk's header that is cut off so far */
  char head[REDIS_BULK_HEAD_SIZE];
} redis_filter;

void redis_filter_init(redis_filter *f, size_t bulk_max);

/* Takes bytes off `in`; `out` is what passes of them, good until the next call. False when `in`
 * is empty and nothing passes. Call until it is. */
bool redis_filter_next(redis_filter *f, au_slice *in, au_slice *out);

#endif

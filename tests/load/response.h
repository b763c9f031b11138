/* Reads the answer to one request: its status, and where it ends. Keeps no body. */
#ifndef LOAD_RESPONSE_H
#define LOAD_RESPONSE_H

#include "utils/buffer.h"

enum {
  RESPONSE_MAX_HEAD_BYTES = 8192,
  RESPONSE_MAX_BODY_BYTES = 16 << 20,
};

typedef enum response_state {
  RESPONSE_HEAD, /* more of the head is to come */
  RESPONSE_BODY, /* more of the body is to come */
  RESPONSE_DONE,
  RESPONSE_BAD, /* not HTTP/1.1, too long, or a body without Content-Length */
} response_state;

typedef struct response {
  response_state state;
  unsigned status;     /* set with the whole head */
  size_t body_left;    /* bytes */
  bool accepted;       /* a 101 with the accept key of RFC 6455's example */
  buffer partial_head; /* only when it came in pieces */
} response;

/* The key that every upgrade of the tool sends: the example of RFC 6455, section 1.3. */
#define RESPONSE_UPGRADE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define RESPONSE_ACCEPT_KEY  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* Ready for the next answer. The first time on zeroed memory. */
void response_reset(response *r);
void response_free(response *r);

/* Takes what belongs to this answer and returns how many bytes that was; the rest belongs to
 * what comes next. Stops at RESPONSE_DONE and RESPONSE_BAD. */
size_t response_feed(response *r, au_slice bytes);

#endif

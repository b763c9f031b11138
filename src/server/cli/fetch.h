/* One GET after the other over one connection that is kept, by libcurl. Blocks for at most its
 * time-out. Follows no redirect and asks no proxy. */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include "utils/buffer.h"

enum {
  FETCH_MAX_BYTES = 1024 * 1024, /* of an answer */
  FETCH_PROBLEM_SIZE = 512,
};

typedef struct fetcher fetcher;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status fetcher_create(uint32_t timeout_ms, fetcher **out);
void fetcher_free(fetcher *f);

/* Gets `base` and `target` behind it. `token` goes into the Authorization header unless it is "".
 *
 * body     what was answered, whatever the status; ended by NUL; until the next call.
 * problem  set when it returns 0.
 *
 * Returns the status of the answer, 0 when there is no whole answer. */
long fetch(fetcher *f, const char *base, const char *target, const char *token, au_slice *body,
           char problem[FETCH_PROBLEM_SIZE]);

#endif

/* A limit of requests a window for each key, in a bounded table. A window begins
 * with the first request of a key and lasts one constant time, so the oldest
 * window always ends first. Knows neither addresses nor customers. */
#ifndef UTILS_RATE_LIMIT_H
#define UTILS_RATE_LIMIT_H

#include <active_users/types.h>

#include "map.h"

enum { RATE_LIMIT_KEY_MAX = 128 };

typedef struct rate_limit rate_limit;

typedef struct rate_state {
  bool allowed;        /* one more request fits into the window */
  uint32_t limit;      /* requests a window */
  uint32_t remaining;  /* after this request, when it was taken */
  int64_t reset_in_ms; /* until the window ends; a whole window when none is open */
} rate_state;

/* limit      requests a window; 0 allows everything and keeps nothing.
 * max_keys   entries at most; when full, the window that would end first makes room.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status rate_limit_create(map_seed seed, uint32_t limit, int64_t window_ms,
                                          size_t max_keys, rate_limit **out);
void rate_limit_free(rate_limit *r);

/* What a request would meet. Changes nothing but ended windows; a key of more
 * than RATE_LIMIT_KEY_MAX bytes is cut. */
rate_state rate_limit_peek(rate_limit *r, au_slice key, int64_t now_ms);

/* Uses up one request if allowed; `remaining` counts it already. Without memory
 * for a new entry the request is allowed and not counted. */
rate_state rate_limit_take(rate_limit *r, au_slice key, int64_t now_ms);

/* Takes effect at once, also for open windows. */
void rate_limit_set(rate_limit *r, uint32_t limit);

size_t rate_limit_keys(const rate_limit *r);

#endif

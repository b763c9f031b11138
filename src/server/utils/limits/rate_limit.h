/* A sliding minute of requests (rate_window.h) for each key, in a bounded table. Knows
 * neither addresses nor customers. */
#ifndef UTILS_RATE_LIMIT_H
#define UTILS_RATE_LIMIT_H

#include <active_users/types.h>

#include "rate_window.h"
#include "utils/map.h"

enum { RATE_LIMIT_KEY_MAX = 128 };

typedef struct rate_limit rate_limit;

/* max_keys   entries at most; when full, the one that took nothing for the longest time is
 *            evicted.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status rate_limit_create(map_seed seed, size_t max_keys, rate_limit **out);
void rate_limit_free(rate_limit *r);

/* What a request would meet. `limit` is in requests a minute, and may differ from key to key
 * and from call to call; 0 allows everything. Changes nothing but ended windows; a key of
 * more than RATE_LIMIT_KEY_MAX bytes is cut. */
rate_state rate_limit_peek(rate_limit *r, au_slice key, uint32_t limit, int64_t now_ms);

/* Uses up one request if it is allowed; `remaining` counts it already. Without memory for a
 * new entry the request is allowed and not counted; with a limit of 0 nothing is kept. */
rate_state rate_limit_take(rate_limit *r, au_slice key, uint32_t limit, int64_t now_ms);

/* Counts `n` requests of a key that were allowed elsewhere. */
void rate_limit_charge(rate_limit *r, au_slice key, uint32_t n, int64_t now_ms);

size_t rate_limit_keys(const rate_limit *r);

#endif

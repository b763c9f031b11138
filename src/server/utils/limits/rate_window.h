/* A sliding minute of requests, to embed: the minute is cut into slices, and a request
 * counts until the slice it came in began a minute ago. So there are never more than the
 * limit in RATE_WINDOW_MS less one slice, wherever that span begins, nor more than the
 * limit a minute over a longer time. Knows neither keys nor whose requests they are. */
#ifndef UTILS_RATE_WINDOW_H
#define UTILS_RATE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
  RATE_WINDOW_MS = 60000,
  RATE_WINDOW_SLICES = 6,
};

/* What one request meets, or has met. */
typedef struct rate_state {
  bool allowed;        /* it fits */
  uint32_t limit;      /* requests a minute; 0: no limit */
  uint32_t remaining;  /* after this request, when it was taken */
  int64_t reset_in_ms; /* blocked: until one more fits; else until nothing counts any more */
} rate_state;

/* Zero-initialised is empty. */
typedef struct rate_window {
  int64_t began_ms;                  /* the newest slice */
  uint32_t used[RATE_WINDOW_SLICES]; /* of each slice, the newest first */
} rate_window;

/* What a request would meet. `limit` 0 allows everything. `now_ms` must not go back between
 * calls on one window. */
rate_state rate_window_peek(const rate_window *w, uint32_t limit, int64_t now_ms);

/* Uses up one request if it is allowed, and returns what it met. */
rate_state rate_window_take(rate_window *w, uint32_t limit, int64_t now_ms);

/* Counts `n` requests that were allowed elsewhere, whatever the limit. */
void rate_window_charge(rate_window *w, uint32_t n, int64_t now_ms);

#endif

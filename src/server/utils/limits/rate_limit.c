/* A bounded table of sliding minutes. */
#include "rate_limit.h"

#include "utils/deadline.h"
#include "utils/id_map.h"

#include <stdlib.h>

/* Ended windows that one call takes out at most, so that no call is slow after
 * many ended at once. More than one, so that they go faster than they come. */
enum { RATE_LIMIT_SLICE = 16 };

typedef struct window {
  map_node node; /* first: the window is an entry of an id_map */
  deadline end;  /* a minute after the last request that was taken */
  rate_window used;
} window;

struct rate_limit {
  id_map windows;
  deadline_queue by_end;
  size_t max_keys;
};

static window *window_of(deadline *end) {
  return (window *)(void *)((char *)end - offsetof(window, end));
}

au_status rate_limit_create(map_seed seed, size_t max_keys, rate_limit **out) {
  rate_limit *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  au_status status = id_map_init(&r->windows, seed, sizeof(window));
  if (status != AU_OK) {
    free(r);
    return status;
  }
  deadline_queue_init(&r->by_end, RATE_WINDOW_MS);
  r->max_keys = max_keys;
  *out = r;
  return AU_OK;
}

static void window_free(rate_limit *r, window *w) {
  deadline_cancel(&w->end);
  id_map_drop(&r->windows, w);
}

void rate_limit_free(rate_limit *r) {
  if (!r) return;
  id_map_free(&r->windows);
  free(r);
}

static au_slice cut(au_slice key) {
  if (key.len > RATE_LIMIT_KEY_MAX) key.len = RATE_LIMIT_KEY_MAX;
  return key;
}

/* Takes out windows that have ended. Those behind more than a slice are empty, and so count
 * nothing until their turn. */
static void sweep(rate_limit *r, int64_t now_ms) {
  for (int i = 0; i < RATE_LIMIT_SLICE; i++) {
    deadline *d = deadline_expire(&r->by_end, now_ms);
    if (!d) return;
    window_free(r, window_of(d));
  }
}

/* NULL without memory. */
static window *window_open(rate_limit *r, au_slice key, int64_t now_ms) {
  while (id_map_count(&r->windows) >= r->max_keys) {
    deadline *d = deadline_first(&r->by_end);
    if (!d) break; /* a table for no keys at all still counts the newest one */
    window_free(r, window_of(d));
  }
  window *w = id_map_add(&r->windows, key);
  if (w) deadline_arm(&r->by_end, &w->end, now_ms);
  return w;
}

rate_state rate_limit_peek(rate_limit *r, au_slice key, uint32_t limit, int64_t now_ms) {
  static const rate_window empty;
  sweep(r, now_ms);
  key = cut(key);
  const window *w = limit > 0 ? id_map_find(&r->windows, key) : NULL;
  return rate_window_peek(w ? &w->used : &empty, limit, now_ms);
}

rate_state rate_limit_take(rate_limit *r, au_slice key, uint32_t limit, int64_t now_ms) {
  if (limit == 0) return rate_limit_peek(r, key, limit, now_ms);
  sweep(r, now_ms);
  key = cut(key);
  window *w = id_map_find(&r->windows, key);
  if (!w) w = window_open(r, key, now_ms);
  if (!w) return rate_limit_peek(r, key, limit, now_ms);
  rate_state state = rate_window_take(&w->used, limit, now_ms);
  if (state.allowed) deadline_arm(&r->by_end, &w->end, now_ms);
  return state;
}

void rate_limit_charge(rate_limit *r, au_slice key, uint32_t n, int64_t now_ms) {
  sweep(r, now_ms);
  key = cut(key);
  window *w = id_map_find(&r->windows, key);
  if (!w) w = window_open(r, key, now_ms);
  if (!w) return;
  rate_window_charge(&w->used, n, now_ms);
  deadline_arm(&r->by_end, &w->end, now_ms);
}

size_t rate_limit_keys(const rate_limit *r) {
  return id_map_count(&r->windows);
}

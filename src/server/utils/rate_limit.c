/* Windows of requests for each key; must not know whose requests they are. */
#include "rate_limit.h"

#include "buffer.h"
#include "deadline.h"

#include <stdlib.h>
#include <string.h>

/* Ended windows that one call takes out at most, so that no call is slow after
 * many ended at once. More than one, so that they go faster than they come. */
enum { RATE_LIMIT_SLICE = 16 };

typedef struct window {
  map_node node; /* first: a node is cast to its window */
  deadline end;
  uint32_t used;
  uint8_t key_len;
  char key[];
} window;

struct rate_limit {
  map *windows;
  deadline_queue by_end;
  size_t max_keys;
  uint32_t limit;
};

static window *window_of(deadline *end) {
  return (window *)(void *)((char *)end - offsetof(window, end));
}

static bool window_eq(const map_node *node, const void *key) {
  const window *w = (const window *)node;
  const au_slice *wanted = key;
  return slice_eq((au_slice){w->key, w->key_len}, *wanted);
}

au_status rate_limit_create(map_seed seed, uint32_t limit, int64_t window_ms, size_t max_keys,
                            rate_limit **out) {
  rate_limit *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  au_status status = map_create(seed, &r->windows);
  if (status != AU_OK) {
    free(r);
    return status;
  }
  deadline_queue_init(&r->by_end, window_ms);
  r->max_keys = max_keys;
  r->limit = limit;
  *out = r;
  return AU_OK;
}

static void window_free(rate_limit *r, window *w) {
  deadline_cancel(&w->end);
  map_remove(r->windows, &w->node);
  free(w);
}

static void free_all(rate_limit *r) {
  for (deadline *d; (d = deadline_first(&r->by_end));) window_free(r, window_of(d));
}

void rate_limit_free(rate_limit *r) {
  if (!r) return;
  free_all(r);
  map_free(r->windows);
  free(r);
}

static au_slice cut(au_slice key) {
  if (key.len > RATE_LIMIT_KEY_MAX) key.len = RATE_LIMIT_KEY_MAX;
  return key;
}

static uint32_t hash_of(const rate_limit *r, au_slice key) {
  return map_hash(r->windows, key.ptr, key.len, 0);
}

/* The open window of a key, or NULL. Takes out windows that have ended. */
static window *window_find(rate_limit *r, au_slice key, uint32_t hash, int64_t now_ms) {
  for (int i = 0; i < RATE_LIMIT_SLICE; i++) {
    deadline *d = deadline_expire(&r->by_end, now_ms);
    if (!d) break;
    window_free(r, window_of(d));
  }
  window *w = (window *)map_find(r->windows, hash, window_eq, &key);
  if (w && w->end.at_ms <= now_ms) { /* ended, but behind more than a slice */
    window_free(r, w);
    w = NULL;
  }
  return w;
}

/* NULL without memory. */
static window *window_open(rate_limit *r, au_slice key, uint32_t hash, int64_t now_ms) {
  window *w = malloc(sizeof *w + key.len);
  if (!w) return NULL;
  while (map_count(r->windows) >= r->max_keys) {
    deadline *d = deadline_first(&r->by_end);
    if (!d) break; /* a table for no keys at all still counts the newest one */
    window_free(r, window_of(d));
  }
  *w = (window){.key_len = (uint8_t)key.len};
  if (key.len > 0) memcpy(w->key, key.ptr, key.len);
  map_insert(r->windows, &w->node, hash);
  deadline_arm(&r->by_end, &w->end, now_ms);
  return w;
}

static rate_state state_of(const rate_limit *r, const window *w, int64_t now_ms) {
  uint32_t used = w ? w->used : 0;
  return (rate_state){
      .allowed = r->limit == 0 || used < r->limit,
      .limit = r->limit,
      .remaining = used < r->limit ? r->limit - used : 0,
      .reset_in_ms = w ? w->end.at_ms - now_ms : r->by_end.lifetime_ms,
  };
}

rate_state rate_limit_peek(rate_limit *r, au_slice key, int64_t now_ms) {
  if (r->limit == 0) return state_of(r, NULL, now_ms);
  key = cut(key);
  return state_of(r, window_find(r, key, hash_of(r, key), now_ms), now_ms);
}

rate_state rate_limit_take(rate_limit *r, au_slice key, int64_t now_ms) {
  if (r->limit == 0) return state_of(r, NULL, now_ms);
  key = cut(key);
  uint32_t hash = hash_of(r, key);
  window *w = window_find(r, key, hash, now_ms);
  if (!w) w = window_open(r, key, hash, now_ms);
  rate_state state = state_of(r, w, now_ms);
  if (w && state.allowed) {
    w->used++;
    state.remaining--;
  }
  return state;
}

void rate_limit_set(rate_limit *r, uint32_t limit) {
  r->limit = limit;
  if (limit == 0) free_all(r);
}

size_t rate_limit_keys(const rate_limit *r) {
  return map_count(r->windows);
}

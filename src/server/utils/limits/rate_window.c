/* Counts the requests of a sliding minute in slices. */
#include "rate_window.h"

#include <string.h>

enum { SLICE_MS = RATE_WINDOW_MS / RATE_WINDOW_SLICES };
_Static_assert((int)SLICE_MS *(int)RATE_WINDOW_SLICES == (int)RATE_WINDOW_MS,
               "slices fill the window");

static uint32_t total(const rate_window *w) {
  uint32_t sum = 0;
  for (int i = 0; i < RATE_WINDOW_SLICES; i++) sum += w->used[i];
  return sum;
}

/* Lets slices go that are out of the minute. An empty window begins its first slice now, so
 * that a limit of one a minute is exactly that. */
static void advance(rate_window *w, int64_t now_ms) {
  int64_t passed = (now_ms - w->began_ms) / SLICE_MS;
  if (passed >= RATE_WINDOW_SLICES) memset(w->used, 0, sizeof w->used);
  if (passed > 0 && passed < RATE_WINDOW_SLICES) {
    memmove(w->used + passed, w->used, (size_t)(RATE_WINDOW_SLICES - passed) * sizeof w->used[0]);
    memset(w->used, 0, (size_t)passed * sizeof w->used[0]);
  }
  if (total(w) == 0)
    w->began_ms = now_ms;
  else
    w->began_ms += passed * SLICE_MS;
}

/* Until slice `i` is out of the minute. */
static int64_t out_in_ms(const rate_window *w, int i, int64_t now_ms) {
  return w->began_ms + (int64_t)(RATE_WINDOW_SLICES - i) * SLICE_MS - now_ms;
}

static rate_state state_of(const rate_window *w, uint32_t limit, int64_t now_ms) {
  uint32_t used = total(w);
  rate_state state = {
      .allowed = used < limit,
      .limit = limit,
      .remaining = used < limit ? limit - used : 0,
      .reset_in_ms = RATE_WINDOW_MS,
  };
  if (state.allowed) {
    for (int i = RATE_WINDOW_SLICES - 1; i >= 0; i--)
      if (w->used[i] > 0) state.reset_in_ms = out_in_ms(w, i, now_ms);
    return state;
  }
  /* More than one slice when the limit was lowered. */
  int i = RATE_WINDOW_SLICES - 1;
  for (uint32_t left = used; i > 0; i--) {
    left -= w->used[i];
    if (left < limit) break;
  }
  state.reset_in_ms = out_in_ms(w, i, now_ms);
  return state;
}

rate_state rate_window_peek(const rate_window *w, uint32_t limit, int64_t now_ms) {
  if (limit == 0) return (rate_state){.allowed = true, .reset_in_ms = RATE_WINDOW_MS};
  rate_window moved = *w;
  advance(&moved, now_ms);
  return state_of(&moved, limit, now_ms);
}

rate_state rate_window_take(rate_window *w, uint32_t limit, int64_t now_ms) {
  if (limit == 0) return rate_window_peek(w, limit, now_ms);
  advance(w, now_ms);
  rate_state state = state_of(w, limit, now_ms);
  if (!state.allowed) return state;
  w->used[0]++;
  state.remaining--;
  state.reset_in_ms = out_in_ms(w, 0, now_ms);
  return state;
}

void rate_window_charge(rate_window *w, uint32_t n, int64_t now_ms) {
  advance(w, now_ms);
  uint32_t room = UINT32_MAX / RATE_WINDOW_SLICES - w->used[0]; /* their sum never overflows */
  w->used[0] += n < room ? n : room;
}

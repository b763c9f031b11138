/* Wakes for the earliest deadline. */
#include "expiry.h"

enum {
  EXPIRY_SLICE = 200, /* handled in one turn: at 10 us each, well under 5 ms */
  /* By so much later deadlines are met at most, so that many have one wake-up: a part of their
   * lifetime. Short ones are met exactly. */
  EXPIRY_SLACK_MS = 32,
  EXPIRY_SLACK_PART = 32,
  EXPIRY_SLACK_LEAST_MS = 16,
};

static void on_timer(uv_timer_t *timer);

/* When to wake for a deadline of a queue. */
static int64_t wake_at(const deadline_queue *queue, int64_t now_ms, int64_t at_ms) {
  int64_t slack_ms = queue->lifetime_ms / EXPIRY_SLACK_PART;
  if (slack_ms > EXPIRY_SLACK_MS) slack_ms = EXPIRY_SLACK_MS;
  if (slack_ms < EXPIRY_SLACK_LEAST_MS || at_ms <= now_ms) return at_ms;
  return at_ms + slack_ms - 1 - (at_ms - 1) % slack_ms;
}

static void start(expiry *e, int64_t now_ms, int64_t at_ms) {
  int64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
  e->due_ms = at_ms;
  /* libuv's idea of now is that of the beginning of this turn, up to some ms ago. */
  uv_timer_start(&e->timer, on_timer, (uint64_t)wait_ms + 1, 0);
}

static void on_timer(uv_timer_t *timer) {
  expiry *e = timer->data;
  int64_t now_ms = clock_mono_ms(e->clock), next_ms = -1;
  unsigned budget = EXPIRY_SLICE;
  for (size_t i = 0; i < e->count; i++) {
    for (deadline *d; budget > 0 && (d = deadline_expire(&e->queues[i], now_ms)); budget--)
      e->expired(e->arg, &e->queues[i], d);
  }
  /* Only now: what expired may have armed another queue. */
  for (size_t i = 0; i < e->count; i++) {
    int64_t first_ms = deadline_next_ms(&e->queues[i]);
    if (first_ms < 0) continue;
    first_ms = wake_at(&e->queues[i], now_ms, first_ms);
    if (next_ms < 0 || first_ms < next_ms) next_ms = first_ms;
  }
  if (next_ms >= 0 && !uv_is_closing((uv_handle_t *)timer)) start(e, now_ms, next_ms);
}

void expiry_init(expiry *e, uv_loop_t *loop, const au_clock *clock, deadline_queue *queues,
                 size_t count, expiry_fn expired, void *arg) {
  *e = (expiry){.clock = clock, .queues = queues, .count = count, .expired = expired, .arg = arg};
  uv_timer_init(loop, &e->timer);
  e->timer.data = e;
}

void expiry_arm(expiry *e, deadline_queue *queue, deadline *d) {
  int64_t now_ms = clock_mono_ms(e->clock);
  deadline_arm(queue, d, now_ms);
  if (uv_is_closing((uv_handle_t *)&e->timer)) return;
  int64_t at_ms = wake_at(queue, now_ms, now_ms + queue->lifetime_ms);
  if (!uv_is_active((uv_handle_t *)&e->timer) || at_ms < e->due_ms) start(e, now_ms, at_ms);
}

void expiry_close(expiry *e, join_stop *stop) {
  join_stop_close(stop, (uv_handle_t *)&e->timer);
}

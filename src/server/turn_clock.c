/* Reads the clock once a turn, and measures the turns. */
#include "turn_clock.h"

enum { SLOW_TURN_US = 5000 }; /* what long work is cut into stays well below */

static int64_t mono_ms(void *arg) {
  const turn_clock *t = arg;
  return (int64_t)uv_now(t->loop);
}

static int64_t wall_ms(void *arg) {
  turn_clock *t = arg;
  int64_t turn_ms = mono_ms(t);
  if (turn_ms != t->wall_at_ms) t->wall_ms = clock_wall_ms(clock_system());
  t->wall_at_ms = turn_ms;
  return t->wall_ms;
}

void turn_clock_init(turn_clock *t, uv_loop_t *loop, stats *counters) {
  *t = (turn_clock){
      .clock = {wall_ms, mono_ms, t}, .loop = loop, .counters = counters, .wall_at_ms = -1};
  uv_update_time(loop);
  (void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
  uv_prepare_init(loop, &t->before_poll);
  t->before_poll.data = t;
}

static void on_before_poll(uv_prepare_t *prepare) {
  turn_clock *t = prepare->data;
  uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(t->loop);
  if (t->turn_ns != 0) {
    uint64_t held_us = (now_ns - t->turn_ns - (idle_ns - t->idle_ns)) / 1000;
    stats *counters = t->counters;
    counters->loop_busy_us += held_us;
    if (held_us > SLOW_TURN_US) counters->loop_slow_turns++;
    if (held_us > counters->loop_lag_us) counters->loop_lag_us = held_us;
    stats_observe(&counters->turns, held_us);
  }
  t->turn_ns = now_ns;
  t->idle_ns = idle_ns;
}

void turn_clock_start(turn_clock *t) {
  uv_prepare_start(&t->before_poll, on_before_poll);
}

void turn_clock_close(turn_clock *t, join_stop *stop) {
  join_stop_close(stop, (uv_handle_t *)&t->before_poll);
}

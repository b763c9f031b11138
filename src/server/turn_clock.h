/* The turns of the loop: one time for all of a turn, and how long each holds the loop. */
#ifndef TURN_CLOCK_H
#define TURN_CLOCK_H

#include <uv.h>

#include "stats.h"
#include "utils/join_stop.h"
#include "utils/time.h"

typedef struct turn_clock {
  /* The time at which the turn began. A beat asks for it ten times; and the loop's timers go by
   * it too, so what is due by one is due by the other. */
  au_clock clock;
  uv_loop_t *loop;
  stats *counters;
  int64_t wall_ms, wall_at_ms; /* the wall clock, and the turn that it was read in */
  uv_prepare_t before_poll;
  uint64_t turn_ns, idle_ns; /* when the loop last began to poll, and how long it had idled */
} turn_clock;

/* The loop and the counters are borrowed. `clock` works from here on. */
void turn_clock_init(turn_clock *t, uv_loop_t *loop, stats *counters);

/* From here on the counters say how long turns take (stats.h, loop_*). */
void turn_clock_start(turn_clock *t);

/* Closes its handle, as a part of `stop`. The clock works on. */
void turn_clock_close(turn_clock *t, join_stop *stop);

#endif

/* The only time there is in a simulation. The program defines clock_gettime itself, and the
 * linker prefers it to libc's for libuv too: loops, timers and logs go by it. */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdint.h>

/* Begins anew, with the random numbers that uv_random gives. */
void sim_clock_reset(uint64_t seed);

/* True time, in ms since the seed began. Hosts see it with an offset each. */
int64_t sim_ms(void);
void sim_clock_set(int64_t ms);

/* What runs from now on runs on a host whose clocks differ from true time by so much. */
void sim_clock_enter(int64_t monotonic_ahead_ms, int64_t wall_ahead_ms);

#endif

/* Virtual time, and random numbers in place of the system's. */
#include "clock.h"

#include <string.h>
#include <time.h>
#include <uv.h>

#include "rng.h"

enum { EPOCH_S = 1700000000 }; /* some day in 2023 */

static struct {
  int64_t now_ms, monotonic_ahead_ms, wall_ahead_ms;
  rng random;
} world;

void sim_clock_reset(uint64_t seed) {
  memset(&world, 0, sizeof world);
  world.random = rng_of(seed, 1);
}

int64_t sim_ms(void) {
  return world.now_ms;
}

void sim_clock_set(int64_t ms) {
  world.now_ms = ms;
}

void sim_clock_enter(int64_t monotonic_ahead_ms, int64_t wall_ahead_ms) {
  world.monotonic_ahead_ms = monotonic_ahead_ms;
  world.wall_ahead_ms = wall_ahead_ms;
}

/* In place of libc's. */
int clock_gettime(clockid_t id, struct timespec *out) {
  int64_t ms = world.now_ms;
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
    ms += (int64_t)EPOCH_S * 1000 + world.wall_ahead_ms;
  else
    ms += 1000000 + world.monotonic_ahead_ms;
  out->tv_sec = (time_t)(ms / 1000);
  out->tv_nsec = ms % 1000 * 1000000;
  return 0;
}

/* In place of libuv's. */
int uv_random(uv_loop_t *loop, uv_random_t *req, void *bytes, size_t len, unsigned flags,
              uv_random_cb cb) {
  (void)loop;
  (void)req;
  (void)flags;
  (void)cb;
  for (size_t i = 0; i < len; i++)
    ((unsigned char *)bytes)[i] = (unsigned char)rng_next(&world.random);
  return 0;
}

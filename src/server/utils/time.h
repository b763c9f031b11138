/* Clocks. The only file beside log.c that asks the system what time it is. */
#ifndef UTILS_TIME_H
#define UTILS_TIME_H

#include <stddef.h>
#include <stdint.h>

/* A clock as an object, so that tests can turn the hands. */
typedef struct au_clock {
  int64_t (*wall_ms)(void *arg); /* ms since the epoch, UTC; may jump; for messages only */
  int64_t (*mono_ms)(void *arg); /* never goes back; for deadlines */
  void *arg;
} au_clock;

/* The system's clocks. Static storage. */
const au_clock *clock_system(void);

static inline int64_t clock_wall_ms(const au_clock *clock) {
  return clock->wall_ms(clock->arg);
}
static inline int64_t clock_mono_ms(const au_clock *clock) {
  return clock->mono_ms(clock->arg);
}

/* The monotonic clock in microseconds, for measuring how long something took. */
int64_t clock_now_us(void);

/* "2024-01-15T10:35:00Z" and its NUL. */
enum { TIME_ISO_SIZE = 21 };

/* Formats whole seconds of a wall clock (rounded up, so that a reset is never
 * announced too early) as ISO 8601 in UTC. Years 1970 to 9999. */
void time_iso_s(int64_t wall_ms, char out[TIME_ISO_SIZE]);

#endif

/* The system's clocks and ISO 8601. Knows nothing of who waits for what. */
#include "time.h"

#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now); /* cannot fail for the two clocks below */
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_ms(void *arg) {
  (void)arg;
  return read_ms(CLOCK_REALTIME);
}

static int64_t system_mono_ms(void *arg) {
  (void)arg;
  return read_ms(CLOCK_MONOTONIC);
}

const au_clock *clock_system(void) {
  static const au_clock system_clock = {system_wall_ms, system_mono_ms, NULL};
  return &system_clock;
}

int64_t clock_now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void put_two(char *at, int value) {
  at[0] = (char)('0' + value / 10);
  at[1] = (char)('0' + value % 10);
}

/* By hand: it is in every answer, and strftime is slow. */
void time_iso_s(int64_t wall_ms, char out[TIME_ISO_SIZE]) {
  const int64_t last_s = 253402300799; /* 9999-12-31T23:59:59Z: four digits end here */
  int64_t s = 0;
  if (wall_ms > 0) s = wall_ms / 1000 + (wall_ms % 1000 != 0);
  if (s > last_s) s = last_s;

  time_t seconds = (time_t)s;
  struct tm utc;
  gmtime_r(&seconds, &utc);
  int year = utc.tm_year + 1900;
  memcpy(out, "0000-00-00T00:00:00Z", TIME_ISO_SIZE);
  put_two(out, year / 100);
  put_two(out + 2, year % 100);
  put_two(out + 5, utc.tm_mon + 1);
  put_two(out + 8, utc.tm_mday);
  put_two(out + 11, utc.tm_hour);
  put_two(out + 14, utc.tm_min);
  put_two(out + 17, utc.tm_sec);
}

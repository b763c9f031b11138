/* Clocks and ISO 8601. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "utils/time.h"

static void iso_text(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t wall_ms;
    const char *want;
  } cases[] = {
      {"the epoch", 0, "1970-01-01T00:00:00Z"},
      {"one millisecond is a second", 1, "1970-01-01T00:00:01Z"},
      {"a whole second is not rounded", 1000, "1970-01-01T00:00:01Z"},
      {"just above a second", 1001, "1970-01-01T00:00:02Z"},
      {"just below a second", 1999, "1970-01-01T00:00:02Z"},
      {"the example of the contract", 1705314900000, "2024-01-15T10:35:00Z"},
      {"rounding carries into the day", 1705363199001, "2024-01-16T00:00:00Z"},
      {"rounding carries into the year", 1735689599500, "2025-01-01T00:00:00Z"},
      {"a leap day", 1709164800000, "2024-02-29T00:00:00Z"},
      {"after 32 bits of seconds", 4294967296000, "2106-02-07T06:28:16Z"},
      {"before the epoch", -1, "1970-01-01T00:00:00Z"},
      {"the smallest number", INT64_MIN, "1970-01-01T00:00:00Z"},
      {"the last second of four digits", 253402300799000, "9999-12-31T23:59:59Z"},
      {"past it", 253402300799001, "9999-12-31T23:59:59Z"},
      {"the largest number", INT64_MAX, "9999-12-31T23:59:59Z"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char out[TIME_ISO_SIZE];
    time_iso_s(cases[i].wall_ms, out);
    if (strcmp(out, cases[i].want) != 0)
      fail_msg("%s: %s, not %s", cases[i].name, out, cases[i].want);
  }
}

/* `got` lies between two readings of the system's own clock. */
static void assert_between(struct timespec before, int64_t got, struct timespec after) {
  int64_t low = (int64_t)before.tv_sec * 1000 + before.tv_nsec / 1000000;
  int64_t high = (int64_t)after.tv_sec * 1000 + after.tv_nsec / 1000000;
  assert_true(low <= got && got <= high);
}

static void system_clocks(void **state) {
  (void)state;
  const au_clock *clock = clock_system();
  struct timespec before, after;

  clock_gettime(CLOCK_REALTIME, &before);
  int64_t wall_ms = clock_wall_ms(clock);
  clock_gettime(CLOCK_REALTIME, &after);
  assert_between(before, wall_ms, after);

  clock_gettime(CLOCK_MONOTONIC, &before);
  int64_t mono_ms = clock_mono_ms(clock);
  clock_gettime(CLOCK_MONOTONIC, &after);
  assert_between(before, mono_ms, after);
}

static int64_t hand_ms(void *arg) {
  return *(int64_t *)arg;
}

static void a_clock_of_ones_own(void **state) {
  (void)state;
  int64_t now_ms = 5;
  const au_clock clock = {hand_ms, hand_ms, &now_ms};
  assert_int_equal(clock_wall_ms(&clock), 5);
  now_ms = 7;
  assert_int_equal(clock_mono_ms(&clock), 7);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(iso_text),
      cmocka_unit_test(system_clocks),
      cmocka_unit_test(a_clock_of_ones_own),
  };
  return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}

/* Tests of the arithmetic of a tick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/ema.h"

#include <math.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Equal up to rounding, relative to the larger of the wanted value and 1e-3. */
static void check_near(const char *name, double got, double want) {
  double scale = fmax(fabs(want), 1e-3);
  if (!(fabs(got - want) <= 1e-9 * scale)) fail_msg("%s: %.17g and not %.17g", name, got, want);
}

static void one_tick(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double ema, alpha;
    uint32_t count;
    double want;
  } cases[] = {
      {"the reference example", 40, 0.2, 42, 40.4},
      {"and the tick after it", 40.4, 0.2, 42, 40.72},
      {"alpha 1 follows the count", 40, 1, 42, 42},
      {"alpha 1 down to nothing", 40, 1, 0, 0},
      {"an empty shop decays", 10, 0.2, 0, 8},
      {"a steady shop stays", 7, 0.3, 7, 7},
      {"from nothing", 0, 0.25, 4, 1},
      {"half and half", 1, 0.5, 2, 1.5},
      {"a tiny alpha hardly moves", 40, 1e-6, 42, 40.000002},
      {"the largest count", 0, 0.5, UINT32_MAX, 2147483647.5},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    check_near(cases[i].name, ema_step(cases[i].ema, cases[i].alpha, cases[i].count),
               cases[i].want);
}

static void a_late_tick(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double ema, alpha;
    uint32_t count, intervals;
    double want;
  } cases[] = {
      {"one interval is a tick in time", 40, 0.2, 42, 1, 40.4},
      {"none is taken for one", 40, 0.2, 42, 0, 40.4},
      {"two: weight 0.36", 40, 0.2, 42, 2, 40.72},
      {"three: weight 0.488", 0, 0.2, 1000, 3, 488},
      {"ten of a half", 1024, 0.5, 0, 10, 1},
      {"alpha 1 follows the count", 40, 1, 42, 5, 42},
      {"a tiny alpha, thrice", 0, 1e-6, 1000000, 3, 2.999997000001},
      {"a tiny alpha, a million times", 0, 1e-6, 1, 1000000, 0.632120742768},
      {"more intervals than one remembers", 40, 0.2, 42, UINT32_MAX, 42},
      {"the same down to nothing", 1e9, 0.2, 0, UINT32_MAX, 0},
      {"a steady shop stays", 7, 0.3, 7, 1000, 7},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    check_near(cases[i].name,
               ema_step_late(cases[i].ema, cases[i].alpha, cases[i].count, cases[i].intervals),
               cases[i].want);
}

/* As if each missed tick had seen this count, and never beyond it. */
static void a_late_tick_is_as_many_ticks(void **state) {
  (void)state;
  static const double alphas[] = {0.001, 0.05, 0.2, 0.5, 0.9, 0.999, 1};
  for (size_t a = 0; a < COUNT(alphas); a++) {
    double up = 3, down = 500, last_up = up, last_down = down;
    for (uint32_t k = 1; k <= 200; k++) {
      up = ema_step(up, alphas[a], 40);
      down = ema_step(down, alphas[a], 40);
      double late_up = ema_step_late(3, alphas[a], 40, k);
      double late_down = ema_step_late(500, alphas[a], 40, k);
      check_near("upwards", late_up, up);
      check_near("downwards", late_down, down);
      assert_true(late_up >= last_up - 1e-9 && late_up <= 40 + 1e-9);
      assert_true(late_down <= last_down + 1e-9 && late_down >= 40 - 1e-9);
      last_up = late_up;
      last_down = late_down;
    }
  }
}

static void how_many_intervals(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t elapsed_ms, interval_ms;
    uint32_t want;
  } cases[] = {
      {"in time", 30000, 30000, 1},
      {"a little late", 30007, 30000, 1},
      {"a little early", 29993, 30000, 1},
      {"at once", 0, 30000, 1},
      {"a clock that went back", -500000, 30000, 1},
      {"just under one and a half", 44999, 30000, 1},
      {"one and a half", 45000, 30000, 2},
      {"two", 60000, 30000, 2},
      {"just under two and a half", 74999, 30000, 2},
      {"two and a half", 75000, 30000, 3},
      {"a night", 8 * 3600 * 1000, 30000, 960},
      {"an odd interval, under the half", 76, 51, 1},
      {"an odd interval, over the half", 77, 51, 2},
      {"the shortest interval", 7, 1, 7},
      {"the most there can be", (int64_t)UINT32_MAX, 1, UINT32_MAX},
      {"one more than that", (int64_t)UINT32_MAX + 1, 1, UINT32_MAX},
      {"a century at 1 ms", 100LL * 365 * 86400 * 1000, 1, UINT32_MAX},
      {"a century at 50 ms", 100LL * 365 * 86400 * 1000, 50, UINT32_MAX},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    uint32_t got = ema_intervals(cases[i].elapsed_ms, cases[i].interval_ms);
    if (got != cases[i].want) fail_msg("%s: %u and not %u", cases[i].name, got, cases[i].want);
  }
}

static void who_is_forgotten(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double ema;
    uint32_t count;
    bool want;
  } cases[] = {
      {"nobody, ever", 0, 0, true},
      {"nobody for long", 0.0099999, 0, true},
      {"the limit itself is kept", 0.01, 0, false},
      {"still decaying", 8, 0, false},
      {"somebody is there", 0.001, 1, false},
      {"many are there", 40, 42, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++)
    if (ema_evictable(cases[i].ema, cases[i].count) != cases[i].want)
      fail_msg("%s: %s", cases[i].name, cases[i].want ? "kept" : "forgotten");
}

/* An empty shop of 1000 is forgotten by decay alone: 0.8^52 < 1e-5 < 0.8^51. */
static void decay_ends(void **state) {
  (void)state;
  double ema = 1000;
  int ticks = 0;
  for (; !ema_evictable(ema, 0) && ticks < 1000; ticks++) ema = ema_step(ema, 0.2, 0);
  assert_int_equal(ticks, 52);
  assert_true(ema_evictable(ema_step_late(1000, 0.2, 0, 52), 0));
  assert_false(ema_evictable(ema_step_late(1000, 0.2, 0, 51), 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_tick),
      cmocka_unit_test(a_late_tick),
      cmocka_unit_test(a_late_tick_is_as_many_ticks),
      cmocka_unit_test(how_many_intervals),
      cmocka_unit_test(who_is_forgotten),
      cmocka_unit_test(decay_ends),
  };
  return cmocka_run_group_tests_name("ema", tests, NULL, NULL);
}

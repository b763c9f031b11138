/* Tests of a sliding minute on a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/limits/rate_window.h"

enum { SLICE_MS = RATE_WINDOW_MS / RATE_WINDOW_SLICES };

static uint32_t take_all(rate_window *w, uint32_t limit, int64_t now_ms) {
  uint32_t taken = 0;
  while (taken <= limit && rate_window_take(w, limit, now_ms).allowed) taken++;
  return taken;
}

/* What a fixed window gets wrong: it begins with one early request, is filled just before
 * its end, and filled again behind it. */
static void no_double_burst_at_an_edge(void **state) {
  (void)state;
  rate_window w = {0};
  assert_true(rate_window_take(&w, 100, 1000).allowed);
  assert_int_equal(take_all(&w, 100, 60400), 99);
  assert_int_equal(take_all(&w, 100, 61600), 1); /* the early one is a minute ago */
}

/* A taker that asks at random times and takes whatever it gets: in no span of a minute less
 * one slice is there more than the limit, and in an hour no more than the limit a minute. */
static void never_more_than_the_limit(void **state) {
  (void)state;
  enum { LIMIT = 50, MOST = 4000, HOUR_MS = 3600 * 1000 };
  static int64_t at[MOST];
  for (uint32_t seed = 1; seed <= 20; seed++) {
    rate_window w = {0};
    uint32_t random = seed * 2654435761u;
    size_t taken = 0, first = 0;
    for (int64_t now_ms = 0; now_ms < HOUR_MS;) {
      rate_state met = rate_window_take(&w, LIMIT, now_ms);
      assert_true(met.reset_in_ms >= 1 && met.reset_in_ms <= RATE_WINDOW_MS);
      if (met.allowed) {
        assert_true(taken < MOST);
        at[taken++] = now_ms;
        while (at[first] <= now_ms - (RATE_WINDOW_MS - SLICE_MS)) first++;
        assert_true(taken - first <= LIMIT);
      } else {
        rate_window before = w;
        assert_false(rate_window_peek(&before, LIMIT, now_ms + met.reset_in_ms - 1).allowed);
        assert_true(rate_window_peek(&w, LIMIT, now_ms + met.reset_in_ms).allowed);
      }
      random = random * 1664525u + 1013904223u;
      /* Mostly bursts, at times a pause. */
      now_ms +=
          random >> 28 == 0 ? (int64_t)(random >> 12 & 0x7fff) : (int64_t)(random >> 20 & 0xff);
    }
    assert_true(taken <= LIMIT * 61);
  }
}

/* A client that asks as often as the limit says is never blocked. */
static void a_steady_client_is_never_blocked(void **state) {
  (void)state;
  rate_window w = {0};
  for (int64_t now_ms = 7; now_ms < 20 * RATE_WINDOW_MS; now_ms += 600)
    assert_true(rate_window_take(&w, 100, now_ms).allowed);
}

static void one_a_minute_is_exactly_that(void **state) {
  (void)state;
  rate_window w = {0};
  for (int64_t now_ms = 123; now_ms < 50 * RATE_WINDOW_MS; now_ms += RATE_WINDOW_MS) {
    rate_state met = rate_window_take(&w, 1, now_ms);
    assert_true(met.allowed);
    assert_int_equal(met.reset_in_ms, RATE_WINDOW_MS);
    assert_false(rate_window_take(&w, 1, now_ms + RATE_WINDOW_MS - 1).allowed);
  }
}

static void states(void **state) {
  (void)state;
  static const struct {
    const char *name;
    bool take;
    uint32_t limit;
    int64_t now_ms;
    rate_state want;
  } steps[] = {
      {"empty", false, 3, 500, {true, 3, 3, 60000}},
      {"the first", true, 3, 1000, {true, 3, 2, 60000}},
      {"another slice, another minute", true, 3, 25000, {true, 3, 1, 56000}},
      {"a look takes nothing", false, 3, 26000, {true, 3, 1, 55000}},
      {"the last", true, 3, 26000, {true, 3, 0, 55000}},
      {"blocked until the first is a minute ago", true, 3, 27000, {false, 3, 0, 34000}},
      {"a lowered limit waits for the others too", false, 2, 27000, {false, 2, 0, 54000}},
      {"a raised one has room", false, 5, 27000, {true, 5, 2, 54000}},
      {"off", true, 0, 27000, {true, 0, 0, 60000}},
      {"to the last millisecond", true, 3, 60999, {false, 3, 0, 1}},
      {"one fits", true, 3, 61000, {true, 3, 0, 60000}},
      {"empty after a pause", false, 3, 900000, {true, 3, 3, 60000}},
  };
  rate_window w = {0};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    rate_state got = steps[i].take ? rate_window_take(&w, steps[i].limit, steps[i].now_ms)
                                   : rate_window_peek(&w, steps[i].limit, steps[i].now_ms);
    rate_state want = steps[i].want;
    if (got.allowed != want.allowed || got.limit != want.limit || got.remaining != want.remaining ||
        got.reset_in_ms != want.reset_in_ms)
      fail_msg("%s: allowed %d, limit %u, remaining %u, reset in %lld", steps[i].name, got.allowed,
               got.limit, got.remaining, (long long)got.reset_in_ms);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_double_burst_at_an_edge),
      cmocka_unit_test(never_more_than_the_limit),
      cmocka_unit_test(a_steady_client_is_never_blocked),
      cmocka_unit_test(one_a_minute_is_exactly_that),
      cmocka_unit_test(states),
  };
  return cmocka_run_group_tests_name("rate_window", tests, NULL, NULL);
}

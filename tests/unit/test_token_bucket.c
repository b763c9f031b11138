/* Tests of token buckets on a clock of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/limits/token_bucket.h"

/* Ten a second, twenty kept: a socket's messages. */
static const token_rate messages = {10, 20, 1000};

static int take_all(token_bucket *b, const token_rate *rate, int64_t now_ms) {
  int taken = 0;
  while (taken < 5000 && token_bucket_take(b, rate, now_ms)) taken++;
  return taken;
}

static void a_bucket_begins_full_and_fills_evenly(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t now_ms;
    uint32_t left;
    int64_t wait_ms;
    int taken;
  } steps[] = {
      {"full", 5000, 20, 0, 20},
      {"empty", 5000, 0, 100, 0},
      {"not yet", 5099, 0, 1, 0},
      {"one in 100 ms", 5100, 1, 0, 1},
      {"ten in a second", 6100, 10, 0, 10},
      {"half an hour: no more than full", 1806100, 20, 0, 20},
  };
  token_bucket b;
  token_bucket_init(&b);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    int64_t now_ms = steps[i].now_ms;
    uint32_t left = token_bucket_left(&b, &messages, now_ms);
    int64_t wait_ms = token_bucket_wait_ms(&b, &messages, now_ms);
    int taken = take_all(&b, &messages, now_ms);
    if (left != steps[i].left || wait_ms != steps[i].wait_ms || taken != steps[i].taken)
      fail_msg("%s: left %u, wait %lld, taken %d", steps[i].name, left, (long long)wait_ms, taken);
  }
  assert_int_equal(token_bucket_full_in_ms(&b, 1806100), 2000);
  assert_int_equal(token_bucket_full_in_ms(&b, 1806100 + 2000), 0);
}

/* What is refused costs nothing: asking all the time does not keep the bucket empty. */
static void a_refusal_takes_nothing(void **state) {
  (void)state;
  token_bucket b = {0};
  take_all(&b, &messages, 0);
  for (int64_t now_ms = 1; now_ms < 100; now_ms++)
    assert_false(token_bucket_take(&b, &messages, now_ms));
  assert_true(token_bucket_take(&b, &messages, 100));
}

static void rates_that_do_not_divide_a_period(void **state) {
  (void)state;
  static const token_rate rates[] = {
      {7, 1, 60000},          {600, 1000, 60000}, {10000, 20000, 1000},
      {9999999, 1000, 60000}, {1, 1000, 60000},
  };
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    token_bucket b = {0};
    uint64_t taken = 0;
    /* A taker that never waits, for ten periods. */
    for (int64_t now_ms = 0; now_ms <= 10 * rates[i].period_ms && taken < 200000; now_ms++)
      while (taken < 200000 && token_bucket_take(&b, &rates[i], now_ms)) taken++;
    uint64_t most = rates[i].burst + 10ull * rates[i].tokens + 1;
    if (most > 200000) most = 200000;
    if (taken > most || taken + 2 < most)
      fail_msg("rate %zu: %llu taken of %llu", i, (unsigned long long)taken,
               (unsigned long long)most);
  }
}

static void no_limit(void **state) {
  (void)state;
  static const token_rate off = {0, 20, 1000};
  token_bucket b = {0};
  assert_int_equal(take_all(&b, &off, 0), 5000);
  assert_int_equal(token_bucket_wait_ms(&b, &off, 0), 0);
  assert_int_equal(token_bucket_left(&b, &off, 0), 20);
  assert_int_equal(token_bucket_full_in_ms(&b, 0), 0);
}

/* Nobody waits longer for a token than the new rate says. */
static void a_raised_rate_counts_at_once(void **state) {
  (void)state;
  static const token_rate slow = {1, 1000, 60000}, fast = {600, 1000, 60000};
  token_bucket b = {0};
  assert_int_equal(take_all(&b, &slow, 0), 1000);
  assert_int_equal(token_bucket_wait_ms(&b, &fast, 0), 100);
  assert_true(token_bucket_take(&b, &slow, 60000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bucket_begins_full_and_fills_evenly),
      cmocka_unit_test(a_refusal_takes_nothing),
      cmocka_unit_test(rates_that_do_not_divide_a_period),
      cmocka_unit_test(no_limit),
      cmocka_unit_test(a_raised_rate_counts_at_once),
  };
  return cmocka_run_group_tests_name("token_bucket", tests, NULL, NULL);
}

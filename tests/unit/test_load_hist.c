/* Tests of the load generator's percentiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../load/hist.h"

#include <stdlib.h>

static hist *empty(void) {
  hist *h = calloc(1, sizeof *h);
  assert_non_null(h);
  return h;
}

static void knows_nothing_when_empty(void **state) {
  (void)state;
  hist *h = empty();
  assert_int_equal(hist_percentile(h, 50), 0);
  assert_int_equal(hist_percentile(h, 100), 0);
  free(h);
}

/* Below 256 every value has a bucket of its own. */
static void is_exact_for_small_values(void **state) {
  (void)state;
  static const struct {
    double percent;
    uint64_t want;
  } cases[] = {{0, 1}, {1, 1}, {50, 50}, {50.5, 51}, {99, 99}, {99.9, 100}, {100, 100}};
  hist *h = empty();
  for (uint64_t i = 100; i >= 1; i--) hist_add(h, i);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(hist_percentile(h, cases[i].percent), cases[i].want);
  assert_int_equal(h->count, 100);
  assert_int_equal(h->max, 100);
  free(h);
}

/* At every power of two, one below and one above, up to the largest number there is. */
static void is_within_a_percent_everywhere(void **state) {
  (void)state;
  for (unsigned shift = 0; shift < 64; shift++) {
    for (int64_t off = -1; off <= 1; off++) {
      uint64_t value = (UINT64_C(1) << shift) + (uint64_t)off;
      hist *h = empty();
      hist_add(h, value);
      hist_add(h, UINT64_MAX);
      uint64_t told = hist_percentile(h, 50);
      assert_true(told >= value);
      assert_true(told - value <= value / 100);
      assert_true(hist_percentile(h, 100) == UINT64_MAX);
      free(h);
    }
  }
}

static void never_exceeds_the_largest(void **state) {
  (void)state;
  hist *h = empty();
  hist_add(h, 1000001);
  assert_int_equal(hist_percentile(h, 99), 1000001);
  free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(knows_nothing_when_empty),
      cmocka_unit_test(is_exact_for_small_values),
      cmocka_unit_test(is_within_a_percent_everywhere),
      cmocka_unit_test(never_exceeds_the_largest),
  };
  return cmocka_run_group_tests_name("load_hist", tests, NULL, NULL);
}

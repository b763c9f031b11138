/* Tests of the estimate of different things, against exact counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/hyperloglog.h"
#include "utils/map.h"
#include "utils/siphash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const map_seed seed = {0x0123456789abcdef, 0xfedcba9876543210};

/* The n-th different thing. */
static void add(hyperloglog *set, uint64_t n) {
  assert_int_equal(hyperloglog_add(set, siphash(seed.k0, seed.k1, 0, &n, sizeof n)), AU_OK);
}

static uint64_t count(const hyperloglog *set) {
  return hyperloglog_count(&set, 1);
}

/* The standard error is 1.04 / sqrt(2^14) = 0.81 %: four of them are hardly ever exceeded, and with
 * a fixed seed never. */
static void the_error_is_small_at_any_size(void **state) {
  (void)state;
  static const uint64_t sizes[] = {0,    1,    2,    10,    100,    1000,
                                   3071, 3072, 5000, 20000, 100000, 1000000};
  double worst = 0, squares = 0;
  unsigned large = 0;
  for (uint64_t run = 0; run < 10; run++) {
    hyperloglog set = {0};
    uint64_t added = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      for (; added < sizes[i]; added++) add(&set, run << 32 | added);
      double error = sizes[i] == 0
                         ? (double)count(&set)
                         : fabs((double)count(&set) - (double)sizes[i]) / (double)sizes[i];
      if (error > worst) worst = error;
      if (sizes[i] >= 20000) squares += error * error, large++;
      if (error > 4 * 0.0081) fail_msg("%g of %llu", error, (unsigned long long)sizes[i]);
    }
    hyperloglog_free(&set);
  }
  print_message("hyperloglog: worst error %.2f %%, standard error from 20,000 on %.2f %%\n",
                100 * worst, 100 * sqrt(squares / large));
  assert_true(sqrt(squares / large) < 0.012);
}

static void few_are_exact(void **state) {
  (void)state;
  hyperloglog set = {0};
  for (uint64_t i = 1; i <= 100; i++) {
    add(&set, i);
    add(&set, i); /* again: no news */
    assert_in_range(count(&set), i - 1, i + 1);
  }
  hyperloglog_free(&set);
}

static void a_union_counts_each_once(void **state) {
  (void)state;
  hyperloglog days[7] = {0};
  const hyperloglog *sets[7];
  for (uint64_t day = 0; day < 7; day++) {
    sets[day] = &days[day];
    /* Half of each day's 10,000 come again the next day: 40,000 in all. Some days are sparse. */
    for (uint64_t i = 0; i < 10000; i++) add(&days[day], day * 5000 + i);
  }
  double all = (double)hyperloglog_count(sets, 7);
  if (fabs(all - 40000) > 40000 * 4 * 0.0081) fail_msg("%g and not 40000", all);
  hyperloglog sparse = {0};
  add(&sparse, 1000000);
  sets[1] = &sparse;
  assert_in_range(hyperloglog_count(sets, 2), 9600, 10400);
  hyperloglog_free(&sparse);
  for (int i = 0; i < 7; i++) hyperloglog_free(&days[i]);
}

static void growth_is_said_before(void **state) {
  (void)state;
  hyperloglog set = {0};
  for (uint64_t i = 0; i < 30000; i++) {
    size_t before = hyperloglog_bytes(&set), growth = hyperloglog_growth(&set);
    add(&set, i);
    assert_in_range(hyperloglog_bytes(&set), 0, before + growth);
    assert_true(hyperloglog_bytes(&set) <= HYPERLOGLOG_DENSE_BYTES);
  }
  assert_non_null(set.dense);
  hyperloglog_free(&set);
  assert_int_equal(hyperloglog_bytes(&set), 0);
}

static void an_image_is_the_set(void **state) {
  (void)state;
  for (uint64_t size = 0; size <= 20000; size += 10000) {
    hyperloglog set = {0}, copy;
    for (uint64_t i = 0; i < (size ? size : 50); i++) add(&set, i);
    assert_int_equal(hyperloglog_load(&copy, hyperloglog_image(&set)), AU_OK);
    assert_int_equal(count(&copy), count(&set));
    add(&copy, 12345678);
    hyperloglog_free(&copy);
    hyperloglog_free(&set);
  }
  static const uint32_t unsorted[] = {5u << 6 | 1, 4u << 6 | 1}, beyond[] = {16384u << 6 | 1};
  hyperloglog none;
  assert_int_equal(hyperloglog_load(&none, (au_slice){(const char *)unsorted, 8}), AU_EINVAL);
  assert_int_equal(hyperloglog_load(&none, (au_slice){(const char *)beyond, 4}), AU_EINVAL);
  assert_int_equal(hyperloglog_load(&none, (au_slice){(const char *)unsorted, 7}), AU_EINVAL);
  assert_int_equal(hyperloglog_load(&none, (au_slice){"", 0}), AU_OK);
  assert_int_equal(count(&none), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_error_is_small_at_any_size),
      cmocka_unit_test(few_are_exact),
      cmocka_unit_test(a_union_counts_each_once),
      cmocka_unit_test(growth_is_said_before),
      cmocka_unit_test(an_image_is_the_set),
  };
  return cmocka_run_group_tests_name("hyperloglog", tests, NULL, NULL);
}

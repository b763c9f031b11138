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
#include <string.h>

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
    assert_true(hyperloglog_bytes(&set) <= HYPERLOGLOG_DENSE_BYTES + 128);
  }
  assert_non_null(set.dense);
  hyperloglog_free(&set);
  assert_int_equal(hyperloglog_bytes(&set), 0);
}

/* The same registers, whatever the order in which they came and however far they are apart. */
static void a_sparse_set_has_the_registers_of_a_dense_one(void **state) {
  (void)state;
  static const uint32_t orders[][6] = {
      {0, 1, 1023, 1024, 2047, 16383},  {16383, 0, 8000, 1, 8001, 7999},
      {16383, 16382, 1023, 1022, 0, 1}, {5000, 5000, 3000, 3000, 9000, 0},
      {3069, 2046, 1023, 0, 4092, 1},   {16383, 3069, 2046, 1023, 1022, 1024},
  };
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
    hyperloglog sparse = {0}, dense = {0};
    for (uint64_t n = 0; !dense.dense; n++) add(&dense, n);
    hyperloglog zeros = dense; /* its parts, emptied */
    for (int p = 0; p < HYPERLOGLOG_PARTS; p++)
      memset(zeros.dense[p], 0, HYPERLOGLOG_DENSE_BYTES / HYPERLOGLOG_PARTS);
    for (uint64_t k = 0; k < 6; k++) {
      uint64_t hash = orders[i][k] | (uint64_t)1 << (HYPERLOGLOG_BITS + (7 * k) % 50);
      assert_int_equal(hyperloglog_add(&sparse, hash), AU_OK);
      assert_int_equal(hyperloglog_add(&zeros, hash), AU_OK);
    }
    assert_null(sparse.dense);
    unsigned char one[HYPERLOGLOG_DENSE_BYTES], other[HYPERLOGLOG_DENSE_BYTES];
    hyperloglog copy;
    assert_int_equal(hyperloglog_load(&copy, hyperloglog_image(&zeros, one)), AU_OK);
    au_slice of_sparse = hyperloglog_image(&sparse, one), of_copy = hyperloglog_image(&copy, other);
    assert_int_equal(of_sparse.len, of_copy.len);
    assert_memory_equal(one, other, of_sparse.len);
    hyperloglog_free(&sparse);
    hyperloglog_free(&dense);
    hyperloglog_free(&copy);
  }
}

static void an_image_is_the_set(void **state) {
  (void)state;
  static const uint64_t sizes[] = {0, 50, 1000, 2000, 2100, 2500, 3500, 10000, 20000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    hyperloglog set = {0}, copy;
    unsigned char image[HYPERLOGLOG_DENSE_BYTES];
    for (uint64_t n = 0; n < sizes[i]; n++) add(&set, n);
    assert_int_equal(hyperloglog_load(&copy, hyperloglog_image(&set, image)), AU_OK);
    assert_int_equal(count(&copy), count(&set));
    assert_true(hyperloglog_bytes(&copy) <= hyperloglog_bytes(&set));
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

/* A file of a daemon before this one may have a list that is as long as dense registers. */
static void a_list_as_long_as_dense_registers_is_a_list(void **state) {
  (void)state;
  uint32_t list[HYPERLOGLOG_DENSE_BYTES / 4];
  for (uint32_t i = 0; i < sizeof list / sizeof list[0]; i++) list[i] = 5 * i << 6 | 1;
  hyperloglog set;
  au_slice image = {(const char *)list, sizeof list};
  assert_int_equal(hyperloglog_load(&set, image), AU_OK);
  assert_in_range(count(&set), 3250, 3500); /* 3,072 of 16,384 registers are in use */
  hyperloglog_free(&set);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_error_is_small_at_any_size),
      cmocka_unit_test(few_are_exact),
      cmocka_unit_test(a_union_counts_each_once),
      cmocka_unit_test(growth_is_said_before),
      cmocka_unit_test(a_sparse_set_has_the_registers_of_a_dense_one),
      cmocka_unit_test(an_image_is_the_set),
      cmocka_unit_test(a_list_as_long_as_dense_registers_is_a_list),
  };
  return cmocka_run_group_tests_name("hyperloglog", tests, NULL, NULL);
}

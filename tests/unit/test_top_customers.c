/* The highest of a round against a sort of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/top_customers.h"
#include "utils/buffer.h"

enum { CUSTOMERS = 500 };

static int falling(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? 1 : x > y ? -1 : 0;
}

static int falling_customer(const void *a, const void *b) {
  const top_customer *x = a, *y = b;
  return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static void check_round(size_t max, size_t customers, unsigned seed) {
  top_customers *t;
  assert_int_equal(top_customers_create(max, &t), AU_OK);
  uint32_t counts[CUSTOMERS];
  uint64_t sum = 0;
  top_customers_begin(t);
  for (size_t i = 0; i < customers; i++) {
    char id[16];
    seed = seed * 1103515245 + 12345;
    counts[i] = seed >> 16 & 0xff;
    sum += counts[i];
    snprintf(id, sizeof id, "c%u", (unsigned)counts[i]);
    top_customers_note(t, slice_of(id), counts[i], counts[i]);
  }
  size_t n;
  top_customer others, sorted[CUSTOMERS];
  (void)top_customers_list(t, &n, &others);
  assert_int_equal(n, 0); /* the round is not whole */
  top_customers_end(t);
  const top_customer *list = top_customers_list(t, &n, &others);
  assert_int_equal(n, customers < max ? customers : max);
  for (size_t i = 0; i < n; i++) sorted[i] = list[i];
  qsort(sorted, n, sizeof sorted[0], falling_customer);
  qsort(counts, customers, sizeof counts[0], falling);
  for (size_t i = 0; i < n; i++) {
    char id[16];
    assert_int_equal(sorted[i].count, counts[i]);
    snprintf(id, sizeof id, "c%u", (unsigned)counts[i]);
    assert_true(slice_eq((au_slice){sorted[i].id, sorted[i].id_len}, slice_of(id)));
    sum -= counts[i];
  }
  assert_int_equal(others.count, sum);
  assert_true(others.ema >= (double)sum - 0.01 && others.ema <= (double)sum + 0.01);
  top_customers_begin(t); /* one that is not finished changes nothing */
  top_customers_note(t, slice_of("x"), 1000, 0);
  (void)top_customers_list(t, &n, &others);
  assert_int_equal(others.count, sum);
  top_customers_begin(t);
  top_customers_end(t);
  (void)top_customers_list(t, &n, &others);
  assert_int_equal(n, 0);
  assert_int_equal(others.count, 0);
  top_customers_free(t);
}

static void test_a_customer_named_other(void **state) {
  (void)state;
  top_customers *t;
  assert_int_equal(top_customers_create(2, &t), AU_OK);
  top_customers_begin(t);
  top_customers_note(t, slice_of(TOP_CUSTOMERS_OTHER), 7, 7);
  top_customers_note(t, slice_of("a"), 1, 1);
  top_customers_end(t);
  size_t n;
  top_customer others;
  const top_customer *list = top_customers_list(t, &n, &others);
  assert_int_equal(n, 1);
  assert_int_equal(list[0].count, 1);
  assert_int_equal(others.count, 7);
  top_customers_free(t);
}

static void test_rounds(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 2, 7, 100, CUSTOMERS};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (size_t max = 1; max < 40; max += 6)
      for (unsigned seed = 0; seed < 20; seed++) check_round(max, sizes[i], seed);
  top_customers_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rounds),
      cmocka_unit_test(test_a_customer_named_other),
  };
  return cmocka_run_group_tests_name("top_customers", tests, NULL, NULL);
}

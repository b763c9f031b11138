/* Customers with limits of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/customer_limits.h"
#include "utils/buffer.h"

#include <stdio.h>

static void found_by_id(void **state) {
  (void)state;
  static const au_customer_limits own[] = {
      {"shop", 10, 20, NULL, NULL}, {"a", 0, -1, NULL, NULL},    {"shop-2", -1, 0, NULL, NULL},
      {"sho", 7, 7, NULL, NULL},    {"shop/", 8, 8, NULL, NULL},
  };
  static const struct {
    const char *id;
    uint32_t rate, sessions;
  } cases[] = {
      {"shop", 10, 20}, {"a", 0, 99},     {"shop-2", 5, 0},   {"sho", 7, 7},   {"shop/", 8, 8},
      {"sh", 5, 99},    {"shop-", 5, 99}, {"shop-22", 5, 99}, {"SHOP", 5, 99}, {"b", 5, 99},
  };
  au_config config = {.customers = own, .customers_count = sizeof own / sizeof own[0]};
  customer_limits *all;
  assert_int_equal(customer_limits_create(&config, &all), AU_OK);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint32_t rate = customer_limits_rate(all, slice_of(cases[i].id), 5);
    uint32_t sessions = customer_limits_sessions(all, slice_of(cases[i].id), 99);
    if (rate != cases[i].rate || sessions != cases[i].sessions)
      fail_msg("%s: %u, %u", cases[i].id, rate, sessions);
  }
  assert_int_equal(customer_limits_rate(all, (au_slice){"", 0}, 5), 5);
  customer_limits_free(all);
}

static void none_of_their_own(void **state) {
  (void)state;
  au_config config = {0};
  customer_limits *all;
  assert_int_equal(customer_limits_create(&config, &all), AU_OK);
  assert_int_equal(customer_limits_rate(all, slice_of("shop"), 5), 5);
  assert_int_equal(customer_limits_sessions(all, slice_of("shop"), 0), 0);
  customer_limits_free(all);
  customer_limits_free(NULL);
}

static void many(void **state) {
  (void)state;
  enum { MANY = 4000 };
  static char ids[MANY][12];
  static au_customer_limits own[MANY];
  for (int i = 0; i < MANY; i++) {
    snprintf(ids[i], sizeof ids[i], "c%d", i * 7919 % MANY);
    own[i] = (au_customer_limits){ids[i], i, 2 * i, NULL, NULL};
  }
  au_config config = {.customers = own, .customers_count = MANY};
  customer_limits *all;
  assert_int_equal(customer_limits_create(&config, &all), AU_OK);
  for (uint32_t i = 0; i < MANY; i++) {
    assert_int_equal(customer_limits_rate(all, slice_of(ids[i]), 5), i);
    assert_int_equal(customer_limits_sessions(all, slice_of(ids[i]), 5), 2 * i);
  }
  customer_limits_free(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(found_by_id),
      cmocka_unit_test(none_of_their_own),
      cmocka_unit_test(many),
  };
  return cmocka_run_group_tests_name("customer_limits", tests, NULL, NULL);
}

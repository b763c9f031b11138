/* What is told of budgets, and what is charged of what others have spent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/budgets.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A store that keeps what it is asked until the test answers. */
typedef struct fixture {
  au_store store;
  au_clock clock;
  int64_t now_ms;
  bool refuses, knows_names;
  au_spent *rows;
  size_t n;
  au_spent_fn cb;
  void *arg;
  budgets *b;
  addresses *all;
  pseudonyms names;
  char charged[256];
} fixture;

static fixture f;

static int64_t now_of(void *arg) {
  (void)arg;
  return f.now_ms;
}

static au_status share(au_store *store, au_spent *rows, size_t n, au_spent_fn cb, void *arg) {
  (void)store;
  if (f.refuses) return AU_ESTORE;
  f.rows = rows;
  f.n = n;
  f.cb = cb;
  f.arg = arg;
  return AU_OK;
}

static bool knows(void *arg) {
  (void)arg;
  return f.knows_names;
}

static void charge(void *arg, budgets_customer which, au_slice customer_id, uint32_t n) {
  (void)arg;
  size_t len = strlen(f.charged);
  snprintf(f.charged + len, sizeof f.charged - len, "%s%.*s %u;",
           which == BUDGETS_READS ? "R " : "", (int)customer_id.len, customer_id.ptr, (unsigned)n);
}

static void on_spent(void *arg, address *a, address_pot pot) {
  (void)arg;
  budgets_spent_address(f.b, a, pot);
}

static int set_up(void **state) {
  (void)state;
  static const au_store_ops ops = {.share_spent = share};
  f = (fixture){.store.ops = &ops, .now_ms = 1000, .knows_names = true};
  f.clock = (au_clock){now_of, now_of, NULL};
  const budgets_config config = {.clock = &f.clock,
                                 .store = &f.store,
                                 .seed = {1, 2},
                                 .knows_names = knows,
                                 .charge_customer = charge};
  const address_limits limits = {.requests_per_min = 10, .new_sessions_per_min = 60};
  assert_int_equal(budgets_create(&config, &f.b), AU_OK);
  assert_int_equal(addresses_create((map_seed){1, 2}, &limits, &f.all), AU_OK);
  pseudonyms_init(&f.names, 1, 2, false);
  addresses_set_names(f.all, &f.names, NULL);
  addresses_on_spent(f.all, on_spent, NULL);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  budgets_free(f.b);
  addresses_free(f.all);
  return 0;
}

static void spend(const char *customer, unsigned n) {
  for (; n > 0; n--) budgets_spent_customer(f.b, BUDGETS_PRESENCE, slice_of(customer));
}

/* The exchange of one budget: so much is told, these are the totals, so much is charged. */
static void expect(const char *name, uint32_t told, uint32_t total, uint32_t before, int64_t minute,
                   int64_t into_ms, const char *charged) {
  f.n = 0;
  f.charged[0] = '\0';
  budgets_exchange(f.b);
  if (f.n != 1 || f.rows[0].spent != told)
    fail_msg("%s: %zu rows, %u told", name, f.n, f.n ? (unsigned)f.rows[0].spent : 0);
  f.rows[0].is_told = true;
  f.rows[0].total = total;
  f.rows[0].total_before = before;
  f.cb(AU_OK, f.rows, f.n, minute, into_ms, f.arg);
  if (strcmp(f.charged, charged) != 0) fail_msg("%s: charged '%s'", name, f.charged);
}

static void others_are_charged_once(void **state) {
  (void)state;
  spend("shop", 3);
  expect("alone", 3, 3, 0, 7, 0, "");
  spend("shop", 2);
  expect("others came", 2, 15, 0, 7, 1000, "shop 10;");
  spend("shop", 1);
  expect("nothing new", 1, 16, 0, 7, 2000, "");
  spend("shop", 1);
  expect("the next minute: what came behind us, and in it", 1, 5, 20, 8, 100, "shop 8;");
  spend("shop", 1);
  expect("two minutes on, the last one counts in part", 1, 4, 40, 10, 15000, "shop 33;");
  spend("shop", 1);
  expect("the store has lost its data", 1, 1, 0, 10, 16000, "");
  spend("shop", 1);
  expect("and goes on", 1, 9, 0, 10, 17000, "shop 7;");
}

static void nothing_spent_is_nothing_told(void **state) {
  (void)state;
  budgets_exchange(f.b);
  assert_null(f.cb);
  spend("shop", 1);
  budgets_exchange(f.b);
  spend("shop", 5);
  au_spent_fn first = f.cb;
  f.cb = NULL;
  budgets_exchange(f.b); /* one at a time */
  assert_null(f.cb);
  first(AU_ESTORE, f.rows, f.n, 0, 0, f.arg);
  expect("what came meanwhile, without what was lost", 5, 5, 0, 7, 0, "");
}

static void a_store_that_refuses_is_tried_again(void **state) {
  (void)state;
  f.refuses = true;
  spend("shop", 4);
  budgets_exchange(f.b);
  f.refuses = false;
  f.n = 0;
  budgets_exchange(f.b);
  assert_int_equal(f.n, 0); /* it would be charged when it is long over */
  spend("shop", 1);
  expect("again", 1, 3, 0, 7, 0, "shop 2;");
}

static void an_exchange_is_bounded(void **state) {
  (void)state;
  char customer[32];
  for (int i = 0; i < BUDGETS_ENTRIES_MAX + 100; i++) {
    snprintf(customer, sizeof customer, "c%d", i);
    spend(customer, 1);
  }
  size_t told = 0;
  for (f.n = 1; f.n > 0; told += f.n) {
    f.n = 0;
    budgets_exchange(f.b);
    assert_true(f.n <= BUDGETS_EXCHANGE_MAX);
    if (f.n > 0) f.cb(AU_OK, f.rows, f.n, 7, 0, f.arg);
  }
  assert_int_equal(told, BUDGETS_ENTRIES_MAX);
  f.now_ms += BUDGETS_KEPT_MS;
  spend("another", 1); /* full, until the next exchange lets go of what is over */
  spend("c1", 1);
  budgets_exchange(f.b);
  f.cb(AU_OK, f.rows, f.n, 9, 0, f.arg);
  f.now_ms += 1;
  spend("another", 1);
  f.n = 0;
  budgets_exchange(f.b);
  assert_int_equal(f.n, 1);
}

static void addresses_are_named_and_charged(void **state) {
  (void)state;
  net_addr addr;
  assert_true(net_parse(slice_of("192.0.2.1"), &addr));
  address *a = addresses_hold(f.all, &addr, f.now_ms);
  f.knows_names = false;
  assert_true(address_take(a, ADDRESS_PRESENCE, f.now_ms).allowed);
  budgets_exchange(f.b);
  assert_null(f.cb); /* its name is not that of all daemons yet */
  f.knows_names = true;
  assert_true(address_take(a, ADDRESS_PRESENCE, f.now_ms).allowed);
  assert_true(address_take(a, ADDRESS_OTHER, f.now_ms).allowed);
  budgets_exchange(f.b);
  assert_int_equal(f.n, 1);
  assert_int_equal(f.rows[0].name.len, 2 + PSEUDONYM_ADDRESS_BYTES);
  assert_memory_equal(f.rows[0].name.ptr, "a:", 2);
  f.rows[0].is_told = true;
  f.rows[0].total = 8; /* 7 of others, and 2 here */
  f.cb(AU_OK, f.rows, f.n, 7, 0, f.arg);
  rate_state left = address_peek(a, ADDRESS_PRESENCE, f.now_ms);
  assert_true(left.allowed);
  assert_int_equal(left.remaining, 1);
  assert_true(address_take(a, ADDRESS_PRESENCE, f.now_ms).allowed);
  assert_false(address_take(a, ADDRESS_PRESENCE, f.now_ms).allowed);
  assert_int_equal(address_peek(a, ADDRESS_READS, f.now_ms).remaining, 10);

  uint32_t full = address_peek(a, ADDRESS_NEW_SESSIONS, f.now_ms).remaining;
  address_charge(a, ADDRESS_NEW_SESSIONS, full - 1, f.now_ms);
  assert_true(address_take(a, ADDRESS_NEW_SESSIONS, f.now_ms).allowed);
  assert_false(address_take(a, ADDRESS_NEW_SESSIONS, f.now_ms).allowed);
  address_charge(a, ADDRESS_NEW_SESSIONS, UINT32_MAX, f.now_ms);
  assert_true(address_peek(a, ADDRESS_NEW_SESSIONS, f.now_ms).reset_in_ms <= 1001);
  address_release(a, f.now_ms);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(others_are_charged_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(nothing_spent_is_nothing_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_store_that_refuses_is_tried_again, set_up, tear_down),
      cmocka_unit_test_setup_teardown(an_exchange_is_bounded, set_up, tear_down),
      cmocka_unit_test_setup_teardown(addresses_are_named_and_charged, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("budgets", tests, NULL, NULL);
}

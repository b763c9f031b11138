/* Who pays for a request, and the lines that tell of it, on clocks of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/rest_limits.h"

#include <string.h>

static int64_t now_ms;

static int64_t read_clock(void *arg) {
  (void)arg;
  return now_ms;
}

static const au_clock test_clock = {read_clock, read_clock, NULL};

typedef struct fixture {
  stats counters;
  addresses *all;
  address *from;
  rest_limits *limits;
  buffer lines;
  int64_t retry_s;
} fixture;

static const au_customer_limits own[] = {{"large", 4, -1, NULL, NULL}, {"free", 0, -1, NULL, NULL}};

/* Two requests a minute for an address, three for a customer. */
static au_config config_of_limits(void) {
  au_config config;
  au_config_init(&config);
  config.rate_customer_per_min = 3;
  config.customers = own;
  config.customers_count = sizeof own / sizeof own[0];
  return config;
}

static int setup(void **state) {
  static fixture f;
  static const address_limits few = {.requests_per_min = 2};
  net_addr addr;
  memset(&f, 0, sizeof f);
  now_ms = 1000;
  au_config config = config_of_limits();
  assert_true(net_parse(slice_of("192.0.2.1"), &addr));
  assert_int_equal(addresses_create((map_seed){1, 2}, &few, &f.all), AU_OK);
  f.from = addresses_hold(f.all, &addr, now_ms);
  assert_int_equal(
      rest_limits_create(&config, &test_clock, &f.counters, (map_seed){1, 2}, &f.limits), AU_OK);
  buffer_init(&f.lines, 1024);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  address_release(f->from, now_ms);
  addresses_free(f->all);
  rest_limits_free(f->limits);
  buffer_free(&f->lines);
  return 0;
}

static rest_verdict pay(fixture *f, address *from, const char *customer, rest_cost cost) {
  buffer_clear(&f->lines);
  f->retry_s = 0;
  return rest_limits_pay(f->limits, from, slice_of(customer), cost, &f->lines, &f->retry_s);
}

static bool lines_have(const fixture *f, const char *text) {
  return f->lines.len > 0 && memmem(f->lines.ptr, f->lines.len, text, strlen(text)) != NULL;
}

/* One step after the other; the address has two of each pot, a customer three. */
static void who_pays(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name, *customer;
    rest_cost cost;
    rest_verdict want;
    const char *line; /* among the lines; NULL: there are none */
  } steps[] = {
      {"free", "a", REST_FREE, REST_ALLOWED, "Remaining: 3\r\n"},
      {"presence", "a", REST_COSTS_PRESENCE, REST_ALLOWED, "Remaining: 2\r\n"},
      {"reads are apart", "a", REST_COSTS_READ, REST_ALLOWED, "Remaining: 2\r\n"},
      {"presence of another", "b", REST_COSTS_PRESENCE, REST_ALLOWED, "Remaining: 2\r\n"},
      {"the address has had enough", "a", REST_COSTS_PRESENCE, REST_BLOCKED_IP, "Limit: 2\r\n"},
      {"which cost the customer nothing", "a", REST_FREE, REST_ALLOWED, "Remaining: 2\r\n"},
      {"no customer", "", REST_COSTS_READ, REST_ALLOWED, "Remaining: 0\r\n"},
      {"the address has read enough", "a", REST_COSTS_READ, REST_BLOCKED_IP, "Limit: 2\r\n"},
      {"it may do other things", "", REST_COSTS_OTHER, REST_ALLOWED, NULL},
  };
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    rest_verdict got = pay(f, f->from, steps[i].customer, steps[i].cost);
    if (got != steps[i].want) fail_msg("%s: %d", steps[i].name, (int)got);
    if (steps[i].line ? !lines_have(f, steps[i].line) : f->lines.len > 0)
      fail_msg("%s: %.*s", steps[i].name, (int)f->lines.len, f->lines.ptr);
    if (lines_have(f, "Retry-After: ") != (got != REST_ALLOWED)) fail_msg("%s", steps[i].name);
    if ((f->retry_s >= 1) != (got != REST_ALLOWED)) fail_msg("%s: retry", steps[i].name);
  }
  assert_int_equal(f->counters.rate_blocked_ip, 1);
  assert_int_equal(f->counters.rate_blocked_ip_reads, 1);
}

static void a_customer_over_its_limit_costs_the_address_nothing(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 3; i++)
    assert_int_equal(pay(f, NULL, "a", REST_COSTS_PRESENCE), REST_ALLOWED);
  for (int i = 0; i < 5; i++)
    assert_int_equal(pay(f, f->from, "a", REST_COSTS_PRESENCE), REST_BLOCKED_CUSTOMER);
  assert_int_equal(f->retry_s, 60);
  assert_true(lines_have(f, "X-RateLimit-Limit: 3\r\nX-RateLimit-Remaining: 0\r\n"
                            "X-RateLimit-Reset: 1970-01-01T00:01:01Z\r\nRetry-After: 60\r\n"));
  assert_int_equal(address_peek(f->from, ADDRESS_PRESENCE, now_ms).remaining, 2);
  assert_int_equal(f->counters.rate_blocked_customer, 5);
  assert_int_equal(pay(f, f->from, "a", REST_COSTS_READ), REST_ALLOWED);
  now_ms += 60000;
  assert_int_equal(pay(f, f->from, "a", REST_COSTS_PRESENCE), REST_ALLOWED);
}

static uint32_t pay_all(fixture *f, const char *customer, rest_cost cost) {
  uint32_t paid = 0;
  while (paid < 100 && pay(f, NULL, customer, cost) == REST_ALLOWED) paid++;
  return paid;
}

static void customers_with_limits_of_their_own(void **state) {
  fixture *f = *state;
  assert_int_equal(pay_all(f, "large", REST_COSTS_PRESENCE), 4);
  assert_int_equal(pay_all(f, "large", REST_COSTS_READ), 4);
  assert_int_equal(f->counters.rate_blocked_customer_reads, 1);
  assert_int_equal(pay_all(f, "free", REST_COSTS_PRESENCE), 100);
  assert_int_equal(f->lines.len, 0);
  assert_int_equal(pay_all(f, "a", REST_COSTS_PRESENCE), 3);
  au_config config = config_of_limits();
  config.customers_count = 0;
  customer_limits *none;
  assert_int_equal(customer_limits_create(&config, &none), AU_OK);
  rest_limits_set(f->limits, none, 5);
  assert_int_equal(pay_all(f, "large", REST_COSTS_PRESENCE), 1);
  assert_int_equal(pay_all(f, "free", REST_COSTS_PRESENCE), 5); /* nothing was kept of it */
}

static void other_requests(void **state) {
  fixture *f = *state;
  for (int i = 0; i < ADDRESSES_OTHER_PER_MIN; i++)
    assert_int_equal(pay(f, f->from, "", REST_COSTS_OTHER), REST_ALLOWED);
  assert_int_equal(pay(f, f->from, "", REST_COSTS_OTHER), REST_BLOCKED_IP);
  assert_true(lines_have(f, "X-RateLimit-Limit: 6000\r\n"));
  assert_int_equal(f->counters.rate_blocked_other, 1);
  assert_int_equal(pay(f, f->from, "a", REST_COSTS_PRESENCE), REST_ALLOWED);
}

static void which_bodies_are_large(void **state) {
  (void)state;
  static const struct {
    const char *length;
    bool want;
  } cases[] = {
      {NULL, true},    {"", true},     {"0", false}, {"1", false},
      {"1024", false}, {"1025", true}, {"+1", true}, {"0001024", false},
      {"16384", true}, {"1e3", true},  {" 1", true}, {"99999999999999999999", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    au_slice length = cases[i].length ? slice_of(cases[i].length) : (au_slice){NULL, 0};
    if (rest_limits_is_large(length) != cases[i].want) fail_msg("%zu", i);
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(who_pays),
      CASE(a_customer_over_its_limit_costs_the_address_nothing),
      CASE(customers_with_limits_of_their_own),
      CASE(other_requests),
      cmocka_unit_test(which_bodies_are_large),
  };
  return cmocka_run_group_tests_name("rest_limits", tests, NULL, NULL);
}

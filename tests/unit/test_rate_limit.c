/* Tests of rate limits on a clock of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/buffer.h"
#include "utils/limits/rate_limit.h"

#include <stdio.h>
#include <string.h>

enum { WINDOW_MS = RATE_WINDOW_MS };

static rate_limit *new_limit(size_t max_keys) {
  rate_limit *r = NULL;
  assert_int_equal(rate_limit_create((map_seed){1, 2}, max_keys, &r), AU_OK);
  return r;
}

static void expect_state(const char *name, rate_state got, rate_state want) {
  if (got.allowed != want.allowed || got.limit != want.limit || got.remaining != want.remaining ||
      got.reset_in_ms != want.reset_in_ms)
    fail_msg("%s: allowed %d, limit %u, remaining %u, reset in %lld", name, got.allowed, got.limit,
             got.remaining, (long long)got.reset_in_ms);
}

/* A limit of 2, one step after the other. */
static void each_key_has_its_minute(void **state) {
  (void)state;
  static const struct {
    const char *name;
    bool take;
    const char *key;
    int64_t now_ms;
    rate_state want;
  } steps[] = {
      {"nothing is open", false, "a", 500, {true, 2, 2, 60000}},
      {"the first opens it", true, "a", 1000, {true, 2, 1, 60000}},
      {"a look takes nothing", false, "a", 2000, {true, 2, 1, 59000}},
      {"the second", true, "a", 3000, {true, 2, 0, 58000}},
      {"blocked to a look", false, "a", 4000, {false, 2, 0, 57000}},
      {"blocked", true, "a", 5000, {false, 2, 0, 56000}},
      {"another key has its own", true, "b", 5000, {true, 2, 1, 60000}},
      {"blocked to the last millisecond", true, "a", 60999, {false, 2, 0, 1}},
      {"over for a look", false, "a", 61000, {true, 2, 2, 60000}},
      {"a new window", true, "a", 61000, {true, 2, 1, 60000}},
      {"which does not prolong the other key's", false, "b", 64999, {true, 2, 1, 1}},
      {"the other key's is over too", true, "b", 65000, {true, 2, 1, 60000}},
  };
  rate_limit *r = new_limit(100);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    au_slice key = slice_of(steps[i].key);
    rate_state got = steps[i].take ? rate_limit_take(r, key, 2, steps[i].now_ms)
                                   : rate_limit_peek(r, key, 2, steps[i].now_ms);
    expect_state(steps[i].name, got, steps[i].want);
  }
  rate_limit_free(r);
}

static void a_look_creates_nothing(void **state) {
  (void)state;
  rate_limit *r = new_limit(100);
  rate_limit_peek(r, slice_of("a"), 2, 0);
  assert_int_equal(rate_limit_keys(r), 0);
  rate_limit_take(r, slice_of("a"), 2, 0);
  assert_int_equal(rate_limit_keys(r), 1);
  rate_limit_peek(r, slice_of("b"), 2, WINDOW_MS);
  assert_int_equal(rate_limit_keys(r), 0);
  rate_limit_free(r);
}

static void zero_allows_everything_and_keeps_nothing(void **state) {
  (void)state;
  rate_limit *r = new_limit(100);
  for (int i = 0; i < 1000; i++) {
    assert_true(rate_limit_peek(r, slice_of("a"), 0, i).allowed);
    assert_true(rate_limit_take(r, slice_of("a"), 0, i).allowed);
  }
  assert_int_equal(rate_limit_keys(r), 0);
  rate_limit_free(r);
}

static void a_limit_may_change_from_call_to_call(void **state) {
  (void)state;
  rate_limit *r = new_limit(100);
  au_slice a = slice_of("a");
  for (int i = 0; i < 4; i++) rate_limit_take(r, a, 10, 0);
  expect_state("lowered under what was used", rate_limit_take(r, a, 3, 10),
               (rate_state){false, 3, 0, WINDOW_MS - 10});
  expect_state("raised", rate_limit_take(r, a, 6, 20), (rate_state){true, 6, 1, WINDOW_MS - 20});
  expect_state("off", rate_limit_take(r, a, 0, 25), (rate_state){true, 0, 0, WINDOW_MS});
  expect_state("back on", rate_limit_take(r, a, 6, 30), (rate_state){true, 6, 0, WINDOW_MS - 30});
  rate_limit_take(r, a, 0, WINDOW_MS + 30);
  assert_int_equal(rate_limit_keys(r), 0);
  rate_limit_free(r);
}

static void a_full_table_gives_up_the_oldest_window(void **state) {
  (void)state;
  rate_limit *r = new_limit(3);
  rate_limit_take(r, slice_of("a"), 1, 1);
  rate_limit_take(r, slice_of("b"), 1, 2);
  rate_limit_take(r, slice_of("c"), 1, 3);
  assert_true(rate_limit_take(r, slice_of("d"), 1, 4).allowed);
  assert_int_equal(rate_limit_keys(r), 3);
  assert_true(rate_limit_peek(r, slice_of("a"), 1, 5).allowed);
  assert_false(rate_limit_peek(r, slice_of("b"), 1, 5).allowed);
  assert_false(rate_limit_peek(r, slice_of("d"), 1, 5).allowed);
  rate_limit_free(r);
}

static void keys_are_bytes_and_are_cut(void **state) {
  (void)state;
  rate_limit *r = new_limit(100);
  assert_true(rate_limit_take(r, (au_slice){"a\0b", 3}, 1, 0).allowed);
  assert_true(rate_limit_take(r, (au_slice){"a\0c", 3}, 1, 0).allowed);
  assert_true(rate_limit_take(r, (au_slice){"a", 1}, 1, 0).allowed);
  assert_true(rate_limit_take(r, (au_slice){0}, 1, 0).allowed);
  assert_false(rate_limit_take(r, (au_slice){0}, 1, 0).allowed);
  char key[RATE_LIMIT_KEY_MAX + 10];
  memset(key, 'k', sizeof key);
  assert_true(rate_limit_take(r, (au_slice){key, RATE_LIMIT_KEY_MAX}, 1, 0).allowed);
  assert_false(rate_limit_take(r, (au_slice){key, sizeof key}, 1, 0).allowed);
  assert_true(rate_limit_take(r, (au_slice){key, RATE_LIMIT_KEY_MAX - 1}, 1, 0).allowed);
  rate_limit_free(r);
}

/* Far more windows end at once than one call takes out: none of them may count,
 * and calls with other keys clear them away. */
static void many_windows_end_at_once(void **state) {
  (void)state;
  enum { KEYS = 20000 };
  rate_limit *r = new_limit(KEYS);
  char key[16];
  for (int i = 0; i < KEYS; i++) {
    int len = snprintf(key, sizeof key, "k%d", i);
    assert_true(rate_limit_take(r, (au_slice){key, (size_t)len}, 1, 0).allowed);
  }
  assert_int_equal(rate_limit_keys(r), KEYS);
  snprintf(key, sizeof key, "k%d", KEYS - 1);
  assert_true(rate_limit_take(r, slice_of(key), 1, WINDOW_MS).allowed);
  assert_false(rate_limit_take(r, slice_of(key), 1, WINDOW_MS).allowed);
  for (int i = 0; i < KEYS / 10; i++) rate_limit_peek(r, slice_of("x"), 1, WINDOW_MS);
  assert_int_equal(rate_limit_keys(r), 1);
  rate_limit_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_key_has_its_minute),
      cmocka_unit_test(a_look_creates_nothing),
      cmocka_unit_test(zero_allows_everything_and_keeps_nothing),
      cmocka_unit_test(a_limit_may_change_from_call_to_call),
      cmocka_unit_test(a_full_table_gives_up_the_oldest_window),
      cmocka_unit_test(keys_are_bytes_and_are_cut),
      cmocka_unit_test(many_windows_end_at_once),
  };
  return cmocka_run_group_tests_name("rate_limit", tests, NULL, NULL);
}

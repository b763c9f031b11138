/* Tests of what Redis last said of customers: kept, renewed, bounded, dropped when too old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/redis_known.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <string.h>

enum { LIFETIME_MS = 100, MAX = 200 };

static int setup(void **state) {
  redis_known *k = NULL;
  assert_int_equal(redis_known_create((map_seed){1, 2}, MAX, LIFETIME_MS, &k), AU_OK);
  *state = k;
  return 0;
}

static int teardown(void **state) {
  redis_known_free(*state);
  return 0;
}

static void set(redis_known *k, const char *id, uint32_t others, int64_t now_ms) {
  redis_known_set(k, slice_of(id), &(redis_fact){.others = others}, now_ms);
}

/* -1 when nothing is known. */
static int others(const redis_known *k, const char *id) {
  redis_fact fact;
  return redis_known_get(k, slice_of(id), &fact) ? (int)fact.others : -1;
}

static bool keep_none(void *arg, au_slice id) {
  (void)id;
  ++*(int *)arg;
  return false;
}

static bool keep_a(void *arg, au_slice id) {
  ++*(int *)arg;
  return slice_eq(id, slice_of("a"));
}

static void nothing_is_known_at_first(void **state) {
  redis_known *k = *state;
  redis_fact fact = {.others = 7, .has_ema = true, .ema = 1, .ticked_ms = 2};
  assert_false(redis_known_get(k, slice_of("a"), &fact));
  assert_int_equal(fact.others, 0);
  assert_false(fact.has_ema);
  assert_true(fact.ema == 0 && fact.ticked_ms == 0);
  redis_known_forget(k, slice_of("a"));
  redis_known_expire(k, 1000000, keep_none, &(int){0});
}

static void the_last_word_is_kept(void **state) {
  redis_known *k = *state;
  const redis_fact said = {.others = 3, .has_ema = true, .ema = 12.345678901, .ticked_ms = 99};
  set(k, "a", 1, 0);
  redis_known_set(k, slice_of("a"), &said, 1);
  set(k, "b", 5, 1);
  redis_fact fact;
  assert_true(redis_known_get(k, slice_of("a"), &fact));
  assert_int_equal(fact.others, 3);
  assert_true(fact.has_ema && fact.ema == 12.345678901 && fact.ticked_ms == 99);
  assert_int_equal(others(k, "b"), 5);
  redis_known_forget(k, slice_of("a"));
  assert_int_equal(others(k, "a"), -1);
  assert_int_equal(others(k, "b"), 5);
}

static void the_longest_id_is_known(void **state) {
  redis_known *k = *state;
  char id[AU_ID_MAX + 1];
  memset(id, 'x', AU_ID_MAX);
  id[AU_ID_MAX] = '\0';
  set(k, id, 4, 0);
  assert_int_equal(others(k, id), 4);
  id[AU_ID_MAX - 1] = 'y';
  assert_int_equal(others(k, id), -1);
}

static void more_than_the_most_are_not_known(void **state) {
  redis_known *k = *state;
  char id[16];
  for (int i = 0; i <= MAX; i++) {
    snprintf(id, sizeof id, "c%d", i);
    set(k, id, 1, 0);
  }
  assert_int_equal(others(k, id), -1);
  set(k, "c0", 2, 0); /* a known one is renewed all the same */
  assert_int_equal(others(k, "c0"), 2);
  redis_known_forget(k, slice_of("c1"));
  set(k, id, 3, 0);
  assert_int_equal(others(k, id), 3);
}

static void what_is_too_old_goes(void **state) {
  redis_known *k = *state;
  int asked = 0;
  set(k, "a", 1, 0);
  set(k, "b", 2, 10);
  set(k, "a", 3, 20); /* news */
  redis_known_expire(k, 109, keep_none, &asked);
  assert_int_equal(asked, 0);
  redis_known_expire(k, 110, keep_none, &asked);
  assert_int_equal(asked, 1);
  assert_int_equal(others(k, "b"), -1);
  assert_int_equal(others(k, "a"), 3);
}

static void what_is_still_wanted_stays(void **state) {
  redis_known *k = *state;
  int asked = 0;
  set(k, "a", 1, 0);
  set(k, "b", 2, 0);
  redis_known_expire(k, 100, keep_a, &asked);
  assert_int_equal(asked, 2);
  assert_int_equal(others(k, "a"), 1);
  assert_int_equal(others(k, "b"), -1);
  redis_known_expire(k, 199, keep_none, &asked); /* for another lifetime */
  assert_int_equal(asked, 2);
  redis_known_expire(k, 200, keep_none, &asked);
  assert_int_equal(others(k, "a"), -1);
}

static void one_look_is_short(void **state) {
  redis_known *k = *state;
  char id[16];
  int asked = 0;
  for (int i = 0; i < MAX; i++) {
    snprintf(id, sizeof id, "c%d", i);
    set(k, id, 1, 0);
  }
  redis_known_expire(k, 1000, keep_none, &asked);
  assert_int_equal(asked, REDIS_KNOWN_SLICE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(nothing_is_known_at_first), CASE(the_last_word_is_kept),
      CASE(the_longest_id_is_known),   CASE(more_than_the_most_are_not_known),
      CASE(what_is_too_old_goes),      CASE(what_is_still_wanted_stays),
      CASE(one_look_is_short),
  };
  return cmocka_run_group_tests_name("redis_known", tests, NULL, NULL);
}

/* Tests of the acts that Redis is to be told: one a session, oldest first, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/redis_acts.h"
#include "utils/buffer.h"

#include <string.h>

enum { LIFETIME_MS = 1000, MAX = 3 };

#define LEAVE   REDIS_ACT_LEAVE
#define SHORTEN REDIS_ACT_SHORTEN

static int setup(void **state) {
  redis_acts *a = NULL;
  assert_int_equal(redis_acts_create((map_seed){1, 2}, MAX, LIFETIME_MS, &a), AU_OK);
  *state = a;
  return 0;
}

static int teardown(void **state) {
  redis_acts_free(*state);
  return 0;
}

static au_beat beat_of(const char *session, const char *tab) {
  return (au_beat){
      .customer_id = slice_of("shop"), .session_id = slice_of(session), .tab_id = slice_of(tab)};
}

/* At `number` milliseconds. */
static au_status add(redis_acts *a, redis_act_kind kind, const char *session, const char *tab,
                     uint64_t number) {
  return redis_acts_add(a, &(redis_act){.kind = kind,
                                        .at = {(int64_t)number, number},
                                        .held_ms = (int64_t)number - 1,
                                        .who = beat_of(session, tab)});
}

static void expect_next(redis_acts *a, int64_t now_ms, redis_act_kind kind, const char *session,
                        const char *tab, uint64_t number) {
  redis_act out;
  assert_true(redis_acts_take(a, now_ms, &out));
  assert_int_equal(out.kind, kind);
  assert_int_equal(out.at.number, number);
  assert_true(slice_eq(out.who.customer_id, slice_of("shop")));
  assert_true(slice_eq(out.who.session_id, slice_of(session)));
  assert_true(slice_eq(out.who.tab_id, slice_of(tab)));
}

static void expect_end(redis_acts *a, int64_t now_ms) {
  redis_act out;
  assert_false(redis_acts_take(a, now_ms, &out));
  assert_int_equal(redis_acts_count(a), 0);
}

static void oldest_first(void **state) {
  redis_acts *a = *state;
  assert_int_equal(add(a, LEAVE, "b", "t1", 1), AU_OK);
  assert_int_equal(add(a, SHORTEN, "a", "t2", 2), AU_OK);
  assert_int_equal(redis_acts_count(a), 2);
  expect_next(a, 3, LEAVE, "b", "t1", 1);
  expect_next(a, 3, SHORTEN, "a", "t2", 2);
  expect_end(a, 3);
}

static void one_of_a_session(void **state) {
  static const struct {
    const char *name;
    redis_act_kind first, second;
    const char *first_tab, *second_tab;
    uint64_t first_at, second_at;
    int stays; /* the first or the second */
  } cases[] = {
      {"shortened by two tabs: the second", SHORTEN, SHORTEN, "t1", "t2", 1, 2, 2},
      {"shortened, then left", SHORTEN, LEAVE, "t1", "t1", 1, 2, 2},
      {"shortened, then left by another tab", SHORTEN, LEAVE, "t1", "t2", 1, 2, 2},
      {"left, then shortened", LEAVE, SHORTEN, "t1", "t1", 1, 2, 1},
      {"left, then left by another tab", LEAVE, LEAVE, "t1", "t2", 1, 2, 1},
      {"left twice", LEAVE, LEAVE, "t1", "t1", 1, 2, 2},
      {"an older one that could not be sent comes back", LEAVE, LEAVE, "t1", "t1", 2, 1, 1},
      {"an older shortening comes back", SHORTEN, SHORTEN, "t1", "t1", 2, 1, 1},
  };
  redis_acts *a = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    print_message("%s\n", cases[i].name);
    assert_int_equal(add(a, cases[i].first, "s", cases[i].first_tab, cases[i].first_at), AU_OK);
    assert_int_equal(add(a, cases[i].second, "s", cases[i].second_tab, cases[i].second_at), AU_OK);
    if (cases[i].stays == 1)
      expect_next(a, 3, cases[i].first, "s", cases[i].first_tab, cases[i].first_at);
    else
      expect_next(a, 3, cases[i].second, "s", cases[i].second_tab, cases[i].second_at);
    expect_end(a, 3);
  }
}

static void what_lives_again_is_not_ended(void **state) {
  redis_acts *a = *state;
  redis_acts_remove(a, slice_of("shop"), slice_of("s"));
  assert_int_equal(add(a, LEAVE, "s", "t1", 1), AU_OK);
  assert_int_equal(add(a, LEAVE, "other", "t1", 2), AU_OK);
  redis_acts_remove(a, slice_of("shops"), slice_of("s")); /* another customer */
  redis_acts_remove(a, slice_of("shop"), slice_of("s"));
  expect_next(a, 3, LEAVE, "other", "t1", 2);
  expect_end(a, 3);
}

static void too_many_are_refused(void **state) {
  redis_acts *a = *state;
  assert_int_equal(add(a, SHORTEN, "a", "t", 1), AU_OK);
  assert_int_equal(add(a, LEAVE, "b", "t", 2), AU_OK);
  assert_int_equal(add(a, LEAVE, "c", "t", 3), AU_OK);
  assert_int_equal(add(a, LEAVE, "d", "t", 4), AU_EBUSY);
  assert_int_equal(add(a, LEAVE, "a", "t", 5), AU_OK); /* in the place of another */
  expect_next(a, 6, LEAVE, "b", "t", 2);
  assert_int_equal(add(a, LEAVE, "d", "t", 6), AU_OK);
  assert_int_equal(redis_acts_count(a), MAX);
}

static void what_is_too_old_is_left_out(void **state) {
  redis_acts *a = *state;
  assert_int_equal(add(a, LEAVE, "a", "t", 1), AU_OK);
  assert_int_equal(add(a, LEAVE, "b", "t", 2), AU_OK);
  expect_next(a, LIFETIME_MS + 1, LEAVE, "b", "t", 2);
  assert_int_equal(add(a, LEAVE, "c", "t", 3), AU_OK);
  expect_end(a, LIFETIME_MS + 3);
}

static void found_by_its_tab_and_time(void **state) {
  redis_acts *a = *state;
  redis_act_kind kind = LEAVE;
  au_beat mine = beat_of("s", "t1"), others = beat_of("s", "t2"), unknown = beat_of("x", "t1");
  assert_false(redis_acts_find(a, &mine, (redis_moment){0}, &kind));
  assert_int_equal(add(a, SHORTEN, "s", "t1", 5), AU_OK);
  assert_true(redis_acts_find(a, &mine, (redis_moment){5, 4}, &kind));
  assert_int_equal(kind, SHORTEN);
  assert_false(redis_acts_find(a, &mine, (redis_moment){5, 5}, &kind));
  assert_false(redis_acts_find(a, &mine, (redis_moment){5, 6}, &kind));
  assert_false(redis_acts_find(a, &others, (redis_moment){0}, &kind));
  assert_false(redis_acts_find(a, &unknown, (redis_moment){0}, &kind));
  assert_int_equal(redis_acts_count(a), 1);
}

static void the_longest_ids_fit(void **state) {
  redis_acts *a = *state;
  char text[AU_ID_MAX];
  memset(text, 'x', sizeof text);
  au_slice id = {text, sizeof text};
  const redis_act leave = {
      .kind = LEAVE, .at = {1, 1}, .who = {.customer_id = id, .session_id = id, .tab_id = id}};
  assert_int_equal(redis_acts_add(a, &leave), AU_OK);
  redis_act out;
  assert_true(redis_acts_take(a, 2, &out));
  assert_int_equal(out.held_ms, 0);
  assert_true(slice_eq(out.who.customer_id, id) && slice_eq(out.who.session_id, id) &&
              slice_eq(out.who.tab_id, id));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(oldest_first),
      CASE(one_of_a_session),
      CASE(what_lives_again_is_not_ended),
      CASE(too_many_are_refused),
      CASE(what_is_too_old_is_left_out),
      CASE(found_by_its_tab_and_time),
      CASE(the_longest_ids_fit),
  };
  return cmocka_run_group_tests_name("redis_acts", tests, NULL, NULL);
}

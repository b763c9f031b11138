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

/* The ids that a walk meets, one letter each; `between` runs after the first. */
static const char *walk(redis_known *k, void (*between)(redis_known *k)) {
  static char met[MAX];
  redis_known_walk w;
  redis_fact fact;
  au_slice id;
  size_t n = 0;
  redis_known_walk_begin(k, &w);
  while (redis_known_walk_next(k, &w, &id, &fact)) {
    met[n++] = id.ptr[0];
    if (n == 1 && between) between(k);
  }
  assert_false(redis_known_walk_next(k, &w, &id, &fact));
  redis_known_walk_end(k, &w);
  met[n] = '\0';
  return met;
}

static void forget_b(redis_known *k) {
  redis_known_forget(k, slice_of("b"));
}

static void renew_b(redis_known *k) {
  set(k, "b", 1, 50);
}

static void forget_all(redis_known *k) {
  redis_known_expire(k, 1000, keep_none, &(int){0});
}

static void keep_all(redis_known *k) {
  redis_known_expire(k, 1000, keep_a, &(int){0});
}

static void a_new_one(redis_known *k) {
  set(k, "d", 1, 50);
}

static const char *walk_of_three(redis_known *k, void (*between)(redis_known *k)) {
  set(k, "a", 1, 1);
  set(k, "b", 1, 2);
  set(k, "c", 1, 3);
  return walk(k, between);
}

static void walks(void **state) {
  static const struct {
    const char *name;
    void (*between)(redis_known *k);
    const char *met;
  } cases[] = {
      {"nothing changes", NULL, "abc"},
      {"the next one goes", forget_b, "ac"},
      {"the next one is renewed", renew_b, "acb"},
      {"all go", forget_all, "a"},
      {"all go but the first", keep_all, "aa"},
      {"one comes, which is not waited for", a_new_one, "abc"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    redis_known *k = NULL;
    assert_int_equal(redis_known_create((map_seed){1, 2}, MAX, LIFETIME_MS, &k), AU_OK);
    if (strcmp(walk_of_three(k, cases[i].between), cases[i].met) != 0)
      fail_msg("%s", cases[i].name);
    redis_known_free(k);
  }
}

static void a_walk_over_nothing(void **state) {
  redis_known_walk none = {0};
  assert_string_equal(walk(*state, NULL), "");
  redis_known_walk_end(*state, &none);
}

/* Each sees all of it. */
static void two_walks_at_once(void **state) {
  redis_known *k = *state;
  redis_known_walk one, two;
  redis_fact fact;
  au_slice id;
  (void)walk_of_three(k, NULL);
  redis_known_walk_begin(k, &one);
  redis_known_walk_begin(k, &two);
  assert_true(redis_known_walk_next(k, &one, &id, &fact) && id.ptr[0] == 'a');
  assert_true(redis_known_walk_next(k, &two, &id, &fact) && id.ptr[0] == 'a');
  forget_b(k);
  assert_true(redis_known_walk_next(k, &two, &id, &fact) && id.ptr[0] == 'c');
  redis_known_walk_end(k, &one);
  redis_known_forget(k, slice_of("c"));
  assert_false(redis_known_walk_next(k, &two, &id, &fact));
  redis_known_walk_end(k, &two);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(nothing_is_known_at_first), CASE(the_last_word_is_kept),
      CASE(the_longest_id_is_known),   CASE(more_than_the_most_are_not_known),
      CASE(what_is_too_old_goes),      CASE(what_is_still_wanted_stays),
      CASE(one_look_is_short),         CASE(walks),
      CASE(a_walk_over_nothing),       CASE(two_walks_at_once),
  };
  return cmocka_run_group_tests_name("redis_known", tests, NULL, NULL);
}

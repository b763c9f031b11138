/* Tests of what Redis last said of customers: kept, renewed, bounded, dropped when too old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/fallback/peer_counts.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <string.h>

enum { LIFETIME_MS = 100, MAX = 200 };

static int setup(void **state) {
  peer_counts *k = NULL;
  assert_int_equal(peer_counts_create((map_seed){1, 2}, MAX, LIFETIME_MS, &k), AU_OK);
  *state = k;
  return 0;
}

static int teardown(void **state) {
  peer_counts_free(*state);
  return 0;
}

static void set(peer_counts *k, const char *id, uint32_t others, int64_t now_ms) {
  peer_counts_learn(k, slice_of(id), &(peer_count){.others = others}, now_ms);
}

/* -1 when nothing is known. */
static int others(const peer_counts *k, const char *id) {
  peer_count fact;
  return peer_counts_get(k, slice_of(id), &fact) ? (int)fact.others : -1;
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
  peer_counts *k = *state;
  peer_count fact = {.others = 7, .has_ema = true, .ema = 1, .ticked_ms = 2};
  assert_false(peer_counts_get(k, slice_of("a"), &fact));
  assert_int_equal(fact.others, 0);
  assert_false(fact.has_ema);
  assert_true(fact.ema == 0 && fact.ticked_ms == 0);
  peer_counts_drop(k, slice_of("a"));
  peer_counts_expire(k, 1000000, keep_none, &(int){0});
}

static void the_last_word_is_kept(void **state) {
  peer_counts *k = *state;
  const peer_count said = {.others = 3, .has_ema = true, .ema = 12.345678901, .ticked_ms = 99};
  set(k, "a", 1, 0);
  peer_counts_learn(k, slice_of("a"), &said, 1);
  set(k, "b", 5, 1);
  peer_count fact;
  assert_true(peer_counts_get(k, slice_of("a"), &fact));
  assert_int_equal(fact.others, 3);
  assert_true(fact.has_ema && fact.ema == 12.345678901 && fact.ticked_ms == 99);
  assert_int_equal(others(k, "b"), 5);
  peer_counts_drop(k, slice_of("a"));
  assert_int_equal(others(k, "a"), -1);
  assert_int_equal(others(k, "b"), 5);
}

static void the_longest_id_is_known(void **state) {
  peer_counts *k = *state;
  char id[AU_ID_MAX + 1];
  memset(id, 'x', AU_ID_MAX);
  id[AU_ID_MAX] = '\0';
  set(k, id, 4, 0);
  assert_int_equal(others(k, id), 4);
  id[AU_ID_MAX - 1] = 'y';
  assert_int_equal(others(k, id), -1);
}

static void more_than_the_most_are_not_known(void **state) {
  peer_counts *k = *state;
  char id[16];
  for (int i = 0; i <= MAX; i++) {
    snprintf(id, sizeof id, "c%d", i);
    set(k, id, 1, 0);
  }
  assert_int_equal(others(k, id), -1);
  set(k, "c0", 2, 0); /* a known one is renewed all the same */
  assert_int_equal(others(k, "c0"), 2);
  peer_counts_drop(k, slice_of("c1"));
  set(k, id, 3, 0);
  assert_int_equal(others(k, id), 3);
}

static void set_empty(peer_counts *k, const char *id, int64_t now_ms) {
  peer_counts_learn(k, slice_of(id), &(peer_count){.is_empty = true, .has_ema = true}, now_ms);
}

/* News of it changes nothing of since when it is empty; somebody who came does. */
static void the_idlest_makes_room_for_a_new_one(void **state) {
  peer_counts *k = *state;
  char id[16];
  set_empty(k, "first", 0);
  set_empty(k, "second", 1);
  set_empty(k, "third", 2);
  for (int i = 3; i < MAX; i++) {
    snprintf(id, sizeof id, "c%d", i);
    set(k, id, 1, 2);
  }
  set_empty(k, "first", 3);
  set(k, "second", 1, 3);
  peer_counts_walk walks;
  peer_counts_walk_begin(k, &walks); /* what goes is not met */
  set(k, "new", 1, 4);
  assert_int_equal(others(k, "first"), -1);
  assert_int_equal(others(k, "new"), 1);
  set(k, "newer", 2, 4);
  assert_int_equal(others(k, "third"), -1);
  assert_int_equal(others(k, "newer"), 2);
  set(k, "one too many", 2, 4);
  assert_int_equal(others(k, "one too many"), -1);
  assert_int_equal(others(k, "second"), 1);
  au_slice met;
  peer_count fact;
  while (peer_counts_walk_next(k, &walks, &met, &fact)) assert_false(fact.is_empty);
  peer_counts_walk_end(k, &walks);
  set_empty(k, "second", 5);
  peer_counts_drop(k, slice_of("second"));
  set(k, "the last", 3, 6);
  assert_int_equal(others(k, "the last"), 3);
}

static void what_is_too_old_goes(void **state) {
  peer_counts *k = *state;
  int asked = 0;
  set(k, "a", 1, 0);
  set(k, "b", 2, 10);
  set(k, "a", 3, 20); /* news */
  peer_counts_expire(k, 109, keep_none, &asked);
  assert_int_equal(asked, 0);
  peer_counts_expire(k, 110, keep_none, &asked);
  assert_int_equal(asked, 1);
  assert_int_equal(others(k, "b"), -1);
  assert_int_equal(others(k, "a"), 3);
}

static void what_is_still_wanted_stays(void **state) {
  peer_counts *k = *state;
  int asked = 0;
  set(k, "a", 1, 0);
  set(k, "b", 2, 0);
  peer_counts_expire(k, 100, keep_a, &asked);
  assert_int_equal(asked, 2);
  assert_int_equal(others(k, "a"), 1);
  assert_int_equal(others(k, "b"), -1);
  peer_counts_expire(k, 199, keep_none, &asked); /* for another lifetime */
  assert_int_equal(asked, 2);
  peer_counts_expire(k, 200, keep_none, &asked);
  assert_int_equal(others(k, "a"), -1);
}

static void one_look_is_short(void **state) {
  peer_counts *k = *state;
  char id[16];
  int asked = 0;
  for (int i = 0; i < MAX; i++) {
    snprintf(id, sizeof id, "c%d", i);
    set(k, id, 1, 0);
  }
  peer_counts_expire(k, 1000, keep_none, &asked);
  assert_int_equal(asked, PEER_COUNTS_SLICE);
}

/* The ids that a walk meets, one letter each; `between` runs after the first. */
static const char *walk(peer_counts *k, void (*between)(peer_counts *k)) {
  static char met[MAX];
  peer_counts_walk w;
  peer_count fact;
  au_slice id;
  size_t n = 0;
  peer_counts_walk_begin(k, &w);
  while (peer_counts_walk_next(k, &w, &id, &fact)) {
    met[n++] = id.ptr[0];
    if (n == 1 && between) between(k);
  }
  assert_false(peer_counts_walk_next(k, &w, &id, &fact));
  peer_counts_walk_end(k, &w);
  met[n] = '\0';
  return met;
}

static void forget_b(peer_counts *k) {
  peer_counts_drop(k, slice_of("b"));
}

static void renew_b(peer_counts *k) {
  set(k, "b", 1, 50);
}

static void forget_all(peer_counts *k) {
  peer_counts_expire(k, 1000, keep_none, &(int){0});
}

static void keep_all(peer_counts *k) {
  peer_counts_expire(k, 1000, keep_a, &(int){0});
}

static void a_new_one(peer_counts *k) {
  set(k, "d", 1, 50);
}

static const char *walk_of_three(peer_counts *k, void (*between)(peer_counts *k)) {
  set(k, "a", 1, 1);
  set(k, "b", 1, 2);
  set(k, "c", 1, 3);
  return walk(k, between);
}

static void walks(void **state) {
  static const struct {
    const char *name;
    void (*between)(peer_counts *k);
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
    peer_counts *k = NULL;
    assert_int_equal(peer_counts_create((map_seed){1, 2}, MAX, LIFETIME_MS, &k), AU_OK);
    if (strcmp(walk_of_three(k, cases[i].between), cases[i].met) != 0)
      fail_msg("%s", cases[i].name);
    peer_counts_free(k);
  }
}

static void a_walk_over_nothing(void **state) {
  peer_counts_walk none = {0};
  assert_string_equal(walk(*state, NULL), "");
  peer_counts_walk_end(*state, &none);
}

/* Each sees all of it. */
static void two_walks_at_once(void **state) {
  peer_counts *k = *state;
  peer_counts_walk one, two;
  peer_count fact;
  au_slice id;
  (void)walk_of_three(k, NULL);
  peer_counts_walk_begin(k, &one);
  peer_counts_walk_begin(k, &two);
  assert_true(peer_counts_walk_next(k, &one, &id, &fact) && id.ptr[0] == 'a');
  assert_true(peer_counts_walk_next(k, &two, &id, &fact) && id.ptr[0] == 'a');
  forget_b(k);
  assert_true(peer_counts_walk_next(k, &two, &id, &fact) && id.ptr[0] == 'c');
  peer_counts_walk_end(k, &one);
  peer_counts_drop(k, slice_of("c"));
  assert_false(peer_counts_walk_next(k, &two, &id, &fact));
  peer_counts_walk_end(k, &two);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(nothing_is_known_at_first),
      CASE(the_last_word_is_kept),
      CASE(the_longest_id_is_known),
      CASE(more_than_the_most_are_not_known),
      CASE(the_idlest_makes_room_for_a_new_one),
      CASE(what_is_too_old_goes),
      CASE(what_is_still_wanted_stays),
      CASE(one_look_is_short),
      CASE(walks),
      CASE(a_walk_over_nothing),
      CASE(two_walks_at_once),
  };
  return cmocka_run_group_tests_name("peer_counts", tests, NULL, NULL);
}

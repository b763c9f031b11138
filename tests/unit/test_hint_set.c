/* Tests of hints: one for each session, in order, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/fallback/hint_set.h"
#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { LIFETIME_MS = 1000, MAX = 3 };

#define LEAVE   HINT_LEAVE
#define SHORTEN HINT_SHORTEN

typedef struct fixture {
  hint_set *set;
  hint_queue queue;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_int_equal(hint_set_create((map_seed){1, 2}, MAX, LIFETIME_MS, &f->set), AU_OK);
  hint_queue_init(&f->queue);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  hint_set_free(f->set);
  free(f);
  return 0;
}

static au_beat beat_of(const char *session, const char *tab) {
  return (au_beat){
      .customer_id = slice_of("shop"), .session_id = slice_of(session), .tab_id = slice_of(tab)};
}

/* At `number` milliseconds. */
static au_status add(fixture *f, hint_kind kind, const char *session, const char *tab,
                     uint64_t number) {
  return hint_set_add(f->set, &f->queue,
                      &(hint){.kind = kind,
                              .at = {(int64_t)number, number},
                              .held_ms = (int64_t)number - 1,
                              .who = beat_of(session, tab)});
}

static void expect_next(fixture *f, int64_t now_ms, hint_kind kind, const char *session,
                        const char *tab, uint64_t number) {
  hint out;
  assert_true(hint_set_take(f->set, &f->queue, now_ms, &out));
  assert_int_equal(out.kind, kind);
  assert_int_equal(out.at.seq, number);
  assert_true(slice_eq(out.who.customer_id, slice_of("shop")));
  assert_true(slice_eq(out.who.session_id, slice_of(session)));
  assert_true(slice_eq(out.who.tab_id, slice_of(tab)));
}

static void expect_end(fixture *f, int64_t now_ms) {
  hint out;
  assert_false(hint_set_take(f->set, &f->queue, now_ms, &out));
  assert_int_equal(hint_set_count(f->set), 0);
}

static void oldest_first(void **state) {
  fixture *f = *state;
  assert_int_equal(add(f, LEAVE, "b", "t1", 1), AU_OK);
  assert_int_equal(add(f, SHORTEN, "a", "t2", 2), AU_OK);
  assert_int_equal(hint_set_count(f->set), 2);
  expect_next(f, 3, LEAVE, "b", "t1", 1);
  expect_next(f, 3, SHORTEN, "a", "t2", 2);
  expect_end(f, 3);
}

static void one_of_a_session(void **state) {
  static const struct {
    const char *name;
    hint_kind first, second;
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
  fixture *f = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    print_message("%s\n", cases[i].name);
    assert_int_equal(add(f, cases[i].first, "s", cases[i].first_tab, cases[i].first_at), AU_OK);
    assert_int_equal(add(f, cases[i].second, "s", cases[i].second_tab, cases[i].second_at), AU_OK);
    if (cases[i].stays == 1)
      expect_next(f, 3, cases[i].first, "s", cases[i].first_tab, cases[i].first_at);
    else
      expect_next(f, 3, cases[i].second, "s", cases[i].second_tab, cases[i].second_at);
    expect_end(f, 3);
  }
}

/* Two tabs of a session are closed at once, and the one that does not hold it is first. */
static void the_leave_of_the_holder_counts(void **state) {
  fixture *f = *state;
  hint other = {.kind = LEAVE, .at = {1, 1}, .held_ms = -1, .who = beat_of("s", "t2")};
  assert_int_equal(hint_set_add(f->set, &f->queue, &other), AU_OK);
  assert_int_equal(add(f, LEAVE, "s", "t1", 2), AU_OK);
  other.at = (op_seq){3, 3};
  assert_int_equal(hint_set_add(f->set, &f->queue, &other), AU_OK);
  assert_int_equal(add(f, SHORTEN, "s", "t1", 4), AU_OK);
  expect_next(f, 5, LEAVE, "s", "t1", 2);
  expect_end(f, 5);
}

static void the_earlier_end_counts(void **state) {
  fixture *f = *state;
  static const struct {
    const char *second_tab;
    int64_t first_ms, second_ms, want_ms;
  } cases[] = {
      {"t1", 50, 100, 40},
      {"t1", 100, 50, 50},
      {"t1", 5, 100, 0},
      {"t2", 50, 100, 100},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    hint out, h = {.kind = SHORTEN, .at = {1, 1}, .held_ms = 0, .who = beat_of("s", "t1")};
    h.grace_ms = cases[i].first_ms;
    assert_int_equal(hint_set_add(f->set, &f->queue, &h), AU_OK);
    h.at = (op_seq){11, 2};
    h.who = beat_of("s", cases[i].second_tab);
    h.grace_ms = cases[i].second_ms;
    assert_int_equal(hint_set_add(f->set, &f->queue, &h), AU_OK);
    assert_true(hint_set_take(f->set, &f->queue, 11, &out));
    assert_int_equal(out.grace_ms, cases[i].want_ms);
    expect_end(f, 11);
  }
}

static void what_lives_again_is_not_ended(void **state) {
  fixture *f = *state;
  hint_set_remove(f->set, slice_of("shop"), slice_of("s"));
  assert_int_equal(add(f, LEAVE, "s", "t1", 1), AU_OK);
  assert_int_equal(add(f, LEAVE, "other", "t1", 2), AU_OK);
  hint_set_remove(f->set, slice_of("shops"), slice_of("s")); /* another customer */
  hint_set_remove(f->set, slice_of("shop"), slice_of("s"));
  expect_next(f, 3, LEAVE, "other", "t1", 2);
  expect_end(f, 3);
}

static void too_many_are_refused(void **state) {
  fixture *f = *state;
  assert_int_equal(add(f, SHORTEN, "a", "t", 1), AU_OK);
  assert_int_equal(add(f, LEAVE, "b", "t", 2), AU_OK);
  assert_int_equal(add(f, LEAVE, "c", "t", 3), AU_OK);
  assert_int_equal(add(f, LEAVE, "d", "t", 4), AU_EBUSY);
  assert_int_equal(add(f, LEAVE, "a", "t", 5), AU_OK); /* in the place of another */
  expect_next(f, 6, LEAVE, "b", "t", 2);
  assert_int_equal(add(f, LEAVE, "d", "t", 6), AU_OK);
  assert_int_equal(hint_set_count(f->set), MAX);
}

static void what_is_too_old_is_left_out(void **state) {
  fixture *f = *state;
  assert_int_equal(add(f, LEAVE, "a", "t", 1), AU_OK);
  assert_int_equal(add(f, LEAVE, "b", "t", 2), AU_OK);
  expect_next(f, LIFETIME_MS + 1, LEAVE, "b", "t", 2);
  assert_int_equal(add(f, LEAVE, "c", "t", 3), AU_OK);
  expect_end(f, LIFETIME_MS + 3);
}

static void found_by_its_tab_and_time(void **state) {
  fixture *f = *state;
  hint found;
  au_beat mine = beat_of("s", "t1"), others = beat_of("s", "t2"), unknown = beat_of("x", "t1");
  assert_false(hint_set_find(f->set, &mine, (op_seq){0}, &found));
  assert_int_equal(add(f, SHORTEN, "s", "t1", 5), AU_OK);
  assert_true(hint_set_find(f->set, &mine, (op_seq){5, 4}, &found));
  assert_int_equal(found.kind, SHORTEN);
  assert_false(hint_set_find(f->set, &mine, (op_seq){5, 5}, &found));
  assert_false(hint_set_find(f->set, &mine, (op_seq){5, 6}, &found));
  assert_false(hint_set_find(f->set, &others, (op_seq){0}, &found));
  assert_false(hint_set_find(f->set, &unknown, (op_seq){0}, &found));
  assert_int_equal(hint_set_count(f->set), 1);
}

static void each_queue_by_itself(void **state) {
  fixture *f = *state;
  hint_queue other;
  hint out;
  hint_queue_init(&other);
  assert_int_equal(add(f, LEAVE, "a", "t", 1), AU_OK);
  const hint leave = {.kind = LEAVE, .at = {2, 2}, .who = beat_of("b", "t")};
  assert_int_equal(hint_set_add(f->set, &other, &leave), AU_OK);
  assert_true(hint_set_take(f->set, &other, 3, &out));
  assert_true(slice_eq(out.who.session_id, slice_of("b")));
  assert_true(hint_queue_is_empty(&other));
  assert_int_equal(hint_set_add(f->set, &other, &leave), AU_OK);
  assert_null(hint_set_expire(f->set, LIFETIME_MS));
  assert_ptr_equal(hint_set_expire(f->set, LIFETIME_MS + 1), &f->queue);
  assert_null(hint_set_expire(f->set, LIFETIME_MS + 1));
  assert_ptr_equal(hint_set_remove(f->set, slice_of("shop"), slice_of("b")), &other);
  assert_null(hint_set_remove(f->set, slice_of("shop"), slice_of("b")));
}

static void the_longest_ids_fit(void **state) {
  fixture *f = *state;
  char text[AU_ID_MAX];
  memset(text, 'x', sizeof text);
  au_slice id = {text, sizeof text};
  const hint leave = {
      .kind = LEAVE, .at = {1, 1}, .who = {.customer_id = id, .session_id = id, .tab_id = id}};
  assert_int_equal(hint_set_add(f->set, &f->queue, &leave), AU_OK);
  hint out;
  assert_true(hint_set_take(f->set, &f->queue, 2, &out));
  assert_int_equal(out.held_ms, 0);
  assert_true(slice_eq(out.who.customer_id, id) && slice_eq(out.who.session_id, id) &&
              slice_eq(out.who.tab_id, id));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(oldest_first),
      CASE(one_of_a_session),
      CASE(the_leave_of_the_holder_counts),
      CASE(the_earlier_end_counts),
      CASE(what_lives_again_is_not_ended),
      CASE(too_many_are_refused),
      CASE(what_is_too_old_is_left_out),
      CASE(found_by_its_tab_and_time),
      CASE(each_queue_by_itself),
      CASE(the_longest_ids_fit),
  };
  return cmocka_run_group_tests_name("hint_set", tests, NULL, NULL);
}

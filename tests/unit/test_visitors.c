/* Tests of what sessions of the presence table count as: people, bots, and who is pending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/presence_table.h"
#include "adapters/memory/visitor.h"
#include "adapters/redis/protocol/index_score.h"
#include "utils/buffer.h"

#include <math.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { TTL_MS = 10000, AFTER_MS = 1000 };

static unsigned changes, seen;

static void on_changed(void *arg, au_slice customer_id) {
  (void)arg;
  (void)customer_id;
  changes++;
}

static void on_seen(void *arg, au_slice customer_id, au_slice session_id) {
  (void)arg;
  (void)customer_id;
  (void)session_id;
  seen++;
}

static presence_table *new_table(int64_t count_after_ms) {
  static const au_store_events events = {.session_seen = on_seen};
  presence_table *t = NULL;
  const presence_table_config config = {
      .ttl_ms = TTL_MS,
      .grace_ms = 1000,
      .count_after_ms = count_after_ms,
      .max_sessions = 100,
      .max_customers = 10,
      .changed = on_changed,
      .events = &events,
  };
  assert_int_equal(presence_table_create(&config, &t), AU_OK);
  changes = seen = 0;
  return t;
}

static au_beat beat_of(const char *session, au_visitor visitor) {
  return (au_beat){.customer_id = slice_of("shop"),
                   .session_id = slice_of(session),
                   .tab_id = slice_of("tab"),
                   .timestamp = NAN,
                   .is_leader = true,
                   .visitor = visitor};
}

static void touch(presence_table *t, const char *session, au_visitor visitor, int64_t now_ms) {
  au_beat beat = beat_of(session, visitor);
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_BEAT, now_ms), AU_OK);
}

static void check(presence_table *t, int64_t now_ms, uint32_t count, uint32_t bots,
                  uint32_t pending) {
  au_sample sample;
  presence_table_sample(t, slice_of("shop"), now_ms, &sample);
  assert_int_equal(sample.count, count);
  assert_int_equal(sample.bots, bots);
  assert_int_equal(sample.pending, pending);
  assert_int_equal(presence_table_sessions(t), count + bots + pending);
}

static void each_is_counted_once(void **state) {
  (void)state;
  presence_table *t = new_table(0);
  touch(t, "a", AU_VISITOR_PERSON, 0);
  touch(t, "b", AU_VISITOR_BOT, 0);
  check(t, 0, 1, 1, 0);
  assert_int_equal(seen, 1);
  touch(t, "b", AU_VISITOR_BOT, 1);
  touch(t, "a", AU_VISITOR_PERSON, 1);
  assert_int_equal(changes, 2);
  touch(t, "a", AU_VISITOR_BOT, 2);
  check(t, 2, 0, 2, 0);
  touch(t, "b", AU_VISITOR_PERSON, 3);
  check(t, 3, 1, 1, 0);
  assert_int_equal(changes, 4);
  assert_int_equal(seen, 2);
  au_beat leave = beat_of("a", AU_VISITOR_PERSON);
  assert_true(presence_table_leave(t, &leave, 4));
  check(t, 4, 1, 0, 0);
  check(t, 3 + TTL_MS, 0, 0, 0);
  presence_table_free(t);
}

static void it_counts_after_two_signs_of_life(void **state) {
  (void)state;
  presence_table *t = new_table(AFTER_MS);
  touch(t, "a", AU_VISITOR_PERSON, 0);
  check(t, 0, 0, 0, 1);
  touch(t, "a", AU_VISITOR_PERSON, 600);
  touch(t, "a", AU_VISITOR_PERSON, AFTER_MS - 1);
  check(t, AFTER_MS - 1, 0, 0, 1);
  assert_int_equal(seen, 0);
  assert_int_equal(changes, 1);
  touch(t, "a", AU_VISITOR_PERSON, AFTER_MS);
  check(t, AFTER_MS, 1, 0, 0);
  assert_int_equal(seen, 1);
  assert_int_equal(changes, 2);
  touch(t, "a", AU_VISITOR_PERSON, AFTER_MS + 1);
  check(t, AFTER_MS + 1, 1, 0, 0);
  assert_int_equal(changes, 2);
  check(t, AFTER_MS + 1 + TTL_MS, 0, 0, 0);
  touch(t, "a", AU_VISITOR_PERSON, 2 * TTL_MS); /* it ended: it begins anew */
  check(t, 2 * TTL_MS, 0, 0, 1);
  presence_table_free(t);
}

static void another_tab_goes_on_with_it(void **state) {
  (void)state;
  presence_table *t = new_table(AFTER_MS);
  touch(t, "a", AU_VISITOR_PERSON, 0);
  au_beat beat = beat_of("a", AU_VISITOR_PERSON);
  beat.tab_id = slice_of("a tab with a name that is longer than the one before");
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_JOIN, 500), AU_OK);
  check(t, 500, 0, 0, 1);
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_JOIN, AFTER_MS), AU_OK);
  check(t, AFTER_MS, 1, 0, 0);
  presence_table_free(t);
}

static void what_is_taken_counts_as_it_says(void **state) {
  (void)state;
  presence_table *t = new_table(AFTER_MS);
  au_beat beat = beat_of("a", AU_VISITOR_PENDING);
  beat.pending_ms = 700;
  assert_int_equal(presence_table_take(t, &beat, 0), AU_OK);
  check(t, 0, 0, 0, 1);
  presence_live live;
  assert_true(presence_table_find(t, beat.customer_id, beat.session_id, 0, &live));
  assert_int_equal(live.beat.visitor, AU_VISITOR_PENDING);
  assert_int_equal(live.beat.pending_ms, 700);
  touch(t, "a", AU_VISITOR_PERSON, 300);
  check(t, 300, 1, 0, 0);
  beat.visitor = AU_VISITOR_PERSON;
  beat.session_id = slice_of("b");
  assert_int_equal(presence_table_take(t, &beat, 300), AU_OK);
  check(t, 300, 2, 0, 0);
  presence_table_free(t);
}

static void judged_by_what_came_before(void **state) {
  (void)state;
  enum { NEW = -1 };
  static const struct {
    const char *name;
    au_visitor sent;
    int before; /* an au_visitor or NEW */
    int64_t pending_ms, since_ms, after_ms;
    au_visitor want;
    int64_t want_pending_ms;
  } cases[] = {
      {"new", AU_VISITOR_PERSON, NEW, 0, 0, 10, AU_VISITOR_PENDING, 0},
      {"new, where all count", AU_VISITOR_PERSON, NEW, 0, 0, 0, AU_VISITOR_PERSON, 0},
      {"too soon", AU_VISITOR_PERSON, AU_VISITOR_PENDING, 4, 5, 10, AU_VISITOR_PENDING, 9},
      {"in time", AU_VISITOR_PERSON, AU_VISITOR_PENDING, 4, 6, 10, AU_VISITOR_PERSON, 0},
      {"no longer asked for", AU_VISITOR_PERSON, AU_VISITOR_PENDING, 4, 0, 0, AU_VISITOR_PERSON, 0},
      {"it has counted", AU_VISITOR_PERSON, AU_VISITOR_PERSON, 0, 1, 10, AU_VISITOR_PERSON, 0},
      {"a bot", AU_VISITOR_BOT, NEW, 0, 0, 10, AU_VISITOR_BOT, 0},
      {"a bot that waited", AU_VISITOR_BOT, AU_VISITOR_PENDING, 4, 6, 10, AU_VISITOR_BOT, 0},
      {"a bot that counted", AU_VISITOR_BOT, AU_VISITOR_PERSON, 0, 6, 10, AU_VISITOR_BOT, 0},
      {"no bot any more", AU_VISITOR_PERSON, AU_VISITOR_BOT, 0, 60, 10, AU_VISITOR_PENDING, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    au_beat beat = {.visitor = cases[i].sent, .pending_ms = 77};
    const au_beat before = {.visitor = (au_visitor)cases[i].before,
                            .pending_ms = cases[i].pending_ms};
    visitor_judge(&beat, cases[i].before == NEW ? NULL : &before, cases[i].since_ms,
                  cases[i].after_ms);
    if (beat.visitor != cases[i].want || beat.pending_ms != cases[i].want_pending_ms)
      fail_msg("%s: %d after %lld ms", cases[i].name, beat.visitor, (long long)beat.pending_ms);
  }
}

static void a_score_has_both(void **state) {
  (void)state;
  static const int64_t deadlines[] = {1, 1700000000000, 1700000000001, 999999999999999};
  static const au_visitor all[] = {AU_VISITOR_PERSON, AU_VISITOR_BOT, AU_VISITOR_PENDING};
  for (size_t i = 0; i < COUNT(deadlines); i++)
    for (size_t j = 0; j < COUNT(all); j++) {
      double score = (double)(deadlines[i] + redis_score_base(all[j]));
      assert_int_equal(redis_score_visitor(score), all[j]);
      assert_int_equal((int64_t)redis_score_deadline(score), deadlines[i]);
    }
  assert_true(redis_score_deadline(-INFINITY) < 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_is_counted_once),
      cmocka_unit_test(it_counts_after_two_signs_of_life),
      cmocka_unit_test(another_tab_goes_on_with_it),
      cmocka_unit_test(what_is_taken_counts_as_it_says),
      cmocka_unit_test(judged_by_what_came_before),
      cmocka_unit_test(a_score_has_both),
  };
  return cmocka_run_group_tests_name("visitors", tests, NULL, NULL);
}

/* Tests of the pace of the broadcast: slices, gaps, and messages that a newer one overtakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broadcast_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL = 1000 };

/* ---- slices --------------------------------------------------------------- */

static void at_most_max_in_a_slice(void **state) {
  fixture *f = *state;
  for (char name = 'a'; name <= 'e'; name++) subscribe(f, name < 'd' ? "A" : "B", name);
  publish(f, "A", 1, 1);
  publish(f, "B", 2, 1);
  buffer_clear(&f->log);
  assert_true(broadcast_run(f->broadcast, 1));
  expect_delivered(f, "one", "a:A1 ");
  assert_true(broadcast_run(f->broadcast, 1));
  expect_delivered(f, "then it is the other customer's turn", "d:B2 ");
  assert_true(broadcast_run(f->broadcast, 2));
  expect_delivered(f, "two", "b:A1 c:A1 ");
  assert_false(broadcast_run(f->broadcast, 2));
  expect_delivered(f, "the last, and it says so", "e:B2 ");
}

/* At most one message a gap, the newest; none is lost. */
static void a_gap_between_messages(void **state) {
  fixture *f = *state;
  broadcast_hooks hooks = broadcast_case_hooks(f, 100);
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
  ear *e = &f->ears[0];
  assert_int_equal(broadcast_subscribe(b, slice_of("A"), &e->s), AU_OK);
  au_metrics metrics = {.customer_id = slice_of("A")};
  static const struct {
    int64_t at_ms;
    uint32_t publish; /* 0: only time passes */
    const char *heard;
  } steps[] = {
      {1000, 1, "a:A1 "}, {1001, 2, ""}, {1050, 3, ""},      {1099, 0, ""}, {1100, 0, "a:A3 "},
      {1150, 0, ""},      {1199, 4, ""}, {1200, 0, "a:A4 "}, {1300, 0, ""}, {1301, 5, "a:A5 "},
  };
  buffer_clear(&f->log);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    metrics.count = steps[i].publish;
    if (steps[i].publish) broadcast_publish(b, &metrics, steps[i].at_ms);
    (void)broadcast_pace(b, steps[i].at_ms, ALL);
    buffer_clear(&f->log); /* of the wakes */
    assert_false(broadcast_run(b, 10));
    expect_delivered(f, "a step", steps[i].heard);
  }
  metrics.count = 6;
  broadcast_publish(b, &metrics, 1302); /* waits while its topic goes */
  assert_int_equal(broadcast_pace(b, 1302, ALL), 99);
  assert_true(buffer_slice(&f->log).len > 0); /* woken */
  broadcast_unsubscribe(b, &e->s);
  assert_int_equal(broadcast_pace(b, 9999, ALL), -1);
  broadcast_free(b);
}

/* Many gaps that end at once are ended in slices, those that are first over first. */
static void gaps_end_in_slices(void **state) {
  fixture *f = *state;
  enum { TOPICS = 10, SLICE = 4 };
  broadcast_hooks hooks = broadcast_case_hooks(f, 100);
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
  for (int i = 0; i < TOPICS; i++) {
    const char id[] = {(char)('A' + i), 0};
    au_metrics metrics = {.customer_id = slice_of(id), .count = 1};
    assert_int_equal(broadcast_subscribe(b, metrics.customer_id, &f->ears[i].s), AU_OK);
    broadcast_publish(b, &metrics, 1000);
    metrics.count = 2;
    broadcast_publish(b, &metrics, 1001); /* waits */
  }
  assert_false(broadcast_run(b, ALL));
  static const struct {
    const char *heard;
    int64_t left_ms;
  } turns[] = {
      {"a:A2 b:B2 c:C2 d:D2 ", 0},
      {"e:E2 f:F2 g:G2 h:H2 ", 0},
      {"i:I2 j:J2 ", 100}, /* the gaps behind these messages */
  };
  for (size_t i = 0; i < COUNT(turns); i++) {
    assert_int_equal(broadcast_pace(b, 1100, SLICE), turns[i].left_ms);
    buffer_clear(&f->log); /* of the wakes */
    assert_false(broadcast_run(b, ALL));
    expect_delivered(f, "a turn", turns[i].heard);
  }
  for (int i = 0; i < TOPICS; i++) broadcast_unsubscribe(b, &f->ears[i].s);
  broadcast_free(b);
}

static ear *subscribe_many(fixture *f, broadcast *b, size_t n) {
  ear *ears = calloc(n, sizeof *ears);
  assert_non_null(ears);
  for (size_t k = 0; k < n; k++) {
    ears[k] = (ear){.s.deliver = broadcast_case_deliver, .fixture = f, .name = 'x'};
    assert_int_equal(broadcast_subscribe(b, slice_of("A"), &ears[k].s), AU_OK);
  }
  return ears;
}

/* The more subscribers, the longer the gap. */
static void a_crowd_hears_less_often(void **state) {
  fixture *f = *state;
  static const struct {
    size_t subscribers;
    int64_t gap_ms;
  } cases[] = {{1, 100}, {999, 100}, {1000, 200}, {9999, 200}, {10000, 500}, {12000, 500}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    broadcast_hooks hooks = broadcast_case_hooks(f, 100);
    broadcast *b;
    assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
    size_t n = cases[i].subscribers;
    ear *ears = subscribe_many(f, b, n);
    au_metrics metrics = {.customer_id = slice_of("A"), .count = 1};
    broadcast_publish(b, &metrics, 1000);
    metrics.count = 2;
    broadcast_publish(b, &metrics, 1001);
    if (broadcast_pace(b, 1001, ALL) != cases[i].gap_ms - 1) fail_msg("%zu subscribers", n);
    assert_true(broadcast_run(b, 1) == (n > 1));
    buffer_clear(&f->log);
    assert_int_equal(broadcast_pace(b, 1000 + cases[i].gap_ms, ALL), cases[i].gap_ms);
    for (size_t k = 0; k < n; k++) broadcast_unsubscribe(b, &ears[k].s);
    broadcast_free(b);
    free(ears);
    buffer_clear(&f->log);
  }
}

/* Within a gap and behind it. */
static void a_crowd_hears_only_what_changes(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    size_t subscribers;
    au_metrics metrics;
    bool sent;
  } cases[] = {
      {"a few hear the same again", 999, {.count = 5, .ema = 5}, true},
      {"the same", 1000, {.count = 5, .ema = 5}, false},
      {"another count", 1000, {.count = 6, .ema = 5}, true},
      {"an average that rounds to the same", 1000, {.count = 5, .ema = 5.4999}, false},
      {"another average", 1000, {.count = 5, .ema = 5.5}, true},
      {"stale", 1000, {.count = 5, .ema = 5, .stale = true}, true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    broadcast_hooks hooks = broadcast_case_hooks(f, 100);
    broadcast *b;
    assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
    size_t n = cases[i].subscribers;
    ear *ears = subscribe_many(f, b, n);
    au_metrics metrics = {.customer_id = slice_of("A"), .count = 5, .ema = 5};
    for (int64_t at_ms = 1001; at_ms <= 3000; at_ms += 1999) {
      (void)broadcast_pace(b, at_ms - 1, ALL);
      metrics.stale = !metrics.stale; /* so that this one is sent in any case */
      broadcast_publish(b, &metrics, at_ms - 1);
      assert_false(broadcast_run(b, 2 * n));
      bool is_within_gap = at_ms == 1001;
      if (!is_within_gap) (void)broadcast_pace(b, at_ms + 999, ALL);
      au_metrics next = cases[i].metrics;
      next.customer_id = slice_of("A");
      next.stale = next.stale != metrics.stale;
      broadcast_publish(b, &next, is_within_gap ? at_ms : at_ms + 999);
      if (is_within_gap) (void)broadcast_pace(b, at_ms + 199, ALL);
      buffer_clear(&f->log);
      (void)broadcast_run(b, 2 * n);
      if ((f->log.len > 0) != cases[i].sent) fail_msg("%s, at %d", cases[i].name, (int)at_ms);
      (void)broadcast_pace(b, at_ms + 1500, ALL);
    }
    for (size_t k = 0; k < n; k++) broadcast_unsubscribe(b, &ears[k].s);
    broadcast_free(b);
    free(ears);
    buffer_clear(&f->log);
  }
}

/* Who comes to a crowd is given what it was told last, or will be told next, and nothing twice. */
static void a_newcomer_to_a_crowd_is_given_the_newest(void **state) {
  fixture *f = *state;
  broadcast_hooks hooks = broadcast_case_hooks(f, 100);
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
  ear *ears = subscribe_many(f, b, 1002);
  for (size_t k = 998; k < 1002; k++) broadcast_unsubscribe(b, &ears[k].s);
  au_metrics metrics = {.customer_id = slice_of("A"), .count = 5, .ema = 5}, newest;
  broadcast_publish(b, &metrics, 1000);
  assert_false(broadcast_run(b, 2000));

  assert_int_equal(broadcast_subscribe(b, slice_of("A"), &ears[998].s), AU_OK);
  assert_false(broadcast_newest(&ears[998].s, &newest)); /* the 999th: few */
  (void)broadcast_pace(b, 1100, ALL);
  broadcast_publish(b, &metrics, 1100); /* it may have been told another: all get it */
  assert_false(broadcast_run(b, 2000));

  assert_int_equal(broadcast_subscribe(b, slice_of("A"), &ears[999].s), AU_OK);
  assert_true(broadcast_newest(&ears[999].s, &newest));
  assert_int_equal(newest.count, 5);
  assert_true(slice_eq(newest.customer_id, slice_of("A")));

  metrics.count = 6;
  broadcast_publish(b, &metrics, 1101); /* waits */
  assert_int_equal(broadcast_subscribe(b, slice_of("A"), &ears[1000].s), AU_OK);
  assert_true(broadcast_newest(&ears[1000].s, &newest));
  assert_int_equal(newest.count, 6);
  ears[1000].name = 'n';
  (void)broadcast_pace(b, 1300, ALL);
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 2000));
  assert_true(f->log.len > 0);
  assert_null(memchr(f->log.ptr, 'n', f->log.len));

  broadcast_publish(b, &metrics, 1600); /* nobody was told another */
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 2000));
  assert_int_equal(f->log.len, 0);
  for (size_t k = 0; k < 1001; k++) broadcast_unsubscribe(b, &ears[k].s);
  broadcast_free(b);
  free(ears);
  buffer_clear(&f->log);
}

/* Whatever a publisher claims, and however often: a message a gap. */
static void a_flood_keeps_the_pace(void **state) {
  fixture *f = *state;
  enum { GAP_MS = 100, FLOOD_MS = 10 * GAP_MS };
  broadcast_hooks hooks = broadcast_case_hooks(f, GAP_MS);
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
  ear *e = &f->ears[0];
  assert_int_equal(broadcast_subscribe(b, slice_of("A"), &e->s), AU_OK);
  unsigned frames = 0;
  for (uint32_t i = 0; i < FLOOD_MS; i++) {
    const au_metrics claim = {
        .customer_id = slice_of("A"),
        .count = i,
        .ema = i % 2 ? 0.5 : 1.5,
        .timestamp_ms = i % 3 ? INT64_MAX - i : -(int64_t)i,
        .stale = i % 5 == 0,
    };
    broadcast_publish(b, &claim, 1000 + i);
    (void)broadcast_pace(b, 1000 + i, ALL);
    buffer_clear(&f->log);
    assert_false(broadcast_run(b, 10));
    if (f->log.len > 0) frames++;
  }
  assert_int_equal(frames, FLOOD_MS / GAP_MS);
  (void)broadcast_pace(b, 1000 + FLOOD_MS, ALL);
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 10));
  expect_delivered(f, "the newest comes at the end", "a:A999 ");
  broadcast_unsubscribe(b, &e->s);
  broadcast_free(b);
}

/* A newcomer that is told what is newer is not told what waited for its turn; what comes
 * after it is news. */
static void what_waits_is_no_news_to_a_newcomer(void **state) {
  fixture *f = *state;
  broadcast_hooks hooks = broadcast_case_hooks(f, 100);
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(broadcast_subscribe(b, slice_of("A"), &f->ears[i].s), AU_OK);
    if (i > 0) continue;
    for (uint32_t n = 1; n <= 2; n++)
      broadcast_publish(b, &(au_metrics){.customer_id = slice_of("A"), .count = n}, 1000);
    (void)broadcast_run(b, 10);
  }
  broadcast_skip_to_latest(&f->ears[1].s);
  (void)broadcast_pace(b, 1100, ALL);
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 10));
  expect_delivered(f, "the second waited", "a:A2 c:A2 ");
  assert_false(broadcast_has_delivered(&f->ears[1].s));
  broadcast_publish(b, &(au_metrics){.customer_id = slice_of("A"), .count = 3}, 1200);
  (void)broadcast_pace(b, 1200, ALL);
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 10));
  expect_delivered(f, "the third is news to all", "a:A3 b:A3 c:A3 ");
  for (int i = 0; i < 3; i++) broadcast_unsubscribe(b, &f->ears[i].s);
  broadcast_free(b);
}

/* ---- overtaken ------------------------------------------------------------ */

static void a_newer_message_takes_over_the_sweep(void **state) {
  fixture *f = *state;
  for (char name = 'a'; name <= 'd'; name++) subscribe(f, "A", name);
  buffer_clear(&f->log);
  publish(f, "A", 1, 1);
  broadcast_run(f->broadcast, 2);
  publish(f, "A", 2, 2);
  assert_true(broadcast_run(f->broadcast, 3));
  assert_false(broadcast_run(f->broadcast, 3));
  expect_delivered(f, "goes on where it was", "wake a:A1 b:A1 wake c:A2 d:A2 a:A2 b:A2 ");
}

static void a_message_nobody_got_is_never_sent(void **state) {
  fixture *f = *state;
  for (char name = 'a'; name <= 'c'; name++) subscribe(f, "A", name);
  buffer_clear(&f->log);
  publish(f, "A", 1, 1);
  publish(f, "A", 2, 1);
  publish(f, "A", 3, 1);
  assert_false(broadcast_run(f->broadcast, 100));
  expect_delivered(f, "the newest only", "wake wake wake a:A3 b:A3 c:A3 ");
}

/* A sweep that never comes to its end is fair all the same. */
static void overtaken_for_ever_still_reaches_everyone(void **state) {
  fixture *f = *state;
  int heard[EARS] = {0};
  for (char name = 'a'; name < 'a' + EARS; name++) subscribe(f, "A", name);
  for (uint32_t i = 1; i <= EARS * 5; i++) {
    publish(f, "A", i, i);
    buffer_clear(&f->log);
    assert_true(broadcast_run(f->broadcast, 3));
    for (size_t at = 0; at < f->log.len; at++)
      if (f->log.ptr[at] == ':') heard[f->log.ptr[at - 1] - 'a']++;
  }
  for (int i = 0; i < EARS; i++) assert_int_equal(heard[i], 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(at_most_max_in_a_slice),
      TEST(a_gap_between_messages),
      TEST(a_crowd_hears_less_often),
      TEST(a_crowd_hears_only_what_changes),
      TEST(a_newcomer_to_a_crowd_is_given_the_newest),
      TEST(a_flood_keeps_the_pace),
      TEST(gaps_end_in_slices),
      TEST(what_waits_is_no_news_to_a_newcomer),
      TEST(a_newer_message_takes_over_the_sweep),
      TEST(a_message_nobody_got_is_never_sent),
      TEST(overtaken_for_ever_still_reaches_everyone),
  };
  return cmocka_run_group_tests_name("broadcast pace", tests, NULL, NULL);
}

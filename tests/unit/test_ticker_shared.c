/* Tests of a tick that is shared with other daemons: who is refused, who is passed, and what
 * those hear whom another daemon ticks. */
#include "ticker_case.h"

/* ---- partitions ---------------------------------------------------------------- */

static void a_tick_goes_from_part_to_part(void **state) {
  fixture *f = *state;
  f->store.partitions = 3;
  add(&f->store, "a", 1);
  add(&f->store, "c", 3)->partition = 2;
  to_tick(f);
  expect_log(f, "all three",
             "tick due+0 sample:a save:a=1 publish:a=1/1 due+0 due1+0 due2+0 sample:c save:c=3 "
             "publish:c=3/3 due2+0 ");
}

/* What fails in one partition is left out in that partition only. */
static void each_part_has_its_own_failures(void **state) {
  fixture *f = *state;
  f->store.partitions = 2;
  add(&f->store, "a", 1)->failing = SAMPLE_FAILS;
  add(&f->store, "b", 2)->partition = 1;
  to_tick(f);
  expect_log(f, "the second from its beginning",
             "tick due+0 sample:a due+1 due1+0 sample:b save:b=2 publish:b=2/2 due1+0 ");
  to_quiet(f);
  assert_int_equal(f->counters.tick_failed, 1);
}

/* The others go on when one partition of the store is lost. */
static void a_part_that_is_lost(void **state) {
  fixture *f = *state;
  f->store.partitions = 2;
  f->store.ever_up = false;
  add(&f->store, "a", 1)->failing = SAMPLE_FAILS;
  add(&f->store, "b", 2)->partition = 1;
  to_tick(f);
  expect_log(f, "the other partition",
             "tick due+0 sample:a due1+0 sample:b save:b=2 publish:b=2/2 due1+0 ");
}

/* ---- another daemon ticks --------------------------------------------------- */

static void who_is_refused_asks_again_when_told(void **state) {
  fixture *f = *state;
  customer *c = add(&f->store, "a", 5);
  c->ticked_ms = now_ms;
  f->store.again_ms[0] = 700;
  to_tick(f);
  expect_log(f, "refused", "tick due+0 ");
  run_for(f, 699);
  expect_log(f, "a moment too early", "");
  f->store.again_ms[0] = -1; /* the other one is dead */
  run_for(f, 1);
  expect_log(f, "a whole tick", "tick due+0 sample:a save:a=5 publish:a=5/5 due+0 ");
  run_for(f, INTERVAL_MS - 1);
  expect_log(f, "an interval between two", "");
  run_for(f, 1);
  expect_log(f, "at its own pace from then on",
             "tick due+0 sample:a save:a=5 publish:a=5/5 due+0 ");
}

/* A longer wait than for the next tick is no reason to be late. */
static void the_next_tick_comes_first(void **state) {
  fixture *f = *state;
  f->store.again_ms[0] = INTERVAL_MS * 5 / 4;
  to_tick(f);
  to_tick(f);
  expect_log(f, "an interval later", "tick due+0 tick due+0 ");
}

/* The nearest of the partitions that are refused says when. Those of its own partition are ticked
 * once an interval all the same. */
static void parts_of_others(void **state) {
  fixture *f = *state;
  f->store.partitions = 3;
  f->store.again_ms[0] = 3000;
  f->store.again_ms[2] = 2000;
  add(&f->store, "b", 2)->partition = 1;
  to_tick(f);
  expect_log(f, "its own partition",
             "tick due+0 due1+0 sample:b save:b=2 publish:b=2/2 due1+0 due2+0 ");
  run_for(f, 1999);
  expect_log(f, "not yet", "");
  run_for(f, 1);
  expect_log(f, "the nearest", "due+0 due1+0 due2+0 ");
  f->store.again_ms[0] = f->store.again_ms[2] = -1;
  run_for(f, INTERVAL_MS - 2000 - 1);
  expect_log(f, "nobody before its time", "");
  run_for(f, 1);
  expect_log(f, "all partitions",
             "tick due+0 due1+0 sample:b save:b=2 publish:b=2/2 due1+0 due2+0 ");
}

/* Whoever ticked the partition is dead: its customers are ticked at once, the others in their time.
 */
static void a_part_of_one_who_is_dead(void **state) {
  fixture *f = *state;
  f->store.partitions = 2;
  f->store.again_ms[0] = 2000;
  add(&f->store, "a", 1)->ticked_ms = now_ms;
  add(&f->store, "b", 2)->partition = 1;
  to_tick(f);
  expect_log(f, "its own partition", "tick due+0 due1+0 sample:b save:b=2 publish:b=2/2 due1+0 ");
  f->store.again_ms[0] = -1;
  run_for(f, 2000);
  expect_log(f, "the other partition", "due+0 sample:a save:a=1 publish:a=1/1 due+0 due1+0 ");
}

/* ---- passed by another daemon ------------------------------------------------ */

static void who_is_passed_publishes_nothing(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    uint32_t count;
    const char *want;
  } cases[] = {
      {"by a save", 3, "tick due+0 sample:a save:a=2.2 due+1 "},
      {"by one that evicts", 0, "tick due+0 sample:a evict:a due+1 "},
  };
  customer *c = add(&f->store, "a", 0);
  c->failing = PASSED;
  for (size_t i = 0; i < COUNT(cases); i++) {
    c->count = cases[i].count;
    c->has_ema = true;
    c->ema = cases[i].count > 0 ? 2 : 0.001;
    c->ticked_ms = f->tick_ms;
    to_tick(f);
    expect_log(f, cases[i].name, cases[i].want);
    to_quiet(f);
    assert_int_equal(f->counters.tick_failed, 0);
    assert_int_equal(f->counters.tick_customers, 0);
  }
}

/* The list may lag behind: whom it names for ever is asked once a tick. */
static void ticked_and_still_listed(void **state) {
  fixture *f = *state;
  f->store.lagging = true;
  add(&f->store, "a", 3)->ticked_ms = now_ms + INTERVAL_MS - 100;
  to_tick(f);
  expect_log(f, "left out", "tick due+0 sample:a due+1 ");
  to_quiet(f);
  assert_int_equal(f->counters.tick_failed, 0);
}

/* ---- who hears what ----------------------------------------------------------- */

static void publish_elsewhere(fixture *f, const char *id, uint32_t count, double ema) {
  au_metrics metrics = {.customer_id = slice_of(id), .count = count, .ema = ema};
  customer *c = find(&f->store, id);
  c->ticked_ms = now_ms;
  c->has_ema = true;
  c->ema = ema;
  broadcast_publish(f->broadcast, &metrics, now_ms);
  settle(f);
}

/* Whatever the phase of the other daemon: its frames and no others. */
static void one_frame_a_tick_of_the_other(void **state) {
  static const int phases[] = {0, 1, 500, 999, 1000, 1001, 2000, 3000, 3999};
  for (size_t i = 0; i < COUNT(phases); i++) {
    if (i > 0) {
      assert_int_equal(ticker_teardown(state), 0);
      assert_int_equal(ticker_setup(state), 0);
    }
    fixture *f = *state;
    ear e;
    f->store.again_ms[0] = INTERVAL_MS;
    add(&f->store, "a", 5);
    find(&f->store, "a")->ticked_ms = now_ms - INTERVAL_MS + phases[i];
    find(&f->store, "a")->has_ema = true;
    listen_to(f, "a", &e);
    run_for(f, phases[i]);
    for (unsigned tick = 1; tick <= 4; tick++) {
      assert_int_equal(e.heard, tick - 1);
      publish_elsewhere(f, "a", 5, 4.5);
      assert_int_equal(e.heard, tick);
      run_for(f, INTERVAL_MS);
    }
    broadcast_unsubscribe(f->broadcast, &e.s);
  }
}

static void an_empty_shop_hears_every_tick_here_too(void **state) {
  fixture *f = *state;
  ear e;
  f->store.again_ms[0] = INTERVAL_MS;
  listen_to(f, "nobody", &e);
  for (unsigned tick = 1; tick <= 3; tick++) {
    to_tick(f);
    assert_int_equal(e.heard, tick - 1);
    to_quiet(f);
    assert_int_equal(e.heard, tick);
  }
  expect_heard(f, "zeros", "nobody=0/0 nobody=0/0 nobody=0/0 ");
  broadcast_unsubscribe(f->broadcast, &e.s);
}

/* Customer "a", nine active and an EMA of 8.5, whose ticks are another daemon's; `e` hears of it.
 */
static customer *others_tick(fixture *f, ear *e) {
  f->store.again_ms[0] = INTERVAL_MS;
  customer *c = add(&f->store, "a", 9);
  c->has_ema = true;
  c->ema = 8.5;
  listen_to(f, "a", e);
  return c;
}

/* The other daemon ticks and nothing of it arrives: this one says what it can read. */
static void a_deaf_daemon_speaks_itself(void **state) {
  fixture *f = *state;
  ear e;
  customer *c = others_tick(f, &e);
  publish_elsewhere(f, "a", 9, 8.5);
  for (int tick = 0; tick < 2; tick++) {
    c->ticked_ms = now_ms;
    to_tick(f);
  }
  buffer_clear(&f->heard);
  to_quiet(f);
  expect_heard(f, "after an interval and a half", "a=9/8.5 ");
  c->ticked_ms = now_ms;
  to_tick(f);
  to_quiet(f);
  expect_heard(f, "and with each tick", "a=9/8.5 ");
  publish_elsewhere(f, "a", 10, 9);
  to_tick(f);
  to_quiet(f);
  expect_heard(f, "until it hears again", "a=10/9 ");
  broadcast_unsubscribe(f->broadcast, &e.s);
}

/* Its first listener came here while nothing arrives: one tick later it is told. */
static void a_new_listener_of_a_deaf_daemon(void **state) {
  fixture *f = *state;
  ear e;
  customer *c = others_tick(f, &e);
  c->ticked_ms = now_ms;
  to_tick(f);
  to_quiet(f);
  expect_heard(f, "its tick may be on the way", "");
  c->ticked_ms = now_ms;
  to_tick(f);
  to_quiet(f);
  expect_heard(f, "it was not", "a=9/8.5 ");
  broadcast_unsubscribe(f->broadcast, &e.s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_tick_goes_from_part_to_part),
      TEST(each_part_has_its_own_failures),
      TEST(a_part_that_is_lost),
      TEST(who_is_refused_asks_again_when_told),
      TEST(the_next_tick_comes_first),
      TEST(parts_of_others),
      TEST(a_part_of_one_who_is_dead),
      TEST(who_is_passed_publishes_nothing),
      TEST(ticked_and_still_listed),
      TEST(one_frame_a_tick_of_the_other),
      TEST(an_empty_shop_hears_every_tick_here_too),
      TEST(a_deaf_daemon_speaks_itself),
      TEST(a_new_listener_of_a_deaf_daemon),
  };
  return cmocka_run_group_tests_name("ticker shared", tests, NULL, NULL);
}

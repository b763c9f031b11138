/* Tests of what the ticker does between ticks: changes, the broadcast's turns, and its
 * end. */
#include "ticker_case.h"

enum { SLICE = 200 }; /* subscribers a turn of the loop */

/* ---- changes -------------------------------------------------------------- */

static void change(fixture *f, const char *id) {
  ticker_changed(f->ticker, slice_of(id));
}

/* A customer that was ticked before. */
static customer *known(fixture *f, const char *id, uint32_t count, double ema) {
  customer *c = add(&f->store, id, count);
  c->has_ema = true;
  c->ema = ema;
  return c;
}

static void a_change_is_published_at_once(void **state) {
  fixture *f = *state;
  ear e;
  listen_to(f, "a", &e);
  customer *c = known(f, "a", 3, 2.5);
  change(f, "a");
  settle(f);
  expect_log(f, "the average as it was", "sample:a publish:a=3/2.5 ");
  expect_heard(f, "and heard", "a=3/2.5 ");
  c->count = 0;
  c->stale = true;
  change(f, "b");
  settle(f);
  expect_log(f, "one nobody knows", "sample:b publish:b=0/0 ");
  run_for(f, 1000);
  expect_log(f, "nothing more", "");
  change(f, "a");
  settle(f);
  expect_log(f, "after a second, at once again", "sample:a publish:a=0/2.5! ");
  assert_int_equal(f->counters.tick_customers, 0);
  assert_int_equal(c->saves, 0);
  broadcast_unsubscribe(f->broadcast, &e.s);
}

static void at_most_one_a_second_and_the_last_is_not_lost(void **state) {
  fixture *f = *state;
  customer *c = known(f, "a", 1, 0.5);
  change(f, "a");
  run_for(f, 1);
  expect_log(f, "the first", "sample:a publish:a=1/0.5 ");
  for (int i = 0; i < 99; i++) {
    c->count++;
    change(f, "a");
    run_for(f, 10);
  }
  expect_log(f, "99 more within the second", "");
  run_for(f, 8);
  expect_log(f, "a moment too early", "");
  run_for(f, 1);
  expect_log(f, "the newest count", "sample:a publish:a=100/0.5 ");
  run_for(f, 1500);
  expect_log(f, "and then nothing", "");
}

static void a_change_while_it_is_being_counted(void **state) {
  fixture *f = *state;
  customer *c = known(f, "a", 1, 0.5);
  hold(&f->store, true);
  change(f, "a");
  run_for(f, 10);
  c->count = 2;
  change(f, "a");
  hold(&f->store, false);
  settle(f);
  expect_log(f, "what the store says", "sample:a publish:a=2/0.5 ");
  c->count = 3;
  run_for(f, 989);
  expect_log(f, "not yet", "");
  run_for(f, 1);
  expect_log(f, "asked again", "sample:a publish:a=3/0.5 ");
}

static void a_refused_change_is_asked_again(void **state) {
  fixture *f = *state;
  customer *c = known(f, "a", 1, 0.5);
  c->failing = SAMPLE_REFUSED;
  change(f, "a");
  settle(f);
  expect_log(f, "refused", "sample:a ");
  run_for(f, 999);
  expect_log(f, "not before a second", "");
  run_for(f, 1);
  expect_log(f, "refused again", "sample:a ");
  c->failing = 0;
  run_for(f, 1000);
  expect_log(f, "taken", "sample:a publish:a=1/0.5 ");
  run_for(f, 1000);
  expect_log(f, "once", "");
}

static void a_failed_change_waits_for_the_next(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    unsigned failing;
    const char *want;
  } cases[] = {
      {"the sample fails", SAMPLE_FAILS, "sample:a "},
      {"the publish is refused", PUBLISH_REFUSED, "sample:a publish:a=1/0.5 "},
      {"the publish fails", PUBLISH_FAILS, "sample:a publish:a=1/0.5 "},
      {"nothing fails", 0, "sample:a publish:a=1/0.5 "},
  };
  customer *c = known(f, "a", 1, 0.5);
  for (size_t i = 0; i < COUNT(cases); i++) {
    c->failing = cases[i].failing;
    change(f, "a");
    jump(f, 10);
    expect_log(f, cases[i].name, cases[i].want);
    if (i + 1 < COUNT(cases)) run_for(f, 990);
    expect_log(f, cases[i].name, "");
  }
  assert_int_equal(f->counters.tick_failed, 0);
}

/* More changes at once than are counted at once: the rest a second later. */
static void a_crowd_of_changes(void **state) {
  fixture *f = *state;
  enum { CHANGED = 300 };
  char id[16];
  add_crowd(f, CHANGED);
  for (int i = 0; i < CHANGED; i++) change(f, crowd_id(id, i));
  settle(f);
  for (int i = 0; i < CHANGED; i++)
    expect_begun("at once", &f->store.customers[i], i < PAGE, 0, i < PAGE);
  assert_int_equal(f->store.most_in_flight, PAGE);
  run_for(f, 3000);
  for (int i = 0; i < CHANGED; i++) expect_begun("later", &f->store.customers[i], 1, 0, 1);
  assert_true(f->store.most_in_flight <= 2 * PAGE);
}

/* While the store answers nothing, no more than a page is asked for and none is lost. */
static void changes_wait_for_a_slow_store(void **state) {
  fixture *f = *state;
  enum { CHANGED = 300 };
  char id[16];
  add_crowd(f, CHANGED);
  hold(&f->store, true);
  for (int i = 0; i < CHANGED; i++) change(f, crowd_id(id, i));
  run_for(f, 1500);
  assert_int_equal(f->store.most_in_flight, PAGE);
  hold(&f->store, false);
  settle(f);
  for (int i = 0; i < CHANGED; i++)
    expect_begun("the first", &f->store.customers[i], i < PAGE, 0, i < PAGE);
  run_for(f, 2000);
  for (int i = 0; i < CHANGED; i++) expect_begun("all", &f->store.customers[i], 1, 0, 1);
}

static void changes_and_ticks_do_not_disturb_each_other(void **state) {
  fixture *f = *state;
  known(f, "a", 40, 40)->ticked_ms = now_ms;
  jump(f, INTERVAL_MS - 500);
  find(&f->store, "a")->count = 42;
  change(f, "a");
  settle(f);
  expect_log(f, "a change", "sample:a publish:a=42/40 ");
  change(f, "a");
  jump(f, 500);
  expect_log(f, "the tick", "tick due+0 sample:a save:a=40.4 publish:a=42/40.4 due+0 ");
  jump(f, 500);
  expect_log(f, "the second change", "sample:a publish:a=42/40.4 ");
}

/* ---- the broadcast, a slice a turn ---------------------------------------- */

static void a_crowd_of_listeners_in_turns(void **state) {
  fixture *f = *state;
  enum { LISTENERS = 2 * SLICE + 50 };
  static ear ears[LISTENERS];
  for (int i = 0; i < LISTENERS; i++) listen_to(f, "a", &ears[i]);
  au_metrics metrics = {.customer_id = slice_of("a"), .count = 1};
  broadcast_publish(f->broadcast, &metrics, now_ms);
  unsigned heard = 0, turns = 0;
  while (heard < LISTENERS) {
    unsigned before = heard;
    assert_int_equal(uv_backend_timeout(&f->loop), 0); /* the loop waits for nothing */
    uv_run(&f->loop, UV_RUN_NOWAIT);
    heard = 0;
    for (int i = 0; i < LISTENERS; i++) heard += ears[i].heard;
    assert_true(heard - before <= SLICE);
    turns++;
  }
  assert_int_equal(turns, 3);
  settle(f);
  assert_int_not_equal(uv_backend_timeout(&f->loop), 0); /* it may wait for the timers again */
  for (int i = 0; i < LISTENERS; i++) assert_int_equal(ears[i].heard, 1);
  for (int i = 0; i < LISTENERS; i++) broadcast_unsubscribe(f->broadcast, &ears[i].s);
}

static void a_wake_for_nothing_ends_by_itself(void **state) {
  fixture *f = *state;
  ticker_wake(f->ticker);
  assert_int_equal(uv_backend_timeout(&f->loop), 0);
  settle(f);
  assert_int_not_equal(uv_backend_timeout(&f->loop), 0);
}

/* ---- the end -------------------------------------------------------------- */

static void nothing_happens_after_a_stop(void **state) {
  fixture *f = *state;
  ear e;
  listen_to(f, "nobody", &e);
  add(&f->store, "a", 1);
  change(f, "a");
  settle(f);
  change(f, "a");
  to_tick(f);
  buffer_clear(&f->store.log);
  stop(f);
  settle(f);
  assert_true(f->stopped);
  au_metrics metrics = {.customer_id = slice_of("nobody"), .count = 1};
  broadcast_publish(f->broadcast, &metrics, now_ms); /* which wakes in vain */
  change(f, "a");
  change(f, "b");
  hold(&f->store, false);      /* keeps the loop going for a turn */
  run_for(f, 2 * INTERVAL_MS); /* no tick, no quiet, no trailing change */
  expect_log(f, "stopped", "");
  assert_int_equal(f->counters.ticks, 1);
  assert_int_equal(e.heard, 0);
  assert_int_equal(uv_loop_alive(&f->loop), 0);
  broadcast_unsubscribe(f->broadcast, &e.s);
}

/* Stopped at each stage of a tick; then the store answers well, or cancels. */
static void stopped_while_something_is_in_flight(void **state) {
  fixture *f = *state;
  enum { STAGES = 5 };
  for (int stage = 0; stage < STAGES; stage++) {
    for (int cancelled = 0; cancelled < 2; cancelled++) {
      if (f->store.begun > 0) { /* a fresh one */
        assert_int_equal(ticker_teardown(state), 0);
        assert_int_equal(ticker_setup(state), 0);
        f = *state;
      }
      add(&f->store, "a", 1);
      hold(&f->store, true);
      now_ms += INTERVAL_MS;
      uv_run(&f->loop, UV_RUN_NOWAIT);
      hold(&f->store, false);
      for (int i = 0; i < stage; i++) uv_run(&f->loop, UV_RUN_NOWAIT);
      unsigned published = find(&f->store, "a")->publishes;
      unsigned saved = find(&f->store, "a")->saves;
      assert_int_equal(saved, stage >= 2);
      assert_int_equal(published, stage >= 3);
      stop(f);
      if (cancelled) continue; /* ticker_teardown does it */
      settle(f);
      assert_true(f->stopped);
      assert_int_equal(f->store.begun, f->store.answered);
      assert_int_equal(find(&f->store, "a")->publishes, published); /* no new work */
      assert_int_equal(find(&f->store, "a")->saves, saved);
    }
  }
}

static void stopped_while_a_change_is_counted(void **state) {
  fixture *f = *state;
  known(f, "a", 1, 0.5);
  change(f, "a");
  stop(f);
  settle(f);
  expect_log(f, "not published", "sample:a ");
}

static void free_stopped(void *arg) {
  ticker **t = arg;
  ticker_free(*t);
  *t = NULL;
}

/* When `stopped` runs, all handles are closed: the ticker may be freed inside. */
static void freed_inside_stopped(void **state) {
  fixture *f = *state;
  ticker *t = NULL;
  ticker_config config = {
      .loop = &f->loop,
      .clock = &f->clock,
      .store = &f->store.store,
      .broadcast = f->broadcast,
      .counters = &f->counters,
      .alpha = 0.2,
      .interval_ms = INTERVAL_MS,
      .changes_ms = 1000,
      .max_changes = 1,
  };
  assert_int_equal(ticker_create(&config, &t), AU_OK); /* and never started */
  ticker_stop(t, free_stopped, &t);
  assert_non_null(t);
  settle(f);
  assert_null(t);
  ticker_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_change_is_published_at_once),      TEST(at_most_one_a_second_and_the_last_is_not_lost),
      TEST(a_change_while_it_is_being_counted), TEST(a_refused_change_is_asked_again),
      TEST(a_failed_change_waits_for_the_next), TEST(a_crowd_of_changes),
      TEST(changes_wait_for_a_slow_store),      TEST(changes_and_ticks_do_not_disturb_each_other),
      TEST(a_crowd_of_listeners_in_turns),      TEST(a_wake_for_nothing_ends_by_itself),
      TEST(nothing_happens_after_a_stop),       TEST(stopped_while_something_is_in_flight),
      TEST(stopped_while_a_change_is_counted),  TEST(freed_inside_stopped),
  };
  return cmocka_run_group_tests_name("ticker between ticks", tests, NULL, NULL);
}

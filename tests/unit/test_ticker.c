/* Tests of the tick: who is counted, what is kept and published, who hears it. */
#include "ticker_case.h"

/* ---- the due -------------------------------------------------------------- */

static void every_due_customer_is_sampled_saved_and_published(void **state) {
  fixture *f = *state;
  add(&f->store, "a", 40);
  add(&f->store, "b", 7);
  run_for(f, INTERVAL_MS - 1);
  expect_log(f, "not before the first interval", "");
  run_for(f, 1);
  expect_log(
      f, "the first sample is the average",
      "tick due+0 sample:a sample:b save:a=40 save:b=7 publish:a=40/40 publish:b=7/7 due+0 ");
  find(&f->store, "a")->count = 42;
  run_for(f, INTERVAL_MS);
  expect_log(f, "the reference example",
             "tick due+0 sample:a sample:b save:a=40.4 save:b=7 publish:a=42/40.4 publish:b=7/7 "
             "due+0 ");
  assert_int_equal(f->counters.ticks, 2);
  assert_int_equal(f->counters.tick_customers, 4);
  assert_int_equal(f->counters.tick_failed, 0);
}

static void no_customers_no_work(void **state) {
  fixture *f = *state;
  run_for(f, 3 * INTERVAL_MS);
  expect_log(f, "three ticks", "tick due+0 tick due+0 tick due+0 ");
  assert_int_equal(f->counters.ticks, 3);
}

static void half_an_interval_decides_who_is_due(void **state) {
  fixture *f = *state;
  add(&f->store, "old", 1)->ticked_ms = now_ms + INTERVAL_MS - INTERVAL_MS / 2;
  add(&f->store, "young", 1)->ticked_ms = now_ms + INTERVAL_MS - INTERVAL_MS / 2 + 1;
  to_tick(f);
  expect_log(f, "the old one", "tick due+0 sample:old save:old=1 publish:old=1/1 due+0 ");
}

/* A tick that covers k intervals weighs the count with 1 - 0.8^k. */
static void late_intervals(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    int64_t since_ms; /* the last tick */
    const char *want;
  } cases[] = {
      {"in time", INTERVAL_MS, "save:a=20 publish:a=100/20 "},
      {"half an interval early", INTERVAL_MS / 2, "save:a=20 publish:a=100/20 "},
      {"a little late", INTERVAL_MS * 149 / 100, "save:a=20 publish:a=100/20 "},
      {"one interval late", INTERVAL_MS * 2, "save:a=36 publish:a=100/36 "},
      {"nearly two late", INTERVAL_MS * 26 / 10, "save:a=48.8 publish:a=100/48.8 "},
      {"a day late", 86400000, "save:a=100 publish:a=100/100 "},
  };
  customer *c = add(&f->store, "a", 100);
  for (size_t i = 0; i < COUNT(cases); i++) {
    char want[128];
    c->has_ema = true;
    c->ema = 0;
    c->ticked_ms = f->tick_ms + INTERVAL_MS - cases[i].since_ms;
    to_tick(f);
    (void)snprintf(want, sizeof want, "tick due+0 sample:a %sdue+0 ", cases[i].want);
    expect_log(f, cases[i].name, want);
  }
}

static void a_loop_that_was_held_ticks_once(void **state) {
  fixture *f = *state;
  customer *c = add(&f->store, "a", 0);
  c->has_ema = true;
  c->ema = 1000;
  c->ticked_ms = now_ms;
  jump(f, 3 * INTERVAL_MS + 100);
  expect_log(f, "for three", "tick due+0 sample:a save:a=512 publish:a=0/512 due+0 ");
  run_for(f, INTERVAL_MS);
  expect_log(f, "and then one", "tick due+0 sample:a save:a=409.6 publish:a=0/409.6 due+0 ");
}

static void who_is_gone_is_forgotten(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    double ema;
    uint32_t count;
    const char *want;
  } cases[] = {
      {"nobody, still decaying", 0.02, 0, "sample:a save:a=0.016 publish:a=0/0.016 "},
      {"somebody came", 0.001, 1, "sample:a save:a=0.2008 publish:a=1/0.2008 "},
      {"nobody for long", 0.012, 0, "sample:a evict:a publish:a=0/0 "},
      {"not listed any more", 0, 0, ""},
  };
  customer *c = add(&f->store, "a", 0);
  for (size_t i = 0; i < COUNT(cases); i++) {
    char want[128];
    c->count = cases[i].count;
    c->has_ema = true;
    c->ema = cases[i].ema;
    c->ticked_ms = f->tick_ms;
    to_tick(f);
    (void)snprintf(want, sizeof want, "tick due+0 %s%s", cases[i].want,
                   cases[i].want[0] ? "due+0 " : "");
    expect_log(f, cases[i].name, want);
  }
}

static void a_stale_sample_is_published_as_such(void **state) {
  fixture *f = *state;
  add(&f->store, "a", 3)->stale = true;
  to_tick(f);
  expect_log(f, "stale", "tick due+0 sample:a save:a=3 publish:a=3/3! due+0 ");
}

static void a_crowd_goes_page_by_page(void **state) {
  fixture *f = *state;
  add_crowd(f, CROWD);
  for (unsigned tick = 1; tick <= 3; tick++) {
    to_tick(f);
    for (int i = 0; i < CROWD; i++) expect_begun("crowd", &f->store.customers[i], tick, tick, tick);
    assert_int_equal(f->counters.tick_customers, tick * CROWD);
  }
  assert_true(f->store.most_asked_for <= PAGE);
  assert_true(f->store.most_in_flight <= 2 * PAGE);
  assert_int_equal(f->counters.ticks, 3);
  assert_int_equal(f->counters.tick_failed, 0);
}

/* The store answers so slowly that the time of the next tick comes. */
static void a_tick_under_way_goes_on(void **state) {
  fixture *f = *state;
  add(&f->store, "a", 40);
  hold(&f->store, true);
  to_tick(f);
  to_tick(f);
  expect_log(f, "one list only", "tick due+0 tick ");
  hold(&f->store, false);
  settle(f);
  expect_log(f, "it goes on", "sample:a save:a=40 publish:a=40/40 due+0 ");
  to_tick(f);
  expect_log(f, "the next one", "tick due+0 sample:a save:a=40 publish:a=40/40 due+0 ");
  assert_int_equal(f->counters.ticks, 3);
}

/* On a busy machine: who was saved is due again by age before the list is asked for again. */
static void a_tick_of_more_than_half_an_interval_counts_nobody_twice(void **state) {
  fixture *f = *state;
  add(&f->store, "a", 40);
  f->tick_ms += INTERVAL_MS;
  now_ms = f->tick_ms;
  while (find(&f->store, "a")->publishes == 0) uv_run(&f->loop, UV_RUN_NOWAIT);
  hold(&f->store, true);
  run_for(f, INTERVAL_MS / 2 + 10);
  hold(&f->store, false);
  settle(f);
  expect_log(f, "once", "tick due+0 sample:a save:a=40 publish:a=40/40 due+0 ");
  assert_int_equal(f->counters.people, 40);
  find(&f->store, "a")->ticked_ms = now_ms; /* it was saved late */
  to_tick(f);
  expect_log(f, "not due yet", "tick due+0 ");
  assert_int_equal(f->counters.people, 40);
}

/* ---- the quiet ------------------------------------------------------------ */

static void an_empty_shop_hears_every_tick(void **state) {
  fixture *f = *state;
  ear a, nobody;
  add(&f->store, "a", 5);
  listen_to(f, "a", &a);
  listen_to(f, "nobody", &nobody);
  for (int tick = 0; tick < 2; tick++) {
    to_tick(f);
    expect_log(f, "the due first", "tick due+0 sample:a save:a=5 publish:a=5/5 due+0 ");
    expect_heard(f, "the due first", "a=5/5 ");
    run_for(f, PAUSE_MS - 1);
    expect_log(f, "what comes back from a shared store has its time", "");
    run_for(f, 1);
    expect_log(f, "then who heard nothing", "sample:nobody ");
    expect_heard(f, "then who heard nothing", "nobody=0/0 ");
  }
  to_tick(f);
  buffer_clear(&f->store.log);
  broadcast_unsubscribe(f->broadcast, &nobody.s);
  to_quiet(f);
  expect_log(f, "until nobody listens", "");
  broadcast_unsubscribe(f->broadcast, &a.s);
}

/* Another daemon ticked them: one message came, the other did not. */
static void only_the_quiet_are_told(void **state) {
  fixture *f = *state;
  ear told, untold;
  listen_to(f, "told", &told);
  listen_to(f, "untold", &untold);
  customer *c = add(&f->store, "untold", 9);
  c->has_ema = true;
  c->ema = 8.5;
  c->ticked_ms = now_ms + INTERVAL_MS - 100;
  to_tick(f);
  run_for(f, PAUSE_MS / 2);
  expect_log(f, "nobody is due", "tick due+0 ");
  au_metrics metrics = {.customer_id = slice_of("told"), .count = 3, .ema = 2.5};
  broadcast_publish(f->broadcast, &metrics, now_ms);
  settle(f);
  expect_heard(f, "the other daemon's message", "told=3/2.5 ");
  to_quiet(f);
  expect_log(f, "the other one", "sample:untold ");
  expect_heard(f, "the average as it is", "untold=9/8.5 ");
  assert_int_equal(f->counters.tick_customers, 0);
  broadcast_unsubscribe(f->broadcast, &told.s);
  broadcast_unsubscribe(f->broadcast, &untold.s);
}

static void many_are_quiet(void **state) {
  fixture *f = *state;
  enum { QUIET = 300 };
  static ear ears[QUIET];
  char id[16];
  f->store.crowded = true;
  for (int i = 0; i < QUIET; i++) listen_to(f, crowd_id(id, i), &ears[i]);
  for (unsigned tick = 1; tick <= 2; tick++) {
    to_tick(f);
    for (int i = 0; i < QUIET; i++) assert_int_equal(ears[i].heard, tick - 1);
    to_quiet(f);
    for (int i = 0; i < QUIET; i++) assert_int_equal(ears[i].heard, tick);
  }
  assert_int_equal(f->store.customer_count, QUIET);
  for (int i = 0; i < QUIET; i++) expect_begun("quiet", &f->store.customers[i], 2, 0, 0);
  assert_true(f->store.most_in_flight <= PAGE);
  for (int i = 0; i < QUIET; i++) broadcast_unsubscribe(f->broadcast, &ears[i].s);
}

static void a_quiet_one_that_fails_is_asked_once_a_tick(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    unsigned failing;
  } cases[] = {{"refused", SAMPLE_REFUSED}, {"failed", SAMPLE_FAILS}};
  ear bad, good;
  listen_to(f, "good", &good);
  listen_to(f, "bad", &bad); /* the newer one is the first on the list */
  for (size_t i = 0; i < COUNT(cases); i++) {
    find(&f->store, "bad")->failing = cases[i].failing;
    to_tick(f);
    to_quiet(f);
    expect_log(f, cases[i].name, "tick due+0 sample:bad sample:good ");
    expect_heard(f, cases[i].name, "good=0/0 ");
    assert_int_equal(f->counters.tick_failed, i + 1);
  }
  broadcast_unsubscribe(f->broadcast, &bad.s);
  broadcast_unsubscribe(f->broadcast, &good.s);
}

/* ---- a store that fails --------------------------------------------------- */

/* More than a page of customers that fail stand before as many that do not. */
static void the_failing_do_not_starve_the_others(void **state) {
  fixture *f = *state;
  enum { EACH = 300 };
  static const struct {
    const char *name;
    unsigned failing;
    bool gone;                 /* they would be forgotten, not saved */
    unsigned saves, publishes; /* begun for one that fails, each tick */
  } cases[] = {
      {"samples are refused", SAMPLE_REFUSED, false, 0, 0},
      {"samples fail", SAMPLE_FAILS, false, 0, 0},
      {"saves are refused", SAVE_REFUSED, false, 1, 0},
      {"saves fail", SAVE_FAILS, false, 1, 0},
      {"publishes fail", PUBLISH_FAILS, false, 1, 1},
      {"publishes are refused", PUBLISH_REFUSED, false, 1, 1},
      {"evicting is refused", EVICT_REFUSED, true, 1, 0},
      {"evicting fails", EVICT_FAILS, true, 1, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    f->store.customer_count = 0;
    add_crowd(f, 2 * EACH);
    for (int k = 0; k < EACH; k++) {
      f->store.customers[k].failing = cases[i].failing;
      if (cases[i].gone) f->store.customers[k].count = 0;
    }
    for (unsigned tick = 1; tick <= 2; tick++) {
      uint64_t failed = f->counters.tick_failed;
      to_tick(f);
      for (int k = 0; k < EACH; k++)
        expect_begun(cases[i].name, &f->store.customers[k], tick, tick * cases[i].saves,
                     tick * cases[i].publishes);
      for (int k = EACH; k < 2 * EACH; k++)
        expect_begun(cases[i].name, &f->store.customers[k], tick, tick, tick);
      to_quiet(f);
      assert_int_equal(f->counters.tick_failed, failed + 1);
    }
  }
}

static void a_failed_publish_leaves_the_average_kept(void **state) {
  fixture *f = *state;
  customer *c = add(&f->store, "a", 40);
  static const unsigned kinds[] = {PUBLISH_REFUSED, PUBLISH_FAILS};
  for (size_t i = 0; i < COUNT(kinds); i++) {
    c->failing = kinds[i];
    to_tick(f);
    to_quiet(f);
    assert_int_equal(f->counters.tick_failed, i + 1);
    assert_true(c->has_ema && c->ema == 40 && c->ticked_ms == f->tick_ms);
  }
  c->failing = 0;
  to_tick(f);
  to_quiet(f);
  assert_int_equal(f->counters.tick_failed, 2);
}

static void a_lost_store_ends_the_tick_with_its_page(void **state) {
  fixture *f = *state;
  ear e;
  listen_to(f, "nobody", &e);
  add_crowd(f, 300);
  for (int i = 0; i < 300; i++) f->store.customers[i].failing = SAMPLE_FAILS;
  f->store.ever_up = false;
  for (unsigned tick = 1; tick <= 2; tick++) {
    to_tick(f);
    to_quiet(f);
    for (int i = 0; i < 300; i++) /* the same ones again: they are still the first */
      expect_begun("lost", &f->store.customers[i], i < PAGE ? tick : 0, 0, 0);
    assert_int_equal(f->counters.tick_failed, tick);
  }
  assert_int_equal(e.heard, 0);
  f->store.ever_up = true;
  for (int i = 0; i < 300; i++) f->store.customers[i].failing = 0;
  to_tick(f);
  to_quiet(f);
  for (int i = 0; i < 300; i++)
    expect_begun("back", &f->store.customers[i], i < PAGE ? 3 : 1, 1, 1);
  assert_int_equal(e.heard, 1);
  assert_int_equal(f->counters.tick_failed, 2);
  broadcast_unsubscribe(f->broadcast, &e.s);
}

static void a_lost_store_that_answers_is_gone_through(void **state) {
  fixture *f = *state;
  f->store.ever_up = false;
  add_crowd(f, 300);
  to_tick(f);
  for (int i = 0; i < 300; i++) expect_begun("answers", &f->store.customers[i], 1, 1, 1);
  assert_int_equal(f->counters.tick_failed, 0);
}

static void without_a_list_of_the_due(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    au_status begins, answers;
  } cases[] = {{"refused", AU_EBUSY, AU_OK}, {"failed", AU_OK, AU_ESTORE}};
  add(&f->store, "a", 40);
  for (size_t i = 0; i < COUNT(cases); i++) {
    f->store.due_begins = cases[i].begins;
    f->store.due_answers = cases[i].answers;
    to_tick(f);
    to_quiet(f);
    expect_log(f, cases[i].name, "tick due+0 ");
    assert_int_equal(f->counters.tick_failed, i + 1);
  }
  f->store.due_begins = f->store.due_answers = AU_OK;
  to_tick(f);
  expect_log(f, "listed again", "tick due+0 sample:a save:a=40 publish:a=40/40 due+0 ");
}

/* ---- what the log says ---------------------------------------------------- */

static char path[] = "/tmp/au-test-ticker-XXXXXX";

/* Lines that the log has now. */
static unsigned lines(void) {
  unsigned n = 0;
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  for (int c; (c = fgetc(file)) != EOF;) n += c == '\n';
  fclose(file);
  return n;
}

static void failing_is_said_once(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    unsigned failing, lines;
  } ticks[] = {
      {"all is well", 0, 0},         {"it begins", SAVE_FAILS, 1},
      {"it goes on", SAVE_FAILS, 1}, {"otherwise", SAMPLE_FAILS, 1},
      {"it is over", 0, 1},          {"it begins again", SAVE_REFUSED, 2},
  };
  customer *a = add(&f->store, "a", 1), *b = add(&f->store, "b", 1);
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  assert_int_equal(log_open(path), AU_OK);
  log_configure(AU_LOG_WARN, AU_LOG_TEXT);
  for (size_t i = 0; i < COUNT(ticks); i++) {
    a->failing = b->failing = ticks[i].failing;
    to_tick(f);
    to_quiet(f);
    if (lines() != ticks[i].lines) fail_msg("%s: %u lines", ticks[i].name, lines());
  }
  assert_int_equal(log_open(""), AU_OK);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(every_due_customer_is_sampled_saved_and_published),
      TEST(no_customers_no_work),
      TEST(half_an_interval_decides_who_is_due),
      TEST(late_intervals),
      TEST(a_loop_that_was_held_ticks_once),
      TEST(who_is_gone_is_forgotten),
      TEST(a_stale_sample_is_published_as_such),
      TEST(a_crowd_goes_page_by_page),
      TEST(a_tick_under_way_goes_on),
      TEST(a_tick_of_more_than_half_an_interval_counts_nobody_twice),
      TEST(an_empty_shop_hears_every_tick),
      TEST(only_the_quiet_are_told),
      TEST(many_are_quiet),
      TEST(a_quiet_one_that_fails_is_asked_once_a_tick),
      TEST(the_failing_do_not_starve_the_others),
      TEST(a_failed_publish_leaves_the_average_kept),
      TEST(a_lost_store_ends_the_tick_with_its_page),
      TEST(a_lost_store_that_answers_is_gone_through),
      TEST(without_a_list_of_the_due),
      TEST(failing_is_said_once),
  };
  return cmocka_run_group_tests_name("ticker", tests, NULL, NULL);
}

/* The Redis store against a real redis-server: counts, averages, ticks and messages of
 * customers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "redis_fixture.h"
#include "utils/log.h"

static int setup(void **state) {
  fixture *b = bench_create();
  b->config.ema_interval_ms = 30000; /* a lease outlives a test */
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

static int teardown(void **state) {
  bench_free(*state);
  return 0;
}

/* ---- customers ----------------------------------------------------------------------- */

static void an_unknown_customer_is_zero_and_stays_unknown(void **state) {
  fixture *b = *state;
  ASK(&b->server, "CONFIG RESETSTAT");
  outcome o = do_sample(b, "nobody");
  assert_int_equal(o.status, AU_OK);
  assert_int_equal(o.sample.count, 0);
  assert_false(o.sample.has_ema);
  assert_int_equal(o.sample.elapsed_ms, 0);
  assert_false(o.sample.stale);
  assert_int_equal(ASK(&b->server, "EXISTS ema:c au:idx:c au:customers"), 0);
}

static const struct {
  const char *name, *text;
  bool has_ema;
  double ema;
} emas[] = {
    {"a number", "38.5", true, 38.5},
    {"an integer", "7", true, 7},
    {"zero", "0", true, 0},
    {"an exponent", "1.5e2", true, 150},
    {"nothing", "", false, 0},
    {"a word", "many", false, 0},
    {"a number and more", "7 ", false, 0},
    {"negative", "-1", false, 0},
    {"not a number", "nan", false, 0},
    {"infinite", "inf", false, 0},
    {"beyond a double", "1e999", false, 0},
    {"hexadecimal", "0x10", false, 0},
    {"very long",
     "1111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "111111111",
     false, 0},
};

static void what_another_program_wrote_as_ema(void **state) {
  fixture *b = *state;
  for (size_t i = 0; i < sizeof emas / sizeof emas[0]; i++) {
    ASK(&b->server, "SET ema:c %s", emas[i].text);
    outcome o = do_sample(b, "c");
    if (o.status != AU_OK || o.sample.has_ema != emas[i].has_ema || o.sample.ema != emas[i].ema)
      fail_msg("%s: has %d, %f", emas[i].name, o.sample.has_ema, o.sample.ema);
  }
  ASK(&b->server, "DEL ema:c");
  ASK(&b->server, "RPUSH ema:c 1");
  outcome o = do_sample(b, "c");
  assert_int_equal(o.status, AU_OK);
  assert_false(o.sample.has_ema);
  assert_true(is_well(b->store)); /* put right by the next tick */
  assert_int_equal(do_save(b, "c", 2), AU_OK);
  assert_true(do_sample(b, "c").sample.ema == 2);
}

/* What is no time counts as none, for the sample and for the save alike. */
static void what_another_program_wrote_as_tick(void **state) {
  fixture *b = *state;
  long long now = redis_ms(b);
  char soon[24], future[24], leading[24];
  snprintf(soon, sizeof soon, "%lld", now + 5);
  snprintf(future, sizeof future, "%lld", now + 10000000);
  snprintf(leading, sizeof leading, "0%lld", now - 100);
  const struct {
    const char *name, *text;
    bool is_time, has_elapsed;
  } ticks[] = {
      {"nothing", "", false, false},
      {"zero", "0", false, false},
      {"a word", "now", false, false},
      {"a fraction", "1700000000000.5", false, false},
      {"an exponent", "17e11", false, false},
      {"hexadecimal", "0x18BCFE56800", false, false},
      {"negative", "-5", false, false},
      {"a leading zero", leading, false, false},
      {"sixteen digits", "1700000000000000", false, false},
      {"long ago", "1", true, true},
      {"a clock that is a little ahead", soon, true, true},
      {"a clock that was set back", future, true, false},
  };
  for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
    ASK(&b->server, "SET au:tick:c %s", ticks[i].text);
    au_sample sample = do_sample(b, "c").sample;
    if ((sample.ticked_ms > 0) != ticks[i].is_time ||
        (sample.elapsed_ms > 0) != ticks[i].has_elapsed)
      fail_msg("%s: %lld, %lld", ticks[i].name, (long long)sample.ticked_ms,
               (long long)sample.elapsed_ms);
    if (do_save(b, "c", 1) != AU_OK) fail_msg("%s: not saved", ticks[i].name);
    long long saved = ASK(&b->server, "GET au:tick:c");
    if (saved < now - 2000 || saved > redis_ms(b) + 10) fail_msg("%s: %lld", ticks[i].name, saved);
  }
  ASK(&b->server, "DEL au:tick:c");
  ASK(&b->server, "RPUSH au:tick:c 1");
  assert_int_equal(do_sample(b, "c").sample.ticked_ms, 0);
  assert_int_equal(do_save(b, "c", 1), AU_OK);
  assert_in_range(ASK(&b->server, "GET au:tick:c"), now - 2000, redis_ms(b));
}

static au_status save_sample(fixture *b, au_store *store, const char *customer,
                             const au_sample *sample, double ema) {
  outcome o;
  DO(b, &o, store->ops->save(store, slice_of(customer), sample, ema, on_done, &o));
  return o.status;
}

static au_status evict_sample(fixture *b, au_store *store, const char *customer,
                              const au_sample *sample) {
  outcome o;
  DO(b, &o, store->ops->evict(store, slice_of(customer), sample, on_done, &o));
  return o.status;
}

static void saved_and_read_back(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_save(b, "c", 40.4), AU_OK);
  assert_true(holds(b, "ema:c", "40.4"));
  assert_int_equal(ASK(&b->server, "TTL ema:c"), -1);
  long long ticked = ASK(&b->server, "GET au:tick:c");
  assert_in_range(ticked, redis_ms(b) - 2000, redis_ms(b));
  assert_int_equal(ASK(&b->server, "ZSCORE au:customers c"), ticked);
  bench_run_ms(b, 60);
  outcome o = do_sample(b, "c");
  assert_int_equal(o.sample.count, 1);
  assert_true(o.sample.has_ema);
  assert_true(o.sample.ema == 40.4);
  assert_in_range(o.sample.elapsed_ms, 55, 3000);
  assert_int_equal(o.sample.ticked_ms, ticked);
  /* The tick is when it was sampled, so that its length is what the average was made of. */
  bench_run_ms(b, 30);
  assert_int_equal(save_sample(b, b->store, "c", &o.sample, 41), AU_OK);
  assert_int_equal(ASK(&b->server, "GET au:tick:c"), ticked + o.sample.elapsed_ms);
}

/* Of two daemons that sampled the same tick one makes the next, whatever they do. */
static void one_of_two_ticks(void **state) {
  fixture *b = *state;
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_available(b->other));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  au_sample first = do_sample(b, "c").sample;
  assert_int_equal(save_sample(b, b->store, "c", &first, 1), AU_OK);
  assert_int_equal(save_sample(b, b->other, "c", &first, 7), AU_ECONFLICT);
  assert_true(do_sample(b, "c").sample.ema == 1);
  bench_run_ms(b, 5);
  au_sample second = do_sample(b, "c").sample;
  assert_int_equal(save_sample(b, b->other, "c", &second, 2), AU_OK);
  assert_int_equal(save_sample(b, b->store, "c", &second, 7), AU_ECONFLICT);
  assert_int_equal(save_sample(b, b->store, "c", &first, 7), AU_ECONFLICT);
  assert_int_equal(evict_sample(b, b->store, "c", &second), AU_ECONFLICT);
  assert_true(do_sample(b, "c").sample.ema == 2);
  assert_true(is_well(b->store)); /* being passed is no fault of Redis */
}

/* Between a sample and its save the data set was emptied: nothing of the old one is kept. */
static void another_data_set(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  au_sample fresh = do_sample(b, "c").sample;
  assert_int_equal(save_sample(b, b->store, "c", &fresh, 1), AU_OK);
  au_sample old = do_sample(b, "c").sample;
  ASK(&b->server, "FLUSHALL");
  assert_int_equal(save_sample(b, b->store, "c", &old, 5), AU_ECONFLICT);
  assert_int_equal(evict_sample(b, b->store, "c", &old), AU_ECONFLICT);
  assert_int_equal(ASK(&b->server, "DBSIZE"), 0);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  au_sample again = do_sample(b, "c").sample;
  assert_false(again.has_ema);
  assert_int_equal(save_sample(b, b->store, "c", &again, 1), AU_OK);
}

/* More of them than one portion takes. */
static void a_save_clears_ended_sessions(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "live"), AU_OK);
  for (int i = 0; i < 1700; i++) ASK(&b->server, "ZADD au:idx:c %d dead%d", 1000 + i, i);
  assert_int_equal(do_sample(b, "c").sample.count, 1);
  assert_int_equal(do_save(b, "c", 1), AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:idx:c") == 1);
}

static void who_is_due(void **state) {
  fixture *b = *state;
  long long now = redis_ms(b);
  assert_int_equal(do_due(b, 1000, 0, 10).n, 0);
  ASK(&b->server, "ZADD au:customers 0 new %lld old %lld recent %lld older", now - 5000, now - 100,
      now - 9000);
  outcome o = do_due(b, 1000, 0, 10);
  assert_int_equal(o.status, AU_OK);
  assert_int_equal(o.n, 3);
  assert_string_equal(o.ids[0], "new");
  assert_string_equal(o.ids[1], "older");
  assert_string_equal(o.ids[2], "old");
  o = do_due(b, 1000, 1, 1);
  assert_int_equal(o.n, 1);
  assert_string_equal(o.ids[0], "older");
  assert_int_equal(do_due(b, 1000, 3, 10).n, 0);
  assert_int_equal(o.again_ms, -1);
  assert_int_equal(do_save(b, "older", 1), AU_OK); /* takes it off */
  assert_int_equal(do_due(b, 1000, 0, 10).n, 2);
}

static void what_is_no_customer_is_taken_off(void **state) {
  fixture *b = *state;
  ASK(&b->server, "ZADD au:customers 0 good 0 %s 0 %b", "not:an:id", "\0\n", (size_t)2);
  outcome o = do_due(b, 1000, 0, 10);
  assert_int_equal(o.n, 1);
  assert_string_equal(o.ids[0], "good");
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:customers") == 1);
}

/* ---- the lease ----------------------------------------------------------------------- */

static outcome due_of(fixture *b, au_store *store) {
  outcome o;
  DO(b, &o, store->ops->due(store, 0, 1000, 0, 10, on_listed, &o));
  assert_int_equal(o.status, AU_OK);
  return o;
}

/* The first to ask ticks, and goes on by asking; the other is told how long that lasts, and
 * ticks when it has. */
static void one_holds_the_lease(void **state) {
  fixture *b = *state;
  long long lease_ms = b->config.ema_interval_ms * 3 / 2;
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_available(b->other));
  ASK(&b->server, "ZADD au:customers 0 c");
  assert_int_equal(due_of(b, b->store).n, 1);
  assert_int_equal(ASK(&b->server, "STRLEN au:lease"), 16);
  assert_in_range(ASK(&b->server, "PTTL au:lease"), lease_ms - 3000, lease_ms);
  ASK(&b->server, "PEXPIRE au:lease 5000");
  outcome o = due_of(b, b->other);
  assert_int_equal(o.n, 0);
  assert_in_range(o.again_ms, 2000, 5001);
  assert_in_range(ASK(&b->server, "PTTL au:lease"), 2000, 5000); /* not prolonged by that */
  assert_int_equal(due_of(b, b->store).n, 1);
  assert_in_range(ASK(&b->server, "PTTL au:lease"), lease_ms - 3000, lease_ms);
  ASK(&b->server, "PEXPIRE au:lease 50");
  o = due_of(b, b->other);
  bench_run_ms(b, (uint64_t)o.again_ms);
  assert_int_equal(due_of(b, b->other).n, 1);
  assert_true(due_of(b, b->store).again_ms > lease_ms - 3000); /* it has changed hands */
}

/* Only another program can write these; they stop nobody. */
static void odd_leases(void **state) {
  fixture *b = *state;
  static const char *const odd[] = {"SET", "RPUSH"}; /* without an end, a list */
  ASK(&b->server, "ZADD au:customers 0 c");
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    ASK(&b->server, "DEL au:lease");
    ASK(&b->server, "%s au:lease somebody", odd[i]);
    if (due_of(b, b->store).n != 1) fail_msg("%s", odd[i]);
    assert_true(ASK(&b->server, "PTTL au:lease") > 0);
  }
}

/* Only who ticks scans. */
static void the_holder_scans(void **state) {
  fixture *b = *state;
  static const char json[] = "{\"customerId\":\"c\",\"sessionId\":\"s\",\"tabId\":\"t\"}";
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_available(b->other));
  assert_int_equal(due_of(b, b->store).n, 0);
  ASK(&b->server, "SET presence:c:s %s EX 100", json);
  b->other->ops->scan(b->other);
  due_of(b, b->other);
  bench_run_ms(b, 50);
  assert_int_equal(do_sample(b, "c").sample.count, 0);
  b->store->ops->scan(b->store);
  assert_int_equal(due_of(b, b->store).n, 1);
  assert_int_equal(do_sample(b, "c").sample.count, 1);
}

static void forgotten_only_when_empty(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_save(b, "c", 1), AU_OK);
  assert_int_equal(do_evict(b, "c"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS ema:c au:idx:c au:tick:c au:customers"), 4);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  ASK(&b->server, "ZADD au:idx:c 1000 ended");
  assert_int_equal(do_evict(b, "c"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS ema:c au:idx:c au:customers"), 0);
}

/* ---- messages ----------------------------------------------------------------------------- */

static void watch(fixture *b, const char *customer, bool on) {
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of(customer), on), AU_OK);
}

static long long subscribers(fixture *b, const char *customer) {
  redisReply *reply = ask_redis(&b->server, "PUBSUB NUMSUB metrics:%s", customer);
  long long n = reply->element[1]->integer;
  freeReplyObject(reply);
  return n;
}

static void published_to_those_who_watch(void **state) {
  fixture *b = *state;
  assert_int_equal(do_publish(b, "c", 3), AU_OK);
  watch(b, "c", true);
  watch(b, "c", true);
  RUN_UNTIL(b, subscribers(b, "c") == 1);
  bench_run_ms(b, 20);
  assert_int_equal(do_publish(b, "c", 5), AU_OK);
  RUN_UNTIL(b, b->published > 0);
  assert_string_equal(b->metrics_id, "c");
  assert_int_equal(b->metrics.count, 5);
  assert_true(b->metrics.ema == 1.5);
  assert_int_equal(b->metrics.timestamp_ms, 1700000000000);
  assert_int_equal(do_publish(b, "other", 5), AU_OK);
  bench_run_ms(b, 20);
  assert_int_equal(b->published, 1);
  watch(b, "c", false);
  RUN_UNTIL(b, subscribers(b, "c") == 0);
  assert_int_equal(do_publish(b, "c", 6), AU_OK);
  bench_run_ms(b, 20);
  assert_int_equal(b->published, 1);
}

/* On and off in one turn, and again: the last word counts. */
static void watched_and_not_and_watched(void **state) {
  fixture *b = *state;
  for (int i = 0; i < 7; i++) watch(b, "c", i % 2 == 0);
  RUN_UNTIL(b, subscribers(b, "c") == 1);
  for (int i = 0; i < 7; i++) {
    watch(b, "c", i % 2 == 1);
    uv_run(&b->loop, UV_RUN_NOWAIT);
  }
  RUN_UNTIL(b, subscribers(b, "c") == 0);
}

/* More than are asked for at once. */
static void many_are_watched(void **state) {
  fixture *b = *state;
  char id[16];
  for (int i = 0; i < 3000; i++) {
    snprintf(id, sizeof id, "c%d", i);
    watch(b, id, true);
  }
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:*") == 3000);
  ASK(&b->server, "PUBLISH metrics:c2999 %s",
      "{\"customerId\":\"c2999\",\"count\":1,\"ema\":1,\"timestamp\":1}");
  RUN_UNTIL(b, b->published == 1);
}

static void messages_of_other_programs(void **state) {
  fixture *b = *state;
  static const char *const ignored[] = {
      "junk",
      "",
      "[]",
      "{}",
      "{\"customerId\":\"d\",\"count\":1,\"ema\":1,\"timestamp\":1}",
      "{\"customerId\":\"c\",\"count\":-1,\"ema\":1,\"timestamp\":1}"};
  watch(b, "c", true);
  RUN_UNTIL(b, subscribers(b, "c") == 1);
  for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
    ASK(&b->server, "PUBLISH metrics:c %s", ignored[i]);
  ASK(&b->server, "PUBLISH metrics:c %s",
      "{\"customerId\":\"c\",\"count\":9,\"ema\":2.25,\"timestamp\":5,\"more\":1}");
  RUN_UNTIL(b, b->published > 0);
  assert_int_equal(b->published, 1);
  assert_int_equal(b->metrics.count, 9);
  assert_int_equal(b->counters.store_foreign, sizeof ignored / sizeof ignored[0]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(an_unknown_customer_is_zero_and_stays_unknown),
      CASE(what_another_program_wrote_as_ema),
      CASE(what_another_program_wrote_as_tick),
      CASE(saved_and_read_back),
      CASE(one_of_two_ticks),
      CASE(another_data_set),
      CASE(a_save_clears_ended_sessions),
      CASE(who_is_due),
      CASE(what_is_no_customer_is_taken_off),
      CASE(one_holds_the_lease),
      CASE(odd_leases),
      CASE(the_holder_scans),
      CASE(forgotten_only_when_empty),
      CASE(published_to_those_who_watch),
      CASE(watched_and_not_and_watched),
      CASE(many_are_watched),
      CASE(messages_of_other_programs),
  };
  return cmocka_run_group_tests_name("redis_customers", tests, NULL, NULL);
}

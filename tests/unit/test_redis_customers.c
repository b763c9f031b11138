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
  bench *b = bench_create();
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
  bench *b = *state;
  ASK(&b->server, "CONFIG RESETSTAT");
  outcome o = do_sample(b, "nobody");
  assert_int_equal(o.status, AU_OK);
  assert_int_equal(o.sample.count, 0);
  assert_false(o.sample.has_ema);
  assert_int_equal(o.sample.elapsed_ms, 0);
  assert_false(o.sample.stale);
  assert_int_equal(ASK(&b->server, "DBSIZE"), 1); /* au:epoch */
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
  bench *b = *state;
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
  assert_false(is_well(b->store)); /* told, and put right by the next tick */
  assert_true(is_available(b->store));
  assert_int_equal(do_save(b, "c", 2), AU_OK);
  assert_true(do_sample(b, "c").sample.has_ema);
  RUN_UNTIL(b, is_well(b->store));
}

static void saved_and_read_back(void **state) {
  bench *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_save(b, "c", 40.4), AU_OK);
  assert_true(holds(b, "ema:c", "40.4"));
  assert_int_equal(ASK(&b->server, "TTL ema:c"), -1);
  long long ticked = ASK(&b->server, "ZSCORE au:customers c");
  assert_in_range(ticked, redis_ms(b) - 2000, redis_ms(b));
  bench_run_ms(b, 60);
  outcome o = do_sample(b, "c");
  assert_int_equal(o.sample.count, 1);
  assert_true(o.sample.has_ema);
  assert_true(o.sample.ema == 40.4);
  assert_in_range(o.sample.elapsed_ms, 55, 3000);
}

/* More of them than one portion takes. */
static void a_save_clears_ended_sessions(void **state) {
  bench *b = *state;
  assert_int_equal(do_join(b, "c", "live"), AU_OK);
  for (int i = 0; i < 1700; i++) ASK(&b->server, "ZADD au:idx:c %d dead%d", 1000 + i, i);
  assert_int_equal(do_sample(b, "c").sample.count, 1);
  assert_int_equal(do_save(b, "c", 1), AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:idx:c") == 1);
}

static void who_is_due(void **state) {
  bench *b = *state;
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
  assert_int_equal(do_save(b, "older", 1), AU_OK); /* takes it off */
  assert_int_equal(do_due(b, 1000, 0, 10).n, 2);
}

static void what_is_no_customer_is_taken_off(void **state) {
  bench *b = *state;
  ASK(&b->server, "ZADD au:customers 0 good 0 %s 0 %b", "not:an:id", "\0\n", (size_t)2);
  outcome o = do_due(b, 1000, 0, 10);
  assert_int_equal(o.n, 1);
  assert_string_equal(o.ids[0], "good");
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:customers") == 1);
}

static void forgotten_only_when_empty(void **state) {
  bench *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_save(b, "c", 1), AU_OK);
  assert_int_equal(do_forget(b, "c"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS ema:c au:idx:c au:customers"), 3);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  ASK(&b->server, "ZADD au:idx:c 1000 ended");
  assert_int_equal(do_forget(b, "c"), AU_OK);
  assert_int_equal(ASK(&b->server, "DBSIZE"), 1); /* au:epoch */
}

/* ---- messages ----------------------------------------------------------------------------- */

static void watch(bench *b, const char *customer, bool on) {
  b->store->ops->watch(b->store, slice_of(customer), on);
}

static long long subscribers(bench *b, const char *customer) {
  redisReply *reply = ask_redis(&b->server, "PUBSUB NUMSUB metrics:%s", customer);
  long long n = reply->element[1]->integer;
  freeReplyObject(reply);
  return n;
}

static void published_to_those_who_watch(void **state) {
  bench *b = *state;
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
  bench *b = *state;
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
  bench *b = *state;
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
  bench *b = *state;
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
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(an_unknown_customer_is_zero_and_stays_unknown),
      CASE(what_another_program_wrote_as_ema),
      CASE(saved_and_read_back),
      CASE(a_save_clears_ended_sessions),
      CASE(who_is_due),
      CASE(what_is_no_customer_is_taken_off),
      CASE(forgotten_only_when_empty),
      CASE(published_to_those_who_watch),
      CASE(watched_and_not_and_watched),
      CASE(many_are_watched),
      CASE(messages_of_other_programs),
  };
  return cmocka_run_group_tests_name("redis_customers", tests, NULL, NULL);
}

/* What another program may leave in our Redis, against a real redis-server: however large or odd
 * it is, the link stays, the round goes on behind it, and everybody else is counted. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "adapters/redis/scan/scan.h"
#include "redis_fixture.h"
#include "utils/log.h"

enum {
  HUGE = 17 * 1024 * 1024, /* more than a link takes of one reply */
  LONG = 70 * 1024,        /* more than a command may have */
};

static char *huge; /* HUGE bytes */

static const char session_json[] =
    "{\"customerId\":\"c\",\"sessionId\":\"s\",\"tabId\":\"t\",\"timestamp\":1}";

static int setup(void **state) {
  fixture *b = bench_create();
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

/* Whatever was there, the link to Redis was never lost. */
static int teardown(void **state) {
  fixture *b = *state;
  uint64_t reconnects = b->counters.store_reconnects;
  bench_free(b);
  assert_int_equal(reconnects, 0);
  return 0;
}

static const char *reason(fixture *b) {
  return b->store->ops->health(b->store).reason;
}

/* A session of another program for each of a few customers. */
static void write_neighbours(fixture *b) {
  ASK(&b->server, "SET presence:a:s %s EX 100", session_json);
  ASK(&b->server, "SET presence:c:other %s EX 100", session_json);
  ASK(&b->server, "SET presence:z:s %s EX 100", session_json);
}

static void expect_neighbours(fixture *b) {
  RUN_UNTIL(b,
            (do_tick(b), do_count(b, "a") == 1 && do_count(b, "c") == 1 && do_count(b, "z") == 1));
}

static void a_huge_value_under_a_presence_key(void **state) {
  fixture *b = *state;
  write_neighbours(b);
  ASK(&b->server, "SET presence:c:s %b EX 100", huge, (size_t)HUGE);
  expect_neighbours(b);
  /* The next beat takes the key over, as any foreign value. */
  au_beat beat = beat_of("c", "s", "t1");
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_BEAT), AU_OK);
  assert_true(holds(b, "presence:c:s", "\"tabId\":\"t1\""));
  assert_int_equal(do_count(b, "c"), 2);
  /* And nobody holds it when it is written again. */
  ASK(&b->server, "SET presence:c:s %b EX 100", huge, (size_t)HUGE);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(ASK(&b->server, "STRLEN presence:c:s"), HUGE);
}

/* 16 KiB are read, spaces and all. */
static void a_value_at_the_limit(void **state) {
  fixture *b = *state;
  enum { MOST = 16 * 1024 };
  char *value = malloc(MOST + 1);
  memset(value, ' ', MOST + 1);
  memcpy(value, session_json, strlen(session_json));
  ASK(&b->server, "SET presence:c:most %b EX 100", value, (size_t)MOST);
  ASK(&b->server, "SET presence:c:more %b EX 100", value, (size_t)MOST + 1);
  do_tick(b);
  assert_int_equal(do_count(b, "c"), 1);
  assert_int_equal(ASK(&b->server, "ZCARD au:idx:c"), 1);
  free(value);
}

static void huge_values_under_our_own_keys(void **state) {
  fixture *b = *state;
  write_neighbours(b);
  static const char *const keys[] = {"ema:c", "au:tick:c", "au:lease", "au:probe", "au:epoch"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    ASK(&b->server, "SET %s %b", keys[i], huge, (size_t)HUGE);
  expect_neighbours(b);
  outcome o = do_sample(b, "c");
  assert_false(o.sample.has_ema);
  assert_int_equal(o.sample.ticked_ms, 0);
  bench_run_ms(b, 1200); /* au:epoch is looked at once a second, and is another one */
  RUN_UNTIL(b, is_well(b->store));
  assert_int_equal(do_save(b, "c", 2), AU_OK);
  assert_true(do_sample(b, "c").sample.ema == 2);
  RUN_UNTIL(b, is_well(b->store));
}

/* They would count for ever. */
static void long_members_of_an_index(void **state) {
  fixture *b = *state;
  write_neighbours(b);
  ASK(&b->server, "ZADD au:idx:c +inf %b +inf %b", huge, (size_t)HUGE, huge, (size_t)LONG);
  ASK(&b->server, "ZADD au:idx:c +inf %b", huge, (size_t)200);
  expect_neighbours(b);
  assert_true(b->counters.store_foreign > 0);
  assert_int_equal(ASK(&b->server, "ZCARD au:idx:c"), 1);
}

/* Nobody would be ticked behind a page of them. */
static void long_members_of_the_list(void **state) {
  fixture *b = *state;
  write_neighbours(b);
  for (size_t i = 0; i < 40; i++) ASK(&b->server, "ZADD au:customers 0 %b", huge, (size_t)LONG + i);
  for (size_t i = 0; i < 40; i++) ASK(&b->server, "ZADD au:customers 0 %b", huge, (size_t)200 + i);
  ASK(&b->server, "ZADD au:customers +inf %b", huge, (size_t)HUGE);
  ASK(&b->server, "ZADD au:customers 0 zz");
  outcome o = do_due(b, 0, 0, 16);
  assert_int_equal(o.status, AU_OK);
  assert_int_equal(o.n, 1);
  assert_string_equal(o.ids[0], "zz");
  expect_neighbours(b);
  assert_int_equal(ASK(&b->server, "ZCARD au:customers"), 4);
}

static void long_names_of_keys(void **state) {
  fixture *b = *state;
  write_neighbours(b);
  for (size_t i = 0; i < 300; i++) ASK(&b->server, "SET presence:%b x", huge, (size_t)LONG + i);
  ASK(&b->server, "SET presence:%b x", huge, (size_t)HUGE);
  expect_neighbours(b);
  assert_true(b->counters.store_foreign >= 301);
}

static void a_huge_message(void **state) {
  fixture *b = *state;
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:*") == 1);
  ASK(&b->server, "PUBLISH metrics:c %b", huge, (size_t)HUGE);
  ASK(&b->server, "PUBLISH metrics:c %s",
      "{\"customerId\":\"c\",\"count\":9,\"ema\":2.25,\"timestamp\":5}");
  RUN_UNTIL(b, b->published == 1);
  assert_int_equal(b->metrics.count, 9);
  assert_int_equal(ASK(&b->server, "PUBSUB CHANNELS metrics:*"), 1);
  assert_true(is_well(b->store));
}

/* What is refused is left out: the other half of the round goes on. */
static void a_half_that_is_refused(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s1"), AU_OK);
  assert_int_equal(do_join(b, "c", "s2"), AU_OK);
  ASK(&b->server, "ACL SETUSER default -scan");
  ASK(&b->server, "DEL presence:c:s1");
  RUN_UNTIL(b, (do_tick(b), do_count(b, "c") == 1));
  RUN_UNTIL(b, (do_tick(b), strstr(reason(b), "the scan of redis fails") != NULL));
  ASK(&b->server, "ACL SETUSER default +scan");
  RUN_UNTIL(b, (do_tick(b), is_well(b->store)));
}

/* The count of a customer whose index is none fails, round by round; that of others does not. */
static void a_customer_at_fault(void **state) {
  fixture *b = *state;
  ASK(&b->server, "SET au:idx:c x");
  ASK(&b->server, "SET presence:c:s %s EX 100", session_json);
  for (int i = 0; i < 2 * REDIS_SCAN_FAILURES; i++) {
    char key[32];
    snprintf(key, sizeof key, "presence:d:s%d", i);
    ASK(&b->server, "SET %s %s EX 100", key, session_json);
    RUN_UNTIL(b, (do_tick(b), do_count(b, "d") == (uint32_t)i + 1));
  }
  assert_null(strstr(reason(b), "scan"));
}

/* Who scans no more has nothing to say of it. */
static void another_daemon_takes_the_lease(void **state) {
  fixture *b = *state;
  ASK(&b->server, "ACL SETUSER default -scan");
  RUN_UNTIL(b, (do_tick(b), strstr(reason(b), "scan") != NULL));
  ASK(&b->server, "SET au:lease another PX 60000");
  do_tick(b);
  assert_true(is_well(b->store));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT); /* refusals are the subject here */
  huge = malloc(HUGE);
  memset(huge, 'x', HUGE);
  const struct CMUnitTest tests[] = {
      CASE(a_huge_value_under_a_presence_key),
      CASE(a_value_at_the_limit),
      CASE(huge_values_under_our_own_keys),
      CASE(long_members_of_an_index),
      CASE(long_members_of_the_list),
      CASE(long_names_of_keys),
      CASE(a_huge_message),
      CASE(a_half_that_is_refused),
      CASE(a_customer_at_fault),
      CASE(another_daemon_takes_the_lease),
  };
  int failed = cmocka_run_group_tests_name("redis_foreign", tests, NULL, NULL);
  free(huge);
  return failed;
}

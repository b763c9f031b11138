/* The scan against a real redis-server: what other programs write under presence:* counts,
 * what is deleted by hand does not, and what is no session is left alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "redis_fixture.h"
#include "utils/log.h"

static int setup(void **state) {
  fixture *b = bench_create();
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

static int teardown(void **state) {
  bench_free(*state);
  return 0;
}

static const char session_json[] =
    "{\"customerId\":\"c\",\"sessionId\":\"s\",\"tabId\":\"t\",\"timestamp\":1}";

/* In the very tick that follows. */
static void a_key_of_another_program_counts(void **state) {
  fixture *b = *state;
  ASK(&b->server, "SET presence:c:s %s EX 100", session_json);
  assert_int_equal(do_count(b, "c"), 0);
  outcome o;
  b->store->ops->scan(b->store);
  DO(b, &o, b->store->ops->due(b->store, 0, 0, 0, 16, on_listed, &o));
  assert_int_equal(o.n, 1);
  assert_string_equal(o.ids[0], "c");
  assert_int_equal(do_count(b, "c"), 1);
  RUN_UNTIL(b, b->changed == 1);
  assert_string_equal(b->changed_id, "c");
  long long score = ASK(&b->server, "ZSCORE au:idx:c s");
  long long end = ASK(&b->server, "PEXPIRETIME presence:c:s");
  assert_in_range(score, end - 1000, end);
  do_tick(b); /* nothing is left to do */
  bench_run_ms(b, 20);
  assert_int_equal(b->changed, 1);
}

static void a_key_without_an_end_is_given_one(void **state) {
  fixture *b = *state;
  ASK(&b->server, "SET presence:c:s1 %s", session_json);
  assert_int_equal(do_join(b, "c", "s2"), AU_OK);
  ASK(&b->server, "PERSIST presence:c:s2");
  do_tick(b);
  RUN_UNTIL(b, ASK(&b->server, "TTL presence:c:s1") > 170);
  RUN_UNTIL(b, ASK(&b->server, "TTL presence:c:s2") > 170);
  assert_int_equal(do_count(b, "c"), 2);
}

static const struct {
  const char *name, *key, *value;
} foreign[] = {
    {"junk", "presence:c:junk", "no JSON"},
    {"an array", "presence:c:array", "[1,2]"},
    {"a number", "presence:c:number", "17"},
    {"empty", "presence:c:empty", ""},
    {"cut off", "presence:c:cut", "{\"customerId\":"},
    {"no session", "presence:c", session_json},
    {"an empty session", "presence:c:", session_json},
    {"an empty customer", "presence::s", session_json},
    {"one part more", "presence:c:s:t", session_json},
    {"a blank", "presence:c:s t", session_json},
    {"a brace", "presence:{c}:s", session_json},
    {"a star", "presence:*:s", session_json},
    {"a longer prefix", "presences:c:s", session_json},
    {"an id too long",
     "presence:c:"
     "sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
     "sssssssssssssssssssssssssssssssssssssssssssssssssssssss",
     session_json},
};

/* They are neither counted, nor given an end, nor deleted; a session beside them counts. */
static void what_is_no_session_is_left_alone(void **state) {
  fixture *b = *state;
  for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
    ASK(&b->server, "SET %s %s", foreign[i].key, foreign[i].value);
  ASK(&b->server, "RPUSH presence:c:list a");
  ASK(&b->server, "HSET presence:c:hash tabId t");
  ASK(&b->server, "SET presence:c:good %s", session_json);
  do_tick(b);
  assert_int_equal(do_count(b, "c"), 1);
  for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
    if (ASK(&b->server, "TTL %s", foreign[i].key) != -1)
      fail_msg("%s was changed", foreign[i].name);
  assert_int_equal(ASK(&b->server, "ZCARD au:customers"), 1);
  assert_int_equal(ASK(&b->server, "TTL presence:c:list"), -1);
  assert_true(is_available(b->store));
}

static void a_key_deleted_by_hand_counts_no_longer(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s1"), AU_OK);
  assert_int_equal(do_join(b, "c", "s2"), AU_OK);
  assert_int_equal(do_join(b, "d", "s1"), AU_OK);
  RUN_UNTIL(b, b->changed >= 2);
  bench_run_ms(b, 20);
  b->changed = 0;
  ASK(&b->server, "DEL presence:c:s1");
  do_tick(b);
  assert_int_equal(do_count(b, "c"), 1);
  assert_int_equal(do_count(b, "d"), 1);
  assert_int_equal(b->store->ops->health(b->store).sessions, 2);
  assert_int_equal(b->store->ops->renewed_ago_ms(b->store, slice_of("c"), slice_of("s1"), NULL),
                   -1);
  RUN_UNTIL(b, b->changed == 1);
  assert_string_equal(b->changed_id, "c");
  do_tick(b);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s1"), 0); /* it stays deleted */
}

/* Another program renewed a key on its own: the index follows, and is never shortened. */
static void ends_that_were_moved(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "longer"), AU_OK);
  assert_int_equal(do_join(b, "c", "shorter"), AU_OK);
  assert_int_equal(do_join(b, "c", "ended"), AU_OK);
  ASK(&b->server, "EXPIRE presence:c:longer 1000");
  ASK(&b->server, "EXPIRE presence:c:shorter 10");
  ASK(&b->server, "ZADD au:idx:c 1000 ended"); /* as if its deadline had passed */
  long long longer = ASK(&b->server, "ZSCORE au:idx:c longer");
  long long shorter = ASK(&b->server, "ZSCORE au:idx:c shorter");
  assert_int_equal(do_count(b, "c"), 2);
  do_tick(b);
  assert_in_range(ASK(&b->server, "ZSCORE au:idx:c longer"), longer + 800000, longer + 830000);
  assert_int_equal(ASK(&b->server, "ZSCORE au:idx:c shorter"), shorter);
  assert_int_equal(do_count(b, "c"), 3);
}

/* A beat that comes while a round is between reading a key's end and writing it down, at
 * whatever turn: the later deadline stays. */
static void a_beat_within_a_round(void **state) {
  fixture *b = *state;
  for (int turns = 0; turns < 16; turns++) {
    assert_int_equal(do_join(b, "c", "s"), AU_OK);
    ASK(&b->server, "EXPIRE presence:c:s 1000");
    bench_run_ms(b, 20);
    b->store->ops->scan(b->store);
    for (int i = 0; i < turns; i++) uv_run(&b->loop, UV_RUN_ONCE);
    ASK(&b->server, "ZADD au:idx:c 99999999999999 s");
    outcome o;
    DO(b, &o, b->store->ops->due(b->store, 0, 0, 0, 16, on_listed, &o));
    bench_run_ms(b, 20);
    assert_int_equal(ASK(&b->server, "ZSCORE au:idx:c s"), 99999999999999);
  }
}

/* Whatever happened to our own keys, presence:* says who is there. */
static void our_own_keys_deleted(void **state) {
  fixture *b = *state;
  char session[16];
  for (int i = 0; i < 5; i++) {
    snprintf(session, sizeof session, "s%d", i);
    assert_int_equal(do_join(b, i % 2 ? "c" : "d", session), AU_OK);
  }
  ASK(&b->server, "DEL au:idx:c au:customers");
  do_tick(b);
  assert_int_equal(do_count(b, "c"), 2);
  assert_int_equal(do_count(b, "d"), 3);
  assert_int_equal(ASK(&b->server, "ZCARD au:customers"), 2);
}

/* Only another program can write these: they would count for ever, and nobody would ever be
 * due. */
static void odd_members_of_our_own_keys(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  ASK(&b->server, "ZADD au:idx:c +inf gone +inf s 99999999999999 %s -inf ended", "not:an:id");
  ASK(&b->server, "ZADD au:idx:c 99999999999999 %b", "a\0b", (size_t)3);
  ASK(&b->server, "ZADD au:customers 99999999999999 c +inf d");
  assert_int_equal(do_count(b, "c"), 4);
  do_tick(b);
  RUN_UNTIL(b, do_count(b, "c") == 1);
  assert_int_equal(ASK(&b->server, "ZSCORE au:customers c"), 0);
  assert_int_equal(ASK(&b->server, "ZSCORE au:customers d"), 0);
  ASK(&b->server, "DEL presence:c:s");
  do_tick(b);
  RUN_UNTIL(b, do_count(b, "c") == 0);
}

static void our_own_keys_of_the_wrong_type(void **state) {
  fixture *b = *state;
  ASK(&b->server, "SET au:idx:c x");
  ASK(&b->server, "SET presence:c:s %s EX 100", session_json);
  ASK(&b->server, "SET presence:d:s %s EX 100", session_json);
  do_tick(b);
  assert_int_equal(do_count(b, "d"), 1);
  do_tick(b);
  ASK(&b->server, "DEL au:customers");
  ASK(&b->server, "SET au:customers x");
  b->store->ops->scan(b->store);
  bench_run_ms(b, 50);
  ASK(&b->server, "DEL au:customers au:idx:c");
  do_tick(b);
  RUN_UNTIL(b, (do_tick(b), do_count(b, "c") == 1 && do_count(b, "d") == 1));
}

/* Many pages, many customers, one with many members; all in one tick. */
static void a_large_keyspace(void **state) {
  fixture *b = *state;
  enum { KEYS = 9000 };
  for (int i = 0; i < KEYS; i++)
    redisAppendCommand(b->server.direct, "SET presence:%s%d:s%d %s EX 100", i % 2 ? "big" : "c",
                       i % 2 ? 0 : i % 600, i, session_json);
  for (int i = 0; i < KEYS; i++) {
    redisReply *reply;
    assert_int_equal(redisGetReply(b->server.direct, (void **)&reply), REDIS_OK);
    freeReplyObject(reply);
  }
  do_tick(b); /* which waits for the round, but on a busy machine no longer than a second */
  RUN_UNTIL(b, do_count(b, "big0") == KEYS / 2);
  RUN_UNTIL(b, do_count(b, "c2") == KEYS / 600);
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:customers") == 301);
  RUN_UNTIL(b, b->changed >= 301);

  for (int i = 0; i < KEYS; i += 3)
    ASK(&b->server, "DEL presence:%s%d:s%d", i % 2 ? "big" : "c", i % 2 ? 0 : i % 600, i);
  bench_run_ms(b, 1000); /* the pause after a round is as long as the round */
  do_tick(b);
  RUN_UNTIL(b, (do_tick(b), do_count(b, "big0") == KEYS / 2 - KEYS / 6));
  RUN_UNTIL(b, do_count(b, "c2") == KEYS / 600);
  RUN_UNTIL(b, do_count(b, "c0") == 0);
}

/* A round under way is not begun again, and one that loses its link ends. */
static void a_round_that_loses_its_link(void **state) {
  fixture *b = *state;
  char session[16];
  for (int i = 0; i < 600; i++) {
    snprintf(session, sizeof session, "s%d", i);
    ASK(&b->server, "SET presence:c:%s %s EX 100", session, session_json);
  }
  for (unsigned turns = 0; turns < 30; turns++) {
    outcome o = {0};
    if (!b->store) bench_start(b);
    ASK(&b->server, "DEL au:lease"); /* of the store before */
    ASK(&b->server, "DEL au:idx:c");
    b->store->ops->scan(b->store);
    b->store->ops->scan(b->store);
    au_status begun = b->store->ops->due(b->store, 0, 0, 0, 16, on_listed, &o);
    assert_int_equal(begun, AU_OK);
    for (unsigned i = 0; i < turns; i++) uv_run(&b->loop, UV_RUN_NOWAIT);
    ASK(&b->server, "CLIENT KILL TYPE normal SKIPME yes");
    RUN_UNTIL(b, o.calls == 1);
    RUN_UNTIL(b, b->counters.store_reconnects == turns + 1 && is_well(b->store));
    RUN_UNTIL(b, (do_tick(b), do_count(b, "c") == 600));
    bench_close(b, &b->store); /* a link that is lost again at once would wait longer each time */
  }
}

/* Nobody else writes: a round changes nothing and tells nobody. */
static void nothing_to_do(void **state) {
  fixture *b = *state;
  do_tick(b);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  RUN_UNTIL(b, b->changed == 1);
  long long writes = ASK(&b->server, "ZSCORE au:idx:c s");
  for (int i = 0; i < 3; i++) do_tick(b);
  bench_run_ms(b, 20);
  assert_int_equal(b->changed, 1);
  assert_int_equal(ASK(&b->server, "ZSCORE au:idx:c s"), writes);
  assert_int_equal(ASK(&b->server, "DBSIZE"), 5); /* key, index, list, lease, epoch */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(a_key_of_another_program_counts),
      CASE(a_key_without_an_end_is_given_one),
      CASE(what_is_no_session_is_left_alone),
      CASE(a_key_deleted_by_hand_counts_no_longer),
      CASE(ends_that_were_moved),
      CASE(a_beat_within_a_round),
      CASE(our_own_keys_deleted),
      CASE(odd_members_of_our_own_keys),
      CASE(our_own_keys_of_the_wrong_type),
      CASE(a_large_keyspace),
      CASE(a_round_that_loses_its_link),
      CASE(nothing_to_do),
  };
  return cmocka_run_group_tests_name("redis_scan", tests, NULL, NULL);
}

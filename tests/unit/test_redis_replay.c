/* What happens while a Redis is told what it missed: touches, endings, refusals and another
 * loss in the middle of it. In the end Redis has what was acknowledged, and nothing else. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "redis_fixture.h"
#include "utils/log.h"

enum { MANY = 3000 };

static int setup(void **state) {
  fixture *b = bench_create();
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

/* The test opens the store, with a configuration of its own. */
static int setup_closed(void **state) {
  fixture *b = bench_create();
  server_start(&b->server);
  *state = b;
  return 0;
}

static int teardown(void **state) {
  bench_free(*state);
  return 0;
}

static void join_many(fixture *b, const char *customer, int n) {
  outcome *o = calloc((size_t)n, sizeof *o);
  char id[16];
  for (int i = 0; i < n; i++) {
    snprintf(id, sizeof id, "s%d", i);
    au_beat beat = beat_of(customer, id, "t1");
    assert_int_equal(b->store->ops->touch(b->store, &beat, AU_TOUCH_JOIN, on_done, &o[i]), AU_OK);
  }
  for (int i = 0; i < n; i++) RUN_UNTIL(b, o[i].calls == 1);
  for (int i = 0; i < n; i++) assert_int_equal(o[i].status, AU_OK);
  free(o);
}

/* A Redis that has lost everything, as the store knows. */
static void lose_data(fixture *b) {
  ASK(&b->server, "FLUSHALL");
  RUN_UNTIL(b, !is_well(b->store));
}

/* In the middle of the replay of MANY. */
static void begin_replay_of_many(fixture *b) {
  join_many(b, "c", MANY);
  server_kill(&b->server);
  RUN_UNTIL(b, !is_well(b->store));
  server_start(&b->server);
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:idx:c") > 300);
  assert_true(ASK(&b->server, "ZCARD au:idx:c") < MANY);
}

static void expect_whole(fixture *b, const char *customer, uint32_t count) {
  RUN_UNTIL(b, is_well(b->store));
  outcome o = do_sample(b, customer);
  assert_int_equal(o.sample.count, count);
  assert_false(o.sample.stale);
}

static bool is_there(fixture *b, const char *session) {
  return ASK(&b->server, "EXISTS presence:c:%s", session) == 1;
}

static void touches_and_leaves_meanwhile(void **state) {
  fixture *b = *state;
  begin_replay_of_many(b);
  assert_int_equal(do_leave(b, "c", "s0", "t1"), AU_OK);    /* the last on its way */
  assert_int_equal(do_leave(b, "c", "s2999", "t1"), AU_OK); /* the first, which is there */
  assert_int_equal(do_leave(b, "c", "s1", "t1"), AU_OK);
  assert_int_equal(do_join(b, "c", "s1"), AU_OK);
  assert_int_equal(do_leave(b, "c", "s3", "other"), AU_OK); /* held by another tab */
  assert_int_equal(do_join(b, "c", "new"), AU_OK);
  expect_whole(b, "c", MANY - 1);
  assert_false(is_there(b, "s0") || is_there(b, "s2999"));
  assert_true(is_there(b, "s1") && is_there(b, "s3") && is_there(b, "new"));
}

static void its_data_is_lost_again(void **state) {
  fixture *b = *state;
  begin_replay_of_many(b);
  ASK(&b->server, "FLUSHALL");
  expect_whole(b, "c", MANY);
  assert_int_equal(ASK(&b->server, "DBSIZE"), MANY + 3); /* index, list and epoch */
}

static void it_refuses_again(void **state) {
  fixture *b = *state;
  begin_replay_of_many(b);
  ASK(&b->server, "CONFIG SET maxmemory 1");
  RUN_UNTIL(b, strstr(b->store->ops->health(b->store).reason, "out of memory"));
  assert_int_equal(do_leave(b, "c", "s5", "t1"), AU_OK);
  assert_true(do_sample(b, "c").sample.stale);
  ASK(&b->server, "CONFIG SET maxmemory 0");
  expect_whole(b, "c", MANY - 1);
  assert_false(is_there(b, "s5"));
}

static void its_link_is_lost_again_and_again(void **state) {
  fixture *b = *state;
  begin_replay_of_many(b);
  for (int i = 0; i < 5; i++) {
    ASK(&b->server, "CLIENT KILL TYPE normal SKIPME yes");
    bench_run_ms(b, 100);
  }
  expect_whole(b, "c", MANY);
}

static void stopped_in_the_middle(void **state) {
  fixture *b = *state;
  begin_replay_of_many(b);
  assert_int_equal(do_leave(b, "c", "s0", "t1"), AU_OK);
  bench_close(b, &b->store);
}

/* A customer that is at fault does not hold up the others. */
static void a_key_of_the_wrong_type(void **state) {
  fixture *b = *state;
  join_many(b, "broken", 3);
  join_many(b, "c", 600);
  freeReplyObject(ask_redis(&b->server, "MULTI"));
  freeReplyObject(ask_redis(&b->server, "FLUSHALL"));
  freeReplyObject(ask_redis(&b->server, "SET au:idx:broken x"));
  freeReplyObject(ask_redis(&b->server, "EXEC"));
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:idx:c") == 600);
  RUN_UNTIL(b, !do_sample(b, "c").sample.stale);
  assert_int_equal(do_sample(b, "c").sample.count, 600);
  outcome o = do_sample(b, "broken");
  assert_int_equal(o.sample.count, 3);
  assert_true(o.sample.stale);
}

/* The touch is on its way to Redis when its tab leaves, which Redis is told later; or at
 * once, behind the touch. */
static void a_leave_behind_a_touch_on_its_way(void **state) {
  fixture *b = *state;
  for (int later = 0; later < 2; later++) {
    outcome touched = {0};
    au_beat beat = beat_of("c", "s0", "t1");
    if (later)
      begin_replay_of_many(b);
    else
      lose_data(b);
    assert_int_equal(do_join(b, "c", "s0"), AU_OK);
    kill(b->server.pid, SIGSTOP);
    assert_int_equal(b->store->ops->touch(b->store, &beat, AU_TOUCH_BEAT, on_done, &touched),
                     AU_OK);
    assert_int_equal(do_leave(b, "c", "s0", "t1"), AU_OK);
    kill(b->server.pid, SIGCONT);
    RUN_UNTIL(b, touched.calls == 1);
    assert_int_equal(touched.status, AU_OK);
    expect_whole(b, "c", later ? MANY - 1 : 0);
    assert_false(is_there(b, "s0"));
    assert_int_equal(b->store->ops->renewed_ago_ms(b->store, slice_of("c"), slice_of("s0"), NULL),
                     -1);
  }
}

/* The same when the touch fails, and for a socket that vanishes. */
static void an_ending_behind_a_touch_that_fails(void **state) {
  fixture *b = *state;
  outcome touched[3] = {0}, shortened;
  au_beat left = beat_of("c", "left", "t1"), short_lived = beat_of("c", "short", "t1"),
          back = beat_of("c", "back", "t1");
  const au_store_ops *ops = b->store->ops;
  join_many(b, "c", 1);
  assert_int_equal(do_join(b, "c", "short"), AU_OK);
  lose_data(b);
  kill(b->server.pid, SIGSTOP);
  assert_int_equal(ops->touch(b->store, &left, AU_TOUCH_JOIN, on_done, &touched[0]), AU_OK);
  assert_int_equal(ops->touch(b->store, &short_lived, AU_TOUCH_BEAT, on_done, &touched[1]), AU_OK);
  assert_int_equal(do_leave(b, "c", "left", "t1"), AU_OK);
  assert_int_equal(do_leave(b, "c", "back", "t1"), AU_OK);
  assert_int_equal(ops->touch(b->store, &back, AU_TOUCH_JOIN, on_done, &touched[2]), AU_OK);
  DO(b, &shortened,
     ops->shorten(b->store, &short_lived, b->config.disconnect_grace_ms, AU_SHORTEN_DISCONNECTED,
                  on_done, &shortened));
  RUN_UNTIL(b, touched[0].calls + touched[1].calls + touched[2].calls == 3); /* out of patience */
  kill(b->server.pid, SIGCONT);
  expect_whole(b, "c", 3);
  assert_false(is_there(b, "left"));
  assert_true(is_there(b, "back"));
  assert_true(ASK(&b->server, "PTTL presence:c:short") <= b->config.disconnect_grace_ms);
}

/* Leaves that were refused when they were told are told again. */
static void leaves_that_are_refused(void **state) {
  fixture *b = *state;
  join_many(b, "c", 3);
  ASK(&b->server, "ACL SETUSER default -eval");
  assert_int_equal(do_leave(b, "c", "s0", "t1"), AU_OK);
  assert_int_equal(do_leave(b, "c", "s1", "t1"), AU_OK);
  uint64_t errors = b->counters.store_errors;
  RUN_UNTIL(b, b->counters.store_errors >= errors + 2); /* tried, and refused */
  assert_int_equal(do_sample(b, "c").sample.count, 1);
  ASK(&b->server, "ACL SETUSER default +eval");
  expect_whole(b, "c", 1);
  assert_false(is_there(b, "s0") || is_there(b, "s1"));
}

/* Half of a touch: the key is there, and lives longer than it is told again. */
static void what_is_there_is_counted(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  ASK(&b->server, "ACL SETUSER default -zadd");
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  ASK(&b->server, "ZREM au:idx:c s");
  ASK(&b->server, "PEXPIRE presence:c:s 1000000");
  ASK(&b->server, "ACL SETUSER default +zadd");
  expect_whole(b, "c", 1);
  assert_true(ASK(&b->server, "PTTL presence:c:s") > 900000);
}

/* An empty shop's average goes on to fall, wherever its fall began. */
static void averages_of_customers_without_sessions(void **state) {
  fixture *b = *state;
  enum { CUSTOMERS = 600 };
  char id[16];
  for (int i = 0; i < CUSTOMERS; i++) {
    snprintf(id, sizeof id, "c%d", i);
    assert_int_equal(do_join(b, id, "s"), AU_OK);
    assert_int_equal(do_save(b, id, 0.5 + i), AU_OK);
    if (i > 0) assert_int_equal(do_leave(b, id, "s", "t1"), AU_OK);
  }
  long long tick_ms = ASK(&b->server, "GET au:tick:c7");
  lose_data(b);
  expect_whole(b, "c0", 1);
  assert_int_equal(ASK(&b->server, "KEYS ema:*"), CUSTOMERS);
  assert_true(holds(b, "ema:c7", "7.5"));
  assert_int_equal(ASK(&b->server, "GET au:tick:c7"), tick_ms);
  assert_int_equal(ASK(&b->server, "ZCARD au:customers"), CUSTOMERS);
  outcome o = do_sample(b, "c7");
  assert_true(o.sample.has_ema && o.sample.ema == 7.5 && o.sample.count == 0);
}

/* It is not made anew by the first tick after the return, nor missing until then. */
static void an_average_that_was_begun_without_redis(void **state) {
  fixture *b = *state;
  server_kill(&b->server);
  RUN_UNTIL(b, !is_well(b->store));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_save(b, "c", 3.5), AU_OK);
  server_start(&b->server);
  expect_whole(b, "c", 1);
  outcome o = do_sample(b, "c");
  assert_true(o.sample.has_ema && o.sample.ema == 3.5);
  assert_in_range(o.sample.elapsed_ms, 1, 60000);
  assert_int_equal(do_save(b, "c", 4.5), AU_OK); /* of another time, and then of this one */
  ASK(&b->server, "CLIENT KILL TYPE normal SKIPME yes");
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  expect_whole(b, "c", 1);
  assert_true(holds(b, "ema:c", "4.5"));
}

/* Nobody gains time by the replay, nor looks younger. */
static void it_keeps_its_time(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  long long joined_ms = redis_ms(b), score = ASK(&b->server, "ZSCORE au:idx:c s");
  bench_run_ms(b, 1100);
  lose_data(b);
  expect_whole(b, "c", 1);
  long long left_ms = ASK(&b->server, "PTTL presence:c:s");
  assert_in_range(redis_ms(b) + left_ms, joined_ms + 179500, joined_ms + 180100);
  assert_in_range(ASK(&b->server, "ZSCORE au:idx:c s"), score - 50, score + 50);
}

static void sessions_end_while_they_are_on_their_way(void **state) {
  fixture *b = *state;
  b->config.presence_ttl_s = 1;
  bench_start(b);
  join_many(b, "c", MANY);
  server_kill(&b->server);
  bench_run_ms(b, 900);
  server_start(&b->server);
  RUN_UNTIL(b, do_sample(b, "c").sample.count == 0);
  expect_whole(b, "c", 0);
  assert_int_equal(ASK(&b->server, "KEYS presence:*"), 0);
}

/* Of sessions that are not known here as well. */
static void what_is_owed_is_bounded(void **state) {
  fixture *b = *state;
  b->config.max_sessions = 2;
  bench_start(b);
  server_kill(&b->server);
  RUN_UNTIL(b, !is_well(b->store));
  assert_int_equal(do_leave(b, "c", "a", "t1"), AU_OK);
  assert_int_equal(do_leave(b, "c", "b", "t1"), AU_OK);
  assert_int_equal(do_leave(b, "c", "c", "t1"), AU_EBUSY);
  assert_int_equal(do_join(b, "c", "a"), AU_OK);
  assert_int_equal(do_leave(b, "c", "c", "t1"), AU_OK);
  server_start(&b->server);
  expect_whole(b, "c", 1);
}

/* Another daemon knows a session that has left here; so does an old snapshot. */
static void who_has_left_stays_away(void **state) {
  fixture *b = *state;
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  au_beat beat = beat_of("c", "s", "t1"), back = beat_of("c", "back", "t1");
  au_beat here = beat_of("c", "moved", "t1"), there = beat_of("c", "moved", "t2");
  assert_int_equal(do_touch(b, b->other, &here, AU_TOUCH_JOIN), AU_OK);
  assert_int_equal(do_touch(b, b->other, &beat, AU_TOUCH_JOIN), AU_OK);
  assert_int_equal(do_touch(b, b->other, &back, AU_TOUCH_JOIN), AU_OK);
  bench_run_ms(b, 60);
  assert_int_equal(do_touch(b, b->store, &there, AU_TOUCH_JOIN), AU_OK);
  bench_run_ms(b, 120);
  assert_int_equal(do_leave(b, "c", "moved", "t2"), AU_OK);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(do_leave(b, "c", "back", "t1"), AU_OK);
  assert_true(ASK(&b->server, "PTTL au:left:c") > 0);
  bench_run_ms(b, 60);
  assert_int_equal(do_touch(b, b->other, &back, AU_TOUCH_JOIN), AU_OK);
  ASK(&b->server, "FLUSHALL");
  RUN_UNTIL(b, !is_well(b->store) && !is_well(b->other));
  RUN_UNTIL(b, is_well(b->other));
  expect_whole(b, "c", 1);
  assert_false(is_there(b, "s"));
  assert_false(is_there(b, "moved"));
  assert_true(is_there(b, "back"));
}

/* It is over though people leave all the while: not one turn in which nobody does is needed. */
static void leaves_that_never_end(void **state) {
  fixture *b = *state;
  enum { AT_ONCE = 32 };
  outcome left[AT_ONCE];
  char id[16];
  ASK(&b->server, "CLIENT KILL TYPE normal SKIPME yes");
  RUN_UNTIL(b, !is_well(b->store));
  bool whole = false;
  for (uint64_t end = uv_hrtime() + FIXTURE_PATIENCE_MS * 1000000ull; !whole;) {
    memset(left, 0, sizeof left);
    for (int i = 0; i < AT_ONCE; i++) {
      snprintf(id, sizeof id, "s%d", i);
      const au_beat beat = beat_of("c", id, "t1");
      assert_int_equal(b->store->ops->leave(b->store, &beat, on_done, &left[i]), AU_OK);
      uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    whole = !do_sample(b, "c").sample.stale;
    for (int i = 0; i < AT_ONCE; i++) RUN_UNTIL(b, left[i].calls == 1);
    assert_true(uv_hrtime() < end);
  }
}

/* Redis knows only the tab before, or one that this daemon does not know. */
static void tabs_that_took_over_end_what_they_held(void **state) {
  fixture *b = *state;
  outcome shortened;
  const au_store_ops *ops = b->store->ops;
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  au_beat left = beat_of("c", "left", "t2"), short_lived = beat_of("c", "short", "t2"),
          away = beat_of("c", "away", "t2");
  assert_int_equal(do_join(b, "c", "left"), AU_OK);
  assert_int_equal(do_join(b, "c", "short"), AU_OK);
  assert_int_equal(do_join(b, "c", "away"), AU_OK);
  assert_int_equal(do_join(b, "c", "kept"), AU_OK);
  bench_run_ms(b, 60);
  assert_int_equal(do_touch(b, b->other, &away, AU_TOUCH_JOIN), AU_OK);
  bench_run_ms(b, 60);
  ASK(&b->server, "CONFIG SET maxmemory 1");
  assert_int_equal(do_touch(b, b->store, &left, AU_TOUCH_JOIN), AU_OK);
  RUN_UNTIL(b, !is_well(b->store));
  assert_int_equal(do_touch(b, b->store, &short_lived, AU_TOUCH_JOIN), AU_OK);
  assert_int_equal(do_leave(b, "c", "left", "t2"), AU_OK);
  assert_int_equal(do_leave(b, "c", "away", "t2"), AU_OK);
  assert_int_equal(do_leave(b, "c", "kept", "t2"), AU_OK);
  DO(b, &shortened,
     ops->shorten(b->store, &short_lived, b->config.disconnect_grace_ms, AU_SHORTEN_DISCONNECTED,
                  on_done, &shortened));
  ASK(&b->server, "CONFIG SET maxmemory 0");
  RUN_UNTIL(b, is_well(b->store));
  assert_false(is_there(b, "left"));
  assert_false(is_there(b, "away"));
  assert_true(is_there(b, "kept"));
  assert_true(ASK(&b->server, "PTTL presence:c:short") <= b->config.disconnect_grace_ms);
}

static void renew_and_shorten(fixture *b, au_store *at, const char *session) {
  outcome o;
  const au_beat beat = beat_of("c", session, "t1");
  assert_int_equal(do_touch(b, at, &beat, AU_TOUCH_BEAT), AU_OK);
  DO(b, &o,
     at->ops->shorten(at, &beat, b->config.disconnect_grace_ms, AU_SHORTEN_DISCONNECTED, on_done,
                      &o));
  assert_int_equal(o.status, AU_OK);
}

/* The daemon that it was at before would have it live for longer. Each of two daemons has one
 * such session, whichever of them restores first. */
static void a_session_that_was_shortened_elsewhere(void **state) {
  fixture *b = *state;
  static const char *const sessions[] = {"here", "there"};
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  au_beat here = beat_of("c", "here", "t1"), there = beat_of("c", "there", "t1");
  assert_int_equal(do_touch(b, b->other, &here, AU_TOUCH_JOIN), AU_OK);
  assert_int_equal(do_touch(b, b->store, &there, AU_TOUCH_JOIN), AU_OK);
  bench_run_ms(b, 120);
  renew_and_shorten(b, b->store, "here");
  renew_and_shorten(b, b->other, "there");
  ASK(&b->server, "FLUSHALL");
  RUN_UNTIL(b, !is_well(b->store) && !is_well(b->other));
  RUN_UNTIL(b, is_well(b->other));
  expect_whole(b, "c", 2);
  for (int i = 0; i < 2; i++) {
    long long end_ms = redis_ms(b) + b->config.disconnect_grace_ms;
    assert_in_range(ASK(&b->server, "PTTL presence:c:%s", sessions[i]), 1,
                    b->config.disconnect_grace_ms);
    assert_true(ASK(&b->server, "ZSCORE au:idx:c %s", sessions[i]) <= end_ms);
  }
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CASE_CLOSED(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(touches_and_leaves_meanwhile),
      CASE(its_data_is_lost_again),
      CASE(it_refuses_again),
      CASE(its_link_is_lost_again_and_again),
      CASE(stopped_in_the_middle),
      CASE(a_key_of_the_wrong_type),
      CASE(a_leave_behind_a_touch_on_its_way),
      CASE(an_ending_behind_a_touch_that_fails),
      CASE(leaves_that_are_refused),
      CASE(what_is_there_is_counted),
      CASE(averages_of_customers_without_sessions),
      CASE(an_average_that_was_begun_without_redis),
      CASE(it_keeps_its_time),
      CASE_CLOSED(sessions_end_while_they_are_on_their_way),
      CASE_CLOSED(what_is_owed_is_bounded),
      CASE(leaves_that_never_end),
      CASE(who_has_left_stays_away),
      CASE(tabs_that_took_over_end_what_they_held),
      CASE(a_session_that_was_shortened_elsewhere),
  };
  return cmocka_run_group_tests_name("redis_replay", tests, NULL, NULL);
}

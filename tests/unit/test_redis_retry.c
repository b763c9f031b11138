/* What a Redis refuses for one key alone is owed to that key: against a real redis-server in
 * which the index of a customer has the wrong type for a while. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "adapters/fallback/hints.h"
#include "redis_fixture.h"
#include "utils/log.h"

static int setup_closed(void **state) {
  fixture *b = bench_create();
  server_start(&b->server);
  *state = b;
  return 0;
}

static int setup(void **state) {
  (void)setup_closed(state);
  bench_start(*state);
  return 0;
}

static int teardown(void **state) {
  bench_free(*state);
  return 0;
}

/* Nobody is in Redis under a type that an index has. */
static void put_at_fault(fixture *b) {
  ASK(&b->server, "DEL au:idx:c");
  ASK(&b->server, "SET au:idx:c x");
}

static void mend(fixture *b) {
  ASK(&b->server, "DEL au:idx:c");
}

static bool is_there(fixture *b, const char *session) {
  return ASK(&b->server, "EXISTS presence:c:%s", session) == 1;
}

static bool is_counted(fixture *b, const char *session) {
  return ASK(&b->server, "ZSCORE au:idx:c %s", session) > 0;
}

static au_status do_shorten(fixture *b, const char *session, const char *tab, int64_t grace_ms) {
  outcome o;
  au_beat beat = beat_of("c", session, tab);
  DO(b, &o,
     b->store->ops->shorten(b->store, &beat, grace_ms, AU_SHORTEN_DISCONNECTED, on_done, &o));
  return o.status;
}

static void expect_count(fixture *b, uint32_t count) {
  outcome o = do_sample(b, "c");
  assert_int_equal(o.sample.count, count);
  assert_false(o.sample.stale);
}

static void a_leave(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  put_at_fault(b);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(do_sample(b, "c").sample.count, 0);
  assert_true(is_there(b, "s"));
  mend(b);
  RUN_UNTIL(b, !is_there(b, "s"));
  expect_count(b, 0);
  RUN_UNTIL(b, is_well(b->store));
}

static void a_touch(void **state) {
  fixture *b = *state;
  put_at_fault(b);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  mend(b);
  RUN_UNTIL(b, is_counted(b, "s"));
  expect_count(b, 1);
  assert_true(is_there(b, "s"));
}

static void a_vanished_socket(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  put_at_fault(b);
  assert_int_equal(do_shorten(b, "s", "t1", b->config.disconnect_grace_ms), AU_OK);
  mend(b);
  ASK(&b->server, "ZADD au:idx:c 9999999999999 s");
  RUN_UNTIL(b, ASK(&b->server, "PTTL presence:c:s") <= b->config.disconnect_grace_ms);
  assert_true(ASK(&b->server, "ZSCORE au:idx:c s") <= redis_ms(b) + b->config.disconnect_grace_ms);
}

/* It keeps the grace that it named. */
static void a_tab_that_leaves_with_a_grace(void **state) {
  fixture *b = *state;
  int64_t grace_ms = b->config.disconnect_grace_ms / 4;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  put_at_fault(b);
  assert_int_equal(do_shorten(b, "s", "t1", grace_ms), AU_OK);
  mend(b);
  ASK(&b->server, "ZADD au:idx:c 9999999999999 s");
  RUN_UNTIL(b, ASK(&b->server, "PTTL presence:c:s") <= b->config.disconnect_grace_ms);
  assert_true(ASK(&b->server, "PTTL presence:c:s") <= grace_ms);
}

/* All others are served as ever, and the answers of this one are the daemon's own. */
static void others_meanwhile(void **state) {
  fixture *b = *state;
  put_at_fault(b);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_join(b, "d", "s"), AU_OK);
  uint64_t errors = b->counters.store_errors;
  RUN_UNTIL(b, b->counters.store_errors >= errors + 3); /* tried again and again */
  assert_true(do_sample(b, "c").sample.stale);
  assert_false(do_sample(b, "d").sample.stale);
}

/* Mends what is at fault, and waits until all that was owed so far is paid. */
static void mend_and_pay(fixture *b) {
  assert_int_equal(do_join(b, "c", "last"), AU_OK);
  assert_int_equal(do_leave(b, "c", "last", "t1"), AU_OK);
  assert_int_equal(do_join(b, "c", "later"), AU_OK);
  mend(b);
  RUN_UNTIL(b, !is_there(b, "last") && is_counted(b, "later"));
  assert_int_equal(do_leave(b, "c", "later", "t1"), AU_OK);
}

static void who_comes_back_stays(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  put_at_fault(b);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  mend_and_pay(b);
  expect_count(b, 1);
  assert_true(is_there(b, "s"));
}

static void who_goes_again_is_gone(void **state) {
  fixture *b = *state;
  put_at_fault(b);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  mend_and_pay(b);
  expect_count(b, 0);
  assert_false(is_there(b, "s"));
}

/* Another daemon's tab has taken over what was left here: that one had it later. */
static void taken_over_elsewhere(void **state) {
  fixture *b = *state;
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  put_at_fault(b);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  bench_run_ms(b, 200);
  const au_beat later = beat_of("c", "s", "t2");
  assert_int_equal(do_touch(b, b->other, &later, AU_TOUCH_JOIN), AU_OK);
  mend_and_pay(b);
  RUN_UNTIL(b, is_counted(b, "s")); /* the other daemon pays as well */
  expect_count(b, 1);
  assert_true(is_there(b, "s"));
}

/* The leave is refused while the touch is on its way, which asks for a profile first: the touch
 * is over. */
static void a_leave_behind_a_touch(void **state) {
  fixture *b = *state;
  outcome touched = {0}, left = {0};
  const au_beat beat = beat_of("c", "s", "t1");
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  assert_int_equal(do_touch(b, b->other, &beat, AU_TOUCH_JOIN), AU_OK);
  put_at_fault(b);
  assert_int_equal(b->store->ops->touch(b->store, &beat, AU_TOUCH_BEAT, on_done, &touched), AU_OK);
  assert_int_equal(b->store->ops->leave(b->store, &beat, on_done, &left), AU_OK);
  RUN_UNTIL(b, touched.calls == 1 && left.calls == 1);
  assert_true(touched.status == AU_OK && left.status == AU_OK);
  mend(b);
  RUN_UNTIL(b, !is_there(b, "s"));
  expect_count(b, 0);
}

/* First owed to a Redis that lost its data, then to the key. */
static void refused_in_a_replay(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "stays"), AU_OK);
  assert_int_equal(do_join(b, "c", "goes"), AU_OK);
  freeReplyObject(ask_redis(&b->server, "MULTI"));
  freeReplyObject(ask_redis(&b->server, "FLUSHALL"));
  freeReplyObject(ask_redis(&b->server, "SET au:idx:c x"));
  freeReplyObject(ask_redis(&b->server, "EXEC"));
  RUN_UNTIL(b, strstr(b->store->ops->health(b->store).reason, "wrong type"));
  assert_int_equal(do_leave(b, "c", "goes", "t1"), AU_OK);
  mend(b);
  RUN_UNTIL(b, is_counted(b, "stays"));
  RUN_UNTIL(b, is_well(b->store));
  expect_count(b, 1);
  assert_false(is_there(b, "goes"));
}

static void join_and_leave_many(fixture *b, int n) {
  char id[16];
  for (int i = 0; i < n; i++) {
    snprintf(id, sizeof id, "s%d", i);
    assert_int_equal(do_join(b, "c", id), AU_OK);
    if (i % 2 == 0) assert_int_equal(do_leave(b, "c", id, "t1"), AU_OK);
  }
}

/* Whatever is owed, a key that stays at fault costs one attempt a second; then all is paid at
 * once. */
static void many(void **state) {
  fixture *b = *state;
  enum { MANY = 2000 };
  put_at_fault(b);
  join_and_leave_many(b, MANY);
  bench_run_ms(b, HINTS_MAX_MS);
  uint64_t errors = b->counters.store_errors;
  bench_run_ms(b, 2 * HINTS_MAX_MS);
  assert_in_range(b->counters.store_errors - errors, 1, 4);
  mend(b);
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:idx:c") == MANY / 2);
  RUN_UNTIL(b, is_well(b->store));
  expect_count(b, MANY / 2);
  assert_false(is_there(b, "s0"));
}

/* Nobody waits for another's key. */
static void another_key_meanwhile(void **state) {
  fixture *b = *state;
  put_at_fault(b);
  join_and_leave_many(b, 1000);
  assert_int_equal(do_join(b, "d", "s"), AU_OK);
  ASK(&b->server, "RENAME au:idx:d kept");
  ASK(&b->server, "SET au:idx:d x");
  assert_int_equal(do_leave(b, "d", "s", "t1"), AU_OK);
  ASK(&b->server, "RENAME kept au:idx:d");
  uint64_t errors = b->counters.store_errors;
  RUN_UNTIL(b, ASK(&b->server, "EXISTS presence:d:s") == 0);
  assert_true(b->counters.store_errors - errors <= 10); /* not by way of all of c's */
}

/* The customer is ticked as well, and who watches it hears of it. */
static void it_is_listed_and_heard_of(void **state) {
  fixture *b = *state;
  ASK(&b->server, "SET au:customers x");
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  RUN_UNTIL(b, is_counted(b, "s"));
  bench_run_ms(b, 2 * HINTS_MIN_MS);
  unsigned changed = b->changed;
  ASK(&b->server, "DEL au:customers");
  RUN_UNTIL(b, ASK(&b->server, "ZCARD au:customers") == 1);
  RUN_UNTIL(b, b->changed > changed);
  assert_string_equal(b->changed_id, "c");
}

/* A replay is over though beats are refused all the while. */
static void beats_during_a_replay(void **state) {
  fixture *b = *state;
  outcome beats[64];
  const au_beat beat = beat_of("c", "s", "t1");
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_join(b, "d", "s"), AU_OK);
  put_at_fault(b);
  ASK(&b->server, "CLIENT KILL TYPE normal SKIPME yes");
  RUN_UNTIL(b, do_sample(b, "d").sample.stale);
  bool whole = false;
  for (uint64_t end = uv_hrtime() + FIXTURE_PATIENCE_MS * 1000000ull; !whole;) {
    memset(beats, 0, sizeof beats);
    for (size_t i = 0; i < 64; i++) {
      assert_int_equal(b->store->ops->touch(b->store, &beat, AU_TOUCH_BEAT, on_done, &beats[i]),
                       AU_OK);
      uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    whole = !do_sample(b, "d").sample.stale; /* with some of them on their way */
    for (size_t i = 0; i < 64; i++) RUN_UNTIL(b, beats[i].calls == 1);
    assert_true(uv_hrtime() < end);
  }
}

/* What cannot be owed is not acknowledged. */
static void bounded(void **state) {
  fixture *b = *state;
  b->config.max_sessions = 2;
  bench_start(b);
  put_at_fault(b);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(do_leave(b, "c", "a", "t1"), AU_OK); /* takes its own place */
    assert_int_equal(do_leave(b, "c", "b", "t1"), AU_OK);
  }
  assert_int_equal(do_leave(b, "c", "x", "t1"), AU_EBUSY);
  mend(b);
  RUN_UNTIL(b, do_leave(b, "c", "x", "t1") == AU_OK);
}

/* Said once, and that it is over once. */
static void a_lasting_fault_is_one_state(void **state) {
  fixture *b = *state;
  put_at_fault(b);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  for (uint64_t errors = b->counters.store_errors; b->counters.store_errors < errors + 4;) {
    assert_false(is_well(b->store));
    assert_int_equal(do_join(b, "d", "s"), AU_OK); /* a success of others is not its end */
    bench_run_ms(b, 20);
  }
  mend(b);
  RUN_UNTIL(b, is_well(b->store));
}

static void stopped_while_something_is_owed(void **state) {
  fixture *b = *state;
  outcome left = {0};
  const au_beat beat = beat_of("c", "s", "t1");
  put_at_fault(b);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  kill(b->server.pid, SIGSTOP);
  bench_run_ms(b, 3 * HINTS_MIN_MS); /* tried, and not answered */
  assert_int_equal(b->store->ops->leave(b->store, &beat, on_done, &left), AU_OK);
  bench_close(b, &b->store);
  assert_int_equal(left.calls, 1);
}

#define CASE(name)        cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CASE_CLOSED(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(a_leave),
      CASE(a_touch),
      CASE(a_vanished_socket),
      CASE(a_tab_that_leaves_with_a_grace),
      CASE(others_meanwhile),
      CASE(who_comes_back_stays),
      CASE(who_goes_again_is_gone),
      CASE(taken_over_elsewhere),
      CASE(a_leave_behind_a_touch),
      CASE(refused_in_a_replay),
      CASE(many),
      CASE(another_key_meanwhile),
      CASE(it_is_listed_and_heard_of),
      CASE(beats_during_a_replay),
      CASE_CLOSED(bounded),
      CASE(a_lasting_fault_is_one_state),
      CASE(stopped_while_something_is_owed),
  };
  return cmocka_run_group_tests_name("redis_retry", tests, NULL, NULL);
}

/* Two tabs of one session while Redis is away, or has lost its data: who took over from whom
 * decides, whatever Redis is told first. Against a real redis-server. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "adapters/redis/cluster/node.h"
#include "redis_fixture.h"
#include "utils/log.h"

enum { APART_MS = 3 * REDIS_CLOCK_SLACK_MS };

/* Two daemons, and a session that the first has acknowledged. */
static int setup(void **state) {
  fixture *b = bench_create();
  server_start(&b->server);
  bench_start(b);
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  bench_run_ms(b, APART_MS);
  *state = b;
  return 0;
}

static int teardown(void **state) {
  bench_free(*state);
  return 0;
}

static void join(fixture *b, au_store *store, const char *tab) {
  const au_beat beat = beat_of("c", "s", tab);
  assert_int_equal(do_touch(b, store, &beat, AU_TOUCH_JOIN), AU_OK);
  bench_run_ms(b, APART_MS);
}

static void leave(fixture *b, au_store *store, const char *tab) {
  outcome o;
  const au_beat beat = beat_of("c", "s", tab);
  DO(b, &o, store->ops->leave(store, &beat, on_done, &o));
  assert_int_equal(o.status, AU_OK);
  bench_run_ms(b, APART_MS);
}

static void expect_count(fixture *b, uint32_t count) {
  RUN_UNTIL(b, is_well(b->store) && is_well(b->other));
  outcome o = do_sample(b, "c");
  assert_int_equal(o.sample.count, count);
  assert_false(o.sample.stale);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), count);
}

/* The second leave is of a tab that holds nothing any more; the first held what it had taken
 * over, which Redis does not know. */
static void who_leaves_twice_has_left(void **state) {
  fixture *b = *state;
  ASK(&b->server, "CONFIG SET maxmemory 1");
  join(b, b->store, "t2");
  leave(b, b->store, "t2");
  leave(b, b->store, "t2");
  ASK(&b->server, "CONFIG SET maxmemory 0");
  expect_count(b, 0);
}

/* The daemon of the first tab has not heard of the second. */
static void who_took_over_stays(void **state) {
  fixture *b = *state;
  ASK(&b->server, "CONFIG SET maxmemory 1");
  join(b, b->other, "t2");
  leave(b, b->store, "t1");
  ASK(&b->server, "CONFIG SET maxmemory 0");
  expect_count(b, 1);
}

/* The other daemon does not know the session and asks for its profile first: the leave is in Redis
 * before the beat that was there before it. */
static void a_leave_behind_a_beat_is_the_last_word(void **state) {
  fixture *b = *state;
  outcome beaten = {0}, left = {0};
  const au_beat beat = beat_of("c", "s", "t1");
  const au_store_ops *ops = b->other->ops;
  assert_int_equal(ops->touch(b->other, &beat, AU_TOUCH_BEAT, on_done, &beaten), AU_OK);
  assert_int_equal(ops->leave(b->other, &beat, on_done, &left), AU_OK);
  RUN_UNTIL(b, beaten.calls == 1 && left.calls == 1);
  assert_int_equal(beaten.status, AU_OK);
  assert_int_equal(left.status, AU_OK);
  expect_count(b, 0);
}

/* And so it is when the beat takes the session over from another tab. */
static void a_leave_behind_a_beat_that_takes_over(void **state) {
  fixture *b = *state;
  outcome beaten = {0}, left = {0};
  const au_beat beat = beat_of("c", "s", "t2");
  const au_store_ops *ops = b->other->ops;
  assert_int_equal(ops->touch(b->other, &beat, AU_TOUCH_BEAT, on_done, &beaten), AU_OK);
  assert_int_equal(ops->leave(b->other, &beat, on_done, &left), AU_OK);
  RUN_UNTIL(b, beaten.calls == 1 && left.calls == 1);
  expect_count(b, 0);
}

/* With a grace it is the last word too, and the beat counts until then: nobody was there before. */
static void a_leave_with_a_grace_behind_a_beat(void **state) {
  fixture *b = *state;
  outcome beaten = {0}, left = {0};
  const au_beat beat = beat_of("c", "back", "t1");
  const au_store_ops *ops = b->store->ops;
  int64_t grace_ms = b->config.disconnect_grace_ms / 2;
  assert_int_equal(ops->touch(b->store, &beat, AU_TOUCH_BEAT, on_done, &beaten), AU_OK);
  assert_int_equal(ops->shorten(b->store, &beat, grace_ms, AU_SHORTEN_LEFT, on_done, &left), AU_OK);
  RUN_UNTIL(b, beaten.calls == 1 && left.calls == 1);
  assert_int_equal(beaten.status, AU_OK);
  assert_int_equal(left.status, AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "PTTL presence:c:back") <= grace_ms);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:back"), 1);
  assert_true(ASK(&b->server, "ZSCORE au:idx:c back") <= redis_ms(b) + grace_ms);
  assert_int_equal(do_sample(b, "c").sample.count, 2);
}

/* The daemon of the leave still has the tab before, which is no reason to drop the leave when it
 * is refused again. */
static void a_refused_leave_is_not_dropped_for_the_tab_before(void **state) {
  fixture *b = *state;
  join(b, b->other, "t2");
  ASK(&b->server, "DEL au:idx:c");
  ASK(&b->server, "SET au:idx:c oops");
  leave(b, b->store, "t2");
  uint64_t refused = b->counters.store_errors;
  RUN_UNTIL(b, b->counters.store_errors >= refused + 2);
  ASK(&b->server, "DEL au:idx:c");
  RUN_UNTIL(b, ASK(&b->server, "EXISTS presence:c:s") == 0);
  expect_count(b, 0);
}

/* What may not be read is not held by another tab. */
static void a_leave_that_may_not_read_is_kept(void **state) {
  fixture *b = *state;
  ASK(&b->server, "ACL SETUSER default -get");
  leave(b, b->store, "t1");
  ASK(&b->server, "ACL SETUSER default +get");
  expect_count(b, 0);
}

/* The leave comes before anybody knows that the data is lost: Redis has nothing to end, and the
 * daemon of the tab before has it to bring back. */
static void who_left_an_empty_redis_has_left(void **state) {
  fixture *b = *state;
  join(b, b->other, "t2");
  ASK(&b->server, "FLUSHALL");
  leave(b, b->other, "t2");
  RUN_UNTIL(b, !is_well(b->store) || !is_well(b->other));
  expect_count(b, 0);
}

/* The same of a tab that does not hold the session: an empty Redis ends nothing of others. */
static void who_did_not_leave_an_empty_redis_stays(void **state) {
  fixture *b = *state;
  join(b, b->other, "t2");
  ASK(&b->server, "FLUSHALL");
  leave(b, b->other, "t1");
  RUN_UNTIL(b, !is_well(b->store) || !is_well(b->other));
  expect_count(b, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(who_leaves_twice_has_left),
      CASE(who_took_over_stays),
      CASE(a_leave_behind_a_beat_is_the_last_word),
      CASE(a_leave_with_a_grace_behind_a_beat),
      CASE(a_refused_leave_is_not_dropped_for_the_tab_before),
      CASE(a_leave_that_may_not_read_is_kept),
      CASE(a_leave_behind_a_beat_that_takes_over),
      CASE(who_left_an_empty_redis_has_left),
      CASE(who_did_not_leave_an_empty_redis_stays),
  };
  return cmocka_run_group_tests_name("redis_tabs", tests, NULL, NULL);
}

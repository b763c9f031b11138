/* Two tabs of one session while Redis is away, or has lost its data: who took over from whom
 * decides, whatever Redis is told first. Against a real redis-server. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "adapters/redis_node.h"
#include "redis_fixture.h"
#include "utils/log.h"

enum { APART_MS = 3 * REDIS_CLOCK_SLACK_MS };

/* Two daemons, and a session that the first has acknowledged. */
static int setup(void **state) {
  bench *b = bench_create();
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

static void join(bench *b, au_store *store, const char *tab) {
  const au_beat beat = beat_of("c", "s", tab);
  assert_int_equal(do_touch(b, store, &beat, AU_TOUCH_JOIN), AU_OK);
  bench_run_ms(b, APART_MS);
}

static void leave(bench *b, au_store *store, const char *tab) {
  outcome o;
  const au_beat beat = beat_of("c", "s", tab);
  DO(b, &o, store->ops->leave(store, &beat, on_done, &o));
  assert_int_equal(o.status, AU_OK);
  bench_run_ms(b, APART_MS);
}

static void expect_count(bench *b, uint32_t count) {
  RUN_UNTIL(b, is_well(b->store) && is_well(b->other));
  outcome o = do_sample(b, "c");
  assert_int_equal(o.sample.count, count);
  assert_false(o.sample.stale);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), count);
}

/* The second leave is of a tab that holds nothing any more; the first held what it had taken
 * over, which Redis does not know. */
static void who_leaves_twice_has_left(void **state) {
  bench *b = *state;
  ASK(&b->server, "CONFIG SET maxmemory 1");
  join(b, b->store, "t2");
  leave(b, b->store, "t2");
  leave(b, b->store, "t2");
  ASK(&b->server, "CONFIG SET maxmemory 0");
  expect_count(b, 0);
}

/* The daemon of the first tab has not heard of the second. */
static void who_took_over_stays(void **state) {
  bench *b = *state;
  ASK(&b->server, "CONFIG SET maxmemory 1");
  join(b, b->other, "t2");
  leave(b, b->store, "t1");
  ASK(&b->server, "CONFIG SET maxmemory 0");
  expect_count(b, 1);
}

/* The leave comes before anybody knows that the data is lost: Redis has nothing to end, and the
 * daemon of the tab before has it to bring back. */
static void who_left_an_empty_redis_has_left(void **state) {
  bench *b = *state;
  join(b, b->other, "t2");
  ASK(&b->server, "FLUSHALL");
  leave(b, b->other, "t2");
  RUN_UNTIL(b, !is_well(b->store) || !is_well(b->other));
  expect_count(b, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(who_leaves_twice_has_left),
      CASE(who_took_over_stays),
      CASE(who_left_an_empty_redis_has_left),
  };
  return cmocka_run_group_tests_name("redis_tabs", tests, NULL, NULL);
}

/* The Redis store when Redis is lost, stalls, refuses, and when the store is stopped: every
 * operation ends exactly once, and what was acknowledged is in Redis in the end. */
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

/* Nothing is started: the test does it. */
static int setup_nothing(void **state) {
  *state = bench_create();
  return 0;
}

static int teardown(void **state) {
  bench_free(*state);
  return 0;
}

static const char *reason(fixture *b) {
  return b->store->ops->health(b->store).reason;
}

static uint32_t in_flight(fixture *b) {
  return b->store->ops->health(b->store).in_flight;
}

/* One of each operation; returns how many were begun. */
enum { KINDS = 8 };
static unsigned begin_all(fixture *b, outcome o[KINDS]) {
  au_store *s = b->store;
  const au_store_ops *ops = s->ops;
  au_beat known = beat_of("c", "s", "t1"), unknown = beat_of("c", "new", "t1");
  const au_metrics metrics = {.customer_id = slice_of("c"), .count = 1};
  const au_sample sample = {.count = 1};
  au_status status[KINDS] = {
      ops->touch(s, &known, AU_TOUCH_JOIN, on_done, &o[0]),
      ops->touch(s, &unknown, AU_TOUCH_BEAT, on_done, &o[1]),
      ops->leave(s, &known, on_done, &o[2]),
      ops->shorten(s, &known, 1000, AU_SHORTEN_DISCONNECTED, on_done, &o[3]),
      ops->sample(s, slice_of("c"), on_sampled, &o[4]),
      ops->due(s, 0, 0, 0, 10, on_listed, &o[5]),
      ops->save(s, slice_of("c"), &sample, 1, on_done, &o[6]),
      ops->publish(s, &metrics, on_done, &o[7]),
  };
  unsigned begun = 0;
  for (size_t i = 0; i < KINDS; i++) {
    begun += status[i] == AU_OK;
    o[i].status = status[i];
  }
  return begun;
}

static unsigned calls(const outcome o[KINDS]) {
  unsigned n = 0;
  for (size_t i = 0; i < KINDS; i++) n += o[i].calls;
  return n;
}

static void each_ended_once(const outcome o[KINDS], au_status status) {
  for (size_t i = 0; i < KINDS; i++)
    if (o[i].calls != 1 || o[i].status != status)
      fail_msg("operation %zu ended %u times, the last with %d", i, o[i].calls, o[i].status);
}

/* ---- no Redis at first --------------------------------------------------------- */

static void before_redis_is_there(void **state) {
  fixture *b = *state;
  outcome o[KINDS] = {0};
  assert_int_equal(bench_open(b, &b->store), AU_OK);
  assert_false(is_available(b->store));
  assert_int_equal(begin_all(b, o), KINDS - 1);
  assert_int_equal(o[6].status, AU_ESTORE); /* what Redis has sampled can only end there */
  o[6].calls = 1, o[6].status = AU_OK;
  RUN_UNTIL(b, calls(o) == KINDS);
  each_ended_once(o, AU_OK);
  assert_true(o[4].sample.stale);
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  b->store->ops->scan(b->store);
  RUN_UNTIL(b, strstr(reason(b), "cannot be reached"));
  assert_false(is_available(b->store)); /* a balancer waits for the first time */
  server_start(&b->server);
  RUN_UNTIL(b, is_well(b->store));
  assert_true(is_available(b->store));
  assert_string_equal(b->store->ops->health(b->store).name, "redis");
  assert_int_equal(b->counters.store_reconnects, 0);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:new"), 1); /* joined before */
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 0);   /* joined, and left */
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1);
}

static void urls_that_are_none(void **state) {
  fixture *b = *state;
  b->config.redis_url = "redis:/h";
  assert_int_equal(bench_open(b, &b->store), AU_EINVAL);
  b->config.redis_url = "redis://";
  assert_int_equal(bench_open(b, &b->store), AU_EINVAL);
  assert_null(b->store);
}

/* Wrong, then right; and the password is in no line of the log. */
static void passwords(void **state) {
  fixture *b = *state;
  char url[128], path[64], line[2048];
  server_start(&b->server);
  ASK(&b->server, "CONFIG SET requirepass s3cret-word"); /* this connection stays */
  snprintf(path, sizeof path, "%s/log", b->server.dir);
  assert_int_equal(log_open(path), AU_OK);
  log_configure(AU_LOG_DEBUG, AU_LOG_TEXT);

  /* A Unix socket has no room for a password in its URL: this needs a port. */
  int port = 20000 + getpid() % 20000;
  while (ASK(&b->server, "CONFIG SET port %d", port) != 0) port++;

  snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
  b->config.redis_url = url;
  assert_int_equal(bench_open(b, &b->store), AU_OK);
  RUN_UNTIL(b, strstr(reason(b), "wants a password"));
  bench_close(b, &b->store);

  snprintf(url, sizeof url, "redis://:wr0ng-word@127.0.0.1:%d", port);
  assert_int_equal(bench_open(b, &b->store), AU_OK);
  RUN_UNTIL(b, strstr(reason(b), "refuses the user or password"));
  bench_close(b, &b->store);

  snprintf(url, sizeof url, "redis://default:s3cret-word@localhost:%d/99", port);
  assert_int_equal(bench_open(b, &b->store), AU_OK);
  RUN_UNTIL(b, strstr(reason(b), "database"));
  bench_close(b, &b->store);

  snprintf(url, sizeof url, "redis://default:s3cret-word@localhost:%d/2", port);
  assert_int_equal(bench_open(b, &b->store), AU_OK);
  RUN_UNTIL(b, is_well(b->store));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  freeReplyObject(ask_redis(&b->server, "SELECT 2"));
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 1);

  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  assert_int_equal(log_open(""), AU_OK);
  FILE *log = fopen(path, "r");
  assert_non_null(log);
  unsigned lines = 0;
  while (fgets(line, sizeof line, log)) {
    lines++;
    if (strstr(line, "cret-word") || strstr(line, "wr0ng-word")) fail_msg("logged: %s", line);
  }
  fclose(log);
  unlink(path);
  assert_in_range(lines, 4, 40);
}

/* ---- lost and back ----------------------------------------------------------------- */

static void killed_links_come_back(void **state) {
  fixture *b = *state;
  outcome o[KINDS] = {0};
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1);

  ASK(&b->server, "CLIENT PAUSE 60000 WRITE"); /* so that no write is answered first */
  assert_int_equal(begin_all(b, o), KINDS);
  assert_int_equal(in_flight(b), KINDS);
  bench_run_ms(b, 50);
  assert_in_range(calls(o), 0, 1); /* the count, which is no write */
  ASK(&b->server, "CLIENT KILL TYPE normal SKIPME yes");
  ASK(&b->server, "CLIENT KILL TYPE pubsub");
  ASK(&b->server, "CLIENT UNPAUSE");
  RUN_UNTIL(b, calls(o) == KINDS);
  RUN_UNTIL(b, is_well(b->store));
  for (size_t i = 0; i < KINDS; i++) assert_int_equal(o[i].calls, 1);
  assert_int_equal(in_flight(b), 0);
  RUN_UNTIL(b, b->counters.store_reconnects == 1);

  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1);
  b->published = 0;
  assert_int_equal(do_publish(b, "c", 4), AU_OK);
  RUN_UNTIL(b, b->published > 0);
}

static void killed_and_started_empty(void **state) {
  fixture *b = *state;
  outcome o[KINDS] = {0};
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_join(b, "c", "stays"), AU_OK);
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  server_kill(&b->server);
  assert_int_equal(begin_all(b, o), KINDS);
  RUN_UNTIL(b, !is_well(b->store));
  assert_true(is_available(b->store));
  RUN_UNTIL(b, in_flight(b) == 0);
  for (size_t i = 0; i < 5; i++) /* the signs of life and the count; a tick may fail */
    if (o[i].status != AU_OK) fail_msg("operation %zu ended with %d", i, o[i].status);
  assert_int_equal(do_join(b, "c", "late"), AU_OK);
  assert_true(do_sample(b, "c").sample.stale);
  assert_int_equal(do_sample(b, "c").sample.count, 3); /* stays, new, late */

  server_start(&b->server);
  RUN_UNTIL(b, is_well(b->store));
  assert_int_equal(do_sample(b, "c").sample.count, 3);
  assert_false(do_sample(b, "c").sample.stale);
  assert_int_equal(ASK(&b->server, "ZCARD au:idx:c"), 3);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 0);
  assert_int_equal(ASK(&b->server, "ZSCORE au:customers c"), 0);
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1);
}

/* Redis stands still: nobody waits longer than the deadline, and it is noticed. */
static void stopped_and_continued(void **state) {
  fixture *b = *state;
  outcome o[KINDS] = {0};
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  kill(b->server.pid, SIGSTOP);
  uint64_t began = uv_hrtime();
  assert_int_equal(begin_all(b, o), KINDS);
  RUN_UNTIL(b, calls(o) == KINDS);
  uint64_t took_ms = (uv_hrtime() - began) / 1000000;
  assert_true(took_ms >= 1900); /* not before its deadline */
  for (size_t i = 0; i < 5; i++) assert_int_equal(o[i].status, AU_OK);
  assert_false(is_well(b->store));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  kill(b->server.pid, SIGCONT);
  RUN_UNTIL(b, is_well(b->store));
  assert_int_equal(do_sample(b, "c").sample.count, 2);
  assert_int_equal(calls(o), KINDS);
}

typedef struct seen {
  unsigned calls;
  uint32_t visible;
  bool stale;
} seen;

static void on_breakdown(au_status status, const au_breakdown *breakdown, void *arg) {
  seen *it = arg;
  assert_int_equal(status, AU_OK);
  it->calls++;
  it->visible = breakdown->visible;
  it->stale = breakdown->stale;
}

/* The daemon's own sessions are left, with and without their pages. */
static void lost_while_pages_are_read(void **state) {
  fixture *b = *state;
  seen of[2] = {0};
  au_beat beat = beat_of("c", "s", "t");
  beat.visibility = AU_VISIBILITY_VISIBLE;
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_JOIN), AU_OK);
  kill(b->server.pid, SIGSTOP); /* it has no time to answer */
  for (int i = 0; i < 2; i++)
    assert_int_equal(
        b->store->ops->breakdown(b->store, slice_of("c"), i == 1, on_breakdown, &of[i]), AU_OK);
  server_kill(&b->server);
  RUN_UNTIL(b, of[0].calls + of[1].calls == 2);
  for (int i = 0; i < 2; i++) {
    assert_true(of[i].stale);
    assert_int_equal(of[i].visible, 1);
  }
}

/* A subscriber that hears nothing asks; a link that is only half there is given up. */
static void a_dead_subscriber_is_noticed(void **state) {
  fixture *b = *state;
  static const char message[] = "{\"customerId\":\"c\",\"count\":1,\"ema\":1,\"timestamp\":1}";
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1);
  kill(b->server.pid, SIGSTOP);
  bench_run_ms(b, 5500); /* a probe, and its deadline */
  kill(b->server.pid, SIGCONT);
  /* Redis may not have seen the end of the old link yet: said until it is heard. */
  RUN_UNTIL(b, (ASK(&b->server, "PUBLISH metrics:c %s", message), b->published > 0));
}

/* While its subscription is lost, a daemon still hears itself, once. */
static void deaf_it_hears_itself(void **state) {
  fixture *b = *state;
  ASK(&b->server, "ACL SETUSER default resetchannels"); /* no subscriptions from now on */
  ASK(&b->server, "CLIENT KILL TYPE normal SKIPME yes");
  RUN_UNTIL(b, b->counters.store_reconnects == 1 && is_well(b->store));
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  bench_run_ms(b, 100);
  outcome o;
  const au_metrics metrics = {.customer_id = slice_of("c"), .count = 3};
  DO(b, &o, b->store->ops->publish(b->store, &metrics, on_done, &o));
  /* Publishing is refused by the same rule: it hears itself all the same. */
  assert_int_equal(o.status, AU_ESTORE);
  assert_int_equal(b->published, 1);
  ASK(&b->server, "ACL SETUSER default allchannels");
  RUN_UNTIL(b, is_well(b->store));
  assert_int_equal(do_publish(b, "c", 3), AU_OK);
  RUN_UNTIL(b, b->published == 2);
  assert_int_equal(b->metrics.count, 3);
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1); /* asked for again */
}

/* The subscription that stands when a message is sent and the one that stands when that is answered
 * are two: what came between them may have been heard by neither. */
static void resubscribed_meanwhile_it_hears_itself_too(void **state) {
  fixture *b = *state;
  outcome o = {0};
  const au_metrics metrics = {.customer_id = slice_of("c"), .count = 3};
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1);
  assert_int_equal(do_publish(b, "c", 1), AU_OK); /* so that the confirmation was read */
  RUN_UNTIL(b, b->published > 0);
  b->published = 0;
  ASK(&b->server, "CLIENT PAUSE 60000 WRITE");
  assert_int_equal(b->store->ops->publish(b->store, &metrics, on_done, &o), AU_OK);
  ASK(&b->server, "CLIENT KILL TYPE pubsub");
  RUN_UNTIL(b, ASK(&b->server, "PUBSUB CHANNELS metrics:c") == 1);
  assert_int_equal(o.calls, 0);
  ASK(&b->server, "CLIENT UNPAUSE");
  RUN_UNTIL(b, o.calls == 1 && b->published == 2); /* by the channel, and at once */
  assert_int_equal(o.status, AU_OK);
  assert_int_equal(b->metrics.count, 3);
}

/* ---- refusals -------------------------------------------------------------------------- */

static void refused(fixture *b, const char *says) {
  uint64_t errors = b->counters.store_errors;
  assert_int_equal(do_join(b, "c", "s"), AU_OK); /* by the daemon's own table */
  assert_true(b->counters.store_errors > errors);
  assert_false(is_well(b->store));
  if (!strstr(reason(b), says)) fail_msg("the reason is '%s'", reason(b));
  assert_true(b->store->ops->renewed_ago_ms(b->store, slice_of("c"), slice_of("s"), NULL) >= 0);
  outcome o = do_sample(b, "c");
  assert_int_equal(o.status, AU_OK);
  assert_int_equal(o.sample.count, 1);
  assert_true(o.sample.stale);
}

static void out_of_memory(void **state) {
  fixture *b = *state;
  ASK(&b->server, "CONFIG SET maxmemory 1");
  refused(b, "out of memory");
  bench_run_ms(b, 1200); /* reading works, and is no recovery */
  assert_false(is_well(b->store));
  ASK(&b->server, "CONFIG SET maxmemory 0");
  RUN_UNTIL(b, is_well(b->store)); /* found out without anybody writing */
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 1); /* told since */
  assert_int_equal(do_sample(b, "c").sample.count, 1);
}

static void read_only(void **state) {
  fixture *b = *state;
  ASK(&b->server, "REPLICAOF 127.0.0.1 1");
  refused(b, "read-only");
  assert_int_equal(do_leave(b, "c", "gone", "t1"), AU_OK);
  ASK(&b->server, "REPLICAOF NO ONE");
  RUN_UNTIL(b, is_well(b->store));
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 1);
}

/* The index of a customer is something else: that customer is refused, others are not. */
static void an_index_of_the_wrong_type(void **state) {
  fixture *b = *state;
  ASK(&b->server, "SET au:idx:c x");
  refused(b, "wrong type");
  assert_int_equal(do_join(b, "d", "s"), AU_OK);
  assert_false(do_sample(b, "d").sample.stale);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 1); /* not half of it */
  ASK(&b->server, "DEL au:idx:c");
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  RUN_UNTIL(b, is_well(b->store));
}

static void a_command_not_permitted(void **state) {
  fixture *b = *state;
  ASK(&b->server, "ACL SETUSER default -set");
  refused(b, "does not permit");
  ASK(&b->server, "ACL SETUSER default +set");
  RUN_UNTIL(b, is_well(b->store));
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 1);
}

/* Scripts are sent as text: nothing is lost with the cache. */
static void scripts_flushed(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  ASK(&b->server, "SCRIPT FLUSH");
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 0);
}

static void too_many_in_flight(void **state) {
  fixture *b = *state;
  enum { MANY = 25000 };
  outcome *o = calloc(MANY, sizeof *o);
  unsigned begun = 0, busy = 0;
  kill(b->server.pid, SIGSTOP);
  for (size_t i = 0; i < MANY; i++) {
    au_status status = b->store->ops->sample(b->store, slice_of("c"), on_sampled, &o[i]);
    begun += status == AU_OK;
    busy += status == AU_EBUSY;
  }
  assert_int_equal(begun + busy, MANY);
  assert_in_range(begun, 4500, 5000); /* four commands each */
  kill(b->server.pid, SIGCONT);
  RUN_UNTIL(b, in_flight(b) == 0);
  unsigned ok = 0;
  for (size_t i = 0; i < MANY; i++) ok += o[i].calls == 1 && o[i].status == AU_OK;
  assert_int_equal(ok, begun);
  free(o);
}

/* ---- stops --------------------------------------------------------------------------------- */

static void stopped_with_operations_in_flight(void **state) {
  fixture *b = *state;
  outcome o[KINDS] = {0}, late[KINDS] = {0};
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(b->store->ops->subscribe(b->store, slice_of("c"), true), AU_OK);
  b->store->ops->scan(b->store);
  assert_int_equal(begin_all(b, o), KINDS);
  b->store->ops->stop(b->store, bench_on_stopped, b);
  assert_int_equal(calls(o), 0);
  assert_int_equal(begin_all(b, late), 0);
  for (size_t i = 0; i < KINDS; i++) assert_int_equal(late[i].status, AU_ECANCELED);
  unsigned changed = b->changed;
  while (b->stopped == 0) {
    uv_run(&b->loop, UV_RUN_ONCE);
    if (b->stopped) assert_int_equal(calls(o), KINDS); /* before `stopped` */
  }
  each_ended_once(o, AU_ECANCELED);
  assert_int_equal(b->changed, changed);
  b->store->ops->free(b->store);
  b->store = NULL;
}

/* At every moment of an operation: after one turn of the loop, after two, … */
static void stopped_at_any_turn(void **state) {
  fixture *b = *state;
  for (int turns = 0; turns < 12; turns++) {
    outcome o[KINDS] = {0};
    if (!b->store) bench_start(b);
    b->store->ops->scan(b->store);
    assert_int_equal(begin_all(b, o), KINDS);
    for (int i = 0; i < turns; i++) uv_run(&b->loop, UV_RUN_NOWAIT);
    bench_close(b, &b->store);
    for (size_t i = 0; i < KINDS; i++) assert_int_equal(o[i].calls, 1);
  }
}

static void stopped_while_lost(void **state) {
  fixture *b = *state;
  outcome o[KINDS] = {0};
  server_kill(&b->server);
  unsigned begun = begin_all(b, o);
  bench_close(b, &b->store);
  assert_int_equal(calls(o), begun);
}

#define CASE(name)               cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CASE_WITHOUT_REDIS(name) cmocka_unit_test_setup_teardown(name, setup_nothing, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE_WITHOUT_REDIS(before_redis_is_there),
      CASE_WITHOUT_REDIS(urls_that_are_none),
      CASE_WITHOUT_REDIS(passwords),
      CASE(killed_links_come_back),
      CASE(killed_and_started_empty),
      CASE(stopped_and_continued),
      CASE(lost_while_pages_are_read),
      CASE(a_dead_subscriber_is_noticed),
      CASE(deaf_it_hears_itself),
      CASE(resubscribed_meanwhile_it_hears_itself_too),
      CASE(out_of_memory),
      CASE(read_only),
      CASE(an_index_of_the_wrong_type),
      CASE(a_command_not_permitted),
      CASE(scripts_flushed),
      CASE(too_many_in_flight),
      CASE(stopped_with_operations_in_flight),
      CASE(stopped_at_any_turn),
      CASE(stopped_while_lost),
  };
  return cmocka_run_group_tests_name("redis_loss", tests, NULL, NULL);
}

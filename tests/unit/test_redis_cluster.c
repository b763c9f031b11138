/* The store and a Cluster that misbehaves: commands that are sent about, maps that change or
 * are none, nodes that go. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "adapters/redis/cluster/cluster.h"
#include "adapters/redis/cluster/redirect.h"
#include "adapters/redis/protocol/slots.h"
#include "fake_cluster.h"

typedef struct cluster_case {
  fixture *b;
  fake_node nodes[FAKE_NODES];
  char url[64];
  char maps[FAKE_NODES][512]; /* in maps[i] node i serves everything */
  char moved[FAKE_NODES][64], ask[FAKE_NODES][64];
} cluster_case;

static void set_map(cluster_case *c, int owner) {
  for (int i = 0; i < FAKE_NODES; i++) c->nodes[i].map = c->maps[owner];
}

static const char *reason(cluster_case *c) {
  return c->b->store->ops->health(c->b->store).reason;
}

static int setup(void **state) {
  cluster_case *c = calloc(1, sizeof *c);
  c->b = bench_create();
  for (int i = 0; i < FAKE_NODES; i++) {
    fake_node *n = &c->nodes[i];
    fake_start(&c->b->loop, n);
    snprintf(c->maps[i], sizeof c->maps[i],
             "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n", n->port);
    snprintf(c->moved[i], sizeof c->moved[i], "-MOVED 7365 127.0.0.1:%d\r\n", n->port);
    snprintf(c->ask[i], sizeof c->ask[i], "-ASK 7365 127.0.0.1:%d\r\n", n->port);
  }
  set_map(c, 0);
  snprintf(c->url, sizeof c->url, "redis+cluster://127.0.0.1:%d", c->nodes[0].port);
  c->b->config.redis_url = c->url;
  *state = c;
  return 0;
}

static int teardown(void **state) {
  cluster_case *c = *state;
  if (c->b->store) bench_close(c->b, &c->b->store);
  for (int i = 0; i < FAKE_NODES; i++) fake_end(&c->b->loop, &c->nodes[i]);
  bench_free(c->b);
  free(c);
  return 0;
}

/* With links to the nodes 0 and 1, and node 0 serving everything. */
static void start_with_two(cluster_case *c) {
  bench_start(c->b);
  c->nodes[0].says = c->ask[1];
  RUN_UNTIL(c->b, do_join(c->b, "c", "first") == AU_OK && c->nodes[1].asked > 1);
  c->nodes[0].says = NULL;
  c->nodes[0].commands = c->nodes[1].commands = c->nodes[1].asked = 0;
}

static void moved_is_followed_and_remembered(void **state) {
  cluster_case *c = *state;
  start_with_two(c);
  assert_int_equal(redis_slot_of(slice_of("c")), 7365); /* as the answers say */
  c->nodes[0].says = c->moved[1];
  set_map(c, 1);
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_true(c->nodes[1].commands >= c->nodes[0].commands);
  assert_int_equal(c->nodes[1].asked, 0);
  unsigned before = c->nodes[0].commands;
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_int_equal(c->nodes[0].commands, before);
  c->nodes[0].says = NULL;
  RUN_UNTIL(c->b, is_well(c->b->store)); /* the new one was told what it may have missed */
  outcome o = do_sample(c->b, "c");
  assert_int_equal(o.status, AU_OK);
  assert_int_equal(o.sample.count, 3);
}

static void ask_is_followed_and_not_remembered(void **state) {
  cluster_case *c = *state;
  start_with_two(c);
  c->nodes[0].says = c->ask[1];
  c->nodes[1].only_asking = true;
  for (unsigned round = 1; round <= 3; round++) {
    assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
    assert_int_equal(c->nodes[1].asked, c->nodes[1].commands);
    assert_int_equal(c->nodes[0].commands, c->nodes[1].commands);
    assert_true(c->nodes[1].commands >= 2 * round);
  }
}

static void a_redirect_without_a_host_is_the_same_host(void **state) {
  cluster_case *c = *state;
  start_with_two(c);
  snprintf(c->ask[1], sizeof c->ask[1], "-ASK 1 :%d\r\n", c->nodes[1].port);
  c->nodes[0].says = c->ask[1];
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_true(c->nodes[1].asked >= 2);
}

static void sending_about_ends(void **state) {
  cluster_case *c = *state;
  start_with_two(c);
  c->nodes[0].says = c->moved[1];
  c->nodes[1].says = c->moved[0];
  outcome o = do_sample(c->b, "c");                 /* two commands */
  assert_true(o.status == AU_OK && o.sample.stale); /* the daemon's own word */
  assert_in_range(c->nodes[0].commands + c->nodes[1].commands, 2 * (1 + REDIS_REDIRECTS_MAX),
                  6 * (1 + REDIS_REDIRECTS_MAX)); /* a session is restored by then */
}

static void refusals(void **state) {
  static const char *const refusals[] = {
      "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
      "-CLUSTERDOWN Hash slot not served\r\n",
      "-MOVED to somewhere\r\n",
      "-MOVED 1 127.0.0.1:1\r\n", /* nobody listens there */
      "-ASK 1 127.0.0.1:1\r\n",
  };
  cluster_case *c = *state;
  bench_start(c->b);
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    c->nodes[0].says = refusals[i];
    uint64_t errors = c->b->counters.store_errors;
    assert_int_equal(do_join(c->b, "c", "s"), AU_OK); /* the daemon keeps it */
    assert_true(c->b->counters.store_errors > errors);
    assert_int_equal(c->b->store->ops->health(c->b->store).sessions, 1);
    c->nodes[0].says = NULL;
    set_map(c, 0);
    RUN_UNTIL(c->b, is_well(c->b->store) && !do_sample(c->b, "c").sample.stale);
    assert_int_equal(do_leave(c->b, "c", "s", "t1"), AU_OK);
  }
}

static void maps_that_are_none(void **state) {
  static const struct {
    const char *map, *says;
  } maps[] = {
      {"-ERR This instance has cluster support disabled\r\n", "use redis://"},
      {"-NOPERM no\r\n", "does not permit"},
      {":7\r\n", "cannot be read"},
      {"*1\r\n*0\r\n", "cannot be read"},
      {"*0\r\n", "no slots yet"},
  };
  cluster_case *c = *state;
  for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
    c->nodes[0].map = maps[i].map;
    assert_int_equal(bench_open(c->b, &c->b->store), AU_OK);
    assert_true(strstr(reason(c), "waiting for the cluster's map"));
    RUN_UNTIL(c->b, strstr(reason(c), maps[i].says));
    assert_false(c->b->store->ops->health(c->b->store).ever_up);
    assert_int_equal(do_join(c->b, "c", "s"), AU_OK); /* kept, and sent when it is known where */
    c->nodes[0].commands = 0;
    set_map(c, 0); /* it keeps asking */
    RUN_UNTIL(c->b, is_well(c->b->store));
    assert_true(c->nodes[0].commands > 0);
    assert_false(do_sample(c->b, "c").sample.stale);
    bench_close(c->b, &c->b->store);
  }
}

static void announced_without_an_address(void **state) {
  cluster_case *c = *state;
  snprintf(c->maps[0], sizeof c->maps[0], "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$-1\r\n:%d\r\n",
           c->nodes[1].port);
  bench_start(c->b);
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_int_equal(c->nodes[0].commands, 0);
  assert_true(c->nodes[1].commands > 0);
}

/* Slots without a node make the store degraded, and its other customers are served. */
static void uncovered_slots(void **state) {
  cluster_case *c = *state;
  snprintf(c->maps[0], sizeof c->maps[0],
           "*1\r\n*3\r\n:7365\r\n:7365\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n", c->nodes[0].port);
  assert_int_equal(bench_open(c->b, &c->b->store), AU_OK);
  RUN_UNTIL(c->b, strstr(reason(c), "served by nobody"));
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_false(do_sample(c->b, "c").sample.stale);
  assert_true(do_sample(c->b, "d").sample.stale);
}

static void a_node_that_serves_nothing_is_ended(void **state) {
  cluster_case *c = *state;
  set_map(c, 1);
  bench_start(c->b);
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_int_equal(c->b->store->ops->subscribe(c->b->store, slice_of("c"), true), AU_OK);
  assert_int_equal(c->nodes[1].open, 2);
  set_map(c, 2);
  c->nodes[1].says = c->moved[2];                   /* a reason to look */
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK); /* kept: node 2 is not connected yet */
  RUN_UNTIL(c->b, c->nodes[1].open == 0);
  RUN_UNTIL(c->b, is_well(c->b->store));
  assert_true(c->nodes[2].commands > 0); /* it was told */
}

/* The map is asked for when a link is lost. */
static void give_a_reason_to_refresh(cluster_case *c) {
  fake_drop(&c->nodes[0]);
}

/* What a node did not take its successor is told, all of it, however much. */
static void hints_go_to_the_successor(void **state) {
  cluster_case *c = *state;
  enum { MANY = 4100 };
  char id[16];
  start_with_two(c);
  c->nodes[0].says = "-CLUSTERDOWN Hash slot not served\r\n";
  for (int i = 0; i < MANY; i++) {
    snprintf(id, sizeof id, "s%d", i);
    assert_int_equal(do_leave(c->b, "c", id, "t1"), AU_OK);
  }
  assert_int_equal(c->nodes[1].commands, 0);
  set_map(c, 1);
  give_a_reason_to_refresh(c);
  RUN_UNTIL(c->b, c->nodes[1].commands >= MANY);
  RUN_UNTIL(c->b, is_well(c->b->store));
}

/* A move by hand takes all that is there along: whoever gets a customer is as whole as before,
 * whatever was told to the other. */
static void a_planned_move(void **state) {
  cluster_case *c = *state;
  snprintf(c->maps[0], sizeof c->maps[0],
           "*3\r\n*3\r\n:0\r\n:7364\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
           "*3\r\n:7365\r\n:7365\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
           "*3\r\n:7366\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n",
           c->nodes[1].port, c->nodes[0].port, c->nodes[1].port);
  bench_start(c->b);
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_int_equal(do_leave(c->b, "c", "s", "t1"), AU_OK);
  set_map(c, 1);
  unsigned looks = c->nodes[0].looks + c->nodes[1].looks;
  c->nodes[0].says = c->moved[1];
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  c->nodes[0].says = NULL;
  RUN_UNTIL(c->b, c->nodes[0].looks + c->nodes[1].looks > looks);
  unsigned before = c->nodes[0].commands;
  assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  assert_int_equal(c->nodes[0].commands, before);
  for (int i = 0; i < 20; i++) {
    assert_false(do_sample(c->b, "c").sample.stale || do_sample(c->b, "d").sample.stale);
    assert_true(is_well(c->b->store));
  }
}

/* Redis 6.2 puts the error of a command in a script behind its own. What a user may not do there
 * has no code in any version. */
static void an_error_in_a_script(void **state) {
  static const struct {
    const char *says;
    bool is_of_key;
    const char *reason; /* NULL: an error */
  } cases[] = {
      {"-ERR Error running script (call to f_0a): @user_script:1: WRONGTYPE Operation against a "
       "key holding the wrong kind of value\r\n",
       true, "a key has the wrong type"},
      {"-WRONGTYPE Operation against a key holding the wrong kind of value script: 0a, on "
       "@user_script:1.\r\n",
       true, "a key has the wrong type"},
      {"-ERR Error running script (call to f_0a): @user_script:1: user_script:1: no field\r\n",
       false, NULL},
      {"-ERR Error running script\r\n", false, NULL},
      {"-ERR Error running script (call to f_0a): @user_script:\r\n", false, NULL},
      {"-ERR Error running script (call to f_0a): @user_script:1: \r\n", false, NULL},
      {"-ERR Error running script (call to f_0a): @user_script:1: The user executing the script "
       "can't run this command or subcommand\r\n",
       false, "redis does not permit a command or key"},
      {"-ERR The user executing the script can't run this command or subcommand script: 0a, on "
       "@user_script:1.\r\n",
       false, "redis does not permit a command or key"},
      {"-ERR ACL failure in script: User default has no permissions to run the 'zadd' command "
       "script: 0a, on @user_script:1.\r\n",
       false, "redis does not permit a command or key"},
  };
  cluster_case *c = *state;
  bench_start(c->b);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    c->nodes[0].says = cases[i].says;
    assert_int_equal(do_leave(c->b, "c", "s", "t1"), AU_OK);
    c->nodes[0].says = NULL;
    bool is_stale = do_sample(c->b, "d").sample.stale;
    if (is_stale == cases[i].is_of_key) fail_msg("%s", cases[i].says);
    const char *want = cases[i].reason ? cases[i].reason : "redis answers with an error";
    assert_non_null(strstr(reason(c), want));
    RUN_UNTIL(c->b, is_well(c->b->store));
  }
}

/* Many reasons to look are one look, and a few a second at most. */
static void looks_are_few(void **state) {
  cluster_case *c = *state;
  start_with_two(c);
  c->nodes[0].says = c->moved[1]; /* the map says otherwise: each look undoes it */
  unsigned before = c->nodes[0].looks + c->nodes[1].looks;
  uint64_t begin = uv_hrtime();
  for (int i = 0; i < 100; i++) assert_int_equal(do_join(c->b, "c", "s"), AU_OK);
  unsigned looks = c->nodes[0].looks + c->nodes[1].looks - before;
  uint64_t took_ms = (uv_hrtime() - begin) / 1000000;
  assert_true(looks <= 2 + took_ms / REDIS_CLUSTER_REFRESH_MIN_MS);
}

static void a_lost_node_is_asked_no_more(void **state) {
  cluster_case *c = *state;
  start_with_two(c);
  outcome o = {0};
  uint64_t errors = c->b->counters.store_errors;
  c->nodes[0].says = c->ask[1];
  c->nodes[1].says = ""; /* silent */
  assert_int_equal(c->b->store->ops->sample(c->b->store, slice_of("c"), on_sampled, &o), AU_OK);
  RUN_UNTIL(c->b, c->nodes[1].commands == 4);
  fake_drop(&c->nodes[1]);
  RUN_UNTIL(c->b, o.calls == 1);
  assert_true(o.status == AU_OK && o.sample.stale);
  assert_int_equal(c->b->counters.store_errors, errors); /* no answer is no refusal */
}

/* Commands that were sent on end with the store, each operation once. */
static void stop_with_commands_elsewhere(void **state) {
  cluster_case *c = *state;
  start_with_two(c);
  outcome o[3] = {0};
  const au_sample sample = {0};
  au_store *s = c->b->store;
  au_beat beat = beat_of("c", "s", "t1");
  c->nodes[0].says = c->ask[1];
  c->nodes[1].says = "";
  assert_int_equal(s->ops->sample(s, slice_of("c"), on_sampled, &o[0]), AU_OK);
  assert_int_equal(s->ops->touch(s, &beat, AU_TOUCH_JOIN, on_done, &o[1]), AU_OK);
  assert_int_equal(s->ops->evict(s, slice_of("c"), &sample, on_done, &o[2]), AU_OK);
  RUN_UNTIL(c->b, c->nodes[1].commands >= 5);
  bench_close(c->b, &c->b->store);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(o[i].calls, 1);
    assert_int_equal(o[i].status, AU_ECANCELED);
  }
}

static void stop_without_a_map(void **state) {
  cluster_case *c = *state;
  c->nodes[0].map = "";
  assert_int_equal(bench_open(c->b, &c->b->store), AU_OK);
  assert_int_equal(c->b->store->ops->subscribe(c->b->store, slice_of("c"), true), AU_OK);
  RUN_UNTIL(c->b, c->nodes[0].looks == 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(moved_is_followed_and_remembered),
      TEST(ask_is_followed_and_not_remembered),
      TEST(a_redirect_without_a_host_is_the_same_host),
      TEST(sending_about_ends),
      TEST(refusals),
      TEST(maps_that_are_none),
      TEST(announced_without_an_address),
      TEST(uncovered_slots),
      TEST(a_node_that_serves_nothing_is_ended),
      TEST(hints_go_to_the_successor),
      TEST(a_planned_move),
      TEST(an_error_in_a_script),
      TEST(looks_are_few),
      TEST(a_lost_node_is_asked_no_more),
      TEST(stop_with_commands_elsewhere),
      TEST(stop_without_a_map),
  };
#undef TEST
  return cmocka_run_group_tests_name("redis_cluster", tests, NULL, NULL);
}

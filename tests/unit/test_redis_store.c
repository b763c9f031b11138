/* The Redis store against a real redis-server: what becomes of sessions, in Redis and in
 * what the daemon is told. */
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

/* ---- touch ------------------------------------------------------------------- */

static void a_join_writes_key_index_and_list(void **state) {
  fixture *b = *state;
  au_beat beat = beat_of("shop123", "s1", "t1");
  beat.platform = slice_of("desk\"top");
  beat.user_agent = slice_of("Mozilla/5.0");
  beat.is_leader = false;
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_JOIN), AU_OK);
  static const char *const parts[] = {
      "\"customerId\":\"shop123\"",    "\"sessionId\":\"s1\"", "\"tabId\":\"t1\"",
      "\"timestamp\":1234567890",      "\"isLeader\":false",   "\"platform\":\"desk\\\"top\"",
      "\"userAgent\":\"Mozilla/5.0\"", "\"updatedAt\":"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (!holds(b, "presence:shop123:s1", parts[i])) fail_msg("no %s", parts[i]);
  assert_in_range(ASK(&b->server, "PTTL presence:shop123:s1"), 170000, 180000);
  assert_int_equal(ASK(&b->server, "ZSCORE au:customers shop123"), 0);
  assert_int_equal(ASK(&b->server, "DBSIZE"), 4); /* with au:epoch */
  RUN_UNTIL(b, b->changed == 1);
  assert_string_equal(b->changed_id, "shop123");
}

/* The index may end a session before its key, by as long as a command is on its way (a busy machine
 * takes its time), never after it. */
static void the_index_never_outlives_the_key(void **state) {
  fixture *b = *state;
  for (int i = 0; i < 20; i++) {
    assert_int_equal(do_join(b, "c", "s"), AU_OK);
    long long score = ASK(&b->server, "ZSCORE au:idx:c s");
    long long end = ASK(&b->server, "PEXPIRETIME presence:c:s");
    if (score > end || score < end - 10000) fail_msg("score %lld, key %lld", score, end);
  }
}

static void a_beat_keeps_what_the_join_said(void **state) {
  fixture *b = *state;
  au_beat join = beat_of("c", "s", "t1");
  join.platform = slice_of("desktop");
  join.user_agent = slice_of("agent");
  join.is_leader = false;
  assert_int_equal(do_touch(b, b->store, &join, AU_TOUCH_JOIN), AU_OK);
  au_beat beat = beat_of("c", "s", "t2");
  beat.timestamp = 77;
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_BEAT), AU_OK);
  static const char *const parts[] = {"\"platform\":\"desktop\"", "\"userAgent\":\"agent\"",
                                      "\"isLeader\":false", "\"tabId\":\"t2\"", "\"timestamp\":77"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    assert_true(holds(b, "presence:c:s", parts[i]));
  assert_int_equal(b->store->ops->health(b->store).sessions, 1);

  join.platform = slice_of("mobile"); /* another join replaces it */
  join.user_agent = slice_of("");
  assert_int_equal(do_touch(b, b->store, &join, AU_TOUCH_JOIN), AU_OK);
  assert_true(holds(b, "presence:c:s", "\"platform\":\"mobile\""));
  assert_false(holds(b, "presence:c:s", "agent\":\"agent\""));
}

/* The session was joined through another daemon: what that one wrote is kept. */
static void a_beat_of_an_unknown_session_reads_its_key(void **state) {
  fixture *b = *state;
  au_beat join = beat_of("c", "s", "t1");
  join.platform = slice_of("desktop");
  join.user_agent = slice_of("agent");
  assert_int_equal(do_touch(b, b->store, &join, AU_TOUCH_JOIN), AU_OK);
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  au_beat beat = beat_of("c", "s", "t9");
  assert_int_equal(do_touch(b, b->other, &beat, AU_TOUCH_BEAT), AU_OK);
  assert_true(holds(b, "presence:c:s", "\"platform\":\"desktop\""));
  assert_true(holds(b, "presence:c:s", "\"userAgent\":\"agent\""));
  assert_true(holds(b, "presence:c:s", "\"tabId\":\"t9\""));
  assert_int_equal(do_sample(b, "c").sample.count, 1);
}

/* A beat on what is no session makes one of it. */
static void a_beat_replaces_a_foreign_value(void **state) {
  fixture *b = *state;
  au_beat beat = beat_of("c", "s1", "t1");
  ASK(&b->server, "SET presence:c:s1 %s", "no JSON at all");
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_BEAT), AU_OK);
  assert_true(holds(b, "presence:c:s1", "\"tabId\":\"t1\""));
  beat.session_id = slice_of("s2");
  ASK(&b->server, "RPUSH presence:c:s2 a b");
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_BEAT), AU_OK);
  assert_true(holds(b, "presence:c:s2", "\"tabId\":\"t1\""));
  assert_in_range(ASK(&b->server, "TTL presence:c:s2"), 170, 180);
  assert_true(is_available(b->store));
}

/* Somebody emptied Redis: the next beat of a session that is known here counts again. */
static void a_beat_after_a_flush_counts_again(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  RUN_UNTIL(b, b->changed == 1);
  ASK(&b->server, "FLUSHALL");
  au_beat beat = beat_of("c", "s", "t1");
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_BEAT), AU_OK);
  assert_int_equal(ASK(&b->server, "ZSCORE au:customers c"), 0);
  assert_int_equal(do_sample(b, "c").sample.count, 1);
  RUN_UNTIL(b, b->changed == 2);
}

static void the_longest_words_fit(void **state) {
  fixture *b = *state;
  char id[AU_ID_MAX + 1], long_id[AU_ID_MAX + 2], platform[AU_PLATFORM_MAX],
      agent[AU_USER_AGENT_MAX];
  memset(id, 'i', AU_ID_MAX);
  id[AU_ID_MAX] = '\0';
  memset(long_id, 'i', AU_ID_MAX + 1);
  long_id[AU_ID_MAX + 1] = '\0';
  memset(platform, 1, sizeof platform); /* each becomes \u0001 */
  memset(agent, '"', sizeof agent);
  au_beat beat = beat_of(id, id, id);
  beat.platform = (au_slice){platform, sizeof platform};
  beat.user_agent = (au_slice){agent, sizeof agent};
  assert_int_equal(do_touch(b, b->store, &beat, AU_TOUCH_JOIN), AU_OK);
  assert_int_equal(do_sample(b, id).sample.count, 1);
  assert_int_equal(do_leave(b, id, id, id), AU_OK);
  assert_int_equal(do_sample(b, id).sample.count, 0);

  static const char *const bad[] = {"", "a:b", "a b", "*", "a\nb"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0] + 1; i++) {
    const char *word = i < sizeof bad / sizeof bad[0] ? bad[i] : long_id;
    assert_int_equal(do_join(b, word, "s"), AU_EINVAL);
    assert_int_equal(do_join(b, "c", word), AU_EINVAL);
    assert_int_equal(do_leave(b, word, "s", "t"), AU_EINVAL);
    assert_int_equal(do_sample(b, word).status, AU_EINVAL);
    assert_int_equal(do_save(b, word, 1), AU_EINVAL);
    assert_int_equal(do_evict(b, word), AU_EINVAL);
    assert_int_equal(do_publish(b, word, 1), AU_EINVAL);
  }
}

/* ---- leave and shorten ---------------------------------------------------------- */

static void a_leave_ends_only_what_its_tab_holds(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_leave(b, "c", "s", "t2"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 1);
  assert_int_equal(do_sample(b, "c").sample.count, 1);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 0);
  assert_int_equal(ASK(&b->server, "EXISTS au:idx:c"), 0);
  assert_int_equal(do_sample(b, "c").sample.count, 0);
  assert_int_equal(b->store->ops->health(b->store).sessions, 0);
  RUN_UNTIL(b, b->changed == 2);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK); /* once more changes nothing */
  bench_run_ms(b, 20);
  assert_int_equal(b->changed, 2);
}

/* Values of other programs never stop a leave, nor are they taken for held. */
static void a_leave_meets_foreign_values(void **state) {
  fixture *b = *state;
  static const char *const values[] = {"junk", "[]", "17",  "{\"tabId\":7}", "{\"tabId\":null}",
                                       "{}",   "",   "null"};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    ASK(&b->server, "SET presence:c:s %s EX 100", values[i]);
    assert_int_equal(do_leave(b, "c", "s", "7"), AU_OK);
    if (ASK(&b->server, "EXISTS presence:c:s") != 1) fail_msg("'%s' was taken for held", values[i]);
  }
  ASK(&b->server, "DEL presence:c:s");
  ASK(&b->server, "LPUSH presence:c:s x");
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s"), 1);

  ASK(&b->server, "SET presence:c:s2 %s EX 100", "{\"tabId\":\"t7\"}"); /* a good one */
  ASK(&b->server, "ZADD au:idx:c %lld s2", redis_ms(b) + 100000);
  assert_int_equal(do_leave(b, "c", "s2", "t7"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:s2"), 0);
  RUN_UNTIL(b, b->changed == 1);
}

static void a_leave_after_the_key_was_deleted(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  ASK(&b->server, "DEL presence:c:s");
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(do_sample(b, "c").sample.count, 0);
  assert_int_equal(b->store->ops->health(b->store).sessions, 0);
}

static au_status do_shorten(fixture *b, const char *tab, int64_t grace_ms) {
  outcome o;
  au_beat beat = beat_of("c", "s", tab);
  DO(b, &o,
     b->store->ops->shorten(b->store, &beat, grace_ms, AU_SHORTEN_DISCONNECTED, on_done, &o));
  return o.status;
}

static void shortened_and_renewed(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_int_equal(do_shorten(b, "t2", 10000), AU_OK); /* not its tab */
  assert_in_range(ASK(&b->server, "PTTL presence:c:s"), 170000, 180000);
  assert_int_equal(do_shorten(b, "t1", 10000), AU_OK);
  assert_in_range(ASK(&b->server, "PTTL presence:c:s"), 9000, 10000);
  long long score = ASK(&b->server, "ZSCORE au:idx:c s");
  assert_in_range(score, redis_ms(b) + 8000, redis_ms(b) + 10000);
  assert_int_equal(do_shorten(b, "t1", 10001), AU_EINVAL); /* more than disconnect-grace */
  assert_int_equal(do_shorten(b, "t1", 10000), AU_OK);     /* never longer */
  assert_int_equal(ASK(&b->server, "ZSCORE au:idx:c s"), score);
  assert_in_range(ASK(&b->server, "PTTL presence:c:s"), 8000, 10000);
  assert_int_equal(do_shorten(b, "t1", 2500), AU_OK); /* shorter */
  assert_in_range(ASK(&b->server, "PTTL presence:c:s"), 1500, 2500);
  assert_in_range(ASK(&b->server, "ZSCORE au:idx:c s"), redis_ms(b) + 500, redis_ms(b) + 2500);
  ASK(&b->server, "PEXPIRE presence:c:s 100000"); /* shows whether Redis is asked */
  assert_int_equal(do_shorten(b, "t1", 10000), AU_OK);
  assert_in_range(ASK(&b->server, "PTTL presence:c:s"), 90000, 100000);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_in_range(ASK(&b->server, "PTTL presence:c:s"), 170000, 180000);
  assert_true(ASK(&b->server, "ZSCORE au:idx:c s") > redis_ms(b) + 170000);

  score = redis_ms(b) + 5000; /* the index alone is nearer its end: it stays so */
  ASK(&b->server, "ZADD au:idx:c %lld s", score);
  assert_int_equal(do_shorten(b, "t1", 10000), AU_OK);
  assert_int_equal(ASK(&b->server, "ZSCORE au:idx:c s"), score);
  assert_int_equal(do_leave(b, "c", "s", "t1"), AU_OK);
  assert_int_equal(do_shorten(b, "t1", 10000), AU_OK); /* nor does it come back */
  assert_int_equal(ASK(&b->server, "EXISTS au:idx:c presence:c:s"), 0);
}

/* A tab that leaves has the last word at any daemon; one that lost a socket may have another one.
 */
static void shortened_at_the_daemon_before(void **state) {
  fixture *b = *state;
  outcome o;
  const au_beat beat = beat_of("c", "s", "t1");
  assert_int_equal(bench_open(b, &b->other), AU_OK);
  RUN_UNTIL(b, is_well(b->other));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  bench_run_ms(b, 120);
  assert_int_equal(do_touch(b, b->other, &beat, AU_TOUCH_BEAT), AU_OK);
  assert_int_equal(do_shorten(b, "t1", 2500), AU_OK);
  assert_true(ASK(&b->server, "PTTL presence:c:s") > 170000);
  DO(b, &o, b->store->ops->shorten(b->store, &beat, 2500, AU_SHORTEN_LEFT, on_done, &o));
  assert_int_equal(o.status, AU_OK);
  assert_in_range(ASK(&b->server, "PTTL presence:c:s"), 1, 2500);
}

/* Whoever vanished is told of when the grace is over, by this daemon's own table. */
static void the_end_of_a_session_is_told(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  RUN_UNTIL(b, b->changed == 1);
  assert_int_equal(do_shorten(b, "t1", b->config.disconnect_grace_ms), AU_OK);
  RUN_UNTIL(b, b->changed == 2);
  assert_int_equal(do_sample(b, "c").sample.count, 0);
  assert_int_equal(b->store->ops->health(b->store).sessions, 0);
}

static int setup_short_grace(void **state) {
  fixture *b = bench_create();
  b->config.disconnect_grace_ms = 200;
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

/* ---- limits ------------------------------------------------------------ */

static void a_limit_is_met_before_redis_is_told(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c1", "s1"), AU_OK);
  assert_int_equal(do_join(b, "c1", "s2"), AU_OK);
  assert_int_equal(do_join(b, "c2", "s1"), AU_OK);
  assert_int_equal(do_join(b, "c3", "s1"), AU_EFULL); /* customers: 2 */
  assert_int_equal(do_join(b, "c1", "s3"), AU_OK);
  assert_int_equal(do_join(b, "c1", "s4"), AU_EFULL); /* sessions: 4 */
  assert_int_equal(do_join(b, "c1", "s1"), AU_OK);    /* a known one */
  assert_int_equal(ASK(&b->server, "EXISTS presence:c3:s1 presence:c1:s4 au:idx:c3"), 0);
  assert_int_equal(do_leave(b, "c2", "s1", "t1"), AU_OK);
  assert_int_equal(do_join(b, "c3", "s1"), AU_OK);
}

/* Many at once, before the first is answered. */
static void a_limit_holds_for_those_in_flight(void **state) {
  fixture *b = *state;
  outcome o[8] = {0};
  unsigned begun = 0, full = 0;
  for (size_t i = 0; i < 8; i++) {
    char session[8];
    snprintf(session, sizeof session, "s%zu", i);
    au_beat beat = beat_of("c1", session, "t1");
    au_status status = b->store->ops->touch(b->store, &beat, AU_TOUCH_BEAT, on_done, &o[i]);
    begun += status == AU_OK;
    full += status == AU_EFULL;
  }
  assert_int_equal(begun, 4);
  assert_int_equal(full, 4);
  assert_int_equal(b->store->ops->health(b->store).in_flight, 4);
  RUN_UNTIL(b, b->store->ops->health(b->store).in_flight == 0);
  for (size_t i = 0; i < 4; i++) assert_int_equal(o[i].status, AU_OK);
  assert_int_equal(do_sample(b, "c1").sample.count, 4);
}

static uint32_t three(void *arg, au_slice customer_id) {
  (void)arg;
  (void)customer_id;
  return 3;
}

/* What is on its way is a part of it; Redis is told of nothing above. */
static void a_customer_has_its_share(void **state) {
  fixture *b = *state;
  assert_int_equal(do_join(b, "c", "known"), AU_OK);
  outcome o[6] = {0};
  for (size_t i = 0; i < 6; i++) {
    au_beat beat = beat_of(i % 2 ? "c" : "d", (char[]){(char)('a' + i), 0}, "t1");
    assert_int_equal(b->store->ops->touch(b->store, &beat, AU_TOUCH_BEAT, on_done, &o[i]),
                     i == 5 ? AU_EFULL : AU_OK);
  }
  RUN_UNTIL(b, b->store->ops->health(b->store).in_flight == 0);
  for (size_t i = 0; i < 5; i++) assert_int_equal(o[i].status, AU_OK);
  assert_int_equal(b->store->ops->sessions_of(b->store, slice_of("c")), 3);
  assert_int_equal(b->store->ops->sessions_of(b->store, slice_of("d")), 3);
  assert_int_equal(do_join(b, "d", "x"), AU_EFULL);
  assert_int_equal(do_join(b, "d", "a"), AU_OK); /* a known one */
  assert_int_equal(do_join(b, "e", "x"), AU_OK);
  assert_int_equal(ASK(&b->server, "EXISTS presence:c:f presence:d:x"), 0);
  server_kill(&b->server); /* its own table has the same share */
  RUN_UNTIL(b, !is_well(b->store));
  assert_int_equal(do_join(b, "d", "x"), AU_EFULL);
  assert_int_equal(do_leave(b, "d", "a", "t1"), AU_OK);
  assert_int_equal(do_join(b, "d", "x"), AU_OK);
}

static int sources; /* sessions that began less those that ended */
static char somebody;

static void source_began(void *arg, void *source) {
  (void)arg;
  assert_ptr_equal(source, &somebody);
  sources++;
}

static void source_ended(void *arg, void *source) {
  (void)arg;
  assert_ptr_equal(source, &somebody);
  sources--;
}

static void touch_from_somebody(fixture *b, const char *session, au_touch_kind kind) {
  outcome o = {0};
  au_beat beat = beat_of("c", session, "t1");
  beat.source = &somebody;
  assert_int_equal(b->store->ops->touch(b->store, &beat, kind, on_done, &o), AU_OK);
  RUN_UNTIL(b, o.calls == 1);
  assert_int_equal(o.status, AU_OK);
}

/* Once Redis has acknowledged it, and while it is lost. */
static void who_began_a_session_is_given_back(void **state) {
  fixture *b = *state;
  sources = 0;
  touch_from_somebody(b, "joined", AU_TOUCH_JOIN);
  touch_from_somebody(b, "beaten", AU_TOUCH_BEAT);
  ASK(&b->server, "SET presence:c:elsewhere %s",
      "{\"customerId\":\"c\",\"sessionId\":\"elsewhere\","
      "\"tabId\":\"t1\",\"platform\":\"web\"}");
  touch_from_somebody(b, "elsewhere", AU_TOUCH_BEAT); /* with the profile that Redis has */
  assert_int_equal(sources, 3);
  touch_from_somebody(b, "joined", AU_TOUCH_BEAT);
  assert_int_equal(do_join(b, "c", "of-nobody"), AU_OK);
  assert_int_equal(sources, 3);
  assert_int_equal(do_leave(b, "c", "joined", "t1"), AU_OK);
  assert_int_equal(sources, 2);
  server_kill(&b->server);
  RUN_UNTIL(b, !is_well(b->store));
  touch_from_somebody(b, "lost", AU_TOUCH_JOIN);
  assert_int_equal(sources, 3);
  assert_int_equal(do_leave(b, "c", "beaten", "t1"), AU_OK);
  assert_int_equal(sources, 2);
  bench_close(b, &b->store);
  assert_int_equal(sources, 0);
}

static int setup_sources(void **state) {
  fixture *b = bench_create();
  b->events.session_began = source_began;
  b->events.session_ended = source_ended;
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

static int setup_share(void **state) {
  fixture *b = bench_create();
  b->events.max_sessions_of = three;
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

static int setup_small(void **state) {
  fixture *b = bench_create();
  b->config.max_sessions = 4;
  b->config.max_customers = 2;
  server_start(&b->server);
  bench_start(b);
  *state = b;
  return 0;
}

static void renewed_ago(void **state) {
  fixture *b = *state;
  assert_int_equal(b->store->ops->renewed_ago_ms(b->store, slice_of("c"), slice_of("s"), NULL), -1);
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  bench_run_ms(b, 30);
  int64_t ago = b->store->ops->renewed_ago_ms(b->store, slice_of("c"), slice_of("s"), NULL);
  assert_in_range(ago, 25, 3000);
}

static void who_holds_a_session(void **state) {
  fixture *b = *state;
  au_slice c = slice_of("c"), s = slice_of("s");
  assert_false(b->store->ops->holds(b->store, c, s, slice_of("t1")));
  assert_int_equal(do_join(b, "c", "s"), AU_OK);
  assert_true(b->store->ops->holds(b->store, c, s, slice_of("t1")));
  assert_false(b->store->ops->holds(b->store, c, s, slice_of("t2")));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(a_join_writes_key_index_and_list),
      CASE(the_index_never_outlives_the_key),
      CASE(a_beat_keeps_what_the_join_said),
      CASE(a_beat_of_an_unknown_session_reads_its_key),
      CASE(a_beat_replaces_a_foreign_value),
      CASE(a_beat_after_a_flush_counts_again),
      CASE(the_longest_words_fit),
      CASE(a_leave_ends_only_what_its_tab_holds),
      CASE(a_leave_meets_foreign_values),
      CASE(a_leave_after_the_key_was_deleted),
      CASE(shortened_and_renewed),
      CASE(shortened_at_the_daemon_before),
      cmocka_unit_test_setup_teardown(the_end_of_a_session_is_told, setup_short_grace, teardown),
      cmocka_unit_test_setup_teardown(a_limit_is_met_before_redis_is_told, setup_small, teardown),
      cmocka_unit_test_setup_teardown(a_limit_holds_for_those_in_flight, setup_small, teardown),
      cmocka_unit_test_setup_teardown(a_customer_has_its_share, setup_share, teardown),
      cmocka_unit_test_setup_teardown(who_began_a_session_is_given_back, setup_sources, teardown),
      CASE(renewed_ago),
      CASE(who_holds_a_session),
  };
  return cmocka_run_group_tests_name("redis_store", tests, NULL, NULL);
}

/* The history in Redis against a real redis-server: keys, TTLs, peaks, unique sessions, and what
 * another program left there. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "redis_fixture.h"
#include "utils/log.h"

enum { DAY = 24 * 60, MINUTE = 29932594, TODAY = MINUTE / DAY, HOUR = MINUTE / 60 };

static au_history_store *history;
static uint64_t failed;

static int setup(void **state) {
  fixture *b = bench_create();
  const map_seed seed = {1, 2};
  const char *reason;
  shared_store *shared;
  server_start(&b->server);
  assert_int_equal(redis_store_create(&b->loop, &b->config, clock_system(), seed, &b->counters,
                                      &reason, &shared),
                   AU_OK);
  history = redis_store_history(shared);
  failed = 0;
  assert_int_equal(
      fallback_create(&b->loop, &b->config, clock_system(), seed, &b->events, shared, &b->store),
      AU_OK);
  RUN_UNTIL(b, is_well(b->store));
  *state = b;
  return 0;
}

static int teardown(void **state) {
  bench_free(*state);
  return 0;
}

/* ---- operations ------------------------------------------------------------------- */

typedef struct got {
  unsigned calls;
  au_status status;
  unsigned char minutes[1500 * AU_RECORD_BYTES], hours[2184 * AU_RECORD_BYTES];
  au_peaks peaks;
  uint64_t today, week;
  const au_history_ask *ask;
} got;

static got answer;

static void on_history(au_status status, const au_history_answer *found, void *arg) {
  got *g = arg;
  g->calls++;
  g->status = status;
  if (status != AU_OK) return;
  memcpy(g->minutes, found->minutes, (size_t)g->ask->minutes * AU_RECORD_BYTES);
  memcpy(g->hours, found->hours, (size_t)g->ask->hours * AU_RECORD_BYTES);
  g->peaks = found->peaks;
  g->today = found->unique_today;
  g->week = found->unique_week;
}

static const got *get(fixture *b, const au_history_ask *ask) {
  memset(&answer, 0, sizeof answer);
  answer.ask = ask;
  au_status status = history->ops->get(history, slice_of("c"), ask, on_history, &answer);
  if (status != AU_OK)
    answer.status = status;
  else
    RUN_UNTIL(b, answer.calls > 0);
  return &answer;
}

static void record_of(uint32_t n, unsigned char out[AU_RECORD_BYTES]) {
  for (int i = 0; i < AU_RECORD_BYTES; i++) out[i] = (unsigned char)(n >> 8 * (i % 4));
}

static void put(uint32_t minute, uint32_t peak, uint32_t today) {
  unsigned char record[AU_RECORD_BYTES], hour[AU_RECORD_BYTES];
  record_of(minute, record);
  record_of(minute / 60, hour);
  const au_history_put what = {.minute = minute,
                               .minute_record = record,
                               .hour_record = hour,
                               .has_peaks = peak > 0,
                               .peaks = {peak, today, minute / DAY}};
  history->ops->put(history, slice_of("c"), &what, &failed);
}

static bool is_record(const unsigned char *records, size_t i, uint32_t n) {
  unsigned char want[AU_RECORD_BYTES];
  record_of(n, want);
  return memcmp(records + i * AU_RECORD_BYTES, want, AU_RECORD_BYTES) == 0;
}

/* ---- the cases --------------------------------------------------------------------------- */

static void an_unknown_customer_is_zeros_and_stays_unknown(void **state) {
  fixture *b = *state;
  const au_history_ask ask = {MINUTE - 1439, 1440, HOUR - 2159, 2160, TODAY};
  const got *g = get(b, &ask);
  assert_int_equal(g->status, AU_OK);
  for (size_t i = 0; i < sizeof g->minutes; i++) assert_int_equal(g->minutes[i], 0);
  for (size_t i = 0; i < sizeof g->hours; i++) assert_int_equal(g->hours[i], 0);
  assert_int_equal(g->peaks.ever + g->today + g->week, 0);
  const au_history_ask too_much = {.minutes = 1501};
  assert_int_equal(get(b, &too_much)->status, AU_EINVAL);
}

static void records_are_read_back_over_the_ends_of_keys(void **state) {
  fixture *b = *state;
  for (uint32_t i = 0; i < 1440; i++) put(MINUTE - i, 0, 0);
  for (uint32_t i = 24; i < 2160; i += 24) put(MINUTE - i * 60, 0, 0);
  const au_history_ask ask = {MINUTE - 1439, 1440, HOUR - 2159, 2160, 0};
  const got *g = get(b, &ask);
  for (uint32_t i = 0; i < 1440; i++) assert_true(is_record(g->minutes, i, MINUTE - 1439 + i));
  for (uint32_t i = 48; i < 2160; i++)
    assert_true(is_record(g->hours, 2159 - i, i % 24 == 0 ? HOUR - i : 0));
  assert_int_equal(failed, 0);
}

static void every_key_has_a_ttl(void **state) {
  fixture *b = *state;
  put(MINUTE, 5, 5);
  history->ops->seen(history, slice_of("c"), slice_of("s"), TODAY, &failed);
  const au_history_ask ask = {.unique_day = TODAY};
  get(b, &ask);
  char key[64];
  static const struct {
    const char *name;
    uint32_t number, ttl_s;
  } keys[] = {{"au:min:c:%u", HOUR, 27 * 3600},
              {"au:hour:c:%u", HOUR / 72, 94 * 86400},
              {"au:uniq:c:%u", TODAY, 9 * 86400},
              {"au:peak:c", 0, 400 * 86400}};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(key, sizeof key, keys[i].name, keys[i].number);
#pragma GCC diagnostic pop
    assert_in_range(ASK(&b->server, "TTL %s", key), keys[i].ttl_s - 5, keys[i].ttl_s);
  }
  ASK(&b->server, "EXPIRE au:min:c:%u 100", (unsigned)HOUR); /* one that is there keeps its TTL */
  put(MINUTE + 1, 0, 0);
  get(b, &ask);
  assert_in_range(ASK(&b->server, "TTL au:min:c:%u", (unsigned)HOUR), 90, 100);
  assert_int_equal(ASK(&b->server, "DBSIZE"), 4 + ASK(&b->server, "EXISTS au:epoch au:probe"));
}

/* Whoever knows a customer's id may invent another: at the end of an hour and of three days, where
 * most is filled with zeros, it still costs little. */
static void a_fleeting_customer_costs_little(void **state) {
  fixture *b = *state;
  const uint32_t last = HOUR / 72 * 72 * 60 + 72 * 60 - 1;
  put(last, 1, 1);
  const au_history_ask ask = {0};
  get(b, &ask);
  long long bytes = ASK(&b->server, "EVAL %s 0",
                        "local n = 0 "
                        "for _, key in ipairs(redis.call('KEYS', 'au:*:c*')) do "
                        "  n = n + redis.call('MEMORY', 'USAGE', key) "
                        "end "
                        "return n");
  assert_in_range(bytes, 1000, 2500);
}

static void the_higher_peak_wins(void **state) {
  fixture *b = *state;
  const au_history_ask ask = {0};
  static const struct {
    const char *name;
    uint32_t minute, ever, today, want_ever, want_today, want_day;
  } steps[] = {
      {"the first", MINUTE, 10, 10, 10, 10, TODAY},
      {"lower: nothing", MINUTE, 4, 4, 10, 10, TODAY},
      {"higher, of another daemon", MINUTE, 12, 12, 12, 12, TODAY},
      {"a new day", MINUTE + DAY, 5, 5, 12, 5, TODAY + 1},
      {"yesterday's, late", MINUTE, 11, 11, 12, 5, TODAY + 1},
      {"yesterday's, and the highest", MINUTE, 20, 20, 20, 5, TODAY + 1},
  };
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    put(steps[i].minute, steps[i].ever, steps[i].today);
    au_peaks p = get(b, &ask)->peaks;
    if (p.ever != steps[i].want_ever || p.today != steps[i].want_today ||
        p.day != steps[i].want_day)
      fail_msg("%s: %u %u %u", steps[i].name, p.ever, p.today, p.day);
  }
}

static void sessions_of_a_day_and_a_week(void **state) {
  fixture *b = *state;
  char id[24];
  for (uint32_t day = TODAY - 8; day <= TODAY; day++)
    for (uint32_t i = 0; i < 100; i++) {
      snprintf(id, sizeof id, "s-%u", (day - TODAY + 8) * 50 + i);
      history->ops->seen(history, slice_of("c"), slice_of(id), day, &failed);
    }
  const au_history_ask ask = {.unique_day = TODAY};
  const got *g = get(b, &ask);
  assert_in_range(g->today, 97, 103);
  assert_in_range(g->week, 388, 412);
  assert_int_equal(failed, 0);
}

/* Nothing of it is the end of anything else. */
static void keys_of_other_programs(void **state) {
  fixture *b = *state;
  ASK(&b->server, "RPUSH au:min:c:%u x", (unsigned)HOUR);
  ASK(&b->server, "RPUSH au:uniq:c:%u x", (unsigned)TODAY);
  ASK(&b->server, "SET au:peak:c many");
  ASK(&b->server, "SET au:hour:c:%u x", (unsigned)(HOUR / 72));
  const au_history_ask ask = {MINUTE, 1, HOUR, 1, TODAY};
  const got *g = get(b, &ask);
  assert_int_equal(g->status, AU_OK);
  assert_int_equal(g->peaks.ever + g->today, 0);
  put(MINUTE, 5, 5);
  history->ops->seen(history, slice_of("c"), slice_of("s"), TODAY, &failed);
  get(b, &ask);
  assert_int_equal(failed, 2);
  assert_true(is_well(b->store));
  ASK(&b->server, "DEL au:min:c:%u au:uniq:c:%u", (unsigned)HOUR, (unsigned)TODAY);
  put(MINUTE, 5, 5);
  g = get(b, &ask);
  assert_true(is_record(g->minutes, 0, MINUTE));
  assert_int_equal(g->peaks.ever, 5);
}

static void a_lost_redis(void **state) {
  fixture *b = *state;
  put(MINUTE, 5, 5);
  const au_history_ask ask = {MINUTE, 1, HOUR, 1, TODAY};
  get(b, &ask);
  server_kill(&b->server);
  RUN_UNTIL(b, !is_well(b->store));
  assert_true(get(b, &ask)->status != AU_OK);
  put(MINUTE + 1, 0, 0);
  assert_int_equal(failed, 1);
}

/* A daemon that stops ends what was asked, and tells. */
static void stopped_meanwhile(void **state) {
  fixture *b = *state;
  const au_history_ask ask = {MINUTE, 60, HOUR, 1, TODAY};
  memset(&answer, 0, sizeof answer);
  answer.ask = &ask;
  assert_int_equal(history->ops->get(history, slice_of("c"), &ask, on_history, &answer), AU_OK);
  bench_close(b, &b->store);
  assert_int_equal(answer.calls, 1);
  assert_int_equal(answer.status, AU_ECANCELED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CASE(an_unknown_customer_is_zeros_and_stays_unknown),
      CASE(records_are_read_back_over_the_ends_of_keys),
      CASE(every_key_has_a_ttl),
      CASE(a_fleeting_customer_costs_little),
      CASE(the_higher_peak_wins),
      CASE(sessions_of_a_day_and_a_week),
      CASE(keys_of_other_programs),
      CASE(a_lost_redis),
      CASE(stopped_meanwhile),
  };
  return cmocka_run_group_tests_name("redis_history", tests, NULL, NULL);
}

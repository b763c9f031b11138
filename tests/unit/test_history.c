/* Tests of minutes, hours and peaks against a model, on a clock whose hands the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/history/memory_history.h"
#include "services/history/history.h"
#include "services/history/history_query.h"
#include "services/history/record.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = 30000, DAEMONS = 2, MODEL_MINUTES = 3 * 24 * 60 };
#define MIDNIGHT ((int64_t)1795910400000) /* a day begins, UTC */

/* ---- a store that answers later, or not at all ------------------------------------------ */

typedef struct world {
  int64_t wall_ms, mono_ms;
  au_clock clock;
  au_history_store *kept; /* of a memory store: what is behind the shared one */
  au_history_store shared;
  au_history_store_ops ops;
  bool is_lost;
  bool defers;
  struct {
    au_slice id;
    char text[16];
    au_history_ask ask;
    au_history_fn cb;
    void *arg;
  } waiting;
  unsigned puts;
  stats counters;
  history *daemons[DAEMONS];
  /* The model: all samples of a minute. */
  record minutes[MODEL_MINUTES];
} world;

static world *w;

static int64_t wall_ms(void *arg) {
  return ((world *)arg)->wall_ms;
}

static int64_t mono_ms(void *arg) {
  return ((world *)arg)->mono_ms;
}

static void shared_put(au_history_store *store, au_slice id, const au_history_put *what,
                       uint64_t *failed) {
  (void)store;
  w->puts++;
  if (w->is_lost)
    ++*failed;
  else
    w->kept->ops->put(w->kept, id, what, failed);
}

static au_status shared_get(au_history_store *store, au_slice id, const au_history_ask *ask,
                            au_history_fn cb, void *arg) {
  (void)store;
  if (w->is_lost) return AU_ESTORE;
  if (!w->defers) return w->kept->ops->get(w->kept, id, ask, cb, arg);
  assert_null(w->waiting.cb);
  memcpy(w->waiting.text, id.ptr, id.len);
  w->waiting.id = (au_slice){w->waiting.text, id.len};
  w->waiting.ask = *ask;
  w->waiting.cb = cb;
  w->waiting.arg = arg;
  return AU_OK;
}

static void shared_seen(au_history_store *store, au_slice id, au_slice session, uint32_t day,
                        uint64_t *failed) {
  (void)store;
  w->kept->ops->seen(w->kept, id, session, day, failed);
}

static size_t shared_bytes(const au_history_store *store) {
  (void)store;
  return w->kept->ops->bytes(w->kept);
}

static uint32_t shared_in_flight(const au_history_store *store) {
  (void)store;
  return 0;
}

static void answer(void) {
  au_history_fn cb = w->waiting.cb;
  if (!cb) return;
  w->waiting.cb = NULL;
  assert_int_equal(w->kept->ops->get(w->kept, w->waiting.id, &w->waiting.ask, cb, w->waiting.arg),
                   AU_OK);
}

static history *daemon_of(bool is_shared) {
  const history_config config = {.store = &w->shared,
                                 .clock = &w->clock,
                                 .counters = &w->counters,
                                 .seed = {3, 4},
                                 .is_shared = is_shared,
                                 .interval_ms = INTERVAL_MS,
                                 .max_customers = 100};
  history *h;
  assert_int_equal(history_create(&config, &h), AU_OK);
  return h;
}

static int setup(void **state) {
  (void)state;
  w = calloc(1, sizeof *w);
  w->wall_ms = MIDNIGHT;
  w->mono_ms = 1000;
  w->clock = (au_clock){wall_ms, mono_ms, w};
  w->ops = (au_history_store_ops){.put = shared_put,
                                  .seen = shared_seen,
                                  .get = shared_get,
                                  .bytes = shared_bytes,
                                  .in_flight = shared_in_flight};
  w->shared.ops = &w->ops;
  const map_seed seed = {5, 6};
  assert_int_equal(memory_history_create(seed, (size_t)64 << 20, &w->kept), AU_OK);
  for (int i = 0; i < DAEMONS; i++) w->daemons[i] = daemon_of(false);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  answer();
  for (int i = 0; i < DAEMONS; i++) history_free(w->daemons[i]);
  w->kept->ops->free(w->kept);
  free(w);
  return 0;
}

static void pass(int64_t ms) {
  w->wall_ms += ms;
  w->mono_ms += ms;
}

static void tick(int daemon, uint32_t count, double ema) {
  const au_sample sample = {.count = count};
  history_tick(w->daemons[daemon], slice_of("shop"), &sample, ema);
}

/* A tick, which the model sees as well. */
static void model_tick(int daemon, uint32_t count, double ema) {
  const record one = {1, count, count, count, ema};
  tick(daemon, count, ema);
  record_add(&w->minutes[(w->wall_ms - MIDNIGHT) / 60000], &one, 1);
}

static record kept_record(bool is_hour, uint32_t at) {
  const au_history_ask ask = is_hour ? (au_history_ask){.hour = at, .hours = 1}
                                     : (au_history_ask){.minute = at, .minutes = 1};
  unsigned char minutes[AU_RECORD_BYTES], hours[AU_RECORD_BYTES];
  au_history_answer found;
  history_table_get(memory_history_table(w->kept), slice_of("shop"), &ask, minutes, hours, &found);
  return record_unpack(is_hour ? hours : minutes);
}

static au_peaks kept_peaks(void) {
  const au_history_ask ask = {0};
  au_history_answer found;
  history_table_get(memory_history_table(w->kept), slice_of("shop"), &ask, NULL, NULL, &found);
  return found.peaks;
}

static void check(const char *name, uint32_t at, const record *got, const record *want) {
  if (want->parts == 0 && got->parts == 0) return;
  if ((want->parts == 0) != (got->parts == 0) || got->min != want->min || got->max != want->max ||
      fabs(got->mean - want->mean) > 0.002 || fabs(got->ema - want->ema) > 0.002)
    fail_msg("%s %u: %u of %u..%u mean %g ema %g, not %u of %u..%u mean %g ema %g", name, at,
             got->parts, got->min, got->max, got->mean, got->ema, want->parts, want->min, want->max,
             want->mean, want->ema);
}

/* All minutes before `end` that are still kept, and the hours that are over. */
static void check_model(uint32_t end) {
  uint32_t first = (uint32_t)(MIDNIGHT / 60000);
  for (uint32_t i = end > 1380 ? end - 1380 : 0; i < end; i++) {
    record got = kept_record(false, first + i);
    check("minute", i, &got, &w->minutes[i]);
  }
  for (uint32_t hour = 0; hour < end / 60; hour++) {
    record want = {0}, got = kept_record(true, first / 60 + hour);
    for (uint32_t i = 0; i < 60; i++) record_add(&want, &w->minutes[hour * 60 + i], 1);
    check("hour", hour, &got, &want);
  }
}

/* ---- the cases ------------------------------------------------------------------------------ */

static void minutes_and_hours_over_days(void **state) {
  (void)state;
  for (int i = 0; i < 50 * 60 * 2; i++) {
    model_tick(0, (uint32_t)(i * 7919 % 500), i % 100 + 0.25);
    pass(INTERVAL_MS);
  }
  history_flush(w->daemons[0]);
  check_model(50 * 60);
}

static void midnight_begins_a_day(void **state) {
  (void)state;
  w->wall_ms = MIDNIGHT - 60000;
  tick(0, 90, 90);
  pass(60000);
  tick(0, 12, 80);
  pass(60000);
  tick(0, 13, 70);
  history_flush(w->daemons[0]);
  au_peaks peaks = kept_peaks();
  assert_int_equal(peaks.ever, 90);
  assert_int_equal(peaks.today, 13);
  assert_int_equal(peaks.day, MIDNIGHT / 86400000);
}

static void a_gap_is_nothing(void **state) {
  (void)state;
  for (int hour = 0; hour < 20; hour++) {
    for (int i = 0; i < 17; i++) {
      model_tick(0, (uint32_t)(hour + i), i);
      pass(INTERVAL_MS);
    }
    pass(3 * 3600000 - 17 * INTERVAL_MS);
    history_expire(w->daemons[0], 10);
  }
  check_model(60 * 60);
}

static void a_late_tick_counts_where_it_comes(void **state) {
  (void)state;
  for (int i = 0; i < 200; i++) {
    model_tick(0, (uint32_t)i, i);
    pass(i % 5 == 0 ? 7 * INTERVAL_MS + 123 : INTERVAL_MS);
  }
  history_flush(w->daemons[0]);
  check_model((uint32_t)((w->wall_ms - MIDNIGHT) / 60000));
}

/* A daemon stops in the middle of a minute and of an hour, and the next one goes on with both. */
static void a_restart_goes_on(void **state) {
  (void)state;
  for (int i = 0; i < 400; i++) {
    model_tick(0, (uint32_t)(i % 50), i % 30);
    pass(10000);
    if (i % 37 != 0) continue;
    history_flush(w->daemons[0]);
    history_free(w->daemons[0]);
    w->daemons[0] = daemon_of(false);
  }
  history_flush(w->daemons[0]);
  check_model(66);
  au_peaks peaks = kept_peaks();
  assert_int_equal(peaks.ever, 49);
}

/* One ticks, then the other, then the first again; what it had of the minute then is its own. */
static void two_daemons_take_turns(void **state) {
  (void)state;
  for (int i = 0; i < 600; i++) {
    bool at_minute = w->wall_ms % 60000 == 0;
    int daemon = i / 50 % 2;
    if (at_minute && i % 50 == 0) { /* the lease of the other is over, and it gives up */
      int64_t before = w->mono_ms;
      w->mono_ms += 10 * 60000;
      history_expire(w->daemons[1 - daemon], 10);
      w->mono_ms = before;
    }
    model_tick(daemon, (uint32_t)(i * 31 % 97), i % 20);
    pass(INTERVAL_MS);
  }
  history_flush(w->daemons[599 / 50 % 2]);
  check_model(300);
}

static void the_hour_is_read_before_it_is_written(void **state) {
  (void)state;
  for (int i = 0; i < 40; i++) {
    model_tick(0, (uint32_t)i, i);
    pass(INTERVAL_MS);
  }
  history_flush(w->daemons[0]);
  w->defers = true;
  unsigned puts = w->puts;
  model_tick(1, 77, 7);
  pass(INTERVAL_MS);
  model_tick(1, 78, 7);
  assert_int_equal(w->puts, puts);
  answer();
  pass(INTERVAL_MS);
  model_tick(1, 79, 7);
  assert_int_equal(w->puts, puts + 1);
  history_flush(w->daemons[1]);
  check_model(21);
}

static void a_lost_store_leaves_a_gap(void **state) {
  (void)state;
  w->is_lost = true;
  for (int i = 0; i < 10; i++) {
    tick(0, 5, 5);
    pass(INTERVAL_MS);
  }
  const au_sample stale = {.count = 900, .stale = true};
  history_tick(w->daemons[0], slice_of("shop"), &stale, 900);
  w->is_lost = false;
  for (int i = 0; i < 10; i++) {
    model_tick(0, 6, 6);
    pass(INTERVAL_MS);
  }
  history_flush(w->daemons[0]);
  check_model(10);
  assert_int_equal(kept_peaks().ever, 6);
}

static void changes_reach_the_extremes_and_peaks(void **state) {
  (void)state;
  const au_sample high = {.count = 50}, low = {.count = 1};
  history_change(w->daemons[0], slice_of("shop"), &high);
  history_change(w->daemons[0], slice_of("shop"), &low);
  tick(0, 3, 3);
  history_flush(w->daemons[0]);
  record r = kept_record(false, (uint32_t)(MIDNIGHT / 60000));
  assert_int_equal(r.min, 1);
  assert_int_equal(r.max, 50);
  assert_true(r.mean == 3);
  assert_int_equal(kept_peaks().ever, 50);
}

/* With a shared store a change is only of interest where the customer is ticked. */
static void another_daemon_writes_nothing(void **state) {
  (void)state;
  history *h = daemon_of(true);
  const au_sample sample = {.count = 50};
  history_change(h, slice_of("shop"), &sample);
  history_flush(h);
  assert_int_equal(w->puts, 0);
  history_free(h);
}

static void minutes_go_by_the_clock_of_the_shared_store(void **state) {
  (void)state;
  history *h = daemon_of(true);
  const au_sample sample = {
      .count = 5, .ticked_ms = MIDNIGHT + 7200000 - 30000, .elapsed_ms = 30000};
  history_tick(h, slice_of("shop"), &sample, 5);
  history_flush(h);
  assert_int_equal(kept_record(false, (uint32_t)(MIDNIGHT / 60000) + 120).max, 5);
  assert_int_equal(history_now_ms(h), MIDNIGHT + 7200000);
  history_free(h);
}

static void a_clock_that_is_set_back(void **state) {
  (void)state;
  tick(0, 5, 5);
  w->wall_ms -= 1000; /* a little: the same minute */
  tick(0, 6, 6);
  w->wall_ms -= 3600000; /* far: another one, which is kept too */
  tick(0, 7, 7);
  history_flush(w->daemons[0]);
  uint32_t at = (uint32_t)(MIDNIGHT / 60000);
  assert_int_equal(kept_record(false, at).max, 6);
  assert_int_equal(kept_record(false, at - 61).max, 7);
}

static void more_than_may_be_are_left_out(void **state) {
  (void)state;
  char id[20];
  const au_sample sample = {.count = 1};
  for (int i = 0; i < 150; i++) {
    snprintf(id, sizeof id, "shop-%d", i);
    history_tick(w->daemons[0], slice_of(id), &sample, 1);
  }
  history_flush(w->daemons[0]);
  assert_int_equal(history_table_customers(memory_history_table(w->kept)), 100);
  pass(10 * 60000);
  history_expire(w->daemons[0], 1000);
  history_tick(w->daemons[0], slice_of("shop-149"), &sample, 1);
  history_flush(w->daemons[0]);
  assert_int_equal(history_table_customers(memory_history_table(w->kept)), 101);
}

/* ---- peaks --------------------------------------------------------------------------------------
 */

static au_peaks told;

static void on_peaks(const au_peaks *peaks, void *arg) {
  ++*(int *)arg;
  told = *peaks;
}

static au_peaks ask_peaks(history *h, uint32_t count) {
  int calls = 0;
  const au_sample sample = {.count = count};
  history_peaks(h, slice_of("shop"), &sample, on_peaks, &calls);
  answer();
  assert_int_equal(calls, 1);
  return told;
}

static void peaks_are_never_below_the_count(void **state) {
  (void)state;
  history *writer = w->daemons[0], *reader = daemon_of(true);
  assert_int_equal(ask_peaks(writer, 0).ever, 0);
  assert_int_equal(ask_peaks(writer, 4).ever, 4);
  assert_int_equal(ask_peaks(writer, 4).today, 4);
  tick(0, 9, 9);
  assert_int_equal(ask_peaks(writer, 4).ever, 9);
  history_flush(writer);
  assert_int_equal(ask_peaks(reader, 4).ever, 9); /* from the store */
  w->defers = true;
  assert_int_equal(ask_peaks(reader, 4).today, 9);
  w->is_lost = true;
  assert_int_equal(ask_peaks(reader, 4).ever, 4); /* all that is known */
  w->is_lost = w->defers = false;
  pass(86400000);
  assert_int_equal(ask_peaks(reader, 3).today, 3);
  assert_int_equal(ask_peaks(reader, 3).ever, 9);
  history_free(reader);
}

static void what_was_answered_is_a_peak(void **state) {
  (void)state;
  assert_int_equal(ask_peaks(w->daemons[0], 12).ever, 12);
  assert_int_equal(ask_peaks(w->daemons[0], 4).ever, 12);
  tick(0, 4, 4);
  history_flush(w->daemons[0]);
  assert_int_equal(kept_peaks().ever, 12);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(minutes_and_hours_over_days),
      CASE(midnight_begins_a_day),
      CASE(a_gap_is_nothing),
      CASE(a_late_tick_counts_where_it_comes),
      CASE(a_restart_goes_on),
      CASE(two_daemons_take_turns),
      CASE(the_hour_is_read_before_it_is_written),
      CASE(a_lost_store_leaves_a_gap),
      CASE(changes_reach_the_extremes_and_peaks),
      CASE(another_daemon_writes_nothing),
      CASE(minutes_go_by_the_clock_of_the_shared_store),
      CASE(a_clock_that_is_set_back),
      CASE(more_than_may_be_are_left_out),
      CASE(peaks_are_never_below_the_count),
      CASE(what_was_answered_is_a_peak),
  };
  return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}

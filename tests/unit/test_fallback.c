/* The fallback store over a shared store made up for the test: no Redis. What goes to the shared
 * store, what to the table, and what is restored when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "adapters/fallback/fallback.h"
#include "fake_shared.h"

typedef struct fixture {
  uv_loop_t loop;
  au_config config;
  au_store_events events;
  fake_shared *shared;
  au_store *store;
  unsigned changed, published, answers, stopped;
  au_status status;
  au_sample sample;
  int64_t now_ms;
  au_clock clock;
} fixture;

static int64_t now_of(void *arg) {
  return ((fixture *)arg)->now_ms;
}

static void on_changed(void *arg, au_slice id) {
  (void)id;
  ((fixture *)arg)->changed++;
}

static void on_published(void *arg, const au_metrics *metrics) {
  (void)metrics;
  ((fixture *)arg)->published++;
}

static void on_stopped(void *arg) {
  ((fixture *)arg)->stopped++;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  uv_loop_init(&f->loop);
  au_config_init(&f->config);
  f->events = (au_store_events){.changed = on_changed, .published = on_published, .arg = f};
  f->now_ms = 1000000;
  f->clock = (au_clock){now_of, now_of, f};
  f->shared = fake_shared_create(2);
  assert_int_equal(fallback_create(&f->loop, &f->config, &f->clock, (map_seed){1, 2}, &f->events,
                                   &f->shared->base, &f->store),
                   AU_OK);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  f->store->ops->stop(f->store, on_stopped, f);
  fake_shared_cancel(f->shared);
  for (int i = 0; f->stopped == 0 && i < 1000; i++) uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->stopped, 1);
  assert_int_equal(f->store->ops->health(f->store).in_flight, 0);
  f->store->ops->free(f->store);
  uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  free(f);
  return 0;
}

static void turns(fixture *f, int n) {
  while (n-- > 0) uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* Turns, with all that is asked answered as `status`. */
static void serve(fixture *f, au_status status) {
  for (int i = 0; i < 40; i++) {
    fake_shared_answer_all(f->shared, status);
    uv_run(&f->loop, UV_RUN_NOWAIT);
  }
}

static void on_done(au_status status, void *arg) {
  fixture *f = arg;
  f->answers++;
  f->status = status;
}

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  fixture *f = arg;
  on_done(status, f);
  if (sample) f->sample = *sample;
}

static au_beat beat_of(const char *customer, const char *session, const char *tab) {
  return (au_beat){.customer_id = slice_of(customer),
                   .session_id = slice_of(session),
                   .tab_id = slice_of(tab),
                   .is_leader = true};
}

static void join(fixture *f, const char *customer, const char *session) {
  au_beat beat = beat_of(customer, session, "t");
  assert_int_equal(f->store->ops->touch(f->store, &beat, AU_TOUCH_JOIN, on_done, f), AU_OK);
}

static void leave(fixture *f, const char *customer, const char *session) {
  au_beat beat = beat_of(customer, session, "t");
  assert_int_equal(f->store->ops->leave(f->store, &beat, on_done, f), AU_OK);
}

static void shorten(fixture *f, const char *session, int64_t grace_ms, au_shorten_reason why) {
  au_beat beat = beat_of("a", session, "t");
  assert_int_equal(f->store->ops->shorten(f->store, &beat, grace_ms, why, on_done, f), AU_OK);
}

static bool is_stale(fixture *f, const char *customer) {
  unsigned before = f->answers;
  assert_int_equal(f->store->ops->sample(f->store, slice_of(customer), on_sample, f), AU_OK);
  for (int i = 0; f->answers == before && i < 100; i++) {
    fake_shared_answer_kind(f->shared, FAKE_SAMPLE, AU_OK);
    uv_run(&f->loop, UV_RUN_NOWAIT);
  }
  return f->sample.stale;
}

static uint32_t sessions(fixture *f) {
  return f->store->ops->health(f->store).sessions;
}

/* Slots of the fake: customers that begin with an `a` are in slot 0, all others in slot 1. */
static void serve_both(fixture *f) {
  f->shared->serves[0] = true;
  fake_shared_serve(f->shared, 1, true);
  turns(f, 3);
}

static void in_sync_all_goes_to_the_shared_store(void **state) {
  fixture *f = *state;
  serve_both(f);
  join(f, "a", "s");
  assert_int_equal(sessions(f), 0); /* not before it is acknowledged */
  serve(f, AU_OK);
  assert_int_equal(f->answers, 1);
  assert_int_equal(sessions(f), 1);
  assert_false(is_stale(f, "a"));
  leave(f, "a", "s");
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_LEAVE], 1);
  assert_int_equal(sessions(f), 0);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION] + f->shared->count[FAKE_RESTORE_LEAVE],
                   0);
}

static void lost_all_goes_to_the_table_and_is_restored_in_order(void **state) {
  fixture *f = *state;
  join(f, "a", "stays");
  join(f, "a", "goes");
  turns(f, 3);
  leave(f, "a", "goes");
  turns(f, 3);
  assert_int_equal(f->answers, 3);
  assert_int_equal(f->status, AU_OK);
  assert_true(is_stale(f, "a"));
  assert_int_equal(f->sample.count, 1);
  serve_both(f);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 1); /* "goes" is not */
  assert_int_equal(f->shared->count[FAKE_RESTORE_LEAVE], 0);   /* after the sessions */
  assert_true(is_stale(f, "a"));
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_LEAVE], 1);
  assert_false(is_stale(f, "a"));
  assert_string_equal(f->store->ops->health(f->store).reason, "");
}

/* There are more sessions than one batch has. */
static void a_leave_during_a_round_comes_behind_its_sessions(void **state) {
  fixture *f = *state;
  char id[16];
  for (int i = 0; i < 300; i++) {
    snprintf(id, sizeof id, "s%d", i);
    join(f, "a", id);
  }
  turns(f, 3);
  serve_both(f);
  leave(f, "a", "s299");
  turns(f, 3);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 250);
  assert_int_equal(f->shared->count[FAKE_LEAVE] + f->shared->count[FAKE_RESTORE_LEAVE], 0);
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 300);
  assert_int_equal(f->shared->count[FAKE_RESTORE_LEAVE], 1);
  assert_int_equal(sessions(f), 299);
}

/* A slot is lost by itself, and what moves is only where it is sent. */
static void slots_apart(void **state) {
  fixture *f = *state;
  serve_both(f);
  join(f, "a", "s");
  join(f, "b", "s");
  serve(f, AU_OK);
  fake_shared_serve(f->shared, 0, false);
  f->now_ms++;
  join(f, "a", "late");
  turns(f, 3);
  assert_true(is_stale(f, "a"));
  assert_false(is_stale(f, "b"));
  fake_shared_serve(f->shared, 0, true);
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 1); /* what came meanwhile, no more */
  assert_false(is_stale(f, "a"));
}

static void lost_data_is_restored_with_its_leaves(void **state) {
  fixture *f = *state;
  serve_both(f);
  join(f, "a", "s");
  join(f, "a", "goes");
  join(f, "b", "s");
  serve(f, AU_OK);
  leave(f, "a", "goes");
  serve(f, AU_OK);
  f->shared->events.data_lost(f->shared->events.arg, 0, false);
  assert_true(is_stale(f, "a"));
  assert_false(is_stale(f, "b"));
  f->shared->events.ready(f->shared->events.arg);
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 1);
  assert_int_equal(f->shared->count[FAKE_RESTORE_LEAVE], 1); /* the tombstone */
  assert_false(is_stale(f, "a"));
}

/* A session that was shortened is kept like a leave, and is one when its grace is over. */
static void lost_data_is_restored_with_what_was_shortened(void **state) {
  fixture *f = *state;
  serve_both(f);
  join(f, "a", "over");
  serve(f, AU_OK);
  shorten(f, "over", 1000, AU_SHORTEN_LEFT);
  serve(f, AU_OK);
  f->now_ms += 2000;
  join(f, "a", "short");
  serve(f, AU_OK);
  shorten(f, "short", 1000, AU_SHORTEN_DISCONNECTED);
  serve(f, AU_OK);
  f->shared->events.data_lost(f->shared->events.arg, 0, false);
  f->shared->events.ready(f->shared->events.arg);
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 1);
  assert_int_equal(f->shared->count[FAKE_RESTORE_LEAVE], 1);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SHORTEN], 1);
}

/* A tab whose session this daemon has not renewed for a TTL may be at another one by now. */
static void disconnected_and_unknown(void **state) {
  fixture *f = *state;
  serve_both(f);
  shorten(f, "s", 1000, AU_SHORTEN_DISCONNECTED);
  serve(f, AU_OK);
  assert_int_equal(f->answers, 1);
  assert_int_equal(f->shared->count[FAKE_SHORTEN], 0);
  shorten(f, "s", 1000, AU_SHORTEN_LEFT);
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_SHORTEN], 1);
}

/* The beat reads the profile first, so what shortens the session behind it comes first. */
static void shortened_while_a_touch_reads_the_profile(void **state) {
  fixture *f = *state;
  serve_both(f);
  au_beat beat = beat_of("a", "s", "t");
  assert_int_equal(f->store->ops->touch(f->store, &beat, AU_TOUCH_BEAT, on_done, f), AU_OK);
  shorten(f, "s", 1000, AU_SHORTEN_DISCONNECTED);
  fake_shared_answer_kind(f->shared, FAKE_SHORTEN, AU_OK);
  fake_shared_answer_kind(f->shared, FAKE_TOUCH, AU_OK);
  turns(f, 3);
  assert_int_equal(sessions(f), 1);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SHORTEN], 1); /* again, behind the touch */
  f->now_ms += 1100;
  assert_false(is_stale(f, "a"));
  serve(f, AU_OK);
  assert_int_equal(sessions(f), 0);
}

/* Where a slot is served but a write fails, one key refused it: that customer has a hint, and the
 * slot stays in sync. */
static void one_key_refuses(void **state) {
  fixture *f = *state;
  serve_both(f);
  join(f, "a", "s");
  serve(f, AU_ESTORE);
  assert_int_equal(f->status, AU_OK);
  assert_int_equal(sessions(f), 1);
  assert_false(is_stale(f, "a2"));
  for (int i = 0; f->shared->count[FAKE_RESTORE_SESSION] == 0 && i < 2000; i++) {
    uv_run(&f->loop, UV_RUN_ONCE);
    fake_shared_answer_kind(f->shared, FAKE_SAMPLE, AU_OK);
  }
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 1);
}

/* The leave is in flight to be restored when the answer to an older touch comes: it is over. */
static void a_touch_behind_its_leave(void **state) {
  fixture *f = *state;
  serve_both(f);
  join(f, "a", "s");
  fake_shared_serve(f->shared, 0, false);
  leave(f, "a", "s"); /* from the table, which does not have it yet */
  fake_shared_answer_kind(f->shared, FAKE_TOUCH, AU_OK);
  turns(f, 3);
  assert_int_equal(sessions(f), 0);
  fake_shared_serve(f->shared, 0, true);
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_LEAVE], 1);
}

/* A round that fails is tried again, and one slot's failure is not the other's. */
static void a_round_fails_for_one_slot(void **state) {
  fixture *f = *state;
  join(f, "a", "s");
  join(f, "b", "s");
  turns(f, 3);
  serve_both(f);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 2);
  fake_shared_serve(f->shared, 0, false);
  fake_shared_answer_customer(f->shared, "a", AU_ESTORE);
  serve(f, AU_OK);
  assert_true(is_stale(f, "a"));
  assert_false(is_stale(f, "b"));
  fake_shared_serve(f->shared, 0, true);
  serve(f, AU_OK);
  assert_int_equal(f->shared->count[FAKE_RESTORE_SESSION], 3);
  assert_false(is_stale(f, "a"));
}

static void stopped_with_all_in_flight(void **state) {
  fixture *f = *state;
  serve_both(f);
  join(f, "a", "s");
  leave(f, "b", "s");
  assert_int_equal(f->store->ops->sample(f->store, slice_of("a"), on_sample, f), AU_OK);
  assert_int_equal(f->store->ops->health(f->store).in_flight, 3);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(in_sync_all_goes_to_the_shared_store),
      CASE(lost_all_goes_to_the_table_and_is_restored_in_order),
      CASE(a_leave_during_a_round_comes_behind_its_sessions),
      CASE(slots_apart),
      CASE(lost_data_is_restored_with_its_leaves),
      CASE(lost_data_is_restored_with_what_was_shortened),
      CASE(disconnected_and_unknown),
      CASE(shortened_while_a_touch_reads_the_profile),
      CASE(one_key_refuses),
      CASE(a_touch_behind_its_leave),
      CASE(a_round_fails_for_one_slot),
      CASE(stopped_with_all_in_flight),
  };
  return cmocka_run_group_tests_name("fallback", tests, NULL, NULL);
}

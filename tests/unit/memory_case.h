/* A memory store on a real loop, with a clock whose hands the test turns, and a log
 * of what it called back. */
#ifndef TESTS_MEMORY_CASE_H
#define TESTS_MEMORY_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 20000, GRACE_MS = 20, IN_FLIGHT_MAX = 65536, TURN_MAX = 256 };

typedef struct fixture {
  uv_loop_t loop;
  au_clock clock;
  int64_t now_ms;
  au_config config;
  au_store_events events;
  au_store *store;
  bool inside; /* a store function is being called: nothing may call back */
  buffer log;  /* what was called back, in order */
  int changed, stopped;
} fixture;

static inline int64_t read_clock(void *arg) {
  return ((fixture *)arg)->now_ms;
}

static inline void on_changed(void *arg, au_slice customer_id) {
  fixture *f = arg;
  assert_false(f->inside);
  f->changed++;
  buffer_append_format(&f->log, "changed:%.*s ", (int)customer_id.len, customer_id.ptr);
}

static inline void on_published(void *arg, const au_metrics *metrics) {
  fixture *f = arg;
  assert_false(f->inside);
  buffer_append_format(&f->log, "published:%.*s=%u/%.1f ", (int)metrics->customer_id.len,
                       metrics->customer_id.ptr, metrics->count, metrics->ema);
}

static inline void on_stopped(void *arg) {
  fixture *f = arg;
  f->stopped++;
  buffer_append_text(&f->log, "stopped ");
  f->store->ops->free(f->store); /* allowed here */
  f->store = NULL;
}

static inline int setup_as(void **state, const memory_embedding *embedding) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  assert_int_equal(uv_loop_init(&f->loop), 0);
  f->now_ms = 1000000;
  f->clock = (au_clock){read_clock, read_clock, f};
  f->config.presence_ttl_s = TTL_MS / 1000;
  f->config.disconnect_grace_ms = GRACE_MS;
  f->config.max_customers = 1000;
  f->config.max_sessions = 100000;
  f->events = (au_store_events){on_changed, on_published, f};
  buffer_init(&f->log, 1 << 20);
  assert_int_equal(memory_store_create(&f->loop, &f->config, &f->clock, (map_seed){1, 2},
                                       &f->events, embedding, &f->store),
                   AU_OK);
  *state = f;
  return 0;
}

static inline int setup(void **state) {
  return setup_as(state, NULL);
}

/* Stops the store if the test has not; a handle left open fails uv_loop_close. */
static inline int teardown(void **state) {
  fixture *f = *state;
  if (f->store) f->store->ops->stop(f->store, on_stopped, f);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->stopped, 1);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  buffer_free(&f->log);
  free(f);
  return 0;
}

/* One turn of the loop that waits for nothing. */
static inline void turn(fixture *f) {
  uv_run(&f->loop, UV_RUN_NOWAIT);
}

static inline void expect_log(fixture *f, const char *want) {
  assert_false(f->log.failed);
  if (!slice_eq(buffer_slice(&f->log), slice_of(want)))
    fail_msg("'%.*s' and not '%s'", (int)f->log.len, f->log.ptr, want);
  buffer_clear(&f->log);
}

static inline au_beat beat_of(const char *customer, const char *session, const char *tab) {
  return (au_beat){
      .customer_id = slice_of(customer),
      .session_id = slice_of(session),
      .tab_id = slice_of(tab),
      .timestamp = NAN,
      .is_leader = true,
  };
}

static const au_sample untold = {0}; /* a single daemon does not look at it */

static fixture *answered; /* whose log the callbacks write to: `arg` is their name */

static inline void log_done(au_status status, void *arg) {
  assert_false(answered->inside);
  buffer_append_format(&answered->log, "%s:%d ", (const char *)arg, status);
}

static inline void log_sample(au_status status, const au_sample *sample, void *arg) {
  assert_false(answered->inside);
  if (status == AU_OK)
    buffer_append_format(&answered->log, "%s:%u/%d/%.1f/%d ", (const char *)arg, sample->count,
                         sample->has_ema, sample->ema, (int)sample->elapsed_ms);
  else
    buffer_append_format(&answered->log, "%s:%d%s ", (const char *)arg, status,
                         sample ? " with a sample" : "");
}

static inline void log_due(au_status status, const au_due *due, void *arg) {
  assert_false(answered->inside);
  buffer_append_format(&answered->log, "%s:%d[", (const char *)arg, status);
  assert_true((status == AU_OK) == (due != NULL));
  for (size_t i = 0; due && i < due->n; i++)
    buffer_append_format(&answered->log, "%.*s", (int)due->ids[i].len, due->ids[i].ptr);
  if (due) assert_int_equal(due->again_ms, -1);
  buffer_append_text(&answered->log, "] ");
}

#define CALL(f, status, call)                          \
  do {                                                 \
    answered = (f);                                    \
    (f)->inside = true;                                \
    assert_int_equal((f)->store->ops->call, (status)); \
    (f)->inside = false;                               \
  } while (0)

static inline void touch(fixture *f, const char *customer, const char *session, const char *name) {
  au_beat beat = beat_of(customer, session, "tab");
  CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_JOIN, log_done, (void *)(uintptr_t)name));
}

static inline void sample(fixture *f, const char *customer, const char *name) {
  CALL(f, AU_OK, sample(f->store, slice_of(customer), log_sample, (void *)(uintptr_t)name));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

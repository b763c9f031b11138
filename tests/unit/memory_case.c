/* A memory store for tests, with its log. */
#include "memory_case.h"

static int64_t read_clock(void *arg) {
  return ((fixture *)arg)->now_ms;
}

static void on_changed(void *arg, au_slice customer_id) {
  fixture *f = arg;
  assert_false(f->inside);
  f->changed++;
  buffer_append_format(&f->log, "changed:%.*s ", (int)customer_id.len, customer_id.ptr);
}

static void on_published(void *arg, const au_metrics *metrics) {
  fixture *f = arg;
  assert_false(f->inside);
  buffer_append_format(&f->log, "published:%.*s=%u/%.1f ", (int)metrics->customer_id.len,
                       metrics->customer_id.ptr, metrics->count, metrics->ema);
}

void memory_on_stopped(void *arg) {
  fixture *f = arg;
  f->stopped++;
  buffer_append_text(&f->log, "stopped ");
  f->store->ops->free(f->store); /* allowed here */
  f->store = NULL;
}

int memory_setup_as(void **state, const memory_embedding *embedding) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  assert_int_equal(uv_loop_init(&f->loop), 0);
  f->now_ms = 1000000;
  f->clock = (au_clock){read_clock, read_clock, f};
  f->config.presence_ttl_s = TTL_MS / 1000;
  f->config.disconnect_grace_ms = GRACE_MS;
  f->config.max_customers = 1000;
  f->config.max_sessions = 100000;
  f->events = (au_store_events){.changed = on_changed, .published = on_published, .arg = f};
  buffer_init(&f->log, 1 << 20);
  assert_int_equal(memory_store_create(&f->loop, &f->config, &f->clock, (map_seed){1, 2},
                                       &f->events, embedding, &f->store),
                   AU_OK);
  *state = f;
  return 0;
}

int memory_setup(void **state) {
  return memory_setup_as(state, NULL);
}

int memory_teardown(void **state) {
  fixture *f = *state;
  if (f->store) f->store->ops->stop(f->store, memory_on_stopped, f);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->stopped, 1);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  buffer_free(&f->log);
  free(f);
  return 0;
}

void turn(fixture *f) {
  uv_run(&f->loop, UV_RUN_NOWAIT);
}

void expect_calls(fixture *f, const char *want) {
  assert_false(f->log.failed);
  if (!slice_eq(buffer_slice(&f->log), slice_of(want)))
    fail_msg("'%.*s' and not '%s'", (int)f->log.len, f->log.ptr, want);
  buffer_clear(&f->log);
}

au_beat memory_beat(const char *customer, const char *session, const char *tab) {
  return (au_beat){
      .customer_id = slice_of(customer),
      .session_id = slice_of(session),
      .tab_id = slice_of(tab),
      .timestamp = NAN,
      .is_leader = true,
  };
}

const au_sample untold = {0};

fixture *answered;

void log_done(au_status status, void *arg) {
  assert_false(answered->inside);
  buffer_append_format(&answered->log, "%s:%d ", (const char *)arg, status);
}

void log_sample(au_status status, const au_sample *sample, void *arg) {
  assert_false(answered->inside);
  if (status == AU_OK)
    buffer_append_format(&answered->log, "%s:%u/%d/%.1f/%d ", (const char *)arg, sample->count,
                         sample->has_ema, sample->ema, (int)sample->elapsed_ms);
  else
    buffer_append_format(&answered->log, "%s:%d%s ", (const char *)arg, status,
                         sample ? " with a sample" : "");
}

void log_due(au_status status, const au_due *due, void *arg) {
  assert_false(answered->inside);
  buffer_append_format(&answered->log, "%s:%d[", (const char *)arg, status);
  assert_true((status == AU_OK) == (due != NULL));
  for (size_t i = 0; due && i < due->n; i++)
    buffer_append_format(&answered->log, "%.*s", (int)due->ids[i].len, due->ids[i].ptr);
  if (due) assert_int_equal(due->again_ms, -1);
  buffer_append_text(&answered->log, "] ");
}

void touch(fixture *f, const char *customer, const char *session, const char *name) {
  au_beat beat = memory_beat(customer, session, "tab");
  CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_JOIN, log_done, (void *)(uintptr_t)name));
}

void sample(fixture *f, const char *customer, const char *name) {
  CALL(f, AU_OK, sample(f->store, slice_of(customer), log_sample, (void *)(uintptr_t)name));
}

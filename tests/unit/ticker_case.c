/* A ticker for tests, with its listeners. */
#include "ticker_case.h"

/* ---- listeners ------------------------------------------------------------ */

static void on_deliver(subscriber *s, frame *message) {
  ear *e = (ear *)s;
  e->heard++;
  e->fixture->store.activity++;
  buffer_append_format(&e->fixture->heard, "%.*s ", (int)message->len, frame_text(message));
}

void listen_to(fixture *f, const char *id, ear *e) {
  *e = (ear){.s.deliver = on_deliver, .fixture = f};
  assert_int_equal(broadcast_subscribe(f->broadcast, slice_of(id), &e->s), AU_OK);
}

static frame *print(const au_metrics *metrics) {
  char text[64];
  int len = snprintf(text, sizeof text, "%.*s=%u/%g", (int)metrics->customer_id.len,
                     metrics->customer_id.ptr, metrics->count, metrics->ema);
  return frame_create((au_slice){text, (size_t)len});
}

static void on_wake(void *arg) {
  ticker_wake(((fixture *)arg)->ticker);
}

static void on_published(void *arg, const au_metrics *metrics) {
  broadcast_publish(((fixture *)arg)->broadcast, metrics, now_ms);
}

static au_status on_subscribe(void *arg, au_slice customer_id, bool on) {
  (void)arg;
  (void)customer_id;
  (void)on;
  return AU_OK;
}

/* ---- the fixture ---------------------------------------------------------- */

int ticker_setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  now_ms = 1000000000;
  f->tick_ms = now_ms;
  f->clock = (au_clock){read_wall, read_mono, NULL};
  buffer_init(&f->heard, 1 << 20);
  assert_int_equal(uv_loop_init(&f->loop), 0);
  assert_int_equal(uv_now(&f->loop), (uint64_t)now_ms); /* else the loop has its own time */
  fake_store_open(&f->store, &f->loop);
  f->store.published = on_published;
  f->store.arg = f;
  broadcast_hooks hooks = {on_wake, on_subscribe, print, f, 0, NULL};
  assert_int_equal(broadcast_create((map_seed){1, 2}, &hooks, &f->broadcast), AU_OK);
  ticker_config config = {
      .loop = &f->loop,
      .clock = &f->clock,
      .store = &f->store.store,
      .broadcast = f->broadcast,
      .counters = &f->counters,
      .alpha = 0.2,
      .interval_ms = INTERVAL_MS,
      .changes_ms = 1000,
      .max_changes = CROWD,
      .seed = {3, 4},
  };
  assert_int_equal(ticker_create(&config, &f->ticker), AU_OK);
  ticker_start(f->ticker);
  log_configure(AU_LOG_ERROR, AU_LOG_TEXT); /* what the store fails is expected here */
  *state = f;
  return 0;
}

static void on_stopped(void *arg) {
  fixture *f = arg;
  assert_false(f->stopped);
  f->stopped = true;
}

void stop(fixture *f) {
  f->stopping = true;
  ticker_stop(f->ticker, on_stopped, f);
  assert_false(f->stopped); /* later, from the loop */
}

int ticker_teardown(void **state) {
  fixture *f = *state;
  if (!f->stopping) stop(f);
  fake_store_close(&f->store);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_true(f->stopped);
  ticker_free(f->ticker);
  broadcast_free(f->broadcast);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  buffer_free(&f->heard);
  free(f);
  return 0;
}

void settle(fixture *f) {
  for (int idle_turns = 0; idle_turns < 3;) {
    unsigned activity = f->store.activity;
    uv_run(&f->loop, UV_RUN_NOWAIT);
    idle_turns = f->store.activity == activity ? idle_turns + 1 : 0;
  }
}

void run_for(fixture *f, int ms) {
  for (int i = 0; i < ms; i++) {
    now_ms++;
    settle(f);
  }
}

void jump(fixture *f, int ms) {
  now_ms += ms;
  settle(f);
}

void to_quiet(fixture *f) {
  if (now_ms < f->tick_ms + PAUSE_MS) jump(f, (int)(f->tick_ms + PAUSE_MS - now_ms));
}

void to_tick(fixture *f) {
  to_quiet(f);
  f->tick_ms += INTERVAL_MS;
  jump(f, (int)(f->tick_ms - now_ms));
}

static void expect_text(const char *name, buffer *text, const char *want) {
  assert_false(text->failed);
  if (!slice_eq(buffer_slice(text), slice_of(want)))
    fail_msg("%s: '%.*s' and not '%s'", name, (int)text->len, text->ptr, want);
  buffer_clear(text);
}

void expect_log(fixture *f, const char *name, const char *want) {
  expect_text(name, &f->store.log, want);
}

void expect_heard(fixture *f, const char *name, const char *want) {
  expect_text(name, &f->heard, want);
}

void expect_begun(const char *name, const customer *c, unsigned samples, unsigned saves,
                  unsigned publishes) {
  if (c->samples != samples || c->saves + c->evicts != saves || c->publishes != publishes)
    fail_msg("%s: %s: %u samples, %u saves, %u publishes", name, c->id, c->samples,
             c->saves + c->evicts, c->publishes);
}

char *crowd_id(char id[16], int i) {
  (void)snprintf(id, 16, "c%d", i);
  return id;
}

void add_crowd(fixture *f, int count) {
  char id[16];
  f->store.crowded = true;
  for (int i = 0; i < count; i++) add(&f->store, crowd_id(id, i), (uint32_t)i + 1);
}

/* Plays a store and the clock. */
#include "fake_store.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- time ----------------------------------------------------------------- */

int64_t now_ms;

/* The loop asks here instead of the system. */
int clock_gettime(clockid_t id, struct timespec *now) {
  if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
    return (int)syscall(SYS_clock_gettime, id, now);
  *now = (struct timespec){.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1000000};
  return 0;
}

int64_t read_wall(void *arg) {
  (void)arg;
  return now_ms + WALL_BASE_S * INT64_C(1000);
}

int64_t read_mono(void *arg) {
  (void)arg;
  return now_ms;
}

/* ---- the store ------------------------------------------------------------ */

static void note(fake_store *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(fake_store *s, const char *format, ...) {
  char text[256];
  va_list args;
  s->activity++;
  if (s->crowded) return;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  buffer_append_text(&s->log, text);
  buffer_append_text(&s->log, " ");
}

customer *find(fake_store *s, const char *id) {
  for (size_t i = 0; i < s->customer_count; i++)
    if (strcmp(s->customers[i].id, id) == 0) return &s->customers[i];
  assert_true(s->customer_count < CROWD);
  customer *c = &s->customers[s->customer_count++];
  *c = (customer){.ticked_ms = -1};
  (void)snprintf(c->id, sizeof c->id, "%s", id);
  return c;
}

static customer *find_slice(fake_store *s, au_slice id) {
  char text[16];
  (void)snprintf(text, sizeof text, "%.*s", (int)id.len, id.ptr);
  return find(s, text);
}

customer *add(fake_store *s, const char *id, uint32_t count) {
  customer *c = find(s, id);
  c->listed = true;
  c->count = count;
  return c;
}

static void on_turn(uv_idle_t *idle);

static op *begin(fake_store *s, op_kind kind, const char *id, void *arg) {
  assert_true(s->begun - s->answered < COUNT(s->ops));
  op *o = &s->ops[s->begun++ % COUNT(s->ops)];
  *o = (op){.kind = kind, .arg = arg};
  (void)snprintf(o->id, sizeof o->id, "%s", id);
  if (s->begun - s->answered > s->most_in_flight) s->most_in_flight = s->begun - s->answered;
  uv_idle_start(&s->idle, on_turn);
  return o;
}

static au_status fake_sample(au_store *store, au_slice id, au_sample_fn cb, void *arg) {
  fake_store *s = (fake_store *)store;
  customer *c = find_slice(s, id);
  c->samples++;
  note(s, "sample:%s", c->id);
  if (c->failing & SAMPLE_REFUSED) return AU_EBUSY;
  begin(s, OP_SAMPLE, c->id, arg)->sampled = cb;
  return AU_OK;
}

static uint32_t fake_partitions(const au_store *store) {
  return ((const fake_store *)store)->partitions;
}

static au_status fake_due(au_store *store, uint32_t partition, int64_t min_age_ms, size_t skip,
                          size_t max, au_due_fn cb, void *arg) {
  fake_store *s = (fake_store *)store;
  assert_true(partition < s->partitions);
  if (partition > 0)
    note(s, "due%u+%zu", partition, skip);
  else
    note(s, "due+%zu", skip);
  if (max > s->most_asked_for) s->most_asked_for = max;
  if (s->due_begins != AU_OK) return s->due_begins;
  op *o = begin(s, OP_DUE, "", arg);
  o->partition = partition;
  o->min_age_ms = min_age_ms;
  o->skip = skip;
  o->max = max;
  o->listed = cb;
  return AU_OK;
}

static au_status fake_save(au_store *store, au_slice id, const au_sample *sample, double ema,
                           au_done_fn cb, void *arg) {
  fake_store *s = (fake_store *)store;
  customer *c = find_slice(s, id);
  c->saves++;
  note(s, "save:%s=%g", c->id, ema);
  if (c->failing & SAVE_REFUSED) return AU_EBUSY;
  op *o = begin(s, OP_SAVE, c->id, arg);
  o->ema = ema;
  o->ticked_ms = sample->ticked_ms;
  o->at_ms = sample->ticked_ms > 0 ? sample->ticked_ms + sample->elapsed_ms : now_ms;
  o->done = cb;
  return AU_OK;
}

static au_status fake_evict(au_store *store, au_slice id, const au_sample *sample, au_done_fn cb,
                            void *arg) {
  fake_store *s = (fake_store *)store;
  customer *c = find_slice(s, id);
  c->evicts++;
  note(s, "evict:%s", c->id);
  if (c->failing & EVICT_REFUSED) return AU_EBUSY;
  op *o = begin(s, OP_EVICT, c->id, arg);
  o->ticked_ms = sample->ticked_ms;
  o->done = cb;
  return AU_OK;
}

static au_status fake_publish(au_store *store, const au_metrics *metrics, au_done_fn cb,
                              void *arg) {
  fake_store *s = (fake_store *)store;
  customer *c = find_slice(s, metrics->customer_id);
  c->publishes++;
  note(s, "publish:%s=%u/%g%s", c->id, metrics->count, metrics->ema, metrics->stale ? "!" : "");
  assert_int_equal(metrics->timestamp_ms, read_wall(NULL));
  if (c->failing & PUBLISH_REFUSED) return AU_EBUSY;
  op *o = begin(s, OP_PUBLISH, c->id, arg);
  o->metrics = *metrics;
  o->done = cb;
  return AU_OK;
}

static void fake_scan(au_store *store) {
  note((fake_store *)store, "tick");
}

static au_store_health fake_health(const au_store *store) {
  const fake_store *s = (const fake_store *)store;
  return (au_store_health){
      .ever_up = s->ever_up, .name = "fake", .reason = s->reason ? s->reason : ""};
}

static const au_store_ops fake_ops = {
    .sample = fake_sample,
    .partitions = fake_partitions,
    .due = fake_due,
    .save = fake_save,
    .evict = fake_evict,
    .publish = fake_publish,
    .scan = fake_scan,
    .health = fake_health,
};

/* Never ticked first, then the longest waiting. */
static int by_wait(const void *a, const void *b) {
  const customer *x = *(const customer *const *)a, *y = *(const customer *const *)b;
  if (x->ticked_ms != y->ticked_ms) return x->ticked_ms < y->ticked_ms ? -1 : 1;
  return x < y ? -1 : 1;
}

static void answer_due(fake_store *s, const op *o) {
  static const customer *due[CROWD];
  static au_slice ids[CROWD];
  size_t n = 0, given = 0;
  for (size_t i = 0; i < s->customer_count; i++) {
    const customer *c = &s->customers[i];
    if (c->listed && c->partition == o->partition &&
        (s->lagging || c->ticked_ms < 0 || now_ms - c->ticked_ms >= o->min_age_ms))
      due[n++] = c;
  }
  qsort(due, n, sizeof due[0], by_wait);
  for (size_t i = o->skip; i < n && given < o->max; i++) ids[given++] = slice_of(due[i]->id);
  o->listed(AU_OK, &(au_due){.ids = ids, .n = given, .again_ms = -1}, o->arg);
}

/* What became of a save or a evict. */
static au_status outcome_of(const customer *c, const op *o, unsigned fails) {
  if (c->failing & fails) return AU_ESTORE;
  bool passed = o->ticked_ms != (c->ticked_ms < 0 ? 0 : c->ticked_ms);
  return passed || (c->failing & PASSED) ? AU_ECONFLICT : AU_OK;
}

static void answer(fake_store *s, const op *o) {
  customer *c = o->kind == OP_DUE ? NULL : find(s, o->id);
  switch (o->kind) {
  case OP_DUE:
    if (s->due_answers != AU_OK)
      o->listed(s->due_answers, NULL, o->arg);
    else if (s->again_ms[o->partition] >= 0)
      o->listed(AU_OK, &(au_due){.again_ms = s->again_ms[o->partition]}, o->arg);
    else
      answer_due(s, o);
    return;
  case OP_SAMPLE: {
    au_sample sample = {.count = c->count,
                        .has_ema = c->has_ema,
                        .ema = c->ema,
                        .elapsed_ms = c->ticked_ms < 0 ? 0 : now_ms - c->ticked_ms,
                        .ticked_ms = c->ticked_ms < 0 ? 0 : c->ticked_ms,
                        .stale = c->stale};
    if (c->failing & SAMPLE_FAILS)
      o->sampled(AU_ETIMEDOUT, NULL, o->arg);
    else
      o->sampled(AU_OK, &sample, o->arg);
    return;
  }
  case OP_SAVE: {
    au_status status = outcome_of(c, o, SAVE_FAILS);
    if (status == AU_OK) {
      c->has_ema = true;
      c->ema = o->ema;
      c->ticked_ms = o->at_ms;
    }
    o->done(status, o->arg);
    return;
  }
  case OP_EVICT: {
    au_status status = outcome_of(c, o, EVICT_FAILS);
    if (status == AU_OK) {
      c->has_ema = c->listed = false;
      c->ema = 0;
      c->ticked_ms = -1;
    }
    o->done(status, o->arg);
    return;
  }
  case OP_PUBLISH: {
    au_metrics metrics = o->metrics;
    metrics.customer_id = slice_of(c->id);
    if (!(c->failing & PUBLISH_FAILS)) s->published(s->arg, &metrics);
    o->done(c->failing & PUBLISH_FAILS ? AU_ESTORE : AU_OK, o->arg);
    return;
  }
  }
}

/* Answers what had begun before this turn, in order. */
static void on_turn(uv_idle_t *idle) {
  fake_store *s = idle->data;
  size_t end = s->begun;
  while (s->answered < end && !s->held) {
    op o = s->ops[s->answered++ % COUNT(s->ops)];
    s->activity++;
    answer(s, &o);
  }
  if (s->answered == s->begun || s->held) uv_idle_stop(idle);
}

void hold(fake_store *s, bool held) {
  s->held = held;
  if (!held) uv_idle_start(&s->idle, on_turn);
}

void fake_store_open(fake_store *s, uv_loop_t *loop) {
  s->store.ops = &fake_ops;
  s->ever_up = true;
  s->partitions = 1;
  for (size_t i = 0; i < PARTITIONS_MAX; i++) s->again_ms[i] = -1;
  buffer_init(&s->log, 1 << 20);
  assert_int_equal(uv_idle_init(loop, &s->idle), 0);
  s->idle.data = s;
}

void fake_store_close(fake_store *s) {
  while (s->answered < s->begun) {
    op o = s->ops[s->answered++ % COUNT(s->ops)];
    if (o.kind == OP_DUE)
      o.listed(AU_ECANCELED, NULL, o.arg);
    else if (o.kind == OP_SAMPLE)
      o.sampled(AU_ECANCELED, NULL, o.arg);
    else
      o.done(AU_ECANCELED, o.arg);
  }
  assert_int_equal(s->begun, s->answered);
  buffer_free(&s->log);
  uv_close((uv_handle_t *)&s->idle, NULL);
}

/* A store that the test plays: customers it sets up, answers that come a turn later,
 * are held back or fail. And the time it goes by, for the loop as well: seconds take no
 * time, and nothing is ever late by accident. */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <active_users/store.h>
#include <uv.h>

#include "utils/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { CROWD = 1000 /* customers at most */, PARTS_MAX = 4 };

/* ---- time ----------------------------------------------------------------- */

static int64_t now_ms;

/* The loop asks here instead of the system. */
int clock_gettime(clockid_t id, struct timespec *now) {
  if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
    return (int)syscall(SYS_clock_gettime, id, now);
  *now = (struct timespec){.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1000000};
  return 0;
}

enum { WALL_BASE_S = 1700000000 };

static inline int64_t read_wall(void *arg) {
  (void)arg;
  return now_ms + WALL_BASE_S * INT64_C(1000);
}

static inline int64_t read_mono(void *arg) {
  (void)arg;
  return now_ms;
}

/* ---- the store ------------------------------------------------------------ */

/* Which operations of a customer fail: at once, or in their callback. */
enum {
  SAMPLE_REFUSED = 1,
  SAMPLE_FAILS = 2,
  SAVE_REFUSED = 4,
  SAVE_FAILS = 8,
  FORGET_REFUSED = 16,
  FORGET_FAILS = 32,
  PUBLISH_REFUSED = 64,
  PUBLISH_FAILS = 128,
  PASSED = 256, /* another daemon saves or forgets first */
};

typedef struct customer {
  char id[16];
  bool listed; /* among the due when its time comes */
  uint32_t part;
  uint32_t count;
  bool has_ema, stale;
  double ema;
  int64_t ticked_ms; /* -1: never */
  unsigned failing;
  unsigned samples, saves, forgets, publishes; /* begun */
} customer;

typedef enum op_kind { OP_SAMPLE, OP_DUE, OP_SAVE, OP_FORGET, OP_PUBLISH } op_kind;

typedef struct op {
  op_kind kind;
  char id[16];
  double ema;
  int64_t ticked_ms, at_ms; /* the last tick, and the sample's time */
  au_metrics metrics;
  uint32_t part;
  int64_t min_age_ms;
  size_t skip, max;
  au_done_fn done;
  au_sample_fn sampled;
  au_due_fn listed;
  void *arg;
} op;

typedef struct fake_store {
  au_store store; /* first */
  uv_idle_t idle; /* answers */
  bool held;      /* nothing is answered */
  bool available;
  bool lagging; /* lists everybody, however young */
  au_status due_begins, due_answers;
  uint32_t parts;
  int64_t again_ms[PARTS_MAX]; /* another daemon ticks the part for so long; -1: this one */
  op ops[1024];
  size_t begun, answered; /* operations, ever */
  size_t most_in_flight, most_asked_for;
  customer customers[CROWD];
  size_t customer_count;
  unsigned activity; /* whatever happens is counted */
  buffer log;        /* what the store was asked, in order */
  bool crowded;      /* too many for the log */
  void (*published)(void *arg, const au_metrics *metrics);
  void *arg;
} fake_store;

static inline void note(fake_store *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void note(fake_store *s, const char *format, ...) {
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

static inline customer *find(fake_store *s, const char *id) {
  for (size_t i = 0; i < s->customer_count; i++)
    if (strcmp(s->customers[i].id, id) == 0) return &s->customers[i];
  assert_true(s->customer_count < CROWD);
  customer *c = &s->customers[s->customer_count++];
  *c = (customer){.ticked_ms = -1};
  (void)snprintf(c->id, sizeof c->id, "%s", id);
  return c;
}

static inline customer *find_slice(fake_store *s, au_slice id) {
  char text[16];
  (void)snprintf(text, sizeof text, "%.*s", (int)id.len, id.ptr);
  return find(s, text);
}

/* A customer with somebody there, known to the store. */
static inline customer *add(fake_store *s, const char *id, uint32_t count) {
  customer *c = find(s, id);
  c->listed = true;
  c->count = count;
  return c;
}

static inline void on_turn(uv_idle_t *idle);

static inline op *begin(fake_store *s, op_kind kind, const char *id, void *arg) {
  assert_true(s->begun - s->answered < COUNT(s->ops));
  op *o = &s->ops[s->begun++ % COUNT(s->ops)];
  *o = (op){.kind = kind, .arg = arg};
  (void)snprintf(o->id, sizeof o->id, "%s", id);
  if (s->begun - s->answered > s->most_in_flight) s->most_in_flight = s->begun - s->answered;
  uv_idle_start(&s->idle, on_turn);
  return o;
}

static inline au_status fake_sample(au_store *store, au_slice id, au_sample_fn cb, void *arg) {
  fake_store *s = (fake_store *)store;
  customer *c = find_slice(s, id);
  c->samples++;
  note(s, "sample:%s", c->id);
  if (c->failing & SAMPLE_REFUSED) return AU_EBUSY;
  begin(s, OP_SAMPLE, c->id, arg)->sampled = cb;
  return AU_OK;
}

static inline uint32_t fake_parts(const au_store *store) {
  return ((const fake_store *)store)->parts;
}

static inline au_status fake_due(au_store *store, uint32_t part, int64_t min_age_ms, size_t skip,
                                 size_t max, au_due_fn cb, void *arg) {
  fake_store *s = (fake_store *)store;
  assert_true(part < s->parts);
  if (part > 0)
    note(s, "due%u+%zu", part, skip);
  else
    note(s, "due+%zu", skip);
  if (max > s->most_asked_for) s->most_asked_for = max;
  if (s->due_begins != AU_OK) return s->due_begins;
  op *o = begin(s, OP_DUE, "", arg);
  o->part = part;
  o->min_age_ms = min_age_ms;
  o->skip = skip;
  o->max = max;
  o->listed = cb;
  return AU_OK;
}

static inline au_status fake_save(au_store *store, au_slice id, const au_sample *sample, double ema,
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

static inline au_status fake_forget(au_store *store, au_slice id, const au_sample *sample,
                                    au_done_fn cb, void *arg) {
  fake_store *s = (fake_store *)store;
  customer *c = find_slice(s, id);
  c->forgets++;
  note(s, "forget:%s", c->id);
  if (c->failing & FORGET_REFUSED) return AU_EBUSY;
  op *o = begin(s, OP_FORGET, c->id, arg);
  o->ticked_ms = sample->ticked_ms;
  o->done = cb;
  return AU_OK;
}

static inline au_status fake_publish(au_store *store, const au_metrics *metrics, au_done_fn cb,
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

static inline void fake_reconcile(au_store *store) {
  note((fake_store *)store, "tick");
}

static inline au_store_health fake_health(const au_store *store) {
  return (au_store_health){.available = ((const fake_store *)store)->available, .name = "fake"};
}

static const au_store_ops fake_ops = {
    .sample = fake_sample,
    .parts = fake_parts,
    .due = fake_due,
    .save = fake_save,
    .forget = fake_forget,
    .publish = fake_publish,
    .reconcile = fake_reconcile,
    .health = fake_health,
};

/* Never ticked first, then the longest waiting. */
static inline int by_wait(const void *a, const void *b) {
  const customer *x = *(const customer *const *)a, *y = *(const customer *const *)b;
  if (x->ticked_ms != y->ticked_ms) return x->ticked_ms < y->ticked_ms ? -1 : 1;
  return x < y ? -1 : 1;
}

static inline void answer_due(fake_store *s, const op *o) {
  static const customer *due[CROWD];
  static au_slice ids[CROWD];
  size_t n = 0, given = 0;
  for (size_t i = 0; i < s->customer_count; i++) {
    const customer *c = &s->customers[i];
    if (c->listed && c->part == o->part &&
        (s->lagging || c->ticked_ms < 0 || now_ms - c->ticked_ms >= o->min_age_ms))
      due[n++] = c;
  }
  qsort(due, n, sizeof due[0], by_wait);
  for (size_t i = o->skip; i < n && given < o->max; i++) ids[given++] = slice_of(due[i]->id);
  o->listed(AU_OK, &(au_due){.ids = ids, .n = given, .again_ms = -1}, o->arg);
}

/* What became of a save or a forget. */
static inline au_status outcome_of(const customer *c, const op *o, unsigned fails) {
  if (c->failing & fails) return AU_ESTORE;
  bool passed = o->ticked_ms != (c->ticked_ms < 0 ? 0 : c->ticked_ms);
  return passed || (c->failing & PASSED) ? AU_EPASSED : AU_OK;
}

static inline void answer(fake_store *s, const op *o) {
  customer *c = o->kind == OP_DUE ? NULL : find(s, o->id);
  switch (o->kind) {
  case OP_DUE:
    if (s->due_answers != AU_OK)
      o->listed(s->due_answers, NULL, o->arg);
    else if (s->again_ms[o->part] >= 0)
      o->listed(AU_OK, &(au_due){.again_ms = s->again_ms[o->part]}, o->arg);
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
  case OP_FORGET: {
    au_status status = outcome_of(c, o, FORGET_FAILS);
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
static inline void on_turn(uv_idle_t *idle) {
  fake_store *s = idle->data;
  size_t end = s->begun;
  while (s->answered < end && !s->held) {
    op o = s->ops[s->answered++ % COUNT(s->ops)];
    s->activity++;
    answer(s, &o);
  }
  if (s->answered == s->begun || s->held) uv_idle_stop(idle);
}

/* While it is held, it takes operations and answers none. */
static inline void hold(fake_store *s, bool held) {
  s->held = held;
  if (!held) uv_idle_start(&s->idle, on_turn);
}

static inline void fake_store_open(fake_store *s, uv_loop_t *loop) {
  s->store.ops = &fake_ops;
  s->available = true;
  s->parts = 1;
  for (size_t i = 0; i < PARTS_MAX; i++) s->again_ms[i] = -1;
  buffer_init(&s->log, 1 << 20);
  assert_int_equal(uv_idle_init(loop, &s->idle), 0);
  s->idle.data = s;
}

/* Ends what is in flight as a store does that stops; the loop closes the rest. */
static inline void fake_store_close(fake_store *s) {
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

#endif

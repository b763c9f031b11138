/* A shared store made up for a test: it keeps what it is asked and answers when it is told to. */
#ifndef FAKE_SHARED_H
#define FAKE_SHARED_H

#include <stdlib.h>
#include <string.h>

#include "adapters/shared_store.h"
#include "utils/buffer.h"

typedef enum fake_kind {
  FAKE_TOUCH,
  FAKE_LEAVE,
  FAKE_SHORTEN,
  FAKE_SAMPLE,
  FAKE_RESTORE_SESSION,
  FAKE_RESTORE_LEAVE,
  FAKE_RESTORE_SHORTEN,
  FAKE_RESTORE_AVERAGE,
  FAKE_KINDS
} fake_kind;

typedef struct fake_request {
  fake_kind kind;
  char customer[16];
  shared_touch touch;
  union {
    au_done_fn done;
    shared_left_fn left;
    shared_done_fn shared_done;
    au_sample_fn sample;
  } cb;
  void *arg;
} fake_request;

enum { FAKE_SLOTS_MAX = 2, FAKE_REQUESTS_MAX = 512 };

typedef struct fake_shared {
  shared_store base;
  shared_store_events events;
  uint32_t slots;
  bool serves[FAKE_SLOTS_MAX];
  unsigned count[FAKE_KINDS]; /* asked */
  fake_request requests[FAKE_REQUESTS_MAX];
  size_t pending;
  void (*stopped)(void *arg);
  void *stopped_arg;
} fake_shared;

static inline fake_shared *fake_of(shared_store *s) {
  return (fake_shared *)s;
}

static inline uint16_t fake_slot_of(const shared_store *s, au_slice id) {
  return ((const fake_shared *)s)->slots == 1 || id.ptr[0] == 'a' ? 0 : 1;
}

/* NULL when the slot is not served. */
static inline fake_request *fake_ask(shared_store *s, fake_kind kind, au_slice customer,
                                     void *arg) {
  fake_shared *f = fake_of(s);
  if (!f->serves[fake_slot_of(s, customer)] || f->pending == FAKE_REQUESTS_MAX) return NULL;
  f->count[kind]++;
  fake_request *r = &f->requests[f->pending++];
  *r = (fake_request){.kind = kind, .arg = arg};
  memcpy(r->customer, customer.ptr, customer.len < 15 ? customer.len : 15);
  return r;
}

static inline void fake_answer(fake_shared *f, size_t i, au_status status) {
  static const au_sample sample = {.count = 1};
  fake_request r = f->requests[i];
  memmove(&f->requests[i], &f->requests[i + 1], (f->pending - i - 1) * sizeof r);
  f->pending--;
  switch (r.kind) {
  case FAKE_TOUCH: r.touch.touched(status, status == AU_OK, r.touch.arg); break;
  case FAKE_LEAVE:
  case FAKE_RESTORE_LEAVE: r.cb.left(status, SHARED_LEAVE_ENDED, r.arg); break;
  case FAKE_SHORTEN: r.cb.shared_done(status, true, r.arg); break;
  case FAKE_SAMPLE: r.cb.sample(status, status == AU_OK ? &sample : NULL, r.arg); break;
  default: r.cb.done(status, r.arg); break;
  }
}

static inline void fake_shared_answer_all(fake_shared *f, au_status status) {
  for (size_t n = f->pending; n > 0; n--) fake_answer(f, 0, status);
}

static inline void fake_shared_answer_kind(fake_shared *f, fake_kind kind, au_status status) {
  for (size_t i = 0; i < f->pending; i++)
    if (f->requests[i].kind == kind) fake_answer(f, i--, status);
}

static inline void fake_shared_answer_customer(fake_shared *f, const char *id, au_status status) {
  for (size_t i = 0; i < f->pending; i++)
    if (strcmp(f->requests[i].customer, id) == 0) fake_answer(f, i--, status);
}

static inline void fake_shared_serve(fake_shared *f, uint16_t slot, bool serves) {
  f->serves[slot] = serves;
  if (serves) f->events.ready(f->events.arg);
}

static inline void fake_start(shared_store *s, const shared_store_events *events) {
  fake_of(s)->events = *events;
}

static inline au_status fake_touch(shared_store *s, const shared_touch *touch) {
  fake_request *r = fake_ask(s, FAKE_TOUCH, touch->beat->customer_id, NULL);
  if (!r) return AU_ESTORE;
  r->touch = *touch;
  return AU_OK;
}

static inline au_status fake_leave(shared_store *s, const au_beat *beat, shared_left_fn cb,
                                   void *arg) {
  fake_request *r = fake_ask(s, FAKE_LEAVE, beat->customer_id, arg);
  if (!r) return AU_ESTORE;
  r->cb.left = cb;
  return AU_OK;
}

static inline au_status fake_shorten(shared_store *s, const au_beat *beat, int64_t renewed_ms,
                                     int64_t grace_ms, shared_done_fn cb, void *arg) {
  (void)renewed_ms;
  (void)grace_ms;
  fake_request *r = fake_ask(s, FAKE_SHORTEN, beat->customer_id, arg);
  if (!r) return AU_ESTORE;
  r->cb.shared_done = cb;
  return AU_OK;
}

static inline au_status fake_restore_shorten(shared_store *s, const shared_late_leave *leave,
                                             int64_t grace_ms, au_done_fn cb, void *arg) {
  (void)grace_ms;
  fake_request *r = fake_ask(s, FAKE_RESTORE_SHORTEN, leave->who->customer_id, arg);
  if (!r) return AU_ESTORE;
  r->cb.done = cb;
  return AU_OK;
}

static inline au_status fake_sample(shared_store *s, au_slice id, au_sample_fn cb, void *arg) {
  fake_request *r = fake_ask(s, FAKE_SAMPLE, id, arg);
  if (!r) return AU_ESTORE;
  r->cb.sample = cb;
  return AU_OK;
}

static inline au_status fake_restore_session(shared_store *s, const shared_session *session,
                                             bool list, au_done_fn cb, void *arg) {
  (void)list;
  fake_request *r = fake_ask(s, FAKE_RESTORE_SESSION, session->beat->customer_id, arg);
  if (!r) return AU_ESTORE;
  r->cb.done = cb;
  return AU_OK;
}

static inline au_status fake_restore_leave(shared_store *s, const shared_late_leave *leave,
                                           shared_left_fn cb, void *arg) {
  fake_request *r = fake_ask(s, FAKE_RESTORE_LEAVE, leave->who->customer_id, arg);
  if (!r) return AU_ESTORE;
  r->cb.left = cb;
  return AU_OK;
}

static inline uint32_t fake_slots(const shared_store *s) {
  return ((const fake_shared *)s)->slots;
}

static inline bool fake_serves(const shared_store *s, uint16_t slot) {
  return ((const fake_shared *)s)->serves[slot];
}

static inline int64_t fake_clock_ms(const shared_store *s, uint16_t slot) {
  (void)s;
  (void)slot;
  return 0;
}

static inline bool fake_ever_up(const shared_store *s) {
  (void)s;
  return true;
}

static inline const char *fake_text(const shared_store *s) {
  (void)s;
  return "";
}

/* What is in flight ends with fake_shared_cancel, before `stopped`. */
static inline void fake_stop(shared_store *s, void (*stopped)(void *arg), void *arg) {
  fake_shared *f = fake_of(s);
  f->stopped = stopped;
  f->stopped_arg = arg;
}

static inline void fake_shared_cancel(fake_shared *f) {
  memset(f->serves, 0, sizeof f->serves);
  fake_shared_answer_all(f, AU_ECANCELED);
  f->stopped(f->stopped_arg);
}

static inline void fake_free(shared_store *s) {
  free(s);
}

static const shared_store_ops fake_shared_ops = {
    .start = fake_start,
    .touch = fake_touch,
    .leave = fake_leave,
    .shorten = fake_shorten,
    .sample = fake_sample,
    .restore_session = fake_restore_session,
    .restore_leave = fake_restore_leave,
    .restore_shorten = fake_restore_shorten,
    .slots = fake_slots,
    .slot_of = fake_slot_of,
    .serves = fake_serves,
    .clock_ms = fake_clock_ms,
    .ever_up = fake_ever_up,
    .name = fake_text,
    .reason = fake_text,
    .stop = fake_stop,
    .free = fake_free,
};

static inline fake_shared *fake_shared_create(uint32_t slots) {
  fake_shared *f = calloc(1, sizeof *f);
  f->base.ops = &fake_shared_ops;
  f->slots = slots;
  return f;
}

#endif

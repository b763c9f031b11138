/* A store in front of a store. */
#include "spy.h"

#include <stdlib.h>

#include "clock.h"
#include "model.h"
#include "report.h"

typedef struct call {
  struct call *prev, *next;
  spy *owner;
  const char *name;
  int64_t begun_ms;
  union {
    au_done_fn done;
    au_sample_fn sample;
    au_due_fn due;
  } cb;
  void *arg;
  model_window window;
} call;

struct spy {
  au_store base;
  au_store *inner;
  int host;
  bool inside, stopped;
  call open; /* a ring */
  void (*on_stopped)(void *arg);
  void *stopped_arg;
};

static spy *spy_of(au_store *store) {
  return (spy *)store;
}

static call *call_create(spy *s, const char *name, void *arg) {
  call *c = calloc(1, sizeof *c);
  if (!c) abort();
  if (s->stopped) report_failure("a store that has stopped was asked", "%s", name);
  c->owner = s;
  c->name = name;
  c->begun_ms = sim_ms();
  c->arg = arg;
  c->prev = s->open.prev;
  c->next = &s->open;
  c->prev->next = c->next->prev = c;
  s->inside = true;
  return c;
}

/* A second end of the same operation meets freed memory, which ASan tells. */
static void call_free(call *c) {
  c->prev->next = c->next;
  c->next->prev = c->prev;
  free(c);
}

/* The store was called: `status` says whether the operation has begun. */
static au_status called(call *c, au_status status) {
  c->owner->inside = false;
  if (status == AU_OK) return AU_OK;
  call_free(c);
  return status;
}

static void check_end(const call *c) {
  if (c->owner->inside)
    report_failure("an operation ended inside the call that began it", "%s", c->name);
  if (c->owner->stopped)
    report_failure("an operation ended after its store had stopped", "%s", c->name);
}

static void on_done(au_status status, void *arg) {
  call *c = arg;
  check_end(c);
  au_done_fn cb = c->cb.done;
  void *theirs = c->arg;
  call_free(c);
  cb(status, theirs);
}

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  call *c = arg;
  check_end(c);
  if ((status == AU_OK) != (sample != NULL))
    report_failure("a sample without a value, or with one too many", "status %d", status);
  if (status == AU_OK) model_answer(&c->window, sample, c->owner->host);
  au_sample_fn cb = c->cb.sample;
  void *theirs = c->arg;
  call_free(c);
  cb(status, sample, theirs);
}

static void on_due(au_status status, const au_due *due, void *arg) {
  call *c = arg;
  check_end(c);
  au_due_fn cb = c->cb.due;
  void *theirs = c->arg;
  call_free(c);
  cb(status, due, theirs);
}

/* ---- au_store ---------------------------------------------------------------- */

static au_status touch(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                       void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "touch", arg);
  c->cb.done = cb;
  return called(c, s->inner->ops->touch(s->inner, beat, kind, on_done, c));
}

static au_status leave(au_store *store, const au_beat *beat, au_done_fn cb, void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "leave", arg);
  c->cb.done = cb;
  return called(c, s->inner->ops->leave(s->inner, beat, on_done, c));
}

static au_status shorten(au_store *store, const au_beat *beat, int64_t grace_ms,
                         au_shorten_reason why, au_done_fn cb, void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "shorten", arg);
  c->cb.done = cb;
  return called(c, s->inner->ops->shorten(s->inner, beat, grace_ms, why, on_done, c));
}

static au_status sample_one(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "sample", arg);
  c->cb.sample = cb;
  c->window = model_ask(customer_id);
  return called(c, s->inner->ops->sample(s->inner, customer_id, on_sample, c));
}

static uint32_t partitions(const au_store *store) {
  const spy *s = (const spy *)store;
  return s->inner->ops->partitions(s->inner);
}

static au_status due(au_store *store, uint32_t part, int64_t min_age_ms, size_t skip, size_t max,
                     au_due_fn cb, void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "due", arg);
  c->cb.due = cb;
  return called(c, s->inner->ops->due(s->inner, part, min_age_ms, skip, max, on_due, c));
}

static au_status save(au_store *store, au_slice customer_id, const au_sample *sample, double ema,
                      au_done_fn cb, void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "save", arg);
  c->cb.done = cb;
  model_ticked(customer_id, sample, ema);
  return called(c, s->inner->ops->save(s->inner, customer_id, sample, ema, on_done, c));
}

static au_status evict(au_store *store, au_slice customer_id, const au_sample *sample,
                       au_done_fn cb, void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "evict", arg);
  c->cb.done = cb;
  return called(c, s->inner->ops->evict(s->inner, customer_id, sample, on_done, c));
}

static au_status publish(au_store *store, const au_metrics *metrics, au_done_fn cb, void *arg) {
  spy *s = spy_of(store);
  call *c = call_create(s, "publish", arg);
  c->cb.done = cb;
  return called(c, s->inner->ops->publish(s->inner, metrics, on_done, c));
}

static void scan(au_store *store) {
  spy *s = spy_of(store);
  s->inner->ops->scan(s->inner);
}

static au_status subscribe(au_store *store, au_slice customer_id, bool on) {
  spy *s = spy_of(store);
  return s->inner->ops->subscribe(s->inner, customer_id, on);
}

static int64_t renewed_ago_ms(const au_store *store, au_slice customer_id, au_slice session_id,
                              bool *is_shortened) {
  const spy *s = (const spy *)store;
  return s->inner->ops->renewed_ago_ms(s->inner, customer_id, session_id, is_shortened);
}

static bool holds(const au_store *store, au_slice customer_id, au_slice session_id,
                  au_slice tab_id) {
  const spy *s = (const spy *)store;
  return s->inner->ops->holds(s->inner, customer_id, session_id, tab_id);
}

static au_store_health health(const au_store *store) {
  const spy *s = (const spy *)store;
  return s->inner->ops->health(s->inner);
}

static void on_stopped(void *arg) {
  spy *s = arg;
  if (s->open.next != &s->open)
    report_failure("a store stopped with an operation that has not ended", "%s",
                   s->open.next->name);
  s->stopped = true;
  s->on_stopped(s->stopped_arg);
}

static void stop(au_store *store, void (*stopped)(void *arg), void *arg) {
  spy *s = spy_of(store);
  s->on_stopped = stopped;
  s->stopped_arg = arg;
  s->inner->ops->stop(s->inner, on_stopped, s);
}

static void free_store(au_store *store) {
  spy *s = spy_of(store);
  s->inner->ops->free(s->inner);
  free(s);
}

spy *spy_create(au_store *inner, int host) {
  static const au_store_ops ops = {
      .touch = touch,
      .leave = leave,
      .shorten = shorten,
      .sample = sample_one,
      .partitions = partitions,
      .due = due,
      .save = save,
      .evict = evict,
      .publish = publish,
      .scan = scan,
      .subscribe = subscribe,
      .renewed_ago_ms = renewed_ago_ms,
      .holds = holds,
      .health = health,
      .stop = stop,
      .free = free_store,
  };
  spy *s = calloc(1, sizeof *s);
  if (!s) abort();
  s->base.ops = &ops;
  s->inner = inner;
  s->host = host;
  s->open.prev = s->open.next = &s->open;
  return s;
}

au_store *spy_store(spy *s) {
  return &s->base;
}

unsigned spy_open(const spy *s, int64_t *oldest_ms) {
  unsigned n = 0;
  for (const call *c = s->open.next; c != &s->open; c = c->next) n++;
  *oldest_ms = n > 0 ? s->open.next->begun_ms : sim_ms();
  return n;
}

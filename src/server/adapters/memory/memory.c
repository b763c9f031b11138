/* The presence table behind au_store: everything is done at once or in the next
 * turn of the loop, and every answer is given from the loop, as the Redis store
 * does. */
#include "memory.h"

#include "changed_set.h"
#include "memory_ring.h"
#include "presence_scan.h"
#include "utils/buffer.h"
#include "utils/join_stop.h"

#include <stdlib.h>
#include <string.h>

/* Answers, and also events, in one turn of the loop. */
enum {
  MEMORY_TURN_MAX = 256,
  MEMORY_LIST_WEIGHT = 16, /* as many of them as a long answer counts for */
};

typedef struct memory_store {
  au_store base; /* first: an au_store is cast to its memory_store */
  const au_clock *clock;
  const au_store_events *events;
  int64_t ttl_ms, grace_ms;
  memory_embedding embedding; /* `complete` is NULL when it is not embedded */
  presence_table *table;
  changed_set *changed;

  op_ring ops;   /* begun and not answered */
  au_slice *due; /* the list of the last OP_DUE, kept for the next */
  size_t due_room;

  uv_idle_t turn;     /* runs while there is something to answer or to report */
  uv_timer_t expiry;  /* only wakes: what has expired is for `clock` to say */
  int64_t wake_at_ms; /* on `clock`; -1: the timer is not running */

  bool stopping;
  join_stop stop;
} memory_store;

static memory_store *memory_of(au_store *store) {
  return (memory_store *)store;
}

static int64_t now_of(const memory_store *m) {
  return clock_mono_ms(m->clock);
}

/* ---- beginning ------------------------------------------------------------ */

static void on_turn(uv_idle_t *handle);

/* Whether one more operation can be begun; nothing is begun yet. */
static au_status ready(memory_store *m) {
  return m->stopping ? AU_ECANCELED : op_ring_reserve(&m->ops);
}

/* Only after `ready`. */
static op *begin(memory_store *m, op_kind kind, au_slice id, void *arg) {
  uv_idle_start(&m->turn, on_turn);
  return op_ring_push(&m->ops, kind, id, arg);
}

/* ---- expiry --------------------------------------------------------------- */

static void on_expiry(uv_timer_t *handle);

/* Sees to it that the timer runs no later than in `in_ms`. It is not set back when
 * sessions are renewed: it wakes once too early and is set anew, which is cheaper
 * than a timer moved by each beat. */
static void wake_in(memory_store *m, int64_t in_ms, int64_t now_ms) {
  if (m->wake_at_ms >= 0 && m->wake_at_ms <= now_ms + in_ms) return;
  m->wake_at_ms = now_ms + in_ms;
  uv_timer_start(&m->expiry, on_expiry, (uint64_t)in_ms, 0);
}

static void on_expiry(uv_timer_t *handle) {
  memory_store *m = handle->data;
  m->wake_at_ms = -1;
  memory_store_expire(&m->base);
}

void memory_store_expire(au_store *store) {
  memory_store *m = memory_of(store);
  if (m->stopping) return;
  int64_t now_ms = now_of(m);
  int64_t left_ms = presence_table_expire(m->table, now_ms);
  /* Never 0, which libuv would run in this very turn: others get theirs first. */
  if (left_ms >= 0) wake_in(m, left_ms > 0 ? left_ms : 1, now_ms);
}

void memory_store_touched(au_store *store) {
  memory_store *m = memory_of(store);
  if (!m->stopping) wake_in(m, m->ttl_ms, now_of(m));
}

void memory_store_changed(au_store *store, au_slice customer_id) {
  memory_store *m = memory_of(store);
  if (m->stopping) return;
  changed_set_add(m->changed, customer_id);
  uv_idle_start(&m->turn, on_turn);
}

static void on_changed(void *arg, au_slice customer_id) {
  memory_store_changed(arg, customer_id);
}

static bool is_due(void *arg, au_slice customer_id) {
  const memory_store *m = arg;
  return m->embedding.is_due(m->embedding.arg, customer_id);
}

/* ---- answers and events --------------------------------------------------- */

/* Lists into the array of the store, which grows to what was asked for or to the
 * number of customers, whichever is less. */
static void answer_due(memory_store *m, const op *o) {
  size_t want = presence_table_customers(m->table);
  if (want > o->in.due.max) want = o->in.due.max;
  if (want > m->due_room) {
    au_slice *grown = realloc(m->due, want * sizeof *grown);
    if (!grown) {
      o->cb.due(AU_ENOMEM, NULL, o->arg);
      return;
    }
    m->due = grown;
    m->due_room = want;
  }
  size_t n =
      presence_table_due(m->table, o->in.due.min_age_ms, now_of(m), o->in.due.skip, m->due, want);
  const au_due due = {.ids = m->due, .n = n, .again_ms = -1};
  o->cb.due(AU_OK, &due, o->arg);
}

void memory_store_sample(au_store *store, au_slice customer_id, au_sample *out) {
  memory_store *m = memory_of(store);
  presence_table_sample(m->table, customer_id, now_of(m), out);
  if (m->embedding.complete) m->embedding.complete(m->embedding.arg, customer_id, out);
}

static void answer_sample(memory_store *m, const op *o, au_slice id) {
  au_sample sample;
  memory_store_sample(&m->base, id, &sample);
  o->cb.sample(AU_OK, &sample, o->arg);
}

static void answer_list(memory_store *m, const op *o, au_slice id) {
  const char *session_id = o->in.list.session_id;
  const au_listing what = {.kind = o->in.list.kind,
                           .customer_id = id,
                           .session_id = slice_of(session_id ? session_id : ""),
                           .cursor = o->in.list.cursor};
  presence_scan(m->table, &what, now_of(m), o->cb.page, o->arg);
  free(o->in.list.session_id);
}

static void answer(memory_store *m, const op *o) {
  au_slice id = {o->id, o->id_len};
  switch (o->kind) {
  case OP_SAMPLE: answer_sample(m, o, id); return;
  case OP_DUE: answer_due(m, o); return;
  case OP_LIST: answer_list(m, o, id); return;
  case OP_BREAKDOWN:
    presence_scan_pages(m->table, id, o->in.with_pages, m->embedding.complete != NULL, now_of(m),
                        o->cb.breakdown, o->arg);
    return;
  case OP_ENDED: o->cb.ended(AU_OK, o->in.ended, o->arg); return;
  case OP_SAVE: presence_table_save(m->table, id, o->in.ema, now_of(m)); break;
  case OP_EVICT: presence_table_evict(m->table, id, now_of(m)); break;
  case OP_PUBLISH: {
    au_metrics metrics = o->in.metrics;
    metrics.customer_id = id;
    m->events->published(m->events->arg, &metrics);
    break;
  }
  case OP_DONE: break;
  }
  o->cb.done(AU_OK, o->arg);
}

static void cancel(const op *o) {
  switch (o->kind) {
  case OP_SAMPLE: o->cb.sample(AU_ECANCELED, NULL, o->arg); break;
  case OP_DUE: o->cb.due(AU_ECANCELED, NULL, o->arg); break;
  case OP_LIST:
    free(o->in.list.session_id);
    o->cb.page(AU_ECANCELED, NULL, o->arg);
    break;
  case OP_BREAKDOWN: o->cb.breakdown(AU_ECANCELED, NULL, o->arg); break;
  case OP_ENDED: o->cb.ended(AU_ECANCELED, false, o->arg); break;
  default: o->cb.done(AU_ECANCELED, o->arg); break;
  }
}

/* Operations that callbacks begin here get their turn here as well, up to the
 * bound; the rest and the sockets share the next turns. */
static void on_turn(uv_idle_t *handle) {
  memory_store *m = handle->data;
  op o;
  for (int i = 0; i < MEMORY_TURN_MAX && op_ring_pop(&m->ops, &o); i++) {
    if (o.kind == OP_LIST || (o.kind == OP_BREAKDOWN && o.in.with_pages))
      i += MEMORY_LIST_WEIGHT - 1;
    if (m->stopping)
      cancel(&o);
    else
      answer(m, &o);
  }

  char id[AU_ID_MAX];
  for (int i = 0; i < MEMORY_TURN_MAX && !m->stopping; i++) {
    size_t len = changed_set_take(m->changed, id);
    if (len == 0) break;
    m->events->changed(m->events->arg, (au_slice){id, len});
  }

  if (m->ops.count > 0) return;
  if (m->stopping) {
    join_stop_close(&m->stop, (uv_handle_t *)&m->turn);
    join_stop_close(&m->stop, (uv_handle_t *)&m->expiry);
    join_stop_done(&m->stop);
  } else if (changed_set_empty(m->changed)) {
    uv_idle_stop(&m->turn);
  }
}

/* ---- au_store ------------------------------------------------------------- */

static au_status memory_touch(au_store *store, const au_beat *beat, au_touch_kind kind,
                              au_done_fn cb, void *arg) {
  memory_store *m = memory_of(store);
  au_status status = ready(m);
  if (status != AU_OK) return status;
  status = presence_table_touch(m->table, beat, kind, now_of(m));
  if (status != AU_OK) return status;
  memory_store_touched(store);
  begin(m, OP_DONE, (au_slice){0}, arg)->cb.done = cb;
  return AU_OK;
}

static au_status memory_leave(au_store *store, const au_beat *beat, au_done_fn cb, void *arg) {
  memory_store *m = memory_of(store);
  au_status status = ready(m);
  if (status != AU_OK) return status;
  presence_table_leave(m->table, beat, now_of(m));
  begin(m, OP_DONE, (au_slice){0}, arg)->cb.done = cb;
  return AU_OK;
}

static au_status memory_shorten(au_store *store, const au_beat *beat, int64_t grace_ms,
                                au_shorten_reason why, au_done_fn cb, void *arg) {
  (void)why; /* no other daemon renews what is here */
  memory_store *m = memory_of(store);
  if (grace_ms < 0 || grace_ms > m->grace_ms) return AU_EINVAL;
  au_status status = ready(m);
  if (status != AU_OK) return status;
  int64_t now_ms = now_of(m);
  if (presence_table_shorten(m->table, beat, grace_ms, now_ms)) memory_store_expire(store);
  begin(m, OP_DONE, (au_slice){0}, arg)->cb.done = cb;
  return AU_OK;
}

/* As `ready`, for an operation that keeps a customer's id. */
static au_status ready_for(memory_store *m, au_slice customer_id) {
  if (customer_id.len == 0 || customer_id.len > AU_ID_MAX) return AU_EINVAL;
  return ready(m);
}

static au_status memory_sample(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg) {
  memory_store *m = memory_of(store);
  au_status status = ready_for(m, customer_id);
  if (status != AU_OK) return status;
  begin(m, OP_SAMPLE, customer_id, arg)->cb.sample = cb;
  return AU_OK;
}

static au_status memory_breakdown(au_store *store, au_slice customer_id, bool with_pages,
                                  au_breakdown_fn cb, void *arg) {
  memory_store *m = memory_of(store);
  au_status status = ready_for(m, customer_id);
  if (status != AU_OK) return status;
  op *o = begin(m, OP_BREAKDOWN, customer_id, arg);
  o->cb.breakdown = cb;
  o->in.with_pages = with_pages;
  return AU_OK;
}

/* The only daemon: it ticks all customers, in one partition, without conflicts. */
static uint32_t memory_partitions(const au_store *store) {
  (void)store;
  return 1;
}

static au_status memory_due(au_store *store, uint32_t part, int64_t min_age_ms, size_t skip,
                            size_t max, au_due_fn cb, void *arg) {
  (void)part;
  memory_store *m = memory_of(store);
  au_status status = ready(m);
  if (status != AU_OK) return status;
  op *o = begin(m, OP_DUE, (au_slice){0}, arg);
  o->cb.due = cb;
  o->in.due.min_age_ms = min_age_ms;
  o->in.due.skip = skip;
  o->in.due.max = max;
  return AU_OK;
}

static au_status memory_save(au_store *store, au_slice customer_id, const au_sample *sample,
                             double ema, au_done_fn cb, void *arg) {
  (void)sample;
  memory_store *m = memory_of(store);
  au_status status = ready_for(m, customer_id);
  if (status != AU_OK) return status;
  op *o = begin(m, OP_SAVE, customer_id, arg);
  o->cb.done = cb;
  o->in.ema = ema;
  return AU_OK;
}

static au_status memory_evict(au_store *store, au_slice customer_id, const au_sample *sample,
                              au_done_fn cb, void *arg) {
  (void)sample;
  memory_store *m = memory_of(store);
  au_status status = ready_for(m, customer_id);
  if (status != AU_OK) return status;
  begin(m, OP_EVICT, customer_id, arg)->cb.done = cb;
  return AU_OK;
}

static au_status memory_publish(au_store *store, const au_metrics *metrics, au_done_fn cb,
                                void *arg) {
  memory_store *m = memory_of(store);
  au_status status = ready_for(m, metrics->customer_id);
  if (status != AU_OK) return status;
  op *o = begin(m, OP_PUBLISH, metrics->customer_id, arg);
  o->cb.done = cb;
  o->in.metrics = *metrics;
  return AU_OK;
}

/* There is one copy of everything here, so nothing can disagree. */
static void memory_scan(au_store *store) {
  (void)store;
}

/* All that is published here is delivered here; the broadcast drops what has no subscriber. */
static au_status memory_subscribe(au_store *store, au_slice customer_id, bool on) {
  (void)store;
  (void)customer_id;
  (void)on;
  return AU_OK;
}

static bool memory_holds(const au_store *store, au_slice customer_id, au_slice session_id,
                         au_slice tab_id) {
  const memory_store *m = (const memory_store *)store;
  return presence_table_holds(m->table, customer_id, session_id, tab_id, now_of(m));
}

static bool memory_shortens(const au_store *store, const au_beat *beat, int64_t grace_ms) {
  const memory_store *m = (const memory_store *)store;
  return presence_table_shortens(m->table, beat, grace_ms, now_of(m));
}

static int64_t memory_renewed_ago_ms(const au_store *store, au_slice customer_id,
                                     au_slice session_id, bool *is_shortened) {
  const memory_store *m = (const memory_store *)store;
  return presence_table_renewed_ago_ms(m->table, customer_id, session_id, now_of(m), is_shortened);
}

static uint32_t memory_sessions_of(const au_store *store, au_slice customer_id) {
  return presence_table_sessions_of(((const memory_store *)store)->table, customer_id);
}

static au_status memory_list(au_store *store, const au_listing *what, au_page_fn cb, void *arg) {
  memory_store *m = memory_of(store);
  au_status status = ready(m);
  if (status != AU_OK) return status;
  char *session_id = NULL;
  if (what->kind == AU_LIST_SESSION) {
    session_id = strndup(what->session_id.ptr, what->session_id.len);
    if (!session_id) return AU_ENOMEM;
  }
  op *o = begin(m, OP_LIST, what->customer_id, arg);
  o->cb.page = cb;
  o->in.list.kind = what->kind;
  o->in.list.cursor = what->cursor;
  o->in.list.session_id = session_id;
  return AU_OK;
}

static au_status memory_expel(au_store *store, au_slice customer_id, au_slice session_id,
                              au_ended_fn cb, void *arg) {
  memory_store *m = memory_of(store);
  au_status status = ready(m);
  if (status != AU_OK) return status;
  op *o = begin(m, OP_ENDED, (au_slice){0}, arg);
  o->cb.ended = cb;
  o->in.ended = presence_table_drop(m->table, customer_id, session_id);
  return AU_OK;
}

static au_store_health memory_health(const au_store *store) {
  const memory_store *m = (const memory_store *)store;
  return (au_store_health){
      .ever_up = !m->stopping,
      .name = "memory",
      .reason = m->stopping ? "stopping" : "",
      .customers = presence_table_customers(m->table),
      .sessions = presence_table_sessions(m->table),
      .in_flight = (uint32_t)m->ops.count,
  };
}

static void memory_stop(au_store *store, void (*stopped)(void *arg), void *arg) {
  memory_store *m = memory_of(store);
  m->stopping = true;
  join_stop_begin(&m->stop, stopped, arg);
  uv_timer_stop(&m->expiry);
  uv_idle_start(&m->turn, on_turn);
}

presence_table *memory_store_table(au_store *store) {
  return memory_of(store)->table;
}

static void memory_free(au_store *store) {
  memory_store *m = memory_of(store);
  presence_table_free(m->table);
  changed_set_free(m->changed);
  op_ring_free(&m->ops);
  free(m->due);
  free(m);
}

static const au_store_ops memory_ops = {
    .touch = memory_touch,
    .leave = memory_leave,
    .shorten = memory_shorten,
    .sample = memory_sample,
    .breakdown = memory_breakdown,
    .partitions = memory_partitions,
    .due = memory_due,
    .save = memory_save,
    .evict = memory_evict,
    .publish = memory_publish,
    .scan = memory_scan,
    .subscribe = memory_subscribe,
    .renewed_ago_ms = memory_renewed_ago_ms,
    .holds = memory_holds,
    .shortens = memory_shortens,
    .sessions_of = memory_sessions_of,
    .health = memory_health,
    .list = memory_list,
    .expel = memory_expel,
    .stop = memory_stop,
    .free = memory_free,
};

au_status memory_store_create(uv_loop_t *loop, const au_config *config, const au_clock *clock,
                              map_seed seed, const au_store_events *events,
                              const memory_embedding *embedding, au_store **out) {
  memory_store *m = calloc(1, sizeof *m);
  if (!m) return AU_ENOMEM;
  m->base.ops = &memory_ops;
  m->clock = clock;
  m->events = events;
  m->ttl_ms = (int64_t)config->presence_ttl_s * 1000;
  m->grace_ms = config->disconnect_grace_ms;
  m->wake_at_ms = -1;
  if (embedding) m->embedding = *embedding;
  const presence_table_config table_config = {
      .seed = seed,
      .ttl_ms = m->ttl_ms,
      .grace_ms = m->grace_ms,
      .count_after_ms = config->count_after_ms,
      .max_sessions = config->max_sessions,
      .max_customers = config->max_customers,
      .keep_profile = embedding != NULL,
      .keep_customers = embedding == NULL, /* their EMA decays after the last session */
      .is_due = m->embedding.is_due ? is_due : NULL,
      .changed = on_changed,
      .pages = m->embedding.pages,
      .wall = clock,
      .arg = m,
      .events = events,
  };
  if (presence_table_create(&table_config, &m->table) != AU_OK ||
      changed_set_create(seed, config->max_customers, &m->changed) != AU_OK) {
    memory_free(&m->base);
    return AU_ENOMEM;
  }
  /* Last: a handle can be closed only by way of the loop. Neither call can fail. */
  uv_idle_init(loop, &m->turn);
  uv_timer_init(loop, &m->expiry);
  m->turn.data = m->expiry.data = m;
  *out = &m->base;
  return AU_OK;
}

/* Customers: their counts, averages, ticks and messages. While a slot is not in sync its customers
 * are those of the table, with the counts of other daemons as they were known last; what was
 * sampled there is saved there. */
#include "fallback_private.h"
#include "utils/buffer.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

/* One operation in the shared store about one customer. */
typedef struct query {
  fallback *f;
  union {
    au_done_fn done;
    au_sample_fn sample;
    au_due_fn due;
  } cb;
  void *arg;
  au_sample sample;   /* save, evict: what the tick was made of */
  au_metrics metrics; /* publish; without an id */
  uint8_t id_len;
  char id[AU_ID_MAX];
} query;

static au_slice query_id(const query *q) {
  return (au_slice){q->id, q->id_len};
}

static query *query_create(fallback *f, au_slice customer_id, void *arg) {
  query *q = calloc(1, sizeof *q);
  if (!q) return NULL;
  q->f = f;
  q->arg = arg;
  q->id_len = (uint8_t)customer_id.len;
  if (customer_id.len > 0) memcpy(q->id, customer_id.ptr, customer_id.len);
  return q;
}

static au_status begun(query *q, au_status status) {
  if (status == AU_OK)
    q->f->in_flight++;
  else
    free(q);
  return status;
}

static void end_done(query *q, au_status status) {
  q->f->in_flight--;
  q->cb.done(status, q->arg);
  free(q);
}

/* ---- sample ------------------------------------------------------------------------ */

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  query *q = arg;
  fallback *f = q->f;
  au_sample local;
  if (status == AU_OK) {
    fallback_learn(f, query_id(q), sample);
  } else if (shared_store_failed(status)) {
    memory_store_sample(f->local, query_id(q), &local);
    sample = &local;
    status = AU_OK;
  }
  f->in_flight--;
  q->cb.sample(status, status == AU_OK ? sample : NULL, q->arg);
  free(q);
}

au_status fallback_sample(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  if (fallback_route(f, fallback_slot(f, customer_id)) != AU_OK)
    return f->local->ops->sample(f->local, customer_id, cb, arg);
  query *q = query_create(f, customer_id, arg);
  if (!q) return AU_ENOMEM;
  q->cb.sample = cb;
  return begun(q, f->shared->ops->sample(f->shared, customer_id, on_sample, q));
}

/* ---- save, evict: the end of a tick --------------------------------------------------- */

static void on_saved(au_status status, int64_t ticked_ms, void *arg) {
  query *q = arg;
  if (ticked_ms > 0) {
    q->sample.ticked_ms = ticked_ms;
    fallback_learn(q->f, query_id(q), &q->sample);
  }
  end_done(q, status);
}

/* The shared list of customers gets the tick too: the customer's own server may be lost while that
 * of the list is not. */
static void note_tick(fallback *f, au_slice customer_id) {
  const shared_store_ops *ops = f->shared->ops;
  uint16_t slot = ops->partition_slot(f->shared, ops->partition_of(f->shared, customer_id));
  if (fallback_route(f, slot) == AU_OK) ops->note_tick(f->shared, customer_id);
}

au_status fallback_save(au_store *store, au_slice customer_id, const au_sample *sample, double ema,
                        au_done_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  if (sample->stale) {
    note_tick(f, customer_id);
    return f->local->ops->save(f->local, customer_id, sample, ema, cb, arg);
  }
  query *q = query_create(f, customer_id, arg);
  if (!q) return AU_ENOMEM;
  q->cb.done = cb;
  q->sample = *sample;
  q->sample.has_ema = true;
  q->sample.ema = ema;
  return begun(q, f->shared->ops->save(f->shared, customer_id, sample, ema, on_saved, q));
}

static void on_evicted(au_status status, bool evicted, void *arg) {
  query *q = arg;
  if (evicted) peer_counts_drop(q->f->peers, query_id(q));
  end_done(q, status);
}

au_status fallback_evict(au_store *store, au_slice customer_id, const au_sample *sample,
                         au_done_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  if (sample->stale) {
    note_tick(f, customer_id);
    return f->local->ops->evict(f->local, customer_id, sample, cb, arg);
  }
  query *q = query_create(f, customer_id, arg);
  if (!q) return AU_ENOMEM;
  q->cb.done = cb;
  return begun(q, f->shared->ops->evict(f->shared, customer_id, sample, on_evicted, q));
}

/* ---- publish ---------------------------------------------------------------------------- */

/* A message that does not come back by a subscription is delivered here. */
static void on_published(au_status status, bool is_subscribed, void *arg) {
  query *q = arg;
  const au_store_events *events = q->f->events;
  if (shared_store_failed(status) || (status == AU_OK && !is_subscribed)) {
    q->metrics.customer_id = query_id(q);
    events->published(events->arg, &q->metrics);
  }
  end_done(q, status);
}

au_status fallback_publish(au_store *store, const au_metrics *metrics, au_done_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  au_slice customer_id = metrics->customer_id;
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  if (metrics->stale || fallback_route(f, fallback_slot(f, customer_id)) != AU_OK)
    return f->local->ops->publish(f->local, metrics, cb, arg);
  query *q = query_create(f, customer_id, arg);
  if (!q) return AU_ENOMEM;
  q->cb.done = cb;
  q->metrics = *metrics;
  return begun(q, f->shared->ops->publish(f->shared, metrics, on_published, q));
}

/* ---- due ------------------------------------------------------------------------------------ */

static au_status route_of_list(const fallback *f, uint32_t partition) {
  return fallback_route(f, f->shared->ops->partition_slot(f->shared, partition));
}

/* A customer that the shared store can neither list nor tick. */
bool fallback_is_due(void *arg, au_slice customer_id) {
  const fallback *f = arg;
  return fallback_route(f, fallback_slot(f, customer_id)) != AU_OK ||
         route_of_list(f, f->shared->ops->partition_of(f->shared, customer_id)) != AU_OK;
}

/* Only the first partition that is not in sync lists the customers of the table, so each is listed
 * once. */
bool fallback_lists_table(const fallback *f, uint32_t partition) {
  for (uint32_t i = 0; i < partition; i++)
    if (route_of_list(f, i) != AU_OK) return false;
  return true;
}

static void on_due(au_status status, const au_due *due, void *arg) {
  query *q = arg;
  q->f->in_flight--;
  q->cb.due(status, due, q->arg);
  free(q);
}

au_status fallback_due(au_store *store, uint32_t partition, int64_t min_age_ms, size_t skip,
                       size_t max, au_due_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (route_of_list(f, partition) != AU_OK)
    return f->local->ops->due(f->local, 0, min_age_ms, skip,
                              fallback_lists_table(f, partition) ? max : 0, cb, arg);
  query *q = query_create(f, (au_slice){0}, arg);
  if (!q) return AU_ENOMEM;
  q->cb.due = cb;
  return begun(q, f->shared->ops->due(f->shared, partition, min_age_ms, skip, max, on_due, q));
}

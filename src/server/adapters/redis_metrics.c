/* Customers in Redis: counts, averages, ticks and messages. Must not know sessions' keys
 * or how an average is made. */
#include "../wire.h"
#include "redis_local.h"
#include "redis_script.h"
#include "redis_store.h"

#include <stdlib.h>
#include <string.h>

/* One operation about one customer, or about none (due). */
typedef struct query {
  redis_op op; /* first: an op is cast to its query */
  union {
    au_done_fn done;
    au_sample_fn sample;
    au_due_fn due;
  } cb;
  void *arg;
  au_sample sample;
  int64_t ticked_ms;
  au_metrics metrics;  /* publish */
  redis_waiter waiter; /* due: for the scan to have passed */
  int64_t min_age_ms;
  size_t skip, max;
  uint8_t id_len;
  char id[AU_ID_MAX];
} query;

static au_slice query_id(const query *q) {
  return (au_slice){q->id, q->id_len};
}

/* Checks and creates; `*status` says why there is none. */
static query *query_create(redis_node *n, uint32_t commands, au_slice id, void *arg,
                           au_status *status) {
  *status = redis_node_admits(n, commands);
  if (*status != AU_OK) return NULL;
  query *q = calloc(1, sizeof *q);
  if (!q) {
    *status = AU_ENOMEM;
    return NULL;
  }
  q->op.node = n;
  q->arg = arg;
  q->id_len = (uint8_t)id.len;
  if (id.len > 0) memcpy(q->id, id.ptr, id.len);
  return q;
}

static au_status query_begin(query *q) {
  au_status status = redis_op_begun(&q->op);
  if (status != AU_OK) free(q);
  return status;
}

static void end_done(query *q) {
  redis_op_end(&q->op);
  au_done_fn cb = q->cb.done;
  void *arg = q->arg;
  au_status status = q->op.status;
  free(q);
  cb(status, arg);
}

/* ---- sample --------------------------------------------------------------- */

static void end_sample(query *q) {
  redis_op_end(&q->op);
  redis_store *s = q->op.node->store;
  au_sample_fn cb = q->cb.sample;
  void *arg = q->arg;
  au_status status = q->op.status;
  if (status == AU_OK) {
    redis_store_learn(s, query_id(q), &q->sample, q->ticked_ms);
  } else if (redis_local_takes(status)) {
    memory_store_sample(s->own, query_id(q), &q->sample);
    status = AU_OK;
  }
  au_sample sample = q->sample;
  free(q);
  cb(status, status == AU_OK ? &sample : NULL, arg);
}

static void on_count(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER)) {
    long long n = reply->integer;
    q->sample.count = n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
  }
  if (q->op.pending == 0) end_sample(q);
}

/* What another program wrote there and is no number counts as absent, so that the next
 * tick puts it right; an odd type too, though that one is a refusal worth telling. */
static void on_ema(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (status == AU_OK && redis_reply_is_error_code(reply, "WRONGTYPE")) {
    (void)redis_node_check(q->op.node, status, reply, REDIS_WANT_TEXT);
    q->op.pending--;
  } else if (redis_op_take(&q->op, status, reply, REDIS_WANT_TEXT)) {
    q->sample.has_ema = redis_reply_number(reply, &q->sample.ema);
  }
  if (q->op.pending == 0) end_sample(q);
}

static void on_ticked(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  double ticked_ms;
  if (redis_op_take(&q->op, status, reply, REDIS_WANT_TEXT) &&
      redis_reply_number(reply, &ticked_ms) && ticked_ms > 0) {
    double elapsed_ms = (double)redis_node_now_ms(q->op.node) - ticked_ms;
    q->ticked_ms = (int64_t)ticked_ms;
    q->sample.elapsed_ms = elapsed_ms > 1 ? (int64_t)elapsed_ms : 1;
  }
  if (q->op.pending == 0) end_sample(q);
}

au_status redis_sample(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg) {
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  redis_store *own_of = redis_store_of(store);
  if (!redis_node_is_whole(redis_store_node(own_of, customer_id)))
    return own_of->own->ops->sample(own_of->own, customer_id, cb, arg);
  au_status status;
  query *q = query_create(redis_store_node(redis_store_of(store), customer_id), 3, customer_id, arg,
                          &status);
  if (!q) return status;
  q->cb.sample = cb;
  const redis_store *s = q->op.node->store;
  redis_key index, ema, list;
  redis_number room;
  char after_now[1 + sizeof room.text] = "(";
  au_slice now = redis_number_text(&room, redis_node_now_ms(q->op.node));
  memcpy(after_now + 1, now.ptr, now.len);
  const au_slice count[] = {slice_of("ZCOUNT"),
                            redis_key_index(&s->keys, &index, customer_id),
                            {after_now, 1 + now.len},
                            slice_of("+inf")};
  const au_slice get[] = {slice_of("GET"), redis_key_ema(&s->keys, &ema, customer_id)};
  const au_slice ticked[] = {slice_of("ZSCORE"), redis_store_list(s, &list, customer_id),
                             customer_id};
  redis_op_send(&q->op, count, 4, on_count, q);
  redis_op_send(&q->op, get, 2, on_ema, q);
  redis_op_send(&q->op, ticked, 3, on_ticked, q);
  return query_begin(q);
}

/* ---- due ------------------------------------------------------------------ */

static void end_due(query *q, const au_slice *ids, size_t n) {
  redis_op_end(&q->op);
  au_due_fn cb = q->cb.due;
  void *arg = q->arg;
  au_status status = q->op.status;
  free(q);
  cb(status, ids, status == AU_OK ? n : 0, arg);
}

static void on_removed(au_status status, const redisReply *reply, void *arg) {
  (void)status; /* the next list tells whether it is still there */
  (void)reply;
  (void)arg;
}

static void remove_foreign(redis_node *n, au_slice member) {
  redis_key list;
  const au_slice args[] = {slice_of("ZREM"), redis_key_customers(&n->store->keys, &list, 0),
                           member};
  au_status status = redis_link_command(n->link, args, 3, on_removed, NULL);
  (void)status; /* as in on_removed */
}

static void on_due(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (!redis_op_take(&q->op, status, reply, REDIS_WANT_ARRAY) || reply->elements == 0) {
    end_due(q, NULL, 0);
    return;
  }
  au_slice *ids = calloc(reply->elements, sizeof *ids);
  size_t n = 0;
  if (!ids) q->op.status = AU_ENOMEM;
  for (size_t i = 0; ids && i < reply->elements; i++) {
    au_slice id = redis_reply_text(reply->element[i]);
    if (wire_valid_id(id))
      ids[n++] = id;
    else
      remove_foreign(q->op.node, id);
  }
  end_due(q, ids, n);
  free(ids);
}

static void send_due(query *q) {
  redis_key list;
  redis_number oldest, skip, max;
  int64_t last_ms = redis_node_now_ms(q->op.node) - q->min_age_ms;
  const au_slice args[] = {slice_of("ZRANGEBYSCORE"),
                           redis_key_customers(&q->op.node->store->keys, &list, 0),
                           slice_of("-inf"),
                           redis_number_text(&oldest, last_ms),
                           slice_of("LIMIT"),
                           redis_number_text(&skip, (int64_t)q->skip),
                           redis_number_text(&max, (int64_t)q->max)};
  redis_op_send(&q->op, args, 7, on_due, q);
}

static void on_scan_passed(redis_waiter *waiter, au_status status) {
  query *q = (query *)(void *)((char *)waiter - offsetof(query, waiter));
  q->op.pending--;
  q->op.status = status;
  if (status == AU_OK) q->op.status = redis_node_admits(q->op.node, 1);
  send_due(q);
  if (q->op.pending == 0) end_due(q, NULL, 0);
}

/* A tick begins with this list. When a scan has just begun it is waited for, as long as
 * it is young, so that keys of other programs count in the same tick. */
au_status redis_due(au_store *store, int64_t min_age_ms, size_t skip, size_t max, au_due_fn cb,
                    void *arg) {
  redis_store *own_of = redis_store_of(store);
  if (!redis_node_is_whole(own_of->node))
    return own_of->own->ops->due(own_of->own, min_age_ms, skip, max, cb, arg);
  au_status status;
  query *q = query_create(redis_store_of(store)->node, 1, (au_slice){NULL, 0}, arg, &status);
  if (!q) return status;
  q->cb.due = cb;
  q->min_age_ms = min_age_ms;
  q->skip = skip;
  q->max = max;
  q->waiter.go = on_scan_passed;
  if (redis_reconcile_wait(q->op.node->reconcile, &q->waiter))
    q->op.pending++;
  else
    send_due(q);
  return query_begin(q);
}

/* ---- save, forget, publish ------------------------------------------------ */

static void on_saved(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  redis_want want = q->op.seen == 0 ? REDIS_WANT_OK : REDIS_WANT_INTEGER;
  if (redis_op_take(&q->op, status, reply, want)) redis_node_wrote(q->op.node);
  if (q->op.pending == 0) end_done(q);
}

/* Ended sessions are taken off the index in portions, so that a whole audience that left
 * at once does not hold Redis; a full portion asks for another. Nobody waits for it. */
static void trim(redis_node *n, au_slice customer_id);

static void on_trimmed(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  redis_node *n = q->op.node;
  if (status == AU_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer >= REDIS_TRIM_MAX)
    trim(n, query_id(q));
  free(q);
}

static void trim(redis_node *n, au_slice customer_id) {
  au_status status;
  query *q = query_create(n, 1, customer_id, NULL, &status);
  if (!q) return;
  redis_key index;
  redis_number now, max;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_TRIM),
                           slice_of("1"),
                           redis_key_index(&n->store->keys, &index, customer_id),
                           redis_number_text(&now, redis_node_now_ms(n)),
                           redis_number_text(&max, REDIS_TRIM_MAX)};
  if (redis_link_command(n->link, args, 6, on_trimmed, q) != AU_OK) free(q);
}

au_status redis_save(au_store *store, au_slice customer_id, double ema, au_done_fn cb, void *arg) {
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  redis_store *own_of = redis_store_of(store);
  if (!redis_node_is_whole(redis_store_node(own_of, customer_id)))
    return own_of->own->ops->save(own_of->own, customer_id, ema, cb, arg);
  au_status status;
  query *q = query_create(redis_store_node(redis_store_of(store), customer_id), 3, customer_id, arg,
                          &status);
  if (!q) return status;
  redis_node *n = q->op.node;
  redis_store *s = n->store;
  q->cb.done = cb;
  buffer_clear(&s->value);
  wire_print_number(&s->value, ema);
  if (s->value.failed) q->op.status = AU_ENOMEM;
  redis_key key, list;
  redis_number now;
  const au_slice set[] = {slice_of("SET"), redis_key_ema(&s->keys, &key, customer_id),
                          buffer_slice(&s->value)};
  const au_slice ticked[] = {slice_of("ZADD"), redis_store_list(s, &list, customer_id),
                             redis_number_text(&now, redis_node_now_ms(n)), customer_id};
  redis_op_send(&q->op, set, 3, on_saved, q);
  redis_op_send(&q->op, ticked, 4, on_saved, q);
  status = query_begin(q);
  if (status == AU_OK) trim(n, customer_id);
  return status;
}

static void on_forgotten(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER)) redis_node_wrote(q->op.node);
  end_done(q);
}

au_status redis_forget(au_store *store, au_slice customer_id, au_done_fn cb, void *arg) {
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  redis_store *own_of = redis_store_of(store);
  if (!redis_node_is_whole(redis_store_node(own_of, customer_id)))
    return own_of->own->ops->forget(own_of->own, customer_id, cb, arg);
  au_status status;
  query *q = query_create(redis_store_node(redis_store_of(store), customer_id), 1, customer_id, arg,
                          &status);
  if (!q) return status;
  q->cb.done = cb;
  const redis_store *s = q->op.node->store;
  redis_key index, ema, list;
  redis_number now;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_FORGET),
                           slice_of("3"),
                           redis_key_index(&s->keys, &index, customer_id),
                           redis_key_ema(&s->keys, &ema, customer_id),
                           redis_store_list(s, &list, customer_id),
                           redis_number_text(&now, redis_node_now_ms(q->op.node)),
                           customer_id};
  redis_op_send(&q->op, args, 8, on_forgotten, q);
  return query_begin(q);
}

/* While this daemon's own subscription is not in place, what it publishes itself is
 * delivered here, so that its sockets do not go without. */
static void on_published(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  redis_store *s = q->op.node->store;
  bool sent = redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER);
  if (sent ? redis_watch_is_deaf(q->op.node->watch, query_id(q))
           : redis_local_takes(q->op.status)) {
    au_metrics metrics = q->metrics;
    metrics.customer_id = query_id(q);
    s->events->published(s->events->arg, &metrics);
  }
  end_done(q);
}

au_status redis_publish(au_store *store, const au_metrics *metrics, au_done_fn cb, void *arg) {
  if (!wire_valid_id(metrics->customer_id)) return AU_EINVAL;
  redis_store *own_of = redis_store_of(store);
  if (!redis_node_is_whole(redis_store_node(own_of, metrics->customer_id)))
    return own_of->own->ops->publish(own_of->own, metrics, cb, arg);
  au_status status;
  query *q = query_create(redis_store_node(redis_store_of(store), metrics->customer_id), 1,
                          metrics->customer_id, arg, &status);
  if (!q) return status;
  redis_store *s = q->op.node->store;
  q->cb.done = cb;
  q->metrics = *metrics;
  buffer_clear(&s->value);
  wire_print_metrics(&s->value, metrics);
  if (s->value.failed) q->op.status = AU_ENOMEM;
  redis_key channel;
  const au_slice args[] = {slice_of("PUBLISH"), redis_key_channel(&channel, metrics->customer_id),
                           buffer_slice(&s->value)};
  redis_op_send(&q->op, args, 3, on_published, q);
  return query_begin(q);
}

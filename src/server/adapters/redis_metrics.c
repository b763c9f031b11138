/* One customer in Redis: its count, its average, its tick and its messages. Must not know
 * sessions' keys, how an average is made or who is due.
 *
 * While a node is not whole, its customers are those of the daemon's own store, with the
 * others as they were known last; what was sampled there ends there. */
#include "../wire.h"
#include "redis_command.h"
#include "redis_local.h"
#include "redis_script.h"
#include "redis_store.h"

#include <stdlib.h>
#include <string.h>

/* One operation about one customer. */
typedef struct query {
  redis_op op; /* first: an op is cast to its query */
  union {
    au_done_fn done;
    au_sample_fn sample;
  } cb;
  void *arg;
  au_sample sample;
  au_metrics metrics; /* publish */
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
    redis_store_learn(s, query_id(q), &q->sample);
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

/* As REDIS_SCRIPT_SAVE reads it; 0 for anything but a time. */
static int64_t ticked_of(const redisReply *reply) {
  au_slice text = redis_reply_text(reply);
  uint64_t ms;
  return slice_digits(text, 15, &ms) && text.ptr[0] != '0' ? (int64_t)ms : 0;
}

/* A time far ahead is one of a clock that was set back since. */
static int64_t elapsed_of(const redis_node *n, int64_t ticked_ms) {
  int64_t elapsed_ms = redis_node_now_ms(n) - ticked_ms;
  if (ticked_ms == 0 || elapsed_ms < -(int64_t)n->store->config->ema_interval_ms) return 0;
  return elapsed_ms > 1 ? elapsed_ms : 1;
}

/* What another program wrote there and is no number counts as absent, so that the next
 * tick puts it right; MGET has nil for odd types. */
static void on_average(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (redis_op_take(&q->op, status, reply, REDIS_WANT_ARRAY) && reply->elements == 2) {
    q->sample.has_ema = redis_reply_number(reply->element[0], &q->sample.ema);
    q->sample.ticked_ms = ticked_of(reply->element[1]);
    q->sample.elapsed_ms = elapsed_of(q->op.node, q->sample.ticked_ms);
  }
  if (q->op.pending == 0) end_sample(q);
}

au_status redis_sample(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg) {
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  redis_store *s = redis_store_of(store);
  redis_node *n = redis_store_node(s, customer_id);
  if (!redis_node_is_whole(n)) return s->own->ops->sample(s->own, customer_id, cb, arg);
  au_status status;
  query *q = query_create(n, 2, customer_id, arg, &status);
  if (!q) return status;
  q->cb.sample = cb;
  redis_key index, ema, tick;
  redis_number room;
  char after_now[1 + sizeof room.text] = "(";
  au_slice now = redis_number_text(&room, redis_node_now_ms(n));
  memcpy(after_now + 1, now.ptr, now.len);
  const au_slice count[] = {slice_of("ZCOUNT"),
                            redis_key_index(&s->keys, &index, customer_id),
                            {after_now, 1 + now.len},
                            slice_of("+inf")};
  const au_slice average[] = {slice_of("MGET"), redis_key_ema(&s->keys, &ema, customer_id),
                              redis_key_tick(&s->keys, &tick, customer_id)};
  redis_op_send(&q->op, count, 4, on_count, q);
  redis_op_send(&q->op, average, 3, on_average, q);
  return query_begin(q);
}

/* ---- save, forget, publish ------------------------------------------------ */

/* True when the tick was written. */
static bool tick_written(query *q, au_status status, const redisReply *reply) {
  if (!redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER)) return false;
  if (reply->integer == REDIS_TICK_PASSED)
    q->op.status = AU_EPASSED;
  else
    redis_node_wrote(q->op.node);
  return reply->integer == REDIS_TICK_DONE;
}

static void on_saved(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (tick_written(q, status, reply)) redis_store_learn(q->op.node->store, query_id(q), &q->sample);
  if (q->op.pending == 0) end_done(q);
}

static void on_listed(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  (void)redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER);
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
  if (redis_node_command(n, args, 6, on_trimmed, q) != AU_OK) free(q);
}

/* A customer whose server is lost may be on a list that is not, and off it until the next
 * tick. */
static void tell_list(redis_store *s, au_slice customer_id) {
  redis_node *n = redis_store_list_node(s, redis_keys_group_of(&s->keys, customer_id));
  if (!redis_node_is_whole(n)) return;
  redis_command ticked;
  redis_command_ticked(&ticked, &s->keys, customer_id, redis_node_now_ms(n));
  au_status status = redis_node_command(n, ticked.words, ticked.count, redis_link_ignore, NULL);
  (void)status; /* the next tick tells it again */
}

/* The list only says who may be due, so it may be told before the tick is known to be the
 * one; it is told of nobody it does not know (forgotten or lost meanwhile). */
au_status redis_save(au_store *store, au_slice customer_id, const au_sample *sample, double ema,
                     au_done_fn cb, void *arg) {
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  redis_store *s = redis_store_of(store);
  if (sample->stale) {
    tell_list(s, customer_id);
    return s->own->ops->save(s->own, customer_id, sample, ema, cb, arg);
  }
  redis_node *n = redis_store_node(s, customer_id);
  au_status status;
  query *q = query_create(n, 3, customer_id, arg, &status);
  if (!q) return status;
  int64_t tick_ms =
      sample->elapsed_ms > 0 ? sample->ticked_ms + sample->elapsed_ms : redis_node_now_ms(n);
  q->cb.done = cb;
  q->sample = *sample;
  q->sample.has_ema = true;
  q->sample.ema = ema;
  q->sample.ticked_ms = tick_ms;
  buffer_clear(&s->value);
  wire_print_number(&s->value, ema);
  if (s->value.failed) q->op.status = AU_ENOMEM;
  redis_key key, tick;
  redis_number last, now;
  redis_command ticked;
  const au_slice save[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_SAVE),
                           slice_of("2"),
                           redis_key_ema(&s->keys, &key, customer_id),
                           redis_key_tick(&s->keys, &tick, customer_id),
                           redis_number_text(&last, sample->ticked_ms),
                           redis_number_text(&now, tick_ms),
                           buffer_slice(&s->value)};
  redis_command_ticked(&ticked, &s->keys, customer_id, tick_ms);
  redis_op_send(&q->op, save, 8, on_saved, q);
  redis_op_send(&q->op, ticked.words, ticked.count, on_listed, q);
  status = query_begin(q);
  if (status == AU_OK) trim(n, customer_id);
  return status;
}

/* Off the list; and on it again if somebody came meanwhile. */
static void on_alive(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  const redis_store *s = q->op.node->store;
  if (redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER) && reply->integer > 0) {
    redis_command list;
    redis_command_list(&list, &s->keys, query_id(q));
    redis_op_send(&q->op, list.words, list.count, on_listed, q);
  }
  if (q->op.pending == 0) end_done(q);
}

static void on_forgotten(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  redis_store *s = q->op.node->store;
  if (tick_written(q, status, reply)) {
    redis_known_forget(s->known, query_id(q));
    redis_key list, index;
    const au_slice remove[] = {slice_of("ZREM"), redis_store_list(s, &list, query_id(q)),
                               query_id(q)};
    const au_slice alive[] = {slice_of("EXISTS"), redis_key_index(&s->keys, &index, query_id(q))};
    redis_op_send(&q->op, remove, 3, on_listed, q);
    redis_op_send(&q->op, alive, 2, on_alive, q);
  }
  if (q->op.pending == 0) end_done(q);
}

au_status redis_forget(au_store *store, au_slice customer_id, const au_sample *sample,
                       au_done_fn cb, void *arg) {
  if (!wire_valid_id(customer_id)) return AU_EINVAL;
  redis_store *s = redis_store_of(store);
  if (sample->stale) {
    tell_list(s, customer_id);
    return s->own->ops->forget(s->own, customer_id, sample, cb, arg);
  }
  au_status status;
  query *q = query_create(redis_store_node(s, customer_id), 2, customer_id, arg, &status);
  if (!q) return status;
  q->cb.done = cb;
  redis_key index, ema, tick;
  redis_number last, now;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_FORGET),
                           slice_of("3"),
                           redis_key_ema(&s->keys, &ema, customer_id),
                           redis_key_tick(&s->keys, &tick, customer_id),
                           redis_key_index(&s->keys, &index, customer_id),
                           redis_number_text(&last, sample->ticked_ms),
                           redis_number_text(&now, redis_node_now_ms(q->op.node))};
  redis_op_send(&q->op, args, 8, on_forgotten, q);
  return query_begin(q);
}

/* While this daemon's own subscription is not in place, or Redis fails, what it publishes
 * itself is delivered here, so that its sockets do not go without. */
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
  redis_store *s = redis_store_of(store);
  redis_node *n = redis_store_node(s, metrics->customer_id);
  if (metrics->stale || !redis_node_is_whole(n))
    return s->own->ops->publish(s->own, metrics, cb, arg);
  au_status status;
  query *q = query_create(n, 1, metrics->customer_id, arg, &status);
  if (!q) return status;
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

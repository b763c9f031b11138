/* One customer in Redis: its count, its average, its tick and its messages. */
#include "adapters/redis/protocol/command.h"
#include "adapters/redis/protocol/index_score.h"
#include "adapters/redis/protocol/scripts.h"
#include "op.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum {
  TICK_MAX_BYTES = 15, /* digits of a time */
  SAMPLE_COMMANDS = 4,
};

/* One operation about one customer. */
typedef struct query {
  redis_op op;
  union {
    au_sample_fn sample;
    shared_saved_fn saved;
    shared_done_fn done;
  } cb;
  void *arg;
  au_sample sample;
  int64_t tick_ms;       /* save */
  bool written;          /* save, evict: the tick is */
  uint64_t subscription; /* publish: its number when it was sent */
  uint8_t id_len;
  char id[AU_ID_MAX];
} query;

static au_slice query_id(const query *q) {
  return (au_slice){q->id, q->id_len};
}

/* `status` says why there is none. */
static query *query_create(redis_store *s, stats_store_op kind, uint32_t commands, au_slice id,
                           void *arg, au_status *status) {
  redis_op op;
  *status = redis_op_init(&op, s, kind, redis_store_slot(s, id), commands);
  if (*status != AU_OK) return NULL;
  query *q = calloc(1, sizeof *q);
  if (!q) {
    *status = AU_ENOMEM;
    return NULL;
  }
  q->op = op;
  q->arg = arg;
  q->id_len = (uint8_t)id.len;
  memcpy(q->id, id.ptr, id.len);
  return q;
}

static au_status query_begin(query *q) {
  au_status status = redis_op_begun(&q->op);
  if (status != AU_OK) free(q);
  return status;
}

/* ---- sample --------------------------------------------------------------- */

static void end_sample(query *q) {
  redis_op_end(&q->op);
  q->cb.sample(q->op.status, q->op.status == AU_OK ? &q->sample : NULL, q->arg);
  free(q);
}

static void take_count(query *q, au_status status, const redisReply *reply, uint32_t *out) {
  if (redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER)) {
    long long n = reply->integer;
    *out = n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
  }
  if (q->op.pending == 0) end_sample(q);
}

static void on_count(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  take_count(q, status, reply, &q->sample.count);
}

static void on_bots(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  take_count(q, status, reply, &q->sample.bots);
}

static void on_pending(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  take_count(q, status, reply, &q->sample.pending);
}

/* The live sessions of a kind of visitor. */
static void send_count(query *q, au_slice customer_id, au_visitor visitor, redis_reply_fn cb) {
  redis_key index;
  redis_number now, step;
  char after_now[1 + sizeof now.text] = "(", below[1 + sizeof step.text] = "(";
  int64_t base = redis_score_base(visitor);
  au_slice from = redis_number_text(&now, redis_node_now_ms(q->op.node) + base);
  au_slice to = redis_number_text(&step, base + REDIS_SCORE_STEP);
  memcpy(after_now + 1, from.ptr, from.len);
  memcpy(below + 1, to.ptr, to.len);
  const au_slice count[] = {slice_of("ZCOUNT"),
                            redis_key_index(&q->op.store->keys, &index, customer_id),
                            {after_now, 1 + from.len},
                            visitor == AU_VISITOR_PERSON ? slice_of("+inf")
                                                         : (au_slice){below, 1 + to.len}};
  redis_op_send(&q->op, count, 4, cb, q);
}

/* As REDIS_SCRIPT_SAVE reads it; 0 for anything but a time. */
static int64_t ticked_of(au_slice text) {
  uint64_t ms;
  return slice_digits(text, TICK_MAX_BYTES, &ms) && text.ptr[0] != '0' ? (int64_t)ms : 0;
}

/* A time far ahead is one of a clock that was set back since. */
static int64_t elapsed_of(const redis_op *op, int64_t ticked_ms) {
  int64_t elapsed_ms = redis_node_now_ms(op->node) - ticked_ms;
  if (ticked_ms == 0 || elapsed_ms < -(int64_t)op->store->config->ema_interval_ms) return 0;
  return elapsed_ms > 1 ? elapsed_ms : 1;
}

/* An average of another program that is no number counts as absent, so that the next
 * tick puts it right. */
static void on_average(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  au_slice text;
  if (redis_op_take_text(&q->op, status, reply, &text))
    q->sample.has_ema = redis_reply_number(reply, &q->sample.ema);
  if (q->op.pending == 0) end_sample(q);
}

static void on_tick(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  au_slice text;
  if (redis_op_take_text(&q->op, status, reply, &text)) {
    q->sample.ticked_ms = ticked_of(text);
    q->sample.elapsed_ms = elapsed_of(&q->op, q->sample.ticked_ms);
  }
  if (q->op.pending == 0) end_sample(q);
}

au_status redis_sample(shared_store *store, au_slice customer_id, au_sample_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  bool may_be_pending = s->config->count_after_ms > 0;
  query *q = query_create(s, STATS_STORE_SAMPLE, SAMPLE_COMMANDS + may_be_pending, customer_id, arg,
                          &status);
  if (!q) return status;
  q->cb.sample = cb;
  redis_key ema, tick;
  send_count(q, customer_id, AU_VISITOR_PERSON, on_count);
  send_count(q, customer_id, AU_VISITOR_BOT, on_bots);
  if (may_be_pending) send_count(q, customer_id, AU_VISITOR_PENDING, on_pending);
  /* The tick first: when both change between the two, a save of this sample is passed. */
  redis_op_read(&q->op, redis_key_tick(&s->keys, &tick, customer_id), TICK_MAX_BYTES, on_tick, q);
  redis_op_read(&q->op, redis_key_ema(&s->keys, &ema, customer_id), REDIS_NUMBER_MAX_BYTES,
                on_average, q);
  return query_begin(q);
}

/* ---- save and evict: the end of a tick -------------------------------------- */

static void take_tick(query *q, au_status status, const redisReply *reply) {
  if (!redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER)) return;
  if (reply->integer == REDIS_TICK_PASSED)
    q->op.status = AU_ECONFLICT;
  else
    redis_node_wrote(q->op.node);
  q->written = reply->integer == REDIS_TICK_DONE;
}

static void end_save(query *q) {
  redis_op_end(&q->op);
  q->cb.saved(q->op.status, q->written ? q->tick_ms : 0, q->arg);
  free(q);
}

static void on_saved(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  take_tick(q, status, reply);
  if (q->op.pending == 0) end_save(q);
}

static void on_ticked(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  (void)redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER);
  if (q->op.pending == 0) end_save(q);
}

/* Ended sessions are taken off the index in portions, so that a whole audience that left
 * at once does not hold Redis; a full portion asks for another. No operation waits for it. */
static void trim(redis_store *s, au_slice customer_id);

static void on_trimmed(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (status == AU_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer >= REDIS_TRIM_MAX)
    trim(q->op.store, query_id(q));
  free(q);
}

static void trim(redis_store *s, au_slice customer_id) {
  au_status status;
  query *q = query_create(s, STATS_STORE_SAVE, 1, customer_id, NULL, &status);
  if (!q) return;
  redis_key index;
  redis_number now, max;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_TRIM),
                           slice_of("1"),
                           redis_key_index(&s->keys, &index, customer_id),
                           redis_number_text(&now, redis_node_now_ms(q->op.node)),
                           redis_number_text(&max, REDIS_TRIM_MAX)};
  if (redis_router_send(s->router, q->op.node, args, 6, on_trimmed, q) != AU_OK) free(q);
}

/* The list only says who may be due, so it is written before the script says whether this tick was
 * the one. XX: a customer that was evicted or lost meanwhile stays off it. */
au_status redis_save(shared_store *store, au_slice customer_id, const au_sample *sample, double ema,
                     shared_saved_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  query *q = query_create(s, STATS_STORE_SAVE, 3, customer_id, arg, &status);
  if (!q) return status;
  q->cb.saved = cb;
  q->tick_ms = sample->elapsed_ms > 0 ? sample->ticked_ms + sample->elapsed_ms
                                      : redis_node_now_ms(q->op.node);
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
                           redis_number_text(&now, q->tick_ms),
                           buffer_slice(&s->value)};
  redis_command_ticked(&ticked, &s->keys, customer_id, q->tick_ms);
  redis_op_send(&q->op, save, 8, on_saved, q);
  redis_op_send(&q->op, ticked.words, ticked.count, on_ticked, q);
  status = query_begin(q);
  if (status == AU_OK) trim(s, customer_id);
  return status;
}

/* By the clock of the list's node: the customer's own may be lost. */
void redis_note_tick(shared_store *store, au_slice customer_id) {
  redis_store *s = redis_store_of(store);
  uint16_t slot = redis_store_list_slot(s, redis_keys_group_of(&s->keys, customer_id));
  redis_node *n = redis_router_node(s->router, slot);
  redis_command ticked;
  if (!n) return;
  redis_command_ticked(&ticked, &s->keys, customer_id, redis_node_now_ms(n));
  redis_store_send(s, n, ticked.words, ticked.count);
}

static void end_evict(query *q) {
  redis_op_end(&q->op);
  q->cb.done(q->op.status, q->written, q->arg);
  free(q);
}

static void on_listed(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  (void)redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER);
  if (q->op.pending == 0) end_evict(q);
}

/* Takes the customer off the list, and puts it back when a session has joined meanwhile. */
static void on_alive(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  if (redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER) && reply->integer > 0) {
    redis_command list;
    redis_command_list(&list, &q->op.store->keys, query_id(q));
    redis_op_send(&q->op, list.words, list.count, on_listed, q);
  }
  if (q->op.pending == 0) end_evict(q);
}

static void on_evicted(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  const redis_keys *keys = &q->op.store->keys;
  take_tick(q, status, reply);
  if (q->written) {
    redis_key list, index;
    size_t group = redis_keys_group_of(keys, query_id(q));
    const au_slice remove[] = {slice_of("ZREM"), redis_key_customers(keys, &list, group),
                               query_id(q)};
    const au_slice alive[] = {slice_of("EXISTS"), redis_key_index(keys, &index, query_id(q))};
    redis_op_send(&q->op, remove, 3, on_listed, q);
    redis_op_send(&q->op, alive, 2, on_alive, q);
  }
  if (q->op.pending == 0) end_evict(q);
}

au_status redis_evict(shared_store *store, au_slice customer_id, const au_sample *sample,
                      shared_done_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  query *q = query_create(s, STATS_STORE_EVICT, 2, customer_id, arg, &status);
  if (!q) return status;
  q->cb.done = cb;
  redis_key index, ema, tick;
  redis_number last, now;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_EVICT),
                           slice_of("3"),
                           redis_key_ema(&s->keys, &ema, customer_id),
                           redis_key_tick(&s->keys, &tick, customer_id),
                           redis_key_index(&s->keys, &index, customer_id),
                           redis_number_text(&last, sample->ticked_ms),
                           redis_number_text(&now, redis_node_now_ms(q->op.node))};
  redis_op_send(&q->op, args, 8, on_evicted, q);
  return query_begin(q);
}

/* ---- publish ------------------------------------------------------------------ */

static void on_published(au_status status, const redisReply *reply, void *arg) {
  query *q = arg;
  (void)redis_op_take(&q->op, status, reply, REDIS_WANT_INTEGER);
  redis_op_end(&q->op);
  uint64_t now = redis_pubsub_subscription(q->op.store->pubsub, query_id(q));
  q->cb.done(q->op.status, now != 0 && now == q->subscription, q->arg);
  free(q);
}

au_status redis_publish(shared_store *store, const au_metrics *metrics, shared_done_fn cb,
                        void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  query *q = query_create(s, STATS_STORE_PUBLISH, 1, metrics->customer_id, arg, &status);
  if (!q) return status;
  q->cb.done = cb;
  /* A subscription may be confirmed before this is answered, and yet come behind it. */
  q->subscription = redis_pubsub_subscription(s->pubsub, metrics->customer_id);
  buffer_clear(&s->value);
  wire_print_metrics(&s->value, metrics);
  if (s->value.failed) q->op.status = AU_ENOMEM;
  redis_key channel;
  const au_slice args[] = {slice_of("PUBLISH"), redis_key_channel(&channel, metrics->customer_id),
                           buffer_slice(&s->value)};
  redis_op_send(&q->op, args, 3, on_published, q);
  return query_begin(q);
}

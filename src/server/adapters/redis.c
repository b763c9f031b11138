/* The Redis store as a whole: its table, its node, its health and its end. Must not know
 * what the operations write. */
#include "redis.h"

#include "redis_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the operations share -------------------------------------------- */

redis_node *redis_store_node(const redis_store *s, au_slice customer_id) {
  return s->cluster ? redis_cluster_node(s->cluster, redis_slot_of(customer_id)) : s->node;
}

redis_node *redis_store_list_node(const redis_store *s, size_t group) {
  redis_key room;
  if (!s->cluster) return s->node;
  return redis_cluster_node(s->cluster, redis_slot_of(redis_key_customers(&s->keys, &room, group)));
}

size_t redis_store_nodes(const redis_store *s, redis_node *nodes[REDIS_NODES_MAX]) {
  if (s->cluster) return redis_cluster_nodes(s->cluster, nodes);
  nodes[0] = s->node;
  return 1;
}

void redis_op_send(redis_op *op, const au_slice *args, size_t n, redis_reply_fn cb, void *arg) {
  if (op->status != AU_OK) return;
  op->status = redis_node_command(op->node, args, n, cb, arg);
  if (op->status == AU_OK) op->pending++;
}

au_status redis_op_begun(redis_op *op) {
  if (op->pending == 0) return op->status;
  op->node->store->operations++;
  op->node->held++;
  return AU_OK;
}

bool redis_op_take(redis_op *op, au_status status, const redisReply *reply, redis_want want) {
  op->pending--;
  op->seen++;
  status = redis_node_check(op->node, status, reply, want);
  if (op->status == AU_OK) op->status = status;
  return status == AU_OK;
}

void redis_op_end(redis_op *op) {
  op->node->store->operations--;
  op->node->held--;
}

bool redis_store_revived(const redis_store *s, const redis_act *ending) {
  int64_t now_ms = redis_store_mono_ms(s);
  int64_t ago_ms = presence_table_renewed_ago_ms(s->table, ending->who.customer_id,
                                                 ending->who.session_id, now_ms);
  return ago_ms >= 0 && (ending->kind == REDIS_ACT_LEAVE || now_ms - ago_ms > ending->at.ms);
}

void redis_store_changed(redis_store *s, au_slice customer_id) {
  memory_store_changed(s->own, customer_id);
}

void redis_store_expire(redis_store *s) {
  memory_store_expire(s->own);
}

/* ---- what is known of customers --------------------------------------------- */

static bool has_sessions(void *arg, au_slice customer_id) {
  redis_store *s = arg;
  au_sample own;
  presence_table_sample(s->table, customer_id, redis_store_mono_ms(s), &own);
  return own.count > 0;
}

void redis_store_learn(redis_store *s, au_slice customer_id, const au_sample *sample) {
  int64_t now_ms = redis_store_mono_ms(s);
  au_sample own;
  presence_table_sample(s->table, customer_id, now_ms, &own);
  const redis_fact fact = {
      .others = sample->count > own.count ? sample->count - own.count : 0,
      .has_ema = sample->has_ema,
      .ema = sample->ema,
      .ticked_ms = sample->ticked_ms,
  };
  if (sample->count == 0 && !sample->has_ema)
    redis_known_forget(s->known, customer_id);
  else
    redis_known_set(s->known, customer_id, &fact, now_ms);
  if (sample->has_ema) presence_table_save(s->table, customer_id, sample->ema, now_ms);
  redis_known_expire(s->known, now_ms, has_sessions, s);
}

/* While Redis is lost: the others as they were known last. */
static void complete_sample(void *arg, au_slice customer_id, au_sample *sample) {
  const redis_store *s = arg;
  redis_fact fact;
  redis_known_get(s->known, customer_id, &fact);
  uint64_t count = (uint64_t)sample->count + fact.others;
  sample->count = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
  sample->stale = true;
  if (sample->has_ema || !fact.has_ema) return;
  int64_t elapsed_ms = redis_node_now_ms(redis_store_node(s, customer_id)) - fact.ticked_ms;
  sample->has_ema = true;
  sample->ema = fact.ema;
  sample->elapsed_ms = elapsed_ms > 1 ? elapsed_ms : 1;
}

/* ---- au_store ------------------------------------------------------------- */

static void redis_start_reconcile(au_store *store) {
  redis_node *nodes[REDIS_NODES_MAX];
  size_t count = redis_store_nodes(redis_store_of(store), nodes);
  for (size_t i = 0; i < count; i++) redis_reconcile_want(nodes[i]->reconcile);
}

static uint32_t redis_parts(const au_store *store) {
  return (uint32_t)redis_keys_groups(&((const redis_store *)store)->keys);
}

static void redis_set_watch(au_store *store, au_slice customer_id, bool on) {
  redis_store *s = redis_store_of(store);
  if (!s->stopping) redis_watch_set(redis_store_node(s, customer_id)->watch, customer_id, on);
}

static int64_t redis_renewed_ago_ms(const au_store *store, au_slice customer_id,
                                    au_slice session_id) {
  const redis_store *s = (const redis_store *)store;
  return presence_table_renewed_ago_ms(s->table, customer_id, session_id, redis_store_mono_ms(s));
}

/* Whether it has served; then it goes on with its own table, whatever happens. */
static bool was_up(const redis_store *s) {
  redis_node *nodes[REDIS_NODES_MAX];
  size_t count = redis_store_nodes(s, nodes);
  for (size_t i = 0; i < count; i++)
    if (nodes[i]->was_up) return true;
  return false;
}

static au_store_health redis_health(const au_store *store) {
  const redis_store *s = (const redis_store *)store;
  return (au_store_health){
      .available = !s->stopping && was_up(s),
      .name = "redis",
      .reason = s->cluster ? redis_cluster_reason(s->cluster) : redis_node_reason(s->node),
      .customers = presence_table_customers(s->table),
      .sessions = presence_table_sessions(s->table),
      .in_flight = s->operations + s->own->ops->health(s->own).in_flight,
  };
}

static void on_part_stopped(void *arg) {
  redis_store *s = arg;
  if (--s->open_parts == 0) s->stopped(s->stopped_arg); /* last: it may free the store */
}

static void redis_stop(au_store *store, void (*stopped)(void *arg), void *arg) {
  redis_store *s = redis_store_of(store);
  s->stopping = true;
  s->stopped = stopped;
  s->stopped_arg = arg;
  s->open_parts = 3;
  if (s->cluster)
    redis_cluster_stop(s->cluster, on_part_stopped, s);
  else
    redis_node_stop(s->node, on_part_stopped, s);
  redis_retry_stop(s->retry, on_part_stopped, s);
  s->own->ops->stop(s->own, on_part_stopped, s);
}

static void redis_free(au_store *store) {
  redis_store *s = redis_store_of(store);
  redis_node_free(s->node);
  redis_cluster_free(s->cluster);
  redis_retry_free(s->retry);
  if (s->own) s->own->ops->free(s->own);
  redis_known_free(s->known);
  redis_newcomers_free(s->newcomers);
  buffer_free(&s->value);
  explicit_bzero(&s->url, sizeof s->url);
  free(s);
}

static const au_store_ops redis_ops = {
    .touch = redis_touch,
    .leave = redis_leave,
    .shorten = redis_shorten,
    .sample = redis_sample,
    .parts = redis_parts,
    .due = redis_due,
    .save = redis_save,
    .forget = redis_forget,
    .publish = redis_publish,
    .reconcile = redis_start_reconcile,
    .watch = redis_set_watch,
    .renewed_ago_ms = redis_renewed_ago_ms,
    .health = redis_health,
    .stop = redis_stop,
    .free = redis_free,
};

/* The memory store comes last: its handles can be closed only by way of the loop, and all
 * before it can simply be freed. */
static au_status create_parts(redis_store *s) {
  const memory_embedding embedding = {
      .complete = complete_sample, .is_due = redis_due_is_ours, .arg = s};
  int64_t known_for_ms = s->config->presence_ttl_s * 1000 + 2 * s->config->ema_interval_ms;
  bool is_cluster = s->url.kind == REDIS_CLUSTER;
  redis_keys_init(&s->keys, is_cluster);
  au_status status =
      is_cluster ? redis_cluster_create(s, &s->cluster) : redis_node_create(s, &s->url, &s->node);
  if (status == AU_OK)
    status = redis_known_create(s->seed, s->config->max_customers, known_for_ms, &s->known);
  if (status == AU_OK) status = redis_newcomers_create(s->seed, &s->newcomers);
  if (status == AU_OK) status = redis_retry_create(s, &s->retry);
  if (status == AU_OK)
    status =
        memory_store_create(s->loop, s->config, s->clock, s->seed, s->events, &embedding, &s->own);
  if (status == AU_OK) s->table = memory_store_table(s->own);
  return status;
}

/* Not made of the seed: it is told to Redis, and who knows the seed can choose ids that meet
 * in one bucket. No random number is as no memory, here as for the seed. */
static au_status name_store(redis_store *s) {
  uint64_t name;
  if (uv_random(NULL, NULL, &name, sizeof name, 0, NULL) != 0) return AU_ENOMEM;
  snprintf(s->name, sizeof s->name, "%016" PRIx64, name);
  return AU_OK;
}

au_status redis_store_create(uv_loop_t *loop, const au_config *config, const au_clock *clock,
                             map_seed seed, stats *counters, const au_store_events *events,
                             const char **reason, au_store **out) {
  *reason = "out of memory";
  redis_store *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->base.ops = &redis_ops;
  s->loop = loop;
  s->config = config;
  s->clock = clock;
  s->seed = seed;
  s->counters = counters;
  s->events = events;
  s->lease_ms = config->ema_interval_ms * 3 / 2;
  buffer_init(&s->value, REDIS_VALUE_MAX_BYTES);
  au_status status = redis_url_parse(config->redis_url, &s->url, reason);
  s->url.ca_file = config->redis_ca;
  if (status == AU_OK) status = redis_link_check(&s->url, reason);
  if (status == AU_OK) status = name_store(s);
  if (status == AU_OK) status = create_parts(s);
  if (status != AU_OK) {
    redis_free(&s->base);
    return status;
  }
  redis_retry_start(s->retry);
  if (s->cluster)
    redis_cluster_start(s->cluster);
  else
    redis_node_start(s->node);
  *reason = "";
  *out = &s->base;
  return AU_OK;
}

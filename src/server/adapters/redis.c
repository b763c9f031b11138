/* The Redis store as a whole: its table, its node, its health and its end. Must not know
 * what the operations write. */
#include "redis.h"

#include "redis_store.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the operations share -------------------------------------------- */

redis_node *redis_store_node(const redis_store *s, au_slice customer_id) {
  (void)customer_id; /* one Redis has them all */
  return s->node;
}

void redis_op_send(redis_op *op, const au_slice *args, size_t n, redis_reply_fn cb, void *arg) {
  if (op->status != AU_OK) return;
  op->status = redis_link_command(op->node->link, args, n, cb, arg);
  if (op->status == AU_OK) op->pending++;
}

au_status redis_op_begun(redis_op *op) {
  if (op->pending == 0) return op->status;
  op->node->store->operations++;
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
}

/* ---- changes and expiry --------------------------------------------------- */

static void on_tell(uv_idle_t *idle) {
  redis_store *s = idle->data;
  char id[AU_ID_MAX];
  for (int i = 0; i < REDIS_CHANGED_TURN_MAX; i++) {
    size_t len = changed_set_take(s->changed, id);
    if (len == 0) {
      uv_idle_stop(idle);
      return;
    }
    s->events->changed(s->events->arg, (au_slice){id, len});
    if (s->stopping) return;
  }
}

void redis_store_changed(redis_store *s, au_slice customer_id) {
  if (s->stopping) return;
  changed_set_add(s->changed, customer_id);
  uv_idle_start(&s->tell, on_tell);
}

static void on_table_changed(void *arg, au_slice customer_id) {
  redis_store_changed(arg, customer_id);
}

static void on_expiry(uv_timer_t *timer) {
  redis_store *s = timer->data;
  s->expiry_at_ms = -1;
  redis_store_expire(s);
}

/* A timer that wakes too early is set anew then, which is cheaper than one that is moved
 * by each beat. */
void redis_store_expire(redis_store *s) {
  if (s->stopping) return;
  int64_t now_ms = redis_store_mono_ms(s);
  int64_t left_ms = presence_table_expire(s->table, now_ms);
  if (left_ms < 0) return;
  if (left_ms == 0) left_ms = 1; /* others get their turn */
  if (s->expiry_at_ms >= 0 && s->expiry_at_ms <= now_ms + left_ms) return;
  s->expiry_at_ms = now_ms + left_ms;
  uv_timer_start(&s->expiry, on_expiry, (uint64_t)left_ms, 0);
}

/* ---- au_store ------------------------------------------------------------- */

static void redis_start_reconcile(au_store *store) {
  redis_store *s = redis_store_of(store);
  if (redis_node_admits(s->node, 1) == AU_OK) redis_reconcile_begin(s->node->reconcile);
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

static au_store_health redis_health(const au_store *store) {
  const redis_store *s = (const redis_store *)store;
  return (au_store_health){
      .available = redis_node_serves(s->node),
      .name = "redis",
      .reason = redis_node_reason(s->node),
      .customers = presence_table_customers(s->table),
      .sessions = presence_table_sessions(s->table),
      .in_flight = s->operations,
  };
}

static void on_part_stopped(void *arg) {
  redis_store *s = arg;
  if (--s->open_parts == 0) s->stopped(s->stopped_arg); /* last: it may free the store */
}

static void on_handle_closed(uv_handle_t *handle) {
  on_part_stopped(handle->data);
}

static void redis_stop(au_store *store, void (*stopped)(void *arg), void *arg) {
  redis_store *s = redis_store_of(store);
  s->stopping = true;
  s->stopped = stopped;
  s->stopped_arg = arg;
  s->open_parts = 3;
  redis_node_stop(s->node, on_part_stopped, s);
  uv_close((uv_handle_t *)&s->expiry, on_handle_closed);
  uv_close((uv_handle_t *)&s->tell, on_handle_closed);
}

static void redis_free(au_store *store) {
  redis_store *s = redis_store_of(store);
  redis_node_free(s->node);
  presence_table_free(s->table);
  redis_newcomers_free(s->newcomers);
  changed_set_free(s->changed);
  buffer_free(&s->value);
  explicit_bzero(&s->url, sizeof s->url);
  free(s);
}

static const au_store_ops redis_ops = {
    .touch = redis_touch,
    .leave = redis_leave,
    .shorten = redis_shorten,
    .sample = redis_sample,
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

/* Memory only; nothing here touches the loop, so that a failure can simply be freed. */
static au_status create_parts(redis_store *s) {
  const presence_table_config table = {
      .seed = s->seed,
      .ttl_ms = (int64_t)s->config->presence_ttl_s * 1000,
      .grace_ms = s->config->disconnect_grace_ms,
      .max_sessions = s->config->max_sessions,
      .max_customers = s->config->max_customers,
      .keep_profile = true, /* a beat writes again what its join said */
      .changed = on_table_changed,
      .arg = s,
  };
  au_status status = redis_node_create(s, &s->url, &s->node);
  if (status == AU_OK) status = presence_table_create(&table, &s->table);
  if (status == AU_OK) status = redis_newcomers_create(s->seed, &s->newcomers);
  if (status == AU_OK) status = changed_set_create(s->seed, s->config->max_customers, &s->changed);
  return status;
}

static void start(redis_store *s) {
  uv_timer_init(s->loop, &s->expiry);
  uv_idle_init(s->loop, &s->tell);
  s->expiry.data = s->tell.data = s;
  redis_node_start(s->node);
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
  s->expiry_at_ms = -1;
  buffer_init(&s->value, REDIS_VALUE_MAX_BYTES);
  au_status status = redis_url_parse(config->redis_url, &s->url, reason);
  if (status == AU_OK) status = create_parts(s);
  if (status != AU_OK) {
    redis_free(&s->base);
    return status;
  }
  start(s);
  *reason = "";
  *out = &s->base;
  return AU_OK;
}

/* The Redis store as a whole: its links, its clock, its health and its end. Must not know
 * what the operations write. */
#include "redis.h"

#include "../utils/log.h"
#include "redis_store.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the operations share -------------------------------------------- */

au_status redis_store_admits(const redis_store *s, uint32_t commands) {
  if (s->stopping) return AU_ECANCELED;
  if (!redis_link_is_ready(s->link) || !s->clock_known) return AU_ESTORE;
  return redis_link_room(s->link) < commands ? AU_EBUSY : AU_OK;
}

static void arm_clock(redis_store *s);

/* Said once for each kind until the store is well again: a refusal comes with each beat. */
static void refused(redis_store *s, const redisReply *reply) {
  redis_refusal refusal = redis_reply_refusal(reply);
  bool first = !s->refusal;
  uint32_t bit = (uint32_t)1 << refusal.kind;
  s->counters->store_errors++;
  s->refused_at_ms = redis_store_mono_ms(s);
  if (!(s->refusals_logged & bit)) log_warn("redis", "refused", LOG_STR("reason", refusal.reason));
  s->refusals_logged |= bit;
  if (first || !refusal.one_key) {
    s->refusal = refusal.reason;
    s->refusal_of_one_key = refusal.one_key;
  }
  if (first) arm_clock(s);
}

au_status redis_store_check(redis_store *s, au_status status, const redisReply *reply,
                            redis_want want) {
  if (status != AU_OK) return status;
  if (redis_reply_is(reply, want)) return AU_OK;
  refused(s, reply);
  return AU_ESTORE;
}

void redis_store_wrote(redis_store *s) {
  if (!s->refusal || redis_store_mono_ms(s) - s->refused_at_ms < REDIS_REFUSED_INTERVAL_MS) return;
  s->refusal = NULL;
  s->refusals_logged = 0;
  log_info("redis", "accepts again", LOG_NONE);
}

void redis_op_send(redis_op *op, const au_slice *args, size_t n, redis_reply_fn cb, void *arg) {
  if (op->status != AU_OK) return;
  op->status = redis_link_command(op->store->link, args, n, cb, arg);
  if (op->status == AU_OK) op->pending++;
}

au_status redis_op_begun(redis_op *op) {
  if (op->pending == 0) return op->status;
  op->store->operations++;
  return AU_OK;
}

bool redis_op_take(redis_op *op, au_status status, const redisReply *reply, redis_want want) {
  op->pending--;
  op->seen++;
  status = redis_store_check(op->store, status, reply, want);
  if (op->status == AU_OK) op->status = status;
  return status == AU_OK;
}

void redis_op_end(redis_op *op) {
  op->store->operations--;
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

/* ---- Redis's clock -------------------------------------------------------- */

/* A whole number in decimal, at most 15 digits; -1 for anything else. */
static int64_t read_count(const redisReply *reply) {
  au_slice text = redis_reply_text(reply);
  if (text.len == 0 || text.len > 15) return -1;
  int64_t n = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return -1;
    n = n * 10 + (text.ptr[i] - '0');
  }
  return n;
}

/* The reply was made between the question and now, so the true difference lies between
 * the two bounds. An older estimate within them is kept; else the lower bound is taken: a
 * deadline may end a round trip before its key does, never after it. */
static void on_time(au_status status, const redisReply *reply, void *arg) {
  redis_store *s = arg;
  if (redis_store_check(s, status, reply, REDIS_WANT_ARRAY) != AU_OK || reply->elements != 2)
    return;
  int64_t seconds = read_count(reply->element[0]), micros = read_count(reply->element[1]);
  if (seconds < 0 || micros < 0) return;
  int64_t redis_ms = seconds * 1000 + micros / 1000;
  int64_t now_ms = redis_store_mono_ms(s);
  /* Each of the three was cut to whole milliseconds. */
  int64_t least = redis_ms - (now_ms + 1), most = redis_ms + 1 - s->clock_asked_ms;
  if (!s->clock_known || s->clock_ahead_ms < least || s->clock_ahead_ms > most)
    s->clock_ahead_ms = least;
  s->clock_known = true;
  s->clock_read_ms = now_ms;
  arm_clock(s);
}

static void ask_time(redis_store *s) {
  const au_slice args[] = {slice_of("TIME")};
  s->clock_asked_ms = redis_store_mono_ms(s);
  if (redis_link_command(s->link, args, 1, on_time, s) != AU_OK)
    log_debug("redis", "clock not asked", LOG_NONE);
}

static void on_test_write(au_status status, const redisReply *reply, void *arg) {
  if (redis_store_check(arg, status, reply, REDIS_WANT_OK) == AU_OK) redis_store_wrote(arg);
}

/* While Redis refuses, nobody may dare to write (a load balancer turns away from a
 * degraded daemon), so the store finds out by itself when that ends. */
static void test_write(redis_store *s) {
  const au_slice args[] = {slice_of("SET"), slice_of(REDIS_KEY_PROBE), slice_of("1"),
                           slice_of("EX"), slice_of("60")};
  if (redis_link_command(s->link, args, 5, on_test_write, s) != AU_OK)
    log_debug("redis", "test not written", LOG_NONE);
}

static void on_clock_timer(uv_timer_t *timer) {
  redis_store *s = timer->data;
  if (redis_link_is_ready(s->link)) {
    if (!s->clock_known || redis_store_mono_ms(s) - s->clock_read_ms >= REDIS_CLOCK_INTERVAL_MS)
      ask_time(s);
    if (s->refusal) test_write(s);
  }
  arm_clock(s);
}

static void arm_clock(redis_store *s) {
  if (s->stopping) return;
  bool often = s->refusal || !s->clock_known;
  uv_timer_start(&s->clock_timer, on_clock_timer,
                 often ? REDIS_REFUSED_INTERVAL_MS : REDIS_CLOCK_INTERVAL_MS, 0);
}

static void on_ready(void *arg) {
  redis_store *s = arg;
  if (s->was_ready) s->counters->store_reconnects++;
  s->was_ready = true;
  ask_time(s);
  arm_clock(s);
}

/* The next Redis may be another one, with another clock. */
static void on_lost(void *arg) {
  redis_store *s = arg;
  s->clock_known = false;
}

/* ---- au_store ------------------------------------------------------------- */

static void redis_start_reconcile(au_store *store) {
  redis_store *s = redis_store_of(store);
  if (redis_store_admits(s, 1) == AU_OK) redis_reconcile_begin(s->reconcile);
}

static void redis_set_watch(au_store *store, au_slice customer_id, bool on) {
  redis_store *s = redis_store_of(store);
  if (!s->stopping) redis_watch_set(s->watch, customer_id, on);
}

static int64_t redis_renewed_ago_ms(const au_store *store, au_slice customer_id,
                                    au_slice session_id) {
  const redis_store *s = (const redis_store *)store;
  return presence_table_renewed_ago_ms(s->table, customer_id, session_id, redis_store_mono_ms(s));
}

static const char *reason_of(const redis_store *s) {
  if (s->stopping) return "stopping";
  if (!redis_link_is_ready(s->link)) return redis_link_reason(s->link);
  if (s->refusal) return s->refusal;
  return s->clock_known ? "" : "waiting for the clock of redis";
}

static au_store_health redis_health(const au_store *store) {
  const redis_store *s = (const redis_store *)store;
  const char *reason = reason_of(s);
  return (au_store_health){
      .available = reason[0] == '\0' || (reason == s->refusal && s->refusal_of_one_key),
      .name = "redis",
      .reason = reason,
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
  s->open_parts = 6;
  redis_link_stop(s->link, on_part_stopped, s);
  redis_watch_stop(s->watch, on_part_stopped, s);
  redis_reconcile_stop(s->reconcile, on_part_stopped, s);
  uv_close((uv_handle_t *)&s->clock_timer, on_handle_closed);
  uv_close((uv_handle_t *)&s->expiry, on_handle_closed);
  uv_close((uv_handle_t *)&s->tell, on_handle_closed);
}

static void redis_free(au_store *store) {
  redis_store *s = redis_store_of(store);
  redis_link_free(s->link);
  redis_watch_free(s->watch);
  redis_reconcile_free(s->reconcile);
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
static au_status create_parts(redis_store *s, map_seed seed) {
  const redis_link_config link = {
      .loop = s->loop,
      .url = &s->url,
      .name = "active-users",
      .seed = seed.k0,
      .command_timeout_ms = REDIS_COMMAND_TIMEOUT_MS,
      .max_in_flight = REDIS_IN_FLIGHT_MAX,
      .ready = on_ready,
      .lost = on_lost,
      .arg = s,
  };
  const redis_watch_config watch = {
      .loop = s->loop, .url = &s->url, .events = s->events, .seed = seed};
  const presence_table_config table = {
      .seed = seed,
      .ttl_ms = (int64_t)s->config->presence_ttl_s * 1000,
      .grace_ms = s->config->disconnect_grace_ms,
      .max_sessions = s->config->max_sessions,
      .max_customers = s->config->max_customers,
      .keep_profile = true, /* a beat writes again what its join said */
      .changed = on_table_changed,
      .arg = s,
  };
  au_status status = redis_link_create(&link, &s->link);
  if (status == AU_OK) status = redis_watch_create(&watch, &s->watch);
  if (status == AU_OK) status = redis_reconcile_create(s, &s->reconcile);
  if (status == AU_OK) status = presence_table_create(&table, &s->table);
  if (status == AU_OK) status = redis_newcomers_create(seed, &s->newcomers);
  if (status == AU_OK) status = changed_set_create(seed, s->config->max_customers, &s->changed);
  return status;
}

static void start(redis_store *s) {
  uv_timer_init(s->loop, &s->clock_timer);
  uv_timer_init(s->loop, &s->expiry);
  uv_idle_init(s->loop, &s->tell);
  s->clock_timer.data = s->expiry.data = s->tell.data = s;
  redis_link_start(s->link);
  redis_watch_start(s->watch);
  redis_reconcile_start(s->reconcile);
  arm_clock(s);
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
  s->counters = counters;
  s->events = events;
  s->expiry_at_ms = -1;
  buffer_init(&s->value, REDIS_VALUE_MAX_BYTES);
  au_status status = redis_url_parse(config->redis_url, &s->url, reason);
  if (status == AU_OK) status = create_parts(s, seed);
  if (status != AU_OK) {
    redis_free(&s->base);
    return status;
  }
  start(s);
  *reason = "";
  *out = &s->base;
  return AU_OK;
}

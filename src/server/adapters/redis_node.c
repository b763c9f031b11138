/* A Redis server: links, clock and health. Must not know what the operations write. */
#include "redis_node.h"

#include "../utils/log.h"
#include "redis_store.h"

#include <stdlib.h>

/* ---- what operations ask --------------------------------------------------- */

int64_t redis_node_now_ms(const redis_node *n) {
  return redis_store_mono_ms(n->store) + n->clock_ahead_ms;
}

/* Connected to a Redis whose clock and identity are known. */
static bool is_up(const redis_node *n) {
  return redis_link_is_ready(n->link) && n->clock_known && n->identity.is_known;
}

bool redis_node_serves(const redis_node *n) {
  return !n->stopping && is_up(n) && !n->refuses;
}

bool redis_node_is_whole(const redis_node *n) {
  return redis_node_serves(n) && redis_replay_is_done(n->replay);
}

au_status redis_node_command(redis_node *n, const au_slice *args, size_t count, redis_reply_fn cb,
                             void *arg) {
  redis_cluster *c = n->store->cluster;
  return c ? redis_cluster_command(c, n, args, count, cb, arg)
           : redis_link_command(n->link, args, count, cb, arg);
}

au_status redis_node_admits(const redis_node *n, uint32_t commands) {
  if (n->stopping) return AU_ECANCELED;
  if (!is_up(n)) return AU_ESTORE;
  return redis_link_room(n->link) < commands ? AU_EBUSY : AU_OK;
}

/* Said once for each kind until the store is well again: a refusal comes with each beat. */
static void refused(redis_node *n, const redisReply *reply) {
  redis_refusal refusal = redis_reply_refusal(reply);
  int64_t now_ms = redis_store_mono_ms(n->store);
  uint32_t bit = (uint32_t)1 << refusal.kind;
  n->store->counters->store_errors++;
  if (!(n->refusals_logged & bit)) log_warn("redis", "refused", LOG_STR("reason", refusal.reason));
  n->refusals_logged |= bit;
  if (!n->store->cluster && redis_reply_is_error_code(reply, "MOVED")) n->in_cluster = true;
  if (refusal.scope == REDIS_SCOPE_ALL) {
    n->refusal = refusal.reason;
  } else {
    n->fault = refusal.reason;
    n->faulty_at_ms = now_ms;
  }
  if (refusal.scope == REDIS_SCOPE_KEY) return;
  n->refuses = true;
  n->refused_at_ms = now_ms;
}

au_status redis_node_check(redis_node *n, au_status status, const redisReply *reply,
                           redis_want want) {
  if (status != AU_OK) return status;
  if (redis_reply_is(reply, want)) return AU_OK;
  refused(n, reply);
  return AU_ESTORE;
}

static void look_whether_well(redis_node *n) {
  if (n->refusal || n->fault || n->refusals_logged == 0) return;
  n->refusals_logged = 0;
  log_info("redis", "accepts again", LOG_NONE);
}

/* A command that is not permitted and a key at fault are met again when they are needed, which
 * is once a tick at the least: until then nobody knows that the fault is gone. */
static void end_fault(redis_node *n) {
  int64_t quiet_ms = redis_store_mono_ms(n->store) - n->faulty_at_ms;
  if (n->refuses || quiet_ms < REDIS_LOOK_INTERVAL_MS + n->store->lease_ms) return;
  n->fault = NULL;
  look_whether_well(n);
}

void redis_node_wrote(redis_node *n) {
  int64_t quiet_ms = redis_store_mono_ms(n->store) - n->refused_at_ms;
  if (!n->refuses || n->in_cluster || quiet_ms < REDIS_LOOK_INTERVAL_MS) return;
  n->refuses = false;
  n->refusal = NULL;
  look_whether_well(n);
  redis_replay_begin(n->replay);
}

/* ---- Redis's clock -------------------------------------------------------- */

/* The reply was made between the question and now, so the true difference lies between
 * the two bounds. An older estimate within them is kept; else the lower bound is taken: a
 * deadline may end a round trip before its key does, never after it. */
static void on_time(au_status status, const redisReply *reply, void *arg) {
  redis_node *n = arg;
  if (redis_node_check(n, status, reply, REDIS_WANT_ARRAY) != AU_OK || reply->elements != 2) return;
  uint64_t seconds, micros;
  if (!slice_digits(redis_reply_text(reply->element[0]), 15, &seconds) ||
      !slice_digits(redis_reply_text(reply->element[1]), 15, &micros))
    return;
  int64_t redis_ms = (int64_t)(seconds * 1000 + micros / 1000);
  uv_update_time(n->store->loop); /* the turn may have begun long before the answer came */
  int64_t now_ms = redis_store_mono_ms(n->store);
  /* Each of the three was cut to whole milliseconds. */
  int64_t least = redis_ms - (now_ms + 1), most = redis_ms + 1 - n->clock_asked_ms;
  if (!n->clock_known || n->clock_ahead_ms < least || n->clock_ahead_ms > most)
    n->clock_ahead_ms = least;
  n->clock_known = true;
  n->clock_read_ms = now_ms;
}

static void ask_time(redis_node *n) {
  const au_slice args[] = {slice_of("TIME")};
  uv_update_time(n->store->loop);
  n->clock_asked_ms = redis_store_mono_ms(n->store);
  if (redis_link_command(n->link, args, 1, on_time, n) != AU_OK)
    log_debug("redis", "clock not asked", LOG_NONE);
}

bool redis_node_tag(redis_node *n) {
  return !n->store->cluster || redis_cluster_tag(n->store->cluster, n, n->tag);
}

bool redis_node_is_elsewhere(redis_node *n, au_status status, const redisReply *reply) {
  redis_redirect redirect;
  if (status != AU_OK || !n->store->cluster || !redis_redirect_read(reply, &redirect)) return false;
  redis_cluster_look(n->store->cluster);
  return true;
}

static void on_test_write(au_status status, const redisReply *reply, void *arg) {
  redis_node *n = arg;
  if (redis_node_is_elsewhere(n, status, reply)) return;
  if (redis_node_check(n, status, reply, REDIS_WANT_OK) == AU_OK) redis_node_wrote(n);
}

/* While Redis refuses, nobody may dare to write, so the node finds out by itself when that
 * ends. */
static void test_write(redis_node *n) {
  redis_key key;
  if (!redis_node_tag(n)) return;
  const au_slice args[] = {slice_of("SET"), redis_key_probe(&key, n->tag), slice_of("1"),
                           slice_of("EX"), slice_of("60")};
  if (redis_link_command(n->link, args, 5, on_test_write, n) != AU_OK)
    log_debug("redis", "test not written", LOG_NONE);
}

/* ---- its state ------------------------------------------------------------ */

static void on_look(uv_timer_t *timer) {
  redis_node *n = timer->data;
  redis_debts_expire(n->debts);
  if (!redis_link_is_ready(n->link)) return;
  if (!n->clock_known ||
      redis_store_mono_ms(n->store) - n->clock_read_ms >= REDIS_CLOCK_INTERVAL_MS)
    ask_time(n);
  redis_identity_look(n);
  if (n->refuses) test_write(n);
  if (n->fault) end_fault(n);
  if (redis_node_serves(n)) redis_replay_begin(n->replay);
}

static void on_ready(void *arg) {
  redis_node *n = arg;
  if (n->was_ready) n->store->counters->store_reconnects++;
  n->was_ready = true;
  ask_time(n);
  redis_identity_ask(n);
  if (n->store->cluster) redis_cluster_look(n->store->cluster);
}

void redis_node_identified(redis_node *n, bool same) {
  bool first = !n->was_up;
  n->was_up = true;
  if (!same && (!first || presence_table_sessions(n->store->table) > 0)) {
    if (!first) log_warn("redis", "has lost its data, or may have: all is written again", LOG_NONE);
    redis_replay_all(n->replay, !first);
  }
  if (is_up(n)) redis_replay_begin(n->replay);
}

/* The next Redis may be another one, with another clock, and the map of a Cluster another. */
static void on_lost(void *arg) {
  redis_node *n = arg;
  n->clock_known = n->in_cluster = false;
  redis_identity_lose(n);
  redis_replay_interrupt(n->replay);
  if (n->store->cluster) redis_cluster_look(n->store->cluster);
}

/* ---- health ---------------------------------------------------------------- */

const char *redis_node_reason(const redis_node *n) {
  if (n->stopping) return "stopping";
  if (!redis_link_is_ready(n->link)) return redis_link_reason(n->link);
  if (n->refusal) return n->refusal;
  if (n->fault) return n->fault;
  if (!is_up(n)) return "waiting for the first answers of redis";
  if (!redis_replay_is_answered(n->replay)) return "redis is being told what it missed";
  return redis_watch_reason(n->watch);
}

/* ---- life ------------------------------------------------------------------ */

au_status redis_node_create(redis_store *s, const redis_url *url, redis_node **out) {
  redis_node *n = calloc(1, sizeof *n);
  if (!n) return AU_ENOMEM;
  n->store = s;
  n->url = url;
  const redis_link_config link = {
      .loop = s->loop,
      .url = url,
      .name = "active-users",
      .seed = s->seed.k0,
      .command_timeout_ms = REDIS_COMMAND_TIMEOUT_MS,
      .max_in_flight = REDIS_IN_FLIGHT_MAX,
      .ready = on_ready,
      .lost = on_lost,
      .arg = n,
  };
  const redis_watch_config watch = {
      .loop = s->loop, .url = url, .events = s->events, .counters = s->counters, .seed = s->seed};
  au_status status = redis_link_create(&link, &n->link);
  if (status == AU_OK) status = redis_watch_create(&watch, &n->watch);
  if (status == AU_OK) status = redis_reconcile_create(n, &n->reconcile);
  if (status == AU_OK) status = redis_debts_create(s, &n->debts);
  if (status == AU_OK) status = redis_replay_create(n, &n->replay);
  if (status != AU_OK) {
    redis_node_free(n);
    return status;
  }
  *out = n;
  return AU_OK;
}

void redis_node_start(redis_node *n) {
  uv_timer_init(n->store->loop, &n->look);
  n->look.data = n;
  uv_timer_start(&n->look, on_look, REDIS_LOOK_INTERVAL_MS, REDIS_LOOK_INTERVAL_MS);
  redis_replay_start(n->replay);
  redis_reconcile_start(n->reconcile);
  redis_link_start(n->link);
  redis_watch_start(n->watch);
}

static void on_part_stopped(void *arg) {
  redis_node *n = arg;
  if (--n->open_parts == 0) n->stopped(n->stopped_arg); /* last: it may free the node */
}

static void on_timer_closed(uv_handle_t *handle) {
  on_part_stopped(handle->data);
}

void redis_node_stop(redis_node *n, void (*stopped)(void *arg), void *arg) {
  n->stopping = true;
  n->stopped = stopped;
  n->stopped_arg = arg;
  n->open_parts = 5;
  redis_link_stop(n->link, on_part_stopped, n);
  redis_watch_stop(n->watch, on_part_stopped, n);
  redis_reconcile_stop(n->reconcile, on_part_stopped, n);
  redis_replay_stop(n->replay, on_part_stopped, n);
  uv_close((uv_handle_t *)&n->look, on_timer_closed);
}

void redis_node_free(redis_node *n) {
  if (!n) return;
  redis_link_free(n->link);
  redis_watch_free(n->watch);
  redis_reconcile_free(n->reconcile);
  redis_replay_free(n->replay);
  redis_debts_free(n->debts);
  free(n);
}

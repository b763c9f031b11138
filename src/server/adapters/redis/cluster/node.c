/* A Redis server: link, clock, state. */
#include "node.h"

#include "identity.h"
#include "utils/buffer.h"
#include "utils/join_stop.h"
#include "utils/log.h"

#include <stdlib.h>

struct redis_node {
  redis_node_config config;
  redis_link *link;
  redis_identity identity;
  redis_node_state state;
  char tag[REDIS_TAG_SIZE];
  uint32_t refs;

  bool clock_known;       /* on the link that is up */
  bool clock_is_asked;    /* an answer is to come: it belongs to `clock_asked_ms` */
  int64_t clock_ahead_ms; /* Redis's clock minus our monotonic one, never too large */
  int64_t clock_least_ms; /* the lower bound of the newest answer */
  int64_t clock_asked_ms, clock_read_ms; /* monotonic */

  bool refuses;             /* by the last answers */
  bool is_in_cluster;       /* though it is alone: it serves a part of the customers */
  const char *refusal;      /* why it refuses every write, static; NULL when it does not */
  const char *fault;        /* why it refused some write lately, static; NULL when it did not */
  int64_t refused_at_ms;    /* the last refusal of more than a key, monotonic */
  int64_t faulty_at_ms;     /* the last one that a test write does not try, monotonic */
  uint32_t refusals_logged; /* a bit for each kind, since it was well */

  uv_timer_t probe;
  bool ever_ready, ever_up;
  bool is_stopping;
  join_stop stop;
};

static int64_t mono_ms(const redis_node *n) {
  return clock_mono_ms(n->config.clock);
}

const redis_endpoint *redis_node_endpoint(const redis_node *n) {
  return redis_link_endpoint(n->link);
}

/* ---- its state ------------------------------------------------------------ */

static redis_node_state next_state(const redis_node *n) {
  if (n->is_stopping) return REDIS_NODE_STOPPING;
  if (!redis_link_is_ready(n->link)) return REDIS_NODE_DOWN;
  if (!n->clock_known || !n->identity.is_known) return REDIS_NODE_HANDSHAKE;
  return n->refuses ? REDIS_NODE_REFUSING : REDIS_NODE_SERVING;
}

/* The only place that changes the state: call it after whatever may have. */
static void update_state(redis_node *n) {
  static const char *const names[] = {"down", "handshake", "refusing", "serving", "stopping"};
  redis_node_state from = n->state, to = next_state(n);
  if (from == to) return;
  n->state = to;
  log_debug("redis", "node", LOG_STR("host", redis_node_endpoint(n)->host),
            LOG_INT("port", redis_node_endpoint(n)->port), LOG_STR("from", names[from]),
            LOG_STR("to", names[to]));
  n->config.events.moved(n->config.events.arg, n, from, to);
}

redis_node_state redis_node_state_of(const redis_node *n) {
  return n->state;
}

bool redis_node_is_connected(const redis_node *n) {
  return n->state != REDIS_NODE_STOPPING && redis_link_is_ready(n->link);
}

bool redis_node_is_unknown(const redis_node *n) {
  return redis_node_is_connected(n) && !n->identity.is_known;
}

void redis_node_ref(redis_node *n) {
  n->refs++;
}

void redis_node_unref(redis_node *n) {
  n->refs--;
}

bool redis_node_is_referenced(const redis_node *n) {
  return n->refs > 0;
}

/* ---- commands --------------------------------------------------------------- */

int64_t redis_node_now_ms(const redis_node *n) {
  return mono_ms(n) + n->clock_ahead_ms;
}

int64_t redis_node_ahead_ms(const redis_node *n) {
  return n->clock_ahead_ms;
}

au_status redis_node_admits(const redis_node *n, uint32_t commands) {
  if (n->state == REDIS_NODE_STOPPING) return AU_ECANCELED;
  if (n->state != REDIS_NODE_SERVING && n->state != REDIS_NODE_REFUSING) return AU_ESTORE;
  return redis_link_capacity(n->link) < commands ? AU_EBUSY : AU_OK;
}

au_status redis_node_send(redis_node *n, const au_slice *args, size_t count, redis_reply_fn cb,
                          void *arg) {
  return redis_link_command(n->link, args, count, cb, arg);
}

void redis_node_set_can_wait(redis_node *n, bool can_wait) {
  redis_link_set_can_wait(n->link, can_wait);
}

/* ---- refusals ----------------------------------------------------------------- */

/* Logged once for each kind until the node recovers; otherwise every beat would log. */
static void on_refused(void *arg, const redisReply *reply) {
  redis_node *n = arg;
  redis_refusal refusal = redis_reply_refusal(reply);
  int64_t now_ms = mono_ms(n);
  uint32_t bit = (uint32_t)1 << refusal.kind;
  n->config.counters->store_errors++;
  const redis_endpoint *at = redis_node_endpoint(n);
  if (!(n->refusals_logged & bit))
    log_warn("redis", "refused", LOG_STR("host", at->host), LOG_INT("port", at->port),
             LOG_STR("reason", refusal.reason));
  n->refusals_logged |= bit;
  if (n->config.is_alone && redis_reply_is_error_code(reply, "MOVED")) n->is_in_cluster = true;
  if (refusal.scope == REDIS_SCOPE_ALL) {
    n->refusal = refusal.reason;
  } else {
    n->fault = refusal.reason;
    n->faulty_at_ms = now_ms;
  }
  if (refusal.scope == REDIS_SCOPE_KEY) return;
  n->refuses = true;
  n->refused_at_ms = now_ms;
  update_state(n);
}

au_status redis_node_check(redis_node *n, au_status status, const redisReply *reply,
                           redis_want want) {
  if (status != AU_OK) return status;
  if (redis_reply_is(reply, want)) return AU_OK;
  on_refused(n, reply);
  return AU_ESTORE;
}

static void log_recovery(redis_node *n) {
  if (n->refusal || n->fault || n->refusals_logged == 0) return;
  n->refusals_logged = 0;
  const redis_endpoint *at = redis_node_endpoint(n);
  log_info("redis", "accepts again", LOG_STR("host", at->host), LOG_INT("port", at->port));
}

/* A command that is not permitted and a key at fault are met again when they are needed, once a
 * tick at the least: only then is it known that the fault is over. */
static void end_fault(redis_node *n) {
  int64_t quiet_ms = mono_ms(n) - n->faulty_at_ms;
  if (n->refuses || quiet_ms < REDIS_PROBE_INTERVAL_MS + n->config.fault_ms) return;
  n->fault = NULL;
  log_recovery(n);
}

void redis_node_wrote(redis_node *n) {
  if (!n->refuses || n->is_in_cluster) return;
  if (mono_ms(n) - n->refused_at_ms < REDIS_PROBE_INTERVAL_MS) return;
  n->refuses = false;
  n->refusal = NULL;
  log_recovery(n);
  update_state(n);
}

/* ---- Redis's clock -------------------------------------------------------- */

/* The reply was made between the question and now, so the true difference lies between
 * the two bounds. An older estimate within them is kept, also of an earlier link: a slow answer
 * after a reconnect would date a leave before the join that it ends. Else the lower bound is
 * taken: a deadline may end a round trip before its key does, never after it. */
static void on_time(au_status status, const redisReply *reply, void *arg) {
  redis_node *n = arg;
  n->clock_is_asked = false;
  if (redis_node_check(n, status, reply, REDIS_WANT_ARRAY) != AU_OK || reply->elements != 2) return;
  uint64_t seconds, micros;
  if (!slice_digits(redis_reply_text(reply->element[0]), 15, &seconds) ||
      !slice_digits(redis_reply_text(reply->element[1]), 15, &micros))
    return;
  int64_t redis_ms = (int64_t)(seconds * 1000 + micros / 1000);
  uv_update_time(n->config.loop); /* the turn may have begun long before the answer came */
  int64_t now_ms = mono_ms(n);
  /* Each of the three was cut to whole milliseconds. */
  int64_t least = redis_ms - (now_ms + 1), most = redis_ms + 1 - n->clock_asked_ms;
  if (n->clock_ahead_ms < least || n->clock_ahead_ms > most) n->clock_ahead_ms = least;
  n->clock_least_ms = least;
  n->clock_known = true;
  n->clock_read_ms = now_ms;
  update_state(n);
}

static void ask_time(redis_node *n) {
  const au_slice args[] = {slice_of("TIME")};
  if (n->clock_is_asked) return;
  uv_update_time(n->config.loop);
  n->clock_asked_ms = mono_ms(n);
  n->clock_is_asked = redis_link_command(n->link, args, 1, on_time, n) == AU_OK;
  if (!n->clock_is_asked) log_debug("redis", "clock not asked", LOG_NONE);
}

/* ---- its data --------------------------------------------------------------- */

static const char *tag_of(void *arg) {
  redis_node *n = arg;
  return n->config.events.tag(n->config.events.arg, n, n->tag) ? n->tag : NULL;
}

static int64_t now_of(void *arg) {
  return redis_node_now_ms(arg);
}

static bool is_elsewhere(void *arg, const redisReply *reply) {
  redis_node *n = arg;
  return n->config.events.is_elsewhere(n->config.events.arg, n, reply);
}

static void on_identified(void *arg, bool same) {
  redis_node *n = arg;
  bool first = !n->ever_up;
  n->ever_up = true;
  if (!same) n->clock_ahead_ms = n->clock_least_ms; /* another Redis has a clock of its own */
  const redis_endpoint *at = redis_node_endpoint(n);
  if (!same && !first)
    log_warn("redis", "has lost its data, or may have: all is written again",
             LOG_STR("host", at->host), LOG_INT("port", at->port));
  n->config.events.identified(n->config.events.arg, n, same, first);
  update_state(n);
}

void redis_node_probe(redis_node *n) {
  redis_identity_probe(&n->identity);
}

/* ---- what is done every second ------------------------------------------------ */

static void on_test_write(au_status status, const redisReply *reply, void *arg) {
  redis_node *n = arg;
  if (status == AU_OK && is_elsewhere(n, reply)) return;
  if (redis_node_check(n, status, reply, REDIS_WANT_OK) == AU_OK) redis_node_wrote(n);
}

/* While Redis refuses, operations go to the table; so the node tries a write of its own to see when
 * that ends. */
static void test_write(redis_node *n) {
  redis_key key;
  const char *tag = tag_of(n);
  if (!tag) return;
  const au_slice args[] = {slice_of("SET"), redis_key_probe(&key, tag), slice_of("1"),
                           slice_of("EX"), slice_of("60")};
  if (redis_link_command(n->link, args, 5, on_test_write, n) != AU_OK)
    log_debug("redis", "test not written", LOG_NONE);
}

static void on_probe(uv_timer_t *timer) {
  redis_node *n = timer->data;
  if (!redis_link_is_ready(n->link)) return;
  if (!n->clock_known || mono_ms(n) - n->clock_read_ms >= REDIS_CLOCK_INTERVAL_MS) ask_time(n);
  redis_node_probe(n);
  if (n->refuses) test_write(n);
  if (n->fault) end_fault(n);
}

/* ---- events of the link --------------------------------------------------------- */

static void on_ready(void *arg) {
  redis_node *n = arg;
  if (n->ever_ready) n->config.counters->store_reconnects++;
  n->ever_ready = true;
  ask_time(n);
  redis_identity_ask(&n->identity);
  update_state(n);
}

/* The next Redis may be another one, with another clock. */
static void on_lost(void *arg) {
  redis_node *n = arg;
  n->clock_known = n->is_in_cluster = false;
  redis_identity_lose(&n->identity);
  update_state(n);
}

const char *redis_node_reason(const redis_node *n) {
  if (n->state == REDIS_NODE_STOPPING) return "stopping";
  if (!redis_link_is_ready(n->link)) return redis_link_reason(n->link);
  if (n->refusal) return n->refusal;
  if (n->fault) return n->fault;
  return n->state == REDIS_NODE_HANDSHAKE ? "waiting for the first answers of redis" : "";
}

/* ---- life ------------------------------------------------------------------ */

au_status redis_node_create(const redis_node_config *config, redis_node **out) {
  redis_node *n = calloc(1, sizeof *n);
  if (!n) return AU_ENOMEM;
  n->config = *config;
  const redis_link_config link = {
      .loop = config->loop,
      .url = config->url,
      .name = "active-users",
      .seed = config->seed,
      .stays_at_replica = !config->is_alone,
      .command_timeout_ms = REDIS_COMMAND_TIMEOUT_MS,
      .max_in_flight = REDIS_IN_FLIGHT_MAX,
      .ready = on_ready,
      .lost = on_lost,
      .lost_count = &config->counters->store_lost,
      .arg = n,
  };
  au_status status = redis_link_create(&link, &n->link);
  if (status != AU_OK) {
    free(n);
    return status;
  }
  redis_identity_init(&n->identity, &(redis_identity_config){
                                        .link = n->link,
                                        .daemon = config->daemon,
                                        .tag = tag_of,
                                        .now_ms = now_of,
                                        .is_elsewhere = is_elsewhere,
                                        .refused = on_refused,
                                        .identified = on_identified,
                                        .arg = n,
                                    });
  *out = n;
  return AU_OK;
}

void redis_node_start(redis_node *n) {
  uv_timer_init(n->config.loop, &n->probe);
  n->probe.data = n;
  uv_timer_start(&n->probe, on_probe, REDIS_CHECK_INTERVAL_MS, REDIS_CHECK_INTERVAL_MS);
  redis_link_start(n->link);
}

void redis_node_stop(redis_node *n, void (*stopped)(void *arg), void *arg) {
  n->is_stopping = true;
  join_stop_begin(&n->stop, stopped, arg);
  update_state(n);
  redis_link_stop(n->link, join_stop_done, join_stop_add(&n->stop));
  join_stop_close(&n->stop, (uv_handle_t *)&n->probe);
  join_stop_done(&n->stop);
}

void redis_node_free(redis_node *n) {
  if (!n) return;
  redis_link_free(n->link);
  free(n);
}

/* A router whose slots are where the map of a Cluster says. */
#include "cluster.h"

#include "adapters/redis/protocol/reply.h"
#include "redirect.h"
#include "router_private.h"
#include "utils/buffer.h"
#include "utils/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_SIZE = 128 };

static const char waiting[] = "waiting for the cluster's map";
static const char no_slots[] = "the cluster serves no slots yet";
static const char no_cluster[] = "this redis is no cluster: use redis://";
static const char bad_map[] = "the cluster's map cannot be read";
static const char uncovered[] = "some slots of the cluster are served by nobody";

typedef struct cluster {
  redis_router *router;
  redis_redirect_config redirects;
  uv_timer_t timer;
  bool is_known;      /* a map was read */
  bool again;         /* another refresh is wanted after the one under way */
  const char *error;  /* why there is no map, static; NULL: no reason is known */
  redis_node *asked;  /* for the map, and referenced; NULL: no refresh is under way */
  size_t turn;        /* the node to ask next */
  int64_t refresh_ms; /* when the last refresh began, monotonic */
  redis_topology found;
  char reason[REASON_SIZE];
} cluster;

static cluster *cluster_of(const redis_router *r) {
  return r->own;
}

static int64_t now_ms(const cluster *c) {
  return clock_mono_ms(c->router->config.clock);
}

/* ---- the map ---------------------------------------------------------------- */

/* Nodes that were connected before they had slots: their data has no name yet. */
static void probe_unknown(cluster *c) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    const redis_pooled *m = c->router->entries[i];
    if (m && m->slots > 0 && redis_node_is_unknown(m->node)) redis_node_probe(m->node);
  }
}

static void take_map(cluster *c) {
  redis_router *r = c->router;
  uint8_t index[REDIS_NODES_MAX];
  for (size_t i = 0; i < c->found.count; i++)
    index[i] = redis_pool_get(r->pool, &c->found.masters[i]);
  for (size_t slot = 0; slot < REDIS_SLOTS; slot++) {
    uint8_t owner = c->found.owner[slot];
    redis_router_give(r, (uint16_t)slot, owner == REDIS_NOBODY ? REDIS_NOBODY : index[owner]);
  }
  if (!c->is_known) log_info("redis", "cluster's map", LOG_INT("nodes", c->found.count));
  c->is_known = true;
  c->error = NULL;
  redis_router_report_moves(r);
  probe_unknown(c);
  redis_pool_end_idle(r->pool);
}

/* ---- refreshes ---------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void refresh_in(cluster *c, int64_t delay_ms) {
  uv_timer_start(&c->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

/* Soon. */
static void refresh(redis_router *r) {
  cluster *c = cluster_of(r);
  if (r->stopping) return;
  c->again = c->asked != NULL;
  if (!c->again) refresh_in(c, c->refresh_ms + REDIS_CLUSTER_REFRESH_MIN_MS - now_ms(c));
}

static bool is_lost(const redis_pooled *m) {
  return m && m->slots > 0 && !redis_node_is_connected(m->node);
}

static int64_t next_refresh_ms(const cluster *c) {
  if (!c->is_known) return REDIS_CLUSTER_LOST_MS;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (is_lost(c->router->entries[i]) || redis_pool_is_idle(c->router->entries[i]))
      return REDIS_CLUSTER_LOST_MS;
  return REDIS_CLUSTER_INTERVAL_MS;
}

static void log_once(cluster *c, const redis_endpoint *asked, const char *error) {
  c->router->config.counters->store_errors++;
  if (c->error != error)
    log_warn("redis", "no map", LOG_STR("host", asked->host), LOG_INT("port", asked->port),
             LOG_STR("reason", error));
  c->error = error;
}

static const char *error_of(const redisReply *reply) {
  static const char disabled[] = "ERR This instance has cluster support disabled";
  if (redis_reply_is_error_code(reply, disabled)) return no_cluster;
  return redis_reply_is_error(reply) ? redis_reply_refusal(reply).reason : bad_map;
}

/* Where the node is that was asked. */
static const redis_endpoint *endpoint_of(const redis_router *r, const redis_node *n) {
  return &r->entries[redis_pool_index_of(r->pool, n)]->at;
}

static void on_slots(au_status status, const redisReply *reply, void *arg) {
  cluster *c = arg;
  redis_router *r = c->router;
  redis_node *asked = c->asked;
  c->asked = NULL;
  redis_node_unref(asked);
  if (r->stopping) return;
  const redis_endpoint *at = redis_node_endpoint(asked);
  if (status == AU_OK && !redis_topology_read(reply, endpoint_of(r, asked), &c->found))
    log_once(c, at, error_of(reply));
  else if (status == AU_OK && c->found.count == 0)
    log_once(c, at, no_slots);
  else if (status == AU_OK)
    take_map(c);
  if (c->again || status != AU_OK)
    refresh(r);
  else
    refresh_in(c, next_refresh_ms(c));
}

/* The next node whose link is up; NULL when there is none. */
static redis_node *next_to_ask(cluster *c) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    const redis_pooled *m = c->router->entries[c->turn++ % REDIS_NODES_MAX];
    if (m && redis_node_is_connected(m->node)) return m->node;
  }
  return NULL;
}

/* When no node can be asked, the hosts of the URL may know others: the first that is connected to
 * is asked, and so does the timer. */
static void on_timer(uv_timer_t *timer) {
  cluster *c = timer->data;
  const au_slice args[] = {slice_of("CLUSTER"), slice_of("SLOTS")};
  redis_pool_end_idle(c->router->pool);
  c->refresh_ms = now_ms(c);
  c->again = false;
  redis_node *n = next_to_ask(c);
  if (!n) redis_pool_seed(c->router->pool);
  if (!n || redis_node_send(n, args, 2, on_slots, c) != AU_OK) {
    refresh_in(c, REDIS_CLUSTER_LOST_MS);
    return;
  }
  c->asked = n;
  redis_node_ref(n);
}

/* ---- redirects ------------------------------------------------------------------- */

static redis_node *follow(void *arg, const redis_node *from, const redis_redirect *redirect) {
  redis_router *r = arg;
  redis_endpoint at = redirect->to;
  if (at.host[0] == '\0') memcpy(at.host, endpoint_of(r, from)->host, sizeof at.host);
  uint8_t index = redis_pool_get(r->pool, &at);
  if (index == REDIS_NOBODY) return NULL;
  redis_pool_keep(r->entries[index]);
  if (!redirect->ask && r->owner[redirect->slot] != index) {
    redis_router_give(r, redirect->slot, index);
    redis_router_report_moves(r);
    refresh(r); /* others will have moved as well */
  }
  return r->entries[index]->node;
}

static bool is_stopping(void *arg) {
  const redis_router *r = arg;
  return r->stopping;
}

static au_status cluster_send(redis_router *r, redis_node *n, const au_slice *args, size_t count,
                              redis_reply_fn cb, void *arg) {
  return redis_redirect_send(&cluster_of(r)->redirects, n, args, count, cb, arg);
}

static bool cluster_is_elsewhere(void *router, redis_node *n, const redisReply *reply) {
  redis_redirect redirect;
  (void)n;
  if (!redis_redirect_read(reply, &redirect)) return false;
  refresh(router);
  return true;
}

/* ---- tags -------------------------------------------------------------------------- */

static bool has_tag(const redis_router *r, const redis_node *n, const char *tag) {
  return tag[0] != '\0' && redis_router_node(r, redis_slot_of(slice_of(tag))) == n;
}

/* Of a node without slots no tag is looked for: 65,536 tries take 10 ms. */
static bool cluster_tag(void *router, const redis_node *n, char tag[REDIS_TAG_SIZE]) {
  const redis_router *r = router;
  uint8_t index = redis_pool_index_of(r->pool, n);
  bool has_slots = index != REDIS_NOBODY && r->entries[index]->slots > 0;
  for (uint32_t next = 0; !has_tag(r, n, tag); next++) {
    if (!has_slots || next == 4 * REDIS_SLOTS) {
      tag[0] = '\0'; /* daemons begin alike, and find the same one later */
      return false;
    }
    snprintf(tag, REDIS_TAG_SIZE, "%u", next);
  }
  return true;
}

/* ---- health ------------------------------------------------------------------------- */

static const char *cluster_reason(redis_router *r) {
  cluster *c = cluster_of(r);
  if (!c->is_known) return c->error ? c->error : waiting;
  redis_node *nodes[REDIS_NODES_MAX];
  size_t count = redis_router_nodes(r, nodes), lost = 0;
  const char *why_lost = "", *why = "";
  uint32_t slots = 0;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (r->entries[i]) slots += r->entries[i]->slots;
  for (size_t i = 0; i < count; i++) {
    const char *reason = redis_node_reason(nodes[i]);
    if (reason[0] != '\0') why = reason;
    if (redis_node_serves(nodes[i])) continue;
    why_lost = reason;
    lost++;
  }
  if (lost == 0) return why[0] == '\0' && slots < REDIS_SLOTS ? uncovered : why;
  snprintf(c->reason, sizeof c->reason, "%zu of %zu nodes lost: %s", lost, count, why_lost);
  return c->reason;
}

/* ---- life ------------------------------------------------------------------------------ */

static au_status cluster_create(redis_router *r) {
  cluster *c = calloc(1, sizeof *c);
  if (!c) return AU_ENOMEM;
  c->router = r;
  c->redirects = (redis_redirect_config){r->config.counters, follow, is_stopping, r};
  r->own = c;
  return AU_OK;
}

static void cluster_free(redis_router *r) {
  free(r->own);
}

static void cluster_start(redis_router *r) {
  cluster *c = cluster_of(r);
  uv_timer_init(r->config.loop, &c->timer);
  c->timer.data = c;
  redis_pool_seed(r->pool);
  refresh_in(c, REDIS_CLUSTER_LOST_MS); /* the first node that is ready refreshes at once */
}

static void cluster_stop(redis_router *r, join_stop *stop) {
  join_stop_close(stop, (uv_handle_t *)&cluster_of(r)->timer);
}

const redis_router_kind redis_cluster = {
    .slots = REDIS_SLOTS,
    .create = cluster_create,
    .free = cluster_free,
    .start = cluster_start,
    .stop = cluster_stop,
    .send = cluster_send,
    .reason = cluster_reason,
    .tag = cluster_tag,
    .is_elsewhere = cluster_is_elsewhere,
    .on_link = refresh,
};

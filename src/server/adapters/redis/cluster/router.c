/* Slots and their nodes. */
#include "router_private.h"

#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

/* ---- slots --------------------------------------------------------------------- */

uint32_t redis_router_slots(const redis_router *r) {
  return r->kind->slots;
}

uint16_t redis_router_slot_of(const redis_router *r, au_slice key) {
  return r->kind->slots == 1 ? 0 : redis_slot_of(key);
}

redis_node *redis_router_node(const redis_router *r, uint16_t slot) {
  return r->owner[slot] == REDIS_NOBODY ? NULL : r->entries[r->owner[slot]]->node;
}

au_status redis_router_admits(const redis_router *r, uint16_t slot, uint32_t commands,
                              redis_node **out) {
  *out = redis_router_node(r, slot);
  if (r->stopping) return AU_ECANCELED;
  return *out ? redis_node_admits(*out, commands) : AU_ESTORE;
}

bool redis_router_serves(const redis_router *r, uint16_t slot) {
  const redis_node *n = redis_router_node(r, slot);
  return n && redis_node_serves(n);
}

int64_t redis_router_clock_ms(const redis_router *r, uint16_t slot) {
  const redis_node *n = redis_router_node(r, slot);
  return n ? redis_node_now_ms(n) : clock_mono_ms(r->config.clock);
}

void redis_router_give(redis_router *r, uint16_t slot, uint8_t index) {
  uint8_t before = r->owner[slot];
  if (before == index) return;
  bool may_lack = before != REDIS_NOBODY && !redis_node_serves(r->entries[before]->node);
  if (before != REDIS_NOBODY) r->entries[before]->slots--;
  if (index != REDIS_NOBODY) r->entries[index]->slots++;
  r->owner[slot] = index;
  r->moved = true;
  if (may_lack) r->events.data_lost(r->events.arg, slot, false);
}

void redis_router_report_moves(redis_router *r) {
  if (!r->moved) return;
  r->moved = false;
  r->events.moved(r->events.arg);
  r->events.ready(r->events.arg);
}

/* ---- nodes --------------------------------------------------------------------- */

size_t redis_router_nodes(const redis_router *r, redis_node *nodes[REDIS_NODES_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (r->entries[i] && r->entries[i]->slots > 0) nodes[n++] = r->entries[i]->node;
  return n;
}

au_status redis_router_send(redis_router *r, redis_node *n, const au_slice *args, size_t count,
                            redis_reply_fn cb, void *arg) {
  return r->kind->send(r, n, args, count, cb, arg);
}

bool redis_router_ever_up(const redis_router *r) {
  return r->ever_up;
}

const char *redis_router_reason(redis_router *r) {
  return r->stopping ? "stopping" : r->kind->reason(r);
}

static bool is_good_for_pubsub(const redis_pooled *m) {
  return m && m->slots > 0 && redis_node_serves(m->node);
}

const redis_url *redis_router_pubsub_url(const redis_router *r, const redis_url *now) {
  const redis_url *any = NULL, *good = NULL;
  bool is_there = false;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    const redis_pooled *m = r->entries[i];
    if (!m || redis_node_state_of(m->node) == REDIS_NODE_STOPPING) continue;
    bool is_now = now && redis_endpoint_eq(&m->url.hosts[0], &now->hosts[0]);
    if (is_good_for_pubsub(m)) {
      if (is_now) return &m->url;
      if (!good) good = &m->url;
    }
    if (is_now) any = &m->url;
    if (!any) any = &m->url;
    is_there = is_there || is_now;
  }
  if (good) return good;
  return is_there ? now : any;
}

/* ---- events of a node ------------------------------------------------------------- */

static void on_moved(void *arg, redis_node *n, redis_node_state from, redis_node_state to) {
  redis_router *r = arg;
  (void)n;
  if (r->stopping) return;
  if (from == REDIS_NODE_DOWN || to == REDIS_NODE_DOWN) r->kind->on_link(r);
  r->events.moved(r->events.arg);
  if (to == REDIS_NODE_SERVING) r->events.ready(r->events.arg);
}

static void on_identified(void *arg, redis_node *n, bool same, bool first) {
  redis_router *r = arg;
  r->ever_up = true;
  if (same) return;
  for (size_t i = 0; i < REDIS_NODES_MAX && !first; i++)
    if (r->entries[i] && r->entries[i]->node == n)
      r->events.replaced(r->events.arg, &r->entries[i]->url);
  for (uint32_t slot = 0; slot < r->kind->slots; slot++)
    if (redis_router_node(r, (uint16_t)slot) == n)
      r->events.data_lost(r->events.arg, (uint16_t)slot, !first);
  if (redis_node_serves(n)) r->events.ready(r->events.arg);
}

/* ---- life ---------------------------------------------------------------------------- */

static bool tag(void *arg, const redis_node *n, char tag[REDIS_TAG_SIZE]) {
  const redis_router *r = arg;
  return r->kind->tag(arg, n, tag);
}

static bool is_elsewhere(void *arg, redis_node *n, const redisReply *reply) {
  const redis_router *r = arg;
  return r->kind->is_elsewhere(arg, n, reply);
}

au_status redis_router_create(const redis_router_config *config, const redis_router_kind *kind,
                              redis_router **out) {
  redis_router *r = calloc(1, sizeof *r + kind->slots * sizeof r->owner[0]);
  if (!r) return AU_ENOMEM;
  r->config = *config;
  r->kind = kind;
  memset(r->owner, REDIS_NOBODY, kind->slots * sizeof r->owner[0]);
  const redis_node_config node = {
      .loop = config->loop,
      .clock = config->clock,
      .counters = config->counters,
      .daemon = config->daemon,
      .seed = config->seed.k0,
      .fault_ms = config->fault_ms,
      .is_alone = kind->is_alone,
      .events = {on_moved, on_identified, tag, is_elsewhere, r},
  };
  au_status status = redis_pool_create(&node, config->url, &r->pool);
  if (status == AU_OK) {
    r->entries = redis_pool_entries(r->pool);
    status = kind->create(r);
  }
  if (status != AU_OK) {
    redis_router_free(r);
    return status;
  }
  *out = r;
  return AU_OK;
}

void redis_router_start(redis_router *r, const redis_router_events *events) {
  r->events = *events;
  r->kind->start(r);
}

void redis_router_stop(redis_router *r, void (*stopped)(void *arg), void *arg) {
  r->stopping = true;
  join_stop_begin(&r->stop, stopped, arg);
  redis_pool_stop(r->pool, &r->stop);
  r->kind->stop(r, &r->stop);
  join_stop_done(&r->stop);
}

void redis_router_free(redis_router *r) {
  if (!r) return;
  r->kind->free(r);
  redis_pool_free(r->pool);
  free(r);
}

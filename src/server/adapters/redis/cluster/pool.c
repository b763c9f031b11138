/* Begins and ends nodes. */
#include "pool.h"

#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

struct redis_pool {
  redis_node_config node;
  const redis_url *url;
  redis_pooled *entries[REDIS_NODES_MAX]; /* NULL: a free one */
  join_stop *stop;                        /* NULL: running */
};

static int64_t now_ms(const redis_pool *p) {
  return clock_mono_ms(p->node.clock);
}

static bool is_stopping(const redis_pooled *m) {
  return redis_node_state_of(m->node) == REDIS_NODE_STOPPING;
}

/* ---- beginning one ---------------------------------------------------------- */

static void entry_free(redis_pooled *m) {
  if (!m) return;
  redis_node_free(m->node);
  explicit_bzero(&m->url, sizeof m->url);
  free(m);
}

/* `at` is NULL for the node of the whole URL. */
static redis_pooled *entry_create(redis_pool *p, const redis_endpoint *at) {
  redis_pooled *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->pool = p;
  m->url = *p->url;
  if (at) {
    m->at = *at;
    m->url.kind = REDIS_SINGLE;
    m->url.hosts[0] = *at;
    m->url.host_count = 1;
  }
  redis_node_config config = p->node;
  config.url = &m->url;
  if (redis_node_create(&config, &m->node) != AU_OK) {
    entry_free(m);
    return NULL;
  }
  return m;
}

au_status redis_pool_add_url(redis_pool *p) {
  p->entries[0] = entry_create(p, NULL);
  if (!p->entries[0]) return AU_ENOMEM;
  return AU_OK;
}

uint8_t redis_pool_get(redis_pool *p, const redis_endpoint *at) {
  uint8_t index = REDIS_NOBODY;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    const redis_pooled *m = p->entries[i];
    if (!m && index == REDIS_NOBODY) index = (uint8_t)i;
    if (m && !is_stopping(m) && redis_endpoint_eq(&m->at, at)) return (uint8_t)i;
  }
  if (index == REDIS_NOBODY) {
    log_warn("redis", "too many nodes", LOG_INT("max", REDIS_NODES_MAX));
    return index;
  }
  redis_pooled *m = entry_create(p, at);
  if (!m) {
    log_error("redis", "a node is not connected to: out of memory", LOG_NONE);
    return REDIS_NOBODY;
  }
  p->entries[index] = m;
  log_info("redis", "node", LOG_STR("host", at->host), LOG_INT("port", at->port));
  redis_node_start(m->node);
  return index;
}

void redis_pool_seed(redis_pool *p) {
  for (size_t i = 0; i < p->url->host_count; i++) {
    uint8_t index = redis_pool_get(p, &p->url->hosts[i]);
    if (index != REDIS_NOBODY) redis_pool_keep(p->entries[index]);
  }
}

uint8_t redis_pool_index_of(const redis_pool *p, const redis_node *n) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (p->entries[i] && p->entries[i]->node == n) return (uint8_t)i;
  return REDIS_NOBODY;
}

/* ---- keeping and ending ----------------------------------------------------- */

void redis_pool_keep(redis_pooled *m) {
  m->kept_until_ms = now_ms(m->pool) + REDIS_POOL_KEEP_MS;
}

bool redis_pool_is_idle(const redis_pooled *m) {
  return m && !is_stopping(m) && m->slots == 0 && now_ms(m->pool) >= m->kept_until_ms;
}

/* On stop every node is kept until all have stopped: a redirected command may come back by another
 * node's link. */
static void on_ended(void *arg) {
  redis_pooled *m = arg;
  redis_pool *p = m->pool;
  if (p->stop) {
    join_stop_done(p->stop); /* last: it may free the pool */
    return;
  }
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (p->entries[i] == m) p->entries[i] = NULL;
  entry_free(m);
}

void redis_pool_end_idle(redis_pool *p) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    redis_pooled *m = p->entries[i];
    if (!redis_pool_is_idle(m) || redis_node_is_referenced(m->node)) continue;
    log_info("redis", "node ended", LOG_STR("host", m->at.host), LOG_INT("port", m->at.port));
    redis_node_stop(m->node, on_ended, m);
  }
}

/* ---- life ------------------------------------------------------------------- */

au_status redis_pool_create(const redis_node_config *node, const redis_url *url, redis_pool **out) {
  redis_pool *p = calloc(1, sizeof *p);
  if (!p) return AU_ENOMEM;
  p->node = *node;
  p->url = url;
  *out = p;
  return AU_OK;
}

redis_pooled *const *redis_pool_entries(const redis_pool *p) {
  return p->entries;
}

void redis_pool_stop(redis_pool *p, join_stop *stop) {
  p->stop = stop;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    redis_pooled *m = p->entries[i];
    if (!m) continue;
    (void)join_stop_add(stop);
    if (!is_stopping(m)) redis_node_stop(m->node, on_ended, m);
  }
}

void redis_pool_free(redis_pool *p) {
  if (!p) return;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) entry_free(p->entries[i]);
  free(p);
}

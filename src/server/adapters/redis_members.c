/* Begins and ends the nodes of a Cluster. Must not know the map, nor when it is looked for. */
#include "redis_members.h"

#include "../utils/log.h"
#include "redis_store.h"

#include <stdlib.h>
#include <string.h>

struct redis_members {
  redis_store *store;
  redis_member *places[REDIS_NODES_MAX]; /* NULL: a free one */
  void (*stopped)(void *arg);            /* NULL: running */
  void *stopped_arg;
};

static int64_t now_ms(const redis_members *ms) {
  return redis_store_mono_ms(ms->store);
}

/* ---- beginning one ---------------------------------------------------------- */

static void member_free(redis_member *m) {
  if (!m) return;
  redis_node_free(m->node);
  explicit_bzero(&m->url, sizeof m->url);
  free(m);
}

static redis_member *member_create(redis_members *ms, const redis_endpoint *at) {
  redis_member *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->members = ms;
  m->at = *at;
  m->url = ms->store->url;
  m->url.kind = REDIS_SINGLE;
  m->url.hosts[0] = *at;
  m->url.host_count = 1;
  if (redis_node_create(ms->store, &m->url, &m->node) != AU_OK) {
    member_free(m);
    return NULL;
  }
  return m;
}

uint8_t redis_members_place(redis_members *ms, const redis_endpoint *at) {
  uint8_t place = REDIS_NOBODY;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    const redis_member *m = ms->places[i];
    if (!m && place == REDIS_NOBODY) place = (uint8_t)i;
    if (m && !m->node->stopping && redis_endpoint_eq(&m->at, at)) return (uint8_t)i;
  }
  if (place == REDIS_NOBODY) {
    log_warn("redis", "too many nodes", LOG_INT("max", REDIS_NODES_MAX));
    return place;
  }
  redis_member *m = member_create(ms, at);
  if (!m) {
    log_error("redis", "a node is not connected to: out of memory", LOG_NONE);
    return REDIS_NOBODY;
  }
  ms->places[place] = m;
  log_info("redis", "node", LOG_STR("host", at->host), LOG_INT("port", at->port));
  redis_node_start(m->node);
  return place;
}

void redis_members_seed(redis_members *ms) {
  for (size_t i = 0; i < ms->store->url.host_count; i++) {
    uint8_t place = redis_members_place(ms, &ms->store->url.hosts[i]);
    if (place != REDIS_NOBODY) redis_members_keep(ms->places[place]);
  }
}

/* ---- keeping and ending ----------------------------------------------------- */

void redis_members_keep(redis_member *m) {
  m->kept_until_ms = now_ms(m->members) + REDIS_MEMBER_KEEP_MS;
}

bool redis_members_is_idle(const redis_member *m) {
  return m && !m->node->stopping && m->slots == 0 && now_ms(m->members) >= m->kept_until_ms;
}

/* When the whole cluster stops, memory stays until all nodes have: what was sent to one may
 * come back by another. */
static void on_ended(void *arg) {
  redis_member *m = arg;
  redis_members *ms = m->members;
  if (ms->stopped) {
    ms->stopped(ms->stopped_arg); /* last: it may free the members */
    return;
  }
  for (size_t i = 0; i < REDIS_NODES_MAX; i++)
    if (ms->places[i] == m) ms->places[i] = NULL;
  member_free(m);
}

void redis_members_end_idle(redis_members *ms) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    redis_member *m = ms->places[i];
    if (!redis_members_is_idle(m) || m->node->held > 0) continue;
    log_info("redis", "node ended", LOG_STR("host", m->at.host), LOG_INT("port", m->at.port));
    redis_node_stop(m->node, on_ended, m);
  }
}

/* ---- life ------------------------------------------------------------------- */

au_status redis_members_create(redis_store *s, redis_members **out) {
  redis_members *ms = calloc(1, sizeof *ms);
  if (!ms) return AU_ENOMEM;
  ms->store = s;
  *out = ms;
  return AU_OK;
}

redis_member *const *redis_members_places(const redis_members *ms) {
  return ms->places;
}

size_t redis_members_stop(redis_members *ms, void (*stopped)(void *arg), void *arg) {
  size_t count = 0;
  ms->stopped = stopped;
  ms->stopped_arg = arg;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    redis_member *m = ms->places[i];
    if (!m) continue;
    count++;
    if (!m->node->stopping) redis_node_stop(m->node, on_ended, m);
  }
  return count;
}

void redis_members_free(redis_members *ms) {
  if (!ms) return;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) member_free(ms->places[i]);
  free(ms);
}

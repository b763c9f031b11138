/* Scans come with a node's first tick and go when it serves no slots. */
#include "scans.h"

#include "utils/join_stop.h"
#include "utils/log.h"

#include <stdlib.h>

typedef struct entry {
  redis_scans *owner;
  redis_scan *scan; /* NULL: a free one */
  bool is_ending;
} entry;

struct redis_scans {
  redis_scan_config config;
  entry entries[REDIS_NODES_MAX];
  uv_idle_t none; /* closed so that a stop without scans ends from the loop, too */
  bool stopping;
  join_stop stop; /* scans, also those that end before it */
};

au_status redis_scans_create(const redis_scan_config *config, redis_scans **out) {
  redis_scans *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->config = *config;
  *out = s;
  return AU_OK;
}

redis_scan *redis_scans_find(const redis_scans *s, const redis_node *n) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    const entry *e = &s->entries[i];
    if (e->scan && !e->is_ending && redis_scan_node(e->scan) == n) return e->scan;
  }
  return NULL;
}

static void on_ended(void *arg) {
  entry *e = arg;
  redis_scans *s = e->owner;
  if (!s->stopping) { /* else answers may come to it until the router has stopped */
    redis_scan_free(e->scan);
    *e = (entry){0};
  }
  join_stop_done(&s->stop);
}

static void end(entry *e) {
  e->is_ending = true;
  redis_scan_stop(e->scan, on_ended, e);
}

static void end_unused(redis_scans *s, redis_node *const *nodes, size_t count) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    entry *e = &s->entries[i];
    if (!e->scan || e->is_ending || !redis_scan_is_idle(e->scan)) continue;
    size_t at = 0;
    while (at < count && nodes[at] != redis_scan_node(e->scan)) at++;
    if (at == count) end(e);
  }
}

static redis_scan *add(redis_scans *s, redis_node *n) {
  entry *e = s->entries;
  while (e < s->entries + REDIS_NODES_MAX && e->scan) e++;
  if (e == s->entries + REDIS_NODES_MAX || redis_scan_create(&s->config, n, &e->scan) != AU_OK) {
    log_error("redis", "a node is not scanned", LOG_NONE);
    return NULL;
  }
  e->owner = s;
  (void)join_stop_add(&s->stop);
  return e->scan;
}

void redis_scans_want(redis_scans *s) {
  redis_node *nodes[REDIS_NODES_MAX];
  if (s->stopping) return;
  size_t count = redis_router_nodes(s->config.router, nodes);
  end_unused(s, nodes, count);
  for (size_t i = 0; i < count; i++) {
    redis_scan *scan = redis_scans_find(s, nodes[i]);
    if (!scan) scan = add(s, nodes[i]);
    if (scan) redis_scan_want(scan);
  }
}

const char *redis_scans_reason(const redis_scans *s) {
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    const entry *e = &s->entries[i];
    const char *reason = e->scan && !e->is_ending ? redis_scan_reason(e->scan) : "";
    if (reason[0] != '\0') return reason;
  }
  return "";
}

void redis_scans_stop(redis_scans *s, void (*stopped)(void *arg), void *arg) {
  s->stopping = true;
  join_stop_begin(&s->stop, stopped, arg);
  uv_idle_init(s->config.loop, &s->none);
  join_stop_close(&s->stop, (uv_handle_t *)&s->none);
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) {
    entry *e = &s->entries[i];
    if (e->scan && !e->is_ending) end(e);
  }
  join_stop_done(&s->stop);
}

void redis_scans_free(redis_scans *s) {
  if (!s) return;
  for (size_t i = 0; i < REDIS_NODES_MAX; i++) redis_scan_free(s->entries[i].scan);
  free(s);
}

/* Facts by customer, the one that waits longest for news first. Must not know where they
 * come from. */
#include "redis_known.h"

#include "../utils/buffer.h"
#include "../utils/deadline.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  map_node node; /* first: a node is cast to its entry */
  deadline until;
  redis_fact fact;
  uint8_t id_len;
  char id[];
} entry;

struct redis_known {
  map *entries;
  deadline_queue queue;
  redis_known_walk *walks;
  size_t max;
};

au_status redis_known_create(map_seed seed, size_t max, int64_t lifetime_ms, redis_known **out) {
  redis_known *k = calloc(1, sizeof *k);
  if (!k) return AU_ENOMEM;
  au_status status = map_create(seed, &k->entries);
  if (status != AU_OK) {
    free(k);
    return status;
  }
  deadline_queue_init(&k->queue, lifetime_ms);
  k->max = max;
  *out = k;
  return AU_OK;
}

static entry *entry_of(deadline *until) {
  return (entry *)(void *)((char *)until - offsetof(entry, until));
}

/* Before an entry leaves its place: whoever would meet it next meets the one behind it. */
static void let_walks_pass(redis_known *k, const entry *e) {
  for (redis_known_walk *w = k->walks; w; w = w->other)
    if (w->at == &e->until) w->at = deadline_after(&k->queue, w->at);
}

static void arm(redis_known *k, entry *e, int64_t now_ms) {
  let_walks_pass(k, e);
  deadline_arm(&k->queue, &e->until, now_ms);
}

static void drop(redis_known *k, entry *e) {
  let_walks_pass(k, e);
  deadline_cancel(&e->until);
  map_remove(k->entries, &e->node);
  free(e);
}

void redis_known_free(redis_known *k) {
  if (!k) return;
  for (map_node *node; (node = map_any(k->entries)) != NULL;) drop(k, (entry *)node);
  map_free(k->entries);
  free(k);
}

static au_slice id_of(const entry *e) {
  return (au_slice){e->id, e->id_len};
}

static bool entry_eq(const map_node *node, const void *key) {
  return slice_eq(id_of((const entry *)node), *(const au_slice *)key);
}

static entry *find(const redis_known *k, au_slice id) {
  return (entry *)map_find(k->entries, map_hash(k->entries, id.ptr, id.len, 0), entry_eq, &id);
}

void redis_known_set(redis_known *k, au_slice id, const redis_fact *fact, int64_t now_ms) {
  entry *e = find(k, id);
  if (!e) {
    if (map_count(k->entries) >= k->max) return;
    e = calloc(1, sizeof *e + id.len);
    if (!e) return; /* as when it is full */
    e->id_len = (uint8_t)id.len;
    memcpy(e->id, id.ptr, id.len);
    map_insert(k->entries, &e->node, map_hash(k->entries, id.ptr, id.len, 0));
  }
  e->fact = *fact;
  arm(k, e, now_ms);
}

bool redis_known_get(const redis_known *k, au_slice id, redis_fact *out) {
  const entry *e = find(k, id);
  *out = e ? e->fact : (redis_fact){0};
  return e != NULL;
}

void redis_known_forget(redis_known *k, au_slice id) {
  entry *e = find(k, id);
  if (e) drop(k, e);
}

void redis_known_expire(redis_known *k, int64_t now_ms,
                        bool (*keep)(void *arg, au_slice customer_id), void *arg) {
  for (int i = 0; i < REDIS_KNOWN_SLICE; i++) {
    deadline *d = deadline_first(&k->queue);
    if (!d || d->at_ms > now_ms) return;
    entry *e = entry_of(d);
    if (keep(arg, id_of(e)))
      arm(k, e, now_ms);
    else
      drop(k, e);
  }
}

void redis_known_walk_begin(redis_known *k, redis_known_walk *walk) {
  *walk = (redis_known_walk){k->walks, deadline_first(&k->queue), map_count(k->entries)};
  k->walks = walk;
}

bool redis_known_walk_next(redis_known *k, redis_known_walk *walk, au_slice *customer_id,
                           redis_fact *out) {
  if (!walk->at || walk->left == 0) return false;
  walk->left--;
  const entry *e = entry_of(walk->at);
  walk->at = deadline_after(&k->queue, walk->at);
  *customer_id = id_of(e);
  *out = e->fact;
  return true;
}

void redis_known_walk_end(redis_known *k, redis_known_walk *walk) {
  redis_known_walk **at = &k->walks;
  while (*at && *at != walk) at = &(*at)->other;
  if (*at) *at = walk->other;
  *walk = (redis_known_walk){0};
}

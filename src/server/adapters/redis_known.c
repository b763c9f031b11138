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

static void drop(redis_known *k, entry *e) {
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
  deadline_arm(&k->queue, &e->until, now_ms);
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
    deadline *d = deadline_expire(&k->queue, now_ms);
    if (!d) return;
    entry *e = (entry *)(void *)((char *)d - offsetof(entry, until));
    if (keep(arg, id_of(e)))
      deadline_arm(&k->queue, &e->until, now_ms);
    else
      drop(k, e);
  }
}

/* Counts and averages by customer, the one that was updated longest ago first. */
#include "peer_counts.h"

#include "utils/deadline.h"
#include "utils/id_map.h"

#include <stdlib.h>

typedef struct entry {
  map_node node; /* first: the entry is of an id_map */
  deadline until;
  deadline empty; /* armed while the value says so */
  peer_count value;
} entry;

struct peer_counts {
  id_map entries;
  deadline_queue queue;
  deadline_queue empty; /* those that are empty, the longest first */
  peer_counts_walk *walks;
  size_t max;
};

au_status peer_counts_create(map_seed seed, size_t max, int64_t lifetime_ms, peer_counts **out) {
  peer_counts *k = calloc(1, sizeof *k);
  if (!k) return AU_ENOMEM;
  au_status status = id_map_init(&k->entries, seed, sizeof(entry));
  if (status != AU_OK) {
    free(k);
    return status;
  }
  deadline_queue_init(&k->queue, lifetime_ms);
  deadline_queue_init(&k->empty, 0);
  k->max = max;
  *out = k;
  return AU_OK;
}

static entry *entry_of(deadline *until) {
  return (entry *)(void *)((char *)until - offsetof(entry, until));
}

/* Before an entry is moved or freed: a walk that would meet it next goes on with the one behind. */
static void let_walks_pass(peer_counts *k, const entry *e) {
  for (peer_counts_walk *w = k->walks; w; w = w->other)
    if (w->at == &e->until) w->at = deadline_after(&k->queue, w->at);
}

static void arm(peer_counts *k, entry *e, int64_t now_ms) {
  let_walks_pass(k, e);
  deadline_arm(&k->queue, &e->until, now_ms);
}

static void drop(peer_counts *k, entry *e) {
  let_walks_pass(k, e);
  deadline_cancel(&e->until);
  deadline_cancel(&e->empty);
  id_map_drop(&k->entries, e);
}

void peer_counts_free(peer_counts *k) {
  if (!k) return;
  id_map_free(&k->entries);
  free(k);
}

void peer_counts_learn(peer_counts *k, au_slice id, const peer_count *value, int64_t now_ms) {
  entry *e = id_map_find(&k->entries, id);
  if (!e) {
    deadline *idlest = deadline_first(&k->empty);
    bool crowded = id_map_count(&k->entries) >= k->max;
    if (crowded && !idlest) return;
    e = id_map_add(&k->entries, id);
    if (!e) return; /* as when it is full */
    if (crowded) drop(k, (entry *)(void *)((char *)idlest - offsetof(entry, empty)));
  }
  e->value = *value;
  if (!value->is_empty)
    deadline_cancel(&e->empty);
  else if (!deadline_armed(&e->empty))
    deadline_arm(&k->empty, &e->empty, now_ms);
  arm(k, e, now_ms);
}

bool peer_counts_get(const peer_counts *k, au_slice id, peer_count *out) {
  const entry *e = id_map_find(&k->entries, id);
  *out = e ? e->value : (peer_count){0};
  return e != NULL;
}

void peer_counts_drop(peer_counts *k, au_slice id) {
  entry *e = id_map_find(&k->entries, id);
  if (e) drop(k, e);
}

void peer_counts_expire(peer_counts *k, int64_t now_ms,
                        bool (*keep)(void *arg, au_slice customer_id), void *arg) {
  for (int i = 0; i < PEER_COUNTS_SLICE; i++) {
    deadline *d = deadline_first(&k->queue);
    if (!d || d->at_ms > now_ms) return;
    entry *e = entry_of(d);
    if (keep(arg, id_map_id(e)))
      arm(k, e, now_ms);
    else
      drop(k, e);
  }
}

void peer_counts_walk_begin(peer_counts *k, peer_counts_walk *walk) {
  *walk = (peer_counts_walk){k->walks, deadline_first(&k->queue), id_map_count(&k->entries)};
  k->walks = walk;
}

bool peer_counts_walk_next(peer_counts *k, peer_counts_walk *walk, au_slice *customer_id,
                           peer_count *out) {
  if (!walk->at || walk->left == 0) return false;
  walk->left--;
  const entry *e = entry_of(walk->at);
  walk->at = deadline_after(&k->queue, walk->at);
  *customer_id = id_map_id(e);
  *out = e->value;
  return true;
}

void peer_counts_walk_end(peer_counts *k, peer_counts_walk *walk) {
  peer_counts_walk **at = &k->walks;
  while (*at && *at != walk) at = &(*at)->other;
  if (*at) *at = walk->other;
  *walk = (peer_counts_walk){0};
}

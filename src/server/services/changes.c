/* Leading and trailing edge for each customer; must not know what a change is. */
#include "changes.h"

#include "../utils/buffer.h"
#include "../utils/deadline.h"

#include <stdlib.h>
#include <string.h>

/* A customer that was emitted less than an interval ago. */
typedef struct entry {
  map_node node;
  deadline until; /* when it may be emitted again */
  bool changed;   /* since it was emitted */
  uint8_t id_len;
  char id[];
} entry;

struct changes {
  map *entries;
  deadline_queue queue;
  size_t max;
  bool (*emit)(void *arg, au_slice customer_id);
  void *arg;
};

au_status changes_create(map_seed seed, int64_t interval_ms, size_t max,
                         bool (*emit)(void *arg, au_slice customer_id), void *arg, changes **out) {
  changes *c = calloc(1, sizeof *c);
  if (!c) return AU_ENOMEM;
  au_status status = map_create(seed, &c->entries);
  if (status != AU_OK) {
    free(c);
    return status;
  }
  deadline_queue_init(&c->queue, interval_ms);
  c->max = max;
  c->emit = emit;
  c->arg = arg;
  *out = c;
  return AU_OK;
}

static void entry_free(changes *c, entry *e) {
  deadline_cancel(&e->until);
  map_remove(c->entries, &e->node);
  free(e);
}

void changes_free(changes *c) {
  if (!c) return;
  for (map_node *node; (node = map_any(c->entries)) != NULL;) entry_free(c, (entry *)node);
  map_free(c->entries);
  free(c);
}

static bool entry_eq(const map_node *node, const void *key) {
  const entry *e = (const entry *)node;
  return slice_eq((au_slice){e->id, e->id_len}, *(const au_slice *)key);
}

void changes_note(changes *c, au_slice customer_id, int64_t now_ms) {
  uint32_t hash = map_hash(c->entries, customer_id.ptr, customer_id.len, 0);
  entry *e = (entry *)map_find(c->entries, hash, entry_eq, &customer_id);
  if (e) {
    e->changed = true;
    return;
  }
  if (map_count(c->entries) >= c->max) return;
  e = calloc(1, sizeof *e + customer_id.len);
  if (!e) return; /* as when the table is full: the next tick tells it */
  e->id_len = (uint8_t)customer_id.len;
  memcpy(e->id, customer_id.ptr, customer_id.len);
  map_insert(c->entries, &e->node, hash);
  deadline_arm(&c->queue, &e->until, now_ms);
  e->changed = !c->emit(c->arg, customer_id);
}

int64_t changes_run(changes *c, int64_t now_ms, size_t max) {
  for (deadline *d; max > 0 && (d = deadline_expire(&c->queue, now_ms)) != NULL; max--) {
    entry *e = (entry *)(void *)((char *)d - offsetof(entry, until));
    if (!e->changed) {
      entry_free(c, e);
      continue;
    }
    deadline_arm(&c->queue, &e->until, now_ms);
    e->changed = !c->emit(c->arg, (au_slice){e->id, e->id_len});
  }
  int64_t next_ms = deadline_next_ms(&c->queue);
  if (next_ms < 0) return -1;
  return next_ms > now_ms ? next_ms - now_ms : 0;
}

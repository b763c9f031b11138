/* Passes on the first change of a customer at once and the last one at the end of an interval. */
#include "changes.h"

#include "utils/deadline.h"
#include "utils/id_map.h"

#include <stdlib.h>

/* A customer that was emitted less than an interval ago. */
typedef struct entry {
  map_node node;  /* first: the entry is of an id_map */
  deadline until; /* when it may be emitted again */
  bool changed;   /* since it was emitted */
} entry;

struct changes {
  id_map entries;
  deadline_queue queue;
  size_t max;
  bool (*emit)(void *arg, au_slice customer_id);
  void *arg;
};

au_status changes_create(map_seed seed, int64_t interval_ms, size_t max,
                         bool (*emit)(void *arg, au_slice customer_id), void *arg, changes **out) {
  changes *c = calloc(1, sizeof *c);
  if (!c) return AU_ENOMEM;
  au_status status = id_map_init(&c->entries, seed, sizeof(entry));
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
  id_map_drop(&c->entries, e);
}

void changes_free(changes *c) {
  if (!c) return;
  id_map_free(&c->entries);
  free(c);
}

void changes_note(changes *c, au_slice customer_id, int64_t now_ms) {
  entry *e = id_map_find(&c->entries, customer_id);
  if (e) {
    e->changed = true;
    return;
  }
  if (id_map_count(&c->entries) >= c->max) return;
  e = id_map_add(&c->entries, customer_id);
  if (!e) return; /* as when the table is full: the next tick tells it */
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
    e->changed = !c->emit(c->arg, id_map_id(e));
  }
  int64_t next_ms = deadline_next_ms(&c->queue);
  if (next_ms < 0) return -1;
  return next_ms > now_ms ? next_ms - now_ms : 0;
}

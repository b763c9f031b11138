/* A map that remembers its order. Must not know who is told of an ending, nor when. */
#include "redis_endings.h"

#include "../utils/buffer.h"
#include "../utils/deadline.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  map_node node; /* first: a node is cast to its entry */
  deadline until;
  redis_moment at;
  int64_t held_ms;
  redis_ending_kind kind;
  uint8_t customer_len, session_len, tab_len;
  char ids[]; /* customer, session and tab, one behind the other */
} entry;

struct redis_endings {
  map *entries;
  deadline_queue queue;
  size_t max;
};

typedef struct name {
  au_slice customer_id, session_id;
} name;

au_status redis_endings_create(map_seed seed, size_t max, int64_t lifetime_ms,
                               redis_endings **out) {
  redis_endings *e = calloc(1, sizeof *e);
  if (!e) return AU_ENOMEM;
  au_status status = map_create(seed, &e->entries);
  if (status != AU_OK) {
    free(e);
    return status;
  }
  deadline_queue_init(&e->queue, lifetime_ms);
  e->max = max;
  *out = e;
  return AU_OK;
}

static void drop(redis_endings *e, entry *en) {
  deadline_cancel(&en->until);
  map_remove(e->entries, &en->node);
  free(en);
}

void redis_endings_free(redis_endings *e) {
  if (!e) return;
  for (map_node *node; (node = map_any(e->entries)) != NULL;) drop(e, (entry *)node);
  map_free(e->entries);
  free(e);
}

static name name_of(const entry *en) {
  return (name){{en->ids, en->customer_len}, {en->ids + en->customer_len, en->session_len}};
}

static au_slice tab_of(const entry *en) {
  return (au_slice){en->ids + en->customer_len + en->session_len, en->tab_len};
}

static bool entry_eq(const map_node *node, const void *key) {
  name mine = name_of((const entry *)node);
  const name *wanted = key;
  return slice_eq(mine.customer_id, wanted->customer_id) &&
         slice_eq(mine.session_id, wanted->session_id);
}

static uint32_t hash_of(const redis_endings *e, name n) {
  uint32_t customer = map_hash(e->entries, n.customer_id.ptr, n.customer_id.len, 0);
  return map_hash(e->entries, n.session_id.ptr, n.session_id.len, customer);
}

static entry *find(const redis_endings *e, name n) {
  return (entry *)map_find(e->entries, hash_of(e, n), entry_eq, &n);
}

static entry *entry_create(const au_beat *beat) {
  size_t bytes = beat->customer_id.len + beat->session_id.len + beat->tab_id.len;
  entry *en = calloc(1, sizeof *en + bytes);
  if (!en) return NULL;
  en->customer_len = (uint8_t)beat->customer_id.len;
  en->session_len = (uint8_t)beat->session_id.len;
  en->tab_len = (uint8_t)beat->tab_id.len;
  char *at = en->ids;
  memcpy(at, beat->customer_id.ptr, beat->customer_id.len);
  memcpy(at += beat->customer_id.len, beat->session_id.ptr, beat->session_id.len);
  memcpy(at + beat->session_id.len, beat->tab_id.ptr, beat->tab_id.len);
  return en;
}

/* A session that has left was not ended by another tab, nor is it shortened. */
static bool takes_the_place(const entry *old, redis_ending_kind kind, const au_beat *beat,
                            redis_moment at) {
  if (old->at.number > at.number) return false;
  return old->kind == REDIS_ENDING_SHORTEN ||
         (kind == REDIS_ENDING_LEAVE && slice_eq(tab_of(old), beat->tab_id));
}

au_status redis_endings_add(redis_endings *e, redis_ending_kind kind, const au_beat *beat,
                            redis_moment at, int64_t held_ms) {
  entry *old = find(e, (name){beat->customer_id, beat->session_id});
  if (old && !takes_the_place(old, kind, beat, at)) return AU_OK;
  if (!old && map_count(e->entries) >= e->max) return AU_EBUSY;
  entry *en = entry_create(beat);
  if (!en) return AU_ENOMEM;
  if (old) drop(e, old);
  en->kind = kind;
  en->at = at;
  en->held_ms = held_ms;
  map_insert(e->entries, &en->node, hash_of(e, name_of(en)));
  deadline_arm(&e->queue, &en->until, at.ms);
  return AU_OK;
}

bool redis_endings_find(const redis_endings *e, const au_beat *beat, redis_moment since,
                        redis_ending_kind *kind) {
  if (map_count(e->entries) == 0) return false; /* as nearly always: no need to hash */
  const entry *en = find(e, (name){beat->customer_id, beat->session_id});
  if (!en || en->at.number <= since.number) return false;
  *kind = en->kind;
  return slice_eq(tab_of(en), beat->tab_id);
}

void redis_endings_remove(redis_endings *e, au_slice customer_id, au_slice session_id) {
  if (map_count(e->entries) == 0) return;
  entry *en = find(e, (name){customer_id, session_id});
  if (en) drop(e, en);
}

static void copy_out(const entry *en, redis_ending *out) {
  size_t bytes = (size_t)en->customer_len + en->session_len + en->tab_len;
  memcpy(out->bytes, en->ids, bytes);
  out->kind = en->kind;
  out->at = en->at;
  out->held_ms = en->held_ms;
  const char *at = out->bytes;
  out->who = (au_beat){
      .customer_id = {at, en->customer_len},
      .session_id = {at + en->customer_len, en->session_len},
      .tab_id = {at + en->customer_len + en->session_len, en->tab_len},
  };
}

bool redis_endings_take(redis_endings *e, int64_t now_ms, redis_ending *out) {
  for (deadline *d; (d = deadline_first(&e->queue)) != NULL;) {
    entry *en = (entry *)(void *)((char *)d - offsetof(entry, until));
    bool matters = d->at_ms > now_ms;
    if (matters) copy_out(en, out);
    drop(e, en);
    if (matters) return true;
  }
  return false;
}

size_t redis_endings_count(const redis_endings *e) {
  return map_count(e->entries);
}

/* A map that remembers its order. Must not know who is told of an act, nor when. */
#include "redis_acts.h"

#include "../utils/buffer.h"
#include "../utils/deadline.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  map_node node; /* first: a node is cast to its entry */
  deadline until;
  redis_moment at;
  int64_t held_ms;
  redis_act_kind kind;
  uint8_t customer_len, session_len, tab_len;
  char ids[]; /* customer, session and tab, one behind the other */
} entry;

struct redis_acts {
  map *entries;
  deadline_queue queue;
  size_t max;
};

typedef struct name {
  au_slice customer_id, session_id;
} name;

au_status redis_acts_create(map_seed seed, size_t max, int64_t lifetime_ms, redis_acts **out) {
  redis_acts *a = calloc(1, sizeof *a);
  if (!a) return AU_ENOMEM;
  au_status status = map_create(seed, &a->entries);
  if (status != AU_OK) {
    free(a);
    return status;
  }
  deadline_queue_init(&a->queue, lifetime_ms);
  a->max = max;
  *out = a;
  return AU_OK;
}

static void drop(redis_acts *a, entry *en) {
  deadline_cancel(&en->until);
  map_remove(a->entries, &en->node);
  free(en);
}

void redis_acts_free(redis_acts *a) {
  if (!a) return;
  for (map_node *node; (node = map_any(a->entries)) != NULL;) drop(a, (entry *)node);
  map_free(a->entries);
  free(a);
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

static uint32_t hash_of(const redis_acts *a, name n) {
  uint32_t customer = map_hash(a->entries, n.customer_id.ptr, n.customer_id.len, 0);
  return map_hash(a->entries, n.session_id.ptr, n.session_id.len, customer);
}

static entry *find(const redis_acts *a, name n) {
  return (entry *)map_find(a->entries, hash_of(a, n), entry_eq, &n);
}

/* Puts the three ids one behind the other. */
static void pack(char *to, const au_beat *who) {
  const au_slice ids[] = {who->customer_id, who->session_id, who->tab_id};
  for (size_t i = 0; i < 3; i++) {
    memcpy(to, ids[i].ptr, ids[i].len);
    to += ids[i].len;
  }
}

static size_t packed_len(const au_beat *who) {
  return who->customer_id.len + who->session_id.len + who->tab_id.len;
}

static entry *entry_create(const redis_act *act) {
  entry *en = calloc(1, sizeof *en + packed_len(&act->who));
  if (!en) return NULL;
  en->kind = act->kind;
  en->at = act->at;
  en->held_ms = act->held_ms;
  en->customer_len = (uint8_t)act->who.customer_id.len;
  en->session_len = (uint8_t)act->who.session_id.len;
  en->tab_len = (uint8_t)act->who.tab_id.len;
  pack(en->ids, &act->who);
  return en;
}

/* A session that has left was not ended by another tab, nor is it shortened. */
static bool takes_the_place(const redis_act *act, const entry *old) {
  if (old->at.number > act->at.number) return false;
  return old->kind != REDIS_ACT_LEAVE ||
         (act->kind == REDIS_ACT_LEAVE && slice_eq(tab_of(old), act->who.tab_id));
}

au_status redis_acts_add(redis_acts *a, const redis_act *act) {
  entry *old = find(a, (name){act->who.customer_id, act->who.session_id});
  if (old && !takes_the_place(act, old)) return AU_OK;
  if (!old && map_count(a->entries) >= a->max) return AU_EBUSY;
  entry *en = entry_create(act);
  if (!en) return AU_ENOMEM;
  if (old) {
    if (slice_eq(tab_of(old), act->who.tab_id) && old->held_ms > en->held_ms)
      en->held_ms = old->held_ms;
    drop(a, old);
  }
  map_insert(a->entries, &en->node, hash_of(a, name_of(en)));
  deadline_arm(&a->queue, &en->until, act->at.ms);
  return AU_OK;
}

bool redis_acts_has(const redis_acts *a, au_slice customer_id, au_slice session_id) {
  return find(a, (name){customer_id, session_id}) != NULL;
}

bool redis_acts_find(const redis_acts *a, const au_beat *beat, redis_moment since,
                     redis_act_kind *kind) {
  if (map_count(a->entries) == 0) return false; /* as nearly always: no need to hash */
  const entry *en = find(a, (name){beat->customer_id, beat->session_id});
  if (!en || en->at.number <= since.number) return false;
  *kind = en->kind;
  return slice_eq(tab_of(en), beat->tab_id);
}

void redis_acts_remove(redis_acts *a, au_slice customer_id, au_slice session_id) {
  if (map_count(a->entries) == 0) return;
  entry *en = find(a, (name){customer_id, session_id});
  if (en) drop(a, en);
}

void redis_act_copy(redis_act *to, const redis_act *from) {
  const au_beat *who = &from->who;
  char *at = to->bytes;
  pack(at, who);
  to->kind = from->kind;
  to->at = from->at;
  to->held_ms = from->held_ms;
  to->who = (au_beat){
      .customer_id = {at, who->customer_id.len},
      .session_id = {at + who->customer_id.len, who->session_id.len},
      .tab_id = {at + who->customer_id.len + who->session_id.len, who->tab_id.len},
  };
}

/* Points into the entry. */
static redis_act act_of(const entry *en) {
  name n = name_of(en);
  return (redis_act){
      .kind = en->kind,
      .at = en->at,
      .held_ms = en->held_ms,
      .who = {.customer_id = n.customer_id, .session_id = n.session_id, .tab_id = tab_of(en)},
  };
}

/* What was put back is armed with its own time: behind it there may be older ones, which are
 * met in their turn. */
static entry *first_entry(const redis_acts *a) {
  deadline *d = deadline_first(&a->queue);
  return d ? (entry *)(void *)((char *)d - offsetof(entry, until)) : NULL;
}

bool redis_acts_take(redis_acts *a, int64_t now_ms, redis_act *out) {
  for (entry *en; (en = first_entry(a)) != NULL;) {
    bool matters = en->until.at_ms > now_ms;
    if (matters) {
      redis_act act = act_of(en);
      redis_act_copy(out, &act);
    }
    drop(a, en);
    if (matters) return true;
  }
  return false;
}

void redis_acts_expire(redis_acts *a, int64_t now_ms, size_t max) {
  for (entry *en; max > 0 && (en = first_entry(a)) != NULL && en->until.at_ms <= now_ms; max--)
    drop(a, en);
}

size_t redis_acts_count(const redis_acts *a) {
  return map_count(a->entries);
}

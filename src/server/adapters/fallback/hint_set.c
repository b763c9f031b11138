/* A map of hints by session; each is in a queue of the caller, and in one of all by age. */
#include "hint_set.h"

#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  map_node node;  /* first: a node is cast to its entry */
  deadline place; /* in the caller's queue */
  deadline until; /* in `ages` */
  hint_queue *queue;
  op_seq at;
  int64_t held_ms, grace_ms;
  uint8_t kind, customer_len, session_len, tab_len;
  char ids[]; /* customer, session and tab, one behind the other */
} entry;

struct hint_set {
  map *entries;
  deadline_queue ages;
  size_t max;
};

typedef struct name {
  au_slice customer_id, session_id;
} name;

void hint_queue_init(hint_queue *q) {
  deadline_queue_init(&q->entries, 0);
}

bool hint_queue_is_empty(const hint_queue *q) {
  return deadline_first(&q->entries) == NULL;
}

au_status hint_set_create(map_seed seed, size_t max, int64_t lifetime_ms, hint_set **out) {
  hint_set *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  au_status status = map_create(seed, &s->entries);
  if (status != AU_OK) {
    free(s);
    return status;
  }
  deadline_queue_init(&s->ages, lifetime_ms);
  s->max = max;
  *out = s;
  return AU_OK;
}

static void drop(hint_set *s, entry *en) {
  deadline_cancel(&en->place);
  deadline_cancel(&en->until);
  map_remove(s->entries, &en->node);
  free(en);
}

void hint_set_free(hint_set *s) {
  if (!s) return;
  for (map_node *node; (node = map_any(s->entries)) != NULL;) drop(s, (entry *)node);
  map_free(s->entries);
  free(s);
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

static uint32_t hash_of(const hint_set *s, name n) {
  uint32_t customer = map_hash(s->entries, n.customer_id.ptr, n.customer_id.len, 0);
  return map_hash(s->entries, n.session_id.ptr, n.session_id.len, customer);
}

static entry *find(const hint_set *s, name n) {
  return (entry *)map_find(s->entries, hash_of(s, n), entry_eq, &n);
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

static entry *entry_create(const hint *h) {
  entry *en = calloc(1, sizeof *en + packed_len(&h->who));
  if (!en) return NULL;
  en->kind = (uint8_t)h->kind;
  en->at = h->at;
  en->held_ms = h->held_ms;
  en->grace_ms = h->grace_ms;
  en->customer_len = (uint8_t)h->who.customer_id.len;
  en->session_len = (uint8_t)h->who.session_id.len;
  en->tab_len = (uint8_t)h->who.tab_id.len;
  pack(en->ids, &h->who);
  return en;
}

/* A session that has left is neither ended nor shortened by another tab. But a tab that was not
 * known to hold the session may have ended nothing: then the leave of the tab that held it counts.
 */
static bool replaces(const hint *h, const entry *old) {
  if (old->at.seq > h->at.seq) return false;
  if (old->kind != HINT_LEAVE) return true;
  bool is_holder = old->held_ms < 0 && h->held_ms >= 0;
  return h->kind == HINT_LEAVE && (is_holder || slice_eq(tab_of(old), h->who.tab_id));
}

/* Two hints of one tab. */
static void combine(entry *en, const entry *old) {
  if (old->held_ms > en->held_ms) en->held_ms = old->held_ms;
  if (en->kind != HINT_SHORTEN || old->kind != HINT_SHORTEN) return;
  int64_t left_ms = old->at.at_ms + old->grace_ms - en->at.at_ms;
  if (left_ms < en->grace_ms) en->grace_ms = left_ms > 0 ? left_ms : 0;
}

au_status hint_set_add(hint_set *s, hint_queue *q, const hint *h) {
  entry *old = find(s, (name){h->who.customer_id, h->who.session_id});
  if (old && !replaces(h, old)) return AU_OK;
  if (!old && map_count(s->entries) >= s->max) return AU_EBUSY;
  entry *en = entry_create(h);
  if (!en) return AU_ENOMEM;
  if (old) {
    if (slice_eq(tab_of(old), h->who.tab_id)) combine(en, old);
    drop(s, old);
  }
  map_insert(s->entries, &en->node, hash_of(s, name_of(en)));
  en->queue = q;
  deadline_arm(&q->entries, &en->place, h->at.at_ms);
  deadline_arm(&s->ages, &en->until, h->at.at_ms);
  return AU_OK;
}

/* Points into the entry. */
static hint hint_of(const entry *en) {
  name n = name_of(en);
  return (hint){
      .kind = (hint_kind)en->kind,
      .at = en->at,
      .held_ms = en->held_ms,
      .grace_ms = en->grace_ms,
      .who = {.customer_id = n.customer_id, .session_id = n.session_id, .tab_id = tab_of(en)},
  };
}

bool hint_set_find(const hint_set *s, const au_beat *beat, op_seq since, hint *out) {
  if (map_count(s->entries) == 0) return false; /* as nearly always: no need to hash */
  const entry *en = find(s, (name){beat->customer_id, beat->session_id});
  if (!en || en->at.seq <= since.seq || !slice_eq(tab_of(en), beat->tab_id)) return false;
  *out = hint_of(en);
  return true;
}

hint_queue *hint_set_remove(hint_set *s, au_slice customer_id, au_slice session_id) {
  if (map_count(s->entries) == 0) return NULL;
  entry *en = find(s, (name){customer_id, session_id});
  if (!en) return NULL;
  hint_queue *q = en->queue;
  drop(s, en);
  return q;
}

void hint_copy(hint *to, const hint *from) {
  const au_beat *who = &from->who;
  char *at = to->bytes;
  pack(at, who);
  to->kind = from->kind;
  to->at = from->at;
  to->held_ms = from->held_ms;
  to->grace_ms = from->grace_ms;
  to->who = (au_beat){
      .customer_id = {at, who->customer_id.len},
      .session_id = {at + who->customer_id.len, who->session_id.len},
      .tab_id = {at + who->customer_id.len + who->session_id.len, who->tab_id.len},
  };
}

static entry *first_in(const hint_queue *q) {
  deadline *d = deadline_first(&q->entries);
  return d ? (entry *)(void *)((char *)d - offsetof(entry, place)) : NULL;
}

bool hint_set_take(hint_set *s, hint_queue *q, int64_t now_ms, hint *out) {
  for (entry *en; (en = first_in(q)) != NULL;) {
    bool matters = en->until.at_ms > now_ms;
    if (matters) {
      hint h = hint_of(en);
      hint_copy(out, &h);
    }
    drop(s, en);
    if (matters) return true;
  }
  return false;
}

/* A hint that was put back keeps its time: older ones may be behind it, and are met in their
 * turn. */
hint_queue *hint_set_expire(hint_set *s, int64_t now_ms) {
  deadline *d = deadline_first(&s->ages);
  if (!d || d->at_ms > now_ms) return NULL;
  entry *en = (entry *)(void *)((char *)d - offsetof(entry, until));
  hint_queue *q = en->queue;
  drop(s, en);
  return q;
}

size_t hint_set_count(const hint_set *s) {
  return map_count(s->entries);
}

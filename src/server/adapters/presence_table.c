/* Customers, sessions and deadlines in memory; must not know a loop, a clock or
 * who asks. */
#include "presence_table.h"

#include "../utils/buffer.h"
#include "../utils/deadline.h"
#include "presence_session.h"

#include <stdlib.h>
#include <string.h>

/* One customer. It waits for its next tick in one of two queues: `fresh` before
 * the first, `ticked` after it; there `waiting.at_ms` is when it came in, for
 * both queues have a lifetime of 0. */
struct customer {
  map_node node; /* first: a node is cast to its customer */
  deadline waiting;
  uint64_t number; /* never used twice; salts the hashes of the sessions */
  double ema;
  uint32_t sessions;
  bool has_ema;
  uint8_t id_len;
  char id[];
};

struct presence_table {
  presence_table_config config;
  map *customers, *sessions;
  deadline_queue renewed, vanished; /* sessions, by their deadline */
  deadline_queue fresh, ticked;     /* customers, by their last tick */
  presence_walk *walks;             /* under way */
  uint64_t next_number;
  int64_t now_ms; /* the latest that was passed in: the queues must never go back */
};

typedef struct session_key {
  const customer *owner;
  au_slice id;
} session_key;

static customer *customer_of(deadline *waiting) {
  return (customer *)(void *)((char *)waiting - offsetof(customer, waiting));
}

static au_slice customer_name(const customer *c) {
  return (au_slice){c->id, c->id_len};
}

/* ---- finding -------------------------------------------------------------- */

static bool customer_eq(const map_node *node, const void *key) {
  return slice_eq(customer_name((const customer *)node), *(const au_slice *)key);
}

static bool session_eq(const map_node *node, const void *key) {
  const session *s = (const session *)node;
  const session_key *wanted = key;
  return s->owner == wanted->owner && slice_eq(session_name(s), wanted->id);
}

static uint32_t customer_hash(const presence_table *t, au_slice id) {
  return map_hash(t->customers, id.ptr, id.len, 0);
}

static uint32_t session_hash(const presence_table *t, const customer *owner, au_slice id) {
  return map_hash(t->sessions, id.ptr, id.len, owner->number);
}

static customer *customer_find(const presence_table *t, au_slice id) {
  return (customer *)map_find(t->customers, customer_hash(t, id), customer_eq, &id);
}

/* `owner` may be NULL, an unknown customer. */
static session *session_find(const presence_table *t, const customer *owner, au_slice id) {
  if (!owner) return NULL;
  session_key key = {owner, id};
  return (session *)map_find(t->sessions, session_hash(t, owner, id), session_eq, &key);
}

/* Without the sessions whose deadline has passed and that wait to be ended. */
static session *session_find_live(const presence_table *t, const customer *owner, au_slice id,
                                  int64_t now_ms) {
  session *s = session_find(t, owner, id);
  return s && s->deadline.at_ms > now_ms ? s : NULL;
}

/* ---- beginning and ending ------------------------------------------------- */

static void customer_unlink(presence_table *t, customer *c) {
  deadline_cancel(&c->waiting);
  map_remove(t->customers, &c->node);
}

static void tell_changed(const presence_table *t, au_slice id) {
  if (t->config.changed) t->config.changed(t->config.arg, id);
}

/* Takes a session off its queue; a walk that would meet it next goes on behind it. */
static void unqueue(presence_table *t, session *s) {
  for (presence_walk *w = t->walks; w; w = w->next) {
    if (w->renewed == &s->deadline) w->renewed = deadline_before(&t->renewed, &s->deadline);
    if (w->vanished == &s->deadline) w->vanished = deadline_before(&t->vanished, &s->deadline);
  }
  deadline_cancel(&s->deadline);
}

/* May free its owner. */
static void session_end(presence_table *t, session *s) {
  customer *owner = s->owner;
  unqueue(t, s);
  map_remove(t->sessions, &s->node);
  free(s);
  owner->sessions--;
  bool gone = owner->sessions == 0 && !t->config.keep_customers;
  if (gone) customer_unlink(t, owner);
  tell_changed(t, customer_name(owner)); /* the table is whole again; the id still is */
  if (gone) free(owner);
}

/* Ends a slice of what has expired. Returns the clock to go by, which never goes
 * back. */
static int64_t advance(presence_table *t, int64_t now_ms) {
  if (now_ms > t->now_ms) t->now_ms = now_ms;
  for (int i = 0; i < PRESENCE_TABLE_SLICE; i++) {
    deadline *d = deadline_first(&t->vanished);
    if (!d || d->at_ms > t->now_ms) d = deadline_first(&t->renewed);
    if (!d || d->at_ms > t->now_ms) break;
    session_end(t, session_of(d));
  }
  return t->now_ms;
}

static customer *customer_create(au_slice id) {
  customer *c = calloc(1, sizeof *c + id.len);
  if (!c) return NULL;
  c->id_len = (uint8_t)id.len;
  memcpy(c->id, id.ptr, id.len);
  return c;
}

static void customer_link(presence_table *t, customer *c, int64_t now_ms) {
  c->number = t->next_number++;
  map_insert(t->customers, &c->node, customer_hash(t, customer_name(c)));
  deadline_arm(&t->fresh, &c->waiting, now_ms);
}

/* All that can fail comes first, so that a refusal leaves nothing behind. `owner`
 * is NULL when the customer is new too. */
static au_status session_begin(presence_table *t, customer *owner, const au_beat *beat,
                               int64_t now_ms) {
  if (map_count(t->sessions) >= t->config.max_sessions) return AU_EFULL;
  if (!owner && map_count(t->customers) >= t->config.max_customers) return AU_EFULL;
  session *s = session_create(beat, t->config.keep_profile);
  if (!s) return AU_ENOMEM;
  if (!owner) {
    owner = customer_create(beat->customer_id);
    if (!owner) {
      free(s);
      return AU_ENOMEM;
    }
    customer_link(t, owner, now_ms);
  }
  s->owner = owner;
  s->renewed_ms = now_ms;
  owner->sessions++;
  map_insert(t->sessions, &s->node, session_hash(t, owner, beat->session_id));
  deadline_arm(&t->renewed, &s->deadline, now_ms);
  tell_changed(t, customer_name(owner));
  return AU_OK;
}

/* Hands a session to the tab of `beat`, in a new allocation when the new words do
 * not fit into the old one. */
static au_status session_renew(presence_table *t, session *s, const au_beat *beat,
                               au_touch_kind kind, int64_t now_ms) {
  bool profile = t->config.keep_profile && kind == AU_TOUCH_JOIN;
  if (!session_update(s, beat, profile)) {
    session *larger = session_grow(s, beat, profile);
    if (!larger) return AU_ENOMEM;
    uint32_t hash = s->node.hash;
    unqueue(t, s);
    map_remove(t->sessions, &s->node);
    free(s);
    s = larger;
    map_insert(t->sessions, &s->node, hash);
  }
  s->renewed_ms = now_ms;
  unqueue(t, s);
  deadline_arm(&t->renewed, &s->deadline, now_ms);
  return AU_OK;
}

/* ---- the table ------------------------------------------------------------ */

au_status presence_table_create(const presence_table_config *config, presence_table **out) {
  presence_table *t = calloc(1, sizeof *t);
  if (!t) return AU_ENOMEM;
  t->config = *config;
  t->now_ms = INT64_MIN;
  deadline_queue_init(&t->renewed, config->ttl_ms);
  deadline_queue_init(&t->vanished, config->grace_ms);
  deadline_queue_init(&t->fresh, 0);
  deadline_queue_init(&t->ticked, 0);
  if (map_create(config->seed, &t->customers) != AU_OK ||
      map_create(config->seed, &t->sessions) != AU_OK) {
    presence_table_free(t);
    return AU_ENOMEM;
  }
  *out = t;
  return AU_OK;
}

static void free_sessions(deadline_queue *queue) {
  for (deadline *d; (d = deadline_first(queue));) {
    deadline_cancel(d);
    free(session_of(d));
  }
}

static void free_customers(deadline_queue *queue) {
  for (deadline *d; (d = deadline_first(queue));) {
    deadline_cancel(d);
    free(customer_of(d));
  }
}

void presence_table_free(presence_table *t) {
  if (!t) return;
  free_sessions(&t->renewed);
  free_sessions(&t->vanished);
  free_customers(&t->fresh);
  free_customers(&t->ticked);
  map_free(t->customers);
  map_free(t->sessions);
  free(t);
}

au_status presence_table_touch(presence_table *t, const au_beat *beat, au_touch_kind kind,
                               int64_t now_ms) {
  now_ms = advance(t, now_ms);
  if (!session_fits(beat)) return AU_EINVAL;
  customer *owner = customer_find(t, beat->customer_id);
  session *s = session_find(t, owner, beat->session_id);
  if (s && s->deadline.at_ms > now_ms) return session_renew(t, s, beat, kind, now_ms);
  if (s) { /* expired, but behind more than a slice: it is gone, and this is another */
    session_end(t, s);
    owner = customer_find(t, beat->customer_id); /* which may have gone with it */
  }
  return session_begin(t, owner, beat, now_ms);
}

/* The live session that `beat->tab_id` holds, or NULL. */
static session *held_session(presence_table *t, const au_beat *beat, int64_t now_ms) {
  const customer *owner = customer_find(t, beat->customer_id);
  session *s = session_find_live(t, owner, beat->session_id, now_ms);
  return s && slice_eq(session_tab(s), beat->tab_id) ? s : NULL;
}

bool presence_table_leave(presence_table *t, const au_beat *beat, int64_t now_ms) {
  now_ms = advance(t, now_ms);
  session *s = held_session(t, beat, now_ms);
  if (s) session_end(t, s);
  return s != NULL;
}

bool presence_table_shorten(presence_table *t, const au_beat *beat, int64_t now_ms) {
  now_ms = advance(t, now_ms);
  session *s = held_session(t, beat, now_ms);
  if (!s || s->deadline.at_ms <= now_ms + t->config.grace_ms) return false;
  unqueue(t, s);
  deadline_arm(&t->vanished, &s->deadline, now_ms);
  return true;
}

bool presence_table_drop(presence_table *t, au_slice customer_id, au_slice session_id) {
  session *s = session_find(t, customer_find(t, customer_id), session_id);
  if (s) session_end(t, s);
  return s != NULL;
}

static void read_live(const session *s, presence_live *out) {
  session_read(s, &out->beat);
  out->beat.customer_id = customer_name(s->owner);
  out->renewed_ms = s->renewed_ms;
  out->deadline_ms = s->deadline.at_ms;
}

bool presence_table_find(const presence_table *t, au_slice customer_id, au_slice session_id,
                         int64_t now_ms, presence_live *out) {
  const session *s = session_find_live(t, customer_find(t, customer_id), session_id, now_ms);
  if (s) read_live(s, out);
  return s != NULL;
}

int64_t presence_table_renewed_ago_ms(const presence_table *t, au_slice customer_id,
                                      au_slice session_id, int64_t now_ms) {
  const session *s = session_find_live(t, customer_find(t, customer_id), session_id, now_ms);
  if (!s) return -1;
  return now_ms > s->renewed_ms ? now_ms - s->renewed_ms : 0;
}

/* -1: never. */
static int64_t earlier(int64_t a_ms, int64_t b_ms) {
  if (a_ms < 0) return b_ms;
  return b_ms < 0 || a_ms < b_ms ? a_ms : b_ms;
}

int64_t presence_table_expire(presence_table *t, int64_t now_ms) {
  now_ms = advance(t, now_ms);
  int64_t next_ms = earlier(deadline_next_ms(&t->renewed), deadline_next_ms(&t->vanished));
  if (next_ms < 0) return -1;
  return next_ms > now_ms ? next_ms - now_ms : 0;
}

/* ---- walks ---------------------------------------------------------------- */

void presence_table_walk(presence_table *t, presence_walk *walk, int64_t since_ms) {
  *walk = (presence_walk){
      .next = t->walks, .renewed = deadline_last(&t->renewed), .since_ms = since_ms};
  t->walks = walk;
}

void presence_table_walk_end(presence_table *t, presence_walk *walk) {
  for (presence_walk **at = &t->walks; *at; at = &(*at)->next) {
    if (*at != walk) continue;
    *at = walk->next;
    break;
  }
  *walk = (presence_walk){.is_in_vanished = true};
}

/* The queue of the renewed is in the order of touches, so it ends with the first that is too
 * old. Only then come the vanished: whoever vanished meanwhile has been met. */
static session *walk_step(const presence_table *t, presence_walk *w) {
  if (w->renewed) {
    session *s = session_of(w->renewed);
    w->renewed = s->renewed_ms >= w->since_ms ? deadline_before(&t->renewed, &s->deadline) : NULL;
    return s;
  }
  if (!w->is_in_vanished) {
    w->is_in_vanished = true;
    w->vanished = deadline_last(&t->vanished);
  }
  if (!w->vanished) return NULL;
  session *s = session_of(w->vanished);
  w->vanished = deadline_before(&t->vanished, &s->deadline);
  return s;
}

bool presence_table_walk_next(presence_table *t, presence_walk *walk, int64_t now_ms,
                              presence_live *out) {
  for (session *s; (s = walk_step(t, walk)) != NULL;) {
    if (s->renewed_ms < walk->since_ms || s->deadline.at_ms <= now_ms) continue;
    read_live(s, out);
    return true;
  }
  return false;
}

/* ---- customers ------------------------------------------------------------ */

void presence_table_sample(presence_table *t, au_slice customer_id, int64_t now_ms,
                           au_sample *out) {
  now_ms = advance(t, now_ms);
  *out = (au_sample){0};
  const customer *c = customer_find(t, customer_id);
  if (!c) return;
  out->count = c->sessions;
  out->has_ema = c->has_ema;
  out->ema = c->ema;
  if (!c->has_ema) return;
  out->ticked_ms = c->waiting.at_ms;
  out->elapsed_ms = now_ms - c->waiting.at_ms;
}

/* A list of customers that is being filled. */
typedef struct listing {
  size_t skip, max, n;
  au_slice *ids;
} listing;

/* Those that came into `queue` up to `until_ms`, longest waiting first. */
static void list_waiting(listing *l, const presence_table *t, const deadline_queue *queue,
                         int64_t until_ms) {
  for (deadline *d = deadline_first(queue); d && l->n < l->max; d = deadline_after(queue, d)) {
    if (d->at_ms > until_ms) break;
    au_slice id = customer_name(customer_of(d));
    if (t->config.is_due && !t->config.is_due(t->config.arg, id)) continue;
    if (l->skip > 0)
      l->skip--;
    else
      l->ids[l->n++] = id;
  }
}

size_t presence_table_due(presence_table *t, int64_t min_age_ms, int64_t now_ms, size_t skip,
                          au_slice *ids, size_t max) {
  now_ms = advance(t, now_ms);
  listing l = {.skip = skip, .max = max, .ids = ids};
  list_waiting(&l, t, &t->fresh, now_ms);
  list_waiting(&l, t, &t->ticked, now_ms - min_age_ms);
  return l.n;
}

void presence_table_save(presence_table *t, au_slice customer_id, double ema, int64_t now_ms) {
  now_ms = advance(t, now_ms);
  customer *c = customer_find(t, customer_id);
  if (!c) return;
  c->has_ema = true;
  c->ema = ema;
  deadline_arm(&t->ticked, &c->waiting, now_ms);
}

void presence_table_forget(presence_table *t, au_slice customer_id, int64_t now_ms) {
  advance(t, now_ms);
  customer *c = customer_find(t, customer_id);
  if (!c || c->sessions > 0) return;
  customer_unlink(t, c);
  free(c);
}

uint32_t presence_table_sessions(const presence_table *t) {
  return (uint32_t)map_count(t->sessions);
}

uint32_t presence_table_customers(const presence_table *t) {
  return (uint32_t)map_count(t->customers);
}

/* Customers, sessions and deadlines in memory. */
#include "presence_table.h"

#include "presence_pages.h"
#include "presence_private.h"
#include "utils/buffer.h"
#include "visitor.h"

#include <stdlib.h>

enum {
  MS_PER_DAY = 24 * 3600 * 1000,
  DAY_ASKED_MS = 60 * 1000, /* the wall clock may have been set */
};

static const au_store_events no_events;

typedef struct session_key {
  const customer *owner;
  au_slice id;
} session_key;

static customer *customer_of(deadline *waiting) {
  return (customer *)(void *)((char *)waiting - offsetof(customer, waiting));
}

static customer *customer_of_empty(deadline *empty) {
  return (customer *)(void *)((char *)empty - offsetof(customer, empty));
}

/* ---- finding -------------------------------------------------------------- */

static bool session_eq(const map_node *node, const void *key) {
  const session *s = (const session *)node;
  const session_key *wanted = key;
  return s->owner == wanted->owner && slice_eq(session_name(s), wanted->id);
}

static uint32_t session_hash(const presence_table *t, const customer *owner, au_slice id) {
  return map_hash(t->sessions, id.ptr, id.len, owner->number);
}

static customer *customer_find(const presence_table *t, au_slice id) {
  return id_map_find(&t->customers, id);
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

/* The session that was asked for last, when it is this one; else NULL. */
static session *session_asked(const presence_table *t, au_slice customer_id, au_slice id) {
  session *s = t->asked;
  return s && slice_eq(session_name(s), id) && slice_eq(id_map_id(s->owner), customer_id) ? s
                                                                                          : NULL;
}

/* ---- beginning and ending ------------------------------------------------- */

static void customer_unlink(presence_table *t, customer *c) {
  deadline_cancel(&c->waiting);
  deadline_cancel(&c->empty);
  id_map_remove(&t->customers, c);
}

static void customer_end(presence_table *t, customer *c) {
  customer_unlink(t, c);
  free(c);
}

static void report_ended(const presence_table *t, void *source) {
  const au_store_events *to = t->config.events;
  if (source && to->session_ended) to->session_ended(to->arg, source);
}

static void report_began(const presence_table *t, void *source) {
  const au_store_events *to = t->config.events;
  if (source && to->session_began) to->session_began(to->arg, source);
}

static void report_changed(const presence_table *t, au_slice id) {
  if (t->config.changed) t->config.changed(t->config.arg, id);
}

static void report_seen(const presence_table *t, const session *s) {
  const au_store_events *to = t->config.events;
  if (to->session_seen) to->session_seen(to->arg, id_map_id(s->owner), session_name(s));
}

/* Asks when the day began: each minute, and when it is over. */
static void check_day(presence_table *t, int64_t now_ms) {
  if (now_ms < t->day_asked_ms || !t->config.wall) return;
  t->day_began_ms = now_ms - clock_wall_ms(t->config.wall) % MS_PER_DAY;
  int64_t over_ms = t->day_began_ms + MS_PER_DAY;
  t->day_asked_ms = over_ms < now_ms + DAY_ASKED_MS ? over_ms : now_ms + DAY_ASKED_MS;
}

/* Whether a customer without sessions is dropped; else it waits for its end. */
static bool is_dropped(presence_table *t, customer *c) {
  if (c->sessions > 0 || c->reserved > 0) return false;
  if (t->config.keep_customers) deadline_arm(&t->empty, &c->empty, t->now_ms);
  return !t->config.keep_customers;
}

static void session_free(presence_table *t, session *s) {
  if (t->asked == s) t->asked = NULL;
  free(s);
}

/* May free its owner. */
static void session_end(presence_table *t, session *s) {
  customer *owner = s->owner;
  void *source = s->source;
  presence_pages_drop(t, s);
  presence_unqueue(t, s);
  map_remove(t->sessions, &s->node);
  customer_count_visitor(owner, s->visitor, UINT32_MAX);
  session_free(t, s);
  owner->sessions--;
  bool gone = is_dropped(t, owner);
  if (gone) customer_unlink(t, owner);
  report_ended(t, source);
  report_changed(t, id_map_id(owner)); /* the table is whole again; the id still is */
  if (gone) free(owner);
}

/* Ends a slice of what has expired. Returns the clock to go by, which never goes
 * back. */
static int64_t advance(presence_table *t, int64_t now_ms) {
  if (now_ms > t->now_ms) t->now_ms = now_ms;
  for (int i = 0; i < PRESENCE_TABLE_SLICE; i++) {
    deadline *d = grace_queues_due(&t->shortened, t->now_ms);
    if (!d) d = deadline_first(&t->renewed);
    if (!d || d->at_ms > t->now_ms) break;
    session_end(t, session_of(d));
  }
  return t->now_ms;
}

static customer *customer_create(presence_table *t, au_slice id, int64_t now_ms) {
  customer *c = id_map_add(&t->customers, id);
  if (!c) return NULL;
  c->number = t->next_number++;
  deadline_arm(&t->fresh, &c->waiting, now_ms);
  return c;
}

/* Whether one more session of a customer fits beside those that are there and reserved; `c` is NULL
 * for a new one. */
static bool has_capacity(const presence_table *t, const customer *c, au_slice id) {
  const au_store_events *to = t->config.events;
  uint64_t taken = c ? (uint64_t)c->sessions + c->reserved : 0;
  return (uint64_t)map_count(t->sessions) + t->reserved < t->config.max_sessions &&
         (!to->max_sessions_of || taken < to->max_sessions_of(to->arg, id));
}

/* The customer that one more session begins for or is reserved for, new or not. */
static au_status customer_of_new(presence_table *t, au_slice id, int64_t now_ms, customer **out) {
  *out = customer_find(t, id);
  if (!has_capacity(t, *out, id)) return AU_EFULL;
  if (*out) return AU_OK;
  bool crowded = id_map_count(&t->customers) >= t->config.max_customers;
  deadline *idlest = crowded ? deadline_first(&t->empty) : NULL;
  if (crowded && !idlest) return AU_EFULL;
  *out = customer_create(t, id, now_ms);
  if (!*out) return AU_ENOMEM;
  if (idlest) customer_end(t, customer_of_empty(idlest));
  return AU_OK;
}

/* All that can fail comes first, so that a refusal leaves nothing behind. */
static au_status session_begin(presence_table *t, const au_beat *beat, int64_t now_ms) {
  session *s = session_create(beat, t->config.keep_profile);
  if (!s) return AU_ENOMEM;
  customer *owner;
  au_status status = customer_of_new(t, beat->customer_id, now_ms, &owner);
  if (status != AU_OK) {
    free(s);
    return status;
  }
  deadline_cancel(&owner->empty);
  s->owner = owner;
  s->renewed_ms = now_ms;
  owner->sessions++;
  customer_count_visitor(owner, s->visitor, 1);
  map_insert(t->sessions, &s->node, session_hash(t, owner, beat->session_id));
  deadline_arm(&t->renewed, &s->deadline, now_ms);
  report_began(t, s->source);
  if (s->visitor == AU_VISITOR_PERSON) report_seen(t, s);
  presence_pages_take(t, s, beat, true);
  report_changed(t, id_map_id(owner));
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
    presence_unqueue(t, s);
    map_remove(t->sessions, &s->node);
    session_free(t, s);
    s = larger;
    map_insert(t->sessions, &s->node, hash);
  }
  bool is_another = s->visitor != (uint8_t)beat->visitor;
  bool is_unseen = is_another || s->renewed_ms < t->day_began_ms;
  customer_count_visitor(s->owner, s->visitor, UINT32_MAX);
  if (is_another) presence_pages_set_visitor(t, s, beat->visitor);
  s->pending_ms = beat->pending_ms;
  customer_count_visitor(s->owner, s->visitor, 1);
  s->renewed_ms = now_ms;
  presence_unqueue(t, s);
  deadline_arm(&t->renewed, &s->deadline, now_ms);
  if (is_unseen && s->visitor == AU_VISITOR_PERSON) report_seen(t, s);
  presence_pages_take(t, s, beat, kind == AU_TOUCH_JOIN);
  if (is_another) report_changed(t, id_map_id(s->owner));
  return AU_OK;
}

/* ---- the table ------------------------------------------------------------ */

au_status presence_table_create(const presence_table_config *config, presence_table **out) {
  presence_table *t = calloc(1, sizeof *t);
  if (!t) return AU_ENOMEM;
  t->config = *config;
  if (!config->events) t->config.events = &no_events;
  t->now_ms = t->day_began_ms = t->day_asked_ms = INT64_MIN;
  deadline_queue_init(&t->renewed, config->ttl_ms);
  grace_queues_init(&t->shortened, config->grace_ms);
  deadline_queue_init(&t->fresh, 0);
  deadline_queue_init(&t->ticked, 0);
  deadline_queue_init(&t->empty, 0);
  if (id_map_init(&t->customers, config->seed, sizeof(customer)) != AU_OK ||
      map_create(config->seed, &t->sessions) != AU_OK ||
      map_create(config->seed, &t->pages) != AU_OK) {
    presence_table_free(t);
    return AU_ENOMEM;
  }
  *out = t;
  return AU_OK;
}

static void free_sessions(presence_table *t, deadline_queue *queue) {
  for (deadline *d; (d = deadline_first(queue));) {
    session *s = session_of(d);
    deadline_cancel(d);
    presence_pages_drop(t, s);
    report_ended(t, s->source);
    free(s);
  }
}

void presence_table_free(presence_table *t) {
  if (!t) return;
  t->config.pages = NULL; /* who would be told may be gone */
  free_sessions(t, &t->renewed);
  for (size_t i = 0; i <= GRACE_STEPS; i++) free_sessions(t, &t->shortened.queues[i]);
  id_map_free(&t->customers);
  map_free(t->sessions);
  map_free(t->pages);
  free(t);
}

/* The live session of a touch, NULL when it begins one. */
static session *session_of_touch(presence_table *t, const au_beat *beat, int64_t now_ms) {
  check_day(t, now_ms);
  session *s = session_asked(t, beat->customer_id, beat->session_id);
  if (!s) s = session_find(t, customer_find(t, beat->customer_id), beat->session_id);
  if (s && s->deadline.at_ms > now_ms) return s;
  if (s) session_end(t, s); /* expired, behind more than a slice: it is gone, this is another */
  return NULL;
}

au_status presence_table_touch(presence_table *t, const au_beat *beat, au_touch_kind kind,
                               int64_t now_ms) {
  now_ms = advance(t, now_ms);
  if (!session_fits(beat)) return AU_EINVAL;
  session *s = session_of_touch(t, beat, now_ms);
  au_beat before, sign = *beat;
  if (s) session_read(s, &before);
  visitor_judge(&sign, s ? &before : NULL, s ? now_ms - s->renewed_ms : 0,
                t->config.count_after_ms);
  return s ? session_renew(t, s, &sign, kind, now_ms) : session_begin(t, &sign, now_ms);
}

au_status presence_table_take(presence_table *t, const au_beat *beat, int64_t now_ms) {
  now_ms = advance(t, now_ms);
  if (!session_fits(beat)) return AU_EINVAL;
  session *s = session_of_touch(t, beat, now_ms);
  return s ? session_renew(t, s, beat, AU_TOUCH_JOIN, now_ms) : session_begin(t, beat, now_ms);
}

/* ---- reservations ----------------------------------------------------------- */

/* A reservation is its customer, which is not dropped meanwhile. */

au_status presence_table_reserve(presence_table *t, au_slice customer_id, int64_t now_ms,
                                 presence_reservation **out) {
  customer *c;
  now_ms = advance(t, now_ms);
  au_status status = customer_of_new(t, customer_id, now_ms, &c);
  if (status != AU_OK) return status;
  deadline_cancel(&c->empty);
  c->reserved++;
  t->reserved++;
  *out = c;
  return AU_OK;
}

void presence_table_release(presence_table *t, presence_reservation *reserved) {
  reserved->reserved--;
  t->reserved--;
  if (is_dropped(t, reserved)) customer_end(t, reserved);
}

/* The live session that `beat->tab_id` holds, or NULL. */
static session *held_session(const presence_table *t, const au_beat *beat, int64_t now_ms) {
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

static bool moves_forward(const presence_table *t, const session *s, int64_t grace_ms,
                          int64_t now_ms) {
  return s->deadline.at_ms > now_ms + grace_queues_lifetime_ms(&t->shortened, grace_ms);
}

bool presence_table_shorten(presence_table *t, const au_beat *beat, int64_t grace_ms,
                            int64_t now_ms) {
  now_ms = advance(t, now_ms);
  session *s = held_session(t, beat, now_ms);
  if (!s || !moves_forward(t, s, grace_ms, now_ms)) return false;
  presence_unqueue(t, s);
  grace_queues_arm(&t->shortened, &s->deadline, grace_ms, now_ms);
  return true;
}

bool presence_table_shortens(const presence_table *t, const au_beat *beat, int64_t grace_ms,
                             int64_t now_ms) {
  const session *s = held_session(t, beat, now_ms);
  return s && moves_forward(t, s, grace_ms, now_ms);
}

bool presence_table_drop(presence_table *t, au_slice customer_id, au_slice session_id) {
  session *s = session_find(t, customer_find(t, customer_id), session_id);
  if (s) session_end(t, s);
  return s != NULL;
}

bool presence_table_find(const presence_table *t, au_slice customer_id, au_slice session_id,
                         int64_t now_ms, presence_live *out) {
  const session *s = session_find_live(t, customer_find(t, customer_id), session_id, now_ms);
  if (s) presence_live_read(s, out);
  return s != NULL;
}

bool presence_table_holds(const presence_table *t, au_slice customer_id, au_slice session_id,
                          au_slice tab_id, int64_t now_ms) {
  const session *s = session_find_live(t, customer_find(t, customer_id), session_id, now_ms);
  return s && slice_eq(session_tab(s), tab_id);
}

int64_t presence_table_renewed_ago_ms(presence_table *t, au_slice customer_id, au_slice session_id,
                                      int64_t now_ms, bool *is_shortened) {
  session *s = session_find_live(t, customer_find(t, customer_id), session_id, now_ms);
  t->asked = s;
  if (is_shortened) *is_shortened = s && s->deadline.at_ms < s->renewed_ms + t->config.ttl_ms;
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
  int64_t next_ms = earlier(deadline_next_ms(&t->renewed), grace_queues_next_ms(&t->shortened));
  if (next_ms < 0) return -1;
  return next_ms > now_ms ? next_ms - now_ms : 0;
}

/* ---- customers ------------------------------------------------------------ */

void presence_table_sample(presence_table *t, au_slice customer_id, int64_t now_ms,
                           au_sample *out) {
  now_ms = advance(t, now_ms);
  *out = (au_sample){0};
  const customer *c = customer_find(t, customer_id);
  if (!c) return;
  out->count = customer_people(c);
  out->bots = c->bots;
  out->pending = c->pending;
  out->has_ema = c->has_ema;
  out->ema = c->ema;
  if (!c->has_ema) return;
  out->ticked_ms = c->waiting.at_ms;
  out->elapsed_ms = now_ms - c->waiting.at_ms;
}

void presence_table_breakdown(presence_table *t, au_slice customer_id, int64_t now_ms,
                              au_page_count *rows, au_breakdown *out) {
  advance(t, now_ms);
  presence_pages_list(customer_find(t, customer_id), rows, out);
}

presence_moved presence_table_moved(presence_table *t, au_slice customer_id, au_slice session_id,
                                    int64_t since_ms, int64_t *renewed_ms) {
  session *s = session_find(t, customer_find(t, customer_id), session_id);
  if (!s || !presence_pages_knows(s)) return PRESENCE_MOVED_UNKNOWN;
  *renewed_ms = s->renewed_ms;
  if (s->renewed_ms > since_ms) return PRESENCE_MOVED_BACK;
  presence_pages_drop(t, s);
  return PRESENCE_MOVED_AWAY;
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
    const customer *c = customer_of(d);
    au_slice id = id_map_id(c);
    if (c->sessions == 0 && c->reserved > 0) continue; /* it cannot be forgotten either */
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

void presence_table_evict(presence_table *t, au_slice customer_id, int64_t now_ms) {
  advance(t, now_ms);
  customer *c = customer_find(t, customer_id);
  if (!c || c->sessions > 0 || c->reserved > 0) return;
  customer_end(t, c);
}

uint32_t presence_table_sessions(const presence_table *t) {
  return (uint32_t)map_count(t->sessions);
}

uint32_t presence_table_sessions_of(const presence_table *t, au_slice customer_id) {
  const customer *c = customer_find(t, customer_id);
  return c ? c->sessions : 0;
}

uint32_t presence_table_customers(const presence_table *t) {
  return (uint32_t)id_map_count(&t->customers);
}

/* Who is active: passes beats to the store and keeps which tabs have sockets on this daemon.
 * Knows no transport and no kind of store. */
#include "presence.h"

#include "utils/buffer.h"
#include "utils/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WARN_EVERY_MS = 60000 };

struct presence {
  au_store *store;
  int64_t grace_ms;
  uint32_t address_customers; /* customers that one address may hold; 0: any number */
  map *people;                /* with at least one socket */
  map *tabs;                  /* of their tabs with at least one socket */
  bool has_warned;
  int64_t warned_ms;
};

/* A session with sockets here. */
typedef struct person {
  map_node node; /* first: a node is cast to its person */
  presence_tab_ref *tabs;
  uint8_t customer_len, session_len;
  char ids[]; /* customer and session, one behind the other */
} person;

struct presence_tab_ref {
  map_node node; /* first */
  person *who;
  presence_tab_ref *next, *prev; /* of the same person */
  uint32_t sockets;
  uint8_t visitor;    /* au_visitor */
  uint32_t holds;     /* beats in flight that pass the session on to it, and waits of pages */
  presence_end ended; /* how its last socket did, while there are some */
  bool parted;        /* its page went, and a part of the grace is over when the waits are */
  uint8_t id_len;
  char id[];
};

au_status presence_create(au_store *store, int64_t grace_ms, map_seed seed, presence **out) {
  presence *p = calloc(1, sizeof *p);
  if (!p) return AU_ENOMEM;
  p->store = store;
  p->grace_ms = grace_ms;
  au_status status = map_create(seed, &p->people);
  if (status == AU_OK) status = map_create(seed, &p->tabs);
  if (status != AU_OK) {
    presence_free(p);
    return status;
  }
  *out = p;
  return AU_OK;
}

void presence_free(presence *p) {
  if (!p) return;
  map_free(p->tabs);
  map_free(p->people);
  free(p);
}

au_status presence_join(presence *p, const au_beat *beat, au_done_fn cb, void *arg) {
  return p->store->ops->touch(p->store, beat, AU_TOUCH_JOIN, cb, arg);
}

au_status presence_beat(presence *p, const au_beat *beat, au_done_fn cb, void *arg) {
  return p->store->ops->touch(p->store, beat, AU_TOUCH_BEAT, cb, arg);
}

au_status presence_sample(presence *p, au_slice customer_id, au_sample_fn cb, void *arg) {
  return p->store->ops->sample(p->store, customer_id, cb, arg);
}

au_status presence_breakdown(presence *p, au_slice customer_id, bool with_pages, au_breakdown_fn cb,
                             void *arg) {
  return p->store->ops->breakdown(p->store, customer_id, with_pages, cb, arg);
}

/* ---- who may begin a session ---------------------------------------------- */

void presence_limit_customers(presence *p, uint32_t customers_of_one_address) {
  p->address_customers = customers_of_one_address;
}

/* Each customer that an address holds alone has a session of that address, so it holds no more
 * customers than it has sessions. While fewer than that are in use, no other address lacks one. */
static bool may_begin_customer(const presence *p, const address *from, au_slice customer_id) {
  const au_store *store = p->store;
  return p->address_customers == 0 || address_sessions_widely(from) < p->address_customers ||
         store->ops->sessions_of(store, customer_id) > 0 ||
         store->ops->health(store).customers < p->address_customers;
}

/* Without this line, a proxy that is missing in trusted-proxies would limit a site silently. */
static void warn_of_full_address(presence *p, const address *from, int64_t now_ms) {
  if (p->has_warned && now_ms - p->warned_ms < WARN_EVERY_MS) return;
  p->has_warned = true;
  p->warned_ms = now_ms;
  log_warn("presence", "an address may begin no more sessions; a proxy belongs in trusted-proxies",
           LOG_INT("sessions", address_sessions(from)));
}

au_status presence_admit(presence *p, const au_beat *beat, au_touch_kind kind, int64_t now_ms,
                         rate_state *out) {
  address *from = beat->source;
  *out = (rate_state){.allowed = true};
  if (!from || presence_state_of(p, beat) != PRESENCE_NEW) return AU_OK;
  if (!address_has_capacity(from))
    *out = (rate_state){.limit = address_max_sessions(from), .reset_in_ms = PRESENCE_FULL_MS};
  else if (!may_begin_customer(p, from, beat->customer_id))
    *out = (rate_state){.limit = p->address_customers, .reset_in_ms = PRESENCE_FULL_MS};
  else if (kind == AU_TOUCH_BEAT)
    *out = address_take(from, ADDRESS_NEW_SESSIONS, now_ms);
  if (out->allowed) return AU_OK;
  warn_of_full_address(p, from, now_ms);
  return AU_ELIMIT;
}

static int64_t renewed_ago_ms(const presence *p, const au_beat *beat, bool *is_shortened) {
  return p->store->ops->renewed_ago_ms(p->store, beat->customer_id, beat->session_id, is_shortened);
}

presence_state presence_state_of(const presence *p, const au_beat *beat) {
  bool is_shortened = false;
  int64_t ago_ms = renewed_ago_ms(p, beat, &is_shortened);
  if (ago_ms < 0) return PRESENCE_NEW;
  if (ago_ms >= PRESENCE_PACED_MS) return PRESENCE_PACED;
  return is_shortened ? PRESENCE_SHORTENED : PRESENCE_RECENT;
}

bool presence_lasts(const presence *p, const au_beat *beat, int64_t ttl_ms) {
  bool is_shortened = false;
  int64_t ago_ms = renewed_ago_ms(p, beat, &is_shortened);
  return ago_ms >= 0 && ago_ms <= ttl_ms / 2 && !is_shortened;
}

bool presence_pays_return(const au_beat *beat, int64_t now_ms) {
  return beat->source && address_take(beat->source, ADDRESS_NEW_SESSIONS, now_ms).allowed;
}

static bool presence_holds(const presence *p, const au_beat *beat) {
  return p->store->ops->holds(p->store, beat->customer_id, beat->session_id, beat->tab_id);
}

/* ---- which tabs have sockets here ---------------------------------------- */

static au_slice person_customer(const person *who) {
  return (au_slice){who->ids, who->customer_len};
}

static au_slice person_session(const person *who) {
  return (au_slice){who->ids + who->customer_len, who->session_len};
}

/* One key of two ids and the length of one, so that ("a","bc") and ("ab","c") differ. */
static uint32_t person_hash(const presence *p, const au_beat *beat) {
  uint32_t hash =
      map_hash(p->people, beat->customer_id.ptr, beat->customer_id.len, beat->session_id.len);
  return map_hash(p->people, beat->session_id.ptr, beat->session_id.len, hash);
}

static bool person_eq(const map_node *node, const void *key) {
  const person *who = (const person *)node;
  const au_beat *wanted = key;
  return slice_eq(person_customer(who), wanted->customer_id) &&
         slice_eq(person_session(who), wanted->session_id);
}

static person *person_find(const presence *p, const au_beat *beat) {
  return (person *)map_find(p->people, person_hash(p, beat), person_eq, beat);
}

static person *person_create(presence *p, const au_beat *beat) {
  person *who = calloc(1, sizeof *who + beat->customer_id.len + beat->session_id.len);
  if (!who) return NULL;
  who->customer_len = (uint8_t)beat->customer_id.len;
  who->session_len = (uint8_t)beat->session_id.len;
  memcpy(who->ids, beat->customer_id.ptr, beat->customer_id.len);
  memcpy(who->ids + beat->customer_id.len, beat->session_id.ptr, beat->session_id.len);
  map_insert(p->people, &who->node, person_hash(p, beat));
  return who;
}

static void person_release(presence *p, person *who) {
  if (who->tabs) return;
  map_remove(p->people, &who->node);
  free(who);
}

/* A tab by its person and its id. */
typedef struct tab_key {
  const person *who;
  au_slice tab_id;
} tab_key;

static uint32_t tab_hash(const presence *p, const tab_key *key) {
  return map_hash(p->tabs, key->tab_id.ptr, key->tab_id.len, (uintptr_t)key->who);
}

static bool tab_eq(const map_node *node, const void *key) {
  const presence_tab_ref *tab = (const presence_tab_ref *)node;
  const tab_key *wanted = key;
  return tab->who == wanted->who && slice_eq((au_slice){tab->id, tab->id_len}, wanted->tab_id);
}

static presence_tab_ref *tab_create(presence *p, const tab_key *key, person *who) {
  presence_tab_ref *tab = calloc(1, sizeof *tab + key->tab_id.len);
  if (!tab) return NULL;
  tab->id_len = (uint8_t)key->tab_id.len;
  memcpy(tab->id, key->tab_id.ptr, key->tab_id.len);
  tab->who = who;
  tab->next = who->tabs;
  if (tab->next) tab->next->prev = tab;
  who->tabs = tab;
  map_insert(p->tabs, &tab->node, tab_hash(p, key));
  return tab;
}

static void tab_end(presence *p, presence_tab_ref *tab) {
  if (tab->prev)
    tab->prev->next = tab->next;
  else
    tab->who->tabs = tab->next;
  if (tab->next) tab->next->prev = tab->prev;
  map_remove(p->tabs, &tab->node);
  person_release(p, tab->who);
  free(tab);
}

au_status presence_attach(presence *p, const au_beat *beat, presence_tab_ref **out) {
  person *who = person_find(p, beat);
  if (!who) who = person_create(p, beat);
  if (!who) return AU_ENOMEM;
  const tab_key key = {who, beat->tab_id};
  presence_tab_ref *tab = (presence_tab_ref *)map_find(p->tabs, tab_hash(p, &key), tab_eq, &key);
  if (!tab) tab = tab_create(p, &key, who);
  if (!tab) {
    person_release(p, who);
    return AU_ENOMEM;
  }
  tab->sockets++;
  presence_tab_set_visitor(tab, beat->visitor);
  tab->parted = false;
  *out = tab;
  return AU_OK;
}

void presence_tab_set_visitor(presence_tab_ref *tab, au_visitor visitor) {
  tab->visitor = (uint8_t)visitor;
}

au_beat presence_tab_beat(const presence_tab_ref *tab) {
  return (au_beat){
      .customer_id = person_customer(tab->who),
      .session_id = person_session(tab->who),
      .tab_id = {tab->id, tab->id_len},
      .timestamp = NAN,
      .is_leader = true,
      .visitor = (au_visitor)tab->visitor,
  };
}

/* ---- leaving ------------------------------------------------------------- */

/* Another tab of the session that has a socket here, the one that came last, or NULL. */
static presence_tab_ref *other_tab(const presence *p, const au_beat *beat) {
  const person *who = person_find(p, beat);
  presence_tab_ref *tab = who ? who->tabs : NULL;
  while (tab && (tab->sockets == 0 || slice_eq((au_slice){tab->id, tab->id_len}, beat->tab_id)))
    tab = tab->next;
  return tab;
}

/* The beat of a tab with an open socket, which takes the session over. */
typedef struct pass {
  presence *p;
  presence_tab_ref *to;
  au_done_fn cb;
  void *arg;
} pass;

static void tab_release(presence *p, presence_tab_ref *tab);

static void on_passed(au_status status, void *arg) {
  pass *given = arg;
  presence_tab_ref *to = given->to;
  given->cb(status, given->arg);
  to->holds--;
  if (status == AU_ECANCELED) to->ended = PRESENCE_END_CLOSED; /* the store stops */
  tab_release(given->p, to);
  free(given);
}

/* A person with an open socket is here, whatever another tab says: a beat of that socket takes
 * the session over, as its next ping would. When the socket ends meanwhile, the session is
 * shortened behind that beat, which would undo it. */
static au_status pass_on(presence *p, presence_tab_ref *to, const au_beat *from, au_done_fn cb,
                         void *arg) {
  pass *given = malloc(sizeof *given);
  if (!given) return AU_ENOMEM;
  *given = (pass){p, to, cb, arg};
  au_beat beat = presence_tab_beat(to);
  beat.source = from->source;
  to->holds++;
  au_status status = presence_beat(p, &beat, on_passed, given);
  if (status == AU_OK) return AU_OK;
  to->holds--;
  free(given);
  return status;
}

au_status presence_leave(presence *p, const au_beat *beat, int64_t grace_ms, au_done_fn cb,
                         void *arg) {
  presence_tab_ref *other = other_tab(p, beat);
  if (other && presence_holds(p, beat)) return pass_on(p, other, beat, cb, arg);
  if (grace_ms == 0) return p->store->ops->leave(p->store, beat, cb, arg);
  return p->store->ops->shorten(p->store, beat, grace_ms, AU_SHORTEN_LEFT, cb, arg);
}

bool presence_leaves(const presence *p, const au_beat *beat, int64_t grace_ms) {
  return p->store->ops->shortens(p->store, beat, grace_ms);
}

/* Nobody waits for a session to be shortened or passed on, and when it fails the session just
 * lives out its TTL. */
static void on_written(au_status status, void *arg) {
  (void)status;
  (void)arg;
}

static int64_t page_grace_ms(const presence *p) {
  return p->grace_ms < PRESENCE_PAGE_GRACE_MS ? p->grace_ms : PRESENCE_PAGE_GRACE_MS;
}

int64_t presence_part_ms(const presence *p) {
  return page_grace_ms(p) * 2 / 5;
}

static int64_t grace_after(const presence *p, const presence_tab_ref *tab) {
  if (tab->ended != PRESENCE_END_PAGE_GONE) return p->grace_ms;
  return page_grace_ms(p) - (tab->parted ? presence_part_ms(p) : 0);
}

static void end_disconnected(presence *p, const presence_tab_ref *tab) {
  const au_beat beat = presence_tab_beat(tab);
  presence_tab_ref *other = other_tab(p, &beat);
  au_status status = AU_OK;
  if (other || tab->parted) {
    /* The next page has the session, or somebody else by now: there is nothing to shorten. */
    if (!presence_holds(p, &beat)) return;
    if (other) status = pass_on(p, other, &beat, on_written, NULL);
  }
  if (!other)
    status = p->store->ops->shorten(p->store, &beat, grace_after(p, tab), AU_SHORTEN_DISCONNECTED,
                                    on_written, NULL);
  (void)status; /* as in on_written */
}

static void tab_release(presence *p, presence_tab_ref *tab) {
  if (tab->sockets > 0 || tab->holds > 0) return;
  if (tab->ended != PRESENCE_END_CLOSED) end_disconnected(p, tab);
  tab_end(p, tab);
}

bool presence_part(presence *p, presence_tab_ref *tab) {
  const au_beat beat = presence_tab_beat(tab);
  if (tab->sockets > 1 || presence_part_ms(p) == 0 || other_tab(p, &beat)) {
    presence_detach(p, tab, PRESENCE_END_PAGE_GONE);
    return false;
  }
  tab->sockets--;
  tab->holds++;
  tab->ended = PRESENCE_END_PAGE_GONE;
  tab->parted = true;
  return true;
}

void presence_part_end(presence *p, presence_tab_ref *tab) {
  tab->holds--;
  tab_release(p, tab);
}

void presence_detach(presence *p, presence_tab_ref *tab, presence_end how) {
  tab->sockets--;
  tab->ended = how;
  tab->parted = false;
  tab_release(p, tab);
}

/* A table of addresses, each with its counts and, while it sends requests, its rate windows. */
#include "addresses.h"

#include "utils/deadline.h"
#include "utils/id_map.h"
#include "utils/limits/token_bucket.h"

#include <stdlib.h>
#include <string.h>

enum {
  IDLE_MS = RATE_WINDOW_MS,
  SWEEP_SLICE = 16, /* entries, and windows, that one call takes out at most */
  WIDER_KEY_BYTES = 6,
  WINDOWS = 3,
};

/* The sliding minutes of an entry, which is without them while it takes nothing: a person
 * with a socket pays for a session once in a visit. */
typedef struct windows {
  deadline end;
  address *owner;
  rate_window of[WINDOWS];
} windows;

struct address {
  map_node node; /* first: the address is an entry of an id_map */
  addresses *all;
  address *wider;                  /* of an IPv6 /64: its /48, with a reference; else NULL */
  windows *windows;                /* NULL: all are empty */
  address_link *oldest, *youngest; /* connections that may end for others of this address */
  deadline idle;                   /* armed without references */
  token_bucket new_sessions;
  uint32_t refs, connections, sessions;
  uint32_t names_version, blocks_version; /* as of which `blocked_until_ms` is */
  int64_t blocked_until_ms;
  bool is_wider, is_loopback;
};

struct addresses {
  id_map entries;
  address_limits limits;
  deadline_queue idle, spending;
  uint32_t idle_count;
  const pseudonyms *names; /* NULL: none are blocked */
  const blocks *blocked;
  void (*spent)(void *arg, address *a, address_pot pot);
  void *spent_arg;
};

/* ---- the table ------------------------------------------------------------ */

au_status addresses_create(map_seed seed, const address_limits *limits, addresses **out) {
  addresses *all = calloc(1, sizeof *all);
  if (!all) return AU_ENOMEM;
  au_status status = id_map_init(&all->entries, seed, sizeof(address));
  if (status != AU_OK) {
    free(all);
    return status;
  }
  deadline_queue_init(&all->idle, IDLE_MS);
  deadline_queue_init(&all->spending, RATE_WINDOW_MS);
  all->limits = *limits;
  *out = all;
  return AU_OK;
}

static address *of_idle(deadline *d) {
  return (address *)(void *)((char *)d - offsetof(address, idle));
}

static windows *of_end(deadline *d) {
  return (windows *)(void *)((char *)d - offsetof(windows, end));
}

static void drop_windows(address *a) {
  if (!a->windows) return;
  deadline_cancel(&a->windows->end);
  free(a->windows);
  a->windows = NULL;
}

static void become_idle(address *a, int64_t now_ms) {
  deadline_arm(&a->all->idle, &a->idle, now_ms);
  a->all->idle_count++;
}

static void unlink_idle(address *a) {
  deadline_cancel(&a->idle);
  a->all->idle_count--;
}

/* Frees an idle entry. Its wider one may become idle by that, but is not freed here. */
static void drop(address *a, int64_t now_ms) {
  address *wider = a->wider;
  unlink_idle(a);
  drop_windows(a);
  id_map_drop(&a->all->entries, a);
  if (wider && --wider->refs == 0) become_idle(wider, now_ms);
}

/* Whether an idle entry still limits something: if it were dropped, the address could start
 * afresh by closing everything for a moment. */
static bool remembers(const address *a, int64_t now_ms) {
  return (a->windows && a->windows->end.at_ms > now_ms) ||
         token_bucket_full_in_ms(&a->new_sessions, now_ms) > 0;
}

/* Drops entries that limit nothing any more; the others wait for another round. */
static void sweep(addresses *all, int64_t now_ms) {
  for (int i = 0; i < SWEEP_SLICE; i++) {
    deadline *d = deadline_first(&all->spending);
    if (!d || d->at_ms > now_ms) break;
    drop_windows(of_end(d)->owner);
  }
  for (int i = 0; i < SWEEP_SLICE; i++) {
    deadline *d = deadline_first(&all->idle);
    if (!d || d->at_ms > now_ms) break;
    address *a = of_idle(d);
    if (remembers(a, now_ms))
      deadline_arm(&all->idle, d, now_ms);
    else
      drop(a, now_ms);
  }
}

void addresses_free(addresses *all) {
  if (!all) return;
  for (deadline *d; (d = deadline_first(&all->idle));) drop(of_idle(d), d->at_ms);
  id_map_free(&all->entries);
  free(all);
}

void addresses_set_limits(addresses *all, const address_limits *limits) {
  all->limits = *limits;
}

size_t addresses_count(const addresses *all) {
  return id_map_count(&all->entries);
}

/* ---- entries -------------------------------------------------------------- */

/* One reference to the entry of a key, which is created if need be; NULL without memory. */
static address *hold(addresses *all, au_slice key, bool *created) {
  address *a = id_map_find(&all->entries, key);
  *created = !a;
  if (!a) {
    a = id_map_add(&all->entries, key);
    if (!a) return NULL;
    a->all = all;
  } else if (a->refs == 0) {
    unlink_idle(a);
  }
  a->refs++;
  return a;
}

/* What an entry is found by: where privacy is strict, the name that it has today. */
static au_slice entry_key(const addresses *all, au_slice key, uint64_t *room) {
  if (!all->names || !all->names->strict) return key;
  *room = pseudonym_of_address(all->names, key);
  return (au_slice){(const char *)room, sizeof *room};
}

address *addresses_hold(addresses *all, const net_addr *addr, int64_t now_ms) {
  sweep(all, now_ms);
  au_slice key = net_key(addr);
  uint64_t name, wider_name;
  bool created, wider_created;
  address *a = hold(all, entry_key(all, key, &name), &created);
  if (!a || !created) return a;
  a->is_loopback = net_is_loopback(addr);
  if (key.len == NET_KEY_V6_BYTES && !a->is_loopback) {
    /* Without memory for the wider entry, this one counts alone for its life. */
    au_slice wider = {key.ptr, WIDER_KEY_BYTES};
    a->wider = hold(all, entry_key(all, wider, &wider_name), &wider_created);
    if (a->wider) a->wider->is_wider = true;
  }
  return a;
}

address *address_ref(address *a) {
  if (a) a->refs++;
  return a;
}

void address_release(address *a, int64_t now_ms) {
  if (!a || --a->refs > 0) return;
  addresses *all = a->all;
  become_idle(a, now_ms);
  while (all->idle_count > ADDRESSES_MAX_IDLE) drop(of_idle(deadline_first(&all->idle)), now_ms);
}

/* ---- limits --------------------------------------------------------------- */

/* A limit as it is for this entry. */
static uint32_t scaled(const address *a, uint32_t limit) {
  if (!a->is_wider) return limit;
  return limit > UINT32_MAX / ADDRESSES_WIDER_FACTOR ? UINT32_MAX : limit * ADDRESSES_WIDER_FACTOR;
}

/* Of something of which there are `whole`: a wider entry has half of them at most, so that it
 * does not take all that there is. */
static bool is_below(const address *a, uint32_t used, uint32_t limit, uint32_t whole) {
  if (limit == 0) return true;
  uint32_t most = scaled(a, limit), half = whole / 2;
  if (a->is_wider && whole > 0 && half < most) most = half > limit ? half : limit;
  return used < most;
}

static uint32_t limit_of(const address *a, address_pot pot) {
  switch (pot) {
  case ADDRESS_NEW_SESSIONS: return scaled(a, a->all->limits.new_sessions_per_min);
  case ADDRESS_OTHER: return a->is_loopback ? 0 : scaled(a, ADDRESSES_OTHER_PER_MIN);
  default: return scaled(a, a->all->limits.requests_per_min);
  }
}

static size_t window_of(address_pot pot) {
  return pot == ADDRESS_PRESENCE ? 0 : pot == ADDRESS_READS ? 1 : 2;
}

static rate_state peek_bucket(const address *a, int64_t now_ms) {
  token_rate rate = {limit_of(a, ADDRESS_NEW_SESSIONS), scaled(a, ADDRESSES_NEW_SESSIONS_BURST),
                     RATE_WINDOW_MS};
  int64_t wait_ms = token_bucket_wait_ms(&a->new_sessions, &rate, now_ms);
  return (rate_state){
      .allowed = wait_ms == 0,
      .limit = rate.tokens,
      .remaining = token_bucket_left(&a->new_sessions, &rate, now_ms),
      .reset_in_ms = wait_ms > 0 ? wait_ms : token_bucket_full_in_ms(&a->new_sessions, now_ms),
  };
}

static rate_state peek_one(const address *a, address_pot pot, int64_t now_ms) {
  static const rate_window empty;
  uint32_t limit = limit_of(a, pot);
  if (limit == 0) return (rate_state){.allowed = true};
  if (pot == ADDRESS_NEW_SESSIONS) return peek_bucket(a, now_ms);
  return rate_window_peek(a->windows ? &a->windows->of[window_of(pot)] : &empty, limit, now_ms);
}

/* The one of two states that leaves less; a limit that is off leaves more than any. */
static rate_state narrower(rate_state a, rate_state b) {
  if (a.allowed != b.allowed) return a.allowed ? b : a;
  if (!a.allowed) return a.reset_in_ms >= b.reset_in_ms ? a : b;
  if (a.limit == 0 || b.limit == 0) return a.limit == 0 ? b : a;
  return a.remaining <= b.remaining ? a : b;
}

rate_state address_peek(address *a, address_pot pot, int64_t now_ms) {
  if (!a) return (rate_state){.allowed = true};
  rate_state state = peek_one(a, pot, now_ms);
  return a->wider ? narrower(state, peek_one(a->wider, pot, now_ms)) : state;
}

/* false: there is no memory. */
static bool open_windows(address *a, int64_t now_ms) {
  if (!a->windows) {
    a->windows = calloc(1, sizeof *a->windows);
    if (!a->windows) return false;
    a->windows->owner = a;
  }
  deadline_arm(&a->all->spending, &a->windows->end, now_ms);
  return true;
}

/* Counts a request that is allowed. */
static rate_state take_one(address *a, address_pot pot, int64_t now_ms) {
  addresses *all = a->all;
  uint32_t limit = limit_of(a, pot);
  if (limit == 0) return (rate_state){.allowed = true};
  if (all->spent) all->spent(all->spent_arg, a, pot);
  if (pot == ADDRESS_NEW_SESSIONS) {
    token_rate rate = {limit, scaled(a, ADDRESSES_NEW_SESSIONS_BURST), RATE_WINDOW_MS};
    (void)token_bucket_take(&a->new_sessions, &rate, now_ms);
    return (rate_state){
        .allowed = true,
        .limit = limit,
        .remaining = token_bucket_left(&a->new_sessions, &rate, now_ms),
        .reset_in_ms = token_bucket_full_in_ms(&a->new_sessions, now_ms),
    };
  }
  if (!open_windows(a, now_ms)) return peek_one(a, pot, now_ms);
  return rate_window_take(&a->windows->of[window_of(pot)], limit, now_ms);
}

rate_state address_spend(address *a, address_pot pot, int64_t now_ms) {
  if (!a) return (rate_state){.allowed = true};
  rate_state state = take_one(a, pot, now_ms);
  return a->wider ? narrower(state, take_one(a->wider, pot, now_ms)) : state;
}

rate_state address_take(address *a, address_pot pot, int64_t now_ms) {
  rate_state met = address_peek(a, pot, now_ms);
  return met.allowed ? address_spend(a, pot, now_ms) : met;
}

/* ---- connections and sessions --------------------------------------------- */

void address_link_add(address *a, address_link *link) {
  if (!a) return;
  link->owner = a;
  link->next = NULL;
  link->prev = a->youngest;
  *(link->prev ? &link->prev->next : &a->oldest) = link;
  a->youngest = link;
}

void address_link_remove(address_link *link) {
  address *a = link->owner;
  if (!a) return;
  *(link->prev ? &link->prev->next : &a->oldest) = link->next;
  *(link->next ? &link->next->prev : &a->youngest) = link->prev;
  link->owner = NULL;
  link->prev = link->next = NULL;
}

/* Asks some, the oldest first; who stays is asked last from then on. */
static bool evict(address *a) {
  for (unsigned i = 0; i < ADDRESSES_EVICT_SAMPLE && a->oldest; i++) {
    address_link *link = a->oldest;
    if (link->evict(link)) return true;
    address_link_remove(link);
    address_link_add(a, link);
  }
  return false;
}

static bool is_full(const address *a) {
  uint32_t limit = a->all->limits.max_connections, all = a->all->limits.all_connections;
  return !is_below(a, a->connections, limit, all) ||
         (a->wider && !is_below(a->wider, a->wider->connections, limit, all));
}

bool address_connect(address *a) {
  if (!a) return true;
  if (is_full(a) && (!evict(a) || is_full(a))) return false;
  a->connections++;
  if (a->wider) a->wider->connections++;
  return true;
}

void address_disconnect(address *a) {
  if (!a) return;
  a->connections--;
  if (a->wider) a->wider->connections--;
}

uint32_t address_connections(const address *a) {
  return a ? a->connections : 0;
}

bool address_has_capacity(const address *a) {
  if (!a) return true;
  uint32_t limit = a->all->limits.max_sessions;
  uint32_t all = a->all->limits.all_sessions;
  return is_below(a, a->sessions, limit, all) &&
         (!a->wider || is_below(a->wider, a->wider->sessions, limit, all));
}

void address_session_began(address *a) {
  if (!a) return;
  a->refs++;
  a->sessions++;
  if (a->wider) a->wider->sessions++;
}

void address_session_ended(address *a, int64_t now_ms) {
  if (!a) return;
  a->sessions--;
  if (a->wider) a->wider->sessions--;
  address_release(a, now_ms);
}

uint32_t address_sessions_widely(const address *a) {
  return a && a->wider ? a->wider->sessions : address_sessions(a);
}

uint32_t address_max_sessions(const address *a) {
  return a ? a->all->limits.max_sessions : 0;
}

uint32_t address_sessions(const address *a) {
  return a ? a->sessions : 0;
}

/* ---- for operators ---------------------------------------------------------- */

void addresses_set_names(addresses *all, const pseudonyms *names, const blocks *blocked) {
  all->names = names;
  all->blocked = blocked;
}

uint64_t address_name(const address *a) {
  if (!a || !a->all->names) return 0;
  if (!a->all->names->strict) return pseudonym_of_address(a->all->names, id_map_id(a));
  uint64_t name;
  memcpy(&name, id_map_id(a).ptr, sizeof name);
  return name;
}

/* Asked for with every request: the block is looked up when it may be another one. */
int64_t address_blocked_until_ms(address *a, int64_t now_ms) {
  if (!a || !a->all->blocked || blocks_count(a->all->blocked) == 0) return 0;
  uint32_t version = blocks_version(a->all->blocked);
  if (a->blocks_version != version || a->names_version != a->all->names->version) {
    a->blocks_version = version;
    a->names_version = a->all->names->version;
    a->blocked_until_ms = blocks_until_ms(a->all->blocked, address_name(a));
  }
  return a->blocked_until_ms > now_ms ? a->blocked_until_ms : 0;
}

void addresses_on_spent(addresses *all, void (*spent)(void *arg, address *a, address_pot pot),
                        void *arg) {
  all->spent = spent;
  all->spent_arg = arg;
}

void address_charge(address *a, address_pot pot, uint32_t n, int64_t now_ms) {
  uint32_t limit = limit_of(a, pot);
  if (limit == 0) return;
  if (pot == ADDRESS_NEW_SESSIONS) {
    token_rate rate = {limit, scaled(a, ADDRESSES_NEW_SESSIONS_BURST), RATE_WINDOW_MS};
    token_bucket_charge(&a->new_sessions, &rate, n, now_ms);
  } else if (open_windows(a, now_ms)) {
    rate_window_charge(&a->windows->of[window_of(pot)], n, now_ms);
  }
}

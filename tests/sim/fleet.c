/* Servers, their slots and their replicas. */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "report.h"

enum {
  MOVES_MAX = 4,
  COPY_MIN_MS = 20, /* between two copies to a replica: its lag */
  COPY_MAX_MS = 1500,
  SAVE_MS = 3000,    /* between two snapshots */
  LAST_STEP_MS = 10, /* between two keys of a move that should be over */
  NEWS_MAX_MS = 400, /* until a node hears of a slot that changed hands */
};

typedef struct move {
  uint16_t slot;
  fake *from, *to;
  int64_t next_ms, step_ms, end_ms;
} move;

static struct {
  fleet_kind kind;
  rng random;
  fake *all[FLEET_MAX];
  size_t count;
  char url[256];
  int8_t owner[FAKE_SLOTS]; /* the truth */
  int64_t news_ms[FLEET_MAX], copy_ms[FLEET_MAX], copy_every_ms[FLEET_MAX], save_ms[FLEET_MAX];
  db saved[FLEET_MAX];
  move moves[MOVES_MAX];
  size_t move_count;
  int sentinel_view; /* the master that sentinels name */
} fleet;

/* ---- slots: the Redis Cluster specification ----------------------------------- */

uint16_t fleet_slot(au_slice key) {
  const char *open = memchr(key.ptr, '{', key.len);
  if (open) {
    au_slice tag = {open + 1, (size_t)(key.ptr + key.len - open - 1)};
    const char *end = memchr(tag.ptr, '}', tag.len);
    if (end && end > tag.ptr) key = (au_slice){tag.ptr, (size_t)(end - tag.ptr)};
  }
  uint16_t crc = 0;
  for (size_t i = 0; i < key.len; i++) {
    crc ^= (uint16_t)((unsigned char)key.ptr[i] << 8);
    for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return crc % FAKE_SLOTS;
}

/* ---- life ---------------------------------------------------------------------- */

static void name_run(fake *f) {
  for (int i = 0; i < 40; i++) f->run_id[i] = "0123456789abcdef"[rng_below(&fleet.random, 16)];
  f->run_id[40] = '\0';
}

static fake *add(fake_role role, fake *master, const char *host, int port) {
  fake *f = calloc(1, sizeof *f);
  if (!f) abort();
  f->index = (int)fleet.count;
  snprintf(f->host, sizeof f->host, "%s", host);
  f->port = port;
  f->role = role;
  f->master = master;
  f->up = true;
  f->old_errors = rng_chance(&fleet.random, 30);
  f->clock_ahead_ms = master ? master->clock_ahead_ms : rng_below(&fleet.random, 20);
  name_run(f);
  fleet.copy_every_ms[fleet.count] = rng_between(&fleet.random, COPY_MIN_MS, COPY_MAX_MS);
  fleet.news_ms[fleet.count] = INT64_MAX;
  fleet.all[fleet.count++] = f;
  return f;
}

static void add_url(const char *format, const char *host, int port) {
  size_t len = strlen(fleet.url);
  snprintf(fleet.url + len, sizeof fleet.url - len, format, host, port);
}

void fleet_begin(uint64_t seed, fleet_kind kind, int masters) {
  memset(&fleet, 0, sizeof fleet);
  fleet.kind = kind;
  fleet.random = rng_of(seed, 3);
  static const char *const prefixes[] = {"", "redis://", "redis+sentinel://", "redis+cluster://"};
  strcpy(fleet.url, prefixes[kind]);
  for (int i = 0; kind != FLEET_NONE && i < masters; i++) {
    char host[24];
    snprintf(host, sizeof host, "10.0.0.%d", i + 1);
    fake *master = add(FAKE_MASTER, NULL, host, 6379);
    if (kind != FLEET_SINGLE) add(FAKE_REPLICA, master, host, 6380);
    if (kind != FLEET_SENTINEL) add_url(i == 0 ? "%s:%d" : ",%s:%d", host, 6379);
  }
  for (int i = 0; kind == FLEET_SENTINEL && i < 3; i++) {
    char host[24];
    snprintf(host, sizeof host, "10.0.1.%d", i + 1);
    add(FAKE_SENTINEL, NULL, host, 26379);
    add_url(i == 0 ? "%s:%d" : ",%s:%d", host, 26379);
  }
  if (kind == FLEET_SENTINEL) strcat(fleet.url, "/main");
  for (int slot = 0; slot < FAKE_SLOTS; slot++)
    fleet.owner[slot] = (int8_t)(kind == FLEET_CLUSTER ? 2 * (slot * masters / FAKE_SLOTS) : 0);
  for (size_t i = 0; i < fleet.count; i++)
    memcpy(fleet.all[i]->view, fleet.owner, sizeof fleet.owner);
}

void fleet_end(void) {
  for (size_t i = 0; i < fleet.count; i++) {
    db_clear(&fleet.all[i]->data);
    db_clear(&fleet.saved[i]);
    free(fleet.all[i]);
  }
  fleet.count = 0;
}

const char *fleet_url(void) {
  return fleet.url;
}

size_t fleet_count(void) {
  return fleet.count;
}

fake *fleet_get(size_t i) {
  return fleet.all[i];
}

fake *fleet_at(const char *host, int port) {
  for (size_t i = 0; i < fleet.count; i++)
    if (fleet.all[i]->port == port && strcmp(fleet.all[i]->host, host) == 0) return fleet.all[i];
  return NULL;
}

size_t fleet_page_size(void) {
  return (size_t)rng_between(&fleet.random, 2, 40);
}

/* ---- what happens by itself ------------------------------------------------------ */

static void copy_to_replica(fake *f) {
  size_t i = (size_t)f->index;
  if (f->role != FAKE_REPLICA || !f->up || sim_ms() < fleet.copy_ms[i]) return;
  fleet.copy_ms[i] = sim_ms() + fleet.copy_every_ms[i];
  if (f->master->up && f->master->stalled_until_ms <= sim_ms()) db_copy(&f->data, &f->master->data);
}

static void save(fake *f) {
  size_t i = (size_t)f->index;
  if (f->role != FAKE_MASTER || !f->up || sim_ms() < fleet.save_ms[i]) return;
  fleet.save_ms[i] = sim_ms() + SAVE_MS;
  db_copy(&fleet.saved[i], &f->data);
}

static void tell_news(void) {
  for (size_t i = 0; i < fleet.count; i++) {
    if (fleet.news_ms[i] > sim_ms()) continue;
    fleet.news_ms[i] = INT64_MAX;
    memcpy(fleet.all[i]->view, fleet.owner, sizeof fleet.owner);
  }
}

/* All others hear of it within a while. */
static void spread_news(const fake *at_once, const fake *at_once_too) {
  for (size_t i = 0; i < fleet.count; i++) {
    fake *f = fleet.all[i];
    if (f == at_once || f == at_once_too)
      memcpy(f->view, fleet.owner, sizeof fleet.owner);
    else
      fleet.news_ms[i] = sim_ms() + rng_below(&fleet.random, NEWS_MAX_MS);
  }
}

static db_entry *key_in_slot(fake *f, uint16_t slot) {
  db_entry *found[64];
  size_t n = 0;
  db_expire(&f->data, fake_now_ms(f));
  for (size_t i = 0; i < f->data.count && n < 64; i++)
    if (fleet_slot(db_key(f->data.entries[i])) == slot) found[n++] = f->data.entries[i];
  return n == 0 ? NULL : found[rng_below(&fleet.random, (int64_t)n)];
}

/* True when it is done, or cannot be. */
static bool go_on(move *m) {
  int64_t step_ms = sim_ms() < m->end_ms ? m->step_ms : LAST_STEP_MS;
  m->next_ms = sim_ms() + rng_below(&fleet.random, 2 * step_ms) + 1;
  db_entry *e = key_in_slot(m->from, m->slot);
  if (e && (sim_ms() < m->end_ms || rng_chance(&fleet.random, 90))) {
    db_move(&m->to->data, &m->from->data, e, m->to->clock_ahead_ms - m->from->clock_ahead_ms);
    return false;
  }
  if (e || sim_ms() < m->end_ms) return false;
  fleet.owner[m->slot] = (int8_t)m->to->index;
  spread_news(m->from, m->to);
  report_step("slot %d is at %s", m->slot, fake_name(m->to));
  return true;
}

void fleet_step(void) {
  for (size_t i = 0; i < fleet.count; i++) {
    copy_to_replica(fleet.all[i]);
    save(fleet.all[i]);
  }
  tell_news();
  for (size_t i = 0; i < fleet.move_count;) {
    if (fleet.moves[i].next_ms <= sim_ms() && go_on(&fleet.moves[i]))
      fleet.moves[i] = fleet.moves[--fleet.move_count];
    else
      i++;
  }
}

/* Copies and snapshots need no time of their own: they are made with the next step. */
int64_t fleet_next_ms(void) {
  int64_t next = INT64_MAX;
  for (size_t i = 0; i < fleet.count; i++)
    if (fleet.news_ms[i] < next) next = fleet.news_ms[i];
  for (size_t i = 0; i < fleet.move_count; i++)
    if (fleet.moves[i].next_ms < next) next = fleet.moves[i].next_ms;
  return next;
}

/* ---- redirects: getNodeByQuery of Redis 7 ------------------------------------------ */

static int keys_of(const exec *x, au_slice keys[FAKE_ARGS_MAX]) {
  static const char *const one[] = {"GET",    "GETRANGE", "SET",    "EXPIRE",  "PTTL", "ZADD",
                                    "ZCOUNT", "ZREM",     "ZSCORE", "ZMSCORE", "ZSCAN"};
  int n = 0;
  if (exec_is(x, 0, "EVAL"))
    for (int i = 0; i < slice_integer(exec_arg(x, 2)); i++) keys[n++] = exec_arg(x, 3 + i);
  if (exec_is(x, 0, "MGET") || exec_is(x, 0, "EXISTS"))
    for (int i = 1; i < x->argc; i++) keys[n++] = x->argv[i];
  for (size_t i = 0; i < sizeof one / sizeof one[0]; i++)
    if (exec_is(x, 0, one[i])) keys[n++] = exec_arg(x, 1);
  return n;
}

static const move *moving(const fake *f, uint16_t slot, bool out) {
  for (size_t i = 0; i < fleet.move_count; i++) {
    const move *m = &fleet.moves[i];
    if (m->slot == slot && (out ? m->from : m->to) == f) return m;
  }
  return NULL;
}

const char *fleet_redirect(const exec *x, bool asking, char *room, size_t size) {
  au_slice keys[FAKE_ARGS_MAX];
  if (fleet.kind != FLEET_CLUSTER) return NULL;
  int n = keys_of(x, keys), missing = 0;
  if (n == 0) return NULL;
  uint16_t slot = fleet_slot(keys[0]);
  for (int i = 0; i < n; i++) {
    if (fleet_slot(keys[i]) != slot) return "CROSSSLOT Keys in request don't hash to the same slot";
    if (!db_find(&x->f->data, keys[i], fake_now_ms(x->f))) missing++;
  }
  int owner = x->f->view[slot];
  if (owner < 0) return "CLUSTERDOWN Hash slot not served";
  const move *out = moving(x->f, slot, true);
  if (owner == x->f->index && !(out && missing > 0)) return NULL;
  if (owner == x->f->index && missing < n)
    return "TRYAGAIN Multiple keys request during rehashing of slot";
  const fake *to = owner == x->f->index ? out->to : fleet.all[owner];
  if (owner != x->f->index && asking && moving(x->f, slot, false)) {
    if (n > 1 && missing > 0) return "TRYAGAIN Multiple keys request during rehashing of slot";
    return NULL;
  }
  snprintf(room, size, "%s %d %s:%d", owner == x->f->index ? "ASK" : "MOVED", slot, to->host,
           to->port);
  return room;
}

/* ---- questions --------------------------------------------------------------------- */

au_slice fleet_key(char room[160], const char *prefix, const char *customer_id, const char *rest) {
  const char *format = fleet.kind == FLEET_CLUSTER ? "%s{%s}%s" : "%s%s%s";
  int n = snprintf(room, 160, format, prefix, customer_id, rest);
  return (au_slice){room, (size_t)n};
}

static fake *owner_of(uint16_t slot) {
  fake *f = fleet.count > 0 ? fleet.all[fleet.owner[slot]] : NULL;
  return f;
}

static fake *serving(const char *customer_id) {
  if (fleet.count == 0) return NULL;
  return fleet.kind == FLEET_SENTINEL ? fleet.all[fleet.sentinel_view]
                                      : owner_of(fleet_slot(slice_of(customer_id)));
}

fake *fleet_server_of(const char *customer_id) {
  fake *f = serving(customer_id);
  return f && f->up ? f : NULL;
}

int64_t fleet_lost_ms(const char *customer_id) {
  const fake *f = serving(customer_id);
  return f && !f->up ? f->down_ms : 0;
}

/* The list of a group may be at any owner of its 256 slots. */
bool fleet_touches(const fake *f, const char *customer_id) {
  if (fleet.kind != FLEET_CLUSTER) return true;
  int first = fleet_slot(slice_of(customer_id)) / 256 * 256;
  for (int slot = first; slot < first + 256; slot++)
    if (owner_of((uint16_t)slot) == f) return true;
  return false;
}

bool fleet_is_cluster(void) {
  return fleet.kind == FLEET_CLUSTER;
}

bool fleet_is_moving(void) {
  return fleet.move_count > 0;
}

/* ---- faults ------------------------------------------------------------------------ */

void fleet_kill(fake *f) {
  f->up = false;
  f->down_ms = sim_ms();
  f->stalled_until_ms = 0;
  f->rule_count = 0;
  network_cut_off(f, -1, -1, CUT_NOW);
}

void fleet_start(fake *f, fleet_data data) {
  if (f->up) fleet_kill(f);
  f->up = true;
  f->loaded++;
  name_run(f);
  if (data == DATA_LOST) db_clear(&f->data);
  if (data == DATA_OLD) db_copy(&f->data, &fleet.saved[f->index]);
}

fake *fleet_promote(fake *f) {
  for (size_t i = 0; i < fleet.count; i++) {
    fake *r = fleet.all[i];
    if (r->role != FAKE_REPLICA || r->master != f || !r->up) continue;
    r->role = FAKE_MASTER;
    r->master = NULL;
    f->role = FAKE_REPLICA;
    f->master = r;
    fleet.sentinel_view = r->index;
    if (fleet.kind != FLEET_CLUSTER) return r;
    for (int slot = 0; slot < FAKE_SLOTS; slot++)
      if (fleet.owner[slot] == f->index) fleet.owner[slot] = (int8_t)r->index;
    spread_news(r, NULL);
    return r;
  }
  return NULL;
}

bool fleet_move(au_slice key, int64_t over_ms) {
  uint16_t slot = fleet_slot(key);
  fake *from = owner_of(slot);
  if (fleet.kind != FLEET_CLUSTER || fleet.move_count == MOVES_MAX || !from->up) return false;
  for (size_t i = 0; i < fleet.move_count; i++)
    if (fleet.moves[i].slot == slot) return false;
  fake *others[FLEET_MAX];
  int64_t n = 0;
  for (size_t i = 0; i < fleet.count; i++)
    if (!fleet.all[i]->up) return false; /* one fault of the map at a time */
  for (size_t i = 0; i < fleet.count; i++)
    if (fleet.all[i] != from && fleet.all[i]->up && fleet.all[i]->role == FAKE_MASTER)
      others[n++] = fleet.all[i];
  if (n == 0) return false;
  fleet.moves[fleet.move_count++] = (move){slot,
                                           from,
                                           others[rng_below(&fleet.random, n)],
                                           sim_ms(),
                                           over_ms / 8 + 1,
                                           sim_ms() + over_ms};
  report_step("slot %d begins to move from %s", slot, fake_name(from));
  return true;
}

/* ---- the two commands that know the fleet -------------------------------------------- */

static void print_node(exec *x, const fake *f) {
  fake_array(x, 3);
  fake_bulk(x, slice_of(f->host));
  fake_integer(x, f->port);
  fake_bulk(x, slice_of(f->run_id));
}

void fleet_slots(exec *x) {
  const int8_t *view = x->f->view;
  if (fleet.kind != FLEET_CLUSTER) {
    fake_error(x, "ERR This instance has cluster support disabled");
    return;
  }
  size_t ranges = 0;
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1) fake_array(x, ranges);
    for (int first = 0, last; first < FAKE_SLOTS; first = last + 1) {
      for (last = first; last + 1 < FAKE_SLOTS && view[last + 1] == view[first];) last++;
      if (pass == 0) ranges++;
      if (pass == 0) continue;
      fake_array(x, 3);
      fake_integer(x, first);
      fake_integer(x, last);
      print_node(x, fleet.all[(int)view[first]]);
    }
  }
}

void fleet_sentinel(exec *x) {
  char port[16];
  const fake *master = fleet.all[fleet.sentinel_view];
  snprintf(port, sizeof port, "%d", master->port);
  fake_array(x, 2);
  fake_bulk(x, slice_of(master->host));
  fake_bulk(x, slice_of(port));
}

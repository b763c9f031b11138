/* A list of episodes. Each begins, lasts a while, and may have to be undone. */
#include "faults.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fleet.h"
#include "report.h"
#include "rng.h"

enum {
  EPISODES_MAX = 12,
  NOTICE_MS = 1500,      /* a lost data set is noticed once a second */
  RETRY_MS = 1500,       /* what one key refused is tried again once a second */
  NEWS_MS = 1000,        /* a slot's new owner is known to all by then */
  CLOCK_READ_MS = 12000, /* the next reading of a server's clock */
};

typedef enum episode_kind {
  CUT_LINKS,
  STALL,
  REFUSE,
  REFUSE_ONE,
  WRONG_TYPE,
  RESTART,
  FLUSH,
  FAIL_OVER,
  MOVE_SLOT,
  PART,
  SLOW,
  STOP_DAEMON,
  KILL_DAEMON,
  FREEZE_DAEMON,
  HAND,
  KINDS,
} episode_kind;

typedef struct episode {
  episode_kind kind;
  int64_t at_ms, undo_ms; /* undo: INT64_MAX when there is nothing to undo, or it was */
  int64_t lasts_ms;
  fake *server;
  char key[160];
  fleet_data data;
  bool begun;
} episode;

static struct {
  rng random;
  faults_hooks hooks;
  episode all[EPISODES_MAX];
  size_t count;
  char summary[256];
} faults;

static const char *const names[KINDS] = {"cut",     "stall", "refuse",   "refuse-one", "wrong-type",
                                         "restart", "flush", "failover", "move",       "part",
                                         "slow",    "stop",  "kill",     "freeze",     "by-hand"};

void faults_begin(uint64_t seed, const faults_hooks *hooks, int64_t end_ms) {
  memset(&faults, 0, sizeof faults);
  faults.random = rng_of(seed, 5);
  faults.hooks = *hooks;
  faults.count = (size_t)rng_below(&faults.random, 8);
  for (size_t i = 0; i < faults.count; i++) {
    episode *e = &faults.all[i];
    e->kind = (episode_kind)rng_below(&faults.random, KINDS);
    e->at_ms = 3000 + rng_below(&faults.random, end_ms - 3000);
    e->lasts_ms = rng_chance(&faults.random, 50) ? rng_between(&faults.random, 50, 1500)
                                                 : rng_between(&faults.random, 1500, 7000);
    e->undo_ms = INT64_MAX;
    size_t len = strlen(faults.summary);
    snprintf(faults.summary + len, sizeof faults.summary - len, " %s", names[e->kind]);
  }
}

const char *faults_summary(void) {
  return faults.summary;
}

/* ---- whom it concerns ------------------------------------------------------------ */

static void trouble_of(const fake *f, int64_t until_ms) {
  for (int i = 0; i < model_settings()->customers; i++)
    if (fleet_touches(f, model_customer_id(i))) model_trouble(i, until_ms);
}

static void data_lost(const fake *f) {
  for (int i = 0; i < model_settings()->customers; i++)
    if (fleet_touches(f, model_customer_id(i))) model_data_lost(i, faults.hooks.is_alive);
}

static fake *any_server(void) {
  size_t n = fleet_count();
  for (int tries = 0; tries < 20 && n > 0; tries++) {
    fake *f = fleet_get((size_t)rng_below(&faults.random, (int64_t)n));
    if (f->role == FAKE_MASTER && f->up) return f;
  }
  return NULL;
}

static instance *any_daemon(int *place) {
  *place = (int)rng_below(&faults.random, faults.hooks.places);
  return faults.hooks.daemon_at(*place);
}

static int any_customer(void) {
  return (int)rng_below(&faults.random, model_settings()->customers);
}

/* ---- beginnings ------------------------------------------------------------------- */

/* Every key of one customer is refused: all others go on as ever. */
static void refuse_customer(episode *e) {
  int customer = any_customer();
  fake *f = fleet_server_of(model_customer_id(customer));
  if (!f || fleet_is_moving()) return;
  fake_refuse(f, REFUSE_KEY, "TRYAGAIN Multiple keys request during rehashing",
              model_customer_id(customer), sim_ms() + e->lasts_ms);
  report_step("fault: %s refuses the keys of %s for %lld ms", fake_name(f),
              model_customer_id(customer), (long long)e->lasts_ms);
  model_trouble(customer, sim_ms() + e->lasts_ms + RETRY_MS + model_settings()->interval_ms * 2);
}

static void refuse(episode *e, bool one) {
  static const struct {
    fake_scope scope;
    const char *error, *word;
  } all[] =
      {
          {REFUSE_GROWTH, "OOM command not allowed when used memory > 'maxmemory'.", ""},
          {REFUSE_WRITES, "READONLY You can't write against a read only replica.", ""},
          {REFUSE_WRITES, "MISCONF Redis is configured to save RDB snapshots", ""},
          {REFUSE_WRITES, "NOREPLICAS Not enough good replicas to write.", ""},
          {REFUSE_ALL, "NOAUTH Authentication required.", ""},
          {REFUSE_ALL, "LOADING Redis is loading the dataset in memory", ""},
          {REFUSE_ALL, "BUSY Redis is busy running a script.", ""},
          {REFUSE_ALL, "MASTERDOWN Link with MASTER is down", ""},
          {REFUSE_ALL, "CLUSTERDOWN The cluster is down", ""},
          {REFUSE_ALL, "ERR something else", ""},
      },
    some[] = {
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "ZADD"},
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "SET"},
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "EVAL"},
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "ZCOUNT"},
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "GETRANGE"},
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "PUBLISH"},
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "SCAN"},
        {REFUSE_COMMAND, "NOPERM this user has no permissions to run the command", "GETRANGE"},
        {REFUSE_CHANNEL, "NOPERM this user has no permissions to access the channel", ""},
        {REFUSE_KEY, "NOPERM this user has no permissions to access a key", "au:idx:"},
        {REFUSE_KEY, "NOPERM this user has no permissions to access a key", "au:left:"},
    };
  if (one && rng_chance(&faults.random, 30)) {
    refuse_customer(e);
    return;
  }
  size_t n = one ? sizeof some / sizeof some[0] : sizeof all / sizeof all[0];
  size_t i = (size_t)rng_below(&faults.random, (int64_t)n);
  const char *error = one ? some[i].error : all[i].error;
  fake_refuse(e->server, one ? some[i].scope : all[i].scope, error,
              one ? some[i].word : all[i].word, sim_ms() + e->lasts_ms);
  report_step("fault: %s answers %.12s %s for %lld ms", fake_name(e->server), error,
              one ? some[i].word : "", (long long)e->lasts_ms);
  trouble_of(e->server, sim_ms() + e->lasts_ms + RETRY_MS);
}

/* A string where the index of a customer was. */
static void spoil(episode *e) {
  int customer = any_customer();
  fake *f = fleet_server_of(model_customer_id(customer));
  if (!f || fleet_is_moving()) return;
  e->server = f;
  au_slice key = fleet_key(e->key, "au:idx:", model_customer_id(customer), "");
  db_set_value(db_put(&f->data, key, DB_STRING), (au_slice){"oops", 4});
  e->undo_ms = sim_ms() + e->lasts_ms;
  model_trouble(customer, INT64_MAX);
}

static void restart(episode *e) {
  e->data = (fleet_data)rng_below(&faults.random, 3);
  fleet_kill(e->server);
  e->undo_ms = sim_ms() + e->lasts_ms;
  trouble_of(e->server, INT64_MAX);
  if (e->data != DATA_KEPT) data_lost(e->server);
}

static void flush(episode *e) {
  db_clear(&e->server->data);
  trouble_of(e->server, sim_ms() + NOTICE_MS);
  data_lost(e->server);
}

/* The master is lost, and its replica takes over with what it had. */
static void fail_over(episode *e) {
  bool by_hand = rng_chance(&faults.random, 30);
  trouble_of(e->server, INT64_MAX);
  data_lost(e->server);
  if (!by_hand) fleet_kill(e->server);
  e->undo_ms = sim_ms() + (by_hand ? 0 : e->lasts_ms);
  e->data = DATA_LOST;
}

static void cut(episode *e) {
  instance *d;
  int place, subscribers = (int)rng_between(&faults.random, -1, 1);
  d = rng_chance(&faults.random, 50) ? any_daemon(&place) : NULL;
  network_cut_off(e->server, d ? instance_host(d) : -1, subscribers,
                  rng_chance(&faults.random, 50) ? CUT_NOW : CUT_REPLY);
  trouble_of(e->server, sim_ms() + 100);
}

static void hurt_daemon(episode *e) {
  int place;
  instance *d = any_daemon(&place);
  if (!d) return;
  report_step("fault: %s d%d", names[e->kind], instance_host(d));
  if (e->kind == FREEZE_DAEMON) {
    instance_freeze(d, sim_ms() + e->lasts_ms);
    model_trouble(-1, sim_ms() + e->lasts_ms + 500);
    model_doubt_clocks(sim_ms() + e->lasts_ms + CLOCK_READ_MS);
  } else {
    faults.hooks.stop(place, e->kind == KILL_DAEMON);
  }
}

/* Another program deletes the key of a session, or writes one: the next tick sees it. */
static void by_hand(void) {
  int session = (int)rng_below(&faults.random, model_settings()->sessions);
  int customer = model_session_at(session)->customer;
  fake *f = fleet_server_of(model_customer_id(customer));
  char room[160], rest[32];
  if (!f || fleet_is_moving()) return;
  snprintf(rest, sizeof rest, ":s%d", session);
  if (rng_chance(&faults.random, 50)) {
    db_entry *written = db_put(
        &f->data, fleet_key(room, "presence:", model_customer_id(customer), rest), DB_STRING);
    db_set_value(written, slice_of("{\"tabId\":\"other\"}"));
    written->expires_ms = fake_now_ms(f) + model_settings()->ttl_ms;
    report_step("by hand: s%d is written", session);
    model_foreign(session);
    return;
  }
  db_entry *e = db_find(&f->data, fleet_key(room, "presence:", model_customer_id(customer), rest),
                        fake_now_ms(f));
  if (!e) return;
  db_remove(&f->data, e);
  report_step("by hand: s%d is deleted", session);
  model_foreign(session);
}

static void begin_at_server(episode *e) {
  int place;
  instance *d;
  e->server = any_server();
  if (!e->server) return;
  report_step("fault: %s at %s for %lld ms", names[e->kind], fake_name(e->server),
              (long long)e->lasts_ms);
  switch (e->kind) {
  case CUT_LINKS: cut(e); break;
  case STALL:
    e->server->stalled_until_ms = sim_ms() + e->lasts_ms;
    trouble_of(e->server, sim_ms() + e->lasts_ms + 500);
    model_doubt_clocks(sim_ms() + e->lasts_ms + CLOCK_READ_MS);
    break;
  case REFUSE: refuse(e, false); break;
  case REFUSE_ONE: refuse(e, true); break;
  case RESTART:
    if (!fleet_is_moving()) restart(e);
    break;
  case FLUSH:
    if (!fleet_is_moving()) flush(e);
    break;
  case PART:
    d = any_daemon(&place);
    network_part(e->server, d ? instance_host(d) : -1, sim_ms() + e->lasts_ms);
    trouble_of(e->server, sim_ms() + e->lasts_ms);
    break;
  case FAIL_OVER:
    if (fleet_count() > 1 && !fleet_is_moving()) fail_over(e);
    break;
  default: break;
  }
}

static void begin(episode *e) {
  char room[160];
  int customer = any_customer();
  e->begun = true;
  switch (e->kind) {
  case STOP_DAEMON:
  case KILL_DAEMON:
  case FREEZE_DAEMON: hurt_daemon(e); break;
  case WRONG_TYPE: spoil(e); break;
  case HAND: by_hand(); break;
  case SLOW:
    network_set_delay(0, rng_between(&faults.random, 1, fleet_is_cluster() ? 8 : 30));
    model_doubt_clocks(INT64_MAX / 2);
    break;
  case MOVE_SLOT:
    if (!fleet_move(fleet_key(room, "au:idx:", model_customer_id(customer), ""), e->lasts_ms))
      break;
    e->undo_ms = sim_ms(); /* looked at until it is over */
    model_trouble(-1, INT64_MAX);
    break;
  default: begin_at_server(e); break;
  }
}

/* ---- ends --------------------------------------------------------------------------- */

/* From INT64_MAX back to a time. */
static void trouble_ends(int64_t until_ms) {
  for (size_t i = 0; i < faults.count; i++)
    if (faults.all[i].undo_ms != INT64_MAX) return; /* others go on */
  model_trouble_ends(until_ms);
}

static void undo(episode *e) {
  e->undo_ms = INT64_MAX;
  switch (e->kind) {
  case WRONG_TYPE: {
    for (size_t i = 0; i < fleet_count(); i++) { /* a replica may have it too */
      fake *f = fleet_get(i);
      db_entry *odd = db_find(&f->data, slice_of(e->key), fake_now_ms(f));
      if (odd && odd->type == DB_STRING) db_remove(&f->data, odd);
    }
    trouble_ends(sim_ms() + RETRY_MS + model_settings()->interval_ms * 2);
    break;
  }
  case RESTART:
    fleet_start(e->server, e->data);
    trouble_ends(sim_ms() + NOTICE_MS);
    break;
  case FAIL_OVER:
    data_lost(e->server);
    if (!fleet_promote(e->server)) fleet_start(e->server, DATA_KEPT);
    if (!e->server->up) fleet_start(e->server, DATA_LOST);
    network_cut_off(e->server, -1, -1, CUT_NOW);
    trouble_ends(sim_ms() + NOTICE_MS + NEWS_MS);
    break;
  case MOVE_SLOT:
    if (fleet_is_moving())
      e->undo_ms = sim_ms() + 50;
    else
      trouble_ends(sim_ms() + NEWS_MS + RETRY_MS);
    break;
  default: break;
  }
}

void faults_step(void) {
  for (size_t i = 0; i < faults.count; i++) {
    episode *e = &faults.all[i];
    if (!e->begun && e->at_ms <= sim_ms()) begin(e);
    if (e->undo_ms <= sim_ms()) undo(e);
  }
}

int64_t faults_next_ms(void) {
  int64_t next = INT64_MAX;
  for (size_t i = 0; i < faults.count; i++) {
    const episode *e = &faults.all[i];
    if (!e->begun && e->at_ms < next) next = e->at_ms;
    if (e->undo_ms < next) next = e->undo_ms;
  }
  return next;
}

void faults_end(void) {
  for (size_t i = 0; i < faults.count; i++) {
    faults.all[i].begun = true;
    if (faults.all[i].undo_ms != INT64_MAX && faults.all[i].kind != MOVE_SLOT) undo(&faults.all[i]);
  }
}

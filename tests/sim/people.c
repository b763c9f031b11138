/* What people do, drawn from the seed. */
#include "people.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "report.h"
#include "rng.h"
#include "utils/buffer.h"

enum {
  GAP_MS = 250, /* between acts of one session at two daemons or of two tabs: clocks differ */
};

typedef struct person {
  int session;
  bool here;    /* by its own mind */
  int tab;      /* of two */
  instance *at; /* of the last act; NULL: none, or it is gone */
  int at_host;
  presence_tab_ref *socket; /* at `socket_at` */
  instance *socket_at;
  int socket_tab;
  int64_t socket_ends_ms; /* it was left behind, and vanishes then; INT64_MAX: not */
  int64_t next_ms;
} person;

/* An operation in flight. */
typedef struct act {
  person *who;
  int host;
  instance *at;
  model_op op;
} act;

static struct {
  rng random;
  crowd crowd;
  person all[SESSIONS_MAX];
  bool calm;
} people;

void people_begin(uint64_t seed, const crowd *all) {
  memset(&people, 0, sizeof people);
  people.random = rng_of(seed, 4);
  people.crowd = *all;
  for (int i = 0; i < model_settings()->sessions; i++) {
    people.all[i].session = i;
    people.all[i].at_host = -1;
    people.all[i].socket_ends_ms = INT64_MAX;
    people.all[i].next_ms = rng_below(&people.random, 8000);
  }
}

void people_calm_down(void) {
  people.calm = true;
}

int64_t people_next_ms(void) {
  int64_t next = INT64_MAX;
  for (int i = 0; i < model_settings()->sessions; i++) {
    const person *p = &people.all[i];
    if (p->next_ms < next) next = p->next_ms;
    if (p->socket_ends_ms < next) next = p->socket_ends_ms;
  }
  return next;
}

/* ---- one operation ---------------------------------------------------------------- */

static bool is_in_sync(const instance *d) {
  return instance_reason(d)[0] == '\0';
}

static au_beat beat_of(const person *p, int tab, char room[3][32]) {
  const model_session *s = model_session_at(p->session);
  snprintf(room[1], 32, "s%d", p->session);
  snprintf(room[2], 32, "s%d-tab%d", p->session, tab);
  return (au_beat){
      .customer_id = slice_of(model_customer_id(s->customer)),
      .session_id = slice_of(room[1]),
      .tab_id = slice_of(room[2]),
      .platform = slice_of("web"),
      .user_agent = slice_of("sim"),
      .timestamp = NAN,
      .is_leader = true,
      .visitor = model_is_bot(p->session) ? AU_VISITOR_BOT : AU_VISITOR_PERSON,
  };
}

static void on_done(au_status status, void *arg) {
  act *a = arg;
  bool canceled = status == AU_ECANCELED && instance_is_stopping(a->at);
  if (status != AU_OK && !canceled)
    report_failure("somebody was refused", "s%d at d%d: %s", a->who->session, a->host,
                   au_status_text(status));
  if (canceled) {
    model_session *s = model_session_at(a->who->session);
    s->in_flight--;
    s->leaves_in_flight -= a->op.is_leave;
    s->hi_ms = s->long_hi_ms = sim_ms() + model_settings()->ttl_ms + 9000;
    s->state = SESSION_UNSURE;
  } else {
    model_op_end(&a->op, is_in_sync(a->at));
  }
  report_step("s%d %s at d%d: %s", a->who->session, a->op.is_leave ? "left" : "touched", a->host,
              au_status_text(status));
  free(a);
}

typedef enum deed { JOIN, BEAT, LEAVE } deed;

/* A leave of the tab that holds the session there, while the other has a socket: that one beats
 * instead. */
static bool is_passed_on(const person *p, instance *d, int tab, const au_beat *beat) {
  const au_store *store = instance_store(d);
  return p->socket && p->socket_at == d && p->socket_tab != tab &&
         store->ops->holds(store, beat->customer_id, beat->session_id, beat->tab_id);
}

/* grace_ms  of a leave. */
static void begin(person *p, instance *d, int tab, deed what, int64_t grace_ms) {
  char room[3][32];
  act *a = calloc(1, sizeof *a);
  if (!a) abort();
  *a = (act){.who = p, .host = instance_host(d), .at = d};
  au_beat beat = beat_of(p, tab, room);
  beat.can_wait = what == BEAT && rng_below(&people.random, 2) == 0;
  instance_enter(d);
  bool passed_on = what == LEAVE && is_passed_on(p, d, tab, &beat);
  model_op_begin(&a->op, p->session, passed_on ? p->socket_tab : tab, a->host,
                 what == LEAVE && !passed_on, grace_ms, is_in_sync(d));
  report_step("s%d of %s, tab %d: %s (%lld ms) at d%d", p->session,
              model_customer_id(model_session_at(p->session)->customer), tab,
              what == JOIN   ? "joins"
              : what == BEAT ? "beats"
                             : "leaves",
              (long long)grace_ms, a->host);
  au_status status = what == JOIN ? presence_join(instance_presence(d), &beat, on_done, a)
                     : what == BEAT
                         ? presence_beat(instance_presence(d), &beat, on_done, a)
                         : presence_leave(instance_presence(d), &beat, grace_ms, on_done, a);
  if (status != AU_OK)
    report_failure("somebody was refused at once", "s%d at d%d: %s", p->session, a->host,
                   au_status_text(status));
  p->at = d;
  p->at_host = a->host;
}

/* ---- sockets ------------------------------------------------------------------------ */

static void close_socket(person *p, bool vanished) {
  if (!p->socket) return;
  instance *d = p->socket_at;
  instance_enter(d);
  if (vanished) {
    report_step("s%d: its socket at d%d vanishes", p->session, instance_host(d));
    model_vanished(p->session, p->socket_tab, instance_host(d));
    if (!is_in_sync(d)) model_trouble(model_session_at(p->session)->customer, sim_ms());
  }
  presence_detach(instance_presence(d), p->socket,
                  vanished ? PRESENCE_END_DISCONNECTED : PRESENCE_END_CLOSED);
  p->socket = NULL;
  p->socket_ends_ms = INT64_MAX;
}

static void open_socket(person *p, instance *d) {
  char room[3][32];
  if (p->socket) close_socket(p, false);
  au_beat beat = beat_of(p, p->tab, room);
  if (presence_attach(instance_presence(d), &beat, &p->socket) != AU_OK) abort();
  p->socket_at = d;
  p->socket_tab = p->tab;
}

/* Nobody knows yet that it is dead. */
static void leave_socket_behind(person *p) {
  int64_t ttl_ms = model_settings()->ttl_ms;
  if (p->socket) p->socket_ends_ms = sim_ms() + rng_between(&people.random, ttl_ms / 2, 2 * ttl_ms);
}

void people_leave_daemon(const instance *d) {
  for (int i = 0; i < model_settings()->sessions; i++) {
    person *p = &people.all[i];
    if (p->socket_at == d) close_socket(p, false);
    if (p->at == d) p->at = NULL;
  }
}

/* ---- acting -------------------------------------------------------------------------- */

static bool is_there(const instance *d) {
  return d && !instance_is_stopping(d);
}

static instance *any_daemon(void) {
  int first = (int)rng_below(&people.random, people.crowd.places);
  for (int i = 0; i < people.crowd.places; i++) {
    instance *d = people.crowd.daemons[(first + i) % people.crowd.places];
    if (is_there(d)) return d;
  }
  return NULL;
}

static void come(person *p, instance *d) {
  if (rng_chance(&people.random, 30)) p->tab = 1 - p->tab;
  p->here = true;
  begin(p, d, p->tab, rng_chance(&people.random, 60) ? JOIN : BEAT, 0);
  if (rng_chance(&people.random, 40)) open_socket(p, d);
}

/* Half of the pages that go name a grace, in which the next one comes. */
static int64_t any_grace(void) {
  int64_t most_ms = model_settings()->grace_ms;
  return rng_chance(&people.random, 50) ? rng_between(&people.random, 1, most_ms) : 0;
}

/* True when another daemon may be asked next, or another tab act. */
static bool stay(person *p, instance *d) {
  int64_t chance = rng_below(&people.random, 100);
  if (people.calm || chance < 62) {
    begin(p, d, p->tab, chance < 8 ? JOIN : BEAT, 0);
  } else if (chance < 70) { /* a page that goes on at another instance */
    begin(p, d, p->tab, BEAT, 0);
    if (rng_chance(&people.random, 50))
      open_socket(p, d);
    else
      leave_socket_behind(p);
  } else if (chance < 76) { /* another tab takes over */
    p->tab = 1 - p->tab;
    begin(p, d, p->tab, BEAT, 0);
  } else if (chance < 79) { /* a tab that may not hold it goes */
    begin(p, d, 1 - p->tab, LEAVE, any_grace());
  } else if (chance < 84) { /* the last beat of a page, and its leave behind it */
    if (p->socket_tab != p->tab) close_socket(p, false);
    begin(p, d, p->tab, BEAT, 0);
    begin(p, d, p->tab, LEAVE, any_grace());
    p->here = false;
  } else if (chance < 92) {
    begin(p, d, p->tab, LEAVE, any_grace());
    p->here = false;
  } else if (chance < 97 && p->socket) {
    close_socket(p, true);
    p->here = rng_chance(&people.random, 50);
  } else { /* silently */
    p->here = false;
  }
  if (!p->here) close_socket(p, false);
  return true;
}

/* The next act follows after a while, never longer than a third of the lifetime. */
static void wait_a_while(person *p) {
  int64_t third_ms = model_settings()->ttl_ms / 3;
  bool hurries = rng_chance(&people.random, 25);
  p->next_ms = sim_ms() + GAP_MS + rng_below(&people.random, hurries ? 200 : third_ms - GAP_MS);
}

static void act_now(person *p) {
  model_session *s = model_session_at(p->session);
  wait_a_while(p);
  if (s->in_flight > 0) return; /* it waits for its answer */
  bool moves = !p->at || rng_chance(&people.random, 15);
  instance *d = moves ? any_daemon() : p->at;
  if (!is_there(d)) d = any_daemon();
  if (!d || instance_is_frozen(d)) return; /* it would wait for its answer */
  if (p->here)
    (void)stay(p, d);
  else if (!people.calm)
    come(p, d);
}

void people_step(void) {
  for (int i = 0; i < model_settings()->sessions; i++) {
    person *p = &people.all[i];
    if (p->socket_ends_ms <= sim_ms()) close_socket(p, true);
    if (p->next_ms <= sim_ms()) act_now(p);
  }
}

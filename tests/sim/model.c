/* Who is active, and when that must be known to all. */
#include "model.h"

#include <stdio.h>
#include <string.h>

#include "adapters/redis/protocol/index_score.h"
#include "clock.h"
#include "fleet.h"
#include "model_private.h"
#include "report.h"
#include "utils/buffer.h"

enum {
  EARLY_MS = 2500, /* a deadline may come so much early: a clock read with a late answer */
  LATE_MS = 1000,  /* or late */
  BOT_EVERY = 5,   /* of so many sessions one is that of a bot */
  LATE_IN_TROUBLE_MS = 9000, /* a server that stood still runs old commands when it goes on */
};

model_state model;

void model_begin(const model_config *config) {
  memset(&model, 0, sizeof model);
  model.config = *config;
  for (int i = 0; i < config->customers; i++)
    snprintf(model.customers[i].id, sizeof model.customers[i].id, "shop%d", i);
  for (int i = 0; i < config->sessions; i++) model.sessions[i].customer = i % config->customers;
}

const model_config *model_settings(void) {
  return &model.config;
}

const char *model_customer_id(int customer) {
  return model.customers[customer].id;
}

int model_customer_of(au_slice id) {
  for (int i = 0; i < model.config.customers; i++)
    if (slice_eq(id, slice_of(model.customers[i].id))) return i;
  return -1;
}

model_session *model_session_at(int session) {
  return &model.sessions[session];
}

/* ---- trouble ------------------------------------------------------------------ */

void model_trouble(int customer, int64_t until_ms) {
  for (int i = 0; i < model.config.customers; i++) {
    model_customer *c = &model.customers[i];
    if (customer >= 0 && customer != i) continue;
    if (!c->troubled && sim_ms() >= c->calm_from_ms) c->trouble_began_ms = sim_ms();
    c->troubled = true;
    c->version++;
    if (until_ms > c->trouble_until_ms) c->trouble_until_ms = until_ms;
  }
}

void model_trouble_ends(int64_t until_ms) {
  for (int i = 0; i < model.config.customers; i++) {
    model_customer *c = &model.customers[i];
    if (c->trouble_until_ms == INT64_MAX) c->trouble_until_ms = until_ms;
  }
}

void model_doubt_clocks(int64_t until_ms) {
  if (until_ms > model.clocks_doubted_until_ms) model.clocks_doubted_until_ms = until_ms;
}

bool model_clocks_are_doubted(void) {
  return sim_ms() < model.clocks_doubted_until_ms;
}

void model_step(bool all_well) {
  for (int i = 0; i < model.config.customers; i++) {
    model_customer *c = &model.customers[i];
    if (sim_ms() >= c->calm_from_ms && !c->troubled) continue;
    if (!all_well || sim_ms() < c->trouble_until_ms) {
      c->troubled = true;
    } else if (c->troubled) {
      c->troubled = false;
      c->calm_from_ms = sim_ms() + SETTLE_MS;
    }
  }
}

bool model_is_calm(int customer) {
  const model_customer *c = &model.customers[customer];
  return !c->troubled && sim_ms() >= c->calm_from_ms;
}

/* Once it was well it is held to what it says, whatever it says of itself. */
void model_host(int host, bool is_well) {
  int64_t *from_ms = &model.right_from_ms[host % MODEL_HOSTS];
  if (is_well && *from_ms == 0) *from_ms = sim_ms() + SETTLE_MS;
}

/* ---- what nobody can know ------------------------------------------------------- */

static void make_unsure(model_session *s) {
  s->state = SESSION_UNSURE;
  model.customers[s->customer].version++;
}

void model_data_lost(int customer, bool (*is_alive)(int host)) {
  for (int i = 0; i < model.config.sessions; i++) {
    model_session *s = &model.sessions[i];
    if (s->customer != customer || s->long_hi_ms <= sim_ms()) continue;
    /* Of a shortened session that another daemon has for longer only its own daemon knows. */
    bool comes_back =
        s->shortened_by != s->touched_by && (s->hi_ms > sim_ms() || !is_alive(s->shortened_by));
    if (comes_back || !is_alive(s->shortened_by)) s->hi_ms = s->long_hi_ms;
    if (s->hi_ms <= sim_ms()) continue;
    bool only_redis_knew = s->state == SESSION_LIVE
                               ? !is_alive(s->touched_by)
                               : s->state == SESSION_GONE && !is_alive(s->ended_by);
    if (only_redis_knew) make_unsure(s);
  }
}

void model_daemon_lost(int host) {
  for (int i = 0; i < model.config.sessions; i++) {
    model_session *s = &model.sessions[i];
    bool only_it_knew = (!model_is_calm(s->customer) || model.config.alone) &&
                        s->hi_ms > sim_ms() && (s->touched_by == host || s->ended_by == host);
    if (only_it_knew || s->in_flight > 0) make_unsure(s);
  }
}

/* ---- sessions -------------------------------------------------------------------- */

void model_op_begin(model_op *op, int session, int tab, int host, bool is_leave, int64_t grace_ms,
                    bool in_sync) {
  model_session *s = &model.sessions[session];
  *op = (model_op){session, tab, host, is_leave, grace_ms, sim_ms(), ++model.operations};
  s->in_flight++;
  s->leaves_in_flight += is_leave;
  model.customers[s->customer].version++;
  if (!in_sync) model_trouble(s->customer, sim_ms());
}

static void touched(model_session *s, const model_op *op) {
  bool troubled = !model_is_calm(s->customer);
  /* What it left at another daemon a moment ago may be told with a time that is no better known. */
  bool blurred = troubled && model_clocks_are_doubted() && s->last_host != op->host;
  int64_t hi_ms = sim_ms() + model.config.ttl_ms + (troubled ? LATE_IN_TROUBLE_MS : LATE_MS);
  s->state = blurred ? SESSION_UNSURE : SESSION_LIVE;
  s->lo_ms = op->begun_ms + model.config.ttl_ms - EARLY_MS;
  if (hi_ms > s->hi_ms) s->hi_ms = hi_ms;
  s->long_hi_ms = s->hi_ms;
  s->kind_is_blurred = false;
  bool takes_over = op->tab != s->tab && model_clocks_are_doubted();
  s->tab_is_blurred = troubled && (s->tab_is_blurred || takes_over);
  s->tab = op->tab;
  s->touched_by = s->shortened_by = op->host;
  s->touched_ms = sim_ms();
}

/* The deadline comes forward. Without certainty it may, or may not. */
static void shortened(model_session *s, int64_t from_ms, int64_t grace_ms, int host, bool certain) {
  bool troubled = !model_is_calm(s->customer);
  int64_t end_ms = from_ms + grace_ms, rounded_ms = model.config.grace_ms / 40;
  int64_t hi_ms = sim_ms() + grace_ms + rounded_ms + (troubled ? LATE_IN_TROUBLE_MS : LATE_MS);
  model.customers[s->customer].version++;
  if (end_ms - EARLY_MS < s->lo_ms) s->lo_ms = end_ms - EARLY_MS;
  if (!certain || hi_ms >= s->hi_ms) return;
  s->hi_ms = hi_ms;
  s->shortened_by = host;
}

/* A leave of a tab that does not hold the session changes nothing, if all agree who does. */
static void left(model_session *s, const model_op *op) {
  const model_customer *c = &model.customers[s->customer];
  bool troubled = !model_is_calm(s->customer);
  bool elsewhere = s->touched_by != op->host;
  if (s->state == SESSION_GONE) return;
  if (op->tab != s->tab) {
    if (troubled) make_unsure(s);
    return;
  }
  bool told_first =
      troubled && elsewhere && (s->touched_ms >= c->trouble_began_ms || model_clocks_are_doubted());
  bool unknowable = told_first || s->tab_is_blurred;
  if (op->grace_ms > 0) {
    /* A daemon that is cut off may have the session from before, and bring it back. */
    bool certain = !unknowable && !troubled && s->state == SESSION_LIVE;
    shortened(s, op->begun_ms, op->grace_ms, op->host, certain);
    return;
  }
  s->state = unknowable ? SESSION_UNSURE : SESSION_GONE;
  s->ended_by = op->host;
}

static void apply(model_session *s, const model_op *op) {
  if (op->is_leave)
    left(s, op);
  else
    touched(s, op);
  s->last_host = op->host;
}

void model_op_end(const model_op *op, bool in_sync) {
  model_session *s = &model.sessions[op->session];
  s->in_flight--;
  s->leaves_in_flight -= op->is_leave;
  model.customers[s->customer].version++;
  if (!in_sync) model_trouble(s->customer, sim_ms());
  if (op->number > s->newest.number) {
    s->newest = *op;
    apply(s, op);
  } else if (!op->is_leave && s->newest.is_leave) {
    /* The leave of the same page was acknowledged first: both count, in their order. */
    apply(s, op);
    apply(s, &s->newest);
  }
}

void model_vanished(int session, int tab, int host) {
  model_session *s = &model.sessions[session];
  bool here = s->touched_by == host && s->tab == tab, calm = model_is_calm(s->customer);
  bool blurred = sim_ms() - s->touched_ms < 500 || model_clocks_are_doubted();
  if (s->tab != tab || (!here && !blurred && calm)) return;
  bool certain = here && !s->tab_is_blurred && calm && s->in_flight == 0;
  shortened(s, sim_ms(), model.config.grace_ms, host, certain);
}

void model_foreign(int session) {
  model_session *s = &model.sessions[session];
  int64_t hi_ms = sim_ms() + model.config.ttl_ms + LATE_MS;
  make_unsure(s);
  if (hi_ms > s->hi_ms) s->hi_ms = s->long_hi_ms = hi_ms;
  s->tab_is_blurred = s->kind_is_blurred = true;
}

/* ---- counts ----------------------------------------------------------------------- */

bool model_is_bot(int session) {
  return session % BOT_EVERY == 0;
}

model_bounds model_count(int customer, bool of_bots) {
  model_bounds b = {0, 0};
  for (int i = 0; i < model.config.sessions; i++) {
    const model_session *s = &model.sessions[i];
    bool is_one = model_is_bot(i) == of_bots;
    if (s->customer != customer || !(is_one || s->kind_is_blurred)) continue;
    bool live = s->state == SESSION_LIVE && sim_ms() < s->lo_ms && s->leaves_in_flight == 0;
    bool may_live = (s->state != SESSION_GONE && sim_ms() < s->hi_ms) || s->in_flight > 0;
    b.least += live && is_one && !s->kind_is_blurred;
    b.most += may_live;
  }
  return b;
}

model_window model_ask(au_slice customer_id) {
  model_window w = {.customer = model_customer_of(customer_id)};
  if (w.customer < 0) return w;
  w.version = model.customers[w.customer].version;
  w.calm = model_is_calm(w.customer);
  w.lost_ms = fleet_lost_ms(model_customer_id(w.customer));
  for (int bots = 0; bots < 2; bots++) w.bounds[bots] = model_count(w.customer, bots);
  return w;
}

/* Who is counted and should not be, and the other way round, by the index in Redis. */
static const char *difference(int customer) {
  static char text[200];
  char room[160], name[16];
  size_t len = 0;
  text[0] = '\0';
  fake *f = fleet_server_of(model_customer_id(customer));
  if (!f) return text;
  const db_entry *index =
      db_find(&f->data, fleet_key(room, "au:idx:", model_customer_id(customer), ""), 0);
  for (int i = 0; i < model.config.sessions && len < sizeof text - 40; i++) {
    const model_session *s = &model.sessions[i];
    if (s->customer != customer) continue;
    int n = snprintf(name, sizeof name, "s%d", i);
    const db_member *m =
        index && index->type == DB_ZSET ? db_member_find(index, (au_slice){name, (size_t)n}) : NULL;
    bool counted = m && redis_score_deadline(m->score) > (double)fake_now_ms(f);
    bool live = s->state == SESSION_LIVE && sim_ms() < s->lo_ms;
    bool gone = s->state == SESSION_GONE || sim_ms() >= s->hi_ms;
    if (counted && gone)
      len += (size_t)snprintf(text + len, sizeof text - len, "; %s is gone", name);
    if (!counted && live)
      len += (size_t)snprintf(text + len, sizeof text - len, "; %s is live", name);
  }
  return text;
}

static void check_count(const model_window *w, bool of_bots, uint32_t count, int host) {
  model_bounds now = model_count(w->customer, of_bots), then = w->bounds[of_bots];
  uint32_t least = now.least < then.least ? now.least : then.least;
  uint32_t most = now.most > then.most ? now.most : then.most;
  if (count >= least && count <= most) return;
  report_failure(of_bots ? "a count of bots is wrong" : "a count is wrong",
                 "%s at d%d: %u, and it is %u to %u%s", model_customer_id(w->customer), host, count,
                 least, most, difference(w->customer));
}

void model_answer(const model_window *w, const au_sample *sample, int host) {
  if (w->customer < 0) return;
  int64_t right_from_ms = model.right_from_ms[host % MODEL_HOSTS];
  bool exact = right_from_ms > 0 && sim_ms() >= right_from_ms && w->calm &&
               model_is_calm(w->customer) && w->version == model.customers[w->customer].version;
  if (w->lost_ms > 0 && w->lost_ms == fleet_lost_ms(model_customer_id(w->customer)) &&
      !sample->stale)
    report_failure("a count is not stale though Redis was away", "%s at d%d",
                   model_customer_id(w->customer), host);
  if (!exact) {
    /* Others as they were known last, and this daemon's own: some are among both. */
    if (sample->count > 2 * (uint32_t)model.config.sessions)
      report_failure("a count is beyond all sense", "%u of %s", sample->count,
                     model_customer_id(w->customer));
    return;
  }
  if (sample->stale)
    report_failure("a count is stale though all is well", "%s at d%d",
                   model_customer_id(w->customer), host);
  check_count(w, false, sample->count, host);
  check_count(w, true, sample->bots, host);
}

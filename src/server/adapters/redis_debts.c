/* A date, and two lists of endings. Must not know how they are paid. */
#include "redis_debts.h"

#include "../utils/log.h"
#include "redis_store.h"

#include <stdlib.h>

struct redis_debts {
  redis_store *store;
  redis_acts *endings;
  redis_acts *told;      /* leaves that Redis knows: it may lose them while others remember */
  size_t tell_again;     /* so many of them, the oldest */
  int64_t owed_since_ms; /* sessions touched since then, monotonic; INT64_MAX: none */

  size_t endings_left, told_left; /* of a hand-over: those that were not looked at */
};

static int64_t now_ms(const redis_debts *d) {
  return redis_store_mono_ms(d->store);
}

/* ---- what comes to be owed ------------------------------------------------ */

void redis_debts_owe(redis_debts *d) {
  redis_debts_owe_since(d, now_ms(d));
}

void redis_debts_owe_since(redis_debts *d, int64_t since_ms) {
  if (since_ms < d->owed_since_ms) d->owed_since_ms = since_ms;
}

void redis_debts_owe_all(redis_debts *d) {
  d->owed_since_ms = INT64_MIN;
  d->tell_again = redis_acts_count(d->told);
}

au_status redis_debts_owe_ending(redis_debts *d, const redis_act *ending) {
  return redis_acts_add(d->endings, ending);
}

void redis_debts_owe_again(redis_debts *d, const redis_act *ending) {
  if (redis_store_revived(d->store, ending)) return;
  if (redis_debts_owe_ending(d, ending) != AU_OK)
    log_warn("redis", "a leave is forgotten: its session lives out its time", LOG_NONE);
}

/* ---- what is owed to another ----------------------------------------------- */

/* As many as there are now, for those that stay are added again. */
void redis_debts_begin_hand_over(redis_debts *d) {
  d->endings_left = redis_acts_count(d->endings);
  d->told_left = redis_acts_count(d->told);
}

static bool next_left(redis_debts *d, redis_acts *from, size_t *left, size_t *max, redis_act *out) {
  if (*left == 0 || *max == 0) return false;
  --*left;
  --*max;
  bool any = redis_acts_take(from, now_ms(d), out);
  if (!any) *left = 0; /* the others were too old to matter */
  return any;
}

bool redis_debts_hand_over(redis_debts *d, size_t *max) {
  redis_act ending;
  while (next_left(d, d->endings, &d->endings_left, max, &ending))
    redis_debts_owe_again(redis_store_debts(d->store, ending.who.customer_id), &ending);
  while (next_left(d, d->told, &d->told_left, max, &ending))
    redis_debts_left(redis_store_debts(d->store, ending.who.customer_id), &ending);
  if (d->endings_left + d->told_left > 0) return true;
  if (d->tell_again > 0) d->tell_again = redis_acts_count(d->told); /* they are in another order */
  return false;
}

/* ---- what is not owed any more -------------------------------------------- */

/* The oldest are forgotten when there are too many: such a session may come back for what is
 * left of its time. */
void redis_debts_left(redis_debts *d, const redis_act *leave) {
  redis_act oldest;
  if (redis_acts_count(d->told) >= REDIS_DEBTS_LEAVES_MAX)
    (void)redis_acts_take(d->told, now_ms(d), &oldest);
  if (redis_acts_add(d->told, leave) != AU_OK) log_debug("redis", "a leave is not kept", LOG_NONE);
}

void redis_debts_revive(redis_debts *d, au_slice customer_id, au_slice session_id) {
  redis_acts_remove(d->endings, customer_id, session_id);
  redis_acts_remove(d->told, customer_id, session_id);
}

int64_t redis_debts_take_sessions(redis_debts *d) {
  int64_t since_ms = d->owed_since_ms;
  d->owed_since_ms = INT64_MAX;
  return since_ms;
}

bool redis_debts_take_ending(redis_debts *d, redis_act *out) {
  if (redis_acts_take(d->endings, now_ms(d), out)) return true;
  if (d->tell_again > 0) {
    d->tell_again--;
    if (redis_acts_take(d->told, now_ms(d), out)) return true;
  }
  d->tell_again = 0;
  return false;
}

void redis_debts_expire(redis_debts *d) {
  redis_acts_expire(d->endings, now_ms(d), REDIS_DEBTS_SLICE);
  redis_acts_expire(d->told, now_ms(d), REDIS_DEBTS_SLICE);
}

/* ---- questions ------------------------------------------------------------ */

bool redis_debts_has_ended(const redis_debts *d, const au_beat *beat, redis_moment since,
                           redis_act_kind *kind) {
  return redis_acts_find(d->endings, beat, since, kind);
}

bool redis_debts_any(const redis_debts *d) {
  return d->owed_since_ms != INT64_MAX || redis_acts_count(d->endings) > 0 || d->tell_again > 0;
}

/* ---- life ----------------------------------------------------------------- */

au_status redis_debts_create(redis_store *store, redis_debts **out) {
  redis_debts *d = calloc(1, sizeof *d);
  if (!d) return AU_ENOMEM;
  int64_t lifetime_ms = redis_store_ttl_ms(store);
  d->store = store;
  d->owed_since_ms = INT64_MAX;
  au_status status =
      redis_acts_create(store->seed, store->config->max_sessions, lifetime_ms, &d->endings);
  if (status == AU_OK)
    status = redis_acts_create(store->seed, REDIS_DEBTS_LEAVES_MAX, lifetime_ms, &d->told);
  if (status != AU_OK) {
    redis_debts_free(d);
    return status;
  }
  *out = d;
  return AU_OK;
}

void redis_debts_free(redis_debts *d) {
  if (!d) return;
  redis_acts_free(d->endings);
  redis_acts_free(d->told);
  free(d);
}

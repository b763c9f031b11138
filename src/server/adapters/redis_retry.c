/* Two lists and a timer. Must not know who refused, nor who waits. */
#include "redis_retry.h"

#include "../utils/log.h"
#include "redis_store.h"
#include "redis_tell.h"

#include <stdlib.h>

/* Touches go before endings, as in a replay: a session may have been taken over by one tab
 * and ended by another. */
struct redis_retry {
  redis_store *store;
  redis_acts *touches, *endings;
  uint32_t pending; /* answers that are missing */
  bool taken;       /* something of this batch was */
  uint64_t pause_ms;

  uv_timer_t timer;
  bool stopping;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

static size_t owed(const redis_retry *r) {
  return redis_acts_count(r->touches) + redis_acts_count(r->endings);
}

static redis_acts *list_of(redis_retry *r, redis_act_kind kind) {
  return kind == REDIS_ACT_TOUCH ? r->touches : r->endings;
}

/* ---- a batch ---------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void wait_ms(redis_retry *r, uint64_t ms) {
  r->pause_ms = ms;
  uv_timer_start(&r->timer, on_timer, ms, 0);
}

/* Where something was taken there may be more: the next batch follows after a turn for
 * others. */
static void answered(redis_retry *r) {
  if (--r->pending > 0 || r->stopping || owed(r) == 0) return;
  uint64_t longer_ms = r->pause_ms > 0 ? 2 * r->pause_ms : REDIS_RETRY_MIN_MS;
  if (longer_ms > REDIS_RETRY_MAX_MS) longer_ms = REDIS_RETRY_MAX_MS;
  wait_ms(r, r->taken ? 0 : longer_ms);
}

static void put_back(redis_retry *r, const redis_act *act) {
  if (act->kind != REDIS_ACT_TOUCH && redis_store_revived(r->store, act)) return;
  if (redis_acts_add(list_of(r, act->kind), act) != AU_OK)
    log_warn("redis", "what a key refused is forgotten", LOG_NONE);
}

static void on_told(redis_told told, const redis_act *act, void *arg) {
  redis_retry *r = arg;
  if (told == REDIS_TOLD)
    r->taken = true;
  else
    put_back(r, act);
  answered(r);
}

/* False when the session lives no more. */
static bool tell_touch(redis_retry *r, redis_node *n, const redis_act *act, au_status *status) {
  presence_live live;
  if (!presence_table_find(r->store->table, act->who.customer_id, act->who.session_id,
                           redis_store_mono_ms(r->store), &live))
    return false;
  *status = redis_tell_session(n, &live, on_told, r);
  return true;
}

/* A node that is not whole is waited for: it does not know all that came before. */
static void tell(redis_retry *r, const redis_act *act) {
  redis_node *n = redis_store_node(r->store, act->who.customer_id);
  au_status status = AU_ESTORE;
  if (redis_node_is_whole(n)) {
    if (act->kind != REDIS_ACT_TOUCH)
      status = redis_tell_ending(n, act, on_told, r);
    else if (!tell_touch(r, n, act, &status))
      return;
  }
  if (status == AU_OK)
    r->pending++;
  else
    put_back(r, act);
}

static void tell_some(redis_retry *r, redis_acts *from, size_t max) {
  redis_act act;
  size_t n = redis_acts_count(from);
  if (n > max) n = max;
  while (n-- > 0 && redis_acts_take(from, redis_store_mono_ms(r->store), &act)) tell(r, &act);
}

/* One answer is held back by this function. Each list has its half, so that neither waits
 * for the other. */
static void on_timer(uv_timer_t *timer) {
  redis_retry *r = timer->data;
  r->pending = 1;
  r->taken = false;
  tell_some(r, r->touches, REDIS_RETRY_BATCH / 2);
  tell_some(r, r->endings, REDIS_RETRY_BATCH / 2);
  answered(r);
}

/* ---- what is owed ------------------------------------------------------------ */

au_status redis_retry_owe(redis_retry *r, const redis_act *act) {
  bool first = owed(r) == 0 && r->pending == 0;
  au_status status = redis_acts_add(list_of(r, act->kind), act);
  if (status == AU_OK && first && !r->stopping) wait_ms(r, REDIS_RETRY_MIN_MS);
  return status;
}

void redis_retry_revive(redis_retry *r, au_slice customer_id, au_slice session_id) {
  redis_acts_remove(r->endings, customer_id, session_id);
}

bool redis_retry_has_ended(const redis_retry *r, const au_beat *beat, redis_moment since,
                           redis_act_kind *kind) {
  return redis_acts_find(r->endings, beat, since, kind);
}

/* ---- life -------------------------------------------------------------------- */

au_status redis_retry_create(redis_store *store, redis_retry **out) {
  redis_retry *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  const au_config *config = store->config;
  int64_t lifetime_ms = (int64_t)config->presence_ttl_s * 1000;
  r->store = store;
  au_status status = redis_acts_create(store->seed, config->max_sessions, lifetime_ms, &r->touches);
  if (status == AU_OK)
    status = redis_acts_create(store->seed, config->max_sessions, lifetime_ms, &r->endings);
  if (status != AU_OK) {
    redis_retry_free(r);
    return status;
  }
  *out = r;
  return AU_OK;
}

void redis_retry_start(redis_retry *r) {
  uv_timer_init(r->store->loop, &r->timer);
  r->timer.data = r;
}

static void on_closed(uv_handle_t *handle) {
  redis_retry *r = handle->data;
  r->stopped(r->stopped_arg);
}

void redis_retry_stop(redis_retry *r, void (*stopped)(void *arg), void *arg) {
  r->stopping = true;
  r->stopped = stopped;
  r->stopped_arg = arg;
  uv_close((uv_handle_t *)&r->timer, on_closed);
}

void redis_retry_free(redis_retry *r) {
  if (!r) return;
  redis_acts_free(r->touches);
  redis_acts_free(r->endings);
  free(r);
}

/* The own table first, then the debt. Must not know why Redis cannot be told. */
#include "redis_local.h"

#include "redis_script.h"
#include "redis_store.h"

/* Who serves the customer now: since an operation began it may have become another one. */
static redis_node *node_now(const redis_node *n, const au_beat *beat) {
  return redis_store_node(n->store, beat->customer_id);
}

/* When the tab renewed the session here, if it is the one that holds it here; else -1. */
static int64_t held_since_ms(const redis_store *s, const au_beat *beat) {
  presence_live known;
  bool held = presence_table_find(s->table, beat->customer_id, beat->session_id,
                                  redis_store_mono_ms(s), &known) &&
              slice_eq(known.beat.tab_id, beat->tab_id);
  return held ? known.renewed_ms : -1;
}

redis_act redis_local_ending(const redis_node *n, redis_act_kind kind, const au_beat *beat,
                             redis_moment at) {
  return (redis_act){
      .kind = kind, .at = at, .held_ms = held_since_ms(n->store, beat), .who = *beat};
}

bool redis_local_answered(redis_node *n, const redis_act *leave, long long answer) {
  const redis_store *s = n->store;
  const au_beat *who = &leave->who;
  if (answer == REDIS_LEAVE_OTHER) return false;
  bool dropped = presence_table_drop(s->table, who->customer_id, who->session_id);
  redis_act kept = *leave;
  if (kept.held_ms < 0 && answer == REDIS_LEAVE_ENDED) kept.held_ms = kept.at.ms;
  redis_debts_left(redis_store_debts(s, who->customer_id), &kept);
  return dropped;
}

/* What a node that serves has refused was the fault of a key, or of the way there. Before the
 * table is touched: else the clock may pass between the two. */
static au_status owe_touch(redis_node *n, const au_beat *beat, redis_moment began) {
  if (redis_node_serves(n))
    return redis_retry_owe(n->store->retry,
                           &(redis_act){.kind = REDIS_ACT_TOUCH, .at = began, .who = *beat});
  redis_debts_owe(n->debts);
  return AU_OK;
}

/* Whoever holds it here may have been taken over by way of another daemon, or by a touch that
 * is on its way: Redis knows, once it can be asked. */
static au_status owe_ending(redis_node *n, redis_act_kind kind, const au_beat *beat,
                            redis_moment at) {
  const redis_act ending = redis_local_ending(n, kind, beat, at);
  n = node_now(n, beat);
  return redis_node_is_whole(n) ? redis_retry_owe(n->store->retry, &ending)
                                : redis_debts_owe_ending(n->debts, &ending);
}

void redis_local_revive(redis_node *n, const au_beat *beat) {
  redis_debts_revive(n->debts, beat->customer_id, beat->session_id);
  redis_retry_revive(n->store->retry, beat->customer_id, beat->session_id);
}

/* Whether the tab of a touch has ended or shortened its session since the touch began, of
 * which Redis is not told yet: the touch is over then. */
static bool has_ended(const redis_node *n, const au_beat *beat, redis_moment began,
                      redis_act_kind *kind) {
  return redis_debts_has_ended(n->debts, beat, began, kind) ||
         redis_retry_has_ended(n->store->retry, beat, began, kind);
}

au_status redis_local_touch(redis_node *n, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                            void *arg) {
  au_store *own = n->store->own;
  au_status status = owe_touch(n, beat, redis_store_moment(n->store));
  if (status == AU_OK) status = own->ops->touch(own, beat, kind, cb, arg);
  if (status == AU_OK) redis_local_revive(n, beat);
  return status;
}

/* The debt comes first, since it may be refused; one too many does no harm. */
au_status redis_local_leave(redis_node *n, const au_beat *beat, au_done_fn cb, void *arg) {
  au_store *own = n->store->own;
  au_status status = owe_ending(n, REDIS_ACT_LEAVE, beat, redis_store_moment(n->store));
  return status == AU_OK ? own->ops->leave(own, beat, cb, arg) : status;
}

au_status redis_local_shorten(redis_node *n, const au_beat *beat, au_done_fn cb, void *arg) {
  au_store *own = n->store->own;
  au_status status = owe_ending(n, REDIS_ACT_SHORTEN, beat, redis_store_moment(n->store));
  if (status != AU_OK) return status;
  return own->ops->shorten(own, beat, n->store->config->disconnect_grace_ms, cb, arg);
}

/* An operation of the same tab that began after the touch may have ended here before it. */
au_status redis_local_acknowledge(redis_node *n, const au_beat *beat, redis_moment began) {
  redis_store *s = n->store;
  redis_act_kind kind;
  n = node_now(n, beat);
  bool ended = has_ended(n, beat, began, &kind);
  if (ended && kind == REDIS_ACT_LEAVE) return AU_OK;
  au_status status = presence_table_touch(s->table, beat, AU_TOUCH_JOIN, redis_store_mono_ms(s));
  if (status != AU_OK) return status;
  if (ended)
    (void)presence_table_shorten(s->table, beat, redis_store_mono_ms(s));
  else
    redis_local_revive(n, beat);
  redis_store_expire(s);
  return AU_OK;
}

au_status redis_local_touched(redis_node *n, const au_beat *beat, redis_moment began) {
  n = node_now(n, beat);
  au_status status = owe_touch(n, beat, began);
  return status == AU_OK ? redis_local_acknowledge(n, beat, began) : status;
}

au_status redis_local_left(redis_node *n, const au_beat *beat, redis_moment began) {
  au_status status = owe_ending(n, REDIS_ACT_LEAVE, beat, began);
  if (status == AU_OK)
    (void)presence_table_leave(n->store->table, beat, redis_store_mono_ms(n->store));
  return status;
}

au_status redis_local_shortened(redis_node *n, const au_beat *beat, redis_moment began) {
  redis_store *s = n->store;
  au_status status = owe_ending(n, REDIS_ACT_SHORTEN, beat, began);
  if (status == AU_OK && presence_table_shorten(s->table, beat, redis_store_mono_ms(s)))
    redis_store_expire(s);
  return status;
}

/* The own table first, then the debt. Must not know why Redis cannot be told. */
#include "redis_local.h"

#include "redis_store.h"

/* Who serves the customer now: since an operation began it may have become another one. */
static redis_node *node_now(const redis_node *n, const au_beat *beat) {
  return redis_store_node(n->store, beat->customer_id);
}

/* A fault of one key, with a node that is whole, is nothing to replay: the next beat tries
 * again. Before the table is touched: else the clock may pass between the two. */
static void owe(redis_node *n) {
  if (!redis_node_is_whole(n)) redis_debts_owe(n->debts);
}

/* Whoever holds it here may have been taken over by way of another daemon, or by a touch that
 * is on its way: Redis knows, once it can be asked. */
static au_status owe_ending(redis_node *n, redis_ending_kind kind, const au_beat *beat,
                            redis_moment at) {
  n = node_now(n, beat);
  if (redis_node_is_whole(n)) return AU_OK;
  return redis_debts_owe_ending(n->debts, kind, beat, at);
}

au_status redis_local_touch(redis_node *n, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                            void *arg) {
  au_store *own = n->store->own;
  owe(n);
  au_status status = own->ops->touch(own, beat, kind, cb, arg);
  if (status == AU_OK) redis_debts_revive(n->debts, beat->customer_id, beat->session_id);
  return status;
}

/* The debt comes first, since it may be refused; one too many does no harm. */
au_status redis_local_leave(redis_node *n, const au_beat *beat, au_done_fn cb, void *arg) {
  au_store *own = n->store->own;
  au_status status = owe_ending(n, REDIS_ENDING_LEAVE, beat, redis_store_moment(n->store));
  return status == AU_OK ? own->ops->leave(own, beat, cb, arg) : status;
}

au_status redis_local_shorten(redis_node *n, const au_beat *beat, au_done_fn cb, void *arg) {
  au_store *own = n->store->own;
  au_status status = owe_ending(n, REDIS_ENDING_SHORTEN, beat, redis_store_moment(n->store));
  if (status != AU_OK) return status;
  return own->ops->shorten(own, beat, n->store->config->disconnect_grace_ms, cb, arg);
}

/* An operation of the same tab that began after the touch may have ended here before it. */
au_status redis_local_acknowledge(redis_node *n, const au_beat *beat, redis_moment began) {
  redis_store *s = n->store;
  redis_ending_kind kind;
  n = node_now(n, beat);
  bool ended = redis_debts_has_ended(n->debts, beat, began, &kind);
  if (ended && kind == REDIS_ENDING_LEAVE) return AU_OK;
  au_status status = presence_table_touch(s->table, beat, AU_TOUCH_JOIN, redis_store_mono_ms(s));
  if (status != AU_OK) return status;
  if (ended)
    (void)presence_table_shorten(s->table, beat, redis_store_mono_ms(s));
  else
    redis_debts_revive(n->debts, beat->customer_id, beat->session_id);
  redis_store_expire(s);
  return AU_OK;
}

au_status redis_local_touched(redis_node *n, const au_beat *beat, redis_moment began) {
  n = node_now(n, beat);
  owe(n);
  return redis_local_acknowledge(n, beat, began);
}

au_status redis_local_left(redis_node *n, const au_beat *beat, redis_moment began) {
  au_status status = owe_ending(n, REDIS_ENDING_LEAVE, beat, began);
  if (status == AU_OK)
    (void)presence_table_leave(n->store->table, beat, redis_store_mono_ms(n->store));
  return status;
}

au_status redis_local_shortened(redis_node *n, const au_beat *beat, redis_moment began) {
  redis_store *s = n->store;
  au_status status = owe_ending(n, REDIS_ENDING_SHORTEN, beat, began);
  if (status == AU_OK && presence_table_shorten(s->table, beat, redis_store_mono_ms(s)))
    redis_store_expire(s);
  return status;
}

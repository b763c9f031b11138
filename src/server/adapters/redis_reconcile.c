/* Takes a round from step to step. Must not know beats, averages or the state of the link:
 * a round ends quietly when a command gets no answer, and the next tick begins another.
 *
 * The replies come from keys that anybody may have written. What is odd is skipped. */
#include "redis_reconcile.h"

#include "../utils/log.h"
#include "redis_command.h"
#include "redis_scan.h"

#include <stdlib.h>
#include <string.h>

static void on_turn(uv_timer_t *timer);

/* ---- the end of a step and of a round ------------------------------------- */

static void release_waiters(redis_reconcile *r, au_status status) {
  redis_waiter *waiter = r->waiters;
  r->waiters = NULL;
  while (waiter) {
    redis_waiter *next = waiter->next;
    waiter->go(waiter, status);
    waiter = next;
  }
}

static void end_round(redis_reconcile *r) {
  int64_t now_ms = redis_store_mono_ms(r->node->store);
  r->next = STEP_NONE;
  r->not_before_ms = now_ms + (now_ms - r->began_ms);
  if (!r->failed) r->complained = false;
  buffer_free(&r->names);
  buffer_free(&r->customers);
  free(r->items);
  r->items = NULL;
  r->count = r->room = r->readers = 0;
  release_waiters(r, r->stopping ? AU_ECANCELED : AU_OK);
}

static bool is_old(const redis_reconcile *r) {
  return r->keys > REDIS_SCAN_FAST_KEYS ||
         redis_store_mono_ms(r->node->store) - r->began_ms > REDIS_SCAN_WAIT_MS;
}

/* After the last answer of a step. */
static void go_on(redis_reconcile *r) {
  if (r->failed || r->stopping || r->next == STEP_NONE) {
    end_round(r);
    return;
  }
  if (is_old(r)) release_waiters(r, AU_OK);
  if (r->stopping) return; /* by one who waited: on_turn_closed ends the round */
  bool pause = r->pause && r->keys > REDIS_SCAN_FAST_KEYS;
  uv_timer_start(&r->turn, on_turn, pause ? REDIS_SCAN_PAUSE_MS : 0, 0);
}

/* ---- what the steps use --------------------------------------------------- */

static void send_to(redis_reconcile *r, redis_node *node, const au_slice *args, size_t n,
                    redis_reply_fn cb, void *arg) {
  if (r->failed) return;
  if (redis_node_command(node, args, n, cb, arg) == AU_OK)
    r->pending++;
  else
    r->failed = true;
}

void redis_scan_send(redis_reconcile *r, const au_slice *args, size_t n, redis_reply_fn cb,
                     void *arg) {
  send_to(r, r->node, args, n, cb, arg);
}

void redis_scan_list(redis_reconcile *r, au_slice customer_id, redis_reply_fn cb, void *arg) {
  size_t group = redis_keys_group_of(r->naming, customer_id);
  redis_command list;
  redis_command_list(&list, r->naming, customer_id);
  send_to(r, redis_store_list_node(r->node->store, group), list.words, list.count, cb, arg);
}

bool redis_scan_arrived(redis_reconcile *r, au_status status) {
  if (status != AU_OK) r->failed = true;
  return !r->failed;
}

void redis_scan_answered(redis_reconcile *r) {
  if (--r->pending == 0) go_on(r);
}

void redis_scan_give_up(redis_reconcile *r, const redisReply *reply) {
  r->failed = true;
  r->node->store->counters->store_errors++;
  if (!r->complained)
    log_warn("redis", "scan refused", LOG_STR("reason", redis_reply_refusal(reply).reason));
  r->complained = true;
}

void redis_scan_add(redis_reconcile *r, au_slice customer_id, au_slice session_id) {
  if (r->count == r->room) {
    size_t room = r->room ? r->room * 2 : (size_t)2 * REDIS_SCAN_COUNT;
    redis_item *grown = realloc(r->items, room * sizeof *grown);
    if (!grown) {
      r->failed = true;
      return;
    }
    r->items = grown;
    r->room = room;
  }
  r->items[r->count++] = (redis_item){.owner = r,
                                      .at = r->names.len,
                                      .customer_len = (uint8_t)customer_id.len,
                                      .session_len = (uint8_t)session_id.len};
  buffer_append_slice(&r->names, customer_id);
  buffer_append_slice(&r->names, session_id);
  if (r->names.failed) r->failed = true;
}

void redis_scan_clear(redis_reconcile *r) {
  r->count = r->begin = r->end = 0;
  buffer_clear(&r->names);
}

bool redis_scan_next_batch(redis_reconcile *r) {
  r->begin = r->end;
  size_t left = r->count - r->begin;
  r->end = r->begin + (left < REDIS_SCAN_COUNT ? left : REDIS_SCAN_COUNT);
  return left > 0;
}

/* ---- rounds --------------------------------------------------------------- */

/* One answer is held back by this function, so that a step which sends nothing ends by the
 * same way. */
static void take_step(redis_reconcile *r) {
  r->pending = 1;
  r->pause = false;
  switch (r->next) {
  case STEP_SCAN: redis_scan_keys(r); break;
  case STEP_CHECK: redis_scan_check(r); break;
  case STEP_MEND: redis_scan_mend(r); break;
  case STEP_ADD: redis_scan_add_found(r); break;
  case STEP_CUSTOMERS: redis_scan_customers(r); break;
  case STEP_MEMBERS: redis_scan_members(r); break;
  case STEP_EXISTS: redis_scan_exists(r); break;
  case STEP_DROP: redis_scan_drop(r); break;
  case STEP_NONE: break;
  }
  redis_scan_answered(r);
}

static void on_turn(uv_timer_t *timer) {
  take_step(timer->data);
}

void redis_reconcile_want(redis_reconcile *r) {
  r->wanted = true;
}

bool redis_reconcile_is_wanted(const redis_reconcile *r) {
  return r->wanted;
}

void redis_reconcile_begin(redis_reconcile *r) {
  r->wanted = false;
  int64_t now_ms = redis_store_mono_ms(r->node->store);
  if (r->stopping || r->next != STEP_NONE || now_ms < r->not_before_ms) return;
  r->failed = false;
  r->keys = 0;
  r->list = 0;
  r->began_ms = now_ms;
  memcpy(r->cursor, "0", 2);
  r->next = STEP_SCAN;
  uv_timer_start(&r->turn, on_turn, 0, 0);
}

bool redis_reconcile_wait(redis_reconcile *r, redis_waiter *waiter) {
  if (r->next == STEP_NONE || is_old(r)) return false;
  waiter->next = r->waiters;
  r->waiters = waiter;
  return true;
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

au_status redis_reconcile_create(redis_node *node, redis_reconcile **out) {
  redis_reconcile *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->node = node;
  r->naming = &node->store->keys;
  buffer_init(&r->names, REDIS_SCAN_BATCH_BYTES);
  buffer_init(&r->customers, REDIS_SCAN_BATCH_BYTES);
  *out = r;
  return AU_OK;
}

void redis_reconcile_start(redis_reconcile *r) {
  uv_timer_init(r->node->store->loop, &r->turn);
  r->turn.data = r;
}

/* A round that waits for its turn has no answer to come and ends here; one that waits for
 * answers ends with the last of them, which the link cancels. */
static void on_turn_closed(uv_handle_t *handle) {
  redis_reconcile *r = handle->data;
  if (r->next != STEP_NONE && r->pending == 0) end_round(r);
  r->stopped(r->stopped_arg);
}

void redis_reconcile_stop(redis_reconcile *r, void (*stopped)(void *arg), void *arg) {
  r->stopping = true;
  r->stopped = stopped;
  r->stopped_arg = arg;
  uv_close((uv_handle_t *)&r->turn, on_turn_closed);
}

void redis_reconcile_free(redis_reconcile *r) {
  if (!r) return;
  buffer_free(&r->names);
  buffer_free(&r->customers);
  free(r->items);
  free(r);
}

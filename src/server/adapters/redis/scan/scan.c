/* Takes a round from step to step.
 *
 * The replies come from keys that anybody may have written. What is odd or refused is skipped,
 * counted and logged once, and the round goes on behind it; only the loss of the link ends a
 * round, and the next tick begins another. */
#include "scan.h"

#include "passes.h"
#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

static void on_turn(uv_timer_t *timer);

static int64_t now_ms_of(const redis_scan *r) {
  return clock_mono_ms(r->config.clock);
}

/* ---- the end of a step and of a round ------------------------------------- */

static void release_waiters(redis_scan *r, au_status status) {
  redis_waiter *waiter = r->waiters;
  r->waiters = NULL;
  while (waiter) {
    redis_waiter *next = waiter->next;
    waiter->go(waiter, status);
    waiter = next;
  }
}

static void log_skips(redis_scan *r) {
  const redis_endpoint *at = redis_node_endpoint(r->node);
  if (r->skipped > 0 && !r->skips_logged)
    log_warn("redis", "scan skips what it cannot read", LOG_STR("host", at->host),
             LOG_INT("port", at->port), LOG_STR("reason", r->skip_reason),
             LOG_INT("skipped", r->skipped));
  r->skips_logged = r->skipped > 0;
}

/* A round that ended early has not seen everything, so it ends nothing. */
static void judge_round(redis_scan *r) {
  const redis_endpoint *at = redis_node_endpoint(r->node);
  if (r->failed || r->refused) {
    if (++r->failures < REDIS_SCAN_FAILURES || r->failure_logged) return;
    log_warn("redis", "scan fails again and again", LOG_STR("host", at->host),
             LOG_INT("port", at->port),
             LOG_STR("reason", r->refused ? r->refused : "the link to redis was lost"),
             LOG_INT("rounds", r->failures));
    r->failure_logged = true;
    return;
  }
  if (r->failure_logged)
    log_info("redis", "scan passes again", LOG_STR("host", at->host), LOG_INT("port", at->port));
  log_skips(r);
  r->refusal_logged = r->failure_logged = false;
  r->failures = 0;
}

void redis_scan_yield(redis_scan *r) {
  r->failures = 0;
}

const char *redis_scan_reason(const redis_scan *r) {
  return r->failures < REDIS_SCAN_FAILURES ? "" : "the scan of redis fails again and again";
}

static void end_round(redis_scan *r) {
  int64_t now_ms = now_ms_of(r);
  r->next = STEP_NONE;
  redis_node_unref(r->node);
  r->not_before_ms = now_ms + (now_ms - r->began_ms);
  if (!r->stopping) judge_round(r);
  buffer_free(&r->names);
  buffer_free(&r->customers);
  free(r->items);
  r->items = NULL;
  r->count = r->capacity = r->readers = 0;
  release_waiters(r, r->stopping ? AU_ECANCELED : AU_OK);
}

static bool is_old(const redis_scan *r) {
  return r->keys > REDIS_SCAN_FAST_KEYS || now_ms_of(r) - r->began_ms > REDIS_SCAN_WAIT_MS;
}

/* After the last answer of a step. */
static void go_on(redis_scan *r) {
  if (r->failed || r->stopping || r->next == STEP_NONE) {
    end_round(r);
    return;
  }
  if (is_old(r)) release_waiters(r, AU_OK);
  if (r->stopping) return; /* by one who waited: on_turn_closed ends the round */
  bool pause = r->pause && r->keys > REDIS_SCAN_FAST_KEYS;
  uv_timer_start(&r->turn, on_turn, pause ? REDIS_SCAN_PAUSE_MS : 0, 0);
}

/* ---- rounds --------------------------------------------------------------- */

/* One answer is held back by this function, so that a step which sends nothing ends by the
 * same way. */
static void take_step(redis_scan *r) {
  r->pending = 1;
  r->pause = false;
  switch (r->next) {
  case STEP_SCAN: redis_keys_pass_scan(r); break;
  case STEP_CHECK: redis_keys_pass_check(r); break;
  case STEP_MEND: redis_keys_pass_mend(r); break;
  case STEP_ADD: redis_keys_pass_add(r); break;
  case STEP_CUSTOMERS: redis_index_pass_customers(r); break;
  case STEP_MEMBERS: redis_index_pass_members(r); break;
  case STEP_EXISTS: redis_index_pass_exists(r); break;
  case STEP_PROBE: redis_index_pass_probe(r); break;
  case STEP_DROP: redis_index_pass_drop(r); break;
  case STEP_NONE: break;
  }
  redis_batch_answered(r);
}

static void on_turn(uv_timer_t *timer) {
  take_step(timer->data);
}

void redis_scan_want(redis_scan *r) {
  r->wanted = true;
}

bool redis_scan_is_wanted(const redis_scan *r) {
  return r->wanted;
}

void redis_scan_begin(redis_scan *r) {
  r->wanted = false;
  int64_t now_ms = now_ms_of(r);
  if (r->stopping || r->next != STEP_NONE || now_ms < r->not_before_ms) return;
  redis_node_ref(r->node);
  r->failed = false;
  r->refused = NULL;
  r->skipped = 0;
  r->keys = 0;
  r->list = 0;
  r->began_ms = now_ms;
  memcpy(r->cursor, "0", 2);
  r->next = STEP_SCAN;
  uv_timer_start(&r->turn, on_turn, 0, 0);
}

bool redis_scan_wait(redis_scan *r, redis_waiter *waiter) {
  if (r->next == STEP_NONE || is_old(r)) return false;
  waiter->next = r->waiters;
  r->waiters = waiter;
  return true;
}

/* ---- life ------------------------------------------------------------------ */

au_status redis_scan_create(const redis_scan_config *config, redis_node *node, redis_scan **out) {
  redis_scan *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->config = *config;
  r->node = node;
  r->naming = config->keys;
  r->step_done = go_on;
  buffer_init(&r->names, REDIS_SCAN_BATCH_BYTES);
  buffer_init(&r->customers, REDIS_SCAN_BATCH_BYTES);
  uv_timer_init(config->loop, &r->turn);
  r->turn.data = r;
  *out = r;
  return AU_OK;
}

redis_node *redis_scan_node(const redis_scan *r) {
  return r->node;
}

bool redis_scan_is_idle(const redis_scan *r) {
  return r->next == STEP_NONE;
}

/* A round that waits for its turn has no answer to come and ends here; one that waits for
 * answers ends with the last of them, which the link cancels. */
static void on_turn_closed(uv_handle_t *handle) {
  redis_scan *r = handle->data;
  if (r->next != STEP_NONE && r->pending == 0) end_round(r);
  r->stopped(r->stopped_arg);
}

void redis_scan_stop(redis_scan *r, void (*stopped)(void *arg), void *arg) {
  r->stopping = true;
  r->stopped = stopped;
  r->stopped_arg = arg;
  uv_close((uv_handle_t *)&r->turn, on_turn_closed);
}

void redis_scan_free(redis_scan *r) {
  if (!r) return;
  buffer_free(&r->names);
  buffer_free(&r->customers);
  free(r->items);
  free(r);
}

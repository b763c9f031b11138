/* A walk over the table, then the endings, in batches. Must not know who made the debts. */
#include "redis_replay.h"

#include "../utils/log.h"
#include "../wire.h"
#include "redis_command.h"
#include "redis_script.h"
#include "redis_store.h"
#include "redis_tell.h"

#include <stdlib.h>
#include <string.h>

/* Sessions first, endings after them: a session that ended while it was on its way ends
 * there too. Then averages, if all is owed: those of customers without sessions go on to fall.
 * Then, when others have replayed as well, customers are told as changed, for what was said of
 * them meanwhile was out of date. */
typedef enum phase { IDLE, SESSIONS, ENDINGS, AVERAGES, SETTLE, TELL } phase;

struct redis_replay {
  redis_node *node;

  phase phase;
  int64_t sent_since_ms; /* this one sends the sessions touched since then, monotonic */
  int64_t settled_at_ms, began_ms;
  presence_walk walk;
  redis_known_walk averages;
  uint32_t pending; /* answers that are missing */
  bool failed;      /* of this batch */
  uint64_t sessions;
  uint8_t last_len; /* the customer that was met last */
  char last[AU_ID_MAX];

  uv_timer_t turn;
  bool stopping;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

static void step(redis_replay *r);

static int64_t now_ms(const redis_replay *r) {
  return redis_store_mono_ms(r->node->store);
}

static presence_table *table_of(const redis_replay *r) {
  return r->node->store->table;
}

static redis_debts *debts_of(const redis_replay *r) {
  return r->node->debts;
}

/* ---- what is owed --------------------------------------------------------- */

void redis_replay_all(redis_replay *r, bool settle) {
  redis_replay_interrupt(r);
  redis_debts_owe_all(debts_of(r));
  if (settle) r->settled_at_ms = now_ms(r) + REDIS_REPLAY_SETTLE_MS;
}

bool redis_replay_is_done(const redis_replay *r) {
  return (r->phase == IDLE || r->phase == TELL) && !redis_debts_any(debts_of(r));
}

bool redis_replay_is_answered(const redis_replay *r) {
  return redis_replay_is_done(r) && r->pending == 0;
}

/* ---- going through the table ---------------------------------------------- */

static void begin_walk(redis_replay *r, phase next, int64_t since_ms) {
  r->phase = next;
  r->last_len = 0;
  presence_table_walk(table_of(r), &r->walk, since_ms);
}

/* Whether this customer was not the last one too, which it is for most sessions of large
 * customers: a hint that saves commands. */
static bool is_another(redis_replay *r, au_slice customer_id) {
  if (slice_eq(customer_id, (au_slice){r->last, r->last_len})) return false;
  r->last_len = (uint8_t)customer_id.len;
  memcpy(r->last, customer_id.ptr, customer_id.len);
  return true;
}

/* The next session of this node; false at the end, or when a turn has seen enough (*more). */
static bool next_session(redis_replay *r, uint32_t *looked, presence_live *out, bool *more) {
  *more = false;
  while (presence_table_walk_next(table_of(r), &r->walk, now_ms(r), out)) {
    if (redis_store_node(r->node->store, out->beat.customer_id) == r->node) return true;
    *more = ++*looked >= REDIS_REPLAY_LOOK_MAX;
    if (*more) return false;
  }
  return false;
}

/* ---- answers -------------------------------------------------------------- */

static void finish(redis_replay *r) {
  presence_table_walk_end(table_of(r), &r->walk);
  redis_known_walk_end(r->node->store->known, &r->averages);
  r->phase = IDLE;
}

void redis_replay_interrupt(redis_replay *r) {
  if (r->phase == SESSIONS || r->phase == ENDINGS || r->phase == AVERAGES)
    redis_debts_owe_since(debts_of(r), r->sent_since_ms);
  if (r->phase != IDLE) finish(r);
  uv_timer_stop(&r->turn);
}

/* After an interruption the next replay waited for this. A failure is tried again with the
 * node's next look at its Redis. */
static void answered(redis_replay *r) {
  if (--r->pending > 0 || r->stopping) return;
  if (r->phase == IDLE)
    redis_replay_begin(r);
  else if (r->failed)
    redis_replay_interrupt(r);
  else
    step(r);
}

/* A fault of one key ends with that key; any other stops the replay. */
static void on_written(au_status status, const redisReply *reply, void *arg) {
  redis_replay *r = arg;
  status = redis_node_check(r->node, status, reply, REDIS_WANT_INTEGER);
  if (status != AU_OK && !redis_node_serves(r->node)) r->failed = true;
  answered(r);
}

/* The customer may have moved to another node meanwhile. */
static void owe_again(redis_replay *r, const redis_act *ending) {
  redis_debts_owe_again(redis_store_debts(r->node->store, ending->who.customer_id), ending);
}

/* What is refused for one key alone is owed to that key. Sessions that were not told are met
 * again, since the whole walk is. */
static void on_told(redis_told told, const redis_act *act, void *arg) {
  redis_replay *r = arg;
  bool refused = told == REDIS_TOLD_IN_VAIN &&
                 redis_retry_owe(r->node->store->retry, act) != AU_OK; /* tried again here then */
  if (told == REDIS_NOT_TOLD || refused) {
    r->failed = true;
    if (act->kind != REDIS_ACT_TOUCH) owe_again(r, act);
  }
  answered(r);
}

/* Counts a command that was sent, or notes that it was not. */
static bool sent(redis_replay *r, au_status status) {
  if (status == AU_OK)
    r->pending++;
  else
    r->failed = true;
  return status == AU_OK;
}

static void issue(redis_replay *r, const au_slice *args, size_t n) {
  (void)sent(r, redis_node_command(r->node, args, n, on_written, r));
}

/* ---- what is sent --------------------------------------------------------- */

static void send_list(redis_replay *r, au_slice customer_id) {
  redis_command list;
  redis_command_list(&list, &r->node->store->keys, customer_id);
  issue(r, list.words, list.count);
}

static void send_session(redis_replay *r, const presence_live *live, bool lists) {
  if (sent(r, redis_tell_session(r->node, live, lists, on_told, r))) r->sessions++;
}

/* With the time of its tick on Redis's clock: the youngest of those that daemons know wins. */
static void send_average(redis_replay *r, au_slice customer_id, double average, int64_t ticked_ms) {
  redis_store *s = r->node->store;
  buffer_clear(&s->value);
  wire_print_number(&s->value, average);
  if (s->value.failed) {
    r->failed = true;
    return;
  }
  redis_key ema, tick;
  redis_number ticked;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_RESTORE),
                           slice_of("2"),
                           redis_key_ema(&s->keys, &ema, customer_id),
                           redis_key_tick(&s->keys, &tick, customer_id),
                           buffer_slice(&s->value),
                           redis_number_text(&ticked, ticked_ms)};
  issue(r, args, 7);
}

/* Of a customer whose first tick was made here, while Redis was lost. */
static void send_own_average(redis_replay *r, au_slice customer_id) {
  redis_fact fact;
  au_sample own;
  if (redis_known_get(r->node->store->known, customer_id, &fact) && fact.has_ema) return;
  presence_table_sample(table_of(r), customer_id, now_ms(r), &own);
  if (own.has_ema) send_average(r, customer_id, own.ema, own.ticked_ms + r->node->clock_ahead_ms);
}

/* ---- the steps ------------------------------------------------------------ */

static void on_turn(uv_timer_t *timer) {
  step(timer->data);
}

static void step_in(redis_replay *r, int64_t in_ms) {
  uv_timer_start(&r->turn, on_turn, (uint64_t)(in_ms > 0 ? in_ms : 0), 0);
}

/* Sends a batch; false at the end of the sessions. */
static bool step_sessions(redis_replay *r) {
  uint32_t looked = 0;
  presence_live w;
  bool more = true;
  for (int i = 0; i < REDIS_REPLAY_BATCH && !r->failed; i++) {
    if (!next_session(r, &looked, &w, &more)) break;
    more = true;
    bool lists = is_another(r, w.beat.customer_id);
    send_session(r, &w, lists);
    if (lists) send_own_average(r, w.beat.customer_id);
  }
  return more;
}

/* Sends a batch; false when none is left. What ends from then on is sent behind it. */
static bool step_endings(redis_replay *r) {
  redis_act ending;
  for (int i = 0; i < REDIS_REPLAY_BATCH; i++) {
    if (!redis_debts_take_ending(debts_of(r), &ending)) return false;
    if (sent(r, redis_tell_ending(r->node, &ending, on_told, r))) continue;
    owe_again(r, &ending);
    return true;
  }
  return true;
}

/* Sends a batch; false at the end. */
static bool step_averages(redis_replay *r) {
  redis_known *known = r->node->store->known;
  au_slice customer_id;
  redis_fact fact;
  for (int i = 0; i < REDIS_REPLAY_BATCH && !r->failed; i++) {
    if (!redis_known_walk_next(known, &r->averages, &customer_id, &fact)) return false;
    if (!fact.has_ema || redis_store_node(r->node->store, customer_id) != r->node) continue;
    send_average(r, customer_id, fact.ema, fact.ticked_ms);
    send_list(r, customer_id);
  }
  return true;
}

/* Tells of the customers of a batch; false at the end. */
static bool step_tell(redis_replay *r) {
  uint32_t looked = 0;
  presence_live w;
  bool more = true;
  for (int i = 0; i < REDIS_REPLAY_BATCH; i++) {
    if (!next_session(r, &looked, &w, &more)) break;
    more = true;
    if (is_another(r, w.beat.customer_id)) redis_store_changed(r->node->store, w.beat.customer_id);
  }
  return more;
}

static void settle(redis_replay *r) {
  if (r->settled_at_ms > now_ms(r))
    r->phase = SETTLE;
  else
    begin_walk(r, TELL, INT64_MIN);
}

/* In the turn in which nothing is left it is done: else what comes meanwhile would keep it busy
 * for ever. */
static void all_sent(redis_replay *r) {
  presence_table_walk_end(table_of(r), &r->walk);
  redis_known_walk_end(r->node->store->known, &r->averages);
  if (r->sessions > 0)
    log_info("redis", "replayed what it had lost", LOG_INT("sessions", (int64_t)r->sessions),
             LOG_INT("ms", now_ms(r) - r->began_ms));
  settle(r);
}

static void begin_averages(redis_replay *r) {
  if (r->sent_since_ms != INT64_MIN) {
    all_sent(r);
    return;
  }
  r->phase = AVERAGES;
  redis_known_walk_begin(r->node->store->known, &r->averages);
}

/* One answer is held back by this function, so that a batch which sends nothing goes on by
 * the same way. */
static void step(redis_replay *r) {
  r->pending = 1;
  r->failed = false;
  switch (r->phase) {
  case SESSIONS:
    if (!step_sessions(r)) r->phase = ENDINGS;
    break;
  case ENDINGS:
    if (!step_endings(r) && !r->failed) begin_averages(r);
    break;
  case AVERAGES:
    if (!step_averages(r) && r->pending == 1) all_sent(r);
    break;
  case SETTLE: settle(r); break;
  case TELL:
    if (!step_tell(r)) finish(r);
    break;
  case IDLE: break;
  }
  bool sent_nothing = r->pending == 1;
  if (sent_nothing && !r->failed) { /* others get their turn */
    r->pending = 0;
    if (r->phase != IDLE) step_in(r, r->phase == SETTLE ? r->settled_at_ms - now_ms(r) : 0);
    return;
  }
  answered(r);
}

void redis_replay_begin(redis_replay *r) {
  bool idle = r->phase == IDLE || r->phase == TELL;
  if (r->stopping || !idle || r->pending > 0 || !redis_debts_any(debts_of(r))) return;
  if (r->phase == TELL) finish(r);
  r->sent_since_ms = redis_debts_take_sessions(debts_of(r));
  r->began_ms = now_ms(r);
  r->sessions = 0;
  begin_walk(r, SESSIONS, r->sent_since_ms);
  step_in(r, 0);
}

/* ---- life ----------------------------------------------------------------- */

au_status redis_replay_create(redis_node *node, redis_replay **out) {
  redis_replay *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->node = node;
  *out = r;
  return AU_OK;
}

void redis_replay_start(redis_replay *r) {
  uv_timer_init(r->node->store->loop, &r->turn);
  r->turn.data = r;
}

static void on_turn_closed(uv_handle_t *handle) {
  redis_replay *r = handle->data;
  r->stopped(r->stopped_arg);
}

void redis_replay_stop(redis_replay *r, void (*stopped)(void *arg), void *arg) {
  redis_replay_interrupt(r);
  r->stopping = true;
  r->stopped = stopped;
  r->stopped_arg = arg;
  uv_close((uv_handle_t *)&r->turn, on_turn_closed);
}

void redis_replay_free(redis_replay *r) {
  free(r);
}

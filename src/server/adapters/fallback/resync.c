/* Takes a round from phase to phase, batch by batch: the next batch follows the last answer. */
#include "resync.h"

#include "utils/buffer.h"
#include "utils/join_stop.h"
#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

typedef enum phase {
  IDLE,
  SESSIONS,
  TOMBSTONES, /* become hints again, where all was lost */
  HINTS,
  AVERAGES,
  SETTLE,
  ANNOUNCE, /* the slots are in sync by now */
} phase;

struct resync {
  resync_config config;
  shared_store *shared;

  phase phase;
  bool again;            /* a round is wanted after this one */
  bool hints_sent;       /* of this round */
  bool settles;          /* slots do */
  int64_t settled_at_ms; /* monotonic, like the others */
  int64_t began_ms;
  uint64_t sessions; /* that were sent */
  uint32_t pending;  /* answers that are missing */
  presence_walk walk;
  peer_counts_walk averages;
  uint8_t last_len; /* the customer that was met last */
  char last[AU_ID_MAX];

  uv_timer_t turn;
  bool stopping;
  join_stop stop;
};

/* An average in flight. */
typedef struct average {
  resync *resync;
  uint16_t slot;
} average;

static void step(resync *r);

static int64_t now_ms(const resync *r) {
  return clock_mono_ms(r->config.delivery->clock);
}

static presence_table *table_of(const resync *r) {
  return r->config.delivery->table;
}

static uint16_t slot_of(const resync *r, au_slice customer_id) {
  return r->shared->ops->slot_of(r->shared, customer_id);
}

static bool serves(void *arg, uint16_t slot) {
  const resync *r = arg;
  return r->shared->ops->serves(r->shared, slot);
}

bool resync_is_answered(const resync *r) {
  return (r->phase == IDLE || r->phase == ANNOUNCE) && r->pending == 0;
}

/* ---- the phases' turns ------------------------------------------------------------ */

static void on_turn(uv_timer_t *timer) {
  step(timer->data);
}

static void step_in(resync *r, int64_t in_ms) {
  if (!r->stopping) uv_timer_start(&r->turn, on_turn, (uint64_t)(in_ms > 0 ? in_ms : 0), 0);
}

static void end_walks(resync *r) {
  presence_table_walk_end(table_of(r), &r->walk);
  peer_counts_walk_end(r->config.peers, &r->averages);
}

static void begin_walk(resync *r, phase next, int64_t since_ms) {
  end_walks(r);
  r->phase = next;
  r->last_len = 0;
  presence_table_walk(table_of(r), &r->walk, since_ms);
}

/* Whether this customer is not the one before, as it is for most sessions of large customers: that
 * saves commands. */
static bool is_another(resync *r, au_slice customer_id) {
  if (slice_eq(customer_id, (au_slice){r->last, r->last_len})) return false;
  r->last_len = (uint8_t)customer_id.len;
  memcpy(r->last, customer_id.ptr, customer_id.len);
  return true;
}

/* ---- answers ------------------------------------------------------------------------ */

/* The slot leaves the round, and waits for another one. */
static void fail(resync *r, uint16_t slot) {
  sync_state_dirty(r->config.sync, slot, SYNC_NO_SESSIONS);
}

static void answered(resync *r) {
  if (--r->pending > 0 || r->stopping) return;
  step(r);
}

/* What one key refused is a hint of its customer. */
static void on_session(hint_outcome outcome, const hint *what, void *arg) {
  resync *r = arg;
  bool kept =
      outcome == HINT_DELIVERED ||
      (outcome == HINT_REFUSED && hints_add(r->config.delivery->hints, what, true) == AU_OK);
  if (!kept) fail(r, slot_of(r, what->who.customer_id));
  answered(r);
}

/* One that a key refused is left as it is. */
static void on_average(au_status status, void *arg) {
  average *a = arg;
  resync *r = a->resync;
  if (status != AU_OK && !serves(r, a->slot)) fail(r, a->slot);
  free(a);
  answered(r);
}

/* ---- what is sent --------------------------------------------------------------------- */

static void send_average(resync *r, au_slice customer_id, uint16_t slot, double ema,
                         int64_t ticked_ms, bool list) {
  average *a = calloc(1, sizeof *a);
  au_status status = AU_ENOMEM;
  if (a) {
    *a = (average){r, slot};
    status = r->shared->ops->restore_average(r->shared, customer_id, ema, ticked_ms, list,
                                             on_average, a);
  }
  if (status == AU_OK) {
    r->pending++;
  } else {
    free(a);
    fail(r, slot);
  }
}

/* Of a customer whose first tick was made here, while the shared store was lost. */
static void send_own_average(resync *r, au_slice customer_id, uint16_t slot) {
  peer_count peer;
  au_sample own;
  if (peer_counts_get(r->config.peers, customer_id, &peer) && peer.has_ema) return;
  presence_table_sample(table_of(r), customer_id, now_ms(r), &own);
  if (!own.has_ema) return;
  int64_t ahead_ms = r->shared->ops->clock_ms(r->shared, slot) - now_ms(r);
  send_average(r, customer_id, slot, own.ema, own.ticked_ms + ahead_ms, false);
}

/* The next session that `wanted` wants; false at the end, or when a turn has looked at enough
 * (*more). */
static bool next_session(resync *r, bool (*wanted)(resync *, const presence_live *, uint16_t slot),
                         uint32_t *looked, presence_live *out, uint16_t *slot, bool *more) {
  *more = false;
  while (presence_table_walk_next(table_of(r), &r->walk, now_ms(r), out)) {
    *slot = slot_of(r, out->beat.customer_id);
    if (wanted(r, out, *slot)) return true;
    *more = ++*looked >= RESYNC_LOOK_MAX;
    if (*more) return false;
  }
  return false;
}

static bool is_missing(resync *r, const presence_live *live, uint16_t slot) {
  bool missing = live->renewed_ms >= sync_state_sends_since(r->config.sync, slot);
  if (missing && !serves(r, slot)) fail(r, slot);
  return missing && sync_state_is_syncing(r->config.sync, slot);
}

/* Each sends or does a batch, and is false at the end. */

static bool step_sessions(resync *r) {
  uint32_t looked = 0;
  uint16_t slot;
  presence_live live;
  bool more = true;
  for (int i = 0; i < RESYNC_BATCH; i++) {
    if (!next_session(r, is_missing, &looked, &live, &slot, &more)) break;
    more = true;
    bool list = is_another(r, live.beat.customer_id);
    if (delivery_session(r->config.delivery, &live, list, on_session, r) == AU_OK) {
      r->pending++;
      r->sessions++;
    } else {
      fail(r, slot);
    }
    if (list) send_own_average(r, live.beat.customer_id, slot);
  }
  return more;
}

static bool lost_its_leaves(void *arg, au_slice customer_id) {
  resync *r = arg;
  return sync_state_sends_since(r->config.sync, slot_of(r, customer_id)) == SYNC_ALL_SESSIONS;
}

/* The time of a tick goes along: the youngest that daemons know wins. */
static bool step_averages(resync *r) {
  au_slice customer_id;
  peer_count peer;
  for (int i = 0; i < RESYNC_BATCH; i++) {
    if (!peer_counts_walk_next(r->config.peers, &r->averages, &customer_id, &peer)) return false;
    if (!peer.has_ema || !lost_its_leaves(r, customer_id)) continue;
    send_average(r, customer_id, slot_of(r, customer_id), peer.ema, peer.ticked_ms, true);
  }
  return true;
}

static bool was_synced(resync *r, const presence_live *live, uint16_t slot) {
  (void)live;
  return sync_state_was_synced(r->config.sync, slot);
}

static bool step_announce(resync *r) {
  uint32_t looked = 0;
  uint16_t slot;
  presence_live live;
  bool more = true;
  for (int i = 0; i < RESYNC_BATCH; i++) {
    if (!next_session(r, was_synced, &looked, &live, &slot, &more)) break;
    more = true;
    if (is_another(r, live.beat.customer_id))
      r->config.changed(r->config.arg, live.beat.customer_id);
  }
  return more;
}

/* ---- from phase to phase --------------------------------------------------------------- */

static void finish(resync *r) {
  end_walks(r);
  r->phase = IDLE;
}

static void settle(resync *r) {
  if (r->settles && r->settled_at_ms > now_ms(r)) {
    r->phase = SETTLE;
    return;
  }
  if (r->settles) sync_state_settled(r->config.sync);
  r->settles = false;
  begin_walk(r, ANNOUNCE, SYNC_ALL_SESSIONS);
}

/* Ends in the turn in which nothing is left: what comes meanwhile would keep it busy for ever. */
static void end_round(resync *r) {
  end_walks(r);
  if (r->sessions > 0)
    log_info(r->shared->ops->name(r->shared), "replayed what it had lost",
             LOG_INT("sessions", (int64_t)r->sessions), LOG_INT("ms", now_ms(r) - r->began_ms));
  if (sync_state_end(r->config.sync)) r->settles = true;
  settle(r);
}

static void begin_hints(resync *r) {
  r->phase = HINTS;
  r->hints_sent = false;
  hints_release(r->config.delivery->hints);
}

static void begin_tombstones(resync *r) {
  sync_state_sessions_sent(r->config.sync);
  r->phase = TOMBSTONES;
  if (sync_state_restores_all(r->config.sync))
    hints_exhume(r->config.delivery->hints);
  else
    begin_hints(r);
}

static void begin_averages(resync *r) {
  end_walks(r);
  r->phase = AVERAGES;
  if (sync_state_restores_all(r->config.sync))
    peer_counts_walk_begin(r->config.peers, &r->averages);
  else
    end_round(r);
}

void resync_drained(resync *r) {
  r->hints_sent = true;
  if (r->phase == HINTS && r->pending == 0) step_in(r, 0);
}

/* One batch. False while the phase waits for `resync_drained`. */
static bool step_phase(resync *r) {
  bool in_round =
      r->phase == SESSIONS || r->phase == TOMBSTONES || r->phase == HINTS || r->phase == AVERAGES;
  if (in_round && sync_state_round(r->config.sync) == 0) { /* all of its slots failed */
    finish(r);
    return true;
  }
  switch (r->phase) {
  case SESSIONS:
    if (!step_sessions(r)) begin_tombstones(r);
    break;
  case TOMBSTONES:
    if (!hints_exhume_some(r->config.delivery->hints, lost_its_leaves, r)) begin_hints(r);
    break;
  case HINTS:
    if (!hints_release_some(r->config.delivery->hints) && !r->hints_sent) return false;
    if (r->hints_sent) begin_averages(r);
    break;
  case AVERAGES:
    if (!step_averages(r) && r->pending == 1) end_round(r);
    break;
  case SETTLE: settle(r); break;
  case ANNOUNCE:
    if (!step_announce(r)) finish(r);
    break;
  case IDLE: break;
  }
  return true;
}

/* One answer is held back by this function, so that a batch which sends nothing goes on by the
 * same way. */
static void step(resync *r) {
  r->pending = 1;
  bool goes_on = step_phase(r);
  if (--r->pending > 0 || !goes_on) return;
  if (r->phase == IDLE) {
    bool again = r->again;
    r->again = false;
    if (again) resync_begin(r);
    return;
  }
  step_in(r, r->phase == SETTLE ? r->settled_at_ms - now_ms(r) : 0); /* others get their turn */
}

void resync_settle(resync *r) {
  r->settled_at_ms = now_ms(r) + RESYNC_SETTLE_MS;
}

void resync_begin(resync *r) {
  int64_t since_ms;
  if (r->stopping || sync_state_all_clean(r->config.sync)) return;
  bool busy = r->pending > 0 || (r->phase != IDLE && r->phase != SETTLE && r->phase != ANNOUNCE);
  if (busy) {
    r->again = true;
    return;
  }
  if (!sync_state_begin(r->config.sync, serves, r, &since_ms)) return;
  r->began_ms = now_ms(r);
  r->sessions = 0;
  begin_walk(r, SESSIONS, since_ms);
  step_in(r, 0);
}

/* ---- life --------------------------------------------------------------------------------- */

au_status resync_create(const resync_config *config, resync **out) {
  resync *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->config = *config;
  r->shared = config->delivery->shared;
  *out = r;
  return AU_OK;
}

void resync_start(resync *r) {
  uv_timer_init(r->config.loop, &r->turn);
  r->turn.data = r;
}

void resync_stop(resync *r, void (*stopped)(void *arg), void *arg) {
  r->stopping = true;
  join_stop_begin(&r->stop, stopped, arg);
  end_walks(r);
  r->phase = IDLE;
  join_stop_close(&r->stop, (uv_handle_t *)&r->turn);
  join_stop_done(&r->stop);
}

void resync_free(resync *r) {
  free(r);
}

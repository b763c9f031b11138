/* The fallback store as a whole: its parts, what the shared store reports, its health and stop. */
#include "fallback_private.h"
#include "utils/buffer.h"

#include <stdlib.h>

enum {
  FALLBACK_TICK_MS = 1000, /* hints expire, and a round that failed is tried again */
  FALLBACK_OVERTAKING_MAX = 20000,
};

/* ---- counts of other daemons ------------------------------------------------------------ */

static uint32_t sum_of(uint32_t a, uint32_t b) {
  return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* What the table says of a customer, with the other daemons as they were known last. */
static void complete_sample(void *arg, au_slice customer_id, au_sample *sample) {
  const fallback *f = arg;
  peer_count peer;
  peer_counts_get(f->peers, customer_id, &peer);
  sample->count = sum_of(sample->count, peer.others);
  sample->bots = sum_of(sample->bots, peer.other_bots);
  sample->stale = true;
  if (sample->has_ema || !peer.has_ema) return;
  int64_t elapsed_ms =
      f->shared->ops->clock_ms(f->shared, fallback_slot(f, customer_id)) - peer.ticked_ms;
  sample->has_ema = true;
  sample->ema = peer.ema;
  sample->elapsed_ms = elapsed_ms > 1 ? elapsed_ms : 1;
}

/* ---- what the shared store reports --------------------------------------------------------- */

static void on_data_lost(void *arg, uint16_t slot, bool settle) {
  fallback *f = arg;
  bool has_nothing = presence_table_sessions(f->table) == 0 && hints_is_empty(f->hints);
  if (has_nothing && !settle) return;
  sync_state_data_lost(f->sync, slot, settle);
  if (settle) resync_settle(f->resync);
}

static void on_ready(void *arg) {
  fallback *f = arg;
  resync_begin(f->resync);
}

static void on_changed(void *arg, au_slice customer_id) {
  fallback *f = arg;
  memory_store_changed(f->local, customer_id);
}

static void on_published(void *arg, const au_metrics *metrics) {
  const fallback *f = arg;
  f->events->published(f->events->arg, metrics);
}

/* A shared store that does not have a session yet, or half of it, is no reason to drop it. */
static void on_session_gone(void *arg, au_slice customer_id, au_slice session_id) {
  fallback *f = arg;
  if (fallback_route(f, fallback_slot(f, customer_id)) == AU_OK)
    (void)presence_table_drop(f->table, customer_id, session_id);
}

/* ---- hints -------------------------------------------------------------------------------- */

static bool may_deliver(void *arg, au_slice customer_id) {
  const fallback *f = arg;
  uint16_t slot = fallback_slot(f, customer_id);
  return sync_state_takes_hints(f->sync, slot) && f->shared->ops->serves(f->shared, slot);
}

/* A slot that has all sessions is dirty now, for it lacks hints; a round will send them. */
static void on_parked(void *arg, au_slice customer_id) {
  fallback *f = arg;
  uint16_t slot = fallback_slot(f, customer_id);
  if (sync_state_takes_hints(f->sync, slot)) sync_state_dirty(f->sync, slot, SYNC_NO_SESSIONS);
}

typedef struct hint_sent {
  fallback *f;
  hint_customer *from;
} hint_sent;

static void on_delivered(hint_outcome outcome, const hint *what, void *arg) {
  hint_sent *sent = arg;
  fallback *f = sent->f;
  if (outcome == HINT_DELIVERED) memory_store_changed(f->local, what->who.customer_id);
  hints_delivered(f->hints, sent->from, what, outcome);
  free(sent);
}

static au_status deliver(void *arg, const hint *what, hint_customer *from) {
  fallback *f = arg;
  hint_sent *sent = calloc(1, sizeof *sent);
  if (!sent) return AU_ENOMEM;
  *sent = (hint_sent){f, from};
  au_status status = delivery_hint(&f->delivery, what, on_delivered, sent);
  if (status != AU_OK) free(sent);
  return status;
}

static bool is_revived(void *arg, const hint *what) {
  const fallback *f = arg;
  presence_live live;
  if (!presence_table_find(f->table, what->who.customer_id, what->who.session_id,
                           fallback_now_ms(f), &live))
    return false;
  /* A leave ended the session here if its tab held it here: then it has come back since. Another
   * tab may have it here since long before, and lost it to the tab of the leave elsewhere. */
  bool ended_here = what->kind == HINT_LEAVE && slice_eq(live.beat.tab_id, what->who.tab_id);
  return ended_here || live.renewed_ms > what->at.at_ms;
}

static void on_drained(void *arg) {
  fallback *f = arg;
  resync_drained(f->resync);
}

static const char *reason_of(const fallback *f) {
  if (f->stopping) return "stopping";
  const char *reason = f->shared->ops->reason(f->shared);
  bool is_answered = resync_is_answered(f->resync) && hints_in_flight(f->hints) == 0 &&
                     sync_state_all_clean(f->sync);
  return reason[0] == '\0' && !is_answered ? "redis is being told what it missed" : reason;
}

static void on_tick(uv_timer_t *timer) {
  fallback *f = timer->data;
  if (reason_of(f)[0]) f->degraded_ms += FALLBACK_TICK_MS;
  hints_expire(f->hints);
  resync_begin(f->resync);
}

/* ---- au_store ----------------------------------------------------------------------------- */

static uint32_t fallback_partitions(const au_store *store) {
  const fallback *f = (const fallback *)store;
  return f->shared->ops->partitions(f->shared);
}

static void fallback_scan(au_store *store) {
  fallback *f = fallback_of(store);
  f->shared->ops->scan(f->shared);
}

static au_status fallback_subscribe(au_store *store, au_slice customer_id, bool on) {
  fallback *f = fallback_of(store);
  return f->stopping ? AU_OK : f->shared->ops->subscribe(f->shared, customer_id, on);
}

static int64_t fallback_renewed_ago_ms(const au_store *store, au_slice customer_id,
                                       au_slice session_id, bool *is_shortened) {
  const fallback *f = (const fallback *)store;
  return presence_table_renewed_ago_ms(f->table, customer_id, session_id, fallback_now_ms(f),
                                       is_shortened);
}

static bool fallback_holds(const au_store *store, au_slice customer_id, au_slice session_id,
                           au_slice tab_id) {
  const fallback *f = (const fallback *)store;
  return presence_table_holds(f->table, customer_id, session_id, tab_id, fallback_now_ms(f));
}

static bool fallback_shortens(const au_store *store, const au_beat *beat, int64_t grace_ms) {
  const fallback *f = (const fallback *)store;
  return presence_table_shortens(f->table, beat, grace_ms, fallback_now_ms(f));
}

static uint32_t fallback_sessions_of(const au_store *store, au_slice customer_id) {
  return presence_table_sessions_of(((const fallback *)store)->table, customer_id);
}

/* Once it has served it goes on with its own table, whatever happens. */
static au_store_health fallback_health(const au_store *store) {
  const fallback *f = (const fallback *)store;
  return (au_store_health){
      .ever_up = !f->stopping && f->shared->ops->ever_up(f->shared),
      .name = f->shared->ops->name(f->shared),
      .reason = reason_of(f),
      .customers = presence_table_customers(f->table),
      .sessions = presence_table_sessions(f->table),
      .in_flight = f->in_flight + f->local->ops->health(f->local).in_flight,
      .hints = hints_waiting(f->hints),
      .degraded_ms = f->degraded_ms,
  };
}

static void fallback_stop(au_store *store, void (*stopped)(void *arg), void *arg) {
  fallback *f = fallback_of(store);
  f->stopping = true;
  join_stop_begin(&f->stop, stopped, arg);
  f->shared->ops->stop(f->shared, join_stop_done, join_stop_add(&f->stop));
  f->local->ops->stop(f->local, join_stop_done, join_stop_add(&f->stop));
  hints_stop(f->hints, join_stop_done, join_stop_add(&f->stop));
  resync_stop(f->resync, join_stop_done, join_stop_add(&f->stop));
  join_stop_close(&f->stop, (uv_handle_t *)&f->tick);
  join_stop_close(&f->stop, (uv_handle_t *)&f->pages_timer);
  join_stop_done(&f->stop);
}

static void fallback_free(au_store *store) {
  fallback *f = fallback_of(store);
  f->shared->ops->free(f->shared);
  resync_free(f->resync);
  hints_free(f->hints);
  if (f->local) f->local->ops->free(f->local);
  hint_set_free(f->overtaking);
  fallback_free_spares(f);
  sync_state_free(f->sync);
  peer_counts_free(f->peers);
  fallback_pages_free(f->pages);
  free(f);
}

static const au_store_ops fallback_ops = {
    .touch = fallback_touch,
    .leave = fallback_leave,
    .shorten = fallback_shorten,
    .sample = fallback_sample,
    .breakdown = fallback_breakdown,
    .partitions = fallback_partitions,
    .due = fallback_due,
    .save = fallback_save,
    .evict = fallback_evict,
    .publish = fallback_publish,
    .scan = fallback_scan,
    .subscribe = fallback_subscribe,
    .renewed_ago_ms = fallback_renewed_ago_ms,
    .holds = fallback_holds,
    .shortens = fallback_shortens,
    .sessions_of = fallback_sessions_of,
    .health = fallback_health,
    .list = fallback_list,
    .expel = fallback_expel,
    .board_read = fallback_board_read,
    .board_write = fallback_board_write,
    .share_spent = fallback_share_spent,
    .stop = fallback_stop,
    .free = fallback_free,
};

/* ---- life --------------------------------------------------------------------------------- */

static au_status create_hints(fallback *f, uv_loop_t *loop, map_seed seed) {
  const hints_config config = {
      .loop = loop,
      .clock = f->clock,
      .seed = seed,
      .max = f->config->max_sessions,
      .ttl_ms = (int64_t)f->config->presence_ttl_s * 1000,
      .may_deliver = may_deliver,
      .deliver = deliver,
      .is_revived = is_revived,
      .parked = on_parked,
      .drained = on_drained,
      .arg = f,
  };
  return hints_create(&config, &f->hints);
}

static au_status create_resync(fallback *f, uv_loop_t *loop) {
  f->delivery = (delivery){
      .shared = f->shared,
      .table = f->table,
      .hints = f->hints,
      .clock = f->clock,
  };
  const resync_config config = {
      .loop = loop,
      .delivery = &f->delivery,
      .sync = f->sync,
      .peers = f->peers,
      .changed = on_changed,
      .arg = f,
  };
  return resync_create(&config, &f->resync);
}

/* The memory store comes last of those that can fail: its handles can be closed only by way of the
 * loop, and all the others can simply be freed. */
static au_status create_parts(fallback *f, uv_loop_t *loop, map_seed seed) {
  f->page_events = (presence_page_events){fallback_pages_changed, fallback_page_seen, f};
  const memory_embedding embedding = {
      .complete = complete_sample,
      .is_due = fallback_is_due,
      .pages = &f->page_events,
      .arg = f,
  };
  int64_t known_for_ms =
      (int64_t)f->config->presence_ttl_s * 1000 + 2 * (int64_t)f->config->ema_interval_ms;
  au_status status = sync_state_create(f->shared->ops->slots(f->shared), &f->sync);
  if (status == AU_OK)
    status = peer_counts_create(seed, f->config->max_customers, known_for_ms, &f->peers);
  if (status == AU_OK) status = create_hints(f, loop, seed);
  if (status == AU_OK)
    status = hint_set_create(seed, FALLBACK_OVERTAKING_MAX,
                             (int64_t)f->config->presence_ttl_s * 1000, &f->overtaking);
  if (status == AU_OK) status = create_resync(f, loop);
  if (status == AU_OK) status = fallback_pages_create(f, seed);
  if (status == AU_OK)
    status = memory_store_create(loop, f->config, f->clock, seed, f->events, &embedding, &f->local);
  return status;
}

au_status fallback_create(uv_loop_t *loop, const au_config *config, const au_clock *clock,
                          map_seed seed, const au_store_events *events, shared_store *shared,
                          au_store **out) {
  fallback *f = calloc(1, sizeof *f);
  if (!f) {
    shared->ops->free(shared);
    return AU_ENOMEM;
  }
  f->base.ops = &fallback_ops;
  f->config = config;
  f->clock = clock;
  f->events = events;
  f->shared = shared;
  hint_queue_init(&f->overtaking_queue);
  au_status status = create_parts(f, loop, seed);
  if (status != AU_OK) {
    fallback_free(&f->base);
    return status;
  }
  f->table = f->delivery.table = memory_store_table(f->local);
  hints_start(f->hints);
  resync_start(f->resync);
  fallback_pages_start(f, loop);
  uv_timer_init(loop, &f->tick);
  f->tick.data = f;
  uv_timer_start(&f->tick, on_tick, FALLBACK_TICK_MS, FALLBACK_TICK_MS);
  const shared_store_events reports = {
      .data_lost = on_data_lost,
      .ready = on_ready,
      .changed = on_changed,
      .published = on_published,
      .session_gone = on_session_gone,
      .told = fallback_pages_told,
      .arg = f,
  };
  shared->ops->start(shared, &reports);
  *out = &f->base;
  return AU_OK;
}

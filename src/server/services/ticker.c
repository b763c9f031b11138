/* Drives the store from one tick to the next, a page of customers at a time. */
#include "ticker.h"

#include "changes.h"
#include "ema.h"
#include "metrics.h"
#include "utils/buffer.h"
#include "utils/join_stop.h"
#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

enum {
  TICK_PAGE = 128,         /* customers in flight at once */
  CHANGES_IN_FLIGHT = 128, /* changed customers being counted at once */
  CHANGES_SLICE = 128,     /* changes emitted a turn */
  AGAIN_AFTER_MS = 100,    /* until the partitions of others are asked for, when a tick goes on */
  QUIET_AFTER_MS = 1000,   /* from a tick to those it did not reach, or half an interval */
  PACE_SLICE = 128,        /* gaps ended a turn */
  BROADCAST_SLICE = 200,   /* sockets a turn: at 10 us each, well under 5 ms */
};

/* A tick takes the customers that are due, partition by partition. A pause lets what it published
 * come back from a shared store. Then come the idle ones: customers that only have subscribers
 * here, so that a dashboard of an empty shop gets an update every tick too.
 *
 * A customer that another daemon ticks is published at that daemon's pace. It is idle when
 * nothing was published for an interval and a half. */
typedef enum phase { IDLE, DUE, PAUSE, QUIET } phase;

/* One customer on its way through the store. */
typedef struct step {
  ticker *ticker;
  bool busy;          /* of `changed`: an operation is in flight */
  bool stays;         /* of `page`: it is still on the store's list */
  au_metrics metrics; /* of `page`: to publish when they are kept; without an id */
  au_sample sample;   /* of `page`: what they were made of */
  uint8_t id_len;
  char id[AU_ID_MAX];
} step;

struct ticker {
  ticker_config config;
  changes *changes;

  phase phase;
  uint32_t pending;           /* operations of the page in flight */
  size_t page_count;          /* customers of the page */
  size_t page_failed;         /* of them, those the store failed */
  uint32_t partition;         /* of the due */
  uint32_t partitions_failed; /* of this tick: no list, or a page that failed as a whole */
  size_t skip;                /* customers of the partition that stay on the store's list */
  size_t failed;              /* of this tick */
  uint32_t own_partitions;    /* of this round: that this daemon ticks */
  int64_t tick_due_ms;        /* monotonic: when the timer of ticks is due */
  int64_t tick_began_us;      /* of clock_now_us */
  uint64_t people, bots;      /* of this tick: live sessions of the customers it ticked */
  bool is_early;              /* it began so soon after the last one that not all are due */
  int64_t again_ms;       /* when to ask for the partitions of others again; -1: there are none */
  bool has_own_partition; /* this daemon ticks some partition */
  bool leads;             /* it ticked the first one, of a store that was well */
  bool for_others;  /* not a tick: the partitions of others are asked for, between two ticks */
  bool tick_waits;  /* for that to end */
  bool unpublished; /* a message of this tick was not taken */
  bool failing;     /* the last tick had failures: logged once */
  int64_t tick_began_ms, ended_ms; /* monotonic; ended: the last tick, with its customers */
  step page[TICK_PAGE];
  step changed[CHANGES_IN_FLIGHT];
  uv_timer_t tick_timer, again_timer, quiet_timer, pace_timer;
  uv_idle_t broadcast_idle;
  bool stopping;
  join_stop stop;
};

static void next_page(ticker *t);
static void on_tick(uv_timer_t *timer);
static void on_again(uv_timer_t *timer);
static void begin_tick(ticker *t);
static void run_paced(ticker *t);

static int64_t now_ms(const ticker *t) {
  return clock_mono_ms(t->config.clock);
}

static au_slice step_id(const step *s) {
  return (au_slice){s->id, s->id_len};
}

static void step_set(step *s, ticker *t, au_slice id) {
  s->ticker = t;
  s->busy = true;
  s->stays = false;
  s->id_len = (uint8_t)id.len;
  memcpy(s->id, id.ptr, id.len);
}

/* ---- the tick ----------------------------------------------------------- */

/* The store may list the customer again: the pages that follow skip it. */
static void step_stays(step *s) {
  if (s->stays) return;
  s->stays = true;
  s->ticker->skip++;
}

static void step_failed(step *s) {
  step_stays(s);
  s->ticker->page_failed++;
  s->ticker->failed++;
}

/* The end of one operation of the page, whichever it was. */
static void on_page_op(au_status status, void *arg) {
  step *s = arg;
  ticker *t = s->ticker;
  if (status != AU_OK) step_failed(s);
  if (--t->pending == 0) next_page(t);
}

/* The customer is ticked all the same, and off the store's list. */
static void on_page_published(au_status status, void *arg) {
  step *s = arg;
  if (status != AU_OK) s->ticker->unpublished = true;
  on_page_op(AU_OK, s);
}

/* Publishes only what was saved: when two daemons tick a customer, the store lets one through. */
static void on_page_kept(au_status status, void *arg) {
  step *s = arg;
  ticker *t = s->ticker;
  if (status == AU_ECONFLICT) {
    step_stays(s);
    status = AU_OK;
  } else if (status == AU_OK && !t->stopping) {
    t->config.counters->tick_customers++;
    s->metrics.customer_id = step_id(s);
    if (t->config.history) history_tick(t->config.history, step_id(s), &s->sample, s->metrics.ema);
    if (t->config.store->ops->publish(t->config.store, &s->metrics, on_page_published, s) == AU_OK)
      t->pending++;
    else
      t->unpublished = true;
  }
  on_page_op(status, s);
}

/* Begins an operation of the page; `begun` is what the store answered at once. */
static void page_began(step *s, au_status begun) {
  if (begun == AU_OK)
    s->ticker->pending++;
  else
    step_failed(s);
}

static void on_due_sample(au_status status, const au_sample *sample, void *arg) {
  step *s = arg;
  ticker *t = s->ticker;
  const au_store_ops *ops = t->config.store->ops;
  /* Ticked just now: another daemon did it after this one got the list. */
  bool passed =
      status == AU_OK && sample->elapsed_ms > 0 && sample->elapsed_ms < t->config.interval_ms / 2;
  if (passed) step_stays(s);
  if (status == AU_OK && !passed && !t->stopping) {
    t->people += sample->count;
    uint32_t intervals = ema_intervals(sample->elapsed_ms, t->config.interval_ms);
    double ema = sample->has_ema
                     ? ema_step_late(sample->ema, t->config.alpha, sample->count, intervals)
                     : sample->count;
    t->bots += sample->bots;
    bool is_empty = sample->bots == 0 && sample->pending == 0;
    bool evict = is_empty && ema_evictable(ema, sample->count);
    s->metrics = metrics_of(t->config.clock, step_id(s), sample);
    s->metrics.ema = evict ? 0 : ema;
    if (t->config.top) top_customers_note(t->config.top, step_id(s), sample->count, s->metrics.ema);
    s->sample = *sample;
    if (evict)
      page_began(s, ops->evict(t->config.store, step_id(s), sample, on_page_kept, s));
    else
      page_began(s, ops->save(t->config.store, step_id(s), sample, ema, on_page_kept, s));
  }
  on_page_op(status, s);
}

/* How long a customer that another daemon ticks may go without an update. */
static int64_t patience_ms(const ticker *t) {
  return t->config.interval_ms * 3 / 2;
}

static bool others_tick(const ticker *t) {
  return t->again_ms >= 0;
}

static void on_quiet_sample(au_status status, const au_sample *sample, void *arg) {
  step *s = arg;
  ticker *t = s->ticker;
  if (status == AU_OK && !t->stopping) {
    bool ticked = sample->elapsed_ms > 0 && sample->elapsed_ms < patience_ms(t);
    au_metrics metrics = metrics_of(t->config.clock, step_id(s), sample);
    if (!(others_tick(t) && ticked && broadcast_wait_once(t->config.broadcast, step_id(s))))
      broadcast_publish_local(t->config.broadcast, &metrics, now_ms(t));
  }
  on_page_op(status, s);
}

static void begin_page(ticker *t, const au_slice *ids, size_t n, au_sample_fn on_sample) {
  t->pending = 1; /* held by this function, so that no answer ends the page early */
  t->page_count = n;
  t->page_failed = 0;
  for (size_t i = 0; i < n; i++) {
    step *s = &t->page[i];
    step_set(s, t, ids[i]);
    page_began(s, t->config.store->ops->sample(t->config.store, ids[i], on_sample, s));
  }
  if (--t->pending == 0) next_page(t);
}

static void end_tick(ticker *t) {
  t->phase = IDLE;
  if (t->stopping) return; /* what a stop cut short is no failure */
  bool failing = t->failed > 0 || t->unpublished;
  if (failing) t->config.counters->tick_failed++;
  if (failing && !t->failing)
    log_warn("ticker", "the store failed some customers; the next tick makes up for it",
             LOG_INT("customers", t->failed));
  t->failing = failing;
}

static void on_quiet_time(uv_timer_t *timer) {
  ticker *t = timer->data;
  t->phase = QUIET;
  next_page(t);
}

static void start_ticks(ticker *t, uint64_t after_ms) {
  t->tick_due_ms = now_ms(t) + (int64_t)after_ms;
  uv_timer_start(&t->tick_timer, on_tick, after_ms, (uint64_t)t->config.interval_ms);
}

/* Who is refused ticks in step with the daemon it waits for: it asks again when that one
 * would have to be dead, if this comes before its own next tick. Who ticks some partitions keeps
 * its own pace for them and asks again in between. */
static void ask_again(ticker *t) {
  if (!others_tick(t)) return;
  uint64_t again_ms = t->again_ms > 0 ? (uint64_t)t->again_ms : 1;
  if (again_ms >= uv_timer_get_due_in(&t->tick_timer)) return;
  if (t->has_own_partition)
    uv_timer_start(&t->again_timer, on_again, again_ms, 0);
  else
    start_ticks(t, again_ms);
}

static void end_due(ticker *t) {
  ask_again(t);
  t->config.counters->partitions_held = t->own_partitions;
  if (t->for_others) {
    end_tick(t);
    if (t->tick_waits && !t->stopping) begin_tick(t);
    return;
  }
  stats_observe(&t->config.counters->tick_duration, (uint64_t)(clock_now_us() - t->tick_began_us));
  t->ended_ms = now_ms(t);
  bool is_whole = t->failed == 0 && !t->is_early;
  if (is_whole) t->config.counters->people = t->people;
  if (is_whole) t->config.counters->bots = t->bots;
  if (t->failed == 0 && t->config.top) top_customers_end(t->config.top);
  if (t->partitions_failed == t->config.store->ops->partitions(t->config.store)) {
    end_tick(t);
    return;
  }
  int64_t half_ms = t->config.interval_ms / 2;
  t->phase = PAUSE;
  uv_timer_start(&t->quiet_timer, on_quiet_time,
                 (uint64_t)(half_ms < QUIET_AFTER_MS ? half_ms : QUIET_AFTER_MS), 0);
}

static void next_partition(ticker *t, bool failed) {
  if (failed) t->partitions_failed++;
  t->partition++;
  t->skip = t->page_count = t->page_failed = 0;
}

/* While a shared store is lost each daemon ticks for itself. */
static bool is_well(const ticker *t) {
  return t->config.store->ops->health(t->config.store).reason[0] == '\0';
}

static void on_due(au_status status, const au_due *due, void *arg) {
  ticker *t = arg;
  if (status == AU_OK && due->n > 0 && !t->stopping) {
    begin_page(t, due->ids, due->n, on_due_sample);
    return;
  }
  if (status != AU_OK) t->failed++;
  if (t->partition == 0) t->leads = status == AU_OK && due->again_ms < 0 && is_well(t);
  if (status == AU_OK && due->again_ms < 0) t->has_own_partition = true;
  if (status == AU_OK && due->again_ms < 0 && due->n == 0) t->own_partitions++;
  if (status == AU_OK && due->again_ms >= 0 && (t->again_ms < 0 || due->again_ms < t->again_ms))
    t->again_ms = due->again_ms;
  next_partition(t, status != AU_OK);
  next_page(t);
}

/* Asks for the next customers that are due. Whoever was ticked since this tick began is younger
 * than half an interval, or than the tick; and whoever this daemon ticks anyway than an interval.
 */
static void next_due(ticker *t) {
  au_store *store = t->config.store;
  int64_t min_age_ms = t->for_others ? t->config.interval_ms : t->config.interval_ms / 2;
  int64_t tick_ms = now_ms(t) - t->tick_began_ms;
  if (!t->for_others && tick_ms >= min_age_ms) min_age_ms = tick_ms + 1;
  while (t->partition < store->ops->partitions(store)) {
    if (store->ops->due(store, t->partition, min_age_ms, t->skip, TICK_PAGE, on_due, t) == AU_OK)
      return;
    t->failed++;
    next_partition(t, true);
  }
  end_due(t);
}

static void next_quiet(ticker *t) {
  au_slice ids[TICK_PAGE];
  int64_t before_ms = others_tick(t) ? now_ms(t) - patience_ms(t) : t->tick_began_ms;
  size_t n = broadcast_list_idle(t->config.broadcast, before_ms, t->tick_began_ms, ids, TICK_PAGE);
  if (n > 0)
    begin_page(t, ids, n, on_quiet_sample);
  else
    end_tick(t);
}

/* Goes on with this tick, or ends it. */
static void next_page(ticker *t) {
  au_store *store = t->config.store;
  bool lost =
      t->page_count > 0 && t->page_failed == t->page_count && !store->ops->health(store).ever_up;
  if (t->stopping || (lost && t->phase == QUIET)) {
    end_tick(t);
  } else if (t->phase == DUE) {
    if (lost) next_partition(t, true);
    next_due(t);
  } else {
    next_quiet(t);
  }
}

static void begin_due(ticker *t) {
  uv_timer_stop(&t->again_timer);
  t->phase = DUE;
  t->partition = t->partitions_failed = 0;
  t->skip = t->failed = t->page_count = t->page_failed = 0;
  t->again_ms = -1;
  t->people = t->bots = t->own_partitions = 0;
  t->has_own_partition = t->unpublished = false;
  next_page(t);
}

static void begin_tick(ticker *t) {
  uv_timer_stop(&t->quiet_timer);
  t->for_others = t->tick_waits = false;
  t->tick_began_ms = now_ms(t);
  t->tick_began_us = clock_now_us();
  t->is_early = t->ended_ms > 0 && t->tick_began_ms - t->ended_ms < t->config.interval_ms / 2;
  if (t->config.top) top_customers_begin(t->config.top);
  begin_due(t);
}

static void on_tick(uv_timer_t *timer) {
  ticker *t = timer->data;
  t->config.counters->ticks++;
  if (t->config.history) history_expire(t->config.history, TICK_PAGE);
  t->config.store->ops->scan(t->config.store);
  t->tick_waits = t->phase == DUE && t->for_others;
  int64_t late_ms = now_ms(t) - t->tick_due_ms;
  stats_observe(&t->config.counters->tick_lateness, late_ms > 0 ? (uint64_t)late_ms * 1000 : 0);
  t->tick_due_ms = now_ms(t) + t->config.interval_ms; /* as libuv repeats it */
  if (t->phase == DUE || t->phase == QUIET) {         /* it goes on, and counts as late */
    t->config.counters->ticks_skipped++;
    return;
  }
  begin_tick(t);
}

static void on_again(uv_timer_t *timer) {
  ticker *t = timer->data;
  if (t->phase != IDLE) {
    uv_timer_start(&t->again_timer, on_again, AGAIN_AFTER_MS, 0);
    return;
  }
  t->for_others = true;
  begin_due(t);
}

/* ---- changes between ticks ---------------------------------------------- */

static void on_published(au_status status, void *arg) {
  (void)status; /* the next tick tells what this did not */
  (void)arg;
}

static void on_changed_sample(au_status status, const au_sample *sample, void *arg) {
  step *s = arg;
  ticker *t = s->ticker;
  s->busy = false;
  if (status != AU_OK || t->stopping) return;
  if (t->config.history) history_change(t->config.history, step_id(s), sample);
  au_metrics metrics = metrics_of(t->config.clock, step_id(s), sample);
  (void)t->config.store->ops->publish(t->config.store, &metrics, on_published, NULL);
}

/* Counts a customer whose count changed; false while too many are being counted. */
static bool emit_change(void *arg, au_slice customer_id) {
  ticker *t = arg;
  for (size_t i = 0; i < CHANGES_IN_FLIGHT; i++) {
    step *s = &t->changed[i];
    if (s->busy) continue;
    step_set(s, t, customer_id);
    s->busy =
        t->config.store->ops->sample(t->config.store, customer_id, on_changed_sample, s) == AU_OK;
    return s->busy;
  }
  return false;
}

static void on_pace_timer(uv_timer_t *timer) {
  run_paced(timer->data);
}

static void run_paced(ticker *t) {
  int64_t wait_ms = changes_run(t->changes, now_ms(t), CHANGES_SLICE);
  int64_t pace_ms = broadcast_pace(t->config.broadcast, now_ms(t), PACE_SLICE);
  if (wait_ms < 0 || (pace_ms >= 0 && pace_ms < wait_ms)) wait_ms = pace_ms;
  if (wait_ms == 0) wait_ms = 1; /* others get their turn */
  if (wait_ms > 0) uv_timer_start(&t->pace_timer, on_pace_timer, (uint64_t)wait_ms, 0);
}

void ticker_changed(ticker *t, au_slice customer_id) {
  if (t->stopping) return;
  changes_note(t->changes, customer_id, now_ms(t));
  if (!uv_is_active((uv_handle_t *)&t->pace_timer))
    uv_timer_start(&t->pace_timer, on_pace_timer, (uint64_t)t->config.changes_ms, 0);
}

/* ---- the broadcast, a slice a turn --------------------------------------- */

static void on_broadcast_turn(uv_idle_t *idle) {
  ticker *t = idle->data;
  if (!broadcast_run(t->config.broadcast, BROADCAST_SLICE)) uv_idle_stop(idle);
  run_paced(t);
}

bool ticker_leads(const ticker *t) {
  return t->leads;
}

void ticker_wake(ticker *t) {
  if (!t->stopping) uv_idle_start(&t->broadcast_idle, on_broadcast_turn);
}

/* ---- life ---------------------------------------------------------------- */

au_status ticker_create(const ticker_config *config, ticker **out) {
  ticker *t = calloc(1, sizeof *t);
  if (!t) return AU_ENOMEM;
  t->config = *config;
  au_status status = changes_create(config->seed, config->changes_ms, config->max_changes,
                                    emit_change, t, &t->changes);
  if (status != AU_OK) {
    free(t);
    return status;
  }
  uv_timer_init(config->loop, &t->tick_timer);
  uv_timer_init(config->loop, &t->again_timer);
  uv_timer_init(config->loop, &t->quiet_timer);
  uv_timer_init(config->loop, &t->pace_timer);
  uv_idle_init(config->loop, &t->broadcast_idle);
  t->tick_timer.data = t->again_timer.data = t->quiet_timer.data = t->pace_timer.data =
      t->broadcast_idle.data = t;
  *out = t;
  return AU_OK;
}

void ticker_start(ticker *t) {
  start_ticks(t, (uint64_t)t->config.interval_ms);
}

void ticker_stop(ticker *t, void (*stopped)(void *arg), void *arg) {
  t->stopping = true;
  join_stop_begin(&t->stop, stopped, arg);
  join_stop_close(&t->stop, (uv_handle_t *)&t->tick_timer);
  join_stop_close(&t->stop, (uv_handle_t *)&t->again_timer);
  join_stop_close(&t->stop, (uv_handle_t *)&t->quiet_timer);
  join_stop_close(&t->stop, (uv_handle_t *)&t->pace_timer);
  join_stop_close(&t->stop, (uv_handle_t *)&t->broadcast_idle);
  join_stop_done(&t->stop);
}

void ticker_free(ticker *t) {
  if (!t) return;
  changes_free(t->changes);
  free(t);
}

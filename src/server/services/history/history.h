/* What customers were like: takes the samples of the ticker, makes minutes and hours of them, and
 * gives finished minutes to the store of history. Knows no transport and no kind of store.
 *
 * One daemon writes a customer at a time: the one that ticks it. When another one takes over it
 * reads the hour that is under way, and goes on with it. Minutes and hours are those of the shared
 * store's clock where there is one. What was sampled while the shared store was lost (`stale`) is
 * not kept. */
#ifndef SERVICES_HISTORY_H
#define SERVICES_HISTORY_H

#include <active_users/history.h>

#include "stats.h"
#include "utils/map.h"
#include "utils/time.h"

typedef struct history history;

typedef struct history_config {
  au_history_store *store;
  const au_clock *clock;
  stats *counters;
  map_seed seed;
  bool is_shared;         /* other daemons may write to the store */
  int64_t interval_ms;    /* from one tick of a customer to the next */
  uint32_t max_customers; /* whose minutes are being made; others have no history */
} history_config;

/* `store` is borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status history_create(const history_config *config, history **out);
void history_free(history *h);

/* A tick of a customer, by this daemon; `ema` is the average that it made. */
void history_tick(history *h, au_slice customer_id, const au_sample *sample, double ema);

/* A count between two ticks. Counts for the lowest, the highest and the peaks alone; with a shared
 * store only when this daemon ticks the customer. */
void history_change(history *h, au_slice customer_id, const au_sample *sample);

/* A session gave its first sign of life of a day, as far as this daemon knows. */
void history_seen(history *h, au_slice customer_id, au_slice session_id);

/* Gives up at most `max` customers that were not ticked for long: their last minute is kept. */
void history_expire(history *h, size_t max);

/* Keeps what was not yet, with minutes that are not over. Before the store stops. */
void history_flush(history *h);

/* The number of a day, UTC, of ms since the epoch. */
static inline uint32_t history_day_of(int64_t wall_ms) {
  return wall_ms > 0 ? (uint32_t)(wall_ms / 86400000) : 0;
}

/* The peaks of a customer, of which a sample is answered: it counts for them as a change does, so
 * that nobody reads lower ones later. `cb` runs once, and perhaps before this returns: gets what is
 * known, if need be the sample's count alone. */
typedef void (*history_peaks_fn)(const au_peaks *peaks, void *arg);
void history_peaks(history *h, au_slice customer_id, const au_sample *sample, history_peaks_fn cb,
                   void *arg);

/* Peaks that the store answered, of a customer with `count` now: with those that are not stored
 * yet. */
au_peaks history_peaks_with(const history *h, au_slice customer_id, au_peaks peaks, uint32_t count);

/* As au_history_store.get. */
AU_MUST_CHECK au_status history_get(history *h, au_slice customer_id, const au_history_ask *ask,
                                    au_history_fn cb, void *arg);

/* Now, on the clock that minutes go by. */
int64_t history_now_ms(const history *h);

#endif

/* The timer: count -> ema -> save -> publish, for every customer, every interval;
 * and between ticks the changes of counts. The only service that knows libuv. */
#ifndef SERVICES_TICKER_H
#define SERVICES_TICKER_H

#include <active_users/store.h>
#include <uv.h>

#include "broadcast.h"
#include "services/history/history.h"
#include "stats.h"
#include "top_customers.h"
#include "utils/map.h"
#include "utils/time.h"

typedef struct ticker ticker;

typedef struct ticker_config {
  uv_loop_t *loop;
  const au_clock *clock;
  au_store *store;
  broadcast *broadcast;
  history *history; /* gets the samples; NULL: nobody does */
  stats *counters;
  top_customers *top; /* told what is ticked; NULL: nobody asks */
  double alpha;
  int64_t interval_ms;
  int64_t changes_ms; /* CHANGES_INTERVAL_MS */
  size_t max_changes; /* customers whose changes are remembered */
  map_seed seed;
} ticker_config;

/* Everything in `config` is borrowed for the ticker's life.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status ticker_create(const ticker_config *config, ticker **out);

void ticker_start(ticker *t);

/* The store says that a count changed: it is published at once, or at most `changes_ms`
 * later when the customer was published just now. */
void ticker_changed(ticker *t, au_slice customer_id);

/* Whether this daemon ticks the first partition: of all daemons of a well store one does, and for
 * up to an interval and a half after it has died none. */
bool ticker_leads(const ticker *t);

/* Runs the broadcast in slices, a slice a turn of the loop, until it is done. */
void ticker_wake(ticker *t);

/* Ticks no more; operations in flight end with the store. `stopped` runs once,
 * from the loop, when all handles are closed. Stop the store before freeing. */
void ticker_stop(ticker *t, void (*stopped)(void *arg), void *arg);
void ticker_free(ticker *t);

#endif

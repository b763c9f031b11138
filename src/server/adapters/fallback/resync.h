/* Restores what the shared store has missed: one walk over the table for all slots that are dirty
 * and served, in batches. First sessions, the youngest first; then hints, so that a session that
 * ended meanwhile ends there too; then, where all was lost, averages. Where other daemons restore
 * as well the slots settle for a while. In the end the customers are announced as changed.
 *
 * Knows neither operations nor how the shared store was lost. */
#ifndef ADAPTERS_FALLBACK_RESYNC_H
#define ADAPTERS_FALLBACK_RESYNC_H

#include <uv.h>

#include "delivery.h"
#include "peer_counts.h"
#include "sync_state.h"

enum {
  RESYNC_BATCH = 250,      /* sessions or averages in flight */
  RESYNC_LOOK_MAX = 5000,  /* sessions looked at in one turn of the loop */
  RESYNC_SETTLE_MS = 1500, /* in which other daemons restore as well */
};

typedef struct resync resync;

/* Everything is borrowed. */
typedef struct resync_config {
  uv_loop_t *loop;
  const delivery *delivery;
  sync_state *sync;
  peer_counts *peers;
  void (*changed)(void *arg, au_slice customer_id);
  void *arg;
} resync_config;

/* Memory only. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status resync_create(const resync_config *config, resync **out);

/* Before everything else. Once. */
void resync_start(resync *r);

/* Slots may have lost everything; they settle until some time after this. */
void resync_settle(resync *r);

/* Begins a round, if slots are dirty and served; after the one that is under way. Idempotent. */
void resync_begin(resync *r);

/* All hints that the round waits for were sent. */
void resync_drained(resync *r);

/* Whether the shared store has answered all that it was sent. */
bool resync_is_answered(const resync *r);

/* `stopped` runs once, from the loop. Stop the shared store as well: it answers what is in
 * flight. */
void resync_stop(resync *r, void (*stopped)(void *arg), void *arg);

/* NULL is fine. */
void resync_free(resync *r);

#endif

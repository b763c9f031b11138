/* For each slot whether the shared store has all that this daemon has acknowledged. Arithmetic
 * only: knows neither sessions nor servers.
 *
 *          data_lost, dirty               begin                end
 *   CLEAN ------------------> DIRTY -----------------> SYNCING -----> CLEAN
 *                               ^                         |   \-----> SETTLING --settled--> CLEAN
 *                               +---- data_lost, dirty ---+---------------+ */
#ifndef ADAPTERS_FALLBACK_SYNC_STATE_H
#define ADAPTERS_FALLBACK_SYNC_STATE_H

#include <active_users/types.h>

typedef struct sync_state sync_state;

/* A time for slots that lack hints, but no sessions. */
#define SYNC_NO_SESSIONS INT64_MAX
/* A time for slots that lack everything. */
#define SYNC_ALL_SESSIONS INT64_MIN

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status sync_state_create(uint32_t slots, sync_state **out);

/* NULL is fine. */
void sync_state_free(sync_state *s);

/* Whether nothing is missing in a slot. */
bool sync_state_is_clean(const sync_state *s, uint16_t slot);
bool sync_state_all_clean(const sync_state *s);

/* Whether a hint may be sent: all sessions of the slot were. */
bool sync_state_takes_hints(const sync_state *s, uint16_t slot);

/* Sessions touched since `since_ms` (monotonic) are missing there, or SYNC_NO_SESSIONS. */
void sync_state_dirty(sync_state *s, uint16_t slot, int64_t since_ms);

/* Everything may be missing. `settle`: once it is restored the slot settles before it is clean. */
void sync_state_data_lost(sync_state *s, uint16_t slot, bool settle);

/* ---- one round over the slots that are dirty and served */

/* Begins a round; false when there are no such slots. *since_ms: the earliest of their times. */
bool sync_state_begin(sync_state *s, bool (*serves)(void *arg, uint16_t slot), void *arg,
                      int64_t *since_ms);

/* What the round sends for a slot: sessions since this time; SYNC_NO_SESSIONS also for a slot
 * that is not in the round. */
int64_t sync_state_sends_since(const sync_state *s, uint16_t slot);
bool sync_state_is_syncing(const sync_state *s, uint16_t slot);

/* How many slots are in the round. */
uint32_t sync_state_round(const sync_state *s);

/* Whether slots of the round lack everything. */
bool sync_state_restores_all(const sync_state *s);

/* All sessions were sent: hints are, from now on. */
void sync_state_sessions_sent(sync_state *s);

/* Ends the round: its slots are clean, or settle. Those that became dirty meanwhile stay so.
 * True when some of them settle. */
bool sync_state_end(sync_state *s);

/* What settled is clean. */
void sync_state_settled(sync_state *s);

/* Whether a slot was in the last round that ended. */
bool sync_state_was_synced(const sync_state *s, uint16_t slot);

#endif

/* What this daemon has acknowledged and a Redis does not have. Memory only; knows neither
 * requests, nor how Redis was lost, nor how it is told (redis_replay). */
#ifndef ADAPTERS_REDIS_DEBTS_H
#define ADAPTERS_REDIS_DEBTS_H

#include <active_users/types.h>

#include "redis_acts.h"

enum {
  REDIS_DEBTS_LEAVES_MAX = 50000, /* leaves that are kept for a TTL, in case Redis loses them */
  REDIS_DEBTS_SLICE = 10000,      /* that are dropped in one call of redis_debts_expire */
};

struct redis_store;
typedef struct redis_debts redis_debts;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_debts_create(struct redis_store *store, redis_debts **out);

/* Sessions are touched here from now on, and Redis is not told. Before the table is. */
void redis_debts_owe(redis_debts *d);

/* As redis_debts_owe, since `since_ms` (monotonic); INT64_MAX is nothing. */
void redis_debts_owe_since(redis_debts *d, int64_t since_ms);

/* Redis has lost what it had: everything is owed, with the averages. */
void redis_debts_owe_all(redis_debts *d);

/* A session ended or was shortened here, and Redis was not told. Returns as redis_acts_add. */
AU_MUST_CHECK au_status redis_debts_owe_ending(redis_debts *d, const redis_act *ending);

/* An ending that was taken and could not be told, unless its session lives again. */
void redis_debts_owe_again(redis_debts *d, const redis_act *ending);

/* In a Cluster, when customers are served by other nodes than before: those come to owe what is
 * owed of them, and to keep the leaves that this node was told. Begins with all anew. */
void redis_debts_begin_hand_over(redis_debts *d);

/* Goes on with up to *max of them, and takes those off *max; true when there are more. */
bool redis_debts_hand_over(redis_debts *d, size_t *max);

/* Redis knows that a session has left. */
void redis_debts_left(redis_debts *d, const redis_act *leave);

/* A session lives again, whatever is owed. */
void redis_debts_revive(redis_debts *d, au_slice customer_id, au_slice session_id);

/* Sessions touched since when (monotonic), which are not owed any more. INT64_MIN: all, and
 * the averages; INT64_MAX: none. */
int64_t redis_debts_take_sessions(redis_debts *d);

/* An ending that was not told yet, then one that must be told again; false when there is none. */
bool redis_debts_take_ending(redis_debts *d, redis_act *out);

/* Whether the tab of a touch that began at `since` has ended or shortened its session after
 * it, which Redis is not told yet: the touch is over then. */
bool redis_debts_has_ended(const redis_debts *d, const au_beat *beat, redis_moment since,
                           redis_act_kind *kind);

bool redis_debts_any(const redis_debts *d);

/* Drops some of what is too old to matter. Every so often, also while nobody can be told. */
void redis_debts_expire(redis_debts *d);

/* NULL is fine. */
void redis_debts_free(redis_debts *d);

#endif

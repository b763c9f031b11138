/* What a Redis refused for one of its keys alone (it has the wrong type, or its slot is half
 * moved) while it served all others: it was acknowledged, so it is owed to that key, and tried
 * again until it is taken, or its session would have ended. Memory only; does not know why a key
 * is at fault.
 *
 * A customer whose keys stay at fault costs one attempt a second, whatever is owed; once one is
 * taken the others follow at once. No customer waits for another. */
#ifndef ADAPTERS_REDIS_RETRY_H
#define ADAPTERS_REDIS_RETRY_H

#include <active_users/types.h>

#include "redis_acts.h"

enum {
  REDIS_RETRY_IN_FLIGHT = 250, /* acts that are being told */
  REDIS_RETRY_AT_ONCE = 64,    /* of one customer, at most; doubled from 1 while they are taken */
  REDIS_RETRY_LOOK_MAX = 500,  /* acts of one customer looked at in one turn */
  REDIS_RETRY_TURNS = 16,      /* turns of customers in one turn of the loop */
  REDIS_RETRY_DEBTORS = 1000,  /* customers that have their turn each time */
  REDIS_RETRY_MIN_MS = 100,    /* until the first attempt; doubled while nothing is taken */
  REDIS_RETRY_MAX_MS = 1000,
};

struct redis_store;
typedef struct redis_retry redis_retry;

/* Memory only. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_retry_create(struct redis_store *store, redis_retry **out);

/* Before everything else. Once. */
void redis_retry_start(redis_retry *r);

/* A session was touched, shortened or ended here, and was refused. Of a touch Redis is told
 * what the table has by then. Up to max_sessions touches are owed, and as many endings.
 * Returns AU_OK, AU_EBUSY (too many) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_retry_owe(redis_retry *r, const redis_act *act);

/* A session lives again: how it ended is not owed any more. */
void redis_retry_revive(redis_retry *r, au_slice customer_id, au_slice session_id);

/* As redis_debts_has_ended. */
bool redis_retry_has_ended(const redis_retry *r, const au_beat *beat, redis_moment since,
                           redis_act_kind *kind);

/* `stopped` runs once, from the loop. Stop the nodes as well: they end what is in flight. */
void redis_retry_stop(redis_retry *r, void (*stopped)(void *arg), void *arg);

/* NULL is fine. */
void redis_retry_free(redis_retry *r);

#endif

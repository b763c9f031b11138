/* The scan that makes the presence keys and the index of deadlines agree: what another
 * program wrote is taken in, what was deleted by hand is taken out. Knows no averages.
 *
 * A round goes over all presence keys, then over all indexes; one bounded batch at a time,
 * the next only after the last answer and a turn of the loop. */
#ifndef ADAPTERS_REDIS_RECONCILE_H
#define ADAPTERS_REDIS_RECONCILE_H

#include <active_users/types.h>

enum {
  REDIS_SCAN_COUNT = 250, /* keys looked at in one step: well under 1 ms of Redis */
  REDIS_SCAN_GROUP = 25,  /* customers whose indexes are read in one step */
  /* Of each half of a round, without a pause: 10,000 sessions of as many customers are
   * 30,000 keys of ours. */
  REDIS_SCAN_FAST_KEYS = 30000,
  REDIS_SCAN_PAUSE_MS = 25,     /* between later steps: 10,000 keys a second at most */
  REDIS_SCAN_WAIT_MS = 1000,    /* for which a tick waits for the part without a pause */
  REDIS_SCAN_BATCH_MAX = 50000, /* members kept of one step, unless one answer has more */
  REDIS_SCAN_BATCH_BYTES = 32 * 1024 * 1024,
};

struct redis_node;
typedef struct redis_reconcile redis_reconcile;

/* Embedded in whoever waits. */
typedef struct redis_waiter {
  struct redis_waiter *next;
  /* Runs once, from the loop: AU_OK, or AU_ECANCELED when the store was stopped. */
  void (*go)(struct redis_waiter *waiter, au_status status);
} redis_waiter;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_reconcile_create(struct redis_node *node, redis_reconcile **out);

/* Before the first round. Once. */
void redis_reconcile_start(redis_reconcile *r);

/* A tick begins: a round is wanted, if this daemon turns out to be the one who ticks. */
void redis_reconcile_want(redis_reconcile *r);
bool redis_reconcile_is_wanted(const redis_reconcile *r);

/* Begins the round that is wanted, unless one is under way or the last one ended too short a
 * time ago: a round is followed by a pause as long as itself. */
void redis_reconcile_begin(redis_reconcile *r);

/* Waits for a young round to end or to grow old; false when there is none to wait for. */
bool redis_reconcile_wait(redis_reconcile *r, redis_waiter *waiter);

/* Ends a round under way; `stopped` runs once, from the loop. Stop the link as well: it
 * ends the commands. */
void redis_reconcile_stop(redis_reconcile *r, void (*stopped)(void *arg), void *arg);

/* NULL is fine. */
void redis_reconcile_free(redis_reconcile *r);

#endif

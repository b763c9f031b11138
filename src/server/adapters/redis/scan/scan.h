/* The scan that makes the presence keys and the index of deadlines agree: what another
 * program wrote is taken in, what was deleted by hand is taken out. Knows no averages.
 *
 * A round goes over all presence keys, then over all indexes; one bounded batch at a time,
 * the next only after the last answer and a turn of the loop. */
#ifndef ADAPTERS_REDIS_SCAN_H
#define ADAPTERS_REDIS_SCAN_H

#include <active_users/config.h>
#include <active_users/types.h>
#include <uv.h>

#include "adapters/redis/cluster/router.h"
#include "adapters/redis/protocol/keys.h"

enum {
  REDIS_SCAN_COUNT = 250, /* keys looked at in one step: well under 1 ms of Redis */
  REDIS_SCAN_GROUP = 25,  /* customers whose indexes are read in one step */
  /* Names in one command: with ids of 128 characters still well below REDIS_COMMAND_MAX_BYTES. */
  REDIS_SCAN_TOGETHER = 125,
  /* Of each half of a round, without a pause: 10,000 sessions of as many customers are
   * 30,000 keys of ours. */
  REDIS_SCAN_FAST_KEYS = 30000,
  REDIS_SCAN_PAUSE_MS = 25,     /* between later steps: 10,000 keys a second at most */
  REDIS_SCAN_WAIT_MS = 1000,    /* for which a tick waits for the part without a pause */
  REDIS_SCAN_BATCH_MAX = 50000, /* members kept of one step */
  REDIS_SCAN_BATCH_BYTES = 32 * 1024 * 1024,
  REDIS_SCAN_FAILURES = 3, /* rounds in a row that fail, until /health says so */
};

typedef struct redis_scan redis_scan;

/* Everything is borrowed for the scan's life. */
typedef struct redis_scan_config {
  uv_loop_t *loop;
  const au_clock *clock;
  const au_config *config;
  stats *counters;
  redis_router *router;
  const redis_keys *keys;
  void (*changed)(void *arg, au_slice customer_id);
  /* A session whose key is gone. */
  void (*session_gone)(void *arg, au_slice customer_id, au_slice session_id);
  void *arg;
} redis_scan_config;

/* Embedded in the operation that waits. */
typedef struct redis_waiter {
  struct redis_waiter *next;
  /* Runs once, from the loop: AU_OK, or AU_ECANCELED when the store was stopped. */
  void (*go)(struct redis_waiter *waiter, au_status status);
} redis_waiter;

/* `node` need not live while no round is under way. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_scan_create(const redis_scan_config *config, redis_node *node,
                                          redis_scan **out);

redis_node *redis_scan_node(const redis_scan *r);
bool redis_scan_is_idle(const redis_scan *r);

/* A tick begins: a round is wanted, if this daemon turns out to have the lease. */
void redis_scan_want(redis_scan *r);
bool redis_scan_is_wanted(const redis_scan *r);

/* Begins the round that is wanted, unless one is under way or the last one ended too short a
 * time ago: a round is followed by a pause as long as itself. */
void redis_scan_begin(redis_scan *r);

/* Waits for a young round to end or to grow old; false when there is none to wait for. */
bool redis_scan_wait(redis_scan *r, redis_waiter *waiter);

/* Another daemon ticks, and so scans: rounds that failed here do not matter any more. */
void redis_scan_yield(redis_scan *r);

/* Why rounds do not get to their end, static; "" when the last ones did. */
const char *redis_scan_reason(const redis_scan *r);

/* Ends a round under way; `stopped` runs once, from the loop. Stop the link as well: it
 * ends the commands. */
void redis_scan_stop(redis_scan *r, void (*stopped)(void *arg), void *arg);

/* One that has stopped, when the links have too. NULL is fine. */
void redis_scan_free(redis_scan *r);

#endif

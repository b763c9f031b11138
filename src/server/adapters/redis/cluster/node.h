/* One Redis server: its link, its clock, and whether it accepts writes. Knows neither slots nor
 * operations.
 *
 *             link ready        clock and identity known
 *      DOWN -------------> HANDSHAKE ------> SERVING <------> REFUSING
 *        ^  <------------------+----- link lost ----+------------+         any --stop--> STOPPING
 */
#ifndef ADAPTERS_REDIS_NODE_H
#define ADAPTERS_REDIS_NODE_H

#include <active_users/types.h>
#include <uv.h>

#include "adapters/redis/link/link.h"
#include "adapters/redis/protocol/keys.h"
#include "adapters/redis/protocol/reply.h"
#include "stats.h"
#include "utils/time.h"

enum {
  REDIS_CLOCK_INTERVAL_MS = 10000, /* between two readings of Redis's clock */
  REDIS_CLOCK_SLACK_MS = 50,       /* by which estimates of it may differ */
  REDIS_CHECK_INTERVAL_MS = 500,  /* between two checks of its data; less than the shortest time-out
                                     of Redis for idle connections, 1 s */
  REDIS_PROBE_INTERVAL_MS = 1000, /* while it refuses, between two test writes; without a refusal
                                     this long it is tried again */
};

typedef enum redis_node_state {
  REDIS_NODE_DOWN,
  REDIS_NODE_HANDSHAKE, /* connected: its clock and identity are asked for */
  REDIS_NODE_REFUSING,  /* more than single keys, as far as is known */
  REDIS_NODE_SERVING,
  REDIS_NODE_STOPPING,
} redis_node_state;

typedef struct redis_node redis_node;

/* From the loop, or from redis_node_stop. */
typedef struct redis_node_events {
  void (*moved)(void *arg, redis_node *n, redis_node_state from, redis_node_state to);
  /* first  it was never known before; else `same` tells whether it has the same data. */
  void (*identified)(void *arg, redis_node *n, bool same, bool first);
  /* Makes `tag` that of a key which this node has; false when it has none. */
  bool (*tag)(void *arg, const redis_node *n, char tag[REDIS_TAG_SIZE]);
  /* Whether a reply says that a key is on another node now. */
  bool (*is_elsewhere)(void *arg, redis_node *n, const redisReply *reply);
  void *arg;
} redis_node_events;

typedef struct redis_node_config {
  uv_loop_t *loop;
  const au_clock *clock;
  stats *counters;
  const redis_url *url; /* like all of these borrowed for the node's life */
  const char *daemon;   /* the name of this daemon */
  uint64_t seed;
  int64_t fault_ms; /* for which a key must not be refused until its fault counts as over */
  bool is_alone;    /* MOVED is a refusal for good: the URL is of the wrong kind */
  redis_node_events events;
} redis_node_config;

/* Memory only. `config` is copied. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_node_create(const redis_node_config *config, redis_node **out);

/* Begins connecting, and goes on until stopped. Once. */
void redis_node_start(redis_node *n);

/* Ends a started node: commands in flight end with AU_ECANCELED, then `stopped` runs once;
 * all from the loop. */
void redis_node_stop(redis_node *n, void (*stopped)(void *arg), void *arg);

/* Frees a node that has stopped or that was never started. NULL is fine. */
void redis_node_free(redis_node *n);

/* Held by operations and commands that will come back to it. */
void redis_node_ref(redis_node *n);
void redis_node_unref(redis_node *n);
bool redis_node_is_referenced(const redis_node *n);

redis_node_state redis_node_state_of(const redis_node *n);
static inline bool redis_node_serves(const redis_node *n) {
  return redis_node_state_of(n) == REDIS_NODE_SERVING;
}
bool redis_node_is_connected(const redis_node *n);
/* Where it is, for the log. */
const redis_endpoint *redis_node_endpoint(const redis_node *n);
/* Its data has no name yet on this link. */
bool redis_node_is_unknown(const redis_node *n);
/* Why it is degraded, static text; "" when all is well. */
const char *redis_node_reason(const redis_node *n);

/* Redis's clock now, by the last reading; early by at most a round trip. And how far it is ahead of
 * the monotonic one. */
int64_t redis_node_now_ms(const redis_node *n);
int64_t redis_node_ahead_ms(const redis_node *n);

/* Whether an operation of `commands` can begin: AU_OK, AU_ESTORE, AU_EBUSY or AU_ECANCELED. One
 * that refuses is tried. */
AU_MUST_CHECK au_status redis_node_admits(const redis_node *n, uint32_t commands);

/* As redis_link_command. */
AU_MUST_CHECK au_status redis_node_send(redis_node *n, const au_slice *args, size_t count,
                                        redis_reply_fn cb, void *arg);

/* As redis_link_set_can_wait. */
void redis_node_set_can_wait(redis_node *n, bool can_wait);

/* What became of a command: its status, or AU_ESTORE when the reply is not what was wanted.
 * Refusals are counted, logged once, and make the node degraded. */
au_status redis_node_check(redis_node *n, au_status status, const redisReply *reply,
                           redis_want want);

/* A write was answered with success: after a while without a refusal it serves again. */
void redis_node_wrote(redis_node *n);

/* Asks for the name of its data now. */
void redis_node_probe(redis_node *n);

#endif

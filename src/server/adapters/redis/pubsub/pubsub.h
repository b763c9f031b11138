/* The customers whose metrics this daemon subscribes to, on one link for pub/sub. Whatever is
 * published at one node of a Cluster reaches all of them, so the link may lead to any node.
 * Knows no other keys than the channels, one of which is the daemons' own. */
#ifndef ADAPTERS_REDIS_PUBSUB_H
#define ADAPTERS_REDIS_PUBSUB_H

#include <active_users/types.h>
#include <uv.h>

#include "adapters/redis/protocol/url.h"
#include "stats.h"
#include "utils/map.h"

enum {
  REDIS_PUBSUB_IN_FLIGHT = 1000, /* subscriptions asked for and not confirmed */
  /* Between two signs of life that the link is asked for: less than the shortest time-out of Redis
   * for idle connections, 1 s, which holds for a link without subscriptions. */
  REDIS_PUBSUB_PROBE_MS = 500,
};

#define REDIS_PUBSUB_UNWANTED UINT64_MAX

typedef struct redis_pubsub redis_pubsub;

typedef struct redis_pubsub_config {
  uv_loop_t *loop;
  stats *counters; /* borrowed; refusals are counted */
  map_seed seed;
  /* Where to subscribe, asked at redis_pubsub_choose and when the link is lost; `now` is the last
   * answer, NULL at first. Borrowed for the call; NULL: nowhere. */
  const redis_url *(*choose)(void *arg, const redis_url *now);
  void (*published)(void *arg, const au_metrics *metrics);
  /* A message of REDIS_CHANNEL_DAEMONS. */
  void (*told)(void *arg, au_slice message);
  void *arg;
} redis_pubsub_config;

/* Memory only. `config` is copied. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_pubsub_create(const redis_pubsub_config *config, redis_pubsub **out);

/* Begins. Once. */
void redis_pubsub_start(redis_pubsub *p);

/* The choice may be another one now. From the loop. */
void redis_pubsub_choose(redis_pubsub *p);

/* Behind this URL is another Redis now: where the link leads there, it is made anew, and the name
 * resolved again. From the loop. */
void redis_pubsub_renew(redis_pubsub *p, const redis_url *at);

/* Sets whether a customer is wanted; idempotent. It is subscribed to when the link
 * allows, and again after each reconnect. Returns AU_OK, or AU_ENOMEM for one that is not wanted
 * yet, and stays so. */
AU_MUST_CHECK au_status redis_pubsub_set(redis_pubsub *p, au_slice customer_id, bool on);

/* Subscribes to what daemons tell each other, from now on. Idempotent. Returns as
 * redis_pubsub_set. */
AU_MUST_CHECK au_status redis_pubsub_hear(redis_pubsub *p);

/* The number of a wanted customer's subscription, another one for each time it is confirmed; 0
 * while it is not confirmed, or lost. Of one that is not wanted: REDIS_PUBSUB_UNWANTED. A message
 * is heard for sure where the number before it was sent and the one after it was answered are the
 * same, and not 0. */
uint64_t redis_pubsub_subscription(const redis_pubsub *p, au_slice customer_id);

/* Why wanted customers are missed, or some of them: static text; "" when all is well. */
const char *redis_pubsub_reason(const redis_pubsub *p);

/* Closes the links and the timer of a started one; then `stopped` runs once, from the loop. */
void redis_pubsub_stop(redis_pubsub *p, void (*stopped)(void *arg), void *arg);

/* Frees one that has stopped or that was never started. NULL is fine. */
void redis_pubsub_free(redis_pubsub *p);

#endif

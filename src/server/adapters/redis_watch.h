/* The customers whose metrics this daemon wants to hear, on a link of its own for
 * pub/sub. Knows no other keys than the channels. */
#ifndef ADAPTERS_REDIS_WATCH_H
#define ADAPTERS_REDIS_WATCH_H

#include <active_users/store.h>
#include <uv.h>

#include "../stats.h"
#include "../utils/map.h"
#include "redis_url.h"

enum {
  REDIS_WATCH_IN_FLIGHT = 1000, /* subscriptions asked for and not confirmed */
  REDIS_WATCH_PROBE_MS = 3000,  /* a link that carries nothing is asked for a sign of life */
};

typedef struct redis_watch redis_watch;

typedef struct redis_watch_config {
  uv_loop_t *loop;
  const redis_url *url;          /* borrowed for the watch's life */
  const au_store_events *events; /* borrowed; `published` is called */
  stats *counters;               /* borrowed; refusals are counted */
  map_seed seed;
} redis_watch_config;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_watch_create(const redis_watch_config *config, redis_watch **out);

/* Begins connecting. Once. */
void redis_watch_start(redis_watch *w);

/* Says whether a customer is wanted; idempotent. It is subscribed to when the link
 * allows, and again after each reconnect. */
void redis_watch_set(redis_watch *w, au_slice customer_id, bool on);

/* Calls `fn` for each wanted customer, in no order. `fn` may say of that one that it is no
 * longer wanted; the slice is borrowed until it does. */
void redis_watch_each(redis_watch *w, void (*fn)(void *arg, redis_watch *w, au_slice customer_id),
                      void *arg);

/* Whether a wanted customer would not hear a message now: its subscription is not
 * confirmed, or was lost. */
bool redis_watch_is_deaf(const redis_watch *w, au_slice customer_id);

/* Why wanted customers are not heard, or some of them: static text; "" when all is well. */
const char *redis_watch_reason(const redis_watch *w);

/* Closes the link and the timer of a started watch; then `stopped` runs once, from the
 * loop. */
void redis_watch_stop(redis_watch *w, void (*stopped)(void *arg), void *arg);

/* Frees a watch that has stopped or that was never started. NULL is fine. */
void redis_watch_free(redis_watch *w);

#endif

/* The Redis store: au_store over the keys of docs/redis.md. What is acknowledged
 * here was acknowledged by Redis. */
#ifndef ADAPTERS_REDIS_H
#define ADAPTERS_REDIS_H

#include <active_users/config.h>
#include <active_users/store.h>
#include <uv.h>

#include "../stats.h"
#include "../utils/map.h"
#include "../utils/time.h"

/* Begins connecting and goes on trying; until then operations are AU_ESTORE.
 * clock, config, stats and what `events` points at are borrowed for the store's
 * life. Returns AU_OK, AU_EINVAL (a URL that cannot be parsed or that this build
 * does not support; *reason says why, static) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_store_create(uv_loop_t *loop, const au_config *config,
                                           const au_clock *clock, map_seed seed, stats *counters,
                                           const au_store_events *events, const char **reason,
                                           au_store **out);

#endif

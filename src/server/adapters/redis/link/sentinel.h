/* Asks the sentinels of a URL where its master is, one after the other. Keeps no
 * connection to them and does not check what they say. */
#ifndef ADAPTERS_REDIS_SENTINEL_H
#define ADAPTERS_REDIS_SENTINEL_H

#include <active_users/types.h>
#include <uv.h>

#include "adapters/redis/protocol/url.h"

enum { REDIS_SENTINEL_TIMEOUT_MS = 1000 }; /* for one of them: connection and answer */

typedef struct redis_sentinel redis_sentinel;

typedef struct redis_sentinel_config {
  uv_loop_t *loop;
  const redis_url *url; /* borrowed for its life; of kind REDIS_SENTINEL */
  const char *name;     /* static; whose link it is, for the log */
  /* Each ask is followed by one of them, from the loop, unless it is stopped before.
   * `master` is borrowed for the call; `reason` is static. Both may ask again or stop. */
  void (*found)(void *arg, const redis_endpoint *master);
  void (*failed)(void *arg, const char *reason);
  void *arg;
} redis_sentinel_config;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_sentinel_create(const redis_sentinel_config *config,
                                              redis_sentinel **out);

/* Before the first ask. Once. */
void redis_sentinel_start(redis_sentinel *s);

/* Begins with the one that answered last. One ask at a time. */
void redis_sentinel_ask(redis_sentinel *s);

/* What it said turned out to be wrong: the next ask begins with another one. */
void redis_sentinel_suspect(redis_sentinel *s);

/* Closes what is open; then `stopped` runs once, from the loop, and nothing after it. */
void redis_sentinel_stop(redis_sentinel *s, void (*stopped)(void *arg), void *arg);

/* Frees one that has stopped or was never started. NULL is fine. */
void redis_sentinel_free(redis_sentinel *s);

#endif

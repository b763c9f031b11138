/* The Redis store: a shared_store over the keys of docs/reference/redis.md. */
#ifndef ADAPTERS_REDIS_H
#define ADAPTERS_REDIS_H

#include <active_users/config.h>
#include <active_users/history.h>
#include <uv.h>

#include "adapters/shared_store.h"
#include "stats.h"
#include "utils/map.h"
#include "utils/time.h"

/* Memory only: nothing touches the loop before it is started.
 *
 * clock, config and counters are borrowed for the store's life. Returns AU_OK, AU_EINVAL (a URL
 * that cannot be parsed or that this build does not support; *reason says why, static) or
 * AU_ENOMEM. */
AU_MUST_CHECK au_status redis_store_create(uv_loop_t *loop, const au_config *config,
                                           const au_clock *clock, map_seed seed, stats *counters,
                                           const char **reason, shared_store **out);

/* The history that it keeps: a part of the store, which lives and is freed with it. A history that
 * Redis refuses changes nothing else. */
au_history_store *redis_store_history(shared_store *store);

#endif

/* The store of a daemon that shares a store with others: au_store over the shared store while it
 * serves, and over this daemon's own table while it does not. What was acknowledged from the table
 * is restored when the shared store is back. */
#ifndef ADAPTERS_FALLBACK_H
#define ADAPTERS_FALLBACK_H

#include <active_users/config.h>
#include <active_users/store.h>
#include <uv.h>

#include "adapters/shared_store.h"
#include "utils/map.h"
#include "utils/time.h"

/* Starts the shared store. config, clock and what `events` points at are borrowed for the store's
 * life.
 *
 * shared  owned by the store from now on, also when this fails; not started yet.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status fallback_create(uv_loop_t *loop, const au_config *config,
                                        const au_clock *clock, map_seed seed,
                                        const au_store_events *events, shared_store *shared,
                                        au_store **out);

#endif

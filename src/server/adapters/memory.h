/* The memory store: au_store over the presence table of this process. Needs no
 * other program; a restart forgets everybody until their next beat. */
#ifndef ADAPTERS_MEMORY_H
#define ADAPTERS_MEMORY_H

#include <active_users/config.h>
#include <active_users/store.h>
#include <uv.h>

#include "../utils/map.h"
#include "../utils/time.h"

/* `shorten` takes only the configured grace (else AU_EINVAL): one lifetime for all is
 * what keeps the deadlines in order at no cost.
 *
 * clock, config and what `events` points at are borrowed for the store's life.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status memory_store_create(uv_loop_t *loop, const au_config *config,
                                            const au_clock *clock, map_seed seed,
                                            const au_store_events *events, au_store **out);

#endif

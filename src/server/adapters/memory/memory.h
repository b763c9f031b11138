/* The memory store: au_store over the presence table of this process. Needs no
 * other program; a restart loses all sessions until their next beat. */
#ifndef ADAPTERS_MEMORY_H
#define ADAPTERS_MEMORY_H

#include <active_users/config.h>
#include <active_users/store.h>
#include <uv.h>

#include "utils/map.h"
#include "utils/time.h"

#include "presence_table.h"

/* For a store that is shared with other daemons and keeps what this one has acknowledged in
 * a memory store of its own, to answer from while the shared one is lost. */
typedef struct memory_embedding {
  /* Completes what is known of a customer here by what is known of it elsewhere. */
  void (*complete)(void *arg, au_slice customer_id, au_sample *sample);
  /* Whether a customer is to be ticked from here; NULL: each is. */
  bool (*is_due)(void *arg, au_slice customer_id);
  const presence_page_events *pages; /* borrowed for the store's life; may be NULL */
  void *arg;
} memory_embedding;

/* embedding  copied; NULL for a store of its own. An embedded one keeps the profile
 *            of each session, and no customer without sessions.
 * clock, config and what `events` points at are borrowed for the store's life.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status memory_store_create(uv_loop_t *loop, const au_config *config,
                                            const au_clock *clock, map_seed seed,
                                            const au_store_events *events,
                                            const memory_embedding *embedding, au_store **out);

/* ---- for a store that embeds it ---------------------------------------------- */

/* Its sessions. Call one of the next two after touching or shortening one. */
presence_table *memory_store_table(au_store *store);

/* See to it that sessions expire in time: after a touch, which costs next to nothing, and after
 * anything else. */
void memory_store_touched(au_store *store);
void memory_store_expire(au_store *store);

/* Reports to the daemon, from the loop and once, that a count changed. */
void memory_store_changed(au_store *store, au_slice customer_id);

/* What `sample` would answer now. */
void memory_store_sample(au_store *store, au_slice customer_id, au_sample *out);

#endif

/* The stores that a configuration asks for: sessions and history, in this process or in Redis.
 * Beside server.c the only file that knows the adapters. */
#ifndef STORES_H
#define STORES_H

#include <active_users/config.h>
#include <active_users/history.h>
#include <uv.h>

#include "services/history/history.h"
#include "stats.h"
#include "utils/map.h"
#include "utils/time.h"

/* Borrowed for the stores' life. */
typedef struct stores_config {
  uv_loop_t *loop;
  const au_config *config;
  const au_clock *clock;
  const au_store_events *events;
  stats *counters;
  map_seed seed;
} stores_config;

typedef struct stores {
  stores_config config;
  au_store *sessions;
  au_history_store *history;
  bool is_shared;         /* by other daemons */
  int state_lock;         /* a descriptor; -1: none */
  int64_t flush_until_ms; /* monotonic; 0: not begun */
} stores;

/* Builds both. What was built before a failure is in `out`.
 * Returns AU_OK, AU_ENOMEM, or AU_EINVAL: then *what and *why say it. */
AU_MUST_CHECK au_status stores_create(const stores_config *config, stores *out, const char **what,
                                      const char **why);

/* For the service that fills the history. */
history_config stores_history(const stores *s);

/* Reads the state file where there is one, when no other daemon has it; false: one does, ask again.
 * Sessions begin by that, of which nobody should hear. */
bool stores_take_over(stores *s);

/* Writes the state file where there is one, and leaves it to the next daemon. Nobody may begin
 * operations any more. */
void stores_save(stores *s);

/* Whether a shared store has answered all of the history, or does not in STORES_FLUSH_MS from the
 * first call on: asked before the stores are stopped. */
enum { STORES_FLUSH_MS = 500 };
bool stores_is_flushed(stores *s);

/* After the store of sessions has stopped. */
void stores_free(stores *s);

#endif

/* What the daemons of one store tell each other for operators: blocks of addresses, sessions to be
 * ended, the secret of pseudonyms. Each reads the board of the store once in FLEET_INTERVAL_MS and
 * keeps what it read, so that a lost store lifts no block; what it could not write it writes later.
 * Where the store has no board this daemon is the only one. */
#ifndef SERVICES_FLEET_H
#define SERVICES_FLEET_H

#include <active_users/store.h>
#include <uv.h>

#include "services/blocks.h"
#include "services/pseudonyms.h"
#include "undo.h"
#include "utils/time.h"

enum {
  FLEET_INTERVAL_MS = 1000,
  FLEET_NOTES_MAX = 64,       /* orders that the store has not got yet */
  FLEET_NOTES_KEPT_MS = 5000, /* a note may be read again so long after it was written */
};

typedef struct fleet fleet;

typedef struct fleet_config {
  uv_loop_t *loop;
  const au_clock *clock;
  au_store *store;
  pseudonyms *names; /* its secret is set here, unless it is `fixed` */
  bool fixed_secret;
  blocks *blocked;
  undo *undo;
  uint64_t random[3]; /* the secret where the store has none, and a name for notes */
  /* Once in FLEET_INTERVAL_MS, for what else daemons exchange. */
  void (*exchange)(void *arg);
  void *arg;
} fleet_config;

/* Everything in `config` is borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status fleet_create(const fleet_config *config, fleet **out);
void fleet_start(fleet *f);

/* Whether the names are those of all daemons: not before the store was read once. */
bool fleet_knows_names(const fleet *f);

/* Blocks an address for *ms, here at once; no longer than it has its name, which *ms is cut to.
 * Returns AU_OK or AU_EFULL. */
AU_MUST_CHECK au_status fleet_block(fleet *f, uint64_t name, int64_t *ms);
/* Lifts a block; false: there is none. */
bool fleet_unblock(fleet *f, uint64_t name);

/* Tells the other daemons of an order that began here. Returns AU_OK, or AU_EBUSY when too many
 * wait. */
AU_MUST_CHECK au_status fleet_tell(fleet *f, const undo_order *order);

/* Tells no more. `stopped` runs once, from the loop. */
void fleet_stop(fleet *f, void (*stopped)(void *arg), void *arg);
/* Once it and the store have stopped. NULL is fine. */
void fleet_free(fleet *f);

#endif

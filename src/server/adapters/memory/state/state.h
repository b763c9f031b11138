/* The memory store over a restart: its table, averages and history in one file, written at a stop
 * and read at a start. Deadlines go on by the wall clock meanwhile. */
#ifndef ADAPTERS_STATE_H
#define ADAPTERS_STATE_H

#include <active_users/history.h>

#include "utils/time.h"

typedef struct state_parts {
  const char *path;
  const au_clock *clock;
  au_store *store;           /* a memory store that stands alone */
  au_history_store *history; /* a history of this process */
} state_parts;

/* Reads the file, if there is one, into empty parts. One that cannot be taken is renamed to
 * `path`.bad, and a warning says why: the start is empty then (of one that is whole and yet no
 * image, which would be a fault of ours, a part may have been taken). Before anybody is served. */
void state_load(const state_parts *parts);

/* Writes it, in one go; a failure is an error in the log, and the file is as it was. */
void state_save(const state_parts *parts);

#endif

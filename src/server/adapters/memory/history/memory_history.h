/* The history of this process behind au_history_store: `get` calls back at once. */
#ifndef ADAPTERS_MEMORY_HISTORY_H
#define ADAPTERS_MEMORY_HISTORY_H

#include "history_table.h"

/* max_bytes  of the table. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status memory_history_create(map_seed seed, size_t max_bytes,
                                              au_history_store **out);

/* Its table, and the seed of the hashes in its sets of sessions: a table that was read from a file
 * brings its own. */
history_table *memory_history_table(au_history_store *store);
map_seed memory_history_seed(const au_history_store *store);
void memory_history_set_seed(au_history_store *store, map_seed seed);

#endif

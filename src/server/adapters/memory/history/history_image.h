/* The history of all customers as a part of a state file. */
#ifndef ADAPTERS_HISTORY_IMAGE_H
#define ADAPTERS_HISTORY_IMAGE_H

#include "adapters/memory/state/state_file.h"
#include "history_table.h"

void history_table_save_image(const history_table *t, state_writer *w);

/* Reads it into an empty table. What does not fit into its limit makes room as ever. false: the
 * image is none. */
bool history_table_load_image(history_table *t, state_reader *r);

#endif

/* The presence table as a part of a state file. */
#ifndef ADAPTERS_PRESENCE_IMAGE_H
#define ADAPTERS_PRESENCE_IMAGE_H

#include "adapters/memory/state/state_file.h"
#include "presence_table.h"

/* Writes customers with their averages, and live sessions; times as milliseconds before `now_ms`.
 */
void presence_table_save_image(const presence_table *t, int64_t now_ms, state_writer *w);

/* Reads them into an empty table, as if `away_ms` had passed since they were written. What has
 * ended meanwhile is left out, and so is what does not fit: *left_out counts that. false: the image
 * is none. */
bool presence_table_load_image(presence_table *t, int64_t now_ms, int64_t away_ms, state_reader *r,
                               uint64_t *left_out);

#endif

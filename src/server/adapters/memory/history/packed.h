/* Records of a block in as few bits as their numbers need, without a loss: for each number of a
 * record the lowest of the block, and how far each record is above it. Records of one stretch of
 * time are alike, so they take a third to a half of their bytes. Pure arithmetic. */
#ifndef ADAPTERS_HISTORY_PACKED_H
#define ADAPTERS_HISTORY_PACKED_H

#include <active_users/history.h>

enum {
  PACKED_RECORDS_MAX = 60,
  PACKED_BYTES_MAX = PACKED_RECORDS_MAX * (AU_RECORD_BYTES + 1) + 32, /* whatever is in them */
};

/* Packs n records, at most PACKED_RECORDS_MAX, into `out` of PACKED_BYTES_MAX. Returns how many
 * bytes that took: more than n records have, if their numbers are far apart. */
size_t packed_write(const unsigned char *records, uint32_t n, unsigned char *out);

/* Writes the same n records to `records`. `packed` is what packed_write made of as many. */
void packed_read(const unsigned char *packed, uint32_t n, unsigned char *records);

#endif

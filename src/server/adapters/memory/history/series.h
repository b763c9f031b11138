/* Records of fixed size by the number of their minute or hour: the newest ones, in blocks that are
 * allocated when the first record of one comes. A stretch without records costs nothing, and a
 * block behind the newest one is packed. */
#ifndef ADAPTERS_HISTORY_SERIES_H
#define ADAPTERS_HISTORY_SERIES_H

#include <active_users/history.h>

/* How a series is cut. */
typedef struct series_shape {
  uint32_t per_block; /* records of a block */
  uint32_t blocks;    /* that are kept, the newest included */
} series_shape;

extern const series_shape SERIES_MINUTES, SERIES_HOURS;

typedef struct series_block series_block;

/* Zero-initialise: empty. */
typedef struct series {
  series_block **blocks; /* in order of time */
  uint16_t count, capacity;
  uint32_t bytes; /* of its allocations, with what malloc adds */
} series;

void series_free(series *s);

/* The most that series_put would add to the bytes. */
size_t series_growth(const series *s, const series_shape *shape, uint32_t at);

/* Keeps the record of `at`; drops blocks that are too old by that. One that is too old itself is
 * ignored. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status series_put(series *s, const series_shape *shape, uint32_t at,
                                   const unsigned char record[AU_RECORD_BYTES]);

/* Copies the records of [from, from + n); zeros where there is none. */
void series_read(const series *s, const series_shape *shape, uint32_t from, uint32_t n,
                 unsigned char *out);

/* Drops blocks that are too old at the time `now`. */
void series_expire(series *s, const series_shape *shape, uint32_t now);

/* Drops the oldest block, if there is one. */
void series_drop_oldest(series *s, const series_shape *shape);

static inline size_t series_bytes(const series *s) {
  return s->bytes;
}

/* The numbers of its blocks, oldest first: one is of shape->per_block records. */
size_t series_blocks(const series *s);
uint32_t series_block_number(const series *s, size_t i);

#endif

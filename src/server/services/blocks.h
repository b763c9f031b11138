/* The addresses that are blocked, by their pseudonyms, each with an end. Knows neither who tells
 * other daemons of them nor who refuses requests. */
#ifndef SERVICES_BLOCKS_H
#define SERVICES_BLOCKS_H

#include <active_users/store.h>

typedef struct blocks blocks;

/* What all daemons know of a block, as far as this one can tell. */
typedef enum block_state {
  BLOCK_SHARED, /* they have it, or there are no others */
  BLOCK_NEW,    /* they are to be told of it */
  BLOCK_LIFTED, /* it is over here, and they are to be told */
} block_state;

typedef struct address_block {
  uint64_t name;
  int64_t until_ms; /* monotonic */
  block_state state;
  bool seen; /* for the one who compares it with what others have */
} address_block;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status blocks_create(blocks **out);
void blocks_free(blocks *b);

/* Adds a block or changes it. Returns AU_OK, or AU_EFULL above AU_BOARD_BLOCKS_MAX. */
AU_MUST_CHECK au_status blocks_set(blocks *b, uint64_t name, int64_t until_ms, block_state state);
/* One that `blocks_at` gave; the one at its place is another then. */
void blocks_remove(blocks *b, size_t i);
/* Removes those that have ended. */
void blocks_expire(blocks *b, int64_t now_ms);

/* NULL when there is none. Valid until the next change. */
address_block *blocks_find(const blocks *b, uint64_t name);
/* When the block of an address ends; 0: there is none. */
int64_t blocks_until_ms(const blocks *b, uint64_t name);

size_t blocks_count(const blocks *b);
/* In the order of their names. */
address_block *blocks_at(const blocks *b, size_t i);

/* Changes whenever blocks_until_ms may answer otherwise, but for the passing of time. */
uint32_t blocks_version(const blocks *b);

#endif

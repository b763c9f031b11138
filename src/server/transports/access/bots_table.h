/* The table of known bots, made by src/client/bots.mjs; empty where there is no Node. */
#ifndef TRANSPORTS_BOTS_TABLE_H
#define TRANSPORTS_BOTS_TABLE_H

#include <stdint.h>

enum { BOTS_BUCKETS = 4096 };

/* Where a needle may stand in a user agent. */
enum { BOTS_AT_BEGIN = 1, BOTS_AT_END = 2 };

/* A text by which a bot is known, 3 bytes or more. */
typedef struct bots_needle {
  uint16_t at; /* in bots_text */
  uint8_t len;
  uint8_t place;
} bots_needle;

extern const char bots_text[];
extern const bots_needle bots_needles[];
/* The needles of bucket i are those from bots_buckets[i] to before bots_buckets[i + 1]. */
extern const uint16_t bots_buckets[BOTS_BUCKETS + 1];

#endif

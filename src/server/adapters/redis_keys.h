/* The names of the Redis keys, docs/redis.md. Knows no commands.
 *
 * Ids hold no `:`, so a name reads back in one way only. */
#ifndef ADAPTERS_REDIS_KEYS_H
#define ADAPTERS_REDIS_KEYS_H

#include <active_users/types.h>

enum { REDIS_KEY_MAX = 16 + 2 * AU_ID_MAX + 1 };

/* Room for one name; the functions below return a slice of it. */
typedef struct redis_key {
  char text[REDIS_KEY_MAX];
} redis_key;

#define REDIS_KEY_CUSTOMERS "au:customers" /* ZSET: customer -> time of its last tick */
#define REDIS_KEY_PROBE     "au:probe"     /* written to learn whether writes work again */
#define REDIS_KEY_PRESENCES "presence:*"   /* the pattern of all presence keys */

au_slice redis_key_presence(redis_key *room, au_slice customer_id, au_slice session_id);
au_slice redis_key_index(redis_key *room, au_slice customer_id);
au_slice redis_key_ema(redis_key *room, au_slice customer_id);
au_slice redis_key_channel(redis_key *room, au_slice customer_id);

/* Whether `key` is presence:{customer}:{session} with two valid ids, which then
 * point into it. */
bool redis_key_is_presence(au_slice key, au_slice *customer_id, au_slice *session_id);

/* Whether `channel` is metrics:{customer} with a valid id, which points into it. */
bool redis_key_is_channel(au_slice channel, au_slice *customer_id);

/* Room for a number as an argument of a command. */
typedef struct redis_number {
  char text[24];
} redis_number;

au_slice redis_number_text(redis_number *room, int64_t value);

#endif

/* The names of the Redis keys, docs/reference/redis.md. Knows no commands.
 *
 * Ids hold no `:`, so a name reads back in one way only. */
#ifndef ADAPTERS_REDIS_KEYS_H
#define ADAPTERS_REDIS_KEYS_H

#include <active_users/types.h>

enum { REDIS_KEY_MAX = 16 + 2 * AU_ID_MAX + 3 };

/* Customers are listed in groups: one with a single Redis, many in a Cluster, each in a list
 * of its own. A group is 256 neighbouring slots. */
enum { REDIS_GROUPS_MAX = 64 };

/* How the names of one store are made. */
typedef struct redis_keys {
  bool tagged; /* Cluster: a customer's id is in braces, so that its keys share a slot */
  uint16_t tags[REDIS_GROUPS_MAX]; /* a number for each group, whose slot lies in the group */
} redis_keys;

void redis_keys_init(redis_keys *keys, bool tagged);

/* Room for one name; the functions below return a slice of it. */
typedef struct redis_key {
  char text[REDIS_KEY_MAX];
} redis_key;

#define REDIS_KEY_PRESENCES "presence:*" /* the pattern of all presence keys */

enum { REDIS_TAG_SIZE = 8 };

/* Of a node, with a tag that keeps them there; the tag is "" where there is one node. */
au_slice redis_key_probe(redis_key *buf, const char *tag); /* whether writes work again */
au_slice redis_key_epoch(redis_key *buf, const char *tag); /* the name of the data set */

au_slice redis_key_presence(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                            au_slice session_id);
au_slice redis_key_index(const redis_keys *keys, redis_key *buf, au_slice customer_id);
au_slice redis_key_ema(const redis_keys *keys, redis_key *buf, au_slice customer_id);

/* The time of the customer's last tick. In the slot of its average, with which it changes. */
au_slice redis_key_tick(const redis_keys *keys, redis_key *buf, au_slice customer_id);

/* ZSET: session and tab -> when that tab ended it, for as long as others may not know. */
au_slice redis_key_left(const redis_keys *keys, redis_key *buf, au_slice customer_id);

/* The history of a customer, in its slot. The number says which hour, three days or day of them. */
au_slice redis_key_minutes(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                           uint32_t hour);
au_slice redis_key_hours(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                         uint32_t period);
au_slice redis_key_unique(const redis_keys *keys, redis_key *buf, au_slice customer_id,
                          uint32_t day);
au_slice redis_key_peak(const redis_keys *keys, redis_key *buf, au_slice customer_id);

/* HASH: daemon -> what it shares of the customer's visible sessions and pages (ops/pages.c). */
au_slice redis_key_visible(const redis_keys *keys, redis_key *buf, au_slice customer_id);
au_slice redis_key_pages(const redis_keys *keys, redis_key *buf, au_slice customer_id);

/* What daemons tell each other. */
#define REDIS_CHANNEL_DAEMONS "au:daemons"

/* A channel is no key: it has no slot and no braces. */
au_slice redis_key_channel(redis_key *buf, au_slice customer_id);

size_t redis_keys_groups(const redis_keys *keys);
size_t redis_keys_group_of(const redis_keys *keys, au_slice customer_id);

/* ZSET: customer -> time of its last tick. */
au_slice redis_key_customers(const redis_keys *keys, redis_key *buf, size_t group);
/* The name of the daemon that ticks the group. In the slot of its list. */
au_slice redis_key_lease(const redis_keys *keys, redis_key *buf, size_t group);

/* What operators told all daemons: a string, and two ZSETs whose scores are when a block ends and
 * when a note was written. All in one slot. */
au_slice redis_key_secret(const redis_keys *keys, redis_key *room);
au_slice redis_key_blocks(const redis_keys *keys, redis_key *room);
au_slice redis_key_notes(const redis_keys *keys, redis_key *room);

/* HASH: budget -> what all daemons have spent of it in a minute of Redis's clock. Budgets are
 * spread over the groups as customers are; all minutes of a group are in one slot. */
au_slice redis_key_spent(const redis_keys *keys, redis_key *room, size_t group, int64_t minute);

/* Whether `key` is presence:{customer}:{session} with two valid ids, which then
 * point into it. */
bool redis_key_is_presence(const redis_keys *keys, au_slice key, au_slice *customer_id,
                           au_slice *session_id);

/* Whether `channel` is metrics:{customer} with a valid id, which points into it. */
bool redis_key_is_channel(au_slice channel, au_slice *customer_id);

/* Room for a number as an argument of a command. */
typedef struct redis_number {
  char text[24];
} redis_number;

au_slice redis_number_text(redis_number *buf, int64_t value);

#endif

/* A hash table of things that carry their own node: no allocation per entry.
 * Keys are hashed with SipHash under a random seed, because clients choose them
 * (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). It grows and
 * shrinks in steps, a few buckets a call, so that no call is slow at any size. */
#ifndef UTILS_MAP_H
#define UTILS_MAP_H

#include <active_users/types.h>

typedef struct map map;

/* Embedded in the entry. */
typedef struct map_node {
  struct map_node *next;
  uint32_t hash;
  uint16_t id_at, id_len; /* of id_map.h; they take what would be padding */
} map_node;

/* 128 random bits, made once per process. */
typedef struct map_seed {
  uint64_t k0, k1;
} map_seed;

/* Whether an entry has the wanted key. `key` is what the caller gave map_find. */
typedef bool (*map_eq_fn)(const map_node *node, const void *key);

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status map_create(map_seed seed, map **out);

/* Frees the table, not the entries. NULL is fine. */
void map_free(map *m);

/* The hash of a key; `salt` tells apart equal bytes of different owners. */
uint32_t map_hash(const map *m, const void *bytes, size_t len, uint64_t salt);

/* NULL when there is none. */
map_node *map_find(const map *m, uint32_t hash, map_eq_fn eq, const void *key);

/* Adds an entry whose key is not in the table. Cannot fail: when a larger table
 * cannot be allocated, chains grow instead. */
void map_insert(map *m, map_node *node, uint32_t hash);

/* Removes an entry that is in the table. */
void map_remove(map *m, map_node *node);

size_t map_count(const map *m);

/* Visits the entries of one bucket or a few. Begin with the cursor 0 and go on with what is
 * returned until that is 0 again: what is in the table all the time is visited at least once, and
 * twice at times when the table is resized meanwhile. Any cursor is valid. `fn` must not change the
 * table. */
uint64_t map_scan(const map *m, uint64_t cursor, void (*fn)(void *arg, map_node *node), void *arg);

/* Any entry, or NULL when empty; with map_remove, a way to empty the table. */
map_node *map_any(const map *m);

#endif

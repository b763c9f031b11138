/* A map of entries that are found by an id: it allocates an entry with a copy of its id, finds it
 * and frees it. The id is any bytes, up to ID_MAP_KEY_MAX. Knows nothing of what an entry holds.
 *
 *   typedef struct topic {
 *     map_node node; // first
 *     size_t count;
 *   } topic;
 *
 *   id_map_init(&topics, seed, sizeof(topic));
 *   topic *t = id_map_find(&topics, id);
 *   if (!t) t = id_map_add(&topics, id); */
#ifndef UTILS_ID_MAP_H
#define UTILS_ID_MAP_H

#include "map.h"

enum { ID_MAP_KEY_MAX = UINT16_MAX };

/* Zeroed, it may be passed to id_map_free. */
typedef struct id_map {
  map *entries;
  size_t entry_bytes;
} id_map;

/* entry_bytes  size of an entry, which begins with a map_node; at most UINT16_MAX.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status id_map_init(id_map *m, map_seed seed, size_t entry_bytes);

/* Frees the map and all entries in it. */
void id_map_free(id_map *m);

/* NULL when there is none. */
void *id_map_find(const id_map *m, au_slice id);

/* A new entry, zeroed but for its node; NULL without memory or when the id is too long. The id
 * must not be in the map. The map owns the entry until id_map_remove. */
void *id_map_add(id_map *m, au_slice id);

/* Takes an entry out; it is the caller's then, its id included, until free(). */
void id_map_remove(id_map *m, void *entry);

/* Takes an entry out and frees it. */
void id_map_drop(id_map *m, void *entry);

/* The id of an entry, valid as long as the entry. */
static inline au_slice id_map_id(const void *entry) {
  const map_node *node = (const map_node *)entry;
  return (au_slice){(const char *)entry + node->id_at, node->id_len};
}

size_t id_map_count(const id_map *m);

/* Any entry, or NULL when the map is empty. */
void *id_map_any(const id_map *m);

#endif

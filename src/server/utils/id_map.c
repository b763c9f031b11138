/* Entries of map.h with their ids behind them, in one allocation each. */
#include "id_map.h"

#include "buffer.h"

#include <stdlib.h>
#include <string.h>

au_status id_map_init(id_map *m, map_seed seed, size_t entry_bytes) {
  m->entry_bytes = entry_bytes;
  return map_create(seed, &m->entries);
}

void id_map_free(id_map *m) {
  if (!m->entries) return;
  for (void *entry; (entry = id_map_any(m)) != NULL;) id_map_drop(m, entry);
  map_free(m->entries);
  m->entries = NULL;
}

static bool id_eq(const map_node *node, const void *key) {
  return slice_eq(id_map_id(node), *(const au_slice *)key);
}

static uint32_t hash_of(const id_map *m, au_slice id) {
  return map_hash(m->entries, id.ptr, id.len, 0);
}

void *id_map_find(const id_map *m, au_slice id) {
  return map_find(m->entries, hash_of(m, id), id_eq, &id);
}

void *id_map_add(id_map *m, au_slice id) {
  if (id.len > ID_MAP_KEY_MAX) return NULL;
  char *entry = calloc(1, m->entry_bytes + id.len);
  if (!entry) return NULL;
  map_node *node = (map_node *)(void *)entry;
  node->id_at = (uint16_t)m->entry_bytes;
  node->id_len = (uint16_t)id.len;
  if (id.len > 0) memcpy(entry + m->entry_bytes, id.ptr, id.len);
  map_insert(m->entries, node, hash_of(m, id));
  return entry;
}

void id_map_remove(id_map *m, void *entry) {
  map_remove(m->entries, entry);
}

void id_map_drop(id_map *m, void *entry) {
  id_map_remove(m, entry);
  free(entry);
}

size_t id_map_count(const id_map *m) {
  return map_count(m->entries);
}

void *id_map_any(const id_map *m) {
  return map_any(m->entries);
}

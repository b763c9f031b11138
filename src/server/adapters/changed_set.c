/* A queue of distinct ids; must not know why they changed. */
#include "changed_set.h"

#include "../utils/buffer.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  map_node node; /* first: a node is cast to its entry */
  struct entry *next;
  uint8_t id_len;
  char id[];
} entry;

struct changed_set {
  map *entries;
  entry *first, **last; /* `last` is where the next one is linked */
  size_t max;
};

au_status changed_set_create(map_seed seed, size_t max, changed_set **out) {
  changed_set *set = calloc(1, sizeof *set);
  if (!set) return AU_ENOMEM;
  au_status status = map_create(seed, &set->entries);
  if (status != AU_OK) {
    free(set);
    return status;
  }
  set->last = &set->first;
  set->max = max;
  *out = set;
  return AU_OK;
}

void changed_set_free(changed_set *set) {
  if (!set) return;
  for (entry *e = set->first, *next; e; e = next) {
    next = e->next;
    free(e);
  }
  map_free(set->entries);
  free(set);
}

static bool entry_eq(const map_node *node, const void *key) {
  const entry *e = (const entry *)node;
  return slice_eq((au_slice){e->id, e->id_len}, *(const au_slice *)key);
}

void changed_set_add(changed_set *set, au_slice customer_id) {
  if (customer_id.len == 0 || customer_id.len > AU_ID_MAX) return;
  uint32_t hash = map_hash(set->entries, customer_id.ptr, customer_id.len, 0);
  if (map_find(set->entries, hash, entry_eq, &customer_id)) return;
  if (map_count(set->entries) >= set->max) return;
  entry *e = malloc(sizeof *e + customer_id.len);
  if (!e) return;
  e->next = NULL;
  e->id_len = (uint8_t)customer_id.len;
  memcpy(e->id, customer_id.ptr, customer_id.len);
  map_insert(set->entries, &e->node, hash);
  *set->last = e;
  set->last = &e->next;
}

size_t changed_set_take(changed_set *set, char id[AU_ID_MAX]) {
  entry *e = set->first;
  if (!e) return 0;
  set->first = e->next;
  if (!set->first) set->last = &set->first;
  map_remove(set->entries, &e->node);
  size_t len = e->id_len;
  memcpy(id, e->id, len);
  free(e);
  return len;
}

bool changed_set_empty(const changed_set *set) {
  return set->first == NULL;
}

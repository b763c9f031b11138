/* A queue of distinct ids. */
#include "changed_set.h"

#include "utils/id_map.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  map_node node; /* first: the entry is of an id_map */
  struct entry *next;
} entry;

struct changed_set {
  id_map entries;
  entry *first, **last; /* `last` is where the next one is linked */
  size_t max;
};

au_status changed_set_create(map_seed seed, size_t max, changed_set **out) {
  changed_set *set = calloc(1, sizeof *set);
  if (!set) return AU_ENOMEM;
  au_status status = id_map_init(&set->entries, seed, sizeof(entry));
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
  id_map_free(&set->entries);
  free(set);
}

void changed_set_add(changed_set *set, au_slice customer_id) {
  if (customer_id.len == 0 || customer_id.len > AU_ID_MAX) return;
  if (id_map_find(&set->entries, customer_id)) return;
  if (id_map_count(&set->entries) >= set->max) return;
  entry *e = id_map_add(&set->entries, customer_id);
  if (!e) return;
  *set->last = e;
  set->last = &e->next;
}

size_t changed_set_take(changed_set *set, char id[AU_ID_MAX]) {
  entry *e = set->first;
  if (!e) return 0;
  set->first = e->next;
  if (!set->first) set->last = &set->first;
  au_slice taken = id_map_id(e);
  memcpy(id, taken.ptr, taken.len);
  id_map_drop(&set->entries, e);
  return taken.len;
}

bool changed_set_empty(const changed_set *set) {
  return set->first == NULL;
}

/* The ids in an array that is sorted by them. */
#include "customer_index.h"

#include <stdlib.h>
#include <string.h>

#include "utils/buffer.h"

typedef struct entry {
  au_slice id; /* in `text` of the index */
  size_t at;   /* in au_config.customers */
} entry;

struct customer_index {
  size_t count;
  char *text;
  entry entries[]; /* by id */
};

static int compare(const void *a, const void *b) {
  return slice_compare(((const entry *)a)->id, ((const entry *)b)->id);
}

au_status customer_index_create(const au_config *config, customer_index **out) {
  size_t count = config->customers_count, bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += strlen(config->customers[i].customer_id);
  customer_index *index = calloc(1, sizeof *index + count * sizeof index->entries[0]);
  if (!index) return AU_ENOMEM;
  index->text = malloc(bytes + 1);
  if (!index->text) {
    free(index);
    return AU_ENOMEM;
  }
  char *at = index->text;
  for (size_t i = 0; i < count; i++) {
    au_slice id = slice_of(config->customers[i].customer_id);
    memcpy(at, id.ptr, id.len);
    index->entries[i] = (entry){{at, id.len}, i};
    at += id.len;
  }
  index->count = count;
  if (count > 0) qsort(index->entries, count, sizeof index->entries[0], compare);
  *out = index;
  return AU_OK;
}

void customer_index_free(customer_index *index) {
  if (!index) return;
  free(index->text);
  free(index);
}

size_t customer_index_find(const customer_index *index, au_slice customer_id) {
  if (index->count == 0) return SIZE_MAX;
  const entry wanted = {.id = customer_id};
  const entry *found = bsearch(&wanted, index->entries, index->count, sizeof wanted, compare);
  return found ? found->at : SIZE_MAX;
}

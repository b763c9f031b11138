/* Answers from the table, at once. */
#include "memory_history.h"

#include "utils/siphash.h"

#include <stdlib.h>

typedef struct memory_history {
  au_history_store base; /* first: an au_history_store is cast to its memory_history */
  history_table *table;
  map_seed seed;
} memory_history;

static memory_history *history_of(au_history_store *store) {
  return (memory_history *)store;
}

static void put(au_history_store *store, au_slice customer_id, const au_history_put *what,
                uint64_t *failed) {
  (void)failed;
  history_table_put(history_of(store)->table, customer_id, what);
}

static void seen(au_history_store *store, au_slice customer_id, au_slice session_id, uint32_t day,
                 uint64_t *failed) {
  (void)failed;
  memory_history *h = history_of(store);
  history_table_seen(h->table, customer_id,
                     siphash(h->seed.k0, h->seed.k1, 0, session_id.ptr, session_id.len), day);
}

static au_status get(au_history_store *store, au_slice customer_id, const au_history_ask *ask,
                     au_history_fn cb, void *arg) {
  if (ask->minutes > AU_HISTORY_MINUTES + AU_HISTORY_SLACK_MINUTES ||
      ask->hours > AU_HISTORY_HOURS + AU_HISTORY_SLACK_HOURS)
    return AU_EINVAL;
  size_t minutes = (size_t)ask->minutes * AU_RECORD_BYTES;
  size_t hours = (size_t)ask->hours * AU_RECORD_BYTES;
  unsigned char *records = malloc(minutes + hours + 1); /* the byte: an ask for none is fine */
  if (!records) return AU_ENOMEM;
  au_history_answer answer;
  history_table_get(history_of(store)->table, customer_id, ask, records, records + minutes,
                    &answer);
  cb(AU_OK, &answer, arg);
  free(records);
  return AU_OK;
}

static size_t bytes(const au_history_store *store) {
  return history_table_bytes(((const memory_history *)store)->table);
}

static uint32_t in_flight(const au_history_store *store) {
  (void)store;
  return 0;
}

static void free_history(au_history_store *store) {
  memory_history *h = history_of(store);
  history_table_free(h->table);
  free(h);
}

static const au_history_store_ops ops = {.put = put,
                                         .seen = seen,
                                         .get = get,
                                         .bytes = bytes,
                                         .in_flight = in_flight,
                                         .free = free_history};

au_status memory_history_create(map_seed seed, size_t max_bytes, au_history_store **out) {
  memory_history *h = calloc(1, sizeof *h);
  if (!h) return AU_ENOMEM;
  h->base.ops = &ops;
  h->seed = seed;
  if (history_table_create(seed, max_bytes, &h->table) != AU_OK) {
    free(h);
    return AU_ENOMEM;
  }
  *out = &h->base;
  return AU_OK;
}

history_table *memory_history_table(au_history_store *store) {
  return history_of(store)->table;
}

map_seed memory_history_seed(const au_history_store *store) {
  return ((const memory_history *)store)->seed;
}

void memory_history_set_seed(au_history_store *store, map_seed seed) {
  history_of(store)->seed = seed;
}

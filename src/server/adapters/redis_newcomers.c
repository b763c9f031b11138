/* Counts what is on its way. Must not know why it is on its way. */
#include "redis_newcomers.h"

#include "../utils/buffer.h"

#include <stdlib.h>
#include <string.h>

struct redis_newcomer {
  map_node node; /* first: a node is cast to its newcomer */
  uint32_t touches;
  uint8_t id_len;
  char id[];
};

struct redis_newcomers {
  map *customers;
  uint32_t sessions;
};

au_status redis_newcomers_create(map_seed seed, redis_newcomers **out) {
  redis_newcomers *n = calloc(1, sizeof *n);
  if (!n) return AU_ENOMEM;
  au_status status = map_create(seed, &n->customers);
  if (status != AU_OK) {
    free(n);
    return status;
  }
  *out = n;
  return AU_OK;
}

void redis_newcomers_free(redis_newcomers *n) {
  if (!n) return;
  map_free(n->customers); /* empty: every touch has ended */
  free(n);
}

uint32_t redis_newcomers_sessions(const redis_newcomers *n) {
  return n->sessions;
}

void redis_newcomers_add(redis_newcomers *n) {
  n->sessions++;
}

static bool newcomer_eq(const map_node *node, const void *key) {
  const redis_newcomer *c = (const redis_newcomer *)node;
  return slice_eq((au_slice){c->id, c->id_len}, *(const au_slice *)key);
}

au_status redis_newcomers_add_customer(redis_newcomers *n, au_slice customer_id, uint32_t room,
                                       redis_newcomer **out) {
  uint32_t hash = map_hash(n->customers, customer_id.ptr, customer_id.len, 0);
  redis_newcomer *c = (redis_newcomer *)map_find(n->customers, hash, newcomer_eq, &customer_id);
  if (!c) {
    if (map_count(n->customers) >= room) return AU_EFULL;
    c = calloc(1, sizeof *c + customer_id.len);
    if (!c) return AU_ENOMEM;
    c->id_len = (uint8_t)customer_id.len;
    memcpy(c->id, customer_id.ptr, customer_id.len);
    map_insert(n->customers, &c->node, hash);
  }
  c->touches++;
  n->sessions++;
  *out = c;
  return AU_OK;
}

void redis_newcomers_remove(redis_newcomers *n, redis_newcomer *customer) {
  n->sessions--;
  if (!customer || --customer->touches > 0) return;
  map_remove(n->customers, &customer->node);
  free(customer);
}

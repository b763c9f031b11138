/* The Redis servers that this daemon is connected to, by their addresses: each is begun when it is
 * named, kept for a while, and ended when it serves nothing. Knows neither which slots a server
 * has, nor what is sent. */
#ifndef ADAPTERS_REDIS_POOL_H
#define ADAPTERS_REDIS_POOL_H

#include <active_users/types.h>

#include "adapters/redis/protocol/url.h"
#include "node.h"
#include "topology.h"
#include "utils/join_stop.h"

enum {
  REDIS_POOL_KEEP_MS = 60000, /* for which a node without slots is kept after a command was
                                 sent there, or after it was one of the URL's hosts */
};

typedef struct redis_pool redis_pool;

typedef struct redis_pooled {
  redis_node *node;
  redis_endpoint at;
  uint32_t slots; /* that it serves; kept by the router */
  /* For pool.c alone. */
  redis_pool *pool;
  redis_url url;
  int64_t kept_until_ms; /* monotonic: not ended earlier, though it serves none */
} redis_pooled;

/* Memory only.
 *
 * node  the configuration of each node, but for its URL; copied.
 * url   login, TLS and hosts; borrowed for the pool's life.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_pool_create(const redis_node_config *node, const redis_url *url,
                                          redis_pool **out);

/* The REDIS_NODES_MAX entries, valid until redis_pool_free; NULL: a free one. */
redis_pooled *const *redis_pool_entries(const redis_pool *p);

/* The index of a node, or REDIS_NOBODY. */
uint8_t redis_pool_index_of(const redis_pool *p, const redis_node *n);

/* Adds the node of a whole URL, which may name sentinels; for the only node of a pool. */
AU_MUST_CHECK au_status redis_pool_add_url(redis_pool *p);

/* The index of the node at an address, which is made and started when it is new; REDIS_NOBODY when
 * that cannot be, which is logged. One that is being ended is not taken up again. */
uint8_t redis_pool_get(redis_pool *p, const redis_endpoint *at);

/* Begins those hosts of the URL that are not there, and keeps all of them. */
void redis_pool_seed(redis_pool *p);

/* Keeps a node from now on, for REDIS_POOL_KEEP_MS. */
void redis_pool_keep(redis_pooled *m);

/* Whether it is to be ended: it serves nothing, and need not be kept. NULL is not. */
bool redis_pool_is_idle(const redis_pooled *m);

/* Ends nodes that are idle, once nothing points to them. */
void redis_pool_end_idle(redis_pool *p);

/* Ends all nodes, each as a part of `stop`, which goes on from the loop after every callback of
 * their commands. */
void redis_pool_stop(redis_pool *p, join_stop *stop);

/* Frees a pool that has stopped or in which nothing was ever begun. NULL is fine. */
void redis_pool_free(redis_pool *p);

#endif

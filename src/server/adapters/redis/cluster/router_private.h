/* What the router shares with its two kinds. Private to this folder: others include router.h. */
#ifndef ADAPTERS_REDIS_ROUTER_PRIVATE_H
#define ADAPTERS_REDIS_ROUTER_PRIVATE_H

#include "pool.h"
#include "router.h"

struct redis_router_kind {
  uint32_t slots;
  bool is_alone; /* of redis_node_config */
  /* Creates and frees `own`. */
  au_status (*create)(redis_router *r);
  void (*free)(redis_router *r);
  void (*start)(redis_router *r);
  /* Stops `own`, as parts of `stop`. */
  void (*stop)(redis_router *r, join_stop *stop);
  au_status (*send)(redis_router *r, redis_node *n, const au_slice *args, size_t count,
                    redis_reply_fn cb, void *arg);
  const char *(*reason)(redis_router *r);
  /* As in redis_node_events. */
  bool (*tag)(void *router, const redis_node *n, char tag[REDIS_TAG_SIZE]);
  bool (*is_elsewhere)(void *router, redis_node *n, const redisReply *reply);
  /* A node is connected to, or lost. */
  void (*on_link)(redis_router *r);
};

struct redis_router {
  redis_router_config config;
  redis_router_events events;
  const redis_router_kind *kind;
  void *own; /* of the kind */
  redis_pool *pool;
  redis_pooled *const *entries; /* of the pool */
  bool moved;                   /* slots have, and it is not reported */
  bool ever_up;                 /* a node that has gone was */
  bool stopping;
  join_stop stop;
  uint8_t owner[]; /* of each slot: an index of the pool, or REDIS_NOBODY */
};

/* Gives a slot to another node, or to none. What the last one had may be lost if it did not serve
 * to the end: it may not have passed on what it acknowledged. */
void redis_router_give(redis_router *r, uint16_t slot, uint8_t index);

/* Reports moves since the last call. */
void redis_router_report_moves(redis_router *r);

#endif

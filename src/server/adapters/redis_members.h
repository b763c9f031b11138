/* The nodes of a Redis Cluster that this daemon is connected to, each in a place: begun when it
 * is named, kept for a while, and ended when it serves nothing. Private to the Redis store;
 * knows neither who serves a slot, nor what is sent. */
#ifndef ADAPTERS_REDIS_MEMBERS_H
#define ADAPTERS_REDIS_MEMBERS_H

#include <active_users/types.h>

#include "redis_node.h"
#include "redis_topology.h"
#include "redis_url.h"

enum {
  REDIS_MEMBER_KEEP_MS = 60000, /* for which a node without slots is kept after a command was
                                   sent there, or after it was one of the URL's hosts */
};

typedef struct redis_members redis_members;

typedef struct redis_member {
  redis_node *node;
  redis_endpoint at;
  /* For whoever has the map; 0 and false in a new one. */
  uint32_t slots; /* that it serves */
  bool inherits;  /* customers whose last node was not whole */
  /* For redis_members.c alone. */
  redis_members *members;
  redis_url url;         /* the store's, but for the host */
  int64_t kept_until_ms; /* monotonic: not ended earlier, though it serves none */
} redis_member;

/* Memory only. `store` is borrowed for their life. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_members_create(struct redis_store *store, redis_members **out);

/* The REDIS_NODES_MAX places, as they are at any time until redis_members_free; NULL: a free
 * one. A member whose node is `held`, or who is not idle, keeps its place. */
redis_member *const *redis_members_places(const redis_members *ms);

/* The place of a node, which is made and started when it is new; REDIS_NOBODY when that
 * cannot be, which is logged. One that is being ended is not taken up again. */
uint8_t redis_members_place(redis_members *ms, const redis_endpoint *at);

/* Begins those hosts of the URL that are not there, and keeps all of them. */
void redis_members_seed(redis_members *ms);

/* From now on, for REDIS_MEMBER_KEEP_MS. */
void redis_members_keep(redis_member *m);

/* Whether it is to be ended: it serves nothing, and need not be kept. NULL is not. */
bool redis_members_is_idle(const redis_member *m);

/* Ends nodes that are idle, once nothing points to them. */
void redis_members_end_idle(redis_members *ms);

/* Ends all nodes; returns how many. `stopped` runs once for each of them, from the loop, after
 * every callback of its commands; the memory stays. */
size_t redis_members_stop(redis_members *ms, void (*stopped)(void *arg), void *arg);

/* Frees members that have stopped or none of which was ever begun. NULL is fine. */
void redis_members_free(redis_members *ms);

#endif

/* Which server has a slot, and the way there: hides whether there is one server or a Cluster. Knows
 * neither operations nor sessions.
 *
 * A single server is a router of one slot. */
#ifndef ADAPTERS_REDIS_ROUTER_H
#define ADAPTERS_REDIS_ROUTER_H

#include <active_users/types.h>
#include <uv.h>

#include "adapters/redis/protocol/slots.h"
#include "node.h"
#include "topology.h"
#include "utils/map.h"

typedef struct redis_router redis_router;
typedef struct redis_router_kind redis_router_kind;

/* From the loop. */
typedef struct redis_router_events {
  /* As in shared_store.h. */
  void (*data_lost)(void *arg, uint16_t slot, bool settle);
  void (*ready)(void *arg);
  /* A node changed its state, or slots moved. */
  void (*moved)(void *arg);
  /* Behind this URL is another Redis than before, or one without its data. */
  void (*replaced)(void *arg, const redis_url *at);
  void *arg;
} redis_router_events;

typedef struct redis_router_config {
  uv_loop_t *loop;
  const au_clock *clock;
  stats *counters;
  const redis_url *url; /* like all of these borrowed for the router's life */
  map_seed seed;
  const char *daemon; /* the name of this daemon */
  int64_t fault_ms;   /* of redis_node_config */
} redis_router_config;

extern const redis_router_kind redis_single;  /* one server */
extern const redis_router_kind redis_cluster; /* the nodes of a Redis Cluster */

/* Memory only. `config` is copied. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_router_create(const redis_router_config *config,
                                            const redis_router_kind *kind, redis_router **out);

/* Begins connecting. Once. `events` is copied. */
void redis_router_start(redis_router *r, const redis_router_events *events);

/* Ends all nodes; `stopped` runs once, from the loop, after every callback of a command. */
void redis_router_stop(redis_router *r, void (*stopped)(void *arg), void *arg);

/* Frees a router that has stopped or that was never started. NULL is fine. */
void redis_router_free(redis_router *r);

/* How many slots there are, and that of a key. */
uint32_t redis_router_slots(const redis_router *r);
uint16_t redis_router_slot_of(const redis_router *r, au_slice key);

/* The node that serves a slot; in a Cluster it may be another one the next time. NULL: none. */
redis_node *redis_router_node(const redis_router *r, uint16_t slot);

/* The same for an operation of `commands`: AU_OK, and *out admits it; or AU_ESTORE, AU_EBUSY,
 * AU_ECANCELED. */
AU_MUST_CHECK au_status redis_router_admits(const redis_router *r, uint16_t slot, uint32_t commands,
                                            redis_node **out);

bool redis_router_serves(const redis_router *r, uint16_t slot);

/* The servers' clock, by that of a slot. */
int64_t redis_router_clock_ms(const redis_router *r, uint16_t slot);

/* The nodes that serve slots now; how many. */
size_t redis_router_nodes(const redis_router *r, redis_node *nodes[REDIS_NODES_MAX]);

/* As redis_link_command, beginning at `n`. In a Cluster the command goes where it belongs. */
AU_MUST_CHECK au_status redis_router_send(redis_router *r, redis_node *n, const au_slice *args,
                                          size_t count, redis_reply_fn cb, void *arg);

/* The URL to subscribe at: `now` as long as it leads to a node that serves slots and accepts
 * writes, for one that is cut off accepts none and gets no messages; else that of another such
 * node, if there is one. Valid until the next turn of the loop; NULL: there is no node at all. */
const redis_url *redis_router_pubsub_url(const redis_router *r, const redis_url *now);

/* Whether some node served once. */
bool redis_router_ever_up(const redis_router *r);

/* Why it is degraded, "" when all is well. Valid until the next call. */
const char *redis_router_reason(redis_router *r);

#endif

/* The nodes of a Redis Cluster: which there are, and who serves a slot. One redis_node for
 * each master, made and ended as the cluster's map says. Private to the Redis store; knows no
 * operations.
 *
 * The map is asked for at the start, when a node says that a slot has moved, while a node is
 * lost (its replica may take over), and every so often. */
#ifndef ADAPTERS_REDIS_CLUSTER_H
#define ADAPTERS_REDIS_CLUSTER_H

#include "redis_node.h"
#include "redis_topology.h"

enum {
  REDIS_CLUSTER_LOOK_MIN_MS = 250, /* between two questions for the map, whatever happens */
  REDIS_CLUSTER_LOST_MS = 1000,    /* the same while a node is lost or going, or there is no map */
  REDIS_CLUSTER_INTERVAL_MS = 30000,  /* the same when all is well */
  REDIS_CLUSTER_HAND_OVER_MAX = 2000, /* debts that are looked at in one turn of the loop */
  REDIS_REDIRECTS_MAX = 5,            /* of one command */
};

typedef struct redis_cluster redis_cluster;

/* Memory only. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_cluster_create(struct redis_store *store, redis_cluster **out);

/* Begins connecting to the hosts of the URL. Once. */
void redis_cluster_start(redis_cluster *c);

/* Ends all nodes; `stopped` runs once, from the loop, after every callback of a command. */
void redis_cluster_stop(redis_cluster *c, void (*stopped)(void *arg), void *arg);

/* Frees a cluster that has stopped or that was never started. NULL is fine. */
void redis_cluster_free(redis_cluster *c);

/* Who serves a slot. Never NULL: where nobody does, a node without a link, which admits
 * nothing. */
redis_node *redis_cluster_node(const redis_cluster *c, uint16_t slot);

/* The nodes that serve slots now; how many. */
size_t redis_cluster_nodes(const redis_cluster *c, redis_node *nodes[REDIS_NODES_MAX]);

/* Asks for the map, soon. Call it when there is a reason, as often as there is one. */
void redis_cluster_look(redis_cluster *c);

/* The node that `from` names; a new one is begun when it is not known. MOVED is remembered.
 * NULL when there is no room for it. */
redis_node *redis_cluster_follow(redis_cluster *c, const redis_node *from,
                                 const redis_redirect *redirect);

/* Makes `tag` one whose slot `n` serves, if it is not; false when there is none. Looks at some
 * thousand hashes at most. */
bool redis_cluster_tag(const redis_cluster *c, const redis_node *n, char tag[REDIS_TAG_SIZE]);

/* Why it is degraded, "" when all is well. Valid until the next call. */
const char *redis_cluster_reason(redis_cluster *c);

/* ---- commands: redis_redirect.c --------------------------------------------- */

/* As redis_link_command, on the link of `n`, and again where MOVED or ASK says: its answer is
 * then the last one's. A command that is sent about too often ends with AU_ESTORE. */
AU_MUST_CHECK au_status redis_cluster_command(redis_cluster *c, redis_node *n, const au_slice *args,
                                              size_t count, redis_reply_fn cb, void *arg);

#endif

/* The pace of a Redis Cluster's map. The router of a Cluster is `redis_cluster` in router.h.
 *
 * The map is asked for at the start, when a node says that a slot has moved, while a node is
 * lost (its replica may take over), and every so often. */
#ifndef ADAPTERS_REDIS_CLUSTER_H
#define ADAPTERS_REDIS_CLUSTER_H

enum {
  REDIS_CLUSTER_REFRESH_MIN_MS = 250, /* between two questions for the map, whatever happens */
  REDIS_CLUSTER_LOST_MS = 1000, /* the same while a node is lost or going, or there is no map */
  REDIS_CLUSTER_INTERVAL_MS = 30000, /* the same when all is well */
};

#endif

/* What a Redis Cluster says about itself: its map of slots, and where a command belongs.
 * Reads replies; knows no connections. */
#ifndef ADAPTERS_REDIS_TOPOLOGY_H
#define ADAPTERS_REDIS_TOPOLOGY_H

#include <active_users/types.h>
#include <hiredis/hiredis.h>

#include "adapters/redis/protocol/slots.h"
#include "adapters/redis/protocol/url.h"

enum {
  REDIS_NODES_MAX = 128,    /* masters that a daemon knows at a time */
  REDIS_NOBODY = UINT8_MAX, /* the owner of a slot that no node serves */
};

typedef struct redis_topology {
  redis_endpoint masters[REDIS_NODES_MAX];
  size_t count;
  uint8_t owner[REDIS_SLOTS]; /* of each slot: an index of `masters`, or REDIS_NOBODY */
} redis_topology;

/* Reads the answer to CLUSTER SLOTS. A node announced without an address is at that of
 * `asked`; one whose address cannot be used serves nothing. false for anything that is no
 * map, or has more masters than REDIS_NODES_MAX; *out is undefined then. */
bool redis_topology_read(const redisReply *reply, const redis_endpoint *asked, redis_topology *out);

/* MOVED or ASK. `to.host` is "" when it is the one that was asked. */
typedef struct redis_redirect {
  bool ask; /* this command only */
  uint16_t slot;
  redis_endpoint to;
} redis_redirect;

/* false when the reply is neither, or cannot be read. */
bool redis_redirect_read(const redisReply *reply, redis_redirect *out);

#endif

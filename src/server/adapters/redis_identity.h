/* Whether a Redis is still the one it was: the same process with the same data. A restart, a
 * failover or a FLUSHALL may have lost what was acknowledged. Knows no sessions.
 *
 * The process is told by its run id, the data by a key that the first daemon writes. */
#ifndef ADAPTERS_REDIS_IDENTITY_H
#define ADAPTERS_REDIS_IDENTITY_H

#include <active_users/types.h>

enum { REDIS_RUN_ID_SIZE = 48, REDIS_EPOCH_SIZE = 48 };

struct redis_node;

/* Embedded in a node; zero-initialise. */
typedef struct redis_identity {
  bool is_known; /* on the link that is up */
  bool was_known;
  bool changed; /* the new link leads to another process than the last */
  bool asking;
  char run_id[REDIS_RUN_ID_SIZE], epoch[REDIS_EPOCH_SIZE];
} redis_identity;

/* Asks a Redis that has just been connected to; redis_node_identified follows. */
void redis_identity_ask(struct redis_node *n);

/* Looks whether the data is still there; redis_node_identified follows when it is not. */
void redis_identity_look(struct redis_node *n);

/* The link is lost. */
void redis_identity_lose(struct redis_node *n);

#endif

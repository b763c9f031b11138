/* Sends a command on in a Cluster, as MOVED and ASK say. Knows neither what commands do nor what
 * their answers mean. */
#ifndef ADAPTERS_REDIS_REDIRECT_H
#define ADAPTERS_REDIS_REDIRECT_H

#include "node.h"
#include "topology.h"

enum { REDIS_REDIRECTS_MAX = 5 }; /* of one command */

typedef struct redis_redirect_config {
  stats *counters;
  /* The node that a redirect names; MOVED is remembered. NULL: it cannot be followed. */
  redis_node *(*follow)(void *arg, const redis_node *from, const redis_redirect *redirect);
  bool (*is_stopping)(void *arg); /* the whole router, not one node */
  void *arg;
} redis_redirect_config;

/* As redis_node_send at `n`, and again where MOVED or ASK says: the answer is the last one's. A
 * command that is redirected too often ends with AU_ESTORE. `config` is borrowed until then. */
AU_MUST_CHECK au_status redis_redirect_send(const redis_redirect_config *config, redis_node *n,
                                            const au_slice *args, size_t count, redis_reply_fn cb,
                                            void *arg);

#endif

/* Whether a Redis is still the one it was: the same process with the same data. A restart, a
 * failover or a FLUSHALL may have lost what was acknowledged. Knows no sessions.
 *
 * The run id identifies the process, and the data a key that the first daemon writes. */
#ifndef ADAPTERS_REDIS_IDENTITY_H
#define ADAPTERS_REDIS_IDENTITY_H

#include <active_users/types.h>
#include <hiredis/hiredis.h>

#include "adapters/redis/link/link.h"

enum { REDIS_RUN_ID_SIZE = 48, REDIS_EPOCH_SIZE = 48 };

/* The link that an identity asks, and its callback. */
typedef struct redis_identity_config {
  redis_link *link;   /* borrowed */
  const char *daemon; /* the name of this daemon, for a data set without one. Borrowed */
  /* The tag of keys that are on this server, "" where there is one; NULL: it has no keys. */
  const char *(*tag)(void *arg);
  int64_t (*now_ms)(void *arg); /* Redis's clock */
  /* Whether a reply says that a key is on another server now. */
  bool (*is_elsewhere)(void *arg, const redisReply *reply);
  void (*refused)(void *arg, const redisReply *reply);
  /* It is known on this link for the first time, or not the same as before. */
  void (*identified)(void *arg, bool same);
  void *arg;
} redis_identity_config;

/* Embedded in a node; redis_identity_init. */
typedef struct redis_identity {
  redis_identity_config config;
  bool is_known; /* on the link that is up */
  bool was_known;
  bool changed; /* the new link leads to another process than the last */
  bool asking;
  char run_id[REDIS_RUN_ID_SIZE], epoch[REDIS_EPOCH_SIZE];
} redis_identity;

void redis_identity_init(redis_identity *id, const redis_identity_config *config);

/* Asks a Redis that has just been connected to. */
void redis_identity_ask(redis_identity *id);

/* Checks whether the data is still there. */
void redis_identity_probe(redis_identity *id);

/* The link is lost. */
void redis_identity_lose(redis_identity *id);

#endif

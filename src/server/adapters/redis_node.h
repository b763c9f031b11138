/* One Redis server of the store: its links, its clock, its scan, and whether it accepts
 * what it is told. Private to the Redis store; knows no operations.
 *
 * With a single Redis or a Sentinel there is one node; a Cluster has one for each master. */
#ifndef ADAPTERS_REDIS_NODE_H
#define ADAPTERS_REDIS_NODE_H

#include <active_users/types.h>
#include <uv.h>

#include "redis_debts.h"
#include "redis_identity.h"
#include "redis_keys.h"
#include "redis_link.h"
#include "redis_reconcile.h"
#include "redis_replay.h"
#include "redis_reply.h"
#include "redis_watch.h"

enum {
  REDIS_CLOCK_INTERVAL_MS = 10000, /* between two readings of Redis's clock */
  REDIS_CLOCK_SLACK_MS = 50,       /* by which estimates of it may differ */
  REDIS_LOOK_INTERVAL_MS = 1000,   /* between two looks at its data, and while it refuses two
                                      test writes; without a refusal this long it is tried again */
};

struct redis_store;

typedef struct redis_node {
  struct redis_store *store;
  const redis_url *url; /* borrowed from the store */

  redis_link *link;
  redis_watch *watch;
  redis_reconcile *reconcile;
  redis_debts *debts;
  redis_replay *replay;
  redis_identity identity;
  char tag[REDIS_TAG_SIZE]; /* of keys that stay on this node; "" where there is one node */

  uint32_t held; /* operations and commands in flight that point here: not freed before */

  bool clock_known;       /* on the link that is up */
  int64_t clock_ahead_ms; /* Redis's clock minus our monotonic one, never too large */
  int64_t clock_asked_ms, clock_read_ms; /* monotonic */

  bool in_cluster;          /* on a plain URL: it serves a part of the customers and never more */
  bool refuses;             /* more than single keys, as far as is known */
  const char *refusal;      /* why it refuses whatever is written, static; NULL when it does not */
  const char *fault;        /* why it has refused some of it lately, static; NULL when it has not */
  int64_t refused_at_ms;    /* the last refusal of more than a key, monotonic */
  int64_t faulty_at_ms;     /* the last one that a test write does not try, monotonic */
  uint32_t refusals_logged; /* a bit for each kind, since it was well */

  uv_timer_t look;
  bool was_ready; /* the next `ready` is a reconnect */
  bool was_up;    /* it served once */
  bool stopping;
  unsigned open_parts;
  void (*stopped)(void *arg);
  void *stopped_arg;
} redis_node;

/* Memory only: nothing touches the loop before redis_node_start. Returns AU_OK or
 * AU_ENOMEM. */
AU_MUST_CHECK au_status redis_node_create(struct redis_store *store, const redis_url *url,
                                          redis_node **out);

/* Begins connecting, and goes on until stopped. Once. */
void redis_node_start(redis_node *n);

/* Ends a started node: commands in flight end with AU_ECANCELED, then `stopped` runs once;
 * all from the loop. */
void redis_node_stop(redis_node *n, void (*stopped)(void *arg), void *arg);

/* Frees a node that has stopped or that was never started. NULL is fine. */
void redis_node_free(redis_node *n);

/* Redis's clock now, by the last sample; early by at most a round trip. */
int64_t redis_node_now_ms(const redis_node *n);

/* Whether an operation of `commands` can begin: AU_OK, AU_ESTORE, AU_EBUSY or
 * AU_ECANCELED. */
AU_MUST_CHECK au_status redis_node_admits(const redis_node *n, uint32_t commands);

/* What became of a command: its status, or AU_ESTORE when the reply is not what was
 * wanted. Refusals are counted, logged once, and make the node degraded. */
au_status redis_node_check(redis_node *n, au_status status, const redisReply *reply,
                           redis_want want);

/* A write was answered with success: after a while without a refusal it serves again. */
void redis_node_wrote(redis_node *n);

/* Why it is degraded, static text; "" when all is well. */
const char *redis_node_reason(const redis_node *n);

/* Whether it takes operations, one key at fault or not. */
bool redis_node_serves(const redis_node *n);

/* Whether it serves and was sent all that this daemon has acknowledged, so that its counts are
 * the counts. Operations that only read, or end a session, go by the daemon's own table
 * until then. */
bool redis_node_is_whole(const redis_node *n);

/* As redis_link_command. In a Cluster the command goes where it belongs, whatever node it
 * begins at. */
AU_MUST_CHECK au_status redis_node_command(redis_node *n, const au_slice *args, size_t count,
                                           redis_reply_fn cb, void *arg);

/* Sees to it that `tag` is one of this node; false when there is none, for it serves no
 * slots. */
bool redis_node_tag(redis_node *n);

/* In a Cluster: whether the reply says that a key of `tag` is on another node now. */
bool redis_node_is_elsewhere(redis_node *n, au_status status, const redisReply *reply);

/* From redis_identity: the Redis is known, and the same as before or not. */
void redis_node_identified(redis_node *n, bool same);

#endif

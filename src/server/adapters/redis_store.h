/* What the files of the Redis store share. Nobody else includes it; redis.h is the door.
 *
 * An operation (redis_op) is one call of au_store: it sends one to a few commands in one
 * go, and ends when the last of them is answered. */
#ifndef ADAPTERS_REDIS_STORE_H
#define ADAPTERS_REDIS_STORE_H

#include <uv.h>

#include "../utils/buffer.h"
#include "memory.h"
#include "presence_table.h"
#include "redis.h"
#include "redis_cluster.h"
#include "redis_keys.h"
#include "redis_known.h"
#include "redis_newcomers.h"
#include "redis_node.h"
#include "redis_retry.h"

enum { REDIS_VALUE_MAX_BYTES = 16 * 1024 };

typedef struct redis_store {
  au_store base; /* first: an au_store is cast to its redis_store */
  uv_loop_t *loop;
  const au_config *config;
  const au_clock *clock;
  const au_store_events *events;
  stats *counters;
  map_seed seed;
  redis_url url;
  redis_keys keys;

  char name[17];    /* of this daemon in a lease: random, 16 hexadecimal digits */
  int64_t lease_ms; /* one that holds a lease and is killed is replaced within this time */

  redis_node *node;           /* NULL in a Cluster */
  redis_cluster *cluster;     /* NULL with a single Redis */
  redis_retry *retry;         /* what was refused for one key alone */
  au_store *own;              /* a memory store of what this daemon has acknowledged */
  presence_table *table;      /* its sessions */
  redis_known *known;         /* of customers, from Redis */
  redis_newcomers *newcomers; /* to the table */
  buffer value;               /* JSON or a number that is about to be sent */

  uint32_t operations; /* begun and not ended */
  uint64_t moments;    /* numbers given to them, for their order */

  bool stopping;
  unsigned open_parts;
  void (*stopped)(void *arg);
  void *stopped_arg;
} redis_store;

static inline redis_store *redis_store_of(au_store *store) {
  return (redis_store *)store;
}

static inline int64_t redis_store_mono_ms(const redis_store *s) {
  return clock_mono_ms(s->clock);
}

/* How long a session lives without a sign of life. */
static inline int64_t redis_store_ttl_ms(const redis_store *s) {
  return (int64_t)s->config->presence_ttl_s * 1000;
}

/* The moment that begins now. */
static inline redis_moment redis_store_moment(redis_store *s) {
  return (redis_moment){redis_store_mono_ms(s), ++s->moments};
}

/* The server that keeps a customer; in a Cluster it may be another one the next time. */
redis_node *redis_store_node(const redis_store *s, au_slice customer_id);

/* What is owed of a customer, which its server keeps. */
static inline redis_debts *redis_store_debts(const redis_store *s, au_slice customer_id) {
  return redis_store_node(s, customer_id)->debts;
}

/* The server that keeps the list and the lease of a group of customers. */
redis_node *redis_store_list_node(const redis_store *s, size_t group);

/* All servers that keep something; how many. */
size_t redis_store_nodes(const redis_store *s, redis_node *nodes[REDIS_NODES_MAX]);

/* The list that names a customer. */
static inline au_slice redis_store_list(const redis_store *s, redis_key *room,
                                        au_slice customer_id) {
  return redis_key_customers(&s->keys, room, redis_keys_group_of(&s->keys, customer_id));
}

/* Whether a session was touched here since it ended or was shortened. */
bool redis_store_revived(const redis_store *s, const redis_act *ending);

/* Tells the daemon, from the loop and once, that a count changed. */
void redis_store_changed(redis_store *s, au_slice customer_id);

/* Sees to it that sessions of the table expire in time; call when a deadline may be nearer
 * than all before. */
void redis_store_expire(redis_store *s);

/* Keeps what Redis has just said of a customer, or was told, for the time it is lost. */
void redis_store_learn(redis_store *s, au_slice customer_id, const au_sample *sample);

/* Embedded in an operation. */
typedef struct redis_op {
  redis_node *node;
  uint32_t pending; /* answers that are missing */
  uint32_t seen;    /* answers that came */
  au_status status; /* the first failure */
} redis_op;

/* Sends one command of an operation; nothing once one has failed. `cb` gets `arg`. */
void redis_op_send(redis_op *op, const au_slice *args, size_t n, redis_reply_fn cb, void *arg);

/* After the first commands were sent: AU_OK, and the operation has begun; or why nothing
 * was sent, and the caller frees it. */
AU_MUST_CHECK au_status redis_op_begun(redis_op *op);

/* Takes one answer; true when it is what was wanted. The operation is over when `pending`
 * is 0: call redis_op_end, free it, then tell the caller `status`. */
bool redis_op_take(redis_op *op, au_status status, const redisReply *reply, redis_want want);
void redis_op_end(redis_op *op);

/* au_store: redis_presence.c */
au_status redis_touch(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                      void *arg);
au_status redis_leave(au_store *store, const au_beat *beat, au_done_fn cb, void *arg);
au_status redis_shorten(au_store *store, const au_beat *beat, int64_t grace_ms, au_done_fn cb,
                        void *arg);

/* au_store: redis_due.c */
/* Of the own store: whether a customer is ticked from there now. */
bool redis_due_is_ours(void *store, au_slice customer_id);
au_status redis_due(au_store *store, uint32_t part, int64_t min_age_ms, size_t skip, size_t max,
                    au_due_fn cb, void *arg);

/* au_store: redis_metrics.c */
au_status redis_sample(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg);
au_status redis_save(au_store *store, au_slice customer_id, const au_sample *sample, double ema,
                     au_done_fn cb, void *arg);
au_status redis_forget(au_store *store, au_slice customer_id, const au_sample *sample,
                       au_done_fn cb, void *arg);
au_status redis_publish(au_store *store, const au_metrics *metrics, au_done_fn cb, void *arg);

#endif

/* What the operations of the Redis store share. An operation sends one to a few commands in one go
 * to the node of a customer, and ends when the last of them is answered. Only the files of this
 * folder and redis.c include this. */
#ifndef ADAPTERS_REDIS_OP_H
#define ADAPTERS_REDIS_OP_H

#include <active_users/config.h>
#include <active_users/history.h>

#include "adapters/redis/cluster/router.h"
#include "adapters/redis/protocol/command.h"
#include "adapters/redis/protocol/keys.h"
#include "adapters/redis/pubsub/pubsub.h"
#include "adapters/redis/scan/scans.h"
#include "adapters/shared_store.h"
#include "stats.h"
#include "utils/buffer.h"
#include "utils/join_stop.h"

typedef struct redis_store {
  shared_store base; /* first: a shared_store is cast to its redis_store */
  au_history_store history;
  uint64_t *history_failed; /* of the daemon's counters */
  uint32_t history_in_flight;
  int64_t history_warned_ms; /* 0: not yet */
  const au_config *config;
  const au_clock *clock;
  stats *counters;
  redis_url url;
  redis_keys keys;
  char name[17];    /* of this daemon in a lease: random, 16 hexadecimal digits */
  int64_t lease_ms; /* a daemon that holds a lease and is killed is replaced within this time */
  redis_router *router;
  redis_pubsub *pubsub;
  redis_scans *scans;
  shared_store_events events;
  buffer value; /* JSON or a number that is about to be sent */

  join_stop stop;
} redis_store;

static inline redis_store *redis_store_of(shared_store *s) {
  return (redis_store *)s;
}

static inline int64_t redis_store_ttl_ms(const redis_store *s) {
  return (int64_t)s->config->presence_ttl_s * 1000;
}

/* The slot of a customer's keys, and that of the list and lease of a group. */
static inline uint16_t redis_store_slot(const redis_store *s, au_slice customer_id) {
  return redis_router_slot_of(s->router, customer_id);
}
uint16_t redis_store_list_slot(const redis_store *s, size_t group);

/* Embedded in an operation. */
typedef struct redis_op {
  redis_store *store;
  stats_store_op kind;
  int64_t began_us; /* by clock_now_us */
  redis_node *node; /* referenced from redis_op_begun to redis_op_end */
  uint32_t pending; /* answers that are missing */
  au_status status; /* the first failure */
  bool can_wait;    /* nobody waits for it: its commands may leave with later ones */
} redis_op;

/* Finds the node of a slot for an operation of so many commands. Returns as
 * redis_router_admits. */
AU_MUST_CHECK au_status redis_op_init(redis_op *op, redis_store *s, stats_store_op kind,
                                      uint16_t slot, uint32_t commands);

/* Sends one command of an operation; nothing once one has failed. `cb` gets `arg`. */
void redis_op_send(redis_op *op, const au_slice *args, size_t n, redis_reply_fn cb, void *arg);

/* After the first commands were sent: AU_OK, and the operation has begun; or why nothing
 * was sent, and the caller frees it. */
AU_MUST_CHECK au_status redis_op_begun(redis_op *op);

/* Reads a key that another program may have written (redis_command_read). The answer is taken by
 * redis_op_take_text: a key of the wrong type counts as none, and its text is "". */
void redis_op_read(redis_op *op, au_slice key, size_t max_bytes, redis_reply_fn cb, void *arg);
bool redis_op_take_text(redis_op *op, au_status status, const redisReply *reply, au_slice *text);

/* Takes one answer; true when it is what was wanted. The operation is over when `pending`
 * is 0: call redis_op_end, tell the caller its status, and free it. */
bool redis_op_take(redis_op *op, au_status status, const redisReply *reply, redis_want want);
void redis_op_end(redis_op *op);

/* A command whose answer is ignored. */
void redis_store_send(redis_store *s, redis_node *n, const au_slice *args, size_t count);

/* Prints the record of a session into `value`. */
void redis_store_print_session(redis_store *s, const au_beat *beat, int64_t updated_ms);

/* shared_store: sessions.c */
au_status redis_touch(shared_store *s, const shared_touch *touch);
au_status redis_leave(shared_store *s, const au_beat *beat, shared_left_fn cb, void *arg);
au_status redis_shorten(shared_store *s, const au_beat *beat, int64_t renewed_ms, int64_t grace_ms,
                        shared_done_fn cb, void *arg);

/* metrics.c */
au_status redis_sample(shared_store *s, au_slice customer_id, au_sample_fn cb, void *arg);
au_status redis_save(shared_store *s, au_slice customer_id, const au_sample *sample, double ema,
                     shared_saved_fn cb, void *arg);
au_status redis_evict(shared_store *s, au_slice customer_id, const au_sample *sample,
                      shared_done_fn cb, void *arg);
au_status redis_publish(shared_store *s, const au_metrics *metrics, shared_done_fn cb, void *arg);
void redis_note_tick(shared_store *s, au_slice customer_id);

/* due.c */
au_status redis_due(shared_store *s, uint32_t partition, int64_t min_age_ms, size_t skip,
                    size_t max, au_due_fn cb, void *arg);

/* history.c */
extern const au_history_store_ops redis_history_ops;

/* list.c */
au_status redis_list(shared_store *s, const au_listing *what, au_page_fn cb, void *arg);
au_status redis_expel(shared_store *s, au_slice customer_id, au_slice session_id, au_ended_fn cb,
                      void *arg);

/* board.c */
au_status redis_board_read(shared_store *s, int64_t since_ms, au_board_fn cb, void *arg);
au_status redis_board_write(shared_store *s, au_board_change what, au_slice text, int64_t ms,
                            au_done_fn cb, void *arg);

/* spent.c */
au_status redis_share_spent(shared_store *s, au_spent *rows, size_t n, au_spent_fn cb, void *arg);

/* pages.c */
void redis_share_pages(shared_store *s, au_slice customer_id, au_slice totals, au_slice rows);
au_status redis_read_pages(shared_store *s, au_slice customer_id, bool with_rows,
                           shared_pages_fn cb, void *arg);
au_status redis_hear(shared_store *s);
au_status redis_tell(shared_store *s, au_slice text);
/* A message of the daemons' channel. */
void redis_take_told(redis_store *s, au_slice message);

/* restore.c */
au_status redis_restore_session(shared_store *s, const shared_session *session, bool list,
                                au_done_fn cb, void *arg);
au_status redis_restore_leave(shared_store *s, const shared_late_leave *leave, shared_left_fn cb,
                              void *arg);
au_status redis_restore_shorten(shared_store *s, const shared_late_leave *leave, int64_t grace_ms,
                                au_done_fn cb, void *arg);
au_status redis_restore_average(shared_store *s, au_slice customer_id, double ema,
                                int64_t ticked_ms, bool list, au_done_fn cb, void *arg);

#endif

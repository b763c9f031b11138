/* What the files of the scan share: the round under way. Nobody else includes it;
 * redis_reconcile.h is the door. */
#ifndef ADAPTERS_REDIS_SCAN_H
#define ADAPTERS_REDIS_SCAN_H

#include "redis_reconcile.h"
#include "redis_store.h"

/* Every step sends commands and names the step that follows the last answer. */
typedef enum redis_step {
  STEP_NONE,
  STEP_SCAN,      /* a page of presence keys */
  STEP_CHECK,     /* a batch of them: are they in the index, when do they end */
  STEP_MEND,      /* deadlines, keys without an end; read those the index lacks */
  STEP_ADD,       /* those that are sessions, into the index */
  STEP_CUSTOMERS, /* a page of customers */
  STEP_MEMBERS,   /* pages of the indexes of a group of them */
  STEP_EXISTS,    /* a batch of the members: are their keys there */
  STEP_DROP,      /* those whose key is gone, out of the index */
} redis_step;

/* A session, named by a presence key or by a member of an index. */
typedef struct redis_item {
  redis_reconcile *owner;
  size_t at; /* of its customer id in `names`; the session id follows */
  uint8_t customer_len, session_len;
  bool indexed;   /* STEP_CHECK: `score_ms` is its deadline */
  bool fetched;   /* STEP_MEND: its value is that of a session */
  bool missing;   /* STEP_EXISTS: its key is gone, or STEP_CHECK: it is going */
  int64_t ttl_ms; /* -1: the key has no end */
  double score_ms;
} redis_item;

/* A customer whose index is being read. */
typedef struct redis_index_reader {
  redis_reconcile *owner;
  uint8_t id_len;
  char id[AU_ID_MAX];
  char cursor[REDIS_CURSOR_SIZE]; /* "0" before the first page */
  bool done;
} redis_index_reader;

struct redis_reconcile {
  redis_node *node;
  const redis_keys *naming;
  redis_step next;
  uint32_t pending; /* answers that are missing */
  bool failed;      /* the round ends with them */
  bool pause;       /* a batch is done: the next one waits, once the round is old */
  bool wanted;      /* a round, by a tick that has begun */
  bool complained;  /* an error was logged, and no round has ended well since */
  uv_timer_t turn;

  char cursor[REDIS_CURSOR_SIZE]; /* of STEP_SCAN, later of STEP_CUSTOMERS */
  size_t list;   /* the group of STEP_CUSTOMERS; those of other nodes are not ours */
  uint32_t keys; /* looked at in this half of the round */
  int64_t began_ms, not_before_ms; /* monotonic */
  int64_t asked_ms;                /* Redis's clock when the batch was asked about */

  redis_item *items; /* of one page, or of a group's pages */
  size_t count, room;
  size_t begin, end; /* the batch of them that is being worked on */
  buffer names;
  buffer customers; /* the rest of a page of them: a length, then the id */
  redis_index_reader group[REDIS_SCAN_GROUP];
  size_t readers;

  redis_waiter *waiters;
  bool stopping;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

static inline au_slice redis_item_customer(const redis_item *it) {
  return (au_slice){it->owner->names.ptr + it->at, it->customer_len};
}

static inline au_slice redis_item_session(const redis_item *it) {
  return (au_slice){it->owner->names.ptr + it->at + it->customer_len, it->session_len};
}

/* Sends a command of the step; `cb` calls redis_scan_arrived first and redis_scan_answered
 * last. */
void redis_scan_send(redis_reconcile *r, const au_slice *args, size_t n, redis_reply_fn cb,
                     void *arg);

/* The same, adding a customer to its list unless it is there. */
void redis_scan_list(redis_reconcile *r, au_slice customer_id, redis_reply_fn cb, void *arg);

/* Whether there is a reply to use; without one the round is to end. */
bool redis_scan_arrived(redis_reconcile *r, au_status status);

/* The last answer of a step goes on to the next one. */
void redis_scan_answered(redis_reconcile *r);

/* An answer without which the round makes no sense. */
void redis_scan_give_up(redis_reconcile *r, const redisReply *reply);

/* Adds to the items; a failure ends the round. */
void redis_scan_add(redis_reconcile *r, au_slice customer_id, au_slice session_id);
void redis_scan_clear(redis_reconcile *r);

/* Moves on to the next batch of the items; false when there is none. */
bool redis_scan_next_batch(redis_reconcile *r);

static inline bool redis_scan_has_more(const redis_reconcile *r) {
  return r->end < r->count;
}

/* The steps. */
void redis_scan_keys(redis_reconcile *r);
void redis_scan_check(redis_reconcile *r);
void redis_scan_mend(redis_reconcile *r);
void redis_scan_add_found(redis_reconcile *r);
void redis_scan_customers(redis_reconcile *r);
void redis_scan_members(redis_reconcile *r);
void redis_scan_exists(redis_reconcile *r);
void redis_scan_drop(redis_reconcile *r);

#endif

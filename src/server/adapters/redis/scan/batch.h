/* What the files of the scan share: the round under way, and the batch of it that is worked on.
 * Private to this folder: others include scan.h. */
#ifndef ADAPTERS_REDIS_SCAN_BATCH_H
#define ADAPTERS_REDIS_SCAN_BATCH_H

#include "adapters/redis/protocol/command.h"
#include "scan.h"
#include "utils/buffer.h"

/* Every step sends commands and names the step that follows the last answer. */
typedef enum redis_step {
  STEP_NONE,
  STEP_SCAN,      /* a page of presence keys */
  STEP_CHECK,     /* a batch of them: are they in the index, when do they end */
  STEP_MEND,      /* deadlines, keys without an end; read those the index lacks */
  STEP_ADD,       /* those that are sessions, into the index */
  STEP_CUSTOMERS, /* a page of customers */
  STEP_MEMBERS,   /* pages of the indexes of a group of them */
  STEP_EXISTS,    /* a batch of the members: are their keys there, asked for many at once */
  STEP_PROBE,     /* each of those of which some are not */
  STEP_DROP,      /* those whose key is gone, out of the index */
} redis_step;

/* A session, named by a presence key or by a member of an index. */
typedef struct redis_item {
  redis_scan *owner;
  size_t at; /* of its customer id in `names`; the session id follows */
  uint8_t customer_len, session_len;
  uint8_t together;   /* of the first of some: how many the command asks about */
  bool indexed;       /* STEP_CHECK: `score_ms` is its deadline */
  bool fetched;       /* STEP_MEND: its value is that of a session */
  bool suspect;       /* STEP_EXISTS: some key is gone that was asked for together with its own */
  bool missing;       /* STEP_PROBE: its key is gone, or STEP_CHECK: it is going */
  au_visitor visitor; /* STEP_CHECK: of its place in the index; STEP_MEND: of its value */
  int64_t ttl_ms;     /* -1: the key has no end */
  double score_ms;    /* the deadline in the index */
} redis_item;

/* A customer whose index is being read. */
typedef struct redis_index_reader {
  redis_scan *owner;
  uint8_t id_len;
  char id[AU_ID_MAX];
  char cursor[REDIS_CURSOR_SIZE]; /* "0" before the first page */
  bool done;
} redis_index_reader;

struct redis_scan {
  redis_scan_config config;
  redis_node *node; /* referenced while a round is under way */
  const redis_keys *naming;
  void (*step_done)(redis_scan *r); /* after the last answer of a step */
  redis_step next;
  uint32_t pending;        /* answers that are missing */
  bool failed;             /* the round ends with them: the link is lost */
  bool pause;              /* a batch is done: the next one waits, once the round is old */
  bool wanted;             /* a round, by a tick that has begun */
  const char *refused;     /* why a page of this round was left out, static; NULL: none was */
  uint32_t skipped;        /* keys, members and customers that this round has left out */
  const char *skip_reason; /* of the first of them, static */
  unsigned failures;       /* rounds in a row that ended early or left out a page */
  bool refusal_logged, skips_logged, failure_logged; /* since a round without */
  uv_timer_t turn;

  char cursor[REDIS_CURSOR_SIZE]; /* of STEP_SCAN, later of STEP_CUSTOMERS */
  size_t list;   /* the group of STEP_CUSTOMERS; those of other nodes are not ours */
  uint32_t keys; /* looked at in this half of the round */
  int64_t began_ms, not_before_ms; /* monotonic */
  int64_t asked_ms;                /* Redis's clock when the batch was asked about */

  redis_item *items; /* of one page, or of a group's pages */
  size_t count, capacity;
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

static inline au_slice redis_item_key(const redis_item *it, redis_key *key) {
  return redis_key_presence(it->owner->naming, key, redis_item_customer(it),
                            redis_item_session(it));
}

/* Sends a command of the step, or skips it; `cb` calls redis_batch_arrived first and
 * redis_batch_answered last. */
void redis_batch_send(redis_scan *r, const au_slice *args, size_t n, redis_reply_fn cb, void *arg);

/* The same with the cursor of the round, for a page; one that is not sent counts as refused. */
void redis_batch_send_page(redis_scan *r, const au_slice *args, size_t n, redis_reply_fn cb);

/* As redis_batch_send, adding a customer to its list unless it is there. */
void redis_batch_list(redis_scan *r, au_slice customer_id, redis_reply_fn cb, void *arg);

/* A write whose outcome the next round would see: a callback for redis_batch_send. */
void redis_batch_on_mended(au_status status, const redisReply *reply, void *scan);

/* The node that has the list of a group of customers; NULL: none. */
redis_node *redis_batch_list_node(const redis_scan *r, size_t group);

/* Reports that the count of a customer changed. */
void redis_batch_changed(redis_scan *r, au_slice customer_id);

/* Whether there is a reply to use. What it is about is skipped when there is none, or an error;
 * the round ends when the link is lost. */
bool redis_batch_arrived(redis_scan *r, au_status status, const redisReply *reply);

/* The same of a page of SCAN or ZSCAN: what it lists, or NULL. A page that is refused is left out:
 * the round goes on with what comes after it, and counts as failed. */
const redisReply *redis_batch_page(redis_scan *r, au_status status, const redisReply *reply,
                                   char cursor[REDIS_CURSOR_SIZE]);

/* The last answer of a step goes on to the next one. */
void redis_batch_answered(redis_scan *r);

/* Something is left out of this round. `reason` is static. */
void redis_batch_skip(redis_scan *r, const char *reason);
/* The same of what another program wrote, which is counted. */
void redis_batch_skip_foreign(redis_scan *r, const char *reason);

/* As redis_reply_scan; false for a page that would hold the loop, which no Redis of ours sends. */
static inline bool redis_batch_read(const redisReply *reply, char cursor[REDIS_CURSOR_SIZE],
                                    const redisReply **elements) {
  return redis_reply_scan(reply, cursor, elements) &&
         (*elements)->elements <= (size_t)2 * REDIS_SCAN_BATCH_MAX;
}

/* Whether an element was too large to be sent here (redis_filter). */
static inline bool redis_batch_is_too_long(const redisReply *element) {
  return element->type == REDIS_REPLY_NIL;
}

/* Adds to the items, or skips it. */
void redis_batch_add(redis_scan *r, au_slice customer_id, au_slice session_id);
void redis_batch_clear(redis_scan *r);

/* Moves on to the next batch of the items; false when there is none. */
bool redis_batch_next(redis_scan *r);

/* How many items of the batch from `i` on one command may ask about: REDIS_SCAN_TOGETHER at most.
 * They are of one customer, unless `mixed`. */
size_t redis_batch_together(const redis_scan *r, size_t i, bool mixed);

static inline bool redis_batch_has_more(const redis_scan *r) {
  return r->end < r->count;
}

#endif

/* Sessions in Redis: touch, leave, shorten. */
#include "adapters/redis/protocol/command.h"
#include "adapters/redis/protocol/index_score.h"
#include "adapters/redis/protocol/scripts.h"
#include "op.h"
#include "wire/wire.h"

#include <stdlib.h>

/* GETRANGE, SET and two ZADD at most, one of them after the others. */
enum { TOUCH_COMMANDS = 4 };

/* ---- touch ---------------------------------------------------------------- */

typedef struct touch {
  redis_op op;
  shared_touch what;
  bool listed; /* the customer is among au:customers now */
  bool added;  /* to the index, which did not know the session */
} touch;

static void end_touch(touch *t) {
  if (t->op.status == AU_OK) redis_node_wrote(t->op.node);
  redis_op_end(&t->op);
  t->what.touched(t->op.status, t->added, t->what.arg);
  free(t);
}

static void on_listed(au_status status, const redisReply *reply, void *arg) {
  touch *t = arg;
  redis_op_take(&t->op, status, reply, REDIS_WANT_INTEGER);
  if (t->op.pending == 0) end_touch(t);
}

static void list_customer(touch *t) {
  redis_command list;
  redis_command_list(&list, &t->op.store->keys, t->what.beat->customer_id);
  t->listed = true;
  redis_op_send(&t->op, list.words, list.count, on_listed, t);
}

/* A session that is new to the index may be the first of its customer, or the first after
 * Redis lost everything; all others find the customer listed already. */
static void on_indexed(au_status status, const redisReply *reply, void *arg) {
  touch *t = arg;
  if (redis_op_take(&t->op, status, reply, REDIS_WANT_INTEGER)) t->added = reply->integer > 0;
  if (t->added && !t->listed) list_customer(t);
  if (t->op.pending == 0) end_touch(t);
}

static void on_stored(au_status status, const redisReply *reply, void *arg) {
  touch *t = arg;
  redis_op_take(&t->op, status, reply, REDIS_WANT_OK);
  if (t->op.pending == 0) end_touch(t);
}

/* Key and index go out together. The deadline in the index is on Redis's clock and never later than
 * the end of the key. */
static void send_session(touch *t) {
  redis_store *s = t->op.store;
  const au_beat *beat = t->what.beat;
  int64_t now_ms = redis_node_now_ms(t->op.node);
  int64_t ttl_s = s->config->presence_ttl_s;
  redis_store_print_session(s, beat, now_ms);
  if (s->value.failed) {
    t->op.status = AU_ENOMEM;
    return;
  }
  redis_key key, index;
  redis_number ttl, score;
  int64_t deadline_ms = now_ms + ttl_s * 1000;
  const au_slice set[] = {slice_of("SET"),
                          redis_key_presence(&s->keys, &key, beat->customer_id, beat->session_id),
                          buffer_slice(&s->value), slice_of("EX"), redis_number_text(&ttl, ttl_s)};
  const au_slice add[] = {slice_of("ZADD"), redis_key_index(&s->keys, &index, beat->customer_id),
                          redis_number_text(&score, deadline_ms + redis_score_base(beat->visitor)),
                          beat->session_id};
  redis_op_send(&t->op, set, 5, on_stored, t);
  redis_op_send(&t->op, add, 4, on_indexed, t);
  if (t->what.is_new) list_customer(t);
}

/* A foreign value counts as none: SET replaces it, whatever its type. */
static void on_profile(au_status status, const redisReply *reply, void *arg) {
  touch *t = arg;
  wire_beat stored;
  au_slice text;
  if (redis_op_take_text(&t->op, status, reply, &text)) {
    int64_t now_ms = redis_node_now_ms(t->op.node);
    bool is_stored = text.len > 0 && wire_parse_presence(text, now_ms, &stored) == AU_OK;
    t->what.beat = t->what.profile(t->what.arg, is_stored ? &stored.beat : NULL);
  }
  if (t->op.status == AU_OK && t->what.beat) send_session(t);
  if (t->op.pending == 0) end_touch(t);
}

static void ask_profile(touch *t) {
  redis_key key;
  const au_beat *beat = t->what.beat;
  redis_op_read(&t->op,
                redis_key_presence(&t->op.store->keys, &key, beat->customer_id, beat->session_id),
                REDIS_VALUE_MAX_BYTES, on_profile, t);
}

au_status redis_touch(shared_store *store, const shared_touch *what) {
  redis_store *s = redis_store_of(store);
  redis_op op;
  au_status status = redis_op_init(&op, s, STATS_STORE_TOUCH,
                                   redis_store_slot(s, what->beat->customer_id), TOUCH_COMMANDS);
  if (status != AU_OK) return status;
  touch *t = malloc(sizeof *t);
  if (!t) return AU_ENOMEM;
  *t = (touch){.op = op, .what = *what};
  t->op.can_wait = what->beat->can_wait && !what->asks_profile;
  if (what->asks_profile)
    ask_profile(t);
  else
    send_session(t);
  status = redis_op_begun(&t->op);
  if (status != AU_OK) free(t);
  return status;
}

/* ---- leave and shorten ---------------------------------------------------- */

typedef struct leave_op {
  redis_op op;
  union {
    shared_left_fn left;
    shared_done_fn done;
  } cb;
  void *arg;
} leave_op;

/* `status` says why there is none. */
static leave_op *leave_op_create(redis_store *s, stats_store_op kind, au_slice customer_id,
                                 void *arg, au_status *status) {
  redis_op op;
  *status = redis_op_init(&op, s, kind, redis_store_slot(s, customer_id), 1);
  if (*status != AU_OK) return NULL;
  leave_op *e = calloc(1, sizeof *e);
  if (!e) {
    *status = AU_ENOMEM;
    return NULL;
  }
  e->op = op;
  e->arg = arg;
  return e;
}

static au_status begun(leave_op *e) {
  au_status status = redis_op_begun(&e->op);
  if (status != AU_OK) free(e);
  return status;
}

static shared_leave leave_of(long long answer) {
  return answer >= REDIS_LEAVE_OTHER && answer <= REDIS_LEAVE_DROPPED ? (shared_leave)answer
                                                                      : SHARED_LEAVE_GONE;
}

static void on_left(au_status status, const redisReply *reply, void *arg) {
  leave_op *e = arg;
  shared_leave outcome = SHARED_LEAVE_GONE;
  if (redis_op_take(&e->op, status, reply, REDIS_WANT_INTEGER)) {
    outcome = leave_of(reply->integer);
    redis_node_wrote(e->op.node);
  }
  redis_op_end(&e->op);
  e->cb.left(e->op.status, outcome, e->arg);
  free(e);
}

/* The tab that leaves has the last word, whenever it renewed the session. */
au_status redis_leave(shared_store *store, const au_beat *beat, shared_left_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  leave_op *e = leave_op_create(s, STATS_STORE_LEAVE, beat->customer_id, arg, &status);
  if (!e) return status;
  e->cb.left = cb;
  redis_command leave;
  redis_command_leave(&leave, &s->keys, beat, REDIS_NO_TIME, redis_node_now_ms(e->op.node),
                      redis_store_ttl_ms(s), REDIS_NO_TIME);
  redis_op_send(&e->op, leave.words, leave.count, on_left, e);
  return begun(e);
}

static void on_shortened(au_status status, const redisReply *reply, void *arg) {
  leave_op *e = arg;
  bool shortened = redis_op_take(&e->op, status, reply, REDIS_WANT_INTEGER) && reply->integer == 1;
  redis_op_end(&e->op);
  e->cb.done(e->op.status, shortened, e->arg);
  free(e);
}

/* A tab whose new socket leads to another daemon has renewed the session there, and is not gone. */
au_status redis_shorten(shared_store *store, const au_beat *beat, int64_t renewed_ms,
                        int64_t grace_ms, shared_done_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  leave_op *e = leave_op_create(s, STATS_STORE_SHORTEN, beat->customer_id, arg, &status);
  if (!e) return status;
  e->cb.done = cb;
  const redis_node *n = e->op.node;
  int64_t until_ms =
      renewed_ms < 0 ? REDIS_NO_TIME : renewed_ms + redis_node_ahead_ms(n) + REDIS_CLOCK_SLACK_MS;
  redis_command shorten;
  redis_command_shorten(&shorten, &s->keys, beat, until_ms, grace_ms,
                        redis_node_now_ms(n) + grace_ms, REDIS_NO_TIME);
  redis_op_send(&e->op, shorten.words, shorten.count, on_shortened, e);
  return begun(e);
}

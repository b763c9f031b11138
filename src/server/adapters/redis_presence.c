/* Sessions in Redis: touch, leave, shorten. Must not know customers' averages, links or
 * loops. The daemon's own table follows what Redis has acknowledged; what a lost Redis cannot
 * acknowledge goes to redis_local. */
#include "../wire.h"
#include "redis_command.h"
#include "redis_local.h"
#include "redis_script.h"
#include "redis_store.h"

#include <stdlib.h>
#include <string.h>

/* GET, SET and two ZADD at most, one of them after the others. */
enum { TOUCH_COMMANDS = 4 };

typedef struct touch {
  redis_op op; /* first: an op is cast to its touch */
  au_done_fn cb;
  void *arg;
  wire_beat who;
  redis_moment began;
  bool is_new; /* to the table: counted among the newcomers until the end */
  redis_newcomer *customer;
  bool listed; /* the customer is among au:customers now */
  bool added;  /* to the index, which did not know the session */
} touch;

/* Appends a slice to the bytes of a beat and points to the copy; false when too long. */
static bool keep(wire_beat *to, size_t *used, au_slice from, size_t max, au_slice *copy) {
  if (from.len > max) return false;
  char *at = to->bytes + *used;
  if (from.len > 0) memcpy(at, from.ptr, from.len);
  *used += from.len;
  *copy = (au_slice){at, from.len};
  return true;
}

/* A copy with the ids of `beat` and the profile of `profile`, which may be the same. */
static bool keep_beat(wire_beat *to, const au_beat *beat, const au_beat *profile) {
  size_t used = 0;
  to->beat = (au_beat){.timestamp = beat->timestamp, .is_leader = profile->is_leader};
  return keep(to, &used, beat->customer_id, AU_ID_MAX, &to->beat.customer_id) &&
         keep(to, &used, beat->session_id, AU_ID_MAX, &to->beat.session_id) &&
         keep(to, &used, beat->tab_id, AU_ID_MAX, &to->beat.tab_id) &&
         keep(to, &used, profile->platform, AU_PLATFORM_MAX, &to->beat.platform) &&
         keep(to, &used, profile->user_agent, AU_USER_AGENT_MAX, &to->beat.user_agent);
}

static bool has_valid_ids(const au_beat *beat) {
  return wire_valid_id(beat->customer_id) && wire_valid_id(beat->session_id) &&
         wire_valid_id(beat->tab_id);
}

static bool table_find(redis_store *s, const au_beat *beat, presence_live *out) {
  return presence_table_find(s->table, beat->customer_id, beat->session_id, redis_store_mono_ms(s),
                             out);
}

/* ---- touch ---------------------------------------------------------------- */

/* Whether the table will have room when Redis has answered: it is not asked after Redis was
 * told. */
static au_status reserve(redis_store *s, touch *t) {
  if (presence_table_sessions(s->table) + redis_newcomers_sessions(s->newcomers) >=
      s->config->max_sessions)
    return AU_EFULL;
  au_sample customer;
  presence_table_sample(s->table, t->who.beat.customer_id, redis_store_mono_ms(s), &customer);
  au_status status = AU_OK;
  if (customer.count > 0) {
    redis_newcomers_add(s->newcomers);
  } else {
    uint32_t used = presence_table_customers(s->table), max = s->config->max_customers;
    status = redis_newcomers_add_customer(s->newcomers, t->who.beat.customer_id,
                                          used < max ? max - used : 0, &t->customer);
  }
  t->is_new = status == AU_OK;
  return status;
}

static void unreserve(redis_store *s, const touch *t) {
  if (t->is_new) redis_newcomers_remove(s->newcomers, t->customer);
}

/* The table takes the session over as Redis has it. The index may have gained a member
 * that the table knew already: it was lost in Redis, and counts again. */
static void acknowledge(touch *t) {
  redis_node *n = t->op.node;
  redis_store *s = n->store;
  presence_live known;
  bool counts_again = t->added && table_find(s, &t->who.beat, &known);
  t->op.status = redis_local_acknowledge(n, &t->who.beat, t->began);
  if (t->op.status != AU_OK) return;
  if (counts_again) redis_store_changed(s, t->who.beat.customer_id);
  redis_node_wrote(n);
}

static void end_touch(touch *t) {
  unreserve(t->op.node->store, t);
  if (t->op.status == AU_OK)
    acknowledge(t);
  else if (redis_local_takes(t->op.status))
    t->op.status = redis_local_touched(t->op.node, &t->who.beat, t->began);
  redis_op_end(&t->op);
  au_done_fn cb = t->cb;
  void *arg = t->arg;
  au_status status = t->op.status;
  free(t);
  cb(status, arg);
}

static void on_listed(au_status status, const redisReply *reply, void *arg) {
  touch *t = arg;
  redis_op_take(&t->op, status, reply, REDIS_WANT_INTEGER);
  if (t->op.pending == 0) end_touch(t);
}

static void list_customer(touch *t) {
  redis_command list;
  redis_command_list(&list, &t->op.node->store->keys, t->who.beat.customer_id);
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

/* Key and index go out together. The index is told a deadline on Redis's clock that is
 * never later than the end of the key. */
static void send_session(touch *t) {
  redis_node *n = t->op.node;
  redis_store *s = n->store;
  const au_beat *beat = &t->who.beat;
  int64_t now_ms = redis_node_now_ms(n);
  int64_t ttl_s = s->config->presence_ttl_s;
  buffer_clear(&s->value);
  wire_print_presence(&s->value, beat, now_ms);
  if (s->value.failed) {
    t->op.status = AU_ENOMEM;
    return;
  }
  redis_key key, index;
  redis_number ttl, deadline;
  const au_slice set[] = {slice_of("SET"),
                          redis_key_presence(&s->keys, &key, beat->customer_id, beat->session_id),
                          buffer_slice(&s->value), slice_of("EX"), redis_number_text(&ttl, ttl_s)};
  const au_slice add[] = {slice_of("ZADD"), redis_key_index(&s->keys, &index, beat->customer_id),
                          redis_number_text(&deadline, now_ms + ttl_s * 1000), beat->session_id};
  redis_op_send(&t->op, set, 5, on_stored, t);
  redis_op_send(&t->op, add, 4, on_indexed, t);
  if (t->is_new) list_customer(t);
}

/* The profile of a session that another daemon has joined, or this one before it was
 * restarted. A foreign value counts as none: SET replaces it, whatever its type. */
static void on_profile(au_status status, const redisReply *reply, void *arg) {
  touch *t = arg;
  bool foreign = status == AU_OK && redis_reply_is_error_code(reply, "WRONGTYPE");
  if (foreign) {
    t->op.pending--;
  } else if (redis_op_take(&t->op, status, reply, REDIS_WANT_TEXT)) {
    wire_beat stored, merged;
    presence_live known;
    const au_beat *profile = NULL;
    if (table_find(t->op.node->store, &t->who.beat, &known)) /* it came while Redis was asked */
      profile = &known.beat;
    else if (reply->type == REDIS_REPLY_STRING &&
             wire_parse_presence(redis_reply_text(reply), &stored) == AU_OK)
      profile = &stored.beat;
    if (profile && keep_beat(&merged, &t->who.beat, profile))
      (void)keep_beat(&t->who, &merged.beat, &merged.beat);
  }
  if (t->op.status == AU_OK) send_session(t);
  if (t->op.pending == 0) end_touch(t);
}

static void ask_profile(touch *t) {
  redis_key key;
  const au_slice args[] = {slice_of("GET"),
                           redis_key_presence(&t->op.node->store->keys, &key,
                                              t->who.beat.customer_id, t->who.beat.session_id)};
  redis_op_send(&t->op, args, 2, on_profile, t);
}

au_status redis_touch(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                      void *arg) {
  redis_store *s = redis_store_of(store);
  if (!has_valid_ids(beat)) return AU_EINVAL;
  redis_node *n = redis_store_node(s, beat->customer_id);
  au_status status = redis_node_admits(n, TOUCH_COMMANDS);
  if (redis_local_takes(status)) return redis_local_touch(n, beat, kind, cb, arg);
  if (status != AU_OK) return status;
  touch *t = calloc(1, sizeof *t);
  if (!t) return AU_ENOMEM;
  t->op.node = n;
  t->cb = cb;
  t->arg = arg;
  t->began = redis_store_moment(n->store);
  presence_live known;
  bool is_known = table_find(s, beat, &known);
  bool keeps = is_known && kind == AU_TOUCH_BEAT;
  if (!keep_beat(&t->who, beat, keeps ? &known.beat : beat))
    status = AU_EINVAL;
  else if (!is_known)
    status = reserve(s, t);
  if (status == AU_OK) {
    if (kind == AU_TOUCH_BEAT && !is_known)
      ask_profile(t);
    else
      send_session(t);
    status = redis_op_begun(&t->op);
    if (status == AU_OK) { /* Redis hears of an older ending no more: it would come after this */
      redis_local_revive(n, beat);
      return AU_OK;
    }
    unreserve(s, t);
  }
  free(t);
  return status;
}

/* ---- leave and shorten ---------------------------------------------------- */

typedef struct ending {
  redis_op op; /* first: an op is cast to its ending */
  au_done_fn cb;
  void *arg;
  wire_beat who;
  redis_moment began;
} ending;

static ending *ending_create(redis_node *n, const au_beat *beat, au_done_fn cb, void *arg) {
  ending *e = calloc(1, sizeof *e);
  if (!e) return NULL;
  static const au_beat no_profile = {.is_leader = true};
  e->op.node = n;
  e->cb = cb;
  e->arg = arg;
  e->began = redis_store_moment(n->store);
  (void)keep_beat(&e->who, beat, &no_profile); /* valid ids fit */
  return e;
}

static void end_ending(ending *e) {
  redis_op_end(&e->op);
  au_done_fn cb = e->cb;
  void *arg = e->arg;
  au_status status = e->op.status;
  free(e);
  cb(status, arg);
}

static au_status begin_ending(ending *e) {
  au_status status = redis_op_begun(&e->op);
  if (status != AU_OK) free(e);
  return status;
}

/* The table tells of a session that it had; else nobody has. */
static void on_left(au_status status, const redisReply *reply, void *arg) {
  ending *e = arg;
  redis_node *n = e->op.node;
  const au_beat *beat = &e->who.beat;
  if (redis_op_take(&e->op, status, reply, REDIS_WANT_INTEGER)) {
    long long what = reply->integer;
    const redis_act leave = redis_local_ending(n, REDIS_ACT_LEAVE, beat, e->began);
    bool dropped = redis_local_answered(n, &leave, what);
    if (!dropped && (what == REDIS_LEAVE_ENDED || what == REDIS_LEAVE_DROPPED))
      redis_store_changed(n->store, beat->customer_id);
    redis_node_wrote(n);
  } else if (redis_local_takes(e->op.status)) {
    e->op.status = redis_local_left(n, beat, e->began);
  }
  end_ending(e);
}

/* A Redis that is not whole is told of endings after the sessions that it lacks. */
static au_status admits_ending(const redis_node *n) {
  au_status status = redis_node_admits(n, 1);
  return status == AU_OK && !redis_node_is_whole(n) ? AU_ESTORE : status;
}

au_status redis_leave(au_store *store, const au_beat *beat, au_done_fn cb, void *arg) {
  if (!has_valid_ids(beat)) return AU_EINVAL;
  redis_node *n = redis_store_node(redis_store_of(store), beat->customer_id);
  au_status status = admits_ending(n);
  if (redis_local_takes(status)) return redis_local_leave(n, beat, cb, arg);
  if (status != AU_OK) return status;
  ending *e = ending_create(n, beat, cb, arg);
  if (!e) return AU_ENOMEM;
  redis_command leave; /* whoever leaves has the last word */
  redis_command_leave(&leave, &n->store->keys, beat, REDIS_NO_TIME, redis_node_now_ms(n),
                      redis_store_ttl_ms(n->store), REDIS_NO_TIME);
  redis_op_send(&e->op, leave.words, leave.count, on_left, e);
  return begin_ending(e);
}

static void on_shortened(au_status status, const redisReply *reply, void *arg) {
  ending *e = arg;
  redis_store *s = e->op.node->store;
  if (redis_op_take(&e->op, status, reply, REDIS_WANT_INTEGER)) {
    if (reply->integer == 1 &&
        presence_table_shorten(s->table, &e->who.beat, redis_store_mono_ms(s)))
      redis_store_expire(s);
  } else if (redis_local_takes(e->op.status)) {
    e->op.status = redis_local_shortened(e->op.node, &e->who.beat, e->began);
  }
  end_ending(e);
}

/* When this daemon renewed a session last, on Redis's clock: a tab whose new socket leads to
 * another daemon has renewed it there since, and is not gone. */
static int64_t renewed_until_ms(const redis_node *n, const au_beat *beat) {
  int64_t ago_ms = presence_table_renewed_ago_ms(n->store->table, beat->customer_id,
                                                 beat->session_id, redis_store_mono_ms(n->store));
  return ago_ms < 0 ? REDIS_NO_TIME : redis_node_now_ms(n) - ago_ms + REDIS_CLOCK_SLACK_MS;
}

au_status redis_shorten(au_store *store, const au_beat *beat, int64_t grace_ms, au_done_fn cb,
                        void *arg) {
  if (grace_ms < 0 || !has_valid_ids(beat)) return AU_EINVAL;
  redis_node *n = redis_store_node(redis_store_of(store), beat->customer_id);
  au_status status = admits_ending(n);
  if (redis_local_takes(status)) return redis_local_shorten(n, beat, cb, arg);
  if (status != AU_OK) return status;
  ending *e = ending_create(n, beat, cb, arg);
  if (!e) return AU_ENOMEM;
  redis_command shorten;
  redis_command_shorten(&shorten, &n->store->keys, beat, renewed_until_ms(n, beat), grace_ms,
                        redis_node_now_ms(n) + grace_ms, REDIS_NO_TIME);
  redis_op_send(&e->op, shorten.words, shorten.count, on_shortened, e);
  return begin_ending(e);
}

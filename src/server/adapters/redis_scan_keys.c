/* The first half of a round: from the presence keys to the index. Must not know when a step
 * is taken, nor who else writes there. */
#include "../wire.h"
#include "redis_scan.h"

#include <string.h>

/* A deadline in the index that differs less from the end of its key is left alone. */
enum { SLACK_MS = 1000 };

static void on_scanned(au_status status, const redisReply *reply, void *arg) {
  redis_reconcile *r = arg;
  const redisReply *keys;
  if (!redis_scan_arrived(r, status)) {
    /* The round ends. */
  } else if (!redis_reply_scan(reply, r->cursor, &keys)) {
    redis_scan_give_up(r, reply);
  } else {
    for (size_t i = 0; i < keys->elements; i++) {
      au_slice customer_id, session_id;
      if (redis_key_is_presence(r->naming, redis_reply_text(keys->element[i]), &customer_id,
                                &session_id))
        redis_scan_add(r, customer_id, session_id);
    }
    r->keys += keys->elements > REDIS_SCAN_COUNT ? (uint32_t)keys->elements : REDIS_SCAN_COUNT;
  }
  redis_scan_answered(r);
}

/* The cursor of the first page is "0", and so is the one after the last. */
void redis_scan_keys(redis_reconcile *r) {
  redis_number count;
  const au_slice args[] = {slice_of("SCAN"),  slice_of(r->cursor),
                           slice_of("MATCH"), slice_of(REDIS_KEY_PRESENCES),
                           slice_of("COUNT"), redis_number_text(&count, REDIS_SCAN_COUNT),
                           slice_of("TYPE"),  slice_of("string")};
  redis_scan_clear(r);
  redis_scan_send(r, args, 8, on_scanned, r);
  r->next = STEP_CHECK;
}

/* A write whose outcome the next round would see. */
static void on_mended(au_status status, const redisReply *reply, void *arg) {
  (void)reply;
  redis_reconcile *r = arg;
  (void)redis_scan_arrived(r, status);
  redis_scan_answered(r);
}

static void on_score(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  if (redis_scan_arrived(it->owner, status)) it->indexed = redis_reply_number(reply, &it->score_ms);
  redis_scan_answered(it->owner);
}

static void on_ttl(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  if (redis_scan_arrived(it->owner, status)) {
    bool is_there = reply->type == REDIS_REPLY_INTEGER && reply->integer >= -1;
    it->missing = !is_there;
    it->ttl_ms = is_there ? reply->integer : 0;
  }
  redis_scan_answered(it->owner);
}

/* Goes on with the rest of the page, the next page or the other half of the round, whose
 * first part has no pauses either. */
static void finish_batch(redis_reconcile *r) {
  r->pause = true;
  if (redis_scan_has_more(r)) {
    r->next = STEP_CHECK;
  } else if (strcmp(r->cursor, "0") != 0) {
    r->next = STEP_SCAN;
  } else {
    r->next = STEP_CUSTOMERS;
    r->list = 0;
    r->keys = 0;
  }
}

void redis_scan_check(redis_reconcile *r) {
  if (!redis_scan_next_batch(r)) { /* a page without presence keys */
    finish_batch(r);
    return;
  }
  r->asked_ms = redis_node_now_ms(r->node);
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    redis_key index, key;
    const au_slice score[] = {slice_of("ZSCORE"),
                              redis_key_index(r->naming, &index, redis_item_customer(it)),
                              redis_item_session(it)};
    const au_slice ttl[] = {
        slice_of("PTTL"),
        redis_key_presence(r->naming, &key, redis_item_customer(it), redis_item_session(it))};
    redis_scan_send(r, score, 3, on_score, it);
    redis_scan_send(r, ttl, 2, on_ttl, it);
  }
  r->next = STEP_MEND;
}

/* When the key ends, on Redis's clock; a key that had no end is given one. */
static int64_t deadline_of(const redis_item *it) {
  int64_t left_ms = it->ttl_ms >= 0 ? it->ttl_ms : redis_store_ttl_ms(it->owner->node->store);
  return it->owner->asked_ms + left_ms;
}

static void give_end(redis_reconcile *r, const redis_item *it) {
  redis_key key;
  redis_number ttl;
  const au_slice args[] = {
      slice_of("EXPIRE"),
      redis_key_presence(r->naming, &key, redis_item_customer(it), redis_item_session(it)),
      redis_number_text(&ttl, r->node->store->config->presence_ttl_s)};
  redis_scan_send(r, args, 3, on_mended, r);
}

/* GT: a beat that came since is not shortened. It adds a member that is not there. */
static void send_deadline(redis_reconcile *r, const redis_item *it, redis_reply_fn cb, void *arg) {
  redis_key index;
  redis_number deadline;
  const au_slice args[] = {
      slice_of("ZADD"), redis_key_index(r->naming, &index, redis_item_customer(it)), slice_of("GT"),
      redis_number_text(&deadline, deadline_of(it)), redis_item_session(it)};
  redis_scan_send(r, args, 5, cb, arg);
}

/* Every customer that has a key is listed, whatever happened to the list: once for each run
 * of keys of the same customer. */
static void list_customer(redis_reconcile *r, const redis_item *it, const redis_item **last) {
  bool is_new = !*last || !slice_eq(redis_item_customer(*last), redis_item_customer(it));
  *last = it;
  if (is_new) redis_scan_list(r, redis_item_customer(it), on_mended, r);
}

static void on_value(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  wire_beat foreign;
  if (redis_scan_arrived(it->owner, status) && reply->type == REDIS_REPLY_STRING)
    it->fetched = wire_parse_presence(redis_reply_text(reply), &foreign) == AU_OK;
  redis_scan_answered(it->owner);
}

static void fetch(redis_reconcile *r, redis_item *it) {
  redis_key key;
  const au_slice args[] = {
      slice_of("GET"),
      redis_key_presence(r->naming, &key, redis_item_customer(it), redis_item_session(it))};
  redis_scan_send(r, args, 2, on_value, it);
}

static void mend_indexed(redis_reconcile *r, const redis_item *it) {
  if (it->ttl_ms < 0) give_end(r, it);
  if ((double)deadline_of(it) - it->score_ms <= SLACK_MS) return;
  send_deadline(r, it, on_mended, r);
  if (it->score_ms <= (double)r->asked_ms)
    redis_store_changed(r->node->store, redis_item_customer(it));
}

void redis_scan_mend(redis_reconcile *r) {
  const redis_item *last = NULL;
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    if (it->missing) continue;
    if (!it->indexed) {
      fetch(r, it);
      continue;
    }
    mend_indexed(r, it);
    list_customer(r, it, &last);
  }
  r->next = STEP_ADD;
}

static void on_added(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  if (redis_scan_arrived(it->owner, status) && reply->type == REDIS_REPLY_INTEGER &&
      reply->integer > 0)
    redis_store_changed(it->owner->node->store, redis_item_customer(it));
  redis_scan_answered(it->owner);
}

void redis_scan_add_found(redis_reconcile *r) {
  const redis_item *last = NULL;
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    if (!it->fetched) continue;
    if (it->ttl_ms < 0) give_end(r, it);
    send_deadline(r, it, on_added, it);
    list_customer(r, it, &last);
  }
  finish_batch(r);
}

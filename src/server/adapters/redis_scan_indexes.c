/* The second half of a round: from the indexes to the presence keys. Must not know when a
 * step is taken, nor what a session is. */
#include "../wire.h"
#include "redis_scan.h"
#include "redis_script.h"

#include <string.h>

/* A write whose outcome the next round would see. */
static void on_mended(au_status status, const redisReply *reply, void *arg) {
  (void)reply;
  redis_reconcile *r = arg;
  (void)redis_scan_arrived(r, status);
  redis_scan_answered(r);
}

/* A last tick that lies ahead is of a clock that was set back since, and nobody would be due
 * before the clock comes there again. */
static void mend_tick(redis_reconcile *r, au_slice customer_id, const redisReply *score) {
  double ticked_ms;
  int64_t ahead_ms = redis_node_now_ms(r->node) + r->node->store->config->ema_interval_ms;
  if (redis_reply_number(score, &ticked_ms) && ticked_ms <= (double)ahead_ms) return;
  redis_key list;
  const au_slice args[] = {slice_of("ZADD"), redis_key_customers(r->naming, &list, r->list),
                           slice_of("XX"), slice_of("0"), customer_id};
  redis_scan_send(r, args, 5, on_mended, r);
}

static void on_customers(au_status status, const redisReply *reply, void *arg) {
  redis_reconcile *r = arg;
  const redisReply *pairs;
  if (!redis_scan_arrived(r, status)) {
    /* The round ends. */
  } else if (!redis_reply_scan(reply, r->cursor, &pairs)) {
    redis_scan_give_up(r, reply);
  } else {
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
      au_slice id = redis_reply_text(pairs->element[i]);
      if (!wire_valid_id(id)) continue;
      char len = (char)(uint8_t)id.len;
      buffer_append(&r->customers, &len, 1);
      buffer_append_slice(&r->customers, id);
      mend_tick(r, id, pairs->element[i + 1]);
    }
    if (r->customers.failed) r->failed = true;
  }
  redis_scan_answered(r);
}

/* Of the lists that are on this node; after the last one the round is over. */
void redis_scan_customers(redis_reconcile *r) {
  const redis_store *s = r->node->store;
  size_t groups = redis_keys_groups(r->naming);
  while (r->list < groups && redis_store_list_node(s, r->list) != r->node) r->list++;
  if (r->list == groups) {
    r->next = STEP_NONE;
    return;
  }
  redis_key list;
  redis_number count;
  const au_slice args[] = {slice_of("ZSCAN"), redis_key_customers(r->naming, &list, r->list),
                           slice_of(r->cursor), slice_of("COUNT"),
                           redis_number_text(&count, REDIS_SCAN_COUNT)};
  buffer_clear(&r->customers);
  redis_scan_send(r, args, 5, on_customers, r);
  r->next = STEP_MEMBERS;
}

/* Fills the places of readers that are done with customers of the page. */
static void fill_group(redis_reconcile *r) {
  size_t kept = 0, used = 0;
  for (size_t i = 0; i < r->readers; i++)
    if (!r->group[i].done) r->group[kept++] = r->group[i];
  while (kept < REDIS_SCAN_GROUP && used < r->customers.len) {
    uint8_t len = (uint8_t)r->customers.ptr[used];
    redis_index_reader *reader = &r->group[kept++];
    *reader = (redis_index_reader){.owner = r, .id_len = len, .cursor = "0"};
    memcpy(reader->id, r->customers.ptr + used + 1, len);
    used += 1 + (size_t)len;
  }
  buffer_consume(&r->customers, used);
  r->readers = kept;
}

/* Only another program can have written a member that is no session id, and no key would
 * ever say that it is gone. */
static void remove_odd(redis_index_reader *reader, au_slice member) {
  redis_reconcile *r = reader->owner;
  au_slice customer_id = {reader->id, reader->id_len};
  redis_key index;
  const au_slice args[] = {slice_of("ZREM"), redis_key_index(r->naming, &index, customer_id),
                           member};
  redis_scan_send(r, args, 3, on_mended, r);
  redis_store_changed(r->node->store, customer_id);
}

/* The live members of a page, those with a deadline that is no number among them: their keys
 * tell. One that would make the batch too large is asked for again with the next. */
static void take_members(redis_index_reader *reader, const redisReply *pairs,
                         const char cursor[REDIS_CURSOR_SIZE]) {
  redis_reconcile *r = reader->owner;
  size_t n = pairs->elements / 2;
  if (r->count > 0 && r->count + n > REDIS_SCAN_BATCH_MAX) return;
  for (size_t i = 0; i < n; i++) {
    au_slice id = redis_reply_text(pairs->element[2 * i]);
    double score_ms;
    if (redis_reply_number(pairs->element[2 * i + 1], &score_ms) && score_ms <= (double)r->asked_ms)
      continue;
    if (wire_valid_id(id))
      redis_scan_add(r, (au_slice){reader->id, reader->id_len}, id);
    else
      remove_odd(reader, id);
  }
  memcpy(reader->cursor, cursor, REDIS_CURSOR_SIZE);
  reader->done = strcmp(cursor, "0") == 0;
  r->keys += n > 0 ? (uint32_t)n : 1;
}

/* An index that is none (somebody's key of that name) has no members. */
static void on_members(au_status status, const redisReply *reply, void *arg) {
  redis_index_reader *reader = arg;
  const redisReply *pairs;
  char cursor[REDIS_CURSOR_SIZE];
  if (redis_scan_arrived(reader->owner, status)) {
    if (redis_reply_scan(reply, cursor, &pairs))
      take_members(reader, pairs, cursor);
    else
      reader->done = true;
  }
  redis_scan_answered(reader->owner);
}

/* The fewer indexes are read together, the more of each: one step is always about
 * REDIS_SCAN_COUNT members. */
void redis_scan_members(redis_reconcile *r) {
  redis_scan_clear(r);
  fill_group(r);
  if (r->readers == 0) {
    if (strcmp(r->cursor, "0") == 0) r->list++;
    r->next = STEP_CUSTOMERS;
    return;
  }
  r->asked_ms = redis_node_now_ms(r->node);
  for (size_t i = 0; i < r->readers; i++) {
    redis_index_reader *reader = &r->group[i];
    redis_key index;
    redis_number count;
    const au_slice args[] = {
        slice_of("ZSCAN"),
        redis_key_index(r->naming, &index, (au_slice){reader->id, reader->id_len}),
        slice_of(reader->cursor), slice_of("COUNT"),
        redis_number_text(&count, (int64_t)(REDIS_SCAN_COUNT / r->readers))};
    redis_scan_send(r, args, 5, on_members, reader);
  }
  r->next = STEP_EXISTS;
}

static void on_exists(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  if (redis_scan_arrived(it->owner, status))
    it->missing = reply->type == REDIS_REPLY_INTEGER && reply->integer == 0;
  redis_scan_answered(it->owner);
}

static void finish_batch(redis_reconcile *r) {
  r->pause = true;
  r->next = redis_scan_has_more(r) ? STEP_EXISTS : STEP_MEMBERS;
}

void redis_scan_exists(redis_reconcile *r) {
  if (!redis_scan_next_batch(r)) { /* no live members */
    finish_batch(r);
    return;
  }
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    redis_key key;
    const au_slice args[] = {
        slice_of("EXISTS"),
        redis_key_presence(r->naming, &key, redis_item_customer(it), redis_item_session(it))};
    redis_scan_send(r, args, 2, on_exists, it);
  }
  r->next = STEP_DROP;
}

/* A Redis that was not told of a session, or half of it, is no reason to forget it here. */
static void on_dropped(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  redis_store *s = it->owner->node->store;
  if (redis_scan_arrived(it->owner, status) && reply->type == REDIS_REPLY_INTEGER &&
      reply->integer > 0) {
    if (redis_node_is_whole(it->owner->node))
      (void)presence_table_drop(s->table, redis_item_customer(it), redis_item_session(it));
    redis_store_changed(s, redis_item_customer(it));
  }
  redis_scan_answered(it->owner);
}

void redis_scan_drop(redis_reconcile *r) {
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    if (!it->missing) continue;
    redis_key index, key;
    const au_slice args[] = {
        slice_of("EVAL"),
        slice_of(REDIS_SCRIPT_DROP),
        slice_of("2"),
        redis_key_presence(r->naming, &key, redis_item_customer(it), redis_item_session(it)),
        redis_key_index(r->naming, &index, redis_item_customer(it)),
        redis_item_session(it)};
    redis_scan_send(r, args, 6, on_dropped, it);
  }
  finish_batch(r);
}

/* The second half of a round: from the indexes to the presence keys. */
#include "adapters/redis/protocol/index_score.h"
#include "adapters/redis/protocol/scripts.h"
#include "passes.h"
#include "wire/wire.h"

#include <string.h>

/* A last tick that lies ahead is of a clock that was set back since, and nobody would be due
 * before the clock comes there again. */
static void mend_tick(redis_scan *r, au_slice customer_id, const redisReply *score) {
  double ticked_ms;
  int64_t ahead_ms = redis_node_now_ms(r->node) + r->config.config->ema_interval_ms;
  if (redis_reply_number(score, &ticked_ms) && ticked_ms <= (double)ahead_ms) return;
  redis_key list;
  const au_slice args[] = {slice_of("ZADD"), redis_key_customers(r->naming, &list, r->list),
                           slice_of("XX"), slice_of("0"), customer_id};
  redis_batch_send(r, args, 5, redis_batch_on_mended, r);
}

/* Members that are too long to be sent here, of a page. */
static void clean(redis_scan *r, au_slice key, const char *cursor, size_t page) {
  redis_number count;
  const au_slice args[] = {slice_of("EVAL"), slice_of(REDIS_SCRIPT_CLEAN),
                           slice_of("1"),    key,
                           slice_of(cursor), redis_number_text(&count, (int64_t)page)};
  redis_batch_skip_foreign(r, "a member is too long to be an id");
  redis_batch_send(r, args, 6, redis_batch_on_mended, r);
}

static void take_customer(redis_scan *r, au_slice id) {
  size_t before = r->customers.len;
  char len = (char)(uint8_t)id.len;
  buffer_append(&r->customers, &len, 1);
  buffer_append_slice(&r->customers, id);
  if (!r->customers.failed) return;
  r->customers.failed = false;
  r->customers.len = before;
  redis_batch_skip(r, au_status_text(AU_ENOMEM));
}

static void on_customers(au_status status, const redisReply *reply, void *arg) {
  redis_scan *r = arg;
  char asked[REDIS_CURSOR_SIZE];
  memcpy(asked, r->cursor, sizeof asked);
  const redisReply *pairs = redis_batch_page(r, status, reply, r->cursor);
  bool too_long = false;
  for (size_t i = 0; pairs && i + 1 < pairs->elements; i += 2) {
    au_slice id = redis_reply_text(pairs->element[i]);
    too_long = too_long || redis_batch_is_too_long(pairs->element[i]);
    if (!wire_valid_id(id)) continue;
    take_customer(r, id);
    mend_tick(r, id, pairs->element[i + 1]);
  }
  redis_key list;
  if (too_long) clean(r, redis_key_customers(r->naming, &list, r->list), asked, REDIS_SCAN_COUNT);
  redis_batch_answered(r);
}

/* Of the lists that are on this node; after the last one the round is over. */
void redis_index_pass_customers(redis_scan *r) {
  size_t groups = redis_keys_groups(r->naming);
  while (r->list < groups && redis_batch_list_node(r, r->list) != r->node) r->list++;
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
  redis_batch_send_page(r, args, 5, on_customers);
  r->next = STEP_MEMBERS;
}

/* Fills the places of readers that are done with customers of the page. */
static void fill_group(redis_scan *r) {
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
  redis_scan *r = reader->owner;
  au_slice customer_id = {reader->id, reader->id_len};
  redis_key index;
  const au_slice args[] = {slice_of("ZREM"), redis_key_index(r->naming, &index, customer_id),
                           member};
  redis_batch_send(r, args, 3, redis_batch_on_mended, r);
  redis_batch_changed(r, customer_id);
}

static void remove_too_long(redis_index_reader *reader) {
  redis_scan *r = reader->owner;
  au_slice customer_id = {reader->id, reader->id_len};
  redis_key index;
  clean(r, redis_key_index(r->naming, &index, customer_id), reader->cursor,
        REDIS_SCAN_COUNT / r->readers);
  redis_batch_changed(r, customer_id);
}

/* The live members of a page, those with a deadline that is no number among them: their keys
 * tell. One that would make the batch too large is asked for again with the next. */
static void take_members(redis_index_reader *reader, const redisReply *pairs,
                         const char cursor[REDIS_CURSOR_SIZE]) {
  redis_scan *r = reader->owner;
  size_t n = pairs->elements / 2;
  bool too_long = false;
  if (r->count > 0 && r->count + n > REDIS_SCAN_BATCH_MAX) return;
  for (size_t i = 0; i < n; i++) {
    au_slice id = redis_reply_text(pairs->element[2 * i]);
    double score;
    too_long = too_long || redis_batch_is_too_long(pairs->element[2 * i]);
    if (redis_reply_score(pairs->element[2 * i + 1], &score) &&
        redis_score_deadline(score) <= (double)r->asked_ms)
      continue;
    if (wire_valid_id(id))
      redis_batch_add(r, (au_slice){reader->id, reader->id_len}, id);
    else if (id.len > 0)
      remove_odd(reader, id);
  }
  if (too_long) remove_too_long(reader);
  memcpy(reader->cursor, cursor, REDIS_CURSOR_SIZE);
  reader->done = strcmp(cursor, "0") == 0;
  r->keys += n > 0 ? (uint32_t)n : 1;
}

/* A key of that name which is no index has no members. */
static void on_members(au_status status, const redisReply *reply, void *arg) {
  redis_index_reader *reader = arg;
  redis_scan *r = reader->owner;
  const redisReply *pairs;
  char cursor[REDIS_CURSOR_SIZE];
  bool goes_on = redis_batch_arrived(r, status, reply) && redis_batch_read(reply, cursor, &pairs) &&
                 (strcmp(cursor, "0") == 0 || strcmp(cursor, reader->cursor) != 0);
  if (goes_on)
    take_members(reader, pairs, cursor);
  else
    reader->done = true;
  redis_batch_answered(r);
}

/* The fewer indexes are read together, the more of each: one step is always about
 * REDIS_SCAN_COUNT members. */
void redis_index_pass_members(redis_scan *r) {
  redis_batch_clear(r);
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
    redis_batch_send(r, args, 5, on_members, reader);
  }
  r->next = STEP_EXISTS;
}

/* Of a slot that moves, keys may be here and there: Redis refuses to answer for all of them. */
static void on_exist(au_status status, const redisReply *reply, void *arg) {
  redis_item *first = arg;
  redis_scan *r = first->owner;
  bool all =
      status == AU_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == first->together;
  if (status != AU_OK) (void)redis_batch_arrived(r, status, reply);
  for (size_t i = 0; i < first->together && !all; i++) first[i].suspect = true;
  redis_batch_answered(r);
}

static void ask_exist(redis_scan *r, redis_item *first, size_t n) {
  redis_key keys[REDIS_SCAN_TOGETHER];
  au_slice args[1 + REDIS_SCAN_TOGETHER] = {slice_of("EXISTS")};
  for (size_t i = 0; i < n; i++) args[1 + i] = redis_item_key(first + i, &keys[i]);
  first->together = (uint8_t)n;
  redis_batch_send(r, args, 1 + n, on_exist, first);
}

static void finish_batch(redis_scan *r) {
  r->pause = true;
  r->next = redis_batch_has_more(r) ? STEP_EXISTS : STEP_MEMBERS;
}

/* Mostly all keys are there, and Redis says how many are. */
void redis_index_pass_exists(redis_scan *r) {
  if (!redis_batch_next(r)) { /* no live members */
    finish_batch(r);
    return;
  }
  for (size_t i = r->begin, n; i < r->end; i += n) {
    n = redis_batch_together(r, i, !r->naming->tagged);
    ask_exist(r, &r->items[i], n);
  }
  r->next = STEP_PROBE;
}

static void on_exists(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  if (redis_batch_arrived(it->owner, status, reply))
    it->missing = reply->type == REDIS_REPLY_INTEGER && reply->integer == 0;
  redis_batch_answered(it->owner);
}

void redis_index_pass_probe(redis_scan *r) {
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    if (!it->suspect) continue;
    redis_key key;
    const au_slice args[] = {slice_of("EXISTS"), redis_item_key(it, &key)};
    redis_batch_send(r, args, 2, on_exists, it);
  }
  r->next = STEP_DROP;
}

static void on_dropped(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  redis_scan *r = it->owner;
  if (redis_batch_arrived(r, status, reply) && reply->type == REDIS_REPLY_INTEGER &&
      reply->integer > 0) {
    r->config.session_gone(r->config.arg, redis_item_customer(it), redis_item_session(it));
    redis_batch_changed(r, redis_item_customer(it));
  }
  redis_batch_answered(r);
}

void redis_index_pass_drop(redis_scan *r) {
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    if (!it->missing) continue;
    redis_key index, key;
    const au_slice args[] = {slice_of("EVAL"),
                             slice_of(REDIS_SCRIPT_DROP),
                             slice_of("2"),
                             redis_item_key(it, &key),
                             redis_key_index(r->naming, &index, redis_item_customer(it)),
                             redis_item_session(it)};
    redis_batch_send(r, args, 6, on_dropped, it);
  }
  finish_batch(r);
}

/* The first half of a round: from the presence keys to the index. */
#include "adapters/redis/protocol/index_score.h"
#include "passes.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

/* A deadline in the index that differs less from the end of its key is left alone. */
enum { SLACK_MS = 1000 };

static void on_scanned(au_status status, const redisReply *reply, void *arg) {
  redis_scan *r = arg;
  const redisReply *keys = redis_batch_page(r, status, reply, r->cursor);
  for (size_t i = 0; keys && i < keys->elements; i++) {
    au_slice customer_id, session_id;
    if (redis_batch_is_too_long(keys->element[i]))
      redis_batch_skip_foreign(r, "the name of a key is too long to be one of ours");
    else if (redis_key_is_presence(r->naming, redis_reply_text(keys->element[i]), &customer_id,
                                   &session_id))
      redis_batch_add(r, customer_id, session_id);
  }
  size_t looked = keys && keys->elements > REDIS_SCAN_COUNT ? keys->elements : REDIS_SCAN_COUNT;
  r->keys += (uint32_t)looked;
  redis_batch_answered(r);
}

/* The cursor of the first page is "0", and so is the one after the last. */
void redis_keys_pass_scan(redis_scan *r) {
  redis_number count;
  const au_slice args[] = {slice_of("SCAN"),  slice_of(r->cursor),
                           slice_of("MATCH"), slice_of(REDIS_KEY_PRESENCES),
                           slice_of("COUNT"), redis_number_text(&count, REDIS_SCAN_COUNT),
                           slice_of("TYPE"),  slice_of("string")};
  redis_batch_clear(r);
  redis_batch_send_page(r, args, 8, on_scanned);
  r->next = STEP_CHECK;
}

/* The scores of some items, in their order; nil: not in the index. */
static void on_scores(au_status status, const redisReply *reply, void *arg) {
  redis_item *first = arg;
  redis_scan *r = first->owner;
  bool has_them = redis_batch_arrived(r, status, reply) && reply->type == REDIS_REPLY_ARRAY &&
                  reply->elements == first->together;
  for (size_t i = 0; has_them && i < reply->elements; i++) {
    redis_item *it = first + i;
    double score;
    if (!redis_reply_score(reply->element[i], &score)) continue;
    it->indexed = true;
    it->visitor = redis_score_visitor(score);
    it->score_ms = redis_score_deadline(score);
  }
  redis_batch_answered(r);
}

static void on_ttl(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  bool is_there = redis_batch_arrived(it->owner, status, reply) &&
                  reply->type == REDIS_REPLY_INTEGER && reply->integer >= -1;
  it->missing = !is_there;
  it->ttl_ms = is_there ? reply->integer : 0;
  redis_batch_answered(it->owner);
}

/* Goes on with the rest of the page, the next page or the other half of the round, whose
 * first part has no pauses either. */
static void finish_batch(redis_scan *r) {
  r->pause = true;
  if (redis_batch_has_more(r)) {
    r->next = STEP_CHECK;
  } else if (strcmp(r->cursor, "0") != 0) {
    r->next = STEP_SCAN;
  } else {
    r->next = STEP_CUSTOMERS;
    r->list = 0;
    r->keys = 0;
  }
}

static int by_customer(const void *a, const void *b) {
  au_slice left = redis_item_customer(a), right = redis_item_customer(b);
  if (left.len != right.len) return left.len < right.len ? -1 : 1;
  return memcmp(left.ptr, right.ptr, left.len);
}

/* Asks for the scores of items of one customer. */
static void ask_scores(redis_scan *r, redis_item *first, size_t n) {
  redis_key index;
  au_slice args[2 + REDIS_SCAN_TOGETHER] = {
      slice_of("ZMSCORE"), redis_key_index(r->naming, &index, redis_item_customer(first))};
  for (size_t i = 0; i < n; i++) args[2 + i] = redis_item_session(first + i);
  first->together = (uint8_t)n;
  redis_batch_send(r, args, 2 + n, on_scores, first);
}

/* A page comes in no order: together, a customer's sessions take one command, and its listing
 * too. */
void redis_keys_pass_check(redis_scan *r) {
  if (!redis_batch_next(r)) { /* a page without presence keys */
    finish_batch(r);
    return;
  }
  qsort(r->items + r->begin, r->end - r->begin, sizeof *r->items, by_customer);
  r->asked_ms = redis_node_now_ms(r->node);
  for (size_t i = r->begin, n; i < r->end; i += n) {
    n = redis_batch_together(r, i, false);
    ask_scores(r, &r->items[i], n);
  }
  for (size_t i = r->begin; i < r->end; i++) {
    redis_item *it = &r->items[i];
    redis_key key;
    const au_slice ttl[] = {slice_of("PTTL"), redis_item_key(it, &key)};
    redis_batch_send(r, ttl, 2, on_ttl, it);
  }
  r->next = STEP_MEND;
}

/* When the key ends, on Redis's clock; a key that had no end is given one. */
static int64_t deadline_of(const redis_item *it) {
  int64_t left_ms =
      it->ttl_ms >= 0 ? it->ttl_ms : (int64_t)it->owner->config.config->presence_ttl_s * 1000;
  return it->owner->asked_ms + left_ms;
}

static void give_end(redis_scan *r, const redis_item *it) {
  redis_key key;
  redis_number ttl;
  const au_slice args[] = {slice_of("EXPIRE"), redis_item_key(it, &key),
                           redis_number_text(&ttl, r->config.config->presence_ttl_s)};
  redis_batch_send(r, args, 3, redis_batch_on_mended, r);
}

/* GT: a beat that came since is not shortened. It adds a member that is not there. */
static void send_deadline(redis_scan *r, const redis_item *it, redis_reply_fn cb, void *arg) {
  redis_key index;
  redis_number score;
  const au_slice args[] = {
      slice_of("ZADD"), redis_key_index(r->naming, &index, redis_item_customer(it)), slice_of("GT"),
      redis_number_text(&score, deadline_of(it) + redis_score_base(it->visitor)),
      redis_item_session(it)};
  redis_batch_send(r, args, 5, cb, arg);
}

/* Every customer that has a key is listed, whatever happened to the list: once for each run
 * of keys of the same customer. */
static void list_customer(redis_scan *r, const redis_item *it, const redis_item **last) {
  bool is_new = !*last || !slice_eq(redis_item_customer(*last), redis_item_customer(it));
  *last = it;
  if (is_new) redis_batch_list(r, redis_item_customer(it), redis_batch_on_mended, r);
}

static void on_value(au_status status, const redisReply *reply, void *arg) {
  redis_item *it = arg;
  wire_beat foreign;
  if (redis_batch_arrived(it->owner, status, reply) && reply->type == REDIS_REPLY_STRING) {
    it->fetched =
        wire_parse_presence(redis_reply_text(reply), it->owner->asked_ms, &foreign) == AU_OK;
    if (it->fetched) it->visitor = foreign.beat.visitor;
    if (!it->fetched) it->owner->config.counters->store_foreign++;
  }
  redis_batch_answered(it->owner);
}

static void fetch(redis_scan *r, redis_item *it) {
  redis_key key;
  redis_command read;
  redis_command_read(&read, redis_item_key(it, &key), REDIS_VALUE_MAX_BYTES);
  redis_batch_send(r, read.words, read.count, on_value, it);
}

static void mend_indexed(redis_scan *r, const redis_item *it) {
  if (it->ttl_ms < 0) give_end(r, it);
  if ((double)deadline_of(it) - it->score_ms <= SLACK_MS) return;
  send_deadline(r, it, redis_batch_on_mended, r);
  if (it->score_ms <= (double)r->asked_ms) redis_batch_changed(r, redis_item_customer(it));
}

void redis_keys_pass_mend(redis_scan *r) {
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
  if (redis_batch_arrived(it->owner, status, reply) && reply->type == REDIS_REPLY_INTEGER &&
      reply->integer > 0)
    redis_batch_changed(it->owner, redis_item_customer(it));
  redis_batch_answered(it->owner);
}

void redis_keys_pass_add(redis_scan *r) {
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

/* A batch of a round: what is sent, what is kept of the answers. */
#include "batch.h"

#include "utils/log.h"

#include <stdlib.h>
#include <string.h>

void redis_batch_skip(redis_scan *r, const char *reason) {
  if (r->skipped++ == 0) r->skip_reason = reason;
}

void redis_batch_skip_foreign(redis_scan *r, const char *reason) {
  r->config.counters->store_foreign++;
  redis_batch_skip(r, reason);
}

/* Another server may be lost while the one of the round serves. */
static void not_sent(redis_scan *r, au_status status) {
  if (redis_node_is_connected(r->node))
    redis_batch_skip(r, au_status_text(status));
  else
    r->failed = true;
}

static void send_to(redis_scan *r, redis_node *node, const au_slice *args, size_t n,
                    redis_reply_fn cb, void *arg) {
  if (r->failed) return;
  au_status status = node ? redis_router_send(r->config.router, node, args, n, cb, arg) : AU_ESTORE;
  if (status == AU_OK)
    r->pending++;
  else
    not_sent(r, status);
}

redis_node *redis_batch_list_node(const redis_scan *r, size_t group) {
  redis_key key;
  au_slice list = redis_key_customers(r->naming, &key, group);
  return redis_router_node(r->config.router, redis_router_slot_of(r->config.router, list));
}

void redis_batch_send(redis_scan *r, const au_slice *args, size_t n, redis_reply_fn cb, void *arg) {
  send_to(r, r->node, args, n, cb, arg);
}

void redis_batch_list(redis_scan *r, au_slice customer_id, redis_reply_fn cb, void *arg) {
  size_t group = redis_keys_group_of(r->naming, customer_id);
  redis_command list;
  redis_command_list(&list, r->naming, customer_id);
  send_to(r, redis_batch_list_node(r, group), list.words, list.count, cb, arg);
}

bool redis_batch_arrived(redis_scan *r, au_status status, const redisReply *reply) {
  if (status != AU_OK) {
    not_sent(r, status);
  } else if (redis_reply_is_error(reply)) {
    r->config.counters->store_errors++;
    redis_batch_skip(r, redis_reply_refusal(reply).reason);
  } else {
    return !r->failed;
  }
  return false;
}

void redis_batch_answered(redis_scan *r) {
  if (--r->pending == 0) r->step_done(r);
}

static void refuse_page(redis_scan *r, const char *reason) {
  r->refused = reason;
  if (!r->refusal_logged)
    log_warn("redis", "scan refused", LOG_STR("host", redis_node_endpoint(r->node)->host),
             LOG_INT("port", redis_node_endpoint(r->node)->port), LOG_STR("reason", reason));
  r->refusal_logged = true;
}

void redis_batch_send_page(redis_scan *r, const au_slice *args, size_t n, redis_reply_fn cb) {
  uint32_t before = r->pending;
  redis_batch_send(r, args, n, cb, r);
  if (r->pending > before || r->failed) return;
  refuse_page(r, "a command of the scan could not be sent");
  memcpy(r->cursor, "0", 2);
}

const redisReply *redis_batch_page(redis_scan *r, au_status status, const redisReply *reply,
                                   char cursor[REDIS_CURSOR_SIZE]) {
  const redisReply *elements;
  char asked[REDIS_CURSOR_SIZE];
  memcpy(asked, cursor, sizeof asked);
  if (status != AU_OK) {
    not_sent(r, status);
    if (!r->failed) refuse_page(r, au_status_text(status));
  } else if (!redis_batch_read(reply, cursor, &elements)) {
    r->config.counters->store_errors++;
    refuse_page(r, redis_reply_refusal(reply).reason);
  } else if (strcmp(cursor, "0") != 0 && strcmp(cursor, asked) == 0) {
    refuse_page(r, "redis does not go on with a scan");
  } else {
    return elements;
  }
  memcpy(cursor, "0", 2);
  return NULL;
}

void redis_batch_add(redis_scan *r, au_slice customer_id, au_slice session_id) {
  if (r->count == r->capacity) {
    size_t capacity = r->capacity ? r->capacity * 2 : (size_t)2 * REDIS_SCAN_COUNT;
    redis_item *grown = realloc(r->items, capacity * sizeof *grown);
    if (!grown) {
      redis_batch_skip(r, au_status_text(AU_ENOMEM));
      return;
    }
    r->items = grown;
    r->capacity = capacity;
  }
  size_t at = r->names.len;
  buffer_append_slice(&r->names, customer_id);
  buffer_append_slice(&r->names, session_id);
  if (r->names.failed) {
    r->names.failed = false;
    r->names.len = at;
    redis_batch_skip(r, au_status_text(AU_ENOMEM));
    return;
  }
  r->items[r->count++] = (redis_item){.owner = r,
                                      .at = at,
                                      .customer_len = (uint8_t)customer_id.len,
                                      .session_len = (uint8_t)session_id.len};
}

void redis_batch_clear(redis_scan *r) {
  r->count = r->begin = r->end = 0;
  buffer_clear(&r->names);
}

bool redis_batch_next(redis_scan *r) {
  r->begin = r->end;
  size_t left = r->count - r->begin;
  r->end = r->begin + (left < REDIS_SCAN_COUNT ? left : REDIS_SCAN_COUNT);
  return left > 0;
}

size_t redis_batch_together(const redis_scan *r, size_t i, bool mixed) {
  size_t n = 1;
  while (
      n < REDIS_SCAN_TOGETHER && i + n < r->end &&
      (mixed || slice_eq(redis_item_customer(&r->items[i + n]), redis_item_customer(&r->items[i]))))
    n++;
  return n;
}

void redis_batch_changed(redis_scan *r, au_slice customer_id) {
  r->config.changed(r->config.arg, customer_id);
}

void redis_batch_on_mended(au_status status, const redisReply *reply, void *arg) {
  redis_scan *r = arg;
  (void)redis_batch_arrived(r, status, reply);
  redis_batch_answered(r);
}

/* One operation: where it goes, what is missing, how it ends. */
#include "op.h"

#include "utils/log.h"
#include "utils/time.h"
#include "wire/wire.h"

uint16_t redis_store_list_slot(const redis_store *s, size_t group) {
  redis_key key;
  if (redis_router_slots(s->router) == 1) return 0;
  return redis_router_slot_of(s->router, redis_key_customers(&s->keys, &key, group));
}

au_status redis_op_init(redis_op *op, redis_store *s, stats_store_op kind, uint16_t slot,
                        uint32_t commands) {
  *op = (redis_op){.store = s, .kind = kind, .began_us = clock_now_us()};
  return redis_router_admits(s->router, slot, commands, &op->node);
}

void redis_op_send(redis_op *op, const au_slice *args, size_t n, redis_reply_fn cb, void *arg) {
  if (op->status != AU_OK) return;
  redis_node_set_can_wait(op->node, op->can_wait);
  op->status = redis_router_send(op->store->router, op->node, args, n, cb, arg);
  redis_node_set_can_wait(op->node, false);
  if (op->status == AU_OK) op->pending++;
}

au_status redis_op_begun(redis_op *op) {
  if (op->pending == 0) return op->status;
  redis_node_ref(op->node);
  return AU_OK;
}

bool redis_op_take(redis_op *op, au_status status, const redisReply *reply, redis_want want) {
  op->pending--;
  status = redis_node_check(op->node, status, reply, want);
  if (op->status == AU_OK) op->status = status;
  return status == AU_OK;
}

void redis_op_read(redis_op *op, au_slice key, size_t max_bytes, redis_reply_fn cb, void *arg) {
  redis_command read;
  redis_command_read(&read, key, max_bytes);
  redis_op_send(op, read.words, read.count, cb, arg);
}

bool redis_op_take_text(redis_op *op, au_status status, const redisReply *reply, au_slice *text) {
  if (status == AU_OK && redis_reply_is_error_code(reply, "WRONGTYPE")) {
    op->pending--;
    *text = slice_of("");
    return true;
  }
  if (!redis_op_take(op, status, reply, REDIS_WANT_TEXT)) return false;
  *text = redis_reply_text(reply);
  return true;
}

void redis_op_end(redis_op *op) {
  stats *counters = op->store->counters;
  if (!op->can_wait) /* what waits by intention would look like a slow store */
    stats_observe(&counters->store_ops[op->kind], (uint64_t)(clock_now_us() - op->began_us));
  if (op->status != AU_OK && op->status != AU_ECANCELED) counters->store_op_errors[op->kind]++;
  redis_node_unref(op->node);
}

/* Where privacy is strict no record says what its session looks at. */
void redis_store_print_session(redis_store *s, const au_beat *beat, int64_t updated_ms) {
  au_beat stored = *beat;
  if (s->config->privacy == AU_PRIVACY_STRICT) {
    stored.page = (au_slice){0};
    stored.visibility = AU_VISIBILITY_UNKNOWN;
  }
  buffer_clear(&s->value);
  wire_print_presence(&s->value, &stored, updated_ms);
}

void redis_store_send(redis_store *s, redis_node *n, const au_slice *args, size_t count) {
  if (redis_router_send(s->router, n, args, count, redis_ignore, NULL) != AU_OK)
    log_debug("redis", "a command is left out", LOG_STR("command", args[0].ptr));
}

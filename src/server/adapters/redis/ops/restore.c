/* Writes that are repeated after a loss: one script for each, with its times on Redis's clock, so
 * that what happened later elsewhere stays. */
#include "adapters/redis/protocol/command.h"
#include "adapters/redis/protocol/scripts.h"
#include "op.h"
#include "wire/wire.h"

#include <stdlib.h>

/* Not counted as an operation in flight: no caller waits for it. */
typedef struct restore {
  redis_node *node; /* referenced */
  union {
    au_done_fn done;
    shared_left_fn left;
  } cb;
  void *arg;
  uint32_t pending; /* answers that are missing */
  au_status status; /* the first failure */
} restore;

/* `status` says why there is none. */
static restore *restore_create(redis_store *s, uint16_t slot, void *arg, au_status *status) {
  redis_node *n = redis_router_node(s->router, slot);
  restore *w = n ? calloc(1, sizeof *w) : NULL;
  *status = n ? AU_ENOMEM : AU_ESTORE;
  if (!w) return NULL;
  w->node = n;
  w->arg = arg;
  redis_node_ref(n);
  return w;
}

static void restore_free(restore *w) {
  redis_node_unref(w->node);
  free(w);
}

static void take_answer(restore *w, au_status status, const redisReply *reply) {
  status = redis_node_check(w->node, status, reply, REDIS_WANT_INTEGER);
  if (w->status == AU_OK) w->status = status;
  w->pending--;
}

static void on_answer(au_status status, const redisReply *reply, void *arg) {
  restore *w = arg;
  take_answer(w, status, reply);
  if (w->pending > 0) return;
  w->cb.done(w->status, w->arg);
  restore_free(w);
}

static void on_left(au_status status, const redisReply *reply, void *arg) {
  restore *w = arg;
  take_answer(w, status, reply);
  w->cb.left(w->status, w->status == AU_OK ? (shared_leave)reply->integer : SHARED_LEAVE_GONE,
             w->arg);
  restore_free(w);
}

static void send_words(redis_store *s, restore *w, const au_slice *words, size_t count,
                       redis_reply_fn cb) {
  if (w->status != AU_OK) return;
  w->status = redis_router_send(s->router, w->node, words, count, cb, w);
  if (w->status == AU_OK) w->pending++;
}

static void send_list(redis_store *s, restore *w, au_slice customer_id) {
  redis_command list;
  redis_command_list(&list, &s->keys, customer_id);
  send_words(s, w, list.words, list.count, on_answer);
}

static au_status begun(restore *w) {
  au_status status = w->pending > 0 ? AU_OK : w->status;
  if (status != AU_OK) restore_free(w);
  return status;
}

au_status redis_restore_session(shared_store *store, const shared_session *session, bool list,
                                au_done_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  const au_beat *beat = session->beat;
  au_status status;
  restore *w = restore_create(s, redis_store_slot(s, beat->customer_id), arg, &status);
  if (!w) return status;
  w->cb.done = cb;
  int64_t ahead_ms = redis_node_ahead_ms(w->node);
  int64_t renewed_ms = session->renewed_ms + ahead_ms;
  redis_store_print_session(s, beat, renewed_ms);
  if (s->value.failed) w->status = AU_ENOMEM;
  redis_command replay;
  redis_command_replay(&replay, &s->keys, beat, buffer_slice(&s->value),
                       session->deadline_ms - clock_mono_ms(s->clock),
                       session->deadline_ms + ahead_ms, renewed_ms - REDIS_CLOCK_SLACK_MS,
                       renewed_ms + REDIS_CLOCK_SLACK_MS);
  send_words(s, w, replay.words, replay.count, on_answer);
  if (list) send_list(s, w, beat->customer_id);
  return begun(w);
}

static int64_t redis_time(const redis_node *n, int64_t ms) {
  return ms < 0 ? REDIS_NO_TIME : ms + redis_node_ahead_ms(n);
}

au_status redis_restore_leave(shared_store *store, const shared_late_leave *leave,
                              shared_left_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  restore *w = restore_create(s, redis_store_slot(s, leave->who->customer_id), arg, &status);
  if (!w) return status;
  w->cb.left = cb;
  int64_t at_ms = leave->at_ms + redis_node_ahead_ms(w->node);
  redis_command c;
  redis_command_leave(&c, &s->keys, leave->who, at_ms + REDIS_CLOCK_SLACK_MS, at_ms,
                      redis_store_ttl_ms(s), redis_time(w->node, leave->held_ms));
  send_words(s, w, c.words, c.count, on_left);
  return begun(w);
}

/* Of a grace what is left since the socket disconnected. */
au_status redis_restore_shorten(shared_store *store, const shared_late_leave *leave,
                                int64_t grace_ms, au_done_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  restore *w = restore_create(s, redis_store_slot(s, leave->who->customer_id), arg, &status);
  if (!w) return status;
  w->cb.done = cb;
  int64_t ahead_ms = redis_node_ahead_ms(w->node), end_ms = leave->at_ms + grace_ms;
  int64_t left_ms = end_ms - clock_mono_ms(s->clock);
  redis_command c;
  redis_command_shorten(&c, &s->keys, leave->who, leave->at_ms + ahead_ms + REDIS_CLOCK_SLACK_MS,
                        left_ms > 1 ? left_ms : 1, end_ms + ahead_ms,
                        redis_time(w->node, leave->held_ms));
  send_words(s, w, c.words, c.count, on_answer);
  return begun(w);
}

au_status redis_restore_average(shared_store *store, au_slice customer_id, double ema,
                                int64_t ticked_ms, bool list, au_done_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  au_status status;
  restore *w = restore_create(s, redis_store_slot(s, customer_id), arg, &status);
  if (!w) return status;
  w->cb.done = cb;
  buffer_clear(&s->value);
  wire_print_number(&s->value, ema);
  if (s->value.failed) w->status = AU_ENOMEM;
  redis_key key, tick;
  redis_number ticked;
  const au_slice args[] = {slice_of("EVAL"),
                           slice_of(REDIS_SCRIPT_RESTORE),
                           slice_of("2"),
                           redis_key_ema(&s->keys, &key, customer_id),
                           redis_key_tick(&s->keys, &tick, customer_id),
                           buffer_slice(&s->value),
                           redis_number_text(&ticked, ticked_ms)};
  send_words(s, w, args, 7, on_answer);
  if (list) send_list(s, w, customer_id);
  return begun(w);
}

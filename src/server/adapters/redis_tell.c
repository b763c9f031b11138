/* One script for each act, with its times on Redis's clock. Must not know what else is owed. */
#include "redis_tell.h"

#include "../utils/buffer.h"
#include "../wire.h"
#include "redis_command.h"
#include "redis_local.h"
#include "redis_script.h"
#include "redis_store.h"

#include <stdlib.h>

typedef struct telling {
  redis_node *node;
  redis_told_fn cb;
  void *arg;
  uint32_t pending; /* answers that are missing */
  redis_told told;  /* the worst of those that came */
  redis_act act;
} telling;

/* A refusal of one key leaves the node serving. */
static redis_told outcome(redis_node *n, au_status status, const redisReply *reply) {
  if (redis_node_check(n, status, reply, REDIS_WANT_INTEGER) == AU_OK) return REDIS_TOLD;
  return redis_node_serves(n) ? REDIS_TOLD_IN_VAIN : REDIS_NOT_TOLD;
}

static void take_answer(telling *t, redis_told told) {
  if (told > t->told) t->told = told;
  if (--t->pending > 0) return;
  t->cb(t->told, &t->act, t->arg);
  free(t);
}

static void on_answer(au_status status, const redisReply *reply, void *arg) {
  telling *t = arg;
  take_answer(t, outcome(t->node, status, reply));
}

/* A touch that was answered before this was sent before it: the session is over. */
static void on_ending(au_status status, const redisReply *reply, void *arg) {
  telling *t = arg;
  redis_told told = outcome(t->node, status, reply);
  if (told == REDIS_TOLD && t->act.kind == REDIS_ACT_LEAVE)
    (void)redis_local_answered(t->node, &t->act, reply->integer);
  take_answer(t, told);
}

static au_status issue(telling *t, const redis_command *c, redis_reply_fn answered) {
  au_status status = redis_node_command(t->node, c->words, c->count, answered, t);
  if (status == AU_OK) t->pending++;
  return status;
}

static telling *telling_create(redis_node *n, const redis_act *act, redis_told_fn cb, void *arg) {
  telling *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->node = n;
  t->cb = cb;
  t->arg = arg;
  redis_act_copy(&t->act, act);
  return t;
}

au_status redis_tell_session(redis_node *n, const presence_live *live, bool lists, redis_told_fn cb,
                             void *arg) {
  redis_store *s = n->store;
  int64_t renewed_ms = live->renewed_ms + n->clock_ahead_ms;
  buffer_clear(&s->value);
  wire_print_presence(&s->value, &live->beat, renewed_ms);
  const redis_act touch = {
      .kind = REDIS_ACT_TOUCH, .at = {.ms = live->renewed_ms}, .who = live->beat};
  telling *t = s->value.failed ? NULL : telling_create(n, &touch, cb, arg);
  if (!t) return AU_ENOMEM;
  redis_command replay, list;
  redis_command_replay(&replay, &s->keys, &live->beat, buffer_slice(&s->value),
                       live->deadline_ms - redis_store_mono_ms(s),
                       live->deadline_ms + n->clock_ahead_ms, renewed_ms - REDIS_CLOCK_SLACK_MS,
                       renewed_ms + REDIS_CLOCK_SLACK_MS);
  redis_command_list(&list, &s->keys, live->beat.customer_id);
  au_status status = issue(t, &replay, on_answer);
  if (status != AU_OK) {
    free(t);
    return status;
  }
  if (lists && issue(t, &list, on_answer) != AU_OK) t->told = REDIS_NOT_TOLD;
  return AU_OK;
}

/* Of a grace, what is left since the socket vanished. */
au_status redis_tell_ending(redis_node *n, const redis_act *e, redis_told_fn cb, void *arg) {
  const redis_store *s = n->store;
  int64_t ahead_ms = n->clock_ahead_ms, at_ms = e->at.ms + ahead_ms;
  int64_t until_ms = at_ms + REDIS_CLOCK_SLACK_MS;
  int64_t held_ms = e->held_ms < 0 ? REDIS_NO_TIME : e->held_ms + ahead_ms;
  redis_command c;
  if (e->kind == REDIS_ACT_LEAVE) {
    redis_command_leave(&c, &s->keys, &e->who, until_ms, at_ms, redis_store_ttl_ms(s), held_ms);
  } else {
    int64_t end_ms = e->at.ms + s->config->disconnect_grace_ms;
    int64_t left_ms = end_ms - redis_store_mono_ms(s);
    redis_command_shorten(&c, &s->keys, &e->who, until_ms, left_ms > 1 ? left_ms : 1,
                          end_ms + ahead_ms, held_ms);
  }
  telling *t = telling_create(n, e, cb, arg);
  if (!t) return AU_ENOMEM;
  au_status status = issue(t, &c, on_ending);
  if (status != AU_OK) free(t);
  return status;
}

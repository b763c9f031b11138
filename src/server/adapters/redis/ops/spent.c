/* What all daemons of this Redis have spent of the budgets of addresses and customers.
 *
 * A hash for each minute and group, so that what is over goes by its TTL, and the work of a Cluster
 * is spread over its nodes. The batch of a second goes out at once: a script for each SPENT_ROWS
 * budgets of a group. As for the board, what goes wrong makes no node degraded. */
#include "adapters/redis/protocol/scripts.h"
#include "op.h"

#include <stdlib.h>

enum {
  SPENT_ROWS = 100, /* of one script, which takes some 0.5 ms of Redis */
  SPENT_TTL_MS = 3 * 60 * 1000,
  SPENT_HEAD = 6, /* words in front of the rows */
  MINUTE_MS = 60000,
};

typedef struct exchange {
  redis_store *store;
  au_spent *rows;
  size_t n;
  au_spent_fn cb;
  void *arg;
  int64_t minute, into_ms;
  uint32_t pending; /* answers that are missing, and the sending itself */
  size_t told;
  uint16_t *groups; /* of each row */
} exchange;

/* The rows of one script. */
typedef struct batch {
  exchange *owner;
  redis_node *node; /* referenced */
  size_t n;
  au_spent *rows[SPENT_ROWS];
} batch;

static void part_done(exchange *e) {
  if (--e->pending > 0) return;
  e->cb(e->told > 0 || e->n == 0 ? AU_OK : AU_ESTORE, e->rows, e->n, e->minute, e->into_ms, e->arg);
  free(e->groups);
  free(e);
}

static uint32_t total_of(const redisReply *reply) {
  long long n = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
  return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void on_totals(au_status status, const redisReply *reply, void *arg) {
  batch *b = arg;
  exchange *e = b->owner;
  bool is_answer =
      status == AU_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 * b->n;
  for (size_t i = 0; is_answer && i < b->n; i++) {
    b->rows[i]->is_told = true;
    b->rows[i]->total = total_of(reply->element[2 * i]);
    b->rows[i]->total_before = total_of(reply->element[2 * i + 1]);
    e->told++;
  }
  redis_node_unref(b->node);
  free(b);
  part_done(e);
}

static void send_batch(exchange *e, batch *b, size_t group) {
  redis_store *s = e->store;
  redis_key now, before;
  redis_number ttl, spent[SPENT_ROWS];
  au_slice args[SPENT_HEAD + 2 * SPENT_ROWS] = {
      slice_of("EVAL"),
      slice_of(REDIS_SCRIPT_SPENT),
      slice_of("2"),
      redis_key_spent(&s->keys, &now, group, e->minute),
      redis_key_spent(&s->keys, &before, group, e->minute - 1),
      redis_number_text(&ttl, SPENT_TTL_MS),
  };
  size_t count = SPENT_HEAD;
  for (size_t i = 0; i < b->n; i++) {
    args[count++] = b->rows[i]->name;
    args[count++] = redis_number_text(&spent[i], b->rows[i]->spent);
  }
  redis_node_ref(b->node);
  if (redis_router_send(s->router, b->node, args, count, on_totals, b) == AU_OK) {
    e->pending++;
    return;
  }
  redis_node_unref(b->node);
  free(b);
}

/* The rows of one group, from `from` on; what cannot be sent is not told. */
static void send_group(exchange *e, size_t from, size_t group) {
  batch *b = NULL;
  redis_node *node;
  if (redis_router_admits(e->store->router, redis_store_list_slot(e->store, group), 1, &node) !=
      AU_OK)
    return;
  for (size_t i = from; i < e->n; i++) {
    if (e->groups[i] != group) continue;
    e->groups[i] = UINT16_MAX;
    if (!b) b = calloc(1, sizeof *b);
    if (!b) return;
    b->owner = e;
    b->node = node;
    b->rows[b->n++] = &e->rows[i];
    if (b->n < SPENT_ROWS) continue;
    send_batch(e, b, group);
    b = NULL;
  }
  if (b) send_batch(e, b, group);
}

au_status redis_share_spent(shared_store *store, au_spent *rows, size_t n, au_spent_fn cb,
                            void *arg) {
  redis_store *s = redis_store_of(store);
  redis_node *first;
  au_status status = redis_router_admits(s->router, redis_store_list_slot(s, 0), 1, &first);
  if (status != AU_OK) return status;
  exchange *e = calloc(1, sizeof *e);
  uint16_t *groups = calloc(n + 1, sizeof *groups);
  if (!e || !groups) {
    free(e);
    free(groups);
    return AU_ENOMEM;
  }
  int64_t now_ms = redis_node_now_ms(first);
  *e = (exchange){.store = s,
                  .rows = rows,
                  .n = n,
                  .cb = cb,
                  .arg = arg,
                  .minute = now_ms / MINUTE_MS,
                  .into_ms = now_ms % MINUTE_MS,
                  .pending = 1,
                  .groups = groups};
  for (size_t i = 0; i < n; i++) groups[i] = (uint16_t)redis_keys_group_of(&s->keys, rows[i].name);
  for (size_t i = 0; i < n; i++)
    if (groups[i] != UINT16_MAX) send_group(e, i, groups[i]);
  if (e->pending == 1) { /* nothing was sent */
    free(groups);
    free(e);
    return AU_ESTORE;
  }
  part_done(e);
  return AU_OK;
}

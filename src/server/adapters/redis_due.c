/* Who ticks, and who is due: the lease of a part of the customers and its list. Must not
 * know what a tick is.
 *
 * The lease is taken by whoever asks first and kept by asking again, which every page of a
 * tick does. It guards against double work only: that nobody is ticked twice is the doing of
 * REDIS_SCRIPT_SAVE. */
#include "../wire.h"
#include "redis_script.h"
#include "redis_store.h"

#include <stdlib.h>

typedef struct listing {
  redis_op op; /* first: an op is cast to its listing */
  au_due_fn cb;
  void *arg;
  redis_waiter waiter; /* for the scan to have passed */
  bool scans_first;    /* the answer says whether to begin a round */
  uint32_t part;
  int64_t min_age_ms;
  size_t skip, max;
} listing;

static void end_due(listing *l, const au_due *due) {
  redis_op_end(&l->op);
  au_due_fn cb = l->cb;
  void *arg = l->arg;
  au_status status = l->op.status;
  free(l);
  cb(status, status == AU_OK ? due : NULL, arg);
}

static void remove_foreign(const listing *l, au_slice member) {
  redis_key list;
  const au_slice args[] = {slice_of("ZREM"),
                           redis_key_customers(&l->op.node->store->keys, &list, l->part), member};
  au_status status = redis_node_command(l->op.node, args, 3, redis_link_ignore, NULL);
  (void)status; /* the next list tells whether it is still there */
}

static void end_with(listing *l, const redisReply *reply) {
  au_slice *ids = calloc(reply->elements + 1, sizeof *ids);
  size_t n = 0;
  if (!ids) l->op.status = AU_ENOMEM;
  for (size_t i = 0; ids && i < reply->elements; i++) {
    au_slice id = redis_reply_text(reply->element[i]);
    if (wire_valid_id(id))
      ids[n++] = id;
    else
      remove_foreign(l, id);
  }
  end_due(l, &(au_due){.ids = ids, .n = n, .again_ms = -1});
  free(ids);
}

static void list_after_scan(listing *l);

static void on_due(au_status status, const redisReply *reply, void *arg) {
  listing *l = arg;
  bool refused = status == AU_OK && reply->type == REDIS_REPLY_INTEGER;
  if (!redis_op_take(&l->op, status, reply, refused ? REDIS_WANT_INTEGER : REDIS_WANT_ARRAY)) {
    end_due(l, NULL);
  } else if (refused) { /* when it has ended, not in its last moment */
    int64_t left_ms =
        reply->integer < l->op.node->store->lease_ms ? reply->integer : l->op.node->store->lease_ms;
    end_due(l, &(au_due){.again_ms = left_ms > 0 ? left_ms + 1 : 1});
  } else if (l->scans_first) {
    l->scans_first = false;
    redis_reconcile_begin(l->op.node->reconcile);
    list_after_scan(l);
    if (l->op.pending == 0) end_due(l, NULL);
  } else {
    end_with(l, reply);
  }
}

static void send_due(listing *l, size_t max) {
  const redis_store *s = l->op.node->store;
  redis_key lease, list;
  redis_number lease_ms, oldest, skip, most;
  const au_slice args[] = {
      slice_of("EVAL"),
      slice_of(REDIS_SCRIPT_DUE),
      slice_of("2"),
      redis_key_lease(&s->keys, &lease, l->part),
      redis_key_customers(&s->keys, &list, l->part),
      slice_of(s->name),
      redis_number_text(&lease_ms, s->lease_ms),
      redis_number_text(&oldest, redis_node_now_ms(l->op.node) - l->min_age_ms),
      redis_number_text(&skip, (int64_t)l->skip),
      redis_number_text(&most, (int64_t)max)};
  redis_op_send(&l->op, args, 10, on_due, l);
}

static void on_scan_passed(redis_waiter *waiter, au_status status) {
  listing *l = (listing *)(void *)((char *)waiter - offsetof(listing, waiter));
  l->op.pending--;
  l->op.status = status;
  if (status == AU_OK) l->op.status = redis_node_admits(l->op.node, 1);
  send_due(l, l->max);
  if (l->op.pending == 0) end_due(l, NULL);
}

/* While a round is young it is waited for, so that keys of other programs count in the tick
 * that began it. */
static void list_after_scan(listing *l) {
  if (redis_reconcile_wait(l->op.node->reconcile, &l->waiter))
    l->op.pending++;
  else
    send_due(l, l->max);
}

/* One of the parts on a server stands for its scan. */
static bool scans(const redis_store *s, uint32_t part) {
  for (uint32_t i = 0; i < part; i++)
    if (redis_store_list_node(s, i) == redis_store_list_node(s, part)) return false;
  return true;
}

/* ---- without Redis -------------------------------------------------------- */

/* One of the parts whose servers are not whole stands for all of them. */
static bool stands_for_the_lost(const redis_store *s, uint32_t part) {
  for (uint32_t i = 0; i < part; i++)
    if (!redis_node_is_whole(redis_store_list_node(s, i))) return false;
  return true;
}

/* Whether Redis can neither list a customer nor tick it. */
bool redis_due_is_ours(void *arg, au_slice customer_id) {
  const redis_store *s = arg;
  size_t part = redis_keys_group_of(&s->keys, customer_id);
  return !redis_node_is_whole(redis_store_node(s, customer_id)) ||
         !redis_node_is_whole(redis_store_list_node(s, part));
}

au_status redis_due(au_store *store, uint32_t part, int64_t min_age_ms, size_t skip, size_t max,
                    au_due_fn cb, void *arg) {
  const redis_store *s = redis_store_of(store);
  redis_node *n = redis_store_list_node(s, part);
  if (!redis_node_is_whole(n))
    return s->own->ops->due(s->own, 0, min_age_ms, skip, stands_for_the_lost(s, part) ? max : 0, cb,
                            arg);
  au_status status = redis_node_admits(n, 1);
  if (status != AU_OK) return status;
  listing *l = calloc(1, sizeof *l);
  if (!l) return AU_ENOMEM;
  *l = (listing){.op.node = n,
                 .cb = cb,
                 .arg = arg,
                 .waiter.go = on_scan_passed,
                 .scans_first = redis_reconcile_is_wanted(n->reconcile) && scans(s, part),
                 .part = part,
                 .min_age_ms = min_age_ms,
                 .skip = skip,
                 .max = max};
  if (l->scans_first)
    send_due(l, 0);
  else
    list_after_scan(l);
  status = redis_op_begun(&l->op);
  if (status != AU_OK) free(l);
  return status;
}

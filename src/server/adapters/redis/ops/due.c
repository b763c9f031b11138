/* Which daemon ticks, and which customers are due: the lease of a partition of the customers and
 * its list.
 *
 * The daemon that asks first takes the lease, and keeps it by asking again, which every page of a
 * tick does. It guards against double work only: REDIS_SCRIPT_SAVE sees to it that nobody is ticked
 * twice. */
#include "adapters/redis/protocol/scripts.h"
#include "op.h"
#include "wire/wire.h"

#include <stdlib.h>

enum { ODD_PAGES_MAX = 16 }; /* without a single customer, that are asked for in a row */

typedef struct listing {
  redis_op op;
  au_due_fn cb;
  void *arg;
  redis_scan *scan;    /* of the node; NULL: none */
  redis_waiter waiter; /* for the scan to have passed */
  bool scans_first;    /* the answer says whether to begin a round */
  uint32_t partition;
  unsigned odd_pages;
  int64_t min_age_ms;
  size_t skip, max;
} listing;

static void end_due(listing *l, const au_due *due) {
  redis_op_end(&l->op);
  l->cb(l->op.status, l->op.status == AU_OK ? due : NULL, l->arg);
  free(l);
}

/* The next list shows whether the member is still there. */
static void remove_foreign(const listing *l, au_slice member) {
  redis_key list;
  redis_store *s = l->op.store;
  const au_slice args[] = {slice_of("ZREM"), redis_key_customers(&s->keys, &list, l->partition),
                           member};
  redis_store_send(s, l->op.node, args, 3);
}

static void send_due(listing *l, size_t max);
static void list_after_scan(listing *l);

/* A page of nothing but odd members is asked for again without them: customers may follow them. */
static void end_with(listing *l, const redisReply *reply) {
  au_slice *ids = calloc(reply->elements + 1, sizeof *ids);
  size_t n = 0;
  if (!ids) l->op.status = AU_ENOMEM;
  for (size_t i = 0; ids && i < reply->elements; i++) {
    au_slice id = redis_reply_text(reply->element[i]);
    if (wire_valid_id(id))
      ids[n++] = id;
    else if (id.len > 0) /* else the script has removed it */
      remove_foreign(l, id);
  }
  if (n == 0 && reply->elements > 0 && l->odd_pages++ < ODD_PAGES_MAX) send_due(l, l->max);
  if (l->op.pending == 0) end_due(l, &(au_due){.ids = ids, .n = n, .again_ms = -1});
  free(ids);
}

/* When the other's lease has ended, not in its last millisecond. */
static int64_t again_ms(const listing *l, int64_t left_ms) {
  if (left_ms > l->op.store->lease_ms) left_ms = l->op.store->lease_ms;
  return left_ms > 0 ? left_ms + 1 : 1;
}

static void on_due(au_status status, const redisReply *reply, void *arg) {
  listing *l = arg;
  bool is_others = status == AU_OK && reply->type == REDIS_REPLY_INTEGER;
  if (!redis_op_take(&l->op, status, reply, is_others ? REDIS_WANT_INTEGER : REDIS_WANT_ARRAY)) {
    end_due(l, NULL);
  } else if (is_others) {
    if (l->scan) redis_scan_yield(l->scan);
    end_due(l, &(au_due){.again_ms = again_ms(l, reply->integer)});
  } else if (l->scans_first) {
    l->scans_first = false;
    redis_scan_begin(l->scan);
    list_after_scan(l);
    if (l->op.pending == 0) end_due(l, NULL);
  } else {
    end_with(l, reply);
  }
}

static void send_due(listing *l, size_t max) {
  const redis_store *s = l->op.store;
  redis_key lease, list;
  redis_number lease_ms, oldest, skip, most;
  const au_slice args[] = {
      slice_of("EVAL"),
      slice_of(REDIS_SCRIPT_DUE),
      slice_of("2"),
      redis_key_lease(&s->keys, &lease, l->partition),
      redis_key_customers(&s->keys, &list, l->partition),
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
  if (l->scan && redis_scan_wait(l->scan, &l->waiter))
    l->op.pending++;
  else
    send_due(l, l->max);
}

/* The first of the partitions on a node begins its scan. */
static bool begins_scan(const redis_store *s, uint32_t partition) {
  const redis_node *n = redis_router_node(s->router, redis_store_list_slot(s, partition));
  for (uint32_t i = 0; i < partition; i++)
    if (redis_router_node(s->router, redis_store_list_slot(s, i)) == n) return false;
  return true;
}

au_status redis_due(shared_store *store, uint32_t partition, int64_t min_age_ms, size_t skip,
                    size_t max, au_due_fn cb, void *arg) {
  redis_store *s = redis_store_of(store);
  redis_op op;
  au_status status = redis_op_init(&op, s, STATS_STORE_DUE, redis_store_list_slot(s, partition), 1);
  if (status != AU_OK) return status;
  listing *l = calloc(1, sizeof *l);
  if (!l) return AU_ENOMEM;
  *l = (listing){.op = op,
                 .cb = cb,
                 .arg = arg,
                 .scan = redis_scans_find(s->scans, op.node),
                 .waiter.go = on_scan_passed,
                 .partition = partition,
                 .min_age_ms = min_age_ms,
                 .skip = skip,
                 .max = max};
  l->scans_first = l->scan && redis_scan_is_wanted(l->scan) && begins_scan(s, partition);
  if (l->scans_first)
    send_due(l, 0);
  else
    list_after_scan(l);
  status = redis_op_begun(&l->op);
  if (status != AU_OK) free(l);
  return status;
}

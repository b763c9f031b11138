/* A router of one server, which has all keys: by its address, or by that which sentinels name. */
#include "router_private.h"

static au_status single_create(redis_router *r) {
  return redis_pool_add_url(r->pool);
}

static void single_free(redis_router *r) {
  (void)r;
}

static void single_start(redis_router *r) {
  redis_router_give(r, 0, 0);
  redis_node_start(r->entries[0]->node);
}

static void single_stop(redis_router *r, join_stop *stop) {
  (void)r;
  (void)stop;
}

static au_status single_send(redis_router *r, redis_node *n, const au_slice *args, size_t count,
                             redis_reply_fn cb, void *arg) {
  (void)r;
  return redis_node_send(n, args, count, cb, arg);
}

static const char *single_reason(redis_router *r) {
  return redis_node_reason(r->entries[0]->node);
}

static bool single_tag(void *router, const redis_node *n, char tag[REDIS_TAG_SIZE]) {
  (void)router;
  (void)n;
  tag[0] = '\0';
  return true;
}

static bool single_is_elsewhere(void *router, redis_node *n, const redisReply *reply) {
  (void)router;
  (void)n;
  (void)reply;
  return false;
}

static void single_on_link(redis_router *r) {
  (void)r;
}

const redis_router_kind redis_single = {
    .slots = 1,
    .is_alone = true,
    .create = single_create,
    .free = single_free,
    .start = single_start,
    .stop = single_stop,
    .send = single_send,
    .reason = single_reason,
    .tag = single_tag,
    .is_elsewhere = single_is_elsewhere,
    .on_link = single_on_link,
};

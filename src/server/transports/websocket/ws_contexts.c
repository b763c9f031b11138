/* A list of contexts, in which those with room stand before those without. */
#include "ws_contexts.h"

#include "ws_private.h"

#include <stdlib.h>

enum {
  RESERVE = 8, /* its own pipe, and sockets that have ended and are still being taken out */
};

/* Idle sockets are pinged by us. */
static const lws_retry_bo_t no_pings = {0};

void ws_contexts_init(ws_contexts *all, const struct lws_protocols *protocols, void *owner) {
  *all = (ws_contexts){.protocols = protocols, .owner = owner};
}

static ws_context *context_create(const ws_contexts *all) {
  ws_context *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  struct lws_context_creation_info info = {
      .port = CONTEXT_PORT_NO_LISTEN,
      .protocols = all->protocols,
      .retry_and_idle_policy = &no_pings,
      .fd_limit_per_thread = WS_CONTEXT_SOCKETS + RESERVE,
      .user = c,
      .gid = (gid_t)-1,
      .uid = (uid_t)-1,
  };
  c->owner = all->owner;
  c->lws = lws_create_context(&info);
  if (c->lws) c->vhost = lws_get_vhost_by_name(c->lws, "default");
  if (c->vhost) return c;
  if (c->lws) lws_context_destroy(c->lws);
  free(c);
  return NULL;
}

static void take_out(ws_contexts *all, ws_context *c) {
  *(c->prev ? &c->prev->next : &all->first) = c->next;
  *(c->next ? &c->next->prev : &all->last) = c->prev;
}

static void put_first(ws_contexts *all, ws_context *c) {
  c->prev = NULL;
  c->next = all->first;
  *(c->next ? &c->next->prev : &all->last) = c;
  all->first = c;
}

static void put_last(ws_contexts *all, ws_context *c) {
  c->next = NULL;
  c->prev = all->last;
  *(c->prev ? &c->prev->next : &all->first) = c;
  all->last = c;
}

ws_context *ws_contexts_with_room(ws_contexts *all) {
  ws_context *c = all->first;
  if (c && c->sockets < WS_CONTEXT_SOCKETS) return c;
  c = context_create(all);
  if (c) put_first(all, c);
  return c;
}

void ws_contexts_opened(ws_contexts *all, ws_context *c) {
  if (++c->sockets < WS_CONTEXT_SOCKETS) return;
  take_out(all, c);
  put_last(all, c);
}

void ws_contexts_ended(ws_contexts *all, ws_context *c) {
  if (c->sockets-- < WS_CONTEXT_SOCKETS) return;
  take_out(all, c);
  put_first(all, c);
}

void ws_contexts_free(ws_contexts *all) {
  while (all->first) {
    ws_context *c = all->first;
    all->first = c->next;
    lws_context_destroy(c->lws);
    free(c);
  }
}

/* Contexts of libwebsockets, each of which has few sockets. Version 4.1 looks at every socket of a
 * context whenever one of them ends, and at as many places as there may be descriptors: in one
 * context, ten thousand that end would cost seconds. Knows nothing of what a socket is for. */
#ifndef TRANSPORTS_WS_CONTEXTS_H
#define TRANSPORTS_WS_CONTEXTS_H

struct lws_context;
struct lws_protocols;
struct lws_vhost;

enum { WS_CONTEXT_SOCKETS = 128 };

typedef struct ws_context {
  struct lws_context *lws; /* its user is this ws_context */
  struct lws_vhost *vhost;
  void *owner;
  unsigned sockets;
  struct ws_context *next, *prev;
} ws_context;

typedef struct ws_contexts {
  const struct lws_protocols *protocols;
  void *owner;
  ws_context *first, *last; /* those with room, then those without */
} ws_contexts;

/* protocols  of every context, borrowed. owner: given to each of them. */
void ws_contexts_init(ws_contexts *all, const struct lws_protocols *protocols, void *owner);

/* A context with room for a socket more, made if there is none. NULL: libwebsockets cannot make
 * one. */
ws_context *ws_contexts_with_room(ws_contexts *all);

/* A socket of a context was opened, or has ended. */
void ws_contexts_opened(ws_contexts *all, ws_context *c);
void ws_contexts_ended(ws_contexts *all, ws_context *c);

/* Ends all of them. No socket may be left, and none of their callbacks may run. */
void ws_contexts_free(ws_contexts *all);

#endif

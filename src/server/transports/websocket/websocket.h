/* WebSocket: auth, ping, and metrics to dashboards, on libwebsockets served from the
 * loop. Connections come from the HTTP listeners, after a checked handshake. Knows
 * neither HTTP nor the store, only presence and broadcast. */
#ifndef TRANSPORTS_WEBSOCKET_H
#define TRANSPORTS_WEBSOCKET_H

#include <active_users/config.h>
#include <uv.h>

#include "services/addresses.h"
#include "services/broadcast.h"
#include "services/presence.h"
#include "stats.h"
#include "transports/access/access_rules.h"
#include "transports/poller.h"
#include "utils/time.h"

typedef struct websocket websocket;

typedef struct websocket_config {
  uv_loop_t *loop;
  poller *poller;
  const au_clock *clock;
  const au_config *config;
  presence *presence;
  broadcast *broadcast;
  stats *counters;
  const access_rules *access; /* until websocket_set_access gives others */
  const pseudonyms *names;
  /* A connection that was adopted has ended: its slot is free again. */
  void (*released)(void *arg);
  void *released_arg;
} websocket_config;

/* Everything in `config` is borrowed for the websocket's life. Returns AU_OK, AU_ENOMEM,
 * or AU_EINVAL when libwebsockets or an epoll cannot be had (*reason, static). */
AU_MUST_CHECK au_status websocket_create(const websocket_config *config, const char **reason,
                                         websocket **out);

/* A connection whose request was a handshake. */
typedef struct websocket_opening {
  int fd;
  au_slice key;       /* its Sec-WebSocket-Key */
  au_slice early;     /* what arrived behind the handshake */
  au_slice origin;    /* of the page; ptr NULL: it came from none */
  au_visitor visitor; /* as its User-Agent says: a person or a bot */
  address *from;      /* of the client, with a reference */
  bool counted;       /* it has a place among the connections of that address */
} websocket_opening;

/* Takes it over. Owns its descriptor, its reference and its place; calls `released` once the
 * connection is closed. The slices are borrowed for the call. */
void websocket_adopt(websocket *ws, const websocket_opening *opening);

/* Ends one connection at once, because others need its slot: the oldest that has not
 * authenticated in half of its time, else a watcher: of some in turn the one whose address has
 * most connections. A
 * socket of a session is never ended. false: there is none to end. */
bool websocket_evict(websocket *ws);

/* Takes what of `config` may change while it runs; borrowed for the call. */
void websocket_reload(websocket *ws, const au_config *config);

/* Other rules, for those who authenticate from now on; borrowed. */
void websocket_set_access(websocket *ws, const access_rules *access);

/* Closes all sockets with 1001, spread over `drain_ms`, then ends libwebsockets.
 * `stopped` runs once, from the loop, when all handles are closed. Operations of
 * the store that are in flight keep memory until they end; stop the store next. */
void websocket_stop(websocket *ws, void (*stopped)(void *arg), void *arg);
void websocket_free(websocket *ws);

#endif

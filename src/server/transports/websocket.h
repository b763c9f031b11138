/* WebSocket: auth, ping, and metrics to dashboards, on libwebsockets served from the
 * loop. Connections come from the HTTP doors, after a checked handshake. Knows
 * neither HTTP nor the store, only presence and broadcast. */
#ifndef TRANSPORTS_WEBSOCKET_H
#define TRANSPORTS_WEBSOCKET_H

#include <active_users/config.h>
#include <uv.h>

#include "../services/broadcast.h"
#include "../services/presence.h"
#include "../stats.h"
#include "../utils/time.h"

typedef struct websocket websocket;

typedef struct websocket_config {
  uv_loop_t *loop;
  const au_clock *clock;
  const au_config *config;
  presence *presence;
  broadcast *broadcast;
  stats *counters;
  /* A connection that was adopted has ended: its slot is free again. */
  void (*released)(void *arg);
  void *released_arg;
} websocket_config;

/* Everything in `config` is borrowed for the websocket's life. Returns AU_OK, AU_ENOMEM,
 * or AU_EINVAL when libwebsockets or an epoll cannot be had (*reason, static). */
AU_MUST_CHECK au_status websocket_create(const websocket_config *config, const char **reason,
                                         websocket **out);

/* How many descriptors libwebsockets can serve in this process: the limit of the
 * process, or 2560 when that is above ten million, whatever it is afterwards. */
long websocket_fd_limit(void);

/* Takes over a connection whose request was a handshake. Owns `fd` from now on and
 * calls `released` once it is closed. `key` is the Sec-WebSocket-Key, `early` what
 * arrived behind the handshake; both are borrowed for the call. */
void websocket_adopt(websocket *ws, int fd, au_slice key, au_slice early);

/* Closes all sockets with 1001, spread over `drain_ms`, then ends libwebsockets.
 * `stopped` runs once, from the loop, when all handles are closed. Operations of
 * the store that are in flight keep memory until they end; stop the store next. */
void websocket_stop(websocket *ws, void (*stopped)(void *arg), void *arg);
void websocket_free(websocket *ws);

#endif

/* Where a server listens: the ports of the configuration, and the words for a port that cannot be
 * had. */
#ifndef LISTEN_H
#define LISTEN_H

#include <active_users/config.h>

#include "transports/http/http_conn.h"

/* Before: what to listen on, 0 any free port. Afterwards: the ports in use. */
typedef struct listen_ports {
  uint16_t http, ws, admin;
} listen_ports;

/* Sockets that listen already, in the order HTTP, WebSocket, operators; none: ports are bound. */
typedef struct listen_sockets {
  const int *fds;
  size_t count;
} listen_sockets;

/* Listens on all ports of `config`, on that of WebSocket when `websocket`; ports->admin is given.
 * With `given` sockets these take the place of all ports, and there must be as many. Nothing is
 * accepted yet. Returns AU_OK, or AU_ELISTEN or AU_EINVAL with a line in `error`; some may be in
 * use then. */
AU_MUST_CHECK au_status listen_on_all(http_server *http, const au_config *config, bool websocket,
                                      const listen_sockets *given, listen_ports *ports, char *error,
                                      size_t size);

#endif

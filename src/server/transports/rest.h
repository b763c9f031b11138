/* The REST interface: routes, limits, and status codes to HTTP. Knows no parser
 * and no store, only presence. */
#ifndef TRANSPORTS_REST_H
#define TRANSPORTS_REST_H

#include <active_users/config.h>
#include <active_users/store.h>

#include "../services/presence.h"
#include "../stats.h"
#include "../utils/map.h"
#include "../utils/time.h"
#include "http_conn.h"

#define WEBSOCKET_PATH "/ws/active-users"

/* The listeners, as http_request.door. */
typedef enum rest_door { REST_DOOR_HTTP, REST_DOOR_WS } rest_door;

typedef struct rest rest;

typedef struct rest_config {
  const au_config *config;
  const au_clock *clock;
  presence *presence;
  au_store *store; /* asked for its health only */
  stats *counters;
  map_seed seed;
  /* Takes an upgraded connection: owns `fd` whatever it returns. `key` and `early`
   * are borrowed. NULL: WebSocket is off. */
  void (*upgrade)(void *arg, int fd, au_slice key, au_slice early);
  void *upgrade_arg;
} rest_config;

/* Everything in `config` is borrowed for rest's life, but for the texts of
 * `config->config`, which are read now. Returns AU_OK, AU_EINVAL (*reason says
 * which text; static) or AU_ENOMEM. */
AU_MUST_CHECK au_status rest_create(const rest_config *config, const char **reason, rest **out);
void rest_free(rest *r);

http_handler rest_handler(rest *r);

/* New limits, origins and trusted proxies. Returns as rest_create; on an error
 * nothing has changed. */
AU_MUST_CHECK au_status rest_reload(rest *r, const au_config *config, const char **reason);

/* From now on /health and /ready say that the daemon is stopping, and upgrades get 503. */
void rest_stopping(rest *r);

#endif

/* The REST interface: routes, limits, and status codes to HTTP. Knows no parser
 * and no store, only presence. */
#ifndef TRANSPORTS_REST_H
#define TRANSPORTS_REST_H

#include <active_users/config.h>
#include <active_users/store.h>

#include "services/history/history.h"
#include "services/operators/office.h"
#include "services/presence.h"
#include "services/top_customers.h"
#include "stats.h"
#include "transports/access/access_rules.h"
#include "transports/http/http_conn.h"
#include "utils/map.h"
#include "utils/time.h"

#define WEBSOCKET_PATH "/ws/active-users"
#define HISTORY_PATH   "/metrics/history"
#define ADMIN_PATH     "/admin/"
#define PAGES_PATH     "/metrics/pages"
#define STREAM_PATH    "/metrics/stream"
#define BADGE_PATH     "/badge/"

/* The listeners, as http_request.listener. */
typedef enum rest_listener {
  REST_LISTENER_HTTP,
  REST_LISTENER_WS,
  REST_LISTENER_ADMIN, /* what operators read and do, and health */
} rest_listener;

typedef struct rest rest;

typedef struct rest_config {
  const au_config *config;
  const au_clock *clock;
  presence *presence;
  history *history;
  au_store *store; /* asked for its health only */
  stats *counters;
  const top_customers *top; /* NULL: the exposition names no customers */
  addresses *addresses;
  const access_rules *access; /* until rest_set_access gives others */
  office *office;
  map_seed seed;
  /* Takes an upgraded connection: owns what is in `conn`, but for `early`. `key` and `origin`, ptr
   * NULL when it came from no page, are borrowed; `visitor` is as its User-Agent says. NULL:
   * WebSocket is off. */
  void (*upgrade)(void *arg, const http_detached *conn, au_slice key, au_slice origin,
                  au_visitor visitor);
  void *upgrade_arg;
  /* Takes the connection of a stream, as above. `head` is that of its reply, to be sent first;
   * borrowed, as the id is. */
  void (*stream)(void *arg, const http_detached *conn, au_slice head, au_slice customer_id);
  void *stream_arg;
} rest_config;

/* Everything in `config` is borrowed for rest's life, but for the texts of
 * `config->config`, which are read now. Returns AU_OK, AU_EINVAL (*reason says
 * which text; static) or AU_ENOMEM. */
AU_MUST_CHECK au_status rest_create(const rest_config *config, const char **reason, rest **out);
void rest_free(rest *r);

http_handler rest_handler(rest *r);

/* New limits and trusted proxies, made first and taken over when all else of the new
 * configuration is made too: taking over cannot fail. */
typedef struct rest_settings rest_settings;

/* Returns as rest_create. */
AU_MUST_CHECK au_status rest_settings_create(const au_config *config, const char **reason,
                                             rest_settings **out);
void rest_settings_free(rest_settings *settings);
/* Owns `settings` from now on. */
void rest_reload(rest *r, rest_settings *settings);

/* As rest_limits_charge. */
void rest_charge(rest *r, budgets_customer which, au_slice customer_id, uint32_t n);
/* Other rules from now on; borrowed. */
void rest_set_access(rest *r, const access_rules *access);

/* From now on /health and /ready say that the daemon is stopping, and upgrades get 503. */
void rest_stopping(rest *r);

#endif

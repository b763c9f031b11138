/* The routes, CORS, and the life of the REST interface. */
#include "rest_private.h"

#include "assets.h"
#include "transports/access/bots.h"
#include "transports/access/origins.h"
#include "transports/access/refusals.h"
#include "transports/admin/operators.h"
#include "transports/websocket/handshake.h"
#include "utils/log.h"
#include "utils/net/forwarded.h"
#include "utils/text/query.h"
#include "wire/history.h"
#include "wire/wire.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- whose request it is ----------------------------------------------------- */

static bool is_trusted(const rest *r, const net_addr *peer) {
  return net_list_has(r->trusted_proxies, peer);
}

/* A proxy that sets one of the two headers and passes the other on lets its clients choose their
 * address, or us the wrong header: said once, then how often, at most once a minute. */
static void warn_of_disagreement(rest *r) {
  r->config.counters->forwarded_disagree++;
  uint64_t count = log_pace_add(&r->disagreements, clock_mono_ms(r->config.clock));
  if (count > 0)
    log_warn("rest", "a trusted proxy sends X-Forwarded-For and Forwarded with different clients",
             LOG_STR("believed", "X-Forwarded-For"), LOG_INT("requests", count));
}

/* Whom the proxies name, by the first of the two headers that came. */
static net_addr client_of(rest *r, const http_request *request) {
  au_slice x_forwarded_for = request->headers[HTTP_H_FORWARDED_FOR];
  au_slice forwarded = request->headers[HTTP_H_FORWARDED], none = {0};
  net_addr client =
      forwarded_client(*request->peer, x_forwarded_for, forwarded, r->trusted_proxies);
  if (x_forwarded_for.len > 0 && forwarded.len > 0) {
    net_addr other = forwarded_client(*request->peer, none, forwarded, r->trusted_proxies);
    if (memcmp(&client, &other, sizeof client) != 0) warn_of_disagreement(r);
  }
  return client;
}

/* The address that a request counts for, with a reference; NULL without memory. */
static address *hold_client(rest *r, const http_request *request) {
  if (!is_trusted(r, request->peer)) return address_ref(request->address);
  net_addr client = client_of(r, request);
  return addresses_hold(r->config.addresses, &client, clock_mono_ms(r->config.clock));
}

static void release_client(const rest *r, address *from) {
  address_release(from, clock_mono_ms(r->config.clock));
}

/* ---- handlers without a file of their own ------------------------------------- */

enum { MAX_ANCESTORS_BYTES = 4096 /* of a customer's origins; a longer list allows no frames */ };

static void reply_asset(const rest_call *call, au_slice frame_ancestors) {
  if (assets_reply(call->conn, call->request, frame_ancestors)) return;
  char message[REFUSAL_TEXT_SIZE];
  refusal_of_path(message, call->request->path);
  rest_reply_error(call->rest, call->conn, 404,
                   assets_has(call->request->path)
                       ? message
                       : "this daemon was built without the browser SDK, for want of "
                         "npm: `make deps`, and build it again",
                   NULL);
}

static void handle_asset(const rest_call *call) {
  reply_asset(call, slice_of("'none'"));
}

/* The page about one customer may be in a frame of the pages that may read of it. The one about all
 * may not, nor any at the admin port: a frame is where clicks are stolen. */
static void handle_dashboard(const rest_call *call) {
  char id[AU_ID_MAX];
  size_t len = 0;
  buffer ancestors;
  buffer_init(&ancestors, MAX_ANCESTORS_BYTES);
  if (call->request->listener != REST_LISTENER_ADMIN &&
      query_get(call->request->query, "customerId", id, sizeof id, &len) == QUERY_ONE &&
      wire_valid_id((au_slice){id, len}))
    access_rules_print_ancestors(call->rest->config.access, (au_slice){id, len}, &ancestors);
  bool framable = !ancestors.failed && ancestors.len > 0;
  reply_asset(call, framable ? buffer_slice(&ancestors) : slice_of("'none'"));
  buffer_free(&ancestors);
}

/* A text that is too long for an origin becomes an empty one, which no list names. */
static au_slice copy_origin(au_slice origin, char page[ORIGIN_MAX]) {
  if (!origin.ptr) return origin;
  size_t len = origin.len <= ORIGIN_MAX ? origin.len : 0;
  memcpy(page, origin.ptr, len);
  return (au_slice){page, len};
}

static void handle_websocket(const rest_call *call) {
  rest *r = call->rest;
  if (r->stopping) {
    rest_reply_status(r, call->conn, AU_ECANCELED);
    return;
  }
  const char *message;
  int refused = handshake_check(call->request, &message);
  if (refused == 426)
    buffer_append_text(http_conn_headers(call->conn),
                       "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  if (refused) {
    r->config.counters->ws_refused++;
    rest_reply_error(r, call->conn, refused, message, NULL);
    return;
  }
  /* Copied, since the connection's bytes go with it. */
  char key[HANDSHAKE_KEY_BYTES];
  memcpy(key, call->request->headers[HTTP_H_WS_KEY].ptr, sizeof key);
  char page[ORIGIN_MAX];
  au_slice origin = copy_origin(call->request->headers[HTTP_H_ORIGIN], page);
  const bots_signs signs = {.header = call->request->headers[HTTP_H_USER_AGENT]};
  au_visitor visitor = bots_judge(r->config.config, &signs);
  http_detached detached;
  if (!rest_detach(call, &detached)) return;
  r->config.upgrade(r->config.upgrade_arg, &detached, (au_slice){key, sizeof key}, origin, visitor);
}

/* ---- routes -------------------------------------------------------------------- */

enum { MAX_ASKED_BYTES = 2048 /* of the header names in a preflight */ };

enum {
  GET = 1 << HTTP_IS_GET | 1 << HTTP_IS_HEAD,
  POST = 1 << HTTP_IS_POST,
  ANY = -1, /* the handler says which */
};

/* What else there is to know of a route. */
enum {
  FOR_PAGES = 1,         /* pages of other sites read it: CORS, and origins are checked */
  FOR_ORCHESTRATORS = 2, /* answered even when all connections are taken: else an orchestrator
                            would end a daemon that is only busy */
  PAYS_ITSELF = 4,       /* its handler knows what a request costs */
  FOR_OPERATORS = 8,     /* at the admin port too, where nothing else is */
};

struct route {
  const char *path;
  unsigned methods, marks;
  void (*handle)(const rest_call *call);
  stats_route figures;
};

static const struct route routes[] = {
    {"/presence/beat", POST, FOR_PAGES | PAYS_ITSELF, rest_handle_beat, STATS_ROUTE_BEAT},
    {"/presence/join", POST, FOR_PAGES | PAYS_ITSELF, rest_handle_join, STATS_ROUTE_JOIN},
    {"/presence/leave", POST, FOR_PAGES | PAYS_ITSELF, rest_handle_leave, STATS_ROUTE_LEAVE},
    {"/metrics", GET, FOR_PAGES | PAYS_ITSELF | FOR_OPERATORS, rest_handle_metrics,
     STATS_ROUTE_METRICS},
    {HISTORY_PATH, GET, FOR_PAGES | PAYS_ITSELF | FOR_OPERATORS, rest_handle_history,
     STATS_ROUTE_HISTORY},
    {PAGES_PATH, GET, FOR_PAGES | PAYS_ITSELF | FOR_OPERATORS, rest_handle_pages,
     STATS_ROUTE_PAGES},
    {STREAM_PATH, GET, FOR_PAGES | PAYS_ITSELF, rest_handle_stream, STATS_ROUTE_OTHER},
    {"/health", GET, FOR_ORCHESTRATORS | FOR_OPERATORS, rest_handle_health, STATS_ROUTE_HEALTH},
    {"/ready", GET, FOR_ORCHESTRATORS | FOR_OPERATORS, rest_handle_ready, STATS_ROUTE_HEALTH},
    {WEBSOCKET_PATH, GET, FOR_PAGES, handle_websocket, STATS_ROUTE_OTHER},
    {"/", GET, FOR_PAGES, handle_asset, STATS_ROUTE_OTHER},
    {"/dashboard", GET, FOR_OPERATORS, handle_dashboard, STATS_ROUTE_OTHER},
    {"/client.js", GET, FOR_PAGES, handle_asset, STATS_ROUTE_OTHER},
    {"/client.mjs", GET, FOR_PAGES, handle_asset, STATS_ROUTE_OTHER},
    {"/track.mjs", GET, FOR_PAGES, handle_asset, STATS_ROUTE_OTHER},
    {"/client.d.ts", GET, FOR_PAGES, handle_asset, STATS_ROUTE_OTHER},
    {"/openapi.yaml", GET, FOR_PAGES, handle_asset, STATS_ROUTE_OTHER},
    {"/asyncapi.yaml", GET, FOR_PAGES, handle_asset, STATS_ROUTE_OTHER},
};

static const struct route admin_route = {ADMIN_PATH, (unsigned)ANY, PAYS_ITSELF | FOR_OPERATORS,
                                         rest_handle_admin, STATS_ROUTE_ADMIN};

static const struct route badge_route = {BADGE_PATH, GET, FOR_PAGES | PAYS_ITSELF,
                                         rest_handle_badge, STATS_ROUTE_BADGE};

static bool is_for_operators_alone(const struct route *route, const http_request *request) {
  if (route == &admin_route) return true;
  return route->handle == rest_handle_metrics && !rest_asks_for_customer(request);
}

/* What is behind a path, wherever it is. */
static const struct route *find_path(au_slice path) {
  for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
    if (slice_eq(path, slice_of(routes[i].path))) return &routes[i];
  if (rest_is_below(path, ADMIN_PATH)) return &admin_route;
  return rest_is_below(path, BADGE_PATH) ? &badge_route : NULL;
}

/* The WebSocket listener leads to one path only, and that path is nowhere while
 * WebSocket is off. At the admin port is what is for operators, and with one that is nowhere else.
 */
static const struct route *find_route(const rest *r, const http_request *request) {
  const struct route *route = find_path(request->path);
  if (!route) return NULL;
  bool is_websocket = route->handle == handle_websocket, found;
  switch ((rest_listener)request->listener) {
  case REST_LISTENER_ADMIN: found = route->marks & FOR_OPERATORS; break;
  case REST_LISTENER_WS: found = is_websocket; break;
  default:
    found = !is_for_operators_alone(route, request) ||
            operators_are_here(r->config.config, request, REST_LISTENER_ADMIN);
  }
  if (is_websocket && !r->config.upgrade) found = false;
  return found ? route : NULL;
}

/* Whether pages of other sites may read the answer. A path that is none may be a page's
 * mistake, which it is to see. */
static bool is_for_pages(const struct route *route, const http_request *request) {
  if (!route || request->method == HTTP_IS_OPTIONS) return true;
  if (route->handle == rest_handle_metrics) return rest_asks_for_customer(request);
  return route->marks & FOR_PAGES;
}

/* Names by commas (RFC 9110, 5.6.1), few enough to be sent back. */
static bool is_header_list(au_slice list) {
  if (list.len == 0 || list.len > MAX_ASKED_BYTES) return false;
  for (size_t i = 0; i < list.len; i++) {
    char c = list.ptr[i];
    if (!isalnum((unsigned char)c) && !strchr("!#$%&'*+-.^_`|~, \t", c)) return false;
  }
  return true;
}

/* Whatever a page may send: tracing adds headers of its own, and no credentials are used. */
static void reply_preflight(const rest_call *call, bool allowed) {
  if (allowed) {
    buffer *lines = http_conn_headers(call->conn);
    au_slice asked = call->request->headers[HTTP_H_ASKED_HEADERS];
    buffer_append_text(lines, "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"
                              "Access-Control-Allow-Headers: ");
    buffer_append_slice(lines,
                        is_header_list(asked) ? asked : slice_of("Content-Type, Authorization"));
    buffer_append_text(lines, "\r\nAccess-Control-Max-Age: 86400\r\n");
  }
  rest_show_limits(call);
  http_reply reply = {.status = 204};
  rest_reply_dynamic(call->conn, &reply);
}

static void refuse(const rest_call *call, int status, const char *message) {
  rest_refuse(call, REST_COSTS_OTHER, status, message, NULL);
}

/* Whether the address is blocked; then the refusal is sent. Not of operators, nor of health. */
static bool is_blocked(const rest_call *call, const struct route *route) {
  rest *r = call->rest;
  int64_t now_ms = clock_mono_ms(r->config.clock);
  int64_t until_ms = address_blocked_until_ms(call->from, now_ms);
  if (until_ms == 0 || call->request->listener == REST_LISTENER_ADMIN) return false;
  if (route && (route->marks & FOR_ORCHESTRATORS || is_for_operators_alone(route, call->request)))
    return false;
  r->config.counters->blocked_requests++;
  http_conn_slow_down(call->conn);
  buffer_append_text(http_conn_headers(call->conn), "Retry-After: ");
  buffer_append_number(http_conn_headers(call->conn), (uint64_t)(until_ms - now_ms + 999) / 1000);
  buffer_append_text(http_conn_headers(call->conn), "\r\n");
  rest_refuse(call, REST_COSTS_OTHER, 403, "this address is blocked", NULL);
  return true;
}

static void pass_on(const rest_call *call) {
  rest *r = call->rest;
  const http_request *request = call->request;
  http_conn *conn = call->conn;
  char message[REFUSAL_TEXT_SIZE];
  const struct route *route = find_route(r, request);
  if (route)
    http_conn_set_route(conn,
                        route->handle == rest_handle_metrics && !rest_asks_for_customer(request)
                            ? STATS_ROUTE_EXPOSITION
                            : route->figures);
  bool allowed = !is_for_pages(route, request) ||
                 access_rules_answer_origin(r->config.access, request->headers[HTTP_H_ORIGIN],
                                            http_conn_headers(conn));
  if (request->reserved && !(route && route->marks & FOR_ORCHESTRATORS)) {
    rest_reply_unpaid(call, 503, "all connections are taken", NULL);
  } else if (is_blocked(call, route)) {
    return;
  } else if (request->method == HTTP_IS_OPTIONS) {
    if (rest_pay(call, (au_slice){"", 0}, REST_COSTS_OTHER)) reply_preflight(call, allowed);
  } else if (!route) {
    refusal_of_path(message, request->path);
    refuse(call, 404, message);
  } else if (!(route->methods & 1u << request->method)) {
    const char *allow = route->methods == POST ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
    buffer_append_format(http_conn_headers(conn), "Allow: %s\r\n", allow);
    refusal_of_method(message, request->path, allow);
    refuse(call, 405, message);
  } else if (!allowed) {
    rest_refuse_origin(call, false);
  } else if (route->marks & PAYS_ITSELF || rest_pay(call, (au_slice){"", 0}, REST_COSTS_OTHER)) {
    route->handle(call);
  }
}

/* ---- from the transport ------------------------------------------------------------ */

static void on_request(void *arg, http_conn *conn, const http_request *request) {
  rest *r = arg;
  rest_call call = {.rest = r, .conn = conn, .request = request, .from = hold_client(r, request)};
  pass_on(&call);
  release_client(r, call.from);
}

/* What a request with a large body would be paid from. A beat may begin a session or not, which
 * only its body says. */
static rate_state peek_body(const rest *r, const http_request *request, address *from) {
  int64_t now_ms = clock_mono_ms(r->config.clock);
  const struct route *route = find_route(r, request);
  if (!route || route->methods != POST) return address_peek(from, ADDRESS_OTHER, now_ms);
  rate_state met = address_peek(from, ADDRESS_PRESENCE, now_ms);
  if (!met.allowed || route->handle != rest_handle_beat) return met;
  return address_peek(from, ADDRESS_NEW_SESSIONS, now_ms);
}

/* Refuses a large body of an address that is over its limit, before it is read and parsed. */
static int on_head(void *arg, http_conn *conn, const http_request *request, const char **message) {
  rest *r = arg;
  (void)conn;
  if (!rest_limits_is_large(request->headers[HTTP_H_CONTENT_LENGTH])) return 0;
  address *from = hold_client(r, request);
  r->refused_body = peek_body(r, request, from);
  release_client(r, from);
  if (r->refused_body.allowed) return 0;
  *message = "";
  return 429;
}

static void count_bad_request(stats *counters, int status) {
  switch (status) {
  case 408: counters->http_timeouts++; break;
  case 413:
  case 414:
  case 431: counters->http_too_large++; break;
  case 503: break; /* ours */
  default: counters->http_malformed++; break;
  }
}

static void on_bad_request(void *arg, http_conn *conn, const http_request *request, int status,
                           const char *message) {
  rest *r = arg;
  (void)access_rules_answer_origin(r->config.access, request->headers[HTTP_H_ORIGIN],
                                   http_conn_headers(conn));
  if (status == 429) { /* by on_head, just now */
    r->config.counters->rate_blocked_bodies++;
    int64_t retry_s = rest_limits_block(r->limits, &r->refused_body, http_conn_headers(conn));
    rest_reply_blocked(r, conn, request, REST_BLOCKED_IP, retry_s);
    return;
  }
  count_bad_request(r->config.counters, status);
  /* On a proxy's connection these bytes may be any client's: nobody pays for them. */
  address *from = is_trusted(r, request->peer) ? NULL : request->address;
  const rest_call call = {.rest = r, .conn = conn, .request = request, .from = from};
  if (status == 503)
    rest_reply_unpaid(&call, status, message, NULL);
  else
    rest_refuse(&call, REST_COSTS_OTHER, status, message, NULL);
}

static bool trusts(void *arg, const net_addr *peer) {
  return is_trusted(arg, peer);
}

http_handler rest_handler(rest *r) {
  return (http_handler){.on_request = on_request,
                        .on_head = on_head,
                        .on_bad_request = on_bad_request,
                        .trusts = trusts,
                        .arg = r};
}

/* ---- life ---------------------------------------------------------------- */

struct rest_settings {
  net_list *trusted_proxies;
  customer_limits *own_limits;
  uint32_t customer_per_min;
};

void rest_settings_free(rest_settings *settings) {
  if (!settings) return;
  net_list_free(settings->trusted_proxies);
  customer_limits_free(settings->own_limits);
  free(settings);
}

/* Why a list is none; valid until the next one. */
static const char *proxies_problem(const char *text) {
  static _Thread_local char said[256];
  au_slice fault = net_list_fault(text);
  if (fault.len == 0) return "trusted-proxies: too many items";
  snprintf(said, sizeof said,
           "trusted-proxies: \"%s\" is no network: an item is like 10.0.0.0/8 or 2001:db8::/32",
           refusal_show(fault).text);
  return said;
}

au_status rest_settings_create(const au_config *config, const char **reason, rest_settings **out) {
  rest_settings *s = calloc(1, sizeof *s);
  if (!s) return AU_ENOMEM;
  s->customer_per_min = config->rate_customer_per_min;
  au_status status = net_list_parse(config->trusted_proxies, &s->trusted_proxies);
  if (status == AU_EINVAL) *reason = proxies_problem(config->trusted_proxies);
  if (status == AU_OK) status = customer_limits_create(config, &s->own_limits);
  if (status != AU_OK) {
    rest_settings_free(s);
    return status;
  }
  *out = s;
  return AU_OK;
}

void rest_reload(rest *r, rest_settings *settings) {
  net_list_free(r->trusted_proxies);
  r->trusted_proxies = settings->trusted_proxies;
  rest_limits_set(r->limits, settings->own_limits, settings->customer_per_min);
  free(settings);
}

au_status rest_create(const rest_config *config, const char **reason, rest **out) {
  rest *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->config = *config;
  r->started_ms = clock_mono_ms(config->clock);
  buffer_init(&r->json, REST_MAX_BODY_BYTES);
  for (int i = 0; i < PROMETHEUS_FORMATS; i++)
    buffer_init(&r->exposition[i], REST_MAX_EXPOSITION_BYTES);
  buffer_init(&r->history, WIRE_HISTORY_MAX_BYTES);
  rest_settings *settings = NULL;
  *reason = "admin-token must be 16 to 512 characters of A-Z a-z 0-9 - . _ ~ + / =";
  au_status status = operators_token_is_valid(config->config->admin_token) ? AU_OK : AU_EINVAL;
  if (status == AU_OK) status = rest_settings_create(config->config, reason, &settings);
  if (status == AU_OK)
    status = rest_limits_create(config->config, config->clock, config->counters, config->seed,
                                &r->limits);
  if (status != AU_OK) {
    rest_settings_free(settings);
    rest_free(r);
    return status;
  }
  rest_reload(r, settings);
  rest_limits_share(r->limits, config->office->shared);
  *out = r;
  return AU_OK;
}

void rest_free(rest *r) {
  if (!r) return;
  net_list_free(r->trusted_proxies);
  rest_limits_free(r->limits);
  buffer_free(&r->json);
  for (int i = 0; i < PROMETHEUS_FORMATS; i++) buffer_free(&r->exposition[i]);
  buffer_free(&r->history);
  free(r);
}

void rest_set_access(rest *r, const access_rules *access) {
  r->config.access = access;
}

void rest_charge(rest *r, budgets_customer which, au_slice customer_id, uint32_t n) {
  rest_limits_charge(r->limits, which, customer_id, n);
}

void rest_stopping(rest *r) {
  r->stopping = true;
}

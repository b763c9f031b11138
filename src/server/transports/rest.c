/* Routes, limits, and what each status becomes on the wire. Must not know how
 * bytes arrive or where sessions are kept. */
#include "rest.h"

#include "../services/metrics.h"
#include "../utils/query.h"
#include "../wire.h"
#include "assets.h"
#include "handshake.h"
#include "health.h"
#include "origins.h"
#include "prometheus.h"
#include "rest_limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_JSON_BYTES = 64 * 1024,
  RETRY_AFTER_S = 2, /* said with a 503; the store is tried again within that */
};

struct rest {
  rest_config config;
  origins *origins;
  net_list *trusted_proxies;
  rest_limits *limits;
  int64_t started_ms;
  bool stopping;
  buffer json; /* the body being made */
};

/* A request that waits for the store, in the connection's context. */
typedef struct call {
  rest *rest;
  http_conn *conn;
  uint64_t *counter; /* of acknowledged ones */
  bool wants_metrics;
  uint8_t customer_len;
  char customer[AU_ID_MAX];
} call;

_Static_assert((int)HTTP_MAX_BODY_BYTES == (int)WIRE_MAX_BODY_BYTES, "one limit, told by two");
_Static_assert(sizeof(call) <= HTTP_CONTEXT_BYTES, "a call must fit into the context");

static au_slice call_customer(const call *c) {
  return (au_slice){c->customer, c->customer_len};
}

/* ---- replies ------------------------------------------------------------- */

static void reply_json(rest *r, http_conn *conn, int status) {
  bool ok = !r->json.failed;
  http_reply reply = {
      .status = ok ? status : 500,
      .content_type = "application/json",
      .body = ok ? buffer_slice(&r->json) : slice_of("{\"error\":\"Internal Server Error\"}"),
  };
  http_conn_reply(conn, &reply);
}

static void reply_error(rest *r, http_conn *conn, int status, const char *message,
                        const char *field) {
  buffer_clear(&r->json);
  wire_print_error(&r->json, http_reason(status), message, field, NULL);
  reply_json(r, conn, status);
}

/* The one table from status to HTTP. Every one of these but AU_EINVAL may pass, so
 * they are 503 and say when to come back. */
static void reply_status(rest *r, http_conn *conn, au_status status) {
  static const struct {
    au_status status;
    int http;
    const char *message;
  } rows[] = {
      {AU_EINVAL, 400, "the request is not valid"},
      {AU_ENOMEM, 503, "out of memory"},
      {AU_EBUSY, 503, "too many operations in flight"},
      {AU_EFULL, 503, "the table of sessions or customers is full"},
      {AU_ESTORE, 503, "the store is not available"},
      {AU_ETIMEDOUT, 503, "the store did not answer in time"},
      {AU_ECANCELED, 503, "the daemon is stopping"},
  };
  size_t i = 0, last = sizeof rows / sizeof rows[0] - 1;
  while (i < last && rows[i].status != status) i++;
  if (rows[i].http == 503) {
    r->config.counters->presence_failed++;
    buffer_append_format(http_conn_headers(conn), "Retry-After: %d\r\n", RETRY_AFTER_S);
  }
  reply_error(r, conn, rows[i].http, rows[i].message, NULL);
}

/* ---- presence ------------------------------------------------------------ */

static void reply_success(call *c, const au_metrics *metrics) {
  buffer *json = &c->rest->json;
  buffer_clear(json);
  wire_print_success(json, metrics);
  reply_json(c->rest, c->conn, 200);
}

/* The beat was acknowledged before this: a failure to count is not its failure. */
static void on_beat_sample(au_status status, const au_sample *sample, void *arg) {
  call *c = arg;
  http_conn *conn = c->conn;
  if (status == AU_OK) {
    au_metrics metrics = metrics_of(c->rest->config.clock, call_customer(c), sample);
    reply_success(c, &metrics);
  } else {
    reply_success(c, NULL);
  }
  http_conn_unref(conn);
}

static void on_presence_done(au_status status, void *arg) {
  call *c = arg;
  http_conn *conn = c->conn;
  if (status != AU_OK) {
    reply_status(c->rest, conn, status);
  } else {
    ++*c->counter;
    if (c->wants_metrics &&
        presence_sample(c->rest->config.presence, call_customer(c), on_beat_sample, c) == AU_OK)
      return; /* the reference goes on to on_beat_sample */
    reply_success(c, NULL);
  }
  http_conn_unref(conn);
}

static call *begin_call(rest *r, http_conn *conn, au_slice customer_id) {
  call *c = http_conn_context(conn);
  *c = (call){.rest = r, .conn = conn, .customer_len = (uint8_t)customer_id.len};
  memcpy(c->customer, customer_id.ptr, customer_id.len);
  http_conn_ref(conn); /* held until the store has answered */
  return c;
}

/* False when a limit blocks; the 429 is sent then. */
static bool within_limits(rest *r, http_conn *conn, const http_request *request,
                          au_slice customer_id, bool free_of_charge) {
  net_addr client =
      net_client(request->peer, request->headers[HTTP_H_FORWARDED_FOR], r->trusted_proxies);
  int64_t retry_s = 0;
  rest_verdict verdict = rest_limits_check(r->limits, &client, customer_id, free_of_charge,
                                           http_conn_headers(conn), &retry_s);
  if (verdict == REST_ALLOWED) return true;

  bool by_ip = verdict == REST_BLOCKED_IP;
  const char *blocked_by = by_ip ? "ip" : "customer";
  if (by_ip)
    r->config.counters->rate_blocked_ip++;
  else
    r->config.counters->rate_blocked_customer++;
  char message[96];
  snprintf(message, sizeof message, "Rate limit exceeded (%s). Try again in %" PRId64 " seconds.",
           blocked_by, retry_s);
  buffer_clear(&r->json);
  wire_print_error(&r->json, http_reason(429), message, NULL, blocked_by);
  reply_json(r, conn, 429);
  return false;
}

/* Refuses a request that names no customer; its address pays for it. */
static void refuse(rest *r, http_conn *conn, const http_request *request, int status,
                   const char *message, const char *field) {
  if (within_limits(r, conn, request, (au_slice){"", 0}, false))
    reply_error(r, conn, status, message, field);
}

/* JSON, or text as sendBeacon sends it, or no word about it. */
static bool acceptable_content(au_slice type) {
  if (!type.ptr) return true;
  au_slice media;
  if (!slice_next(&type, ';', &media)) return true;
  media = slice_trim(media);
  return slice_eq_nocase(media, slice_of("application/json")) ||
         slice_eq_nocase(media, slice_of("text/plain"));
}

static bool wants_metrics(const http_request *request) {
  char value[1];
  size_t len;
  return query_get(request->query, "metrics", value, sizeof value, &len) == QUERY_ONE && len == 1 &&
         value[0] == '1';
}

typedef au_status presence_fn(presence *p, const au_beat *beat, au_done_fn cb, void *arg);

static void handle_presence(rest *r, http_conn *conn, const http_request *request,
                            presence_fn *begin, uint64_t *counter) {
  if (!acceptable_content(request->headers[HTTP_H_CONTENT_TYPE])) {
    refuse(r, conn, request, 415, "Content-Type must be application/json or text/plain", NULL);
    return;
  }
  if (!request->headers[HTTP_H_CONTENT_LENGTH].ptr &&
      !request->headers[HTTP_H_TRANSFER_ENCODING].ptr) {
    refuse(r, conn, request, 411, "Content-Length is required", NULL);
    return;
  }
  wire_beat parsed;
  wire_error error;
  au_status status = wire_parse_beat(request->body, &parsed, &error);
  if (status == AU_EINVAL) {
    refuse(r, conn, request, 400, error.message, error.field);
    return;
  }
  if (status != AU_OK) {
    reply_status(r, conn, status);
    return;
  }
  const au_beat *beat = &parsed.beat;
  bool paced = begin == presence_beat && presence_paced(r->config.presence, beat);
  if (!within_limits(r, conn, request, beat->customer_id, paced)) return;

  call *c = begin_call(r, conn, beat->customer_id);
  c->counter = counter;
  c->wants_metrics = begin == presence_beat && wants_metrics(request);
  status = begin(r->config.presence, beat, on_presence_done, c);
  if (status == AU_OK) return;
  reply_status(r, conn, status);
  http_conn_unref(conn);
}

static void handle_join(rest *r, http_conn *conn, const http_request *request) {
  handle_presence(r, conn, request, presence_join, &r->config.counters->joins);
}

static void handle_beat(rest *r, http_conn *conn, const http_request *request) {
  handle_presence(r, conn, request, presence_beat, &r->config.counters->beats);
}

static void handle_leave(rest *r, http_conn *conn, const http_request *request) {
  handle_presence(r, conn, request, presence_leave, &r->config.counters->leaves);
}

/* ---- what dashboards and operators read ----------------------------------- */

static void on_metrics_sample(au_status status, const au_sample *sample, void *arg) {
  call *c = arg;
  http_conn *conn = c->conn;
  rest *r = c->rest;
  if (status == AU_OK) {
    au_metrics metrics = metrics_of(c->rest->config.clock, call_customer(c), sample);
    buffer_clear(&r->json);
    wire_print_metrics(&r->json, &metrics);
    reply_json(r, conn, 200);
  } else {
    reply_status(r, conn, status);
  }
  http_conn_unref(conn);
}

static int64_t uptime_s(const rest *r) {
  return (clock_mono_ms(r->config.clock) - r->started_ms) / 1000;
}

static void handle_exposition(rest *r, http_conn *conn) {
  au_store_health health = r->config.store->ops->health(r->config.store);
  buffer_clear(&r->json);
  prometheus_print(&r->json, r->config.counters, &health, uptime_s(r));
  http_reply reply = {200, PROMETHEUS_CONTENT_TYPE, buffer_slice(&r->json), false};
  http_conn_reply(conn, &reply);
}

static void handle_metrics(rest *r, http_conn *conn, const http_request *request) {
  char id[AU_ID_MAX];
  size_t len = 0;
  query_result found = query_get(request->query, "customerId", id, sizeof id, &len);
  if (found == QUERY_NONE) {
    handle_exposition(r, conn);
    return;
  }
  au_slice customer_id = {id, len};
  if (found != QUERY_ONE || !wire_valid_id(customer_id)) {
    refuse(r, conn, request, 400,
           found == QUERY_REPEATED
               ? "customerId must be given once"
               : "customerId must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ @ = + / -",
           "customerId");
    return;
  }
  if (!within_limits(r, conn, request, customer_id, false)) return;
  call *c = begin_call(r, conn, customer_id);
  au_status status = presence_sample(r->config.presence, customer_id, on_metrics_sample, c);
  if (status == AU_OK) return;
  reply_status(r, conn, status);
  http_conn_unref(conn);
}

static void handle_health(rest *r, http_conn *conn, const http_request *request) {
  (void)request;
  au_store_health health = r->config.store->ops->health(r->config.store);
  buffer_clear(&r->json);
  health_print(&r->json, &health, r->config.counters, uptime_s(r), r->stopping);
  reply_json(r, conn, r->stopping ? 503 : 200);
}

static void handle_ready(rest *r, http_conn *conn, const http_request *request) {
  (void)request;
  au_store_health health = r->config.store->ops->health(r->config.store);
  buffer_clear(&r->json);
  bool ready = ready_print(&r->json, &health, r->stopping);
  reply_json(r, conn, ready ? 200 : 503);
}

static void handle_asset(rest *r, http_conn *conn, const http_request *request) {
  if (!assets_reply(conn, request))
    reply_error(r, conn, 404, "there is nothing at this path", NULL);
}

/* ---- upgrades ------------------------------------------------------------ */

static void handle_websocket(rest *r, http_conn *conn, const http_request *request) {
  if (r->stopping) {
    reply_status(r, conn, AU_ECANCELED);
    return;
  }
  const char *message;
  int refused = handshake_check(request, &message);
  if (refused == 426)
    buffer_append_text(http_conn_headers(conn),
                       "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  if (refused) {
    reply_error(r, conn, refused, message, NULL);
    return;
  }
  /* Copied, since the connection's bytes go with it. */
  char key[HANDSHAKE_KEY_BYTES];
  memcpy(key, request->headers[HTTP_H_WS_KEY].ptr, sizeof key);
  au_slice early;
  int fd = http_conn_detach(conn, &early);
  if (fd < 0) {
    reply_status(r, conn, AU_EBUSY);
    return;
  }
  r->config.upgrade(r->config.upgrade_arg, fd, (au_slice){key, sizeof key}, early);
}

/* ---- routes -------------------------------------------------------------- */

enum { GET = 1 << HTTP_IS_GET | 1 << HTTP_IS_HEAD, POST = 1 << HTTP_IS_POST };

struct route {
  const char *path;
  unsigned methods;
  void (*handle)(rest *r, http_conn *conn, const http_request *request);
};

static const struct route routes[] = {
    {"/presence/beat", POST, handle_beat},   {"/presence/join", POST, handle_join},
    {"/presence/leave", POST, handle_leave}, {"/metrics", GET, handle_metrics},
    {"/health", GET, handle_health},         {"/ready", GET, handle_ready},
    {WEBSOCKET_PATH, GET, handle_websocket}, {"/", GET, handle_asset},
    {"/client.js", GET, handle_asset},       {"/client.mjs", GET, handle_asset},
    {"/client.d.ts", GET, handle_asset},
};

/* The WebSocket door leads to one path only, and that path is nowhere while
 * WebSocket is off. */
static const struct route *find_route(const rest *r, const http_request *request) {
  for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
    if (!slice_eq(request->path, slice_of(routes[i].path))) continue;
    bool is_websocket = routes[i].handle == handle_websocket;
    if (is_websocket ? r->config.upgrade == NULL : request->door == REST_DOOR_WS) return NULL;
    return &routes[i];
  }
  return NULL;
}

static void reply_preflight(http_conn *conn, bool allowed) {
  if (allowed)
    buffer_append_text(http_conn_headers(conn),
                       "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"
                       "Access-Control-Allow-Headers: Content-Type, Authorization\r\n"
                       "Access-Control-Max-Age: 86400\r\n");
  http_reply reply = {.status = 204};
  http_conn_reply(conn, &reply);
}

/* Where requests are limited, this one counts too. */
static void deny(rest *r, http_conn *conn, const http_request *request, const struct route *route,
                 int status, const char *message) {
  if (route->methods == POST)
    refuse(r, conn, request, status, message, NULL);
  else
    reply_error(r, conn, status, message, NULL);
}

static void on_request(void *arg, http_conn *conn, const http_request *request) {
  rest *r = arg;
  bool allowed =
      origins_answer(r->origins, request->headers[HTTP_H_ORIGIN], http_conn_headers(conn));
  if (request->method == HTTP_IS_OPTIONS) {
    reply_preflight(conn, allowed);
    return;
  }
  const struct route *route = find_route(r, request);
  if (!route) {
    reply_error(r, conn, 404, "there is nothing at this path", NULL);
  } else if (!(route->methods & 1u << request->method)) {
    buffer_append_text(http_conn_headers(conn), route->methods == POST
                                                    ? "Allow: POST, OPTIONS\r\n"
                                                    : "Allow: GET, HEAD, OPTIONS\r\n");
    deny(r, conn, request, route, 405, "this method is not allowed here");
  } else if (!allowed) {
    deny(r, conn, request, route, 403, "pages of this origin may not use this daemon");
  } else {
    route->handle(r, conn, request);
  }
}

static void on_bad_request(void *arg, http_conn *conn, const http_request *request, int status,
                           const char *message) {
  rest *r = arg;
  (void)origins_answer(r->origins, request->headers[HTTP_H_ORIGIN], http_conn_headers(conn));
  if (status == 503)
    buffer_append_format(http_conn_headers(conn), "Retry-After: %d\r\n", RETRY_AFTER_S);
  reply_error(r, conn, status, message, NULL);
}

http_handler rest_handler(rest *r) {
  return (http_handler){on_request, on_bad_request, r};
}

/* ---- life ---------------------------------------------------------------- */

au_status rest_reload(rest *r, const au_config *config, const char **reason) {
  origins *new_origins = NULL;
  net_list *new_proxies = NULL;
  *reason = "allowed-origins must be * or a list like https://shop.example, https://b.example";
  au_status status = origins_parse(config->allowed_origins, &new_origins);
  if (status == AU_OK) {
    *reason = "trusted-proxies must be a list like 10.0.0.0/8, 2001:db8::/32";
    status = net_list_parse(config->trusted_proxies, &new_proxies);
  }
  if (status != AU_OK) {
    origins_free(new_origins);
    return status;
  }
  origins_free(r->origins);
  net_list_free(r->trusted_proxies);
  r->origins = new_origins;
  r->trusted_proxies = new_proxies;
  if (r->limits) rest_limits_reload(r->limits, config);
  return AU_OK;
}

au_status rest_create(const rest_config *config, const char **reason, rest **out) {
  rest *r = calloc(1, sizeof *r);
  if (!r) return AU_ENOMEM;
  r->config = *config;
  r->started_ms = clock_mono_ms(config->clock);
  buffer_init(&r->json, MAX_JSON_BYTES);
  au_status status = rest_reload(r, config->config, reason);
  if (status == AU_OK)
    status = rest_limits_create(config->config, config->clock, config->seed, &r->limits);
  if (status != AU_OK) {
    rest_free(r);
    return status;
  }
  *out = r;
  return AU_OK;
}

void rest_free(rest *r) {
  if (!r) return;
  origins_free(r->origins);
  net_list_free(r->trusted_proxies);
  rest_limits_free(r->limits);
  buffer_free(&r->json);
  free(r);
}

void rest_stopping(rest *r) {
  r->stopping = true;
}

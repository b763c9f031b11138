/* Sends answers and errors, the 429 of a blocked request too, and gives connections away. Used by
 * all routes. */
#include "rest_private.h"

#include "transports/admin/operators.h"
#include "wire/wire.h"

#include <inttypes.h>
#include <string.h>

void rest_reply_dynamic(http_conn *conn, const http_reply *reply) {
  buffer_append_text(http_conn_headers(conn),
                     "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
  http_conn_reply(conn, reply);
}

void rest_reply_json(rest *r, http_conn *conn, int status) {
  bool ok = !r->json.failed;
  http_reply reply = {
      .status = ok ? status : 500,
      .content_type = "application/json",
      .body = ok ? buffer_slice(&r->json) : slice_of("{\"error\":\"Internal Server Error\"}"),
  };
  rest_reply_dynamic(conn, &reply);
}

void rest_reply_error(rest *r, http_conn *conn, int status, const char *message,
                      const char *field) {
  buffer_clear(&r->json);
  wire_print_error(&r->json, http_reason(status), message, field, NULL);
  rest_reply_json(r, conn, status);
}

/* The one table from status to HTTP. Every one of these but AU_EINVAL may pass, so
 * they are 503 and say when to come back. */
void rest_reply_status(rest *r, http_conn *conn, au_status status) {
  static const struct {
    au_status status;
    int http;
    const char *message;
  } rows[] = {
      {AU_EINVAL, 400, "the request is not valid"},
      {AU_ENOMEM, 503, "out of memory"},
      {AU_EBUSY, 503, "too many operations in flight"},
      {AU_EFULL, 503, "the table of sessions or customers is full, or the share of this customer"},
      {AU_ESTORE, 503, "the store is not available"},
      {AU_ETIMEDOUT, 503, "the store did not answer in time"},
      {AU_ECANCELED, 503, "the daemon is stopping"},
  };
  size_t i = 0, last = sizeof rows / sizeof rows[0] - 1;
  while (i < last && rows[i].status != status) i++;
  if (rows[i].http == 503) {
    r->config.counters->presence_failed++;
    buffer_append_format(http_conn_headers(conn), "Retry-After: %d\r\n", REST_RETRY_AFTER_S);
  }
  rest_reply_error(r, conn, rows[i].http, rows[i].message, NULL);
}

void rest_reply_blocked(rest *r, http_conn *conn, const http_request *request, rest_verdict verdict,
                        int64_t retry_s) {
  const char *blocked_by = verdict == REST_BLOCKED_IP ? "ip" : "customer";
  refusal_log_add(&r->refusals, verdict == REST_BLOCKED_IP ? REFUSAL_IP : REFUSAL_CUSTOMER,
                  request->headers[HTTP_H_ORIGIN], clock_mono_ms(r->config.clock));
  char message[96];
  snprintf(message, sizeof message, "Rate limit exceeded (%s). Try again in %" PRId64 " seconds.",
           blocked_by, retry_s);
  buffer_clear(&r->json);
  wire_print_error(&r->json, http_reason(429), message, NULL, blocked_by);
  rest_reply_json(r, conn, 429);
}

/* The pot whose state belongs on each answer of a path, whatever it is; ADDRESS_POTS: none. */
static address_pot pot_shown(const http_request *request) {
  au_slice path = request->path;
  if (rest_is_below(path, "/presence/")) return ADDRESS_PRESENCE;
  bool is_read = slice_eq(path, slice_of("/metrics")) && rest_asks_for_customer(request);
  bool is_stream = slice_eq(path, slice_of(STREAM_PATH));
  bool is_history = slice_eq(path, slice_of(HISTORY_PATH));
  bool is_pages = slice_eq(path, slice_of(PAGES_PATH));
  return is_read || is_stream || is_history || is_pages || rest_is_below(path, BADGE_PATH)
             ? ADDRESS_READS
             : ADDRESS_POTS;
}

void rest_show_limits(const rest_call *call) {
  rest *r = call->rest;
  address_pot pot = pot_shown(call->request);
  if (pot == ADDRESS_POTS) return;
  rate_state met = address_peek(call->from, pot, clock_mono_ms(r->config.clock));
  rest_limits_print(r->limits, &met, http_conn_headers(call->conn));
}

void rest_reply_unpaid(const rest_call *call, int status, const char *message, const char *field) {
  rest_show_limits(call);
  if (status == 503)
    buffer_append_format(http_conn_headers(call->conn), "Retry-After: %d\r\n", REST_RETRY_AFTER_S);
  rest_reply_error(call->rest, call->conn, status, message, field);
}

bool rest_pay(const rest_call *call, au_slice customer_id, rest_cost cost) {
  rest *r = call->rest;
  int64_t retry_s = 0;
  rest_verdict verdict = rest_limits_pay(r->limits, call->from, customer_id, cost,
                                         http_conn_headers(call->conn), &retry_s);
  if (verdict == REST_ALLOWED) return true;
  if (verdict == REST_BLOCKED_IP) http_conn_slow_down(call->conn);
  rest_reply_blocked(r, call->conn, call->request, verdict, retry_s);
  return false;
}

void rest_refuse(const rest_call *call, rest_cost cost, int status, const char *message,
                 const char *field) {
  if (!rest_pay(call, (au_slice){"", 0}, cost)) return;
  if (cost == REST_COSTS_OTHER)
    rest_reply_unpaid(call, status, message, field);
  else
    rest_reply_error(call->rest, call->conn, status, message, field);
}

static int refusal_of(const rest_call *call, bool may_change, const char **message) {
  const rest *r = call->rest;
  bool proxied = net_list_has(r->trusted_proxies, call->request->peer);
  return operators_refuse(r->config.config, call->request, may_change, proxied, message);
}

bool rest_admits_operator(const rest_call *call, bool may_change) {
  rest *r = call->rest;
  const char *message;
  if (!rest_pay(call, (au_slice){"", 0}, REST_COSTS_OTHER)) return false;
  int refused = refusal_of(call, may_change, &message);
  if (refused == 0) return true;
  r->config.counters->operators_refused++;
  if (refused == 401)
    buffer_append_text(http_conn_headers(call->conn),
                       "WWW-Authenticate: Bearer realm=\"active-users\"\r\n");
  rest_reply_error(r, call->conn, refused, message, NULL);
  return false;
}

bool rest_is_operator(const rest_call *call) {
  const char *message;
  return operators_are_here(call->rest->config.config, call->request, REST_LISTENER_ADMIN) &&
         refusal_of(call, false, &message) == 0;
}

bool rest_detach(const rest_call *call, http_detached *out) {
  rest *r = call->rest;
  bool proxied = net_list_has(r->trusted_proxies, call->request->peer);
  if (proxied && !address_connect(call->from)) {
    r->config.counters->connections_refused_ip++;
    buffer_append_format(http_conn_headers(call->conn), "Retry-After: %d\r\n", REST_RETRY_AFTER_S);
    rest_reply_blocked(r, call->conn, call->request, REST_BLOCKED_IP, REST_RETRY_AFTER_S);
    return false;
  }
  if (!http_conn_detach(call->conn, out)) {
    if (proxied) address_disconnect(call->from);
    rest_reply_status(r, call->conn, AU_EBUSY);
    return false;
  }
  if (proxied) {
    if (out->counted) address_disconnect(out->address); /* before it was trusted */
    address_release(out->address, clock_mono_ms(r->config.clock));
    out->address = address_ref(call->from);
    out->counted = true;
  }
  return true;
}

rest_pending *rest_begin(const rest_call *call, au_slice customer_id) {
  rest_pending *p = http_conn_context(call->conn);
  *p = (rest_pending){
      .rest = call->rest, .conn = call->conn, .customer_len = (uint8_t)customer_id.len};
  memcpy(p->customer, customer_id.ptr, customer_id.len);
  http_conn_ref(call->conn); /* held until the store has answered */
  return p;
}

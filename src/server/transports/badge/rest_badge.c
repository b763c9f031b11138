/* GET /badge/{customerId}.svg and .json: the count as an image, or for one that shields.io makes.
 */
#include "transports/rest_private.h"

#include <inttypes.h>
#include <string.h>

#include "badge.h"
#include "services/metrics.h"
#include "transports/assets.h"
#include "utils/text/query.h"
#include "wire/wire.h"

enum { TAG_SIZE = 19 /* 16 hex digits, two quotes and a NUL */ };

/* In the connection's context, while the store works. */
typedef struct badge_pending {
  rest *rest;
  http_conn *conn;
  badge badge;
  badge_format format;
  uint8_t customer_len;
  char customer[AU_ID_MAX];
  char if_none_match[TAG_SIZE]; /* one tag of ours, as it came; "" for anything else */
} badge_pending;

_Static_assert(sizeof(badge_pending) <= HTTP_CONTEXT_BYTES, "it must fit into the context");

/* ---- the answer -------------------------------------------------------------------- */

/* FNV-1a: the tag tells two badges of one address apart, and nothing hangs on it. */
static void tag_of(au_slice body, char tag[TAG_SIZE]) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < body.len; i++)
    hash = (hash ^ (unsigned char)body.ptr[i]) * UINT64_C(1099511628211);
  snprintf(tag, TAG_SIZE, "\"%016" PRIx64 "\"", hash);
}

static void reply_badge(badge_pending *p, const au_metrics *metrics) {
  rest *r = p->rest;
  buffer_clear(&r->json);
  badge_print(&r->json, &p->badge, p->format, metrics);
  if (r->json.failed) {
    rest_reply_status(r, p->conn, AU_ENOMEM);
    return;
  }
  au_slice body = buffer_slice(&r->json);
  char tag[TAG_SIZE];
  tag_of(body, tag);
  buffer_append_format(http_conn_headers(p->conn),
                       "ETag: %s\r\nCache-Control: public, max-age=10\r\n"
                       "X-Content-Type-Options: nosniff\r\n"
                       "Cross-Origin-Resource-Policy: cross-origin\r\n"
                       "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n",
                       tag);
  http_reply reply = {.status = 304};
  if (!assets_none_match_hits(slice_of(p->if_none_match), slice_of(tag)))
    reply = (http_reply){.status = 200,
                         .content_type = p->format == BADGE_SVG ? "image/svg+xml; charset=utf-8"
                                                                : "application/json",
                         .body = body};
  http_conn_reply(p->conn, &reply);
}

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  badge_pending *p = arg;
  http_conn *conn = p->conn;
  if (status == AU_OK) {
    au_slice customer_id = {p->customer, p->customer_len};
    au_metrics metrics = metrics_of(p->rest->config.clock, customer_id, sample);
    reply_badge(p, &metrics);
  } else {
    rest_reply_status(p->rest, conn, status);
  }
  http_conn_unref(conn);
}

/* ---- the request ---------------------------------------------------------------------- */

static bool ends_with(au_slice text, const char *end) {
  au_slice tail = slice_of(end);
  return text.len >= tail.len &&
         slice_eq((au_slice){text.ptr + text.len - tail.len, tail.len}, tail);
}

static void refuse(const rest_call *call, const char *field, const char *message) {
  call->rest->config.counters->http_invalid++;
  rest_refuse(call, REST_COSTS_READ, 400, message, field);
}

/* Reads the path into `p`; false: the refusal is sent. */
static bool read_path(const rest_call *call, badge_pending *p) {
  au_slice path = call->request->path, prefix = slice_of(BADGE_PATH);
  path = (au_slice){path.ptr + prefix.len, path.len - prefix.len};
  bool is_svg = ends_with(path, ".svg"), is_json = ends_with(path, ".json");
  if (!is_svg && !is_json) {
    rest_refuse(call, REST_COSTS_READ, 404, "a badge ends in .svg or .json", NULL);
    return false;
  }
  p->format = is_svg ? BADGE_SVG : BADGE_JSON;
  path.len -= is_svg ? 4 : 5;
  size_t len = 0;
  if (!percent_decode(path, p->customer, sizeof p->customer, &len) ||
      !wire_valid_id((au_slice){p->customer, len})) {
    refuse(call, "customerId", "customerId must be " WIRE_ID_RULE);
    return false;
  }
  p->customer_len = (uint8_t)len;
  return true;
}

void rest_handle_badge(const rest_call *call) {
  rest *r = call->rest;
  badge_pending *p = http_conn_context(call->conn);
  *p = (badge_pending){.rest = r, .conn = call->conn};
  if (!read_path(call, p)) return;
  const char *field, *message;
  if (badge_parse(call->request->query, &p->badge, &field, &message) != AU_OK) {
    refuse(call, field, message);
    return;
  }
  au_slice customer_id = {p->customer, p->customer_len};
  if (!rest_admits_page(call, customer_id)) return;
  if (!rest_pay(call, customer_id, REST_COSTS_READ)) return;
  au_slice tag = slice_trim(call->request->headers[HTTP_H_IF_NONE_MATCH]);
  if (tag.len > 2 && memcmp(tag.ptr, "W/", 2) == 0) tag = (au_slice){tag.ptr + 2, tag.len - 2};
  if (tag.len == TAG_SIZE - 1) memcpy(p->if_none_match, tag.ptr, tag.len);
  http_conn_ref(call->conn); /* held until the store has answered */
  au_status status = presence_sample(r->config.presence, customer_id, on_sample, p);
  if (status == AU_OK) return;
  rest_reply_status(r, call->conn, status);
  http_conn_unref(call->conn);
}

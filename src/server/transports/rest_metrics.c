/* What dashboards and operators read: metrics, the exposition, health. */
#include "rest_private.h"

#include "health.h"
#include "services/metrics.h"
#include "utils/text/query.h"
#include "wire/scan.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum {
  EXPOSITION_MS = 1000, /* how long a printed one is reused */
  PAGE_TEXT_MAX = 1024, /* of a page that is asked for; what is behind AU_PATH_MAX is cut anyway */
};

void rest_add_peaks(rest_pending *p, const au_sample *sample, history_peaks_fn cb) {
  p->metrics = metrics_of(p->rest->config.clock, (au_slice){0}, sample);
  history_peaks(p->rest->config.history, rest_pending_customer(p), sample, cb, p);
}

const au_metrics *rest_take_peaks(rest_pending *p, const au_peaks *peaks) {
  p->metrics.customer_id = rest_pending_customer(p);
  p->metrics.has_peaks = true;
  p->metrics.peak = peaks->ever;
  p->metrics.peak_today = peaks->today;
  return &p->metrics;
}

static uint32_t count_of(const au_breakdown *seen, au_slice page) {
  for (size_t i = 0; i < seen->n; i++)
    if (slice_eq(seen->pages[i].page, page)) return seen->pages[i].count;
  return 0;
}

/* The answer stands without it: `seen` is NULL when that is not known. */
static void reply_metrics(rest_pending *p, const au_breakdown *seen) {
  rest *r = p->rest;
  http_conn *conn = p->conn;
  char *page = p->page; /* `p` is gone with the reply */
  buffer_clear(&r->json);
  if (seen && (seen->visible > 0 || seen->hidden > 0)) {
    p->metrics.has_visible = true;
    p->metrics.visible = seen->visible;
  }
  if (page && seen)
    wire_print_page_metrics(&r->json, &p->metrics, slice_of(page), count_of(seen, slice_of(page)));
  else
    wire_print_metrics(&r->json, &p->metrics);
  if (page && !seen)
    rest_reply_status(r, conn, AU_EBUSY);
  else
    rest_reply_json(r, conn, 200);
  free(page);
  http_conn_unref(conn);
}

static void on_seen(au_status status, const au_breakdown *seen, void *arg) {
  reply_metrics(arg, status == AU_OK ? seen : NULL);
}

static void on_peaks(const au_peaks *peaks, void *arg) {
  rest_pending *p = arg;
  au_slice customer_id = rest_take_peaks(p, peaks)->customer_id;
  if (presence_breakdown(p->rest->config.presence, customer_id, p->page != NULL, on_seen, p) !=
      AU_OK)
    reply_metrics(p, NULL);
}

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  rest_pending *p = arg;
  if (status == AU_OK) {
    rest_add_peaks(p, sample, on_peaks);
    return;
  }
  http_conn *conn = p->conn;
  free(p->page);
  rest_reply_status(p->rest, conn, status);
  http_conn_unref(conn);
}

static int64_t uptime_s(const rest *r) {
  return (clock_mono_ms(r->config.clock) - r->started_ms) / 1000;
}

/* Printed anew when the last one is too old: asking costs little, however many ask. */
static void reply_exposition(const rest_call *call) {
  rest *r = call->rest;
  if (!rest_admits_operator(call, false)) return;
  prometheus_format format = prometheus_format_of(call->request->headers[HTTP_H_ACCEPT]);
  buffer *page = &r->exposition[format];
  int64_t now_ms = clock_mono_ms(r->config.clock);
  if (page->len == 0 || now_ms - r->exposition_ms[format] >= EXPOSITION_MS) {
    au_store_health health = r->config.store->ops->health(r->config.store);
    prometheus_refresh(r->config.counters, &health, now_ms - r->started_ms);
    buffer_clear(page);
    prometheus_print(page, r->config.counters, r->config.top, health.name, format);
    r->exposition_ms[format] = now_ms;
  }
  if (page->failed) {
    buffer_clear(page);
    rest_reply_status(r, call->conn, AU_ENOMEM);
    return;
  }
  buffer_append_text(http_conn_headers(call->conn), "Vary: Accept\r\n");
  http_reply reply = {
      .status = 200, .content_type = prometheus_content_type(format), .body = buffer_slice(page)};
  rest_reply_dynamic(call->conn, &reply);
}

bool rest_customer_of(const rest_call *call, char id[AU_ID_MAX], au_slice *out) {
  size_t len = 0;
  query_result found = query_get(call->request->query, "customerId", id, AU_ID_MAX, &len);
  *out = (au_slice){id, len};
  if (found == QUERY_ONE && wire_valid_id(*out)) return rest_admits_page(call, *out);
  call->rest->config.counters->http_invalid++;
  char missing[REFUSAL_TEXT_SIZE];
  refusal_of_query(missing, call->request->query);
  rest_refuse(call, REST_COSTS_READ, 400,
              found == QUERY_NONE       ? missing
              : found == QUERY_REPEATED ? "customerId must be given once"
                                        : "customerId must be " WIRE_ID_RULE,
              "customerId");
  return false;
}

/* Reads the page that a query names. *page: a copy that the caller frees, NULL when it names none.
 * False: the refusal is sent. */
static bool page_of(const rest_call *call, char **page) {
  char text[PAGE_TEXT_MAX], path[AU_PATH_MAX];
  size_t len = 0;
  au_slice found;
  *page = NULL;
  query_result result = query_get(call->request->query, "page", text, sizeof text, &len);
  if (result == QUERY_NONE) return true;
  if (result != QUERY_ONE || !wire_scan_utf8((au_slice){text, len}) ||
      !wire_read_page((au_slice){text, len}, path, &found)) {
    call->rest->config.counters->http_invalid++;
    rest_refuse(call, REST_COSTS_READ, 400, "page must be " WIRE_PAGE_RULE ", once", "page");
    return false;
  }
  *page = strndup(found.ptr, found.len);
  if (!*page) rest_reply_status(call->rest, call->conn, AU_ENOMEM);
  return *page != NULL;
}

void rest_handle_metrics(const rest_call *call) {
  rest *r = call->rest;
  char id[AU_ID_MAX];
  au_slice customer_id;
  if (!rest_asks_for_customer(call->request)) {
    reply_exposition(call);
    return;
  }
  char *page;
  if (!rest_customer_of(call, id, &customer_id) || !page_of(call, &page)) return;
  if (!rest_pay(call, customer_id, REST_COSTS_READ)) {
    free(page);
    return;
  }
  rest_pending *p = rest_begin(call, customer_id);
  p->page = page;
  au_status status = presence_sample(r->config.presence, customer_id, on_sample, p);
  if (status == AU_OK) return;
  free(page);
  rest_reply_status(r, call->conn, status);
  http_conn_unref(call->conn);
}

void rest_handle_health(const rest_call *call) {
  rest *r = call->rest;
  au_store_health health = r->config.store->ops->health(r->config.store);
  buffer_clear(&r->json);
  if (rest_is_operator(call))
    health_print(&r->json, &health, r->config.counters, uptime_s(r), r->stopping);
  else
    health_print_bare(&r->json, &health, r->stopping);
  rest_reply_json(r, call->conn, r->stopping ? 503 : 200);
}

void rest_handle_ready(const rest_call *call) {
  rest *r = call->rest;
  au_store_health health = r->config.store->ops->health(r->config.store);
  buffer_clear(&r->json);
  bool ready = ready_print(&r->json, &health, r->stopping);
  rest_reply_json(r, call->conn, ready ? 200 : 503);
}

/* GET /metrics/pages: what a customer's sessions look at, the pages with most of them first. */
#include "services/presence.h"
#include "transports/rest_private.h"
#include "wire/wire.h"

#include <inttypes.h>
#include <string.h>

enum { PAGES_TOP = 20 };

/* In the connection's context. */
typedef struct pages_pending {
  rest *rest;
  http_conn *conn;
  uint32_t count; /* live sessions */
  bool stale;
  uint8_t customer_len;
  char customer[AU_ID_MAX];
} pages_pending;

_Static_assert(sizeof(pages_pending) <= HTTP_CONTEXT_BYTES, "it must fit into the context");

static bool is_before(const au_page_count *a, const au_page_count *b) {
  return a->count != b->count ? a->count > b->count : slice_compare(a->page, b->page) < 0;
}

/* Finds the first of all pages, in order; returns how many there are. */
static size_t find_top(const au_breakdown *seen, au_page_count top[PAGES_TOP]) {
  size_t n = 0;
  for (size_t i = 0; i < seen->n; i++) {
    const au_page_count *row = &seen->pages[i];
    if (n == PAGES_TOP && !is_before(row, &top[n - 1])) continue;
    size_t at = n < PAGES_TOP ? n++ : n - 1;
    for (; at > 0 && is_before(row, &top[at - 1]); at--) top[at] = top[at - 1];
    top[at] = *row;
  }
  return n;
}

static void print_pages(buffer *out, const pages_pending *p, const au_breakdown *seen) {
  au_page_count top[PAGES_TOP];
  size_t n = find_top(seen, top);
  uint64_t other = seen->other;
  for (size_t i = 0; i < seen->n; i++) other += seen->pages[i].count;
  buffer_append_text(out, "{\"customerId\":");
  wire_print_string(out, (au_slice){p->customer, p->customer_len});
  buffer_append_format(out,
                       ",\"timestamp\":%" PRId64 ",\"count\":%" PRIu32 ",\"visible\":%" PRIu32
                       ",\"hidden\":%" PRIu32 ",\"pages\":[",
                       clock_wall_ms(p->rest->config.clock), p->count, seen->visible, seen->hidden);
  for (size_t i = 0; i < n; i++) {
    other -= top[i].count;
    buffer_append_text(out, i > 0 ? ",{\"page\":" : "{\"page\":");
    wire_print_string(out, top[i].page);
    buffer_append_format(out, ",\"count\":%" PRIu32 ",\"visible\":%" PRIu32 "}", top[i].count,
                         top[i].visible);
  }
  buffer_append_format(out, "],\"other\":%" PRIu64 "%s}", other,
                       p->stale || seen->stale ? ",\"stale\":true" : "");
}

static void on_breakdown(au_status status, const au_breakdown *seen, void *arg) {
  const pages_pending *p = arg;
  rest *r = p->rest;
  http_conn *conn = p->conn;
  if (status == AU_OK) {
    buffer_clear(&r->json);
    print_pages(&r->json, p, seen);
    rest_reply_json(r, conn, 200);
  } else {
    rest_reply_status(r, conn, status);
  }
  http_conn_unref(conn);
}

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  pages_pending *p = arg;
  if (status == AU_OK) {
    p->count = sample->count;
    p->stale = sample->stale;
    status = presence_breakdown(p->rest->config.presence, (au_slice){p->customer, p->customer_len},
                                true, on_breakdown, p);
    if (status == AU_OK) return;
  }
  http_conn *conn = p->conn;
  rest_reply_status(p->rest, conn, status);
  http_conn_unref(conn);
}

void rest_handle_pages(const rest_call *call) {
  rest *r = call->rest;
  char id[AU_ID_MAX];
  au_slice customer_id;
  if (!rest_customer_of(call, id, &customer_id)) return;
  if (!rest_pay(call, customer_id, REST_COSTS_READ)) return;
  pages_pending *p = http_conn_context(call->conn);
  *p = (pages_pending){.rest = r, .conn = call->conn, .customer_len = (uint8_t)customer_id.len};
  memcpy(p->customer, customer_id.ptr, customer_id.len);
  http_conn_ref(call->conn); /* held until the store has answered */
  au_status status = presence_sample(r->config.presence, customer_id, on_sample, p);
  if (status == AU_OK) return;
  rest_reply_status(r, call->conn, status);
  http_conn_unref(call->conn);
}

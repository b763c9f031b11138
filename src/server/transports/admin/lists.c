/* What operators read: customers, the sessions of one, one session. */
#include "admin_private.h"

#include "utils/text/query.h"
#include "wire/wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- customers ---------------------------------------------------------------------- */

static void print_row(buffer *out, const census_row *row) {
  buffer_append_text(out, "{\"customerId\":");
  wire_print_string(out, (au_slice){row->id, row->id_len});
  buffer_append_format(out, ",\"count\":%" PRIu32 ",\"ema\":", row->count);
  wire_print_ema(out, row->ema);
  buffer_append_text(out, row->stale ? ",\"stale\":true}" : "}");
}

static void on_census(au_status status, const census_row *rows, size_t n, bool more, void *arg) {
  rest_pending *p = arg;
  http_conn *conn = p->conn;
  rest *r = p->rest;
  if (status != AU_OK) {
    rest_reply_status(r, conn, status);
    http_conn_unref(conn);
    return;
  }
  buffer_clear(&r->json);
  buffer_append_text(&r->json, "{\"customers\":[");
  for (size_t i = 0; i < n; i++) {
    if (i > 0) buffer_append_text(&r->json, ",");
    print_row(&r->json, &rows[i]);
  }
  buffer_append_text(&r->json, "],\"next\":");
  if (more && n > 0)
    buffer_append_format(&r->json, "\"%" PRIu32 ":%.*s\"}", rows[n - 1].count,
                         (int)rows[n - 1].id_len, rows[n - 1].id);
  else
    buffer_append_text(&r->json, "null}");
  rest_reply_json(r, conn, 200);
  http_conn_unref(conn);
}

/* A number of the query; `missing` where there is none. false: the 400 is sent. */
static bool read_number(const rest_call *call, const char *name, uint64_t missing, uint64_t least,
                        uint64_t most, const char *message, uint64_t *out) {
  char text[20];
  size_t len;
  query_result found = query_get(call->request->query, name, text, sizeof text, &len);
  *out = missing;
  if (found == QUERY_NONE) return true;
  if (found == QUERY_ONE && slice_digits((au_slice){text, len}, 19, out) && *out >= least &&
      *out <= most)
    return true;
  admin_error(call, 400, message, name);
  return false;
}

/* `count:customerId`, as `next` gave it. */
static bool read_mark(const rest_call *call, char text[AU_ID_MAX + 16], census_mark *out) {
  size_t len;
  uint64_t count;
  au_slice digits;
  query_result found = query_get(call->request->query, "after", text, AU_ID_MAX + 16, &len);
  *out = (census_mark){.id = {"", 0}};
  if (found == QUERY_NONE) return true;
  au_slice id = {text, len};
  if (found == QUERY_ONE && slice_next(&id, ':', &digits) && slice_digits(digits, 10, &count) &&
      count <= UINT32_MAX && wire_valid_id(id)) {
    *out = (census_mark){(uint32_t)count, id};
    return true;
  }
  admin_error(call, 400, "after must be `next` of the page before", "after");
  return false;
}

/* A part of an id has the characters of one. Empty where there is none. */
static bool read_search(const rest_call *call, char text[AU_ID_MAX], au_slice *out) {
  size_t len = 0;
  query_result found = query_get(call->request->query, "search", text, AU_ID_MAX, &len);
  *out = (au_slice){text, len};
  if (found == QUERY_NONE || (found == QUERY_ONE && (len == 0 || wire_valid_id(*out)))) return true;
  admin_error(call, 400, "search must be a part of an id, once: " WIRE_ID_RULE, "search");
  return false;
}

void admin_list_customers(const admin_call *call) {
  const rest_call *rc = call->rest;
  uint64_t limit;
  census_mark after;
  au_slice search;
  char text[AU_ID_MAX + 16], searched[AU_ID_MAX];
  if (!read_number(rc, "limit", ADMIN_PAGE, 1, ADMIN_PAGE, "limit must be a number from 1 to 100",
                   &limit) ||
      !read_mark(rc, text, &after) || !read_search(rc, searched, &search))
    return;
  rest_pending *p = rest_begin(rc, (au_slice){"", 0});
  au_status status =
      census_take(rc->rest->config.office->census, &after, search, (size_t)limit, on_census, p);
  if (status == AU_OK) return;
  rest_reply_status(rc->rest, rc->conn, status);
  http_conn_unref(rc->conn);
}

/* ---- sessions ----------------------------------------------------------------------- */

/* A page that is being made of pages of the store. */
typedef struct sessions_page {
  rest *rest;
  http_conn *conn;
  buffer json;
  size_t rows;
  uint64_t cursor; /* of the first page of the store */
  au_slice customer_id;
  char customer[AU_ID_MAX];
} sessions_page;

static void page_end(sessions_page *page, int http, au_status status) {
  http_conn *conn = page->conn;
  if (status != AU_OK) {
    rest_reply_status(page->rest, conn, status);
  } else if (page->json.failed) {
    rest_reply_status(page->rest, conn, AU_ENOMEM);
  } else {
    http_reply reply = {
        .status = http, .content_type = "application/json", .body = buffer_slice(&page->json)};
    rest_reply_dynamic(conn, &reply);
  }
  buffer_free(&page->json);
  free(page);
  http_conn_unref(conn);
}

/* What is known of a session; of its address the hash alone, where this daemon has it. */
static void print_session(const rest *r, buffer *out, const au_live *live) {
  int64_t now_ms = clock_wall_ms(r->config.clock);
  buffer_append_text(out, "{\"sessionId\":");
  wire_print_string(out, live->beat.session_id);
  wire_print_optional(out, "tabId", live->beat.tab_id);
  wire_print_optional(out, "platform", live->beat.platform);
  wire_print_optional(out, "userAgent", live->beat.user_agent);
  buffer_append_format(out, ",\"isLeader\":%s", live->beat.is_leader ? "true" : "false");
  if (live->beat.visitor == AU_VISITOR_BOT) buffer_append_text(out, ",\"bot\":true");
  if (live->beat.visitor == AU_VISITOR_PENDING) buffer_append_text(out, ",\"pending\":true");
  if (!r->config.office->names.strict) wire_print_seen(out, &live->beat);
  if (live->renewed_ago_ms >= 0)
    buffer_append_format(out, ",\"renewedAt\":%" PRId64, now_ms - live->renewed_ago_ms);
  buffer_append_format(out, ",\"expiresAt\":%" PRId64 ",\"address\":", now_ms + live->left_ms);
  if (live->beat.source && fleet_knows_names(r->config.office->fleet)) {
    char name[PSEUDONYM_ADDRESS_BYTES];
    pseudonym_print(address_name(live->beat.source), name);
    wire_print_string(out, (au_slice){name, sizeof name});
  } else {
    buffer_append_text(out, "null");
  }
  buffer_append_text(out, "}");
}

static au_status ask(sessions_page *page, uint64_t cursor);

static void on_sessions(au_status status, const au_page *got, void *arg) {
  sessions_page *page = arg;
  if (status != AU_OK) {
    page_end(page, 0, status);
    return;
  }
  for (size_t i = 0; i < got->n; i++) {
    if (page->rows++ > 0) buffer_append_text(&page->json, ",");
    print_session(page->rest, &page->json, &got->sessions[i]);
  }
  if (got->next != 0 && page->rows < ADMIN_PAGE && !page->json.failed) {
    status = ask(page, got->next);
    if (status != AU_OK) page_end(page, 0, status);
    return;
  }
  if (got->next != 0)
    buffer_append_format(&page->json, "],\"next\":\"%" PRIu64 "\"}", got->next);
  else
    buffer_append_text(&page->json, "],\"next\":null}");
  page_end(page, 200, AU_OK);
}

static au_status ask(sessions_page *page, uint64_t cursor) {
  au_store *store = page->rest->config.store;
  const au_listing what = {
      .kind = AU_LIST_SESSIONS, .customer_id = page->customer_id, .cursor = cursor};
  return store->ops->list(store, &what, on_sessions, page);
}

static sessions_page *page_begin(const rest_call *call, au_slice customer_id) {
  sessions_page *page = calloc(1, sizeof *page);
  if (!page) {
    rest_reply_status(call->rest, call->conn, AU_ENOMEM);
    return NULL;
  }
  page->rest = call->rest;
  page->conn = call->conn;
  memcpy(page->customer, customer_id.ptr, customer_id.len);
  page->customer_id = (au_slice){page->customer, customer_id.len};
  buffer_init(&page->json, ADMIN_MAX_BODY_BYTES);
  http_conn_ref(call->conn);
  return page;
}

static void on_count(au_status status, const au_sample *sample, void *arg) {
  sessions_page *page = arg;
  if (status == AU_OK) {
    buffer_append_text(&page->json, "{\"customerId\":");
    wire_print_string(&page->json, page->customer_id);
    buffer_append_format(&page->json, ",\"count\":%" PRIu32 "%s,\"sessions\":[", sample->count,
                         sample->stale ? ",\"stale\":true" : "");
    status = ask(page, page->cursor);
  }
  if (status != AU_OK) page_end(page, 0, status);
}

void admin_list_sessions(const admin_call *call) {
  const rest_call *rc = call->rest;
  au_store *store = rc->rest->config.store;
  uint64_t cursor;
  if (!read_number(rc, "cursor", 0, 1, UINT64_MAX, "cursor must be `next` of the page before",
                   &cursor))
    return;
  sessions_page *page = page_begin(rc, call->path.words[1]);
  if (!page) return;
  page->cursor = cursor;
  au_status status = store->ops->sample(store, page->customer_id, on_count, page);
  if (status != AU_OK) page_end(page, 0, status);
}

/* ---- one session ----------------------------------------------------------------------- */

static void on_session(au_status status, const au_page *got, void *arg) {
  sessions_page *page = arg;
  if (status != AU_OK) {
    page_end(page, 0, status);
    return;
  }
  if (got->n == 0) {
    wire_print_error(&page->json, http_reason(404), "there is no such session", NULL, NULL);
    page_end(page, 404, AU_OK);
    return;
  }
  buffer_append_text(&page->json, "{\"customerId\":");
  wire_print_string(&page->json, page->customer_id);
  buffer_append_text(&page->json, ",\"session\":");
  print_session(page->rest, &page->json, &got->sessions[0]);
  buffer_append_text(&page->json, "}");
  page_end(page, 200, AU_OK);
}

void admin_show_session(const admin_call *call) {
  au_store *store = call->rest->rest->config.store;
  sessions_page *page = page_begin(call->rest, call->path.words[1]);
  if (!page) return;
  pseudonym_session room;
  const au_listing what = {
      .kind = AU_LIST_SESSION,
      .customer_id = page->customer_id,
      .session_id = pseudonyms_stored_session(&call->rest->rest->config.office->names,
                                              page->customer_id, call->path.words[2], &room),
  };
  au_status status = store->ops->list(store, &what, on_session, page);
  if (status != AU_OK) page_end(page, 0, status);
}

/* What operators undo: sessions that end, addresses that are blocked. */
#include "admin_private.h"

#include "wire/wire.h"

#include <inttypes.h>

/* ---- ending sessions ------------------------------------------------------------------ */

static void on_undone(au_status status, uint32_t ended, void *arg) {
  rest_pending *p = arg;
  http_conn *conn = p->conn;
  rest *r = p->rest;
  r->config.counters->sessions_undone += ended;
  if (status == AU_OK) {
    buffer_clear(&r->json);
    buffer_append_format(&r->json, "{\"success\":true,\"ended\":%" PRIu32 "}", ended);
    rest_reply_json(r, conn, 200);
  } else {
    rest_reply_status(r, conn, status);
  }
  http_conn_unref(conn);
}

/* The others are told first: an order that ran here alone would be half of one. */
static void begin(const rest_call *call, const undo_order *order) {
  rest *r = call->rest;
  rest_pending *p = rest_begin(call, (au_slice){"", 0});
  au_status status = fleet_tell(r->config.office->fleet, order);
  if (status == AU_OK) status = undo_begin(r->config.office->undo, order, on_undone, p);
  if (status == AU_OK) return;
  rest_reply_status(r, call->conn, status);
  http_conn_unref(call->conn);
}

static undo_order order_of(undo_kind kind) {
  return (undo_order){.kind = kind, .customer_id = {"", 0}, .session_id = {"", 0}, .age_ms = -1};
}

void admin_end_customer(const admin_call *call) {
  undo_order order = order_of(UNDO_CUSTOMER);
  order.customer_id = call->path.words[1];
  begin(call->rest, &order);
}

void admin_end_session(const admin_call *call) {
  undo_order order = order_of(UNDO_SESSION);
  order.customer_id = call->path.words[1];
  pseudonym_session room;
  order.session_id = pseudonyms_stored_session(&call->rest->rest->config.office->names,
                                               order.customer_id, call->path.words[3], &room);
  begin(call->rest, &order);
}

/* The name of an address: its hash as it stands, or that of an address as text; false: the 400 or
 * 503 is sent. `field` names it in the error. */
static bool name_of(const rest_call *call, au_slice text, bool is_hash, const char *field,
                    uint64_t *out) {
  rest *r = call->rest;
  net_addr addr;
  if (!fleet_knows_names(r->config.office->fleet)) {
    rest_reply_status(r, call->conn, AU_ESTORE);
    return false;
  }
  if (is_hash && pseudonym_parse(text, out)) return true;
  if (!is_hash && net_parse(text, &addr)) {
    *out = pseudonym_of_address(&r->config.office->names, net_key(&addr));
    return true;
  }
  admin_error(call, 400,
              is_hash ? "must be 16 hexadecimal digits" : "must be an IPv4 or IPv6 address", field);
  return false;
}

/* In a path either may stand: no address has 16 hexadecimal digits and nothing else. */
static bool name_of_word(const rest_call *call, au_slice word, uint64_t *out) {
  uint64_t unused;
  return name_of(call, word, pseudonym_parse(word, &unused), "address", out);
}

void admin_end_address(const admin_call *call) {
  undo_order order = order_of(UNDO_ADDRESS);
  if (name_of_word(call->rest, call->path.words[1], &order.address)) begin(call->rest, &order);
}

/* ---- blocks -------------------------------------------------------------------------- */

static void print_block(rest *r, uint64_t name, int64_t until_ms) {
  char text[PSEUDONYM_ADDRESS_BYTES];
  int64_t left_ms = until_ms - clock_mono_ms(r->config.clock);
  pseudonym_print(name, text);
  buffer_append_format(&r->json, "{\"id\":\"%.*s\",\"until\":%" PRId64 "}", (int)sizeof text, text,
                       clock_wall_ms(r->config.clock) + left_ms);
}

void admin_list_blocks(const admin_call *call) {
  rest *r = call->rest->rest;
  const blocks *all = r->config.office->blocked;
  bool first = true;
  int64_t now_ms = clock_mono_ms(r->config.clock);
  buffer_clear(&r->json);
  buffer_append_text(&r->json, "{\"blocks\":[");
  for (size_t i = 0; i < blocks_count(all); i++) {
    const address_block *b = blocks_at(all, i);
    if (b->state == BLOCK_LIFTED || b->until_ms <= now_ms) continue;
    if (!first) buffer_append_text(&r->json, ",");
    first = false;
    print_block(r, b->name, b->until_ms);
  }
  buffer_append_text(&r->json, "]}");
  rest_reply_json(r, call->rest->conn, 200);
}

static bool is_json(au_slice type) {
  au_slice media;
  if (!type.ptr || !slice_next(&type, ';', &media)) return true;
  return slice_eq_nocase(slice_trim(media), slice_of("application/json"));
}

void admin_add_block(const admin_call *call) {
  const rest_call *rc = call->rest;
  rest *r = rc->rest;
  wire_block asked;
  wire_error error;
  uint64_t name;
  if (!is_json(rc->request->headers[HTTP_H_CONTENT_TYPE])) {
    admin_error(rc, 415, "Content-Type must be application/json", NULL);
    return;
  }
  au_status status = wire_parse_block(rc->request->body, &asked, &error);
  if (status == AU_EINVAL) {
    admin_error(rc, 400, error.message, error.field[0] ? error.field : NULL);
    return;
  }
  if (status == AU_OK &&
      !name_of(rc, asked.target, asked.is_hash, asked.is_hash ? "hash" : "address", &name))
    return;
  int64_t ms = (int64_t)asked.seconds * 1000;
  if (status == AU_OK) status = fleet_block(r->config.office->fleet, name, &ms);
  if (status != AU_OK) {
    rest_reply_status(r, rc->conn, status);
    return;
  }
  buffer_clear(&r->json);
  print_block(r, name, clock_mono_ms(r->config.clock) + ms);
  rest_reply_json(r, rc->conn, 200);
}

void admin_lift_block(const admin_call *call) {
  const rest_call *rc = call->rest;
  uint64_t name;
  if (!name_of_word(rc, call->path.words[1], &name)) return;
  if (!fleet_unblock(rc->rest->config.office->fleet, name)) {
    admin_error(rc, 404, "there is no such block", NULL);
    return;
  }
  buffer_clear(&rc->rest->json);
  wire_print_success(&rc->rest->json, -1, NULL);
  rest_reply_json(rc->rest, rc->conn, 200);
}

/* ---- one address ---------------------------------------------------------------------- */

void admin_show_address(const admin_call *call) {
  const rest_call *rc = call->rest;
  rest *r = rc->rest;
  uint64_t name;
  if (!name_of_word(rc, call->path.words[1], &name)) return;
  char text[PSEUDONYM_ADDRESS_BYTES];
  int64_t until_ms = blocks_until_ms(r->config.office->blocked, name);
  pseudonym_print(name, text);
  buffer_clear(&r->json);
  buffer_append_format(&r->json, "{\"id\":\"%.*s\",\"blockedUntil\":", (int)sizeof text, text);
  int64_t left_ms = until_ms - clock_mono_ms(r->config.clock);
  if (left_ms > 0)
    buffer_append_format(&r->json, "%" PRId64 "}", clock_wall_ms(r->config.clock) + left_ms);
  else
    buffer_append_text(&r->json, "null}");
  rest_reply_json(r, rc->conn, 200);
}

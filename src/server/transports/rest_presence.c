/* Joins, beats and leaves. */
#include "rest_private.h"

#include "transports/access/bots.h"
#include "utils/text/query.h"
#include "wire/wire.h"

_Static_assert((int)HTTP_MAX_BODY_BYTES == (int)WIRE_MAX_BODY_BYTES, "two names of one limit");

/* ---- what the store answers -------------------------------------------------- */

static void reply_success(rest_pending *p, const au_metrics *metrics) {
  buffer *json = &p->rest->json;
  buffer_clear(json);
  wire_print_success(json, p->token_left_ms, metrics);
  rest_reply_json(p->rest, p->conn, 200);
}

/* Before the reply, which may begin the next request in the same context. */
static void release_client(rest_pending *p) {
  address_release(p->from, clock_mono_ms(p->rest->config.clock));
  p->from = NULL;
}

static void on_beat_peaks(const au_peaks *peaks, void *arg) {
  rest_pending *p = arg;
  http_conn *conn = p->conn;
  reply_success(p, rest_take_peaks(p, peaks));
  http_conn_unref(conn);
}

/* The beat was acknowledged before this: a failure to count is not its failure. */
static void on_beat_sample(au_status status, const au_sample *sample, void *arg) {
  rest_pending *p = arg;
  if (status == AU_OK) {
    rest_add_peaks(p, sample, on_beat_peaks);
    return;
  }
  http_conn *conn = p->conn;
  reply_success(p, NULL);
  http_conn_unref(conn);
}

static void on_done(au_status status, void *arg) {
  rest_pending *p = arg;
  http_conn *conn = p->conn;
  release_client(p);
  if (status != AU_OK) {
    rest_reply_status(p->rest, conn, status);
  } else {
    ++*p->counter;
    if (p->wants_metrics && presence_sample(p->rest->config.presence, rest_pending_customer(p),
                                            on_beat_sample, p) == AU_OK)
      return; /* the reference goes on to on_beat_sample */
    reply_success(p, NULL);
  }
  http_conn_unref(conn);
}

/* ---- what a request costs ----------------------------------------------------- */

typedef enum act_kind { JOIN, BEAT, LEAVE } act_kind;

/* What a body asks for. */
typedef struct ask {
  act_kind act;
  wire_beat parsed;
  int64_t grace_ms; /* of a LEAVE */
} ask;

/* False when the address may not begin the session; the 429 is sent then. */
static bool is_admitted(const rest_call *call, const au_beat *beat, au_touch_kind kind) {
  rest *r = call->rest;
  rate_state met;
  if (presence_admit(r->config.presence, beat, kind, clock_mono_ms(r->config.clock), &met) == AU_OK)
    return true;
  r->config.counters->rate_blocked_new_sessions++;
  int64_t retry_s = rest_limits_block(r->limits, &met, http_conn_headers(call->conn));
  rest_reply_blocked(r, call->conn, call->request, REST_BLOCKED_IP, retry_s);
  return false;
}

/* False when the address or the customer has had enough; the 429 is sent then. Who keeps a
 * session alive at an honest pace, or ends their own, is never held up: nobody is lost to a
 * limit. A beat that begins a session pays for that with its admission, and not the customer:
 * else a good day would cost people. */
static bool may_pass(const rest_call *call, const ask *a) {
  presence *p = call->rest->config.presence;
  const au_beat *beat = &a->parsed.beat;
  rest_cost cost = REST_COSTS_PRESENCE;
  if (a->act == LEAVE) {
    if (presence_leaves(p, beat, a->grace_ms)) cost = REST_FREE;
  } else if (a->act == JOIN) {
    if (!is_admitted(call, beat, AU_TOUCH_JOIN)) return false;
  } else {
    presence_state state = presence_state_of(p, beat);
    if (state == PRESENCE_NEW && !is_admitted(call, beat, AU_TOUCH_BEAT)) return false;
    bool pays = state == PRESENCE_RECENT ||
                (state == PRESENCE_SHORTENED &&
                 !presence_pays_return(beat, clock_mono_ms(call->rest->config.clock)));
    if (!pays) cost = REST_FREE;
  }
  return rest_pay(call, beat->customer_id, cost);
}

/* ---- handlers ------------------------------------------------------------------ */

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

static void refuse(const rest_call *call, int status, const char *message, const char *field) {
  rest_refuse(call, REST_COSTS_PRESENCE, status, message, field);
}

static au_status parse(const rest_call *call, ask *a, wire_error *error) {
  au_slice body = call->request->body;
  if (a->act == LEAVE)
    return wire_parse_leave(body, call->rest->config.config->disconnect_grace_ms, &a->parsed,
                            &a->grace_ms, error);
  return wire_parse_beat(body, &a->parsed, error);
}

static au_status begin(presence *p, const ask *a, au_done_fn cb, void *arg) {
  const au_beat *beat = &a->parsed.beat;
  switch (a->act) {
  case JOIN: return presence_join(p, beat, cb, arg);
  case LEAVE: return presence_leave(p, beat, a->grace_ms, cb, arg);
  default: return presence_beat(p, beat, cb, arg);
  }
}

static void handle(const rest_call *call, act_kind act, uint64_t *counter) {
  rest *r = call->rest;
  const http_request *request = call->request;
  if (!acceptable_content(request->headers[HTTP_H_CONTENT_TYPE])) {
    refuse(call, 415, "Content-Type must be application/json or text/plain", NULL);
    return;
  }
  if (!request->headers[HTTP_H_CONTENT_LENGTH].ptr &&
      !request->headers[HTTP_H_TRANSFER_ENCODING].ptr) {
    refuse(call, 411, "Content-Length is required", NULL);
    return;
  }
  ask asked;
  wire_error error;
  asked.act = act;
  au_status status = parse(call, &asked, &error);
  if (status == AU_EINVAL) {
    r->config.counters->http_invalid++;
    refuse(call, 400, error.message, error.field);
    return;
  }
  if (status != AU_OK) {
    rest_show_limits(call);
    rest_reply_status(r, call->conn, status);
    return;
  }
  au_beat *beat = &asked.parsed.beat;
  beat->source = call->from;
  beat->visitor =
      bots_judge(r->config.config, &(bots_signs){.header = request->headers[HTTP_H_USER_AGENT],
                                                 .field = beat->user_agent,
                                                 .webdriver = asked.parsed.webdriver});
  int64_t token_left_ms;
  if (!rest_may_act(call, beat, asked.parsed.token, &token_left_ms)) return;
  if (act == JOIN)
    ++*(beat->is_leader ? &r->config.counters->joins_leader : &r->config.counters->joins_follower);
  pseudonym_session room;
  pseudonyms_conceal(&r->config.office->names, beat, &room);
  if (!may_pass(call, &asked)) return;

  rest_pending *p = rest_begin(call, beat->customer_id);
  p->counter = counter;
  p->token_left_ms = token_left_ms;
  p->from = address_ref(call->from);
  p->wants_metrics = act == BEAT && wants_metrics(request);
  status = begin(r->config.presence, &asked, on_done, p);
  if (status == AU_OK) return;
  release_client(p);
  rest_reply_status(r, call->conn, status);
  http_conn_unref(call->conn);
}

void rest_handle_join(const rest_call *call) {
  handle(call, JOIN, &call->rest->config.counters->joins);
}

void rest_handle_beat(const rest_call *call) {
  handle(call, BEAT, &call->rest->config.counters->beats);
}

void rest_handle_leave(const rest_call *call) {
  handle(call, LEAVE, &call->rest->config.counters->leaves);
}

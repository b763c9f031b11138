/* GET /metrics/history: a customer's minutes or hours as points of a chart, its peaks and its
 * unique sessions; JSON, or CSV for whoever accepts that. */
#include "services/history/history_query.h"
#include "services/presence.h"
#include "transports/rest_private.h"
#include "utils/text/query.h"
#include "wire/history.h"

#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 15 }; /* of a parameter: milliseconds up to the year 10000 and beyond */

/* In the connection's context. */
typedef struct history_pending {
  rest *rest;
  http_conn *conn;
  history_range range;
  au_history_ask ask;
  uint32_t count; /* live sessions now */
  bool wants_csv;
  uint8_t customer_len;
  char customer[AU_ID_MAX];
} history_pending;

_Static_assert(sizeof(history_pending) <= HTTP_CONTEXT_BYTES, "it must fit into the context");

static au_slice customer_of(const history_pending *p) {
  return (au_slice){p->customer, p->customer_len};
}

/* ---- the answer ------------------------------------------------------------------------- */

static void reply_text(rest *r, http_conn *conn, bool is_csv) {
  if (r->history.failed) {
    buffer_clear(&r->history);
    rest_reply_status(r, conn, AU_ENOMEM);
    return;
  }
  buffer_append_text(http_conn_headers(conn), "Vary: Accept\r\n");
  const http_reply reply = {
      .status = 200,
      .content_type = is_csv ? "text/csv; charset=utf-8" : "application/json",
      .body = buffer_slice(&r->history),
  };
  rest_reply_dynamic(conn, &reply);
}

static void reply_points(const history_pending *p, const au_history_answer *answer) {
  rest *r = p->rest;
  au_history_point *points = malloc((HISTORY_MAX_POINTS + 1) * sizeof *points);
  if (!points) {
    rest_reply_status(r, p->conn, AU_ENOMEM);
    return;
  }
  const wire_history text = {
      .customer_id = customer_of(p),
      .from_ms = p->range.from_ms,
      .to_ms = p->range.to_ms,
      .step_ms = p->range.step_ms,
      .peaks = history_peaks_with(r->config.history, customer_of(p), answer->peaks, p->count),
      .unique_today = answer->unique_today,
      .unique_week = answer->unique_week,
      .points = points,
      .count = history_range_points(&p->range, &p->ask, answer, points),
  };
  bool is_csv = p->wants_csv; /* `p` is gone with the reply */
  buffer_clear(&r->history);
  if (is_csv)
    wire_print_history_csv(&r->history, &text);
  else
    wire_print_history(&r->history, &text);
  reply_text(r, p->conn, is_csv);
  free(points);
}

static void on_history(au_status status, const au_history_answer *answer, void *arg) {
  history_pending *p = arg;
  http_conn *conn = p->conn;
  if (status == AU_OK)
    reply_points(p, answer);
  else
    rest_reply_status(p->rest, conn, status);
  http_conn_unref(conn);
}

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  history_pending *p = arg;
  http_conn *conn = p->conn;
  rest *r = p->rest;
  if (status == AU_OK) {
    p->count = sample->count;
    status = history_get(r->config.history, customer_of(p), &p->ask, on_history, p);
    if (status == AU_OK) return;
  }
  rest_reply_status(r, conn, status);
  http_conn_unref(conn);
}

/* ---- the question ------------------------------------------------------------------------- */

static bool accepts_csv(au_slice accept) {
  au_slice range, media;
  while (slice_next(&accept, ',', &range))
    if (slice_next(&range, ';', &media) && slice_eq_nocase(slice_trim(media), slice_of("text/csv")))
      return true;
  return false;
}

/* A parameter that is not given stays 0. Returns NULL, or why it is none. */
static const char *read_ms(au_slice query, const char *name, int64_t *out, const char *message) {
  char text[DIGITS_MAX];
  size_t len = 0;
  uint64_t ms;
  *out = 0;
  switch (query_get(query, name, text, sizeof text, &len)) {
  case QUERY_NONE: return NULL;
  case QUERY_ONE: break;
  default: return message;
  }
  if (!slice_digits((au_slice){text, len}, DIGITS_MAX, &ms) || ms == 0) return message;
  *out = (int64_t)ms;
  return NULL;
}

static const char *read_range(const rest_call *call, history_range *range, const char **field) {
  static const char from[] = "from must be milliseconds since the epoch, once",
                    to[] = "to must be milliseconds since the epoch, once",
                    step[] = "step must be whole minutes, in milliseconds, once";
  au_slice query = call->request->query;
  const char *message = read_ms(query, *field = "from", &range->from_ms, from);
  if (!message) message = read_ms(query, *field = "to", &range->to_ms, to);
  if (!message) message = read_ms(query, *field = "step", &range->step_ms, step);
  if (message) return message;
  return history_range_complete(range, history_now_ms(call->rest->config.history), field);
}

static history_pending *begin(const rest_call *call, au_slice customer_id,
                              const history_range *range) {
  int64_t now_ms = history_now_ms(call->rest->config.history);
  history_pending *p = http_conn_context(call->conn);
  *p = (history_pending){
      .rest = call->rest,
      .conn = call->conn,
      .range = *range,
      .ask = history_range_ask(range, now_ms),
      .wants_csv = accepts_csv(call->request->headers[HTTP_H_ACCEPT]),
      .customer_len = (uint8_t)customer_id.len,
  };
  if (!p->wants_csv) p->ask.unique_day = history_day_of(now_ms);
  memcpy(p->customer, customer_id.ptr, customer_id.len);
  http_conn_ref(call->conn); /* held until the store has answered */
  return p;
}

void rest_handle_history(const rest_call *call) {
  rest *r = call->rest;
  char id[AU_ID_MAX];
  au_slice customer_id;
  if (!rest_customer_of(call, id, &customer_id)) return;
  history_range range;
  const char *field, *message = read_range(call, &range, &field);
  if (message) {
    r->config.counters->http_invalid++;
    rest_refuse(call, REST_COSTS_READ, 400, message, field);
    return;
  }
  if (!rest_pay(call, customer_id, REST_COSTS_READ)) return;
  history_pending *p = begin(call, customer_id, &range);
  au_status status = presence_sample(r->config.presence, customer_id, on_sample, p);
  if (status == AU_OK) return;
  rest_reply_status(r, call->conn, status);
  http_conn_unref(call->conn);
}

/* GET /metrics/stream: checks the request and gives its connection to the streams. */
#include "transports/rest_private.h"

void rest_handle_stream(const rest_call *call) {
  rest *r = call->rest;
  char id[AU_ID_MAX];
  au_slice customer_id;
  if (!rest_customer_of(call, id, &customer_id)) return;
  if (!rest_pay(call, customer_id, REST_COSTS_READ)) return;
  if (r->stopping) {
    rest_reply_status(r, call->conn, AU_ECANCELED);
    return;
  }
  /* The body ends with the connection: an event needs no framing of its own, so that all streams
   * of a customer share the bytes. The third line keeps nginx from collecting them. */
  static const http_reply reply = {
      .status = 200, .content_type = "text/event-stream", .close = true, .streamed = true};
  static const char lines[] = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                              "X-Accel-Buffering: no\r\n";
  bool is_head = call->request->method == HTTP_IS_HEAD;
  http_detached detached;
  if (!is_head && !rest_detach(call, &detached)) return;
  buffer_append(http_conn_headers(call->conn), lines, sizeof lines - 1);
  if (is_head)
    http_conn_reply(call->conn, &reply);
  else
    r->config.stream(r->config.stream_arg, &detached, http_conn_head(call->conn, &reply),
                     customer_id);
}

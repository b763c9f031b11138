/* Prints replies: the status line, the headers and the body. */
#include "http_private.h"

void http_reply_print(http_conn *conn, const http_reply *reply, buffer *out) {
  http_server *server = conn->server;
  bool has_body = reply->content_type != NULL;
  buffer_clear(out);
  buffer_append_text(out, "HTTP/1.1 ");
  buffer_append_number(out, (uint64_t)reply->status);
  buffer_append_text(out, " ");
  buffer_append_text(out, http_reason(reply->status));
  buffer_append_text(out, "\r\n");
  buffer_append_text(out, http_date_line(&server->date, clock_wall_ms(server->config.clock)));
  if (has_body) {
    buffer_append_text(out, "Content-Type: ");
    buffer_append_text(out, reply->content_type);
    if (!reply->streamed) {
      buffer_append_text(out, "\r\nContent-Length: ");
      buffer_append_number(out, reply->body.len);
    }
    buffer_append_text(out, "\r\n");
  } else if (reply->status != 204 && reply->status != 304) {
    buffer_append_text(out, "Content-Length: 0\r\n");
  }
  buffer_append_slice(out, buffer_slice(&conn->lines));
  if (conn->close_after_reply || server->stopping)
    buffer_append_text(out, "Connection: close\r\n");
  else if (conn->parser.llhttp.http_minor == 0)
    buffer_append_text(out, "Connection: keep-alive\r\n");
  buffer_append_text(out, "\r\n");
  if (has_body && conn->parser.request.method != HTTP_IS_HEAD)
    buffer_append_slice(out, reply->body);
}

au_slice http_conn_head(http_conn *conn, const http_reply *reply) {
  buffer *out = &conn->server->out;
  conn->close_after_reply = true;
  http_reply_print(conn, reply, out);
  bool complete = !out->failed && !conn->lines.failed;
  return complete ? buffer_slice(out) : (au_slice){0};
}

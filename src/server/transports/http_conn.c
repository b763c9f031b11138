/* One connection: reads bytes, has them parsed, writes replies. Must not know what
 * a request asks for. */
#include "http_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void go_on(http_conn *conn);

/* ---- from bytes to the handler ------------------------------------------- */

void http_conn_bad_request(http_conn *conn, int status, const char *message) {
  const http_handler *handler = &conn->server->config.handler;
  conn->state = CONN_HANDLING;
  conn->close_after_reply = true;
  deadline_cancel(&conn->timer);
  handler->on_bad_request(handler->arg, conn, &conn->request, status, message);
}

void http_conn_dispatch(http_conn *conn, au_slice rest) {
  const http_handler *handler = &conn->server->config.handler;
  conn->request.peer = &conn->peer.any;
  conn->request.door = conn->door;
  conn->state = CONN_HANDLING;
  conn->rest = rest;
  deadline_cancel(&conn->timer);
  handler->on_request(handler->arg, conn, &conn->request);
}

void http_conn_continue(http_conn *conn) {
  static char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
  uv_buf_t buf = uv_buf_init(line, sizeof line - 1);
  /* A peer whose window has no room for 25 bytes does without. */
  (void)uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
}

/* Parses until a request is in flight, output waits, bytes run out or others must have
 * their turn: requests that are answered at once could go on for a whole buffer. */
static size_t process(http_conn *conn, const char *bytes, size_t len) {
  size_t used = 0;
  unsigned budget = HTTP_TURN_REQUESTS;
  conn->processing = true;
  while (used < len && conn->state <= CONN_BODY && !conn->writing) {
    if (budget-- == 0) {
      conn->yielded = conn->paused = true;
      uv_read_stop((uv_stream_t *)&conn->tcp);
      http_server_arm(conn->server, HTTP_WAIT_TURN, conn);
      break;
    }
    size_t n = http_parse(conn, bytes + used, len - used);
    if (n == 0) break;
    used += n;
  }
  conn->processing = false;
  return used;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  http_conn *conn = handle->data;
  *buf = uv_buf_init(conn->server->read_bytes, HTTP_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  http_conn *conn = stream->data;
  if (nread < 0) {
    conn->peer_done = true;
    /* A peer that has finished sending may still wait for its answers. */
    bool owed = conn->state == CONN_HANDLING || (conn->writing && conn->state != CONN_LINGERING);
    if (nread != UV_EOF || !owed) http_conn_close(conn);
    return;
  }
  if (nread == 0 || conn->state == CONN_LINGERING) return;

  if (conn->in.len == 0) {
    size_t used = process(conn, buf->base, (size_t)nread);
    if (conn->state >= CONN_LINGERING) return;
    buffer_append(&conn->in, buf->base + used, (size_t)nread - used);
  } else {
    buffer_append(&conn->in, buf->base, (size_t)nread);
    if (!conn->in.failed) go_on(conn);
  }
  if (conn->state >= CONN_LINGERING) return;
  if (conn->in.failed) {
    http_conn_close(conn);
    return;
  }
  if (conn->in.len >= HTTP_MAX_PENDING_BYTES && !conn->paused) {
    conn->paused = true;
    uv_read_stop(stream);
  }
}

/* Goes on with the bytes that were kept, after a reply or with new bytes. */
static void go_on(http_conn *conn) {
  if (conn->in.len > 0) {
    size_t used = process(conn, conn->in.ptr, conn->in.len);
    if (conn->state >= CONN_LINGERING) return;
    buffer_consume(&conn->in, used);
    if (conn->in.len == 0) buffer_free(&conn->in); /* an idle connection holds no memory */
  }
  if (conn->peer_done && conn->state <= CONN_BODY && !conn->writing && !conn->yielded) {
    http_conn_close(conn);
    return;
  }
  if (conn->paused && conn->in.len < HTTP_MAX_PENDING_BYTES && !conn->writing && !conn->yielded) {
    conn->paused = false;
    uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
  }
}

/* ---- replies ------------------------------------------------------------- */

static void on_shutdown(uv_shutdown_t *req, int status) {
  (void)req; /* the linger deadline closes, whatever came of it */
  (void)status;
}

/* Closing with unread input would reset the connection and could take the reply
 * back from the peer's kernel: say that we are done, then read on for a while. */
static void linger(http_conn *conn) {
  http_server *server = conn->server;
  conn->state = CONN_LINGERING;
  buffer_free(&conn->in);
  if (conn->peer_done ||
      uv_shutdown(&conn->shutdown_req, (uv_stream_t *)&conn->tcp, on_shutdown) != 0) {
    http_conn_close(conn);
    return;
  }
  if (conn->paused) {
    conn->paused = false;
    uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
  }
  http_server_arm(server, HTTP_WAIT_LINGER, conn);
}

/* The reply is with the kernel. */
static void reply_done(http_conn *conn) {
  http_server *server = conn->server;
  if (conn->close_after_reply || server->stopping) {
    linger(conn);
    return;
  }
  http_server_arm(server, HTTP_WAIT_IDLE, conn);
  if (!conn->processing) go_on(conn);
}

static void on_written(uv_write_t *req, int status) {
  http_conn *conn = req->data;
  free(conn->unsent);
  conn->unsent = NULL;
  conn->writing = false;
  if (conn->state == CONN_CLOSED) return;
  if (status < 0)
    http_conn_close(conn);
  else
    reply_done(conn);
}

static void send_reply(http_conn *conn, const buffer *out) {
  uv_buf_t buf = uv_buf_init(out->ptr, (unsigned)out->len);
  int sent = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
  if (sent == UV_EAGAIN) sent = 0;
  if (sent < 0) {
    http_conn_close(conn);
    return;
  }
  if ((size_t)sent == out->len) {
    reply_done(conn);
    return;
  }
  /* Nothing more is parsed until the peer has taken the rest. */
  size_t left = out->len - (size_t)sent;
  conn->unsent = malloc(left);
  if (!conn->unsent) {
    http_conn_close(conn);
    return;
  }
  memcpy(conn->unsent, out->ptr + sent, left);
  buf = uv_buf_init(conn->unsent, (unsigned)left);
  conn->write_req.data = conn;
  conn->writing = true;
  if (uv_write(&conn->write_req, (uv_stream_t *)&conn->tcp, &buf, 1, on_written) != 0) {
    free(conn->unsent);
    conn->unsent = NULL;
    conn->writing = false;
    http_conn_close(conn);
    return;
  }
  http_server_arm(conn->server, HTTP_WAIT_IDLE, conn);
}

void http_conn_reply(http_conn *conn, const http_reply *reply) {
  if (conn->state == CONN_CLOSED) return;
  http_server *server = conn->server;
  stats *counters = server->config.counters;
  counters->http_requests++;
  if (reply->status >= 500)
    counters->http_5xx++;
  else if (reply->status >= 400)
    counters->http_4xx++;
  if (reply->close) conn->close_after_reply = true;

  bool close = conn->close_after_reply || server->stopping;
  bool has_body = reply->content_type != NULL;
  buffer *out = &server->out;
  buffer_clear(out);
  buffer_append_text(out, "HTTP/1.1 ");
  buffer_append_number(out, (uint64_t)reply->status);
  buffer_append_text(out, " ");
  buffer_append_text(out, http_reason(reply->status));
  buffer_append_text(out, "\r\n");
  buffer_append_text(out, http_server_date(server));
  if (has_body) {
    buffer_append_text(out, "Content-Type: ");
    buffer_append_text(out, reply->content_type);
    buffer_append_text(out, "\r\nContent-Length: ");
    buffer_append_number(out, reply->body.len);
    buffer_append_text(out, "\r\n");
  } else if (reply->status != 204 && reply->status != 304) {
    buffer_append_text(out, "Content-Length: 0\r\n");
  }
  buffer_append_slice(out, buffer_slice(&conn->lines));
  if (close)
    buffer_append_text(out, "Connection: close\r\n");
  else if (conn->parser.http_minor == 0)
    buffer_append_text(out, "Connection: keep-alive\r\n");
  buffer_append_text(out, "\r\n");
  if (has_body && conn->request.method != HTTP_IS_HEAD) buffer_append_slice(out, reply->body);

  bool complete = !out->failed && !conn->lines.failed;
  http_parse_reset(conn);
  conn->state = CONN_IDLE;
  if (complete)
    send_reply(conn, out);
  else
    http_conn_close(conn);
}

void *http_conn_context(http_conn *conn) {
  return conn->context;
}

buffer *http_conn_headers(http_conn *conn) {
  return &conn->lines;
}

/* ---- life ---------------------------------------------------------------- */

au_status http_conn_accept(http_server *server, http_door *door) {
  http_conn *conn = calloc(1, sizeof *conn);
  if (!conn) return AU_ENOMEM;
  conn->server = server;
  conn->door = door->id;
  conn->refs = 1;
  buffer_init(&conn->in, HTTP_MAX_PENDING_BYTES + HTTP_READ_BYTES);
  buffer_init(&conn->kept_head, HTTP_MAX_HEAD_BYTES);
  buffer_init(&conn->kept_body, HTTP_MAX_BODY_BYTES);
  buffer_init(&conn->forwarded, HTTP_MAX_HEAD_BYTES);
  buffer_init(&conn->lines, HTTP_MAX_LINES_BYTES);
  uv_tcp_init(server->config.loop, &conn->tcp);
  conn->tcp.data = conn;
  conn->next = server->conns;
  if (conn->next) conn->next->prev = conn;
  server->conns = conn;
  server->open_handles++;
  server->config.counters->http_connections++;

  int len = (int)sizeof conn->peer;
  if (uv_accept((uv_stream_t *)&door->tcp, (uv_stream_t *)&conn->tcp) != 0 ||
      uv_tcp_getpeername(&conn->tcp, &conn->peer.any, &len) != 0 ||
      uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) != 0) {
    http_conn_close(conn); /* gone before it began; its slot comes back that way */
    return AU_OK;
  }
  uv_tcp_nodelay(&conn->tcp, 1);
  http_server_arm(server, HTTP_WAIT_IDLE, conn);
  return AU_OK;
}

void http_conn_ref(http_conn *conn) {
  conn->refs++;
}

void http_conn_unref(http_conn *conn) {
  if (--conn->refs > 0) return;
  buffer_free(&conn->in);
  buffer_free(&conn->kept_head);
  buffer_free(&conn->kept_body);
  buffer_free(&conn->forwarded);
  buffer_free(&conn->lines);
  free(conn->unsent);
  free(conn);
}

static void on_closed(uv_handle_t *handle) {
  http_conn *conn = handle->data;
  http_server *server = conn->server;
  http_conn_unref(conn);
  http_server_handle_closed(server);
}

void http_conn_close(http_conn *conn) {
  if (conn->state == CONN_CLOSED) return;
  conn->state = CONN_CLOSED;
  deadline_cancel(&conn->timer);
  conn->server->config.counters->http_connections--;
  http_server_conn_gone(conn->server, conn);
  uv_close((uv_handle_t *)&conn->tcp, on_closed);
  if (!conn->detached) http_server_release(conn->server);
}

int http_conn_detach(http_conn *conn, au_slice *early) {
  uv_os_fd_t fd;
  if (conn->state != CONN_HANDLING || uv_fileno((uv_handle_t *)&conn->tcp, &fd) != 0) return -1;
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -1;
  *early = conn->rest;
  conn->detached = true;
  http_conn_close(conn); /* of libuv's descriptor; the connection lives on in `own` */
  return own;
}

void http_conn_expired(http_conn *conn) {
  if (conn->yielded) {
    conn->yielded = false;
    go_on(conn);
    return;
  }
  if (conn->state == CONN_HEAD)
    http_conn_bad_request(conn, 408, "the request head did not arrive in time");
  else if (conn->state == CONN_BODY)
    http_conn_bad_request(conn, 408, "the request body did not arrive in time");
  else
    http_conn_close(conn);
}

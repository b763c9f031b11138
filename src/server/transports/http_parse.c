/* From bytes to a request: llhttp's callbacks and the framing rules. Must not know
 * sockets or replies. */
#include "http_private.h"

#include <string.h>
#include <strings.h>

/* ---- reading a head ------------------------------------------------------ */

static const struct {
  const char *name;
  http_header id;
} known_headers[] = {
    {"host", HTTP_H_HOST},
    {"connection", HTTP_H_CONNECTION},
    {"content-type", HTTP_H_CONTENT_TYPE},
    {"expect", HTTP_H_EXPECT},
    {"origin", HTTP_H_ORIGIN},
    {"transfer-encoding", HTTP_H_TRANSFER_ENCODING},
    {"content-length", HTTP_H_CONTENT_LENGTH},
    {"upgrade", HTTP_H_UPGRADE},
    {"sec-websocket-key", HTTP_H_WS_KEY},
    {"sec-websocket-version", HTTP_H_WS_VERSION},
    {"x-forwarded-for", HTTP_H_FORWARDED_FOR},
    {"accept-encoding", HTTP_H_ACCEPT_ENCODING},
    {"if-none-match", HTTP_H_IF_NONE_MATCH},
};

/* For a parser callback: ends the parsing with this status. */
static int refuse(http_conn *conn, int status, const char *message) {
  if (conn->refused == 0) {
    conn->refused = status;
    conn->refused_message = message;
  }
  return HPE_USER;
}

/* Chunk extensions mean nothing here, and may not go on for ever. */
static int on_chunk_extension(llhttp_t *parser, const char *at, size_t len) {
  http_conn *conn = parser->data;
  (void)at;
  conn->extension_bytes += len;
  return conn->extension_bytes > HTTP_MAX_HEAD_BYTES
             ? refuse(conn, 431, "chunk extensions are too large")
             : 0;
}

/* They mean nothing here either, and no scan of ours has seen their lines: llhttp 8.1
 * lets bare line feeds, folds and empty names pass there. */
static int refuse_trailer(http_conn *conn) {
  return refuse(conn, 400, "trailers are refused");
}

/* X-Forwarded-For may come in several lines, one from each proxy, which mean the same
 * as one list (RFC 9110, 5.3). The first stays where it lies; a second one makes a copy
 * of both. */
static void join_forwarded(http_conn *conn) {
  au_slice *list = &conn->request.headers[HTTP_H_FORWARDED_FOR];
  if (list->len == 0) {
    *list = (au_slice){"", 0};
    return;
  }
  if (list->ptr != conn->forwarded.ptr) buffer_append_slice(&conn->forwarded, *list);
  buffer_append_text(&conn->forwarded, ",");
  *list = buffer_slice(&conn->forwarded);
}

/* The whole head is in one piece of memory, so a name and a value come whole. */
static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
  http_conn *conn = parser->data;
  conn->header_at = HTTP_H_COUNT;
  if (conn->state == CONN_BODY) return refuse_trailer(conn);
  if (++conn->header_count > HTTP_MAX_HEADERS) return refuse(conn, 431, "too many headers");
  for (size_t i = 0; i < sizeof known_headers / sizeof known_headers[0]; i++) {
    if (!slice_eq_nocase((au_slice){at, len}, slice_of(known_headers[i].name))) continue;
    conn->header_at = known_headers[i].id;
    if (conn->header_at == HTTP_H_FORWARDED_FOR)
      join_forwarded(conn);
    else
      conn->request.headers[conn->header_at] = (au_slice){"", 0};
    if (conn->header_at == HTTP_H_HOST) conn->host_count++;
    if (conn->header_at == HTTP_H_TRANSFER_ENCODING) conn->coding_count++;
    break;
  }
  return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
  http_conn *conn = parser->data;
  if (conn->state == CONN_BODY) return refuse_trailer(conn);
  if (conn->header_at == HTTP_H_COUNT) return 0;
  au_slice *value = &conn->request.headers[conn->header_at];
  if (conn->header_at == HTTP_H_FORWARDED_FOR && conn->forwarded.len > 0) {
    buffer_append(&conn->forwarded, at, len);
    *value = buffer_slice(&conn->forwarded);
    return conn->forwarded.failed ? refuse(conn, 503, "out of memory") : 0;
  }
  if (value->len == 0)
    *value = (au_slice){at, len};
  else
    value->len += len;
  return 0;
}

/* Only `chunked`, and once. */
static int check_coding(http_conn *conn) {
  au_slice rest = conn->request.headers[HTTP_H_TRANSFER_ENCODING], coding;
  if (conn->request.headers[HTTP_H_CONTENT_LENGTH].ptr)
    return refuse(conn, 400, "both Content-Length and Transfer-Encoding");
  if (conn->parser.http_minor == 0) return refuse(conn, 400, "Transfer-Encoding in HTTP/1.0");
  unsigned chunked = 0;
  while (slice_next(&rest, ',', &coding)) {
    if (!slice_eq_nocase(slice_trim(coding), slice_of("chunked")))
      return refuse(conn, 501, "unknown transfer coding");
    chunked++;
  }
  if (chunked != 1 || conn->coding_count != 1)
    return refuse(conn, 400, "Transfer-Encoding must be chunked, once");
  return 0;
}

static int on_header_value_complete(llhttp_t *parser) {
  http_conn *conn = parser->data;
  if (conn->state == CONN_BODY) return refuse_trailer(conn);
  if (conn->header_at < HTTP_H_COUNT)
    conn->request.headers[conn->header_at] = slice_trim(conn->request.headers[conn->header_at]);
  /* Here and not at the end of the head: llhttp refuses some of these itself, and
   * the status is ours to choose. */
  if (conn->header_at == HTTP_H_TRANSFER_ENCODING) return check_coding(conn);
  return 0;
}

static http_method method_of(const llhttp_t *parser) {
  switch (parser->method) {
  case HTTP_GET: return HTTP_IS_GET;
  case HTTP_HEAD: return HTTP_IS_HEAD;
  case HTTP_POST: return HTTP_IS_POST;
  case HTTP_OPTIONS: return HTTP_IS_OPTIONS;
  default: return HTTP_IS_OTHER;
  }
}

static int on_headers_complete(llhttp_t *parser) {
  http_conn *conn = parser->data;
  http_request *request = &conn->request;
  request->method = method_of(parser);
  conn->close_after_reply = !llhttp_should_keep_alive(parser);
  parser->upgrade = 0; /* whether to upgrade is the handler's choice, after the message */

  if (conn->host_count > 1 || (conn->host_count == 0 && parser->http_minor == 1))
    return refuse(conn, 400, "exactly one Host header is required");
  bool chunked = conn->coding_count > 0;
  bool has_length = request->headers[HTTP_H_CONTENT_LENGTH].ptr != NULL;
  if (chunked && has_length) return refuse(conn, 400, "both Content-Length and Transfer-Encoding");
  if (has_length && parser->content_length > HTTP_MAX_BODY_BYTES)
    return refuse(conn, 413, "body is larger than 16 KiB");
  if (parser->http_minor == 1 && (chunked || parser->content_length > 0) &&
      slice_eq_nocase(request->headers[HTTP_H_EXPECT], slice_of("100-continue")))
    http_conn_continue(conn);
  conn->state = CONN_BODY;
  return 0;
}

/* ---- reading a body ------------------------------------------------------ */

static int on_chunk_header(llhttp_t *parser) {
  http_conn *conn = parser->data;
  if (parser->content_length > HTTP_MAX_BODY_BYTES - conn->request.body.len)
    return refuse(conn, 413, "body is larger than 16 KiB");
  return 0;
}

/* The first piece stays where it lies; a second one makes a copy of both. */
static int on_body(llhttp_t *parser, const char *at, size_t len) {
  http_conn *conn = parser->data;
  au_slice *body = &conn->request.body;
  if (body->len == 0) {
    *body = (au_slice){at, len};
    return 0;
  }
  if (body->ptr != conn->kept_body.ptr) buffer_append_slice(&conn->kept_body, *body);
  buffer_append(&conn->kept_body, at, len);
  if (conn->kept_body.failed) return refuse(conn, 503, "out of memory");
  *body = buffer_slice(&conn->kept_body);
  return 0;
}

/* Stops the parser: one request at a time. */
static int on_message_complete(llhttp_t *parser) {
  (void)parser;
  return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void) {
  static llhttp_settings_t s;
  static bool ready;
  if (!ready) {
    llhttp_settings_init(&s);
    s.on_header_field = on_header_field;
    s.on_header_value = on_header_value;
    s.on_header_value_complete = on_header_value_complete;
    s.on_headers_complete = on_headers_complete;
    s.on_chunk_extension_name = on_chunk_extension;
    s.on_chunk_extension_value = on_chunk_extension;
    s.on_chunk_header = on_chunk_header;
    s.on_body = on_body;
    s.on_message_complete = on_message_complete;
    ready = true;
  }
  return &s;
}

/* ---- one step ------------------------------------------------------------ */

void http_parse_reset(http_conn *conn) {
  memset(&conn->request, 0, sizeof conn->request);
  conn->head = (http_head_check){0};
  conn->header_count = conn->host_count = conn->coding_count = 0;
  conn->body_wire_bytes = conn->extension_bytes = 0;
  conn->refused = 0;
  buffer_free(&conn->kept_head); /* rare, and an idle connection holds little */
  buffer_free(&conn->kept_body);
  buffer_free(&conn->forwarded);
  buffer_clear(&conn->lines);
}

/* METHOD SP target SP …; http_head_scan has checked the shape. Absolute-form
 * (RFC 9112, 3.2.2) is cut to its path. */
static void read_target(http_request *request, const char *head, size_t len) {
  const char *target = (const char *)memchr(head, ' ', len) + 1;
  const char *end = memchr(target, ' ', len - (size_t)(target - head));
  if (end - target > 7 && strncasecmp(target, "http://", 7) == 0) {
    const char *slash = memchr(target + 7, '/', (size_t)(end - target - 7));
    target = slash ? slash : "/";
    if (!slash) end = target + 1;
  }
  const char *question = memchr(target, '?', (size_t)(end - target));
  const char *path_end = question ? question : end;
  request->path = (au_slice){target, (size_t)(path_end - target)};
  request->query =
      question ? (au_slice){question + 1, (size_t)(end - question - 1)} : (au_slice){"", 0};
}

/* The bytes at hand will be gone before the body is whole: keep the head, and what
 * there is of the body, in memory of the connection. */
static bool keep_request(http_conn *conn, const char *head, size_t len) {
  http_request *request = &conn->request;
  if (head) {
    buffer_append(&conn->kept_head, head, len);
    if (conn->kept_head.failed) return false;
    au_slice *slices[2 + HTTP_H_COUNT] = {&request->path, &request->query};
    for (int i = 0; i < HTTP_H_COUNT; i++) slices[2 + i] = &request->headers[i];
    for (int i = 0; i < 2 + HTTP_H_COUNT; i++) {
      const char *ptr = slices[i]->ptr;
      if (ptr >= head && ptr <= head + len) slices[i]->ptr = conn->kept_head.ptr + (ptr - head);
    }
  }
  if (request->body.len > 0 && request->body.ptr != conn->kept_body.ptr) {
    buffer_append_slice(&conn->kept_body, request->body);
    if (conn->kept_body.failed) return false;
    request->body = buffer_slice(&conn->kept_body);
  }
  return true;
}

size_t http_parse(http_conn *conn, const char *bytes, size_t len) {
  http_server *server = conn->server;
  size_t used = 0, head_len = 0;
  if (conn->state != CONN_BODY && conn->head.scanned == 0) {
    /* RFC 9112, 2.2: an empty line before a request is read past. */
    while (len - used >= 2 && memcmp(bytes + used, "\r\n", 2) == 0) used += 2;
    if (used > 0) return used;
  }
  if (conn->state != CONN_BODY) {
    head_len = http_head_scan(&conn->head, bytes, len);
    if (head_len == 0 && conn->head.status == 0) {
      if (conn->state == CONN_IDLE) {
        conn->state = CONN_HEAD;
        http_server_arm(server, HTTP_WAIT_REQUEST, conn);
      }
      return 0;
    }
    if (head_len == 0) {
      http_conn_bad_request(conn, conn->head.status, conn->head.message);
      return len;
    }
    llhttp_init(&conn->parser, HTTP_REQUEST, settings());
    conn->parser.data = conn;
    conn->request.method = HTTP_IS_OTHER;
    read_target(&conn->request, bytes, head_len);
  }

  llhttp_errno_t err = llhttp_execute(&conn->parser, bytes, head_len > 0 ? head_len : len);
  if (err == HPE_OK && head_len > 0 && len > head_len) /* the body, in the same bytes */
    err = llhttp_execute(&conn->parser, bytes + head_len, len - head_len);
  if (err == HPE_PAUSED) {
    used = (size_t)(llhttp_get_error_pos(&conn->parser) - bytes);
    if (conn->coding_count > 0 && (used > 1 ? bytes[used - 2] : conn->last_byte) != '\r') {
      http_conn_bad_request(conn, 400, "a line must end with CRLF");
      return len;
    }
    http_conn_dispatch(conn, (au_slice){bytes + used, len - used});
    return used;
  }
  if (err != HPE_OK) {
    http_conn_bad_request(conn, conn->refused ? conn->refused : 400,
                          conn->refused ? conn->refused_message : "malformed HTTP request");
    return len;
  }
  conn->last_byte = bytes[len - 1];
  conn->body_wire_bytes += len - head_len;
  if (conn->body_wire_bytes > HTTP_MAX_BODY_WIRE_BYTES) {
    http_conn_bad_request(conn, 413, "body is larger than 16 KiB");
    return len;
  }
  if (!keep_request(conn, head_len > 0 ? bytes : NULL, head_len)) {
    http_conn_bad_request(conn, 503, "out of memory");
    return len;
  }
  if (head_len > 0) http_server_arm(server, HTTP_WAIT_REQUEST, conn); /* now for the whole body */
  return len;
}

/* llhttp's callbacks and the framing rules. Returns results; sends nothing. */
#include "http_parser.h"

#include <string.h>
#include <strings.h>

/* ---- reading a head ------------------------------------------------------ */

#define NAME(text) \
  { text, sizeof(text) - 1 }

static const struct {
  au_slice name;
  http_header id;
} known_headers[] = {
    {NAME("host"), HTTP_H_HOST},
    {NAME("connection"), HTTP_H_CONNECTION},
    {NAME("content-type"), HTTP_H_CONTENT_TYPE},
    {NAME("expect"), HTTP_H_EXPECT},
    {NAME("origin"), HTTP_H_ORIGIN},
    {NAME("access-control-request-headers"), HTTP_H_ASKED_HEADERS},
    {NAME("transfer-encoding"), HTTP_H_TRANSFER_ENCODING},
    {NAME("content-length"), HTTP_H_CONTENT_LENGTH},
    {NAME("upgrade"), HTTP_H_UPGRADE},
    {NAME("sec-websocket-key"), HTTP_H_WS_KEY},
    {NAME("sec-websocket-version"), HTTP_H_WS_VERSION},
    {NAME("x-forwarded-for"), HTTP_H_FORWARDED_FOR},
    {NAME("forwarded"), HTTP_H_FORWARDED},
    {NAME("x-real-ip"), HTTP_H_PROXY_MARK},
    {NAME("x-forwarded-proto"), HTTP_H_PROXY_MARK},
    {NAME("x-forwarded-host"), HTTP_H_PROXY_MARK},
    {NAME("via"), HTTP_H_PROXY_MARK},
    {NAME("accept"), HTTP_H_ACCEPT},
    {NAME("accept-encoding"), HTTP_H_ACCEPT_ENCODING},
    {NAME("if-none-match"), HTTP_H_IF_NONE_MATCH},
    {NAME("authorization"), HTTP_H_AUTHORIZATION},
    {NAME("user-agent"), HTTP_H_USER_AGENT},
};

/* For a parser callback: ends the parsing with this status. */
static int refuse(http_parser *p, int status, const char *message) {
  if (p->status == 0) {
    p->status = status;
    p->message = message;
  }
  return HPE_USER;
}

/* Chunk extensions mean nothing here, and may not go on for ever. */
static int on_chunk_extension(llhttp_t *parser, const char *at, size_t len) {
  http_parser *p = parser->data;
  (void)at;
  p->extension_bytes += len;
  return p->extension_bytes > HTTP_MAX_EXTENSION_BYTES
             ? refuse(p, 431, "chunk extensions are too large")
             : 0;
}

/* They mean nothing here either, and no scan of ours has seen their lines: llhttp 8.1
 * lets bare line feeds, folds and empty names pass there. */
static int refuse_trailer(http_parser *p) {
  return refuse(p, 400, "trailers are refused");
}

/* The lines of these two are joined: where to; NULL for any other header. */
static buffer *joined_lines(http_parser *p, http_header id) {
  if (id == HTTP_H_FORWARDED_FOR) return &p->x_forwarded_for;
  return id == HTTP_H_FORWARDED ? &p->forwarded : NULL;
}

/* They may come in several lines, one from each proxy, which mean the same as one list (RFC
 * 9110, 5.3). The first stays where it lies; a second one makes a copy of both. */
static void join_line(http_parser *p, buffer *joined) {
  au_slice *list = &p->request.headers[p->header_at];
  if (list->len == 0) {
    *list = (au_slice){"", 0};
    return;
  }
  if (list->ptr != joined->ptr) buffer_append_slice(joined, *list);
  buffer_append_text(joined, ",");
  *list = buffer_slice(joined);
}

/* The whole head is in one piece of memory, so a name and a value come whole. */
static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
  http_parser *p = parser->data;
  p->header_at = HTTP_H_COUNT;
  if (p->in_body) return refuse_trailer(p);
  if (++p->header_count > HTTP_MAX_HEADERS) return refuse(p, 431, "too many headers");
  for (size_t i = 0; i < sizeof known_headers / sizeof known_headers[0]; i++) {
    au_slice name = known_headers[i].name;
    if (len != name.len || strncasecmp(at, name.ptr, len) != 0) continue;
    p->header_at = known_headers[i].id;
    if ((p->header_at == HTTP_H_WS_KEY || p->header_at == HTTP_H_WS_VERSION) &&
        p->request.headers[p->header_at].ptr)
      p->request.repeated_ws_header = true;
    if (p->header_at == HTTP_H_AUTHORIZATION && p->request.headers[HTTP_H_AUTHORIZATION].ptr)
      return refuse(p, 400, "two Authorization headers");
    buffer *joined = joined_lines(p, p->header_at);
    if (joined)
      join_line(p, joined);
    else
      p->request.headers[p->header_at] = (au_slice){"", 0};
    if (p->header_at == HTTP_H_HOST) p->host_count++;
    if (p->header_at == HTTP_H_TRANSFER_ENCODING) p->coding_count++;
    break;
  }
  return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
  http_parser *p = parser->data;
  if (p->in_body) return refuse_trailer(p);
  if (p->header_at == HTTP_H_COUNT) return 0;
  au_slice *value = &p->request.headers[p->header_at];
  buffer *joined = joined_lines(p, p->header_at);
  if (joined && joined->len > 0) {
    buffer_append(joined, at, len);
    *value = buffer_slice(joined);
    return joined->failed ? refuse(p, 503, "out of memory") : 0;
  }
  if (value->len == 0)
    *value = (au_slice){at, len};
  else
    value->len += len;
  return 0;
}

/* Only `chunked`, and once. */
static int check_coding(http_parser *p) {
  au_slice rest = p->request.headers[HTTP_H_TRANSFER_ENCODING], coding;
  if (p->request.headers[HTTP_H_CONTENT_LENGTH].ptr)
    return refuse(p, 400, "both Content-Length and Transfer-Encoding");
  if (p->llhttp.http_minor == 0) return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
  unsigned chunked = 0;
  while (slice_next(&rest, ',', &coding)) {
    if (!slice_eq_nocase(slice_trim(coding), slice_of("chunked")))
      return refuse(p, 501, "unknown transfer coding");
    chunked++;
  }
  if (chunked != 1 || p->coding_count != 1)
    return refuse(p, 400, "Transfer-Encoding must be chunked, once");
  return 0;
}

static int on_header_value_complete(llhttp_t *parser) {
  http_parser *p = parser->data;
  if (p->in_body) return refuse_trailer(p);
  if (p->header_at < HTTP_H_COUNT)
    p->request.headers[p->header_at] = slice_trim(p->request.headers[p->header_at]);
  /* Here and not at the end of the head: llhttp refuses some of these itself, and
   * the status is ours to choose. */
  if (p->header_at == HTTP_H_TRANSFER_ENCODING) return check_coding(p);
  return 0;
}

static http_method method_of(const llhttp_t *parser) {
  switch (parser->method) {
  case HTTP_GET: return HTTP_IS_GET;
  case HTTP_HEAD: return HTTP_IS_HEAD;
  case HTTP_POST: return HTTP_IS_POST;
  case HTTP_OPTIONS: return HTTP_IS_OPTIONS;
  case HTTP_DELETE: return HTTP_IS_DELETE;
  default: return HTTP_IS_OTHER;
  }
}

/* RFC 9112, 3.2: a Host that is no name, address or port is refused; one that is empty, for a
 * target without an authority, is fine. Letters of a name are not looked at any closer. */
static bool valid_host(au_slice host) {
  /* RFC 3986, 3.2.2: A-Z a-z 0-9 and - . _ ~ ! $ & ' ( ) * + , ; = % : [ ] */
  static const byte_set characters = {{UINT64_C(0x2fff7ff200000000), UINT64_C(0x47fffffeaffffffe)}};
  return slice_is_of(host, &characters);
}

static int on_headers_complete(llhttp_t *parser) {
  http_parser *p = parser->data;
  http_request *request = &p->request;
  request->method = method_of(parser);
  p->keep_alive = llhttp_should_keep_alive(parser);
  parser->upgrade = 0; /* whether to upgrade is the handler's choice, after the message */

  if (p->host_count > 1 || (p->host_count == 0 && parser->http_minor == 1))
    return refuse(p, 400, "exactly one Host header is required");
  if (!valid_host(p->request.headers[HTTP_H_HOST])) return refuse(p, 400, "malformed Host header");
  bool chunked = p->coding_count > 0;
  bool has_length = request->headers[HTTP_H_CONTENT_LENGTH].ptr != NULL;
  if (chunked && has_length) return refuse(p, 400, "both Content-Length and Transfer-Encoding");
  if (has_length && parser->content_length > HTTP_MAX_BODY_BYTES)
    return refuse(p, 413, "body is larger than 16 KiB");
  p->expects_continue = parser->http_minor == 1 &&
                        slice_eq_nocase(request->headers[HTTP_H_EXPECT], slice_of("100-continue"));
  p->in_body = true;
  return 0;
}

/* ---- reading a body ------------------------------------------------------ */

static int on_chunk_header(llhttp_t *parser) {
  http_parser *p = parser->data;
  if (parser->content_length > HTTP_MAX_BODY_BYTES - p->request.body.len)
    return refuse(p, 413, "body is larger than 16 KiB");
  return 0;
}

/* The first piece stays where it lies; a second one makes a copy of both. */
static int on_body(llhttp_t *parser, const char *at, size_t len) {
  http_parser *p = parser->data;
  au_slice *body = &p->request.body;
  if (body->len == 0) {
    *body = (au_slice){at, len};
    return 0;
  }
  if (body->ptr != p->kept_body.ptr) buffer_append_slice(&p->kept_body, *body);
  buffer_append(&p->kept_body, at, len);
  if (p->kept_body.failed) return refuse(p, 503, "out of memory");
  *body = buffer_slice(&p->kept_body);
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

/* ---- life ---------------------------------------------------------------- */

void http_parser_init(http_parser *p, size_t max_head_bytes) {
  *p = (http_parser){.head = {.max_bytes = max_head_bytes}};
  buffer_init(&p->kept_head, max_head_bytes);
  buffer_init(&p->kept_body, HTTP_MAX_BODY_BYTES);
  buffer_init(&p->x_forwarded_for, max_head_bytes);
  buffer_init(&p->forwarded, max_head_bytes);
}

void http_parser_reset(http_parser *p) {
  memset(&p->request, 0, sizeof p->request);
  p->request.method = HTTP_IS_OTHER;
  p->head = (http_head_check){.max_bytes = p->head.max_bytes};
  p->in_body = p->expects_continue = false;
  p->header_count = p->host_count = p->coding_count = 0;
  p->body_wire_bytes = p->extension_bytes = 0;
  p->head_bytes = NULL;
  p->status = 0;
  buffer_free(&p->kept_head); /* rare, and an idle connection holds little */
  buffer_free(&p->kept_body);
  buffer_free(&p->x_forwarded_for);
  buffer_free(&p->forwarded);
}

size_t http_parser_kept_bytes(const http_parser *p) {
  return p->kept_head.cap + p->kept_body.cap + p->x_forwarded_for.cap + p->forwarded.cap;
}

/* ---- one step ------------------------------------------------------------ */

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

/* The bytes at hand will be gone before the body is whole: copies the head, if it lies
 * there, and what there is of the body. */
static bool keep_request(http_parser *p) {
  http_request *request = &p->request;
  const char *head = p->head_bytes;
  if (head) {
    buffer_append(&p->kept_head, head, p->head_len);
    if (p->kept_head.failed) return false;
    au_slice *slices[2 + HTTP_H_COUNT] = {&request->path, &request->query};
    for (int i = 0; i < HTTP_H_COUNT; i++) slices[2 + i] = &request->headers[i];
    for (int i = 0; i < 2 + HTTP_H_COUNT; i++) {
      const char *ptr = slices[i]->ptr;
      if (ptr >= head && ptr <= head + p->head_len)
        slices[i]->ptr = p->kept_head.ptr + (ptr - head);
    }
    p->head_bytes = NULL;
  }
  if (request->body.len > 0 && request->body.ptr != p->kept_body.ptr) {
    buffer_append_slice(&p->kept_body, request->body);
    if (p->kept_body.failed) return false;
    request->body = buffer_slice(&p->kept_body);
  }
  return true;
}

static http_parsed refused(http_parser *p, int status, const char *message) {
  refuse(p, status, message);
  return HTTP_PARSED_REFUSED;
}

/* What llhttp made of `bytes`. */
static http_parsed outcome(http_parser *p, llhttp_errno_t err, const char *bytes, size_t len,
                           size_t *used) {
  *used = len;
  if (err == HPE_OK) return HTTP_PARSED_MORE;
  if (err != HPE_PAUSED) return refused(p, 400, "malformed HTTP request");
  *used = (size_t)(llhttp_get_error_pos(&p->llhttp) - bytes);
  if (p->coding_count > 0 && (*used > 1 ? bytes[*used - 2] : p->last_byte) != '\r')
    return refused(p, 400, "a line must end with CRLF");
  return HTTP_PARSED_REQUEST;
}

static http_parsed feed_head(http_parser *p, const char *bytes, size_t len, size_t *used) {
  size_t head_len = http_head_scan(&p->head, bytes, len);
  if (head_len == 0)
    return p->head.status ? refused(p, p->head.status, p->head.message) : HTTP_PARSED_MORE;
  llhttp_init(&p->llhttp, HTTP_REQUEST, settings());
  p->llhttp.data = p;
  p->head_bytes = bytes;
  p->head_len = head_len;
  read_target(&p->request, bytes, head_len);
  http_parsed parsed =
      outcome(p, llhttp_execute(&p->llhttp, bytes, head_len), bytes, head_len, used);
  if (parsed != HTTP_PARSED_MORE) return parsed;
  /* After PRI llhttp waits for the rest of HTTP/2's preface, which lies behind the head. */
  return p->in_body ? HTTP_PARSED_HEAD : refused(p, 400, "malformed HTTP request");
}

static http_parsed feed_body(http_parser *p, const char *bytes, size_t len, size_t *used) {
  http_parsed parsed = HTTP_PARSED_MORE;
  if (len > 0) parsed = outcome(p, llhttp_execute(&p->llhttp, bytes, len), bytes, len, used);
  if (parsed != HTTP_PARSED_MORE) return parsed;
  if (len > 0) p->last_byte = bytes[len - 1];
  p->body_wire_bytes += len;
  if (p->body_wire_bytes > HTTP_MAX_BODY_WIRE_BYTES)
    return refused(p, 413, "body is larger than 16 KiB");
  return keep_request(p) ? HTTP_PARSED_MORE : refused(p, 503, "out of memory");
}

http_parsed http_parser_feed(http_parser *p, const char *bytes, size_t len, size_t *used) {
  *used = 0;
  if (p->in_body) return feed_body(p, bytes, len, used);
  if (p->head.scanned == 0) {
    /* RFC 9112, 2.2: an empty line before a request is read past. */
    while (len - *used >= 2 && memcmp(bytes + *used, "\r\n", 2) == 0) *used += 2;
    if (*used > 0) return HTTP_PARSED_MORE;
  }
  return feed_head(p, bytes, len, used);
}

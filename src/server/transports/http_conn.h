/* HTTP/1.1 over libuv and llhttp: bytes to requests, limits, time-outs, replies.
 * Knows no route and no JSON. One request of a connection is handled at a time;
 * what arrives behind it waits in a bounded buffer.
 *
 * Framing is strict (RFC 9112): whatever could be read in two ways is answered
 * with one 400, and the connection is closed. */
#ifndef TRANSPORTS_HTTP_CONN_H
#define TRANSPORTS_HTTP_CONN_H

#include <active_users/types.h>
#include <uv.h>

#include "../stats.h"
#include "../utils/buffer.h"
#include "../utils/time.h"

enum {
  HTTP_MAX_HEAD_BYTES = 8 * 1024,
  HTTP_MAX_TARGET_BYTES = 4 * 1024,
  HTTP_MAX_BODY_BYTES = 16 * 1024,
  HTTP_MAX_HEADERS = 100,
  HTTP_CONTEXT_BYTES = 256, /* of http_conn_context */
};

typedef struct http_server http_server;
typedef struct http_conn http_conn;

typedef enum http_method {
  HTTP_IS_GET,
  HTTP_IS_HEAD,
  HTTP_IS_POST,
  HTTP_IS_OPTIONS,
  HTTP_IS_OTHER
} http_method;

/* The headers that anybody here reads. Of a repeated one the last is kept, but for
 * X-Forwarded-For, whose lines are joined. */
typedef enum http_header {
  HTTP_H_HOST,
  HTTP_H_CONNECTION,
  HTTP_H_CONTENT_TYPE,
  HTTP_H_EXPECT,
  HTTP_H_ORIGIN,
  HTTP_H_TRANSFER_ENCODING,
  HTTP_H_CONTENT_LENGTH,
  HTTP_H_UPGRADE,
  HTTP_H_WS_KEY,
  HTTP_H_WS_VERSION,
  HTTP_H_FORWARDED_FOR,
  HTTP_H_ACCEPT_ENCODING,
  HTTP_H_IF_NONE_MATCH,
  HTTP_H_COUNT,
} http_header;

/* Borrowed for the handler's call. A header that did not come has ptr NULL. */
typedef struct http_request {
  http_method method;
  au_slice path;  /* of the target, before any '?' */
  au_slice query; /* behind it */
  au_slice body;
  au_slice headers[HTTP_H_COUNT];
  const struct sockaddr *peer;
  int door; /* the listener it came in by, as given to http_server_listen */
} http_request;

typedef struct http_reply {
  int status;
  const char *content_type; /* NULL: no body */
  au_slice body;
  bool close; /* close the connection afterwards */
} http_reply;

typedef struct http_handler {
  /* A whole request. Replies now or later with http_conn_reply, exactly once (a
   * later reply needs a reference), or takes the connection over with
   * http_conn_detach. */
  void (*on_request)(void *arg, http_conn *conn, const http_request *request);
  /* What came is not a request that can be handled; reply with this status now.
   * Only `headers` of `request` may be set. The connection is closed afterwards. */
  void (*on_bad_request)(void *arg, http_conn *conn, const http_request *request, int status,
                         const char *message);
  void *arg;
} http_handler;

typedef struct http_server_config {
  uv_loop_t *loop;
  const au_clock *clock;
  stats *counters;
  http_handler handler;
  int64_t header_timeout_ms; /* for a whole head, then for a whole body */
  int64_t idle_timeout_ms;
  bool reuse_port;          /* its ports may be shared with other servers that say so */
  uint32_t max_connections; /* slots; above it accepting pauses */
} http_server_config;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status http_server_create(const http_server_config *config, http_server **out);

enum { HTTP_MAX_DOORS = 2 };

/* Listens on one more address, known as `door` in requests. *port is the port in
 * use afterwards. Returns AU_OK, AU_EINVAL (not an address), AU_EFULL (more than
 * HTTP_MAX_DOORS) or AU_ELISTEN; *reason is then a static text. */
AU_MUST_CHECK au_status http_server_listen(http_server *server, const char *host, uint16_t *port,
                                           int door, const char **reason);

/* Gives back the slot of a connection that was detached and has ended. */
void http_server_release(http_server *server);

/* Accepts no more. A connection with a request in flight ends with its reply, which
 * says `Connection: close`. Idle ones may ask once more, and end in the same way, as
 * long as a request of the time before, or a detached connection, has not ended (see
 * http_server_release); then they are closed at once. `stopped` runs once, from the
 * loop, when all are closed: at once after `hurry`. */
void http_server_stop(http_server *server, void (*stopped)(void *arg), void *arg);
/* Closes what is left of a stopping server, whatever it waits for. */
void http_server_hurry(http_server *server);
void http_server_free(http_server *server);

/* A reference keeps the memory, not the connection: a reply to a peer that is
 * gone is ignored. */
void http_conn_ref(http_conn *conn);
void http_conn_unref(http_conn *conn);

/* Room for the handler of the current request, HTTP_CONTEXT_BYTES, aligned for
 * anything; kept from on_request until its reply. */
void *http_conn_context(http_conn *conn);

/* Header lines, each ended by CRLF, that go out with the reply to the current
 * request. Append to it before http_conn_reply. */
buffer *http_conn_headers(http_conn *conn);

/* Answers the current request and goes on with the next. Slices are borrowed for
 * the call. */
void http_conn_reply(http_conn *conn, const http_reply *reply);

/* Takes the descriptor away, from inside on_request only: the caller owns the
 * returned descriptor and the slot (http_server_release). `early` is what arrived
 * behind the request, borrowed for the rest of on_request. Returns -1 when no
 * descriptor can be had; the connection is as before then. */
AU_MUST_CHECK int http_conn_detach(http_conn *conn, au_slice *early);

/* The reason phrase of a status, "" when not one we use. */
const char *http_reason(int status);

#endif

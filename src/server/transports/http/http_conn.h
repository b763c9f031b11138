/* HTTP/1.1 on sockets and llhttp: bytes to requests, limits, time-outs, replies.
 * Knows no route and no JSON. One request of a connection is handled at a time;
 * what arrives behind it waits in a bounded buffer.
 *
 * Framing is strict (RFC 9112): whatever could be read in two ways is answered
 * with one 400, and the connection is closed. */
#ifndef TRANSPORTS_HTTP_CONN_H
#define TRANSPORTS_HTTP_CONN_H

#include <active_users/types.h>
#include <uv.h>

#include "services/addresses.h"
#include "stats.h"
#include "transports/poller.h"
#include "utils/buffer.h"
#include "utils/time.h"

enum {
  HTTP_MAX_EXTENSION_BYTES = 8 * 1024, /* of all chunks of a body */
  HTTP_MAX_TARGET_BYTES = 4 * 1024,
  HTTP_MAX_BODY_BYTES = 16 * 1024,
  HTTP_MAX_HEADERS = 100,
  HTTP_CONTEXT_BYTES = 256, /* of http_conn_context */
  HTTP_SLOW_MS = 200,       /* see http_conn_slow_down */
};

typedef struct http_server http_server;
typedef struct http_conn http_conn;

typedef enum http_method {
  HTTP_IS_GET,
  HTTP_IS_HEAD,
  HTTP_IS_POST,
  HTTP_IS_OPTIONS,
  HTTP_IS_DELETE,
  HTTP_IS_OTHER
} http_method;

/* The headers that anybody here reads. Of a repeated one the last is kept, but for
 * X-Forwarded-For and Forwarded, whose lines are joined. */
typedef enum http_header {
  HTTP_H_HOST,
  HTTP_H_CONNECTION,
  HTTP_H_CONTENT_TYPE,
  HTTP_H_EXPECT,
  HTTP_H_ORIGIN,
  HTTP_H_ASKED_HEADERS, /* Access-Control-Request-Headers */
  HTTP_H_TRANSFER_ENCODING,
  HTTP_H_CONTENT_LENGTH,
  HTTP_H_UPGRADE,
  HTTP_H_WS_KEY,
  HTTP_H_WS_VERSION,
  HTTP_H_FORWARDED_FOR, /* X-Forwarded-For */
  HTTP_H_FORWARDED,
  HTTP_H_PROXY_MARK, /* any other header that a proxy adds: that it is there is all it says */
  HTTP_H_ACCEPT,
  HTTP_H_ACCEPT_ENCODING,
  HTTP_H_IF_NONE_MATCH,
  HTTP_H_AUTHORIZATION,
  HTTP_H_USER_AGENT,
  HTTP_H_COUNT,
} http_header;

/* Borrowed for the handler's call. A header that did not come has ptr NULL. */
typedef struct http_request {
  http_method method;
  au_slice path;  /* of the target, before any '?' */
  au_slice query; /* behind it */
  au_slice body;
  au_slice headers[HTTP_H_COUNT];
  const net_addr *peer;    /* or the client that a trusted proxy named in its PROXY header */
  address *address;        /* of that peer; NULL without memory */
  int listener;            /* the listener it came in by, as given to http_server_listen */
  unsigned minor;          /* of HTTP/1.minor */
  bool repeated_ws_header; /* a Sec-WebSocket-* header that may come only once came twice */
  bool reserved;           /* all other slots are taken: this one is for health checks alone */
} http_request;

typedef struct http_reply {
  int status;
  const char *content_type; /* NULL: no body */
  au_slice body;
  bool close;    /* close the connection afterwards */
  bool streamed; /* its body ends with the connection: the head says no length */
} http_reply;

typedef struct http_handler {
  /* A whole request. Replies now or later with http_conn_reply, exactly once (a
   * later reply needs a reference), or takes the connection over with
   * http_conn_detach. */
  void (*on_request)(void *arg, http_conn *conn, const http_request *request);
  /* The head of a request that has a body, before that is read. 0: read it; else a status to
   * refuse with and *message, static: on_bad_request follows. NULL: all are read. */
  int (*on_head)(void *arg, http_conn *conn, const http_request *request, const char **message);
  /* What came is not a request that can be handled; reply with this status now.
   * Only `headers` of `request` may be set. The connection is closed afterwards. */
  void (*on_bad_request)(void *arg, http_conn *conn, const http_request *request, int status,
                         const char *message);
  /* Whether this peer is a proxy that stands for others: it may have any number of connections,
   * and begin each with a PROXY protocol header. NULL: none is. */
  bool (*trusts)(void *arg, const net_addr *peer);
  void *arg;
} http_handler;

typedef struct http_server_config {
  uv_loop_t *loop;
  poller *poller;
  const au_clock *clock;
  stats *counters;
  addresses *addresses;
  http_handler handler;
  size_t max_head_bytes;     /* of a request */
  int64_t header_timeout_ms; /* for a whole head, then for a whole body */
  int64_t idle_timeout_ms;
  bool reuse_port;          /* its ports may be shared with other servers that say so */
  uint32_t max_connections; /* slots; above it an idle connection is evicted, or accepting pauses */
  uint32_t reserved_connections; /* beyond these, for health checks alone */
  /* The listener whose connections have slots of their own, beyond all others, and count for no
   * address: so many of them. HTTP_NO_LISTENER: none. */
  int private_listener;
  uint32_t private_connections;
  /* Asks the owner of detached connections to end one of them at once; false: none may. NULL:
   * never asked. */
  bool (*evict)(void *arg);
  void *evict_arg;
} http_server_config;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status http_server_create(const http_server_config *config, http_server **out);

enum {
  HTTP_MAX_LISTENERS = 3,
  HTTP_NO_LISTENER = -1,
};

/* Listens on one more address, known as `listener` in requests; connections wait in the kernel
 * until http_server_accept. *port is the port in use afterwards. Returns AU_OK, AU_EINVAL (not an
 * address), AU_EFULL (more than HTTP_MAX_LISTENERS) or AU_ELISTEN; *reason is then a static text.
 */
AU_MUST_CHECK au_status http_server_listen(http_server *server, const char *host, uint16_t *port,
                                           int listener, const char **reason);

/* The same with a socket that listens already; it is the server's when AU_OK is returned.
 * AU_EINVAL: it is no TCP socket that listens. */
AU_MUST_CHECK au_status http_server_adopt(http_server *server, int fd, uint16_t *port, int listener,
                                          const char **reason);

/* Begins to accept, once all listeners are there. */
void http_server_accept(http_server *server);

/* Gives back the slot of a connection that was detached and has ended. */
void http_server_release(http_server *server);

/* Accepts no more. A connection with a request in flight ends with its reply, which
 * says `Connection: close`. Idle ones may send one more request, and end in the same way, as
 * long as a request that began before the stop, or a detached connection, has not ended (see
 * http_server_release); then they are closed at once. `stopped` runs once, from the
 * loop, when all are closed: at once after http_server_force_close. */
void http_server_stop(http_server *server, void (*stopped)(void *arg), void *arg);
/* Closes what is left of a stopping server, whatever it waits for. */
void http_server_force_close(http_server *server);
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

/* Names the route of the current request for its figures; OTHER until then. */
void http_conn_set_route(http_conn *conn, stats_route route);

/* Answers the current request and goes on with the next. Slices are borrowed for
 * the call. */
void http_conn_reply(http_conn *conn, const http_reply *reply);

/* After the reply to the current request nothing is read for HTTP_SLOW_MS: its address is over
 * a limit, and would go on at full speed. The connection of a trusted proxy goes on, since it
 * stands for others too. */
void http_conn_slow_down(http_conn *conn);

/* A connection whose descriptor is somebody else's now. */
typedef struct http_detached {
  int fd;           /* non-blocking; its slot goes with it: http_server_release */
  au_slice early;   /* what arrived behind the request, borrowed for the rest of on_request */
  address *address; /* with a reference: address_release */
  bool counted;     /* among the connections of that address: address_disconnect */
} http_detached;

/* Gives a connection away, from inside on_request only. false: it may not be, and is as before. */
AU_MUST_CHECK bool http_conn_detach(http_conn *conn, http_detached *out);

/* The head of a reply whose body a new owner sends: of a connection that was just detached.
 * Borrowed for the rest of on_request; empty when there is no memory. */
au_slice http_conn_head(http_conn *conn, const http_reply *reply);

/* The reason phrase of a status, "" when not one we use. */
const char *http_reason(int status);

#endif

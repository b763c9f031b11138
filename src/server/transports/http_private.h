/* What http_server.c (doors, slots, time-outs), http_conn.c (bytes and replies) and
 * http_parse.c (requests) share. Included by these three only. */
#ifndef TRANSPORTS_HTTP_PRIVATE_H
#define TRANSPORTS_HTTP_PRIVATE_H

#include <llhttp.h>
#include <stdalign.h>

#include "expiry.h"
#include "http_conn.h"
#include "http_head.h"

enum {
  HTTP_READ_BYTES = 64 * 1024,           /* read at once; one buffer for the loop */
  HTTP_MAX_PENDING_BYTES = 64 * 1024,    /* kept behind a request in flight; then reading pauses */
  HTTP_MAX_BODY_WIRE_BYTES = 256 * 1024, /* of a chunked body with its framing */
  HTTP_MAX_LINES_BYTES = 8 * 1024,       /* header lines added to a reply */
  HTTP_MAX_REPLY_BYTES = 1024 * 1024,
  HTTP_TURN_REQUESTS = 64, /* of one connection in one turn of the loop */
  HTTP_LINGER_MS = 2000,   /* a closing connection reads on, so that its reply is not lost */
};

typedef enum conn_state {
  CONN_IDLE,     /* between requests */
  CONN_HEAD,     /* part of a head has come */
  CONN_BODY,     /* the head has come, part of the body may have */
  CONN_HANDLING, /* the handler has it */
  CONN_LINGERING,
  CONN_CLOSED, /* uv_close was called */
} conn_state;

/* What a connection waits for; each has its own time-out. */
typedef enum http_wait {
  HTTP_WAIT_REQUEST, /* the rest of a head, or of a body */
  HTTP_WAIT_IDLE,    /* the next request, or the peer to take its reply */
  HTTP_WAIT_LINGER,
  HTTP_WAIT_TURN,   /* its next turn: it had more requests than one turn takes */
  HTTP_WAIT_ACCEPT, /* not of a connection: the doors' next turn */
  HTTP_WAIT_COUNT,
} http_wait;

struct http_conn {
  uv_tcp_t tcp;
  http_server *server;
  http_conn *prev, *next; /* in http_server.conns */
  unsigned refs;          /* one is the open handle's */
  int door;
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } peer;

  conn_state state;
  bool processing; /* inside process(): a reply must not start it again */
  bool detached;
  bool yielded;   /* it had more requests than one turn takes; reading is stopped */
  bool peer_done; /* the peer sends no more */
  bool paused;    /* reading is stopped */
  bool writing;   /* output waits for the peer */
  bool close_after_reply;
  bool spared; /* idle when the stop began: it may ask once more, and is closed last */
  deadline timer;
  buffer in; /* bytes not parsed yet */

  /* the current request */
  llhttp_t parser;
  http_head_check head;
  http_request request;
  au_slice rest; /* what follows the request in the bytes at hand */
  unsigned header_count, host_count, coding_count;
  http_header header_at; /* of the field being read; HTTP_H_COUNT: not one of ours */
  size_t body_wire_bytes, extension_bytes;
  char last_byte;              /* of the bytes before those at hand, of a chunked body */
  buffer forwarded;            /* X-Forwarded-For of several lines, as one */
  buffer kept_head, kept_body; /* of a message that did not come in one piece */
  int refused;                 /* status set by a parser callback, or 0 */
  const char *refused_message;
  buffer lines;
  alignas(max_align_t) char context[HTTP_CONTEXT_BYTES];

  char *unsent; /* output that did not fit, owned while `writing` */
  uv_write_t write_req;
  uv_shutdown_t shutdown_req;
};

typedef struct http_door {
  uv_tcp_t tcp;
  http_server *server;
  int id;
  bool waiting; /* a connection is pending, and there is no slot for it or no time */
} http_door;

struct http_server {
  http_server_config config;
  http_door doors[HTTP_MAX_DOORS];
  unsigned door_count;
  uint32_t slots;  /* in use, detached connections included */
  uint32_t spared; /* of a stopping server: the slots of spared connections */
  http_conn *conns;
  deadline_queue waits[HTTP_WAIT_COUNT];
  expiry expiry;
  bool expiry_closing;
  unsigned open_handles; /* doors, the timer and connections */
  bool stopping;
  bool idle_closed; /* of a stopping server: nobody is spared any more */
  void (*stopped)(void *arg);
  void *stopped_arg;
  int64_t accepting_ms; /* the millisecond that `accepted` counts */
  unsigned accepted;
  deadline accept_pause;
  int64_t limit_said_ms; /* when the log was last told of it */
  int64_t date_s;        /* second that `date` was made for */
  char date[40];         /* the Date header line */
  buffer out;            /* the reply being made */
  char read_bytes[HTTP_READ_BYTES];
};

/* http_server.c */
void http_server_arm(http_server *server, http_wait wait, http_conn *conn);
const char *http_server_date(http_server *server);
/* The connection is closing: off the list. */
void http_server_conn_gone(http_server *server, http_conn *conn);
/* One of the server's handles, or a connection's, is closed. */
void http_server_handle_closed(http_server *server);

/* http_parse.c */
/* Parses one step, a head or some of a body, and hands a whole request on. Returns
 * how many bytes it used; 0 means that it needs more. */
size_t http_parse(http_conn *conn, const char *bytes, size_t len);
/* Makes ready for the next request. */
void http_parse_reset(http_conn *conn);

/* http_conn.c */
void http_conn_dispatch(http_conn *conn, au_slice rest);
void http_conn_bad_request(http_conn *conn, int status, const char *message);
void http_conn_continue(http_conn *conn); /* sends 100 Continue */
au_status http_conn_accept(http_server *server, http_door *door);
void http_conn_close(http_conn *conn);
/* The time for what the connection waits for is over. */
void http_conn_expired(http_conn *conn);

#endif

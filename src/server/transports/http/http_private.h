/* What http_server.c (slots, time-outs, life), http_listener.c (accepting), http_conn.c (bytes
 * and replies) and http_reply.c (printing) share. Included by these only, each of which calls
 * those behind it and never one before it. */
#ifndef TRANSPORTS_HTTP_PRIVATE_H
#define TRANSPORTS_HTTP_PRIVATE_H

#include <stdalign.h>

#include "http_conn.h"
#include "http_date.h"
#include "http_parser.h"
#include "transports/expiry.h"
#include "transports/poller.h"

enum {
  HTTP_READ_BYTES = 16 * 1024,     /* read at once; one buffer for the loop */
  HTTP_MAX_LINES_BYTES = 8 * 1024, /* header lines added to a reply */
  HTTP_MAX_REPLY_BYTES = 1024 * 1024,
  HTTP_MAX_KEPT_BYTES = 256 * 1024 * 1024, /* of all connections: unparsed input, unsent output */
  HTTP_TURN_REQUESTS = 8,                  /* of one connection in one turn */
  HTTP_LINGER_MS = 2000, /* a closing connection reads on, so that its reply is not lost */
  HTTP_LINGER_BYTES = 256 * 1024,
  HTTP_RESERVED_MS = 250,       /* the life of a connection in a reserved slot */
  HTTP_FIRST_MS = 250,          /* a stop waits so long for the first request of a connection */
  HTTP_IDLE_ENOUGH_MS = 5000,   /* a connection that has waited so long may be evicted */
  HTTP_SILENT_ENOUGH_MS = 1000, /* one without any request, for another of its address */
  HTTP_ACCEPT_PAUSE_MS = 100,
  HTTP_LOG_EVERY_MS = 10000, /* a peer that comes and goes at a limit fills no log */

  /* Of the kernel, for one connection; it doubles both for its own overhead. A request fits,
   * and so does a reply: what does not waits here. */
  HTTP_SEND_BUFFER_BYTES = 32 * 1024,
  HTTP_RECEIVE_BUFFER_BYTES = 16 * 1024,
  HTTP_UNSENT_LOW_BYTES = 16 * 1024, /* TCP_NOTSENT_LOWAT */
};

typedef enum conn_state {
  CONN_IDLE,     /* between requests */
  CONN_HEAD,     /* part of a head has come */
  CONN_BODY,     /* the head has come, part of the body may have */
  CONN_HANDLING, /* the handler has it */
  CONN_LINGERING,
  CONN_CLOSED,
} conn_state;

/* What a connection waits for; each has its own time-out. */
typedef enum http_wait {
  HTTP_WAIT_REQUEST,  /* the rest of a head, or of a body */
  HTTP_WAIT_IDLE,     /* the next request */
  HTTP_WAIT_WRITE,    /* the peer, to take all of a reply */
  HTTP_WAIT_SLOW,     /* its address is over a limit */
  HTTP_WAIT_RESERVED, /* in a reserved slot: all of it */
  HTTP_WAIT_LINGER,
  HTTP_WAIT_FIRST,  /* while the server stops: its first request, which may be on the way */
  HTTP_WAIT_ACCEPT, /* not of a connection: the listeners, to accept again */
  HTTP_WAIT_COUNT,
} http_wait;

/* What is measured of the current request. */
typedef struct http_exchange {
  int64_t began_us; /* by clock_now_us, when it was whole; 0: it never was */
  stats_route route;
} http_exchange;

struct http_conn {
  poller_entry io; /* first: an entry is cast to its connection */
  http_server *server;
  http_conn *prev, *next; /* in http_server.conns */
  unsigned refs;          /* one is the open connection's */
  int listener;
  net_addr peer;
  address *address; /* of the peer; NULL without memory */

  conn_state state;
  bool from_proxy; /* nothing has come yet from a trusted proxy: a PROXY header may */
  bool counted;    /* among the connections of its address */
  bool served;     /* a request of it was answered */
  bool reserved;   /* it has a reserved slot */
  uint32_t *slots; /* those of the server that it has one of */
  bool processing; /* inside process(): a reply must not start it again */
  bool detached;   /* descriptor, slot and count of the address are another's now */
  bool slow;       /* nothing is read until HTTP_WAIT_SLOW is over */
  bool peer_done;  /* the peer sends no more */
  bool close_after_reply;
  bool idle_at_stop; /* it may send one more request, and is closed last */
  deadline timer;
  address_link link;   /* while it is counted */
  buffer in;           /* bytes not parsed yet */
  size_t kept_bytes;   /* as counted in http_server.kept_bytes */
  size_t linger_bytes; /* read and thrown away since the last reply */

  http_parser parser;
  http_exchange exchange;
  au_slice rest; /* what follows the request in the bytes at hand */
  buffer lines;
  alignas(max_align_t) char context[HTTP_CONTEXT_BYTES];

  char *unsent; /* output that the kernel has not taken: bytes from unsent_at to unsent_len */
  size_t unsent_at, unsent_len;
};

typedef struct http_listener {
  poller_entry io; /* first: an entry is cast to its listener */
  http_server *server;
  int id;
  int64_t accepted_ms; /* when it was ready last */
} http_listener;

struct http_server {
  http_server_config config;
  http_listener listeners[HTTP_MAX_LISTENERS];
  unsigned listener_count;
  uint32_t slots;          /* in use, detached connections included, reserved ones not */
  uint32_t reserved_slots; /* in use */
  uint32_t private_slots;  /* in use */
  uint32_t idle_at_stop;   /* of a stopping server: the slots of such connections */
  size_t kept_bytes;       /* of all connections */
  http_conn *conns;
  /* A connection is closing: takes it off the list, and its slot is free unless it was detached. */
  void (*on_conn_gone)(http_server *server, http_conn *conn);
  deadline_queue waits[HTTP_WAIT_COUNT];
  expiry expiry;
  bool expiry_closing;
  bool stopping;
  bool idle_closed; /* of a stopping server: idle connections were closed */
  join_stop stop;
  deadline accept_pause;
  int64_t limit_logged_ms, address_limit_logged_ms; /* when it was last logged */
  http_date date;
  buffer out; /* the reply being made */
  char read_bytes[HTTP_READ_BYTES];
};

/* Whether a limit that was met may be logged again. */
static inline bool http_may_log(const http_server *server, int64_t *logged_ms) {
  int64_t now_ms = clock_mono_ms(server->config.clock);
  if (now_ms < *logged_ms + HTTP_LOG_EVERY_MS) return false;
  *logged_ms = now_ms;
  return true;
}

/* http_listener.c */
/* Accepts again, after a pause. */
void http_listeners_resume(http_server *server);
void http_listeners_close(http_server *server);

/* http_conn.c */
/* A connection that was accepted, into one of `slots` of the server: owns `fd`, the reference to
 * `from`, the address of the peer,
 * and if `counted` its place there, when it returns AU_OK; else they stay with the caller. One
 * that is not counted comes from a trusted proxy. */
AU_MUST_CHECK au_status http_conn_create(http_server *server, int fd, int listener,
                                         const net_addr *peer, address *from, uint32_t *slots,
                                         bool counted);
/* Counts one more connection of an address; false: it has as many as it may, which is logged. */
bool http_conn_admits(http_server *server, address *from);
void http_conn_close(http_conn *conn);
/* The time for what the connection waits for is over. */
void http_conn_expired(http_conn *conn);

/* http_count.c */
/* Counts an answer of so many bytes. */
void http_count_reply(http_server *server, const http_exchange *exchange, int status, size_t bytes);

/* http_reply.c */
/* The bytes of a reply to the current request, into `out`. */
void http_reply_print(http_conn *conn, const http_reply *reply, buffer *out);

#endif

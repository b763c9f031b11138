/* What websocket.c (libwebsockets, time-outs, the end) and ws_socket.c (messages and
 * what is sent) share. Included by these two only. */
#ifndef TRANSPORTS_WS_PRIVATE_H
#define TRANSPORTS_WS_PRIVATE_H

#include <libwebsockets.h>

#include "../utils/buffer.h"
#include "expiry.h"
#include "websocket.h"

enum {
  WS_MAX_ERRORS = 5,  /* bad messages until a socket is closed */
  WS_MAX_REPLIES = 4, /* replies kept for a peer that does not read */
  WS_CLOSE_MS = 5000, /* from our close to the end, whatever the peer does */
};

typedef struct ws_socket ws_socket;

/* What a socket waits for; each has its own time-out. */
typedef enum ws_wait {
  WS_WAIT_AUTH,
  WS_WAIT_IDLE, /* then it is pinged */
  WS_WAIT_PONG,
  WS_WAIT_STALL, /* the peer to read */
  WS_WAIT_CLOSE,
  WS_WAIT_COUNT,
} ws_wait;

struct ws_socket {
  /* What the delivery of a frame touches, in 64 bytes: of many sockets none is in the
   * cache any more. */
  subscriber subscriber;
  int fd;
  uint8_t reply_count;
  bool wants_room; /* something is unsent; is told when the kernel has room */
  bool closing;    /* nothing is read or sent any more */
  frame *update;   /* the newest, waiting */
  websocket *ws;

  struct lws *wsi;
  ws_socket *prev, *next; /* in websocket.sockets */
  unsigned refs;          /* one is libwebsockets', one for each operation in flight */
  presence_seat *seat;    /* NULL for a watcher and before auth */
  deadline timer;         /* auth, idle, pong or close */
  deadline stall;
  frame *replies[WS_MAX_REPLIES]; /* oldest first */
  buffer partial;                 /* pieces of a message */
  uint16_t close_code;            /* to be sent, when `closing` was our wish */
  uint8_t errors;
  bool authing, authed, renewing;
  bool vanished; /* the peer went while one of these was in flight */
  bool close_sent, killed;
  bool gone; /* libwebsockets has freed its part */
};

struct websocket {
  websocket_config config;
  struct lws_context *context; /* NULL once libwebsockets has ended */
  struct lws_vhost *vhost;
  ws_socket *sockets;
  int epoll; /* of the sockets */
  uv_poll_t ready;
  long fd_limit; /* descriptors that libwebsockets has room for */
  bool adopted;  /* set by a handshake, read by websocket_adopt */
  deadline_queue waits[WS_WAIT_COUNT];
  expiry expiry;

  uv_timer_t stop_timer;
  int64_t stop_began_ms, stop_told_ms; /* when the last socket was told */
  uint64_t stop_sockets;               /* how many there were */
  uint64_t stop_closed;                /* how many of them were told */
  bool stopping;
  unsigned open_handles;
  void (*stopped)(void *arg);
  void *stopped_arg;
};

/* websocket.c */
/* Adds a socket to those that are served; false when the kernel refuses. */
bool ws_watch(ws_socket *s);
/* Has the socket told, by ws_socket_writable, once the kernel has room. */
void ws_wait_for_room(ws_socket *s);

/* ws_socket.c */
ws_socket *ws_socket_create(websocket *ws, struct lws *wsi);
void ws_socket_unref(ws_socket *s);
void ws_socket_receive(ws_socket *s, au_slice piece);
/* The kernel has taken what was sent: there is room for what waits. */
void ws_socket_writable(ws_socket *s);
/* Whether anything waits for room. */
bool ws_socket_has_unsent(const ws_socket *s);
void ws_socket_ping(ws_socket *s);
/* Says goodbye with a code, as soon as the peer reads; its session is not touched. */
void ws_socket_close(ws_socket *s, uint16_t code);
void ws_socket_close_slow(ws_socket *s);
/* The peer has gone, or closes: nothing more is sent. `vanished`: its session lives
 * on for the grace only. */
void ws_socket_leave(ws_socket *s, bool vanished);
/* Ends it from the next turn on, without a word. */
void ws_socket_kill(ws_socket *s);

#endif

/* What websocket.c (libwebsockets, time-outs, the end), ws_receive.c (bytes to messages),
 * ws_session.c (messages) and ws_socket.c (what is sent) share. Included by these only, each of
 * which calls those behind it and never one before it. */
#ifndef TRANSPORTS_WS_PRIVATE_H
#define TRANSPORTS_WS_PRIVATE_H

#include <libwebsockets.h>

#include "transports/access/refusals.h"
#include "transports/expiry.h"
#include "transports/poller.h"
#include "utils/buffer.h"
#include "utils/limits/token_bucket.h"
#include "websocket.h"
#include "wire/wire.h"
#include "ws_contexts.h"
#include "ws_frame_judge.h"

enum {
  WS_RENEW_MS = 1000,  /* between two renewals of a session; a quarter of its TTL if that is less */
  WS_MAX_RENEWALS = 4, /* of a session by one socket, on their way to the store */
  WS_MAX_ERRORS = 5,   /* bad messages until a socket is closed */
  WS_MAX_REPLIES = 4,  /* replies kept for a peer that does not read */
  WS_CLOSE_MS = 5000,  /* from our close to the end, whatever the peer does */
  WS_UNKNOWN_MS = 1000,  /* a socket without auth for so long may end for others of its address */
  WS_FAIL_MS = 950,      /* the same after a fault of the peer, or after its own close */
  WS_READ_BYTES = 512,   /* read of a socket in one turn */
  WS_RX_BYTES = 4096,    /* read of a closing one, to be dropped */
  WS_TOKEN_STEP_MS = 32, /* a socket outlives its token by so much at most */
  WS_MAX_EARLY_BYTES = 4096, /* taken with a handshake; a client should wait for its answer */
};

typedef struct ws_socket ws_socket;

/* What a socket waits for; each has its own time-out. */
typedef enum ws_wait {
  WS_WAIT_AUTH,
  WS_WAIT_IDLE, /* then it is pinged */
  WS_WAIT_PONG,
  WS_WAIT_STALL, /* the peer to read */
  WS_WAIT_CLOSE,
  WS_WAIT_FAIL,
  WS_WAIT_PARTED, /* its page went: the next one may take its session over */
  /* The end of a token. Each has another, so the wait is in steps: one queue for each power of
   * two of ms, from WS_TOKEN_STEP_MS on. A socket waits in the longest that is not too long. */
  WS_WAIT_TOKEN,
  WS_WAIT_TOKEN_LAST = WS_WAIT_TOKEN + 20, /* 32 ms doubled 20 times: 9 hours */
  WS_WAIT_COUNT,
} ws_wait;

/* Where ws_receive.c stands in the bytes of a socket. */
typedef struct ws_input {
  uint8_t head[WS_MAX_HEAD_BYTES]; /* of the next frame, as far as it has come */
  uint8_t head_len;
  bool in_payload; /* `frame` is whole, its payload is not */
  ws_frame frame;
  uint32_t taken; /* of its payload */
  ws_message_state message;
  buffer control; /* pieces of a control frame */
  buffer early;   /* came behind the handshake, and had no turn yet */
} ws_input;

struct ws_socket {
  /* What the delivery of a frame touches, in 64 bytes: of many sockets none is in the
   * cache any more. */
  subscriber subscriber;
  int fd; /* as in `io`, which is elsewhere */
  uint8_t reply_count;
  bool wants_capacity; /* something is unsent: it is served when the kernel can take more */
  bool closing;        /* nothing is read or sent any more */
  frame *update;       /* the newest, waiting */
  websocket *ws;

  poller_entry io;
  struct lws *wsi;
  ws_context *context;    /* of libwebsockets, that counts it */
  address *address;       /* of the client; NULL without memory */
  address_link link;      /* while it is counted and has not authenticated */
  ws_socket *prev, *next; /* in websocket.sockets */
  unsigned refs;          /* one is libwebsockets', one for each operation in flight */
  presence_tab_ref *tab;  /* NULL for a watcher and before auth */
  char *origin;           /* of its page, until auth says for which customer; NULL: of none */
  frame *hello;           /* what auth will be answered with, where its session is concealed */
  deadline timer;         /* auth, idle, pong or close */
  deadline stall;
  deadline token;                 /* armed while its token has an end */
  deadline parted;                /* armed while its tab waits for presence_part_end */
  int64_t token_ends_ms;          /* loop clock */
  frame *replies[WS_MAX_REPLIES]; /* oldest first */
  frame *pong;                    /* the newest, waiting */
  ws_input in;
  buffer partial;           /* pieces of a message */
  token_bucket messages;    /* and what else it can make us do: control frames, empty fragments */
  uint32_t seen;            /* what its page was last: a hash of that, 0 when it is not known */
  int64_t renewed_ms;       /* when its session was last renewed; loop clock */
  const char *close_reason; /* sent with the code, static */
  uint64_t *mode_count;     /* the gauge that it is counted in; NULL before auth */
  uint16_t close_code;      /* to be sent; 0: none */
  uint8_t errors;
  bool counted; /* among the connections of its address */
  bool authing, authed;
  uint8_t renewals;   /* of its session, in flight */
  bool is_bot;        /* by its User-Agent */
  bool has_token;     /* it authenticated with one that was asked for */
  presence_end ended; /* once it is closing: how, for when none of these is in flight */
  bool more_follows;  /* what is sent now is no packet of its own: more follows at once */
  bool peer_is_done;  /* it has sent its close frame, and nothing may follow that */
  bool is_over;       /* both close frames are sent: libwebsockets may end the connection */
  bool close_sent, killed;
  bool draining; /* ends as soon as the peer does, or at WS_FAIL_MS; what it sends is dropped */
  bool gone;     /* libwebsockets has freed its part */
};

struct websocket {
  websocket_config config;
  ws_contexts contexts;
  ws_socket *sockets;
  ws_socket *sample_at;             /* where websocket_evict looks next */
  const websocket_opening *opening; /* that is being adopted; a socket that begins takes it */
  bool adopted;                     /* a socket began */
  refusal_log refusals;
  token_rate message_rate; /* of each socket */
  int64_t renew_ms;        /* a session is renewed by its socket at most once in this time */
  deadline_queue waits[WS_WAIT_COUNT];
  expiry expiry;
  char rx[WS_RX_BYTES]; /* of the socket that is being served */

  uv_timer_t stop_timer;
  int64_t stop_began_ms, stop_closed_ms; /* when the last socket was sent its close */
  uint64_t stop_sockets;                 /* how many there were */
  uint64_t stop_closed;                  /* how many of them were sent their close */
  bool stopping;
  join_stop stop;
};

static inline void ws_count_beat(const websocket *ws) {
  ws->config.counters->beats++;
  ws->config.counters->socket_beats++;
}

/* Of a socket that has authenticated, until it is gone. */
static inline void ws_count_mode(ws_socket *s, bool has_session) {
  stats *counters = s->ws->config.counters;
  s->mode_count = has_session ? &counters->ws_sessions : &counters->ws_watchers;
  ++*s->mode_count;
}

/* ws_receive.c */
/* Reads and handles one turn's worth. False when the connection is over and must be ended. */
AU_MUST_CHECK bool ws_receive(ws_socket *s);
/* Keeps what came behind the handshake, for the turns of the socket; borrowed for the call. */
void ws_receive_early(ws_socket *s, au_slice early);
/* Whether some of it is left: then the socket has work although the kernel reports none. */
bool ws_receive_has_early(const ws_socket *s);

/* ws_session.c */
/* What came, called by ws_receive.c while the socket is not closing. Slices are borrowed. */
void ws_socket_message(ws_socket *s, au_slice text);
void ws_socket_ping_received(ws_socket *s, au_slice payload);
void ws_socket_pong_received(ws_socket *s);
void ws_socket_empty_fragment(ws_socket *s);
/* Closes the socket of an address that operators have blocked; false: it is not blocked. */
bool ws_socket_close_blocked(ws_socket *s);
/* The wait for the end of its token is over, or a part of it. */
void ws_socket_token_due(ws_socket *s);

/* ws_socket.c */
/* `ready` serves the socket when its descriptor is ready. */
ws_socket *ws_socket_create(websocket *ws, struct lws *wsi, poller_ready_fn ready);
void ws_socket_unref(ws_socket *s);
void ws_socket_arm(ws_socket *s, ws_wait wait);
/* Its tab is in use by this socket no more. */
void ws_socket_detach_tab(ws_socket *s);
/* The wait for the next page of a tab that went is over; `parted` is not armed any more. */
void ws_socket_end_part(ws_socket *s);
/* Sends a reply now or keeps it; takes the caller's reference. NULL is one for which there
 * was no memory: the peer, which waits for it, may try again later. */
void ws_socket_reply(ws_socket *s, frame *message);
/* Sends a pong, or keeps it instead of one that waits. */
void ws_socket_answer_ping(ws_socket *s, au_slice payload);
/* Something is unsent: `ready` is called with EPOLLOUT when the kernel can take more. */
void ws_socket_wait_for_capacity(ws_socket *s);
/* The kernel can take more: sends what waits. */
void ws_socket_writable(ws_socket *s);
/* Whether anything waits to be sent. */
bool ws_socket_has_unsent(const ws_socket *s);
void ws_socket_ping(ws_socket *s);
/* Closes it with a code, as soon as the peer reads. For a fault of the client its session
 * goes like that of one that was disconnected; else it is not touched. */
void ws_socket_close(ws_socket *s, uint16_t code);
/* The same with a reason of its own; static, at most WS_MAX_CONTROL_BYTES - 2 bytes. */
void ws_socket_close_for(ws_socket *s, uint16_t code, const char *reason);
void ws_socket_close_slow(ws_socket *s);
/* Answers the peer's close frame with this code, or WS_CODE_NONE. */
void ws_socket_answer_close(ws_socket *s, uint16_t code);
/* The peer has gone, or closes: nothing more is sent. `how` decides how long its session lives
 * on. */
void ws_socket_leave(ws_socket *s, presence_end how);
/* Ends it from the next turn on, without a close frame. */
void ws_socket_kill(ws_socket *s);

#endif

/* One socket: its life, and the queue of what it sends. */
#include "ws_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

_Static_assert((int)LWS_PRE <= (int)FRAME_HEADROOM, "a frame must have room for lws's header");

void ws_socket_arm(ws_socket *s, ws_wait wait) {
  expiry_arm(&s->ws->expiry, &s->ws->waits[wait], &s->timer);
}

/* ---- life ---------------------------------------------------------------- */

static void deliver(subscriber *self, frame *message);

ws_socket *ws_socket_create(websocket *ws, struct lws *wsi, poller_ready_fn ready) {
  ws_socket *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->ws = ws;
  s->wsi = wsi;
  s->fd = lws_get_socket_fd(wsi);
  s->refs = 1;
  s->io = (poller_entry){.fd = s->fd, .ready = ready};
  /* Without it the socket would seem to come from no page, which may. */
  au_slice origin = ws->opening->origin;
  if (origin.ptr && !(s->origin = strndup(origin.ptr, origin.len))) {
    free(s);
    return NULL;
  }
  if (!poller_watch(ws->config.poller, &s->io, EPOLLIN)) {
    free(s->origin);
    free(s);
    return NULL;
  }
  s->is_bot = ws->opening->visitor == AU_VISITOR_BOT;
  s->address = ws->opening->from;
  s->counted = ws->opening->counted;
  s->subscriber.deliver = deliver;
  buffer_init(&s->partial, WIRE_MAX_MESSAGE_BYTES);
  buffer_init(&s->in.control, WS_MAX_CONTROL_BYTES);
  buffer_init(&s->in.early, WS_MAX_EARLY_BYTES);
  s->next = ws->sockets;
  if (s->next) s->next->prev = s;
  ws->sockets = s;
  ws_socket_arm(s, WS_WAIT_AUTH);
  return s;
}

void ws_socket_unref(ws_socket *s) {
  if (--s->refs > 0) return;
  buffer_free(&s->in.control);
  buffer_free(&s->in.early);
  free(s->origin);
  address_release(s->address, clock_mono_ms(s->ws->config.clock));
  free(s);
}

void ws_socket_detach_tab(ws_socket *s) {
  websocket *ws = s->ws;
  if (!s->tab || deadline_armed(&s->parted)) return;
  if (s->ended != PRESENCE_END_PAGE_GONE || ws->stopping) {
    presence_detach(ws->config.presence, s->tab, s->ended);
  } else if (presence_part(ws->config.presence, s->tab)) {
    s->refs++;
    expiry_arm(&ws->expiry, &ws->waits[WS_WAIT_PARTED], &s->parted);
    return;
  }
  s->tab = NULL;
}

void ws_socket_end_part(ws_socket *s) {
  presence_part_end(s->ws->config.presence, s->tab);
  s->tab = NULL;
  ws_socket_unref(s);
}

/* The tab stays attached while a beat is in flight: were the session shortened now, that
 * beat could reach the store later and make it live for a whole TTL again. */
void ws_socket_leave(ws_socket *s, presence_end how) {
  s->closing = true;
  deadline_cancel(&s->timer);
  deadline_cancel(&s->stall);
  deadline_cancel(&s->token);
  broadcast_unsubscribe(s->ws->config.broadcast, &s->subscriber);
  s->ended = how;
  if (!s->authing && s->renewals == 0) ws_socket_detach_tab(s);
  while (s->reply_count > 0) frame_unref(s->replies[--s->reply_count]);
  frame_unref(s->update);
  frame_unref(s->pong);
  frame_unref(s->hello);
  s->update = s->pong = NULL;
  buffer_free(&s->partial);
}

/* By way of the kernel: libwebsockets finds the connection dead on the next turn and
 * ends it as it ends any other. Its own ways are no good here: an asynchronous kill
 * that is asked for outside its callbacks never comes, a synchronous one may not be
 * asked for inside, and both wait for unsent output. */
void ws_socket_kill(ws_socket *s) {
  s->killed = true;
  shutdown(lws_get_socket_fd(s->wsi), SHUT_RDWR);
}

void ws_socket_wait_for_capacity(ws_socket *s) {
  if (s->wants_capacity || s->gone) return;
  s->wants_capacity = poller_watch(s->ws->config.poller, &s->io, EPOLLIN | EPOLLOUT);
  if (!s->wants_capacity) ws_socket_kill(s);
}

/* With something unread the kernel would reset the connection when it is closed. */
static bool has_unread(const ws_socket *s) {
  char byte;
  return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* RFC 6455, 7.1.1: the server ends the connection first. A peer that has sent its own close frame
 * is done, and so are we. Else our end of it is shut, so that the peer sees the end behind the
 * close frame; what it still sends is read until then. */
static void shut_when_sent(ws_socket *s) {
  if (!s->draining || !s->close_sent || lws_partial_buffered(s->wsi)) return;
  if (s->peer_is_done && !has_unread(s))
    s->is_over = true;
  else
    shutdown(s->fd, SHUT_WR);
}

/* Straight to the kernel, a tenth cheaper than by way of libwebsockets, which is given only what
 * the kernel did not take: LWS_WRITE_HTTP writes bytes as they are. False: the connection is gone.
 *
 * more  the kernel may wait for what follows at once, to send it in the same packet. */
static bool write_bytes(ws_socket *s, au_slice bytes, bool more) {
  int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
  ssize_t sent = send(s->fd, bytes.ptr, bytes.len, flags);
  if (sent == (ssize_t)bytes.len) return true;
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) sent = 0;
  if (sent < 0 || lws_write(s->wsi, (unsigned char *)bytes.ptr + sent, bytes.len - (size_t)sent,
                            LWS_WRITE_HTTP) < 0)
    return false;
  ws_socket_wait_for_capacity(s);
  return true;
}

/* Made by hand (RFC 6455, 5.5.1): libwebsockets 4.1 as Debian builds it closes twice in a row,
 * and the second time cuts the connection before its close frame is out. */
static void send_close(ws_socket *s) {
  if (lws_partial_buffered(s->wsi)) {
    ws_socket_wait_for_capacity(s);
    return;
  }
  unsigned char bytes[LWS_PRE + 2 + WS_MAX_CONTROL_BYTES] = {0}, *at = bytes + LWS_PRE;
  size_t payload = 0;
  at[0] = 0x80 | WS_CLOSE; /* FIN */
  if (s->close_code != WS_CODE_NONE) {
    au_slice reason = slice_of(s->close_reason);
    if (reason.len > WS_MAX_CONTROL_BYTES - 2) reason.len = WS_MAX_CONTROL_BYTES - 2;
    at[2] = (unsigned char)(s->close_code >> 8);
    at[3] = (unsigned char)s->close_code;
    memcpy(at + 4, reason.ptr, reason.len);
    payload = 2 + reason.len;
  }
  at[1] = (unsigned char)payload;
  s->close_sent = true;
  if (!write_bytes(s, (au_slice){(char *)at, 2 + payload}, false))
    ws_socket_kill(s);
  else
    shut_when_sent(s);
}

static void start_close(ws_socket *s, uint16_t code, const char *reason, presence_end how) {
  ws_socket_leave(s, how);
  s->close_code = code;
  s->close_reason = reason;
  ws_socket_arm(s, s->draining ? WS_WAIT_FAIL : WS_WAIT_CLOSE);
  send_close(s);
}

static void count_close(stats *counters, uint16_t code) {
  switch (code) {
  case WS_CODE_PROTOCOL_ERROR:
  case WS_CODE_UNSUPPORTED:
  case WS_CODE_INVALID_TEXT: counters->ws_closed_protocol++; break;
  case WS_CODE_TOO_LARGE: counters->ws_closed_too_large++; break;
  case WS_CODE_POLICY: counters->ws_closed_policy++; break;
  default: break;
  }
}

void ws_socket_close_for(ws_socket *s, uint16_t code, const char *reason) {
  if (s->closing) return;
  count_close(s->ws->config.counters, code);
  s->draining = ws_code_is_fault(code);
  start_close(s, code, reason, s->draining ? PRESENCE_END_DISCONNECTED : PRESENCE_END_CLOSED);
}

void ws_socket_close(ws_socket *s, uint16_t code) {
  ws_socket_close_for(s, code, ws_code_reason(code));
}

static presence_end end_of_close(uint16_t code) {
  bool page_went = code == WS_CODE_GOING_AWAY || code == WS_CODE_PAGE_GONE;
  return page_went ? PRESENCE_END_PAGE_GONE : PRESENCE_END_DISCONNECTED;
}

void ws_socket_answer_close(ws_socket *s, uint16_t code) {
  s->draining = true;
  s->peer_is_done = !ws_code_is_fault(code);
  if (s->closing) return; /* our own close frame waits to be sent, and answers as well */
  count_close(s->ws->config.counters, ws_code_is_fault(code) ? code : 0);
  /* Other codes are the peer's own, and it knows why. */
  bool is_judged = code == WS_CODE_PROTOCOL_ERROR || code == WS_CODE_INVALID_TEXT;
  start_close(s, code, is_judged ? ws_code_reason(code) : "", end_of_close(code));
}

/* ---- sending ------------------------------------------------------------- */

/* libwebsockets keeps what the kernel did not take; only then must we wait. While a pong waits
 * wants_capacity is set: its own pointer is in memory that a delivery leaves alone. */
static bool can_write(const ws_socket *s) {
  return s->reply_count == 0 && !s->update && !s->wants_capacity;
}

/* A whole frame (RFC 6455, 5.2); the header goes into the headroom of the text. */
static au_slice with_header(frame *message, ws_opcode opcode) {
  char *text = frame_text(message), *at;
  if (message->len < 126) {
    at = text - 2;
    at[1] = (char)message->len;
  } else { /* no message is longer than 64 KiB */
    at = text - 4;
    at[1] = 126;
    at[2] = (char)(message->len >> 8);
    at[3] = (char)message->len;
  }
  at[0] = (char)(0x80 | opcode); /* FIN */
  return (au_slice){at, (size_t)(text - at) + message->len};
}

static void write_frame(ws_socket *s, frame *message, ws_opcode opcode) {
  au_slice bytes = with_header(message, opcode);
  if (opcode == WS_TEXT) s->ws->config.counters->ws_messages_out++;
  s->ws->config.counters->ws_bytes_out += bytes.len;
  if (write_bytes(s, bytes, s->more_follows)) return;
  ws_socket_leave(s, PRESENCE_END_DISCONNECTED); /* the connection is gone */
  ws_socket_kill(s);
}

static void wait_for_reader(ws_socket *s) {
  if (!deadline_armed(&s->stall))
    expiry_arm(&s->ws->expiry, &s->ws->waits[WS_WAIT_STALL], &s->stall);
  ws_socket_wait_for_capacity(s);
}

void ws_socket_close_slow(ws_socket *s) {
  s->ws->config.counters->ws_slow_closed++;
  ws_socket_close_for(s, WS_CODE_POLICY, "the client does not read what it is sent");
}

void ws_socket_reply(ws_socket *s, frame *message) {
  if (!s->closing) {
    if (!message) {
      ws_socket_close(s, WS_CODE_TRY_AGAIN_LATER);
    } else if (can_write(s)) {
      write_frame(s, message, WS_TEXT);
    } else if (s->reply_count < WS_MAX_REPLIES) {
      s->replies[s->reply_count++] = frame_ref(message);
      wait_for_reader(s);
    } else {
      ws_socket_close_slow(s);
    }
  }
  frame_unref(message);
}

/* Sends an update now or keeps it in place of an older one. */
static void deliver(subscriber *self, frame *message) {
  ws_socket *s = (ws_socket *)(void *)((char *)self - offsetof(ws_socket, subscriber));
  if (s->closing) return;
  if (can_write(s)) {
    write_frame(s, message, WS_TEXT);
    return;
  }
  frame_unref(s->update);
  s->update = frame_ref(message);
  wait_for_reader(s);
}

/* What waits, in the order in which it is sent; NULL when nothing does. */
static frame *next_to_send(ws_socket *s, ws_opcode *opcode) {
  frame *message = s->pong;
  *opcode = message ? WS_PONG : WS_TEXT;
  if (message) {
    s->pong = NULL;
  } else if (s->reply_count > 0) {
    message = s->replies[0];
    s->reply_count--;
    for (unsigned i = 0; i < s->reply_count; i++) s->replies[i] = s->replies[i + 1];
  } else {
    message = s->update;
    s->update = NULL;
  }
  return message;
}

void ws_socket_writable(ws_socket *s) {
  if (s->close_code && !s->close_sent) send_close(s);
  shut_when_sent(s);
  while (!s->closing && !lws_partial_buffered(s->wsi)) {
    ws_opcode opcode;
    frame *message = next_to_send(s, &opcode);
    if (!message) {
      deadline_cancel(&s->stall);
      return;
    }
    write_frame(s, message, opcode);
    frame_unref(message);
  }
  if (!s->closing) ws_socket_wait_for_capacity(s);
}

bool ws_socket_has_unsent(const ws_socket *s) {
  return s->reply_count > 0 || s->update || s->pong || (s->close_code && !s->close_sent) ||
         deadline_armed(&s->stall) || lws_partial_buffered(s->wsi);
}

void ws_socket_ping(ws_socket *s) {
  unsigned char bytes[LWS_PRE + 2] = {0};
  bytes[LWS_PRE] = 'a';
  bytes[LWS_PRE + 1] = 'u';
  /* Behind unsent output it would not arrive anyway; then silence decides. */
  if (can_write(s) && lws_write(s->wsi, bytes + LWS_PRE, 2, LWS_WRITE_PING) < 0) {
    ws_socket_leave(s, PRESENCE_END_DISCONNECTED);
    ws_socket_kill(s);
    return;
  }
  if (lws_partial_buffered(s->wsi)) ws_socket_wait_for_capacity(s);
  ws_socket_arm(s, WS_WAIT_PONG);
}

/* Of several pings whose answers wait, the newest is answered (RFC 6455, 5.5.3). */
void ws_socket_answer_ping(ws_socket *s, au_slice payload) {
  frame *pong = frame_create(payload);
  if (!pong) return;
  if (can_write(s)) {
    write_frame(s, pong, WS_PONG);
    frame_unref(pong);
    return;
  }
  frame_unref(s->pong);
  s->pong = pong;
  wait_for_reader(s);
}

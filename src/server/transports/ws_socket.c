/* One socket: its messages, its session, its queue. Must not know how it was
 * accepted or who else listens. */
#include "ws_private.h"

#include "../services/metrics.h"
#include "../wire.h"
#include "../wire_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

_Static_assert((int)LWS_PRE <= (int)FRAME_HEADROOM, "a frame must have room for lws's header");

static void arm(ws_socket *s, ws_wait wait) {
  expiry_arm(&s->ws->expiry, &s->ws->waits[wait], &s->timer);
}

/* ---- life ---------------------------------------------------------------- */

static void deliver(subscriber *self, frame *message);

ws_socket *ws_socket_create(websocket *ws, struct lws *wsi) {
  ws_socket *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->ws = ws;
  s->wsi = wsi;
  s->fd = lws_get_socket_fd(wsi);
  s->refs = 1;
  if (!ws_watch(s)) {
    free(s);
    return NULL;
  }
  s->subscriber.deliver = deliver;
  buffer_init(&s->partial, WIRE_MAX_MESSAGE_BYTES);
  s->next = ws->sockets;
  if (s->next) s->next->prev = s;
  ws->sockets = s;
  arm(s, WS_WAIT_AUTH);
  return s;
}

void ws_socket_unref(ws_socket *s) {
  if (--s->refs == 0) free(s);
}

static void stand(ws_socket *s) {
  if (s->seat) presence_stand(s->ws->config.presence, s->seat, s->vanished);
  s->seat = NULL;
}

/* The seat is kept while a beat is in flight: were the session shortened now, that
 * beat could reach the store later and make it live for a whole TTL again. */
void ws_socket_leave(ws_socket *s, bool vanished) {
  s->closing = true;
  deadline_cancel(&s->timer);
  deadline_cancel(&s->stall);
  broadcast_unsubscribe(s->ws->config.broadcast, &s->subscriber);
  s->vanished = vanished;
  if (!s->authing && !s->renewing) stand(s);
  while (s->reply_count > 0) frame_unref(s->replies[--s->reply_count]);
  frame_unref(s->update);
  s->update = NULL;
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

/* Made by hand (RFC 6455, 5.5.1): when a callback asks libwebsockets 4.1 as Debian
 * builds it to close, it does so twice in a row, and the second time cuts the
 * connection before its close frame is out. LWS_WRITE_HTTP writes bytes as they are. */
static void send_close(ws_socket *s) {
  unsigned char bytes[LWS_PRE + 4] = {0}, *at = bytes + LWS_PRE;
  at[0] = 0x88; /* FIN and opcode 8 */
  at[1] = 2;
  at[2] = (unsigned char)(s->close_code >> 8);
  at[3] = (unsigned char)s->close_code;
  s->close_sent = true;
  if (lws_write(s->wsi, at, 4, LWS_WRITE_HTTP) < 0)
    ws_socket_kill(s);
  else if (lws_partial_buffered(s->wsi))
    ws_wait_for_room(s);
}

void ws_socket_close(ws_socket *s, uint16_t code) {
  if (s->closing) return;
  ws_socket_leave(s, false);
  s->close_code = code;
  arm(s, WS_WAIT_CLOSE);
  if (lws_partial_buffered(s->wsi))
    ws_wait_for_room(s);
  else
    send_close(s);
}

/* ---- sending ------------------------------------------------------------- */

/* libwebsockets keeps what the kernel did not take; only then must we wait. */
static bool can_write(const ws_socket *s) {
  return s->reply_count == 0 && !s->update && !s->wants_room;
}

/* A text frame (RFC 6455, 5.2), header in the room before the text. */
static au_slice with_header(frame *message) {
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
  at[0] = (char)0x81; /* FIN and opcode 1 */
  return (au_slice){at, (size_t)(text - at) + message->len};
}

/* Straight to the kernel, a tenth cheaper than by way of libwebsockets, which is given
 * only what the kernel did not take. */
static void write_frame(ws_socket *s, frame *message) {
  au_slice bytes = with_header(message);
  s->ws->config.counters->ws_messages_out++;
  ssize_t sent = send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == (ssize_t)bytes.len) return;
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) sent = 0;
  if (sent >= 0 && lws_write(s->wsi, (unsigned char *)bytes.ptr + sent, bytes.len - (size_t)sent,
                             LWS_WRITE_HTTP) >= 0) {
    ws_wait_for_room(s);
    return;
  }
  ws_socket_leave(s, true); /* the connection is gone */
  ws_socket_kill(s);
}

static void wait_for_reader(ws_socket *s) {
  if (!deadline_armed(&s->stall))
    expiry_arm(&s->ws->expiry, &s->ws->waits[WS_WAIT_STALL], &s->stall);
  ws_wait_for_room(s);
}

void ws_socket_close_slow(ws_socket *s) {
  s->ws->config.counters->ws_slow_closed++;
  ws_socket_close(s, LWS_CLOSE_STATUS_POLICY_VIOLATION);
}

/* Sends a reply now or keeps it; takes the caller's reference. */
static void reply(ws_socket *s, frame *message) {
  if (message && !s->closing) {
    if (can_write(s)) {
      write_frame(s, message);
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
    write_frame(s, message);
    return;
  }
  frame_unref(s->update);
  s->update = frame_ref(message);
  wait_for_reader(s);
}

void ws_socket_writable(ws_socket *s) {
  if (s->close_code && !s->close_sent) send_close(s);
  while (!s->closing && !lws_partial_buffered(s->wsi)) {
    frame *message = s->update;
    if (s->reply_count > 0) {
      message = s->replies[0];
      s->reply_count--;
      for (unsigned i = 0; i < s->reply_count; i++) s->replies[i] = s->replies[i + 1];
    } else {
      s->update = NULL;
    }
    if (!message) {
      deadline_cancel(&s->stall);
      return;
    }
    write_frame(s, message);
    frame_unref(message);
  }
  if (!s->closing) ws_wait_for_room(s);
}

bool ws_socket_has_unsent(const ws_socket *s) {
  return s->reply_count > 0 || s->update || (s->close_code && !s->close_sent) ||
         deadline_armed(&s->stall) || lws_partial_buffered(s->wsi);
}

void ws_socket_ping(ws_socket *s) {
  /* Not empty: libwebsockets 4.1 swallows the answer to an empty ping. */
  unsigned char bytes[LWS_PRE + 2] = {0};
  bytes[LWS_PRE] = 'a';
  bytes[LWS_PRE + 1] = 'u';
  /* Behind unsent output it would not arrive anyway; then silence decides. */
  if (can_write(s) && lws_write(s->wsi, bytes + LWS_PRE, 2, LWS_WRITE_PING) < 0) {
    ws_socket_leave(s, true);
    ws_socket_kill(s);
    return;
  }
  if (lws_partial_buffered(s->wsi)) ws_wait_for_room(s);
  arm(s, WS_WAIT_PONG);
}

/* ---- messages ------------------------------------------------------------ */

static void complain(ws_socket *s, const char *message) {
  reply(s, wire_frame_error(message));
  if (++s->errors >= WS_MAX_ERRORS) ws_socket_close(s, LWS_CLOSE_STATUS_POLICY_VIOLATION);
}

/* Not the peer's fault: it may try again later (RFC 6455 registry, 1013). */
static void turn_away(ws_socket *s, au_status status) {
  s->ws->config.counters->presence_failed++;
  reply(s, wire_frame_error(au_status_text(status)));
  ws_socket_close(s, 1013);
}

static void on_first_sample(au_status status, const au_sample *sample, void *arg) {
  ws_socket *s = arg;
  /* What was published since is newer. */
  bool overtaken = !s->closing && broadcast_heard(&s->subscriber);
  if (status == AU_OK && !s->closing && !overtaken) {
    au_metrics metrics =
        metrics_of(s->ws->config.clock, broadcast_customer(&s->subscriber), sample);
    reply(s, wire_frame_update(&metrics));
  }
  ws_socket_unref(s);
}

/* Auth is done: hello, then the metrics at once, then whatever changes. */
static void welcome(ws_socket *s, au_slice customer_id, au_slice session_id) {
  websocket_config *config = &s->ws->config;
  s->authed = true;
  au_status status = broadcast_subscribe(config->broadcast, customer_id, &s->subscriber);
  if (status != AU_OK) {
    turn_away(s, status);
    return;
  }
  arm(s, WS_WAIT_IDLE);
  reply(s, wire_frame_hello(clock_wall_ms(config->clock), session_id));
  if (s->closing) return;
  s->refs++;
  status =
      presence_sample(config->presence, broadcast_customer(&s->subscriber), on_first_sample, s);
  if (status == AU_OK)
    broadcast_inform(&s->subscriber);
  else
    s->refs--; /* the next change or tick tells it */
}

static void on_auth_done(au_status status, void *arg) {
  ws_socket *s = arg;
  s->authing = false;
  if (status == AU_OK) s->ws->config.counters->beats++;
  if (s->closing) {
    stand(s); /* gone meanwhile */
  } else if (status != AU_OK) {
    turn_away(s, status);
  } else {
    au_beat beat = presence_seat_beat(s->seat);
    welcome(s, beat.customer_id, beat.session_id);
  }
  ws_socket_unref(s);
}

static void handle_auth(ws_socket *s, const au_beat *who) {
  if (s->authing || s->authed) {
    complain(s, "already authenticated");
    return;
  }
  deadline_cancel(&s->timer);
  if (who->session_id.len == 0) {
    welcome(s, who->customer_id, who->session_id);
    return;
  }
  presence *p = s->ws->config.presence;
  au_status status = presence_sit(p, who, &s->seat);
  if (status == AU_OK) {
    s->authing = true;
    s->refs++;
    status = presence_beat(p, who, on_auth_done, s);
    if (status == AU_OK) return;
    s->authing = false;
    s->refs--; /* never the last one */
  }
  turn_away(s, status);
}

static void count_renewal(ws_socket *s, au_status status) {
  s->renewing = false;
  if (status == AU_OK)
    s->ws->config.counters->beats++;
  else
    s->ws->config.counters->presence_failed++;
}

static void on_renewed(au_status status, void *arg) {
  ws_socket *s = arg;
  count_renewal(s, status);
  if (s->closing) stand(s);
  ws_socket_unref(s);
}

/* Every ping of a tab is a beat; one that comes while the last is being stored is
 * that one. */
static void handle_ping(ws_socket *s, const wire_message *message) {
  reply(s, wire_frame_pong(message->has_timestamp ? message->timestamp
                                                  : (double)clock_wall_ms(s->ws->config.clock)));
  if (s->closing || !s->authed || !s->seat || s->renewing) return;
  au_beat beat = presence_seat_beat(s->seat);
  s->renewing = true;
  s->refs++;
  au_status status = presence_beat(s->ws->config.presence, &beat, on_renewed, s);
  if (status == AU_OK) return;
  s->refs--;
  count_renewal(s, status);
}

static void handle_message(ws_socket *s, au_slice text) {
  wire_message message;
  wire_error error;
  s->ws->config.counters->ws_messages_in++;
  if (!wire_scan_utf8(text)) {
    ws_socket_close(s, LWS_CLOSE_STATUS_INVALID_PAYLOAD);
    return;
  }
  if (s->authed) arm(s, WS_WAIT_IDLE);
  au_status status = wire_parse_message(text, &message, &error);
  if (status == AU_EINVAL)
    complain(s, error.message);
  else if (status != AU_OK)
    complain(s, au_status_text(status));
  else if (message.kind == WIRE_AUTH)
    handle_auth(s, &message.who.beat);
  else
    handle_ping(s, &message);
}

void ws_socket_receive(ws_socket *s, au_slice piece) {
  if (s->closing) return;
  if (lws_frame_is_binary(s->wsi)) {
    ws_socket_close(s, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE);
    return;
  }
  bool final = lws_is_final_fragment(s->wsi);
  if (s->partial.len + piece.len > WIRE_MAX_MESSAGE_BYTES) {
    ws_socket_close(s, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
    return;
  }
  if (final && s->partial.len == 0) {
    handle_message(s, piece);
    return;
  }
  buffer_append_slice(&s->partial, piece);
  if (s->partial.failed) {
    ws_socket_close(s, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION);
    return;
  }
  if (!final) return;
  /* Moved out, since the message may close the socket, which frees it. */
  buffer whole = s->partial;
  buffer_init(&s->partial, WIRE_MAX_MESSAGE_BYTES);
  handle_message(s, buffer_slice(&whole));
  buffer_free(&whole);
}

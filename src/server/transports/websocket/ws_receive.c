/* From bytes to frames and messages, one small read a turn. Judges every byte itself:
 * libwebsockets 4 hides the mask bit, lets lengths pass that are not minimal, shows a frame
 * that is too large only after some of its payload, and rewrites close codes that were
 * registered after the RFC. Knows nothing of what a message asks for. */
#include "ws_private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void unmask(char *bytes, size_t len, const uint8_t mask[4], size_t offset) {
  for (size_t i = 0; i < len; i++) bytes[i] ^= (char)mask[(offset + i) & 3];
}

/* A close frame: answered with one, after which the connection ends (RFC 6455, 5.5.1); when it
 * answers ours, there is nothing more to wait for. */
static bool on_close_frame(ws_socket *s, au_slice payload) {
  if (s->close_sent) return false;
  ws_socket_answer_close(s, ws_close_judge(payload));
  return true;
}

/* A whole control frame. False when the connection is over. */
static bool on_control_frame(ws_socket *s, au_slice payload) {
  if (s->in.frame.opcode == WS_CLOSE) return on_close_frame(s, payload);
  if (s->closing) return true;
  if (s->in.frame.opcode == WS_PING)
    ws_socket_ping_received(s, payload);
  else
    ws_socket_pong_received(s);
  return true;
}

static void keep(ws_socket *s, buffer *kept, au_slice piece) {
  buffer_append_slice(kept, piece);
  if (kept->failed) ws_socket_close(s, WS_CODE_INTERNAL);
}

/* The last piece of a control frame, or a piece before it. */
static bool on_control_piece(ws_socket *s, au_slice piece, bool whole) {
  if (whole && s->in.control.len == 0) return on_control_frame(s, piece);
  keep(s, &s->in.control, piece);
  if (!whole) return true;
  bool on = on_control_frame(s, buffer_slice(&s->in.control));
  buffer_free(&s->in.control);
  return on;
}

static void on_data_piece(ws_socket *s, au_slice piece, bool whole) {
  if (s->closing) return;
  if (!whole || !s->in.frame.fin) {
    keep(s, &s->partial, piece);
    if (whole && s->in.frame.payload_bytes == 0) ws_socket_empty_fragment(s);
    return;
  }
  if (s->partial.len == 0) {
    ws_socket_message(s, piece);
    return;
  }
  keep(s, &s->partial, piece);
  if (s->closing) return;
  /* Moved out, since the message may close the socket, which frees it. */
  buffer message = s->partial;
  buffer_init(&s->partial, WIRE_MAX_MESSAGE_BYTES);
  ws_socket_message(s, buffer_slice(&message));
  buffer_free(&message);
}

/* Takes what there is of a head. Returns how many bytes it used. */
static size_t take_head(ws_socket *s, const char *bytes, size_t len) {
  ws_input *in = &s->in;
  size_t had = in->head_len, used = sizeof in->head - had;
  if (used > len) used = len;
  memcpy(in->head + had, bytes, used);
  uint16_t fault =
      ws_frame_judge(&in->message, WIRE_MAX_MESSAGE_BYTES, in->head, had + used, &in->frame);
  if (fault) {
    if (s->closing)
      s->draining = true; /* it has its close frame already */
    else
      ws_socket_close(s, fault);
    return len;
  }
  in->head_len = (uint8_t)(had + used);
  if (in->frame.head_bytes == 0) return used;
  in->message = ws_message_after(&in->message, &in->frame);
  in->head_len = 0;
  in->in_payload = true;
  in->taken = 0;
  return in->frame.head_bytes - had;
}

/* Takes what there is of a payload; `*on` turns false when the connection is over. */
static size_t take_payload(ws_socket *s, char *bytes, size_t len, bool *on) {
  ws_input *in = &s->in;
  size_t used = in->frame.payload_bytes - in->taken;
  if (used > len) used = len;
  unmask(bytes, used, in->frame.mask, in->taken);
  in->taken += (uint32_t)used;
  bool whole = in->taken == in->frame.payload_bytes;
  if (whole) in->in_payload = false;
  au_slice piece = {bytes, used};
  if (in->frame.opcode >= WS_CLOSE)
    *on = on_control_piece(s, piece, whole);
  else
    on_data_piece(s, piece, whole);
  return used;
}

/* A payload of no bytes is taken as soon as its head is. */
static bool take(ws_socket *s, char *bytes, size_t len) {
  bool on = true;
  while (on && !s->draining && (len > 0 || s->in.in_payload)) {
    if (s->in.in_payload && s->in.frame.payload_bytes > s->in.taken && len == 0) break;
    size_t used = s->in.in_payload ? take_payload(s, bytes, len, &on) : take_head(s, bytes, len);
    bytes += used;
    len -= used;
  }
  return on;
}

void ws_receive_early(ws_socket *s, au_slice early) {
  if (early.len > WS_MAX_EARLY_BYTES) {
    ws_socket_close_for(s, WS_CODE_POLICY, "too much came before the handshake was answered");
    return;
  }
  keep(s, &s->in.early, early);
  if (!s->closing) poller_again(s->ws->config.poller, &s->io);
}

bool ws_receive_has_early(const ws_socket *s) {
  return s->in.early.len > 0 && !s->draining;
}

/* A turn's worth of what came behind the handshake. */
static bool receive_early(ws_socket *s) {
  buffer *early = &s->in.early;
  size_t len = early->len < WS_READ_BYTES ? early->len : WS_READ_BYTES;
  memcpy(s->ws->rx, early->ptr, len);
  buffer_consume(early, len);
  if (early->len == 0) buffer_free(early);
  return take(s, s->ws->rx, len);
}

bool ws_receive(ws_socket *s) {
  if (ws_receive_has_early(s)) return receive_early(s);
  /* Closing with unread input would reset the connection, and could take our close frame back
   * from the peer's kernel: what still comes is read and dropped. */
  size_t want = s->draining ? sizeof s->ws->rx : WS_READ_BYTES;
  ssize_t len = recv(s->fd, s->ws->rx, want, MSG_DONTWAIT);
  if (len > 0) s->ws->config.counters->ws_bytes_in += (uint64_t)len;
  if (len > 0) return s->draining || take(s, s->ws->rx, (size_t)len);
  return len < 0 && (errno == EAGAIN || errno == EINTR);
}

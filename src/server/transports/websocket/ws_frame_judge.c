/* The rules of RFC 6455 for the head of a frame and for a close frame. */
#include "ws_frame_judge.h"

#include "wire/scan.h"

#include <string.h>

/* The first byte: FIN, three reserved bits, the opcode (RFC 6455, 5.2, 5.4 and 5.5). */
static bool first_byte_allowed(const ws_message_state *message, uint8_t byte) {
  uint8_t opcode = byte & 0x0f;
  bool fin = byte & 0x80, reserved = byte & 0x70;
  if (reserved) return false;
  switch (opcode) {
  case WS_CONTINUATION: return message->open;
  case WS_TEXT:
  case WS_BINARY: return !message->open;
  case WS_CLOSE:
  case WS_PING:
  case WS_PONG: return fin;
  default: return false;
  }
}

static uint64_t big_endian(const uint8_t *bytes, size_t len) {
  uint64_t value = 0;
  for (size_t i = 0; i < len; i++) value = value << 8 | bytes[i];
  return value;
}

uint16_t ws_frame_judge(const ws_message_state *message, uint32_t max_bytes, const uint8_t *bytes,
                        size_t len, ws_frame *frame) {
  frame->head_bytes = 0;
  if (len == 0) return 0;
  if (!first_byte_allowed(message, bytes[0])) return WS_CODE_PROTOCOL_ERROR;
  frame->opcode = bytes[0] & 0x0f;
  frame->fin = bytes[0] & 0x80;
  if (len == 1) return 0;

  bool control = frame->opcode >= WS_CLOSE, masked = bytes[1] & 0x80;
  uint64_t announced = bytes[1] & 0x7f;
  if (!masked) return WS_CODE_PROTOCOL_ERROR; /* RFC 6455, 5.1 */
  if (control && announced > WS_MAX_CONTROL_BYTES) return WS_CODE_PROTOCOL_ERROR;
  if (frame->opcode == WS_BINARY) return WS_CODE_UNSUPPORTED;

  /* A length takes as few bytes as it can, and has no sign bit. */
  size_t more = announced == 126 ? 2 : announced == 127 ? 8 : 0;
  if (len < 2 + more) return 0;
  if (more > 0) announced = big_endian(bytes + 2, more);
  if ((more == 2 && announced < 126) || (more == 8 && announced <= UINT16_MAX) ||
      announced > INT64_MAX)
    return WS_CODE_PROTOCOL_ERROR;
  if (!control && (message->bytes > max_bytes || announced > max_bytes - message->bytes))
    return WS_CODE_TOO_LARGE;

  if (len < 2 + more + sizeof frame->mask) return 0;
  frame->payload_bytes = (uint32_t)announced;
  memcpy(frame->mask, bytes + 2 + more, sizeof frame->mask);
  frame->head_bytes = (uint8_t)(2 + more + sizeof frame->mask);
  return 0;
}

ws_message_state ws_message_after(const ws_message_state *message, const ws_frame *frame) {
  if (frame->opcode >= WS_CLOSE) return *message;
  if (frame->fin) return (ws_message_state){false, 0};
  return (ws_message_state){true, message->bytes + frame->payload_bytes};
}

/* RFC 6455, 7.4, and the IANA registry: 1012 to 1014 came later. */
static bool code_may_be_sent(unsigned code) {
  if (code >= 3000 && code <= 4999) return true;
  if (code < 1000 || code > 1014) return false;
  return code != 1004 && code != 1005 && code != 1006;
}

uint16_t ws_close_judge(au_slice payload) {
  if (payload.len == 0) return WS_CODE_NONE;
  if (payload.len == 1) return WS_CODE_PROTOCOL_ERROR;
  uint16_t code = (uint16_t)big_endian((const uint8_t *)payload.ptr, 2);
  if (!code_may_be_sent(code)) return WS_CODE_PROTOCOL_ERROR;
  if (!wire_scan_utf8((au_slice){payload.ptr + 2, payload.len - 2})) return WS_CODE_INVALID_TEXT;
  return code;
}

/* WebSocket frames as a client sees them (RFC 6455, section 5). Knows no sockets. */
#ifndef LOAD_WS_FRAME_H
#define LOAD_WS_FRAME_H

#include "utils/buffer.h"

enum {
  WS_TEXT = 1,
  WS_CLOSE = 8,
  WS_PING = 9,
  WS_PONG = 10,
  WS_KEPT_BYTES = 125, /* of a payload: a whole control frame, the beginning of a text */
  WS_MAX_PAYLOAD_BYTES = 1 << 20,
};

typedef struct ws_reader {
  uint8_t head[10];
  uint8_t head_len;
  uint8_t opcode;
  uint8_t kept_len;
  uint8_t kept[WS_KEPT_BYTES];
  uint32_t left; /* bytes of the payload still to come */
  bool in_payload;
} ws_reader;

typedef enum ws_result {
  WS_MORE,  /* everything was taken, no frame is whole yet */
  WS_FRAME, /* opcode, kept and kept_len describe it until the next call */
  WS_BAD,   /* masked, too long, or a reserved bit */
} ws_result;

/* Reads up to the end of one frame; `*bytes` moves behind what was taken. */
ws_result ws_reader_next(ws_reader *r, au_slice *bytes);

/* The text with which every frame of `type` begins: whether the last frame does. */
bool ws_reader_is(const ws_reader *r, const char *prefix);

/* Appends a masked frame of at most 65,535 bytes. The mask is zero: it guards proxies against
 * scripts, and neither is here. */
void ws_append(buffer *out, unsigned opcode, au_slice payload);

#endif

/* What RFC 6455 says about bytes that a client sent: is this the head of a frame that may
 * come here, and how is a close frame answered. Pure: reads no socket and keeps nothing. */
#ifndef TRANSPORTS_WS_FRAME_JUDGE_H
#define TRANSPORTS_WS_FRAME_JUDGE_H

#include <active_users/types.h>

#include "wire/close_codes.h"

enum {
  WS_MAX_HEAD_BYTES = 14, /* two bytes, eight of length, four of mask */
  WS_MAX_CONTROL_BYTES = 125,
};

typedef enum ws_opcode {
  WS_CONTINUATION = 0,
  WS_TEXT = 1,
  WS_BINARY = 2,
  WS_CLOSE = 8,
  WS_PING = 9,
  WS_PONG = 10,
} ws_opcode;

/* The message that the frames so far have begun and not ended. */
typedef struct ws_message_state {
  bool open;
  uint32_t bytes; /* announced by its frames */
} ws_message_state;

typedef struct ws_frame {
  ws_opcode opcode;
  bool fin;
  uint8_t head_bytes;     /* 0: the head is not whole yet */
  uint32_t payload_bytes; /* at most max_bytes, as given to ws_frame_judge */
  uint8_t mask[4];
} ws_frame;

/* Judges `len` bytes that stand at the beginning of a frame, as early as they allow it: a
 * frame that announces too much is refused before its mask has come.
 *
 * max_bytes  of a message, all its frames together.
 *
 * Returns 0: nothing is wrong so far, and *frame is filled when its head_bytes is not 0.
 * Else the code to close the connection with. */
uint16_t ws_frame_judge(const ws_message_state *message, uint32_t max_bytes, const uint8_t *bytes,
                        size_t len, ws_frame *frame);

/* The message that is open behind a frame. */
ws_message_state ws_message_after(const ws_message_state *message, const ws_frame *frame);

/* The code that answers a close frame with this unmasked payload: its own when that is one
 * that a client may send, WS_CODE_NONE when there is none, else that of the fault. */
uint16_t ws_close_judge(au_slice payload);

#endif

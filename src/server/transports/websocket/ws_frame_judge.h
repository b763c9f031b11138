/* What RFC 6455 says about bytes that a client sent: is this the head of a frame that may
 * come here, and how is a close frame answered. Pure: reads no socket and keeps nothing. */
#ifndef TRANSPORTS_WS_FRAME_JUDGE_H
#define TRANSPORTS_WS_FRAME_JUDGE_H

#include <active_users/types.h>

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

/* Status codes of a close frame (RFC 6455, 7.4.1). */
enum {
  WS_CODE_GOING_AWAY = 1001, /* from a client: its page went */
  WS_CODE_PAGE_GONE = 4001,  /* the same by a script, which a browser does not let say 1001 */
  WS_CODE_PROTOCOL_ERROR = 1002,
  WS_CODE_UNSUPPORTED = 1003,
  WS_CODE_NONE = 1005, /* never sent: a close frame without a code */
  WS_CODE_INVALID_TEXT = 1007,
  WS_CODE_POLICY = 1008,
  WS_CODE_TOO_LARGE = 1009,
  WS_CODE_INTERNAL = 1011,
  WS_CODE_TRY_AGAIN_LATER = 1013,
  WS_CODE_UNAUTHORIZED = 4401, /* ours, after HTTP's 401 and 403 */
  WS_CODE_FORBIDDEN = 4403,
};

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

/* What a close frame with this code says, for the log of a browser; "" where the code is all there
 * is to say. At most WS_MAX_CONTROL_BYTES - 2 bytes. */
const char *ws_code_reason(uint16_t code);

/* Whether closing with this code says that the client did something wrong. */
bool ws_code_is_fault(uint16_t code);

#endif

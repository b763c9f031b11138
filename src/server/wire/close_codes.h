/* Status codes of a WebSocket's close frame (RFC 6455, 7.4.1). The table below has each that the
 * daemon chooses; docs/reference/close-codes.md is checked against it. A client's own code is
 * answered with the same one. */
#ifndef WIRE_CLOSE_CODES_H
#define WIRE_CLOSE_CODES_H

#include <stdbool.h>
#include <stdint.h>

/* X(name, number, whether it says that the client did something wrong, what its frame says where
 * the closing itself says nothing better; at most WS_MAX_CONTROL_BYTES - 2 bytes) */
#define WS_CODE_TABLE(X)                                                    \
  X(GOING_AWAY, 1001, false, "the server stops, come back")                 \
  X(PROTOCOL_ERROR, 1002, true, "a frame breaks RFC 6455")                  \
  X(UNSUPPORTED, 1003, true, "only text messages are taken")                \
  X(INVALID_TEXT, 1007, true, "a text is not UTF-8")                        \
  X(POLICY, 1008, true, "this client may not go on")                        \
  X(TOO_LARGE, 1009, true, "a message is longer than 4096 bytes")           \
  X(INTERNAL, 1011, false, "out of memory")                                 \
  X(TRY_AGAIN_LATER, 1013, false, "no room at the moment, come back later") \
  /* Ours, after HTTP's 401 and 403. */                                     \
  X(UNAUTHORIZED, 4401, false, "the token is missing, bad or over")         \
  X(FORBIDDEN, 4403, false, "the token is for something else")

enum {
#define X(name, number, is_fault, reason) WS_CODE_##name = (number),
  WS_CODE_TABLE(X)
#undef X
};

/* Codes that only clients send. */
enum {
  WS_CODE_NONE = 1005,      /* never on the wire: a close frame without a code */
  WS_CODE_PAGE_GONE = 4001, /* 1001 by a script, which a browser does not let say so */
};

/* What a close frame with this code says, for the log of a browser; "" where the code is all there
 * is to say. */
const char *ws_code_reason(uint16_t code);

/* Whether closing with this code says that the client did something wrong. */
bool ws_code_is_fault(uint16_t code);

#endif

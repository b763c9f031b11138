/* Whether a request is a WebSocket handshake. */
#include "handshake.h"

#include <string.h>

static bool has_token(au_slice list, const char *token) {
  au_slice part;
  while (slice_next(&list, ',', &part))
    if (slice_eq_nocase(slice_trim(part), slice_of(token))) return true;
  return false;
}

/* 16 random bytes in base64 (RFC 6455, 4.1). */
static bool valid_key(au_slice key) {
  if (key.len != HANDSHAKE_KEY_BYTES || memcmp(key.ptr + 22, "==", 2) != 0) return false;
  for (size_t i = 0; i < 22; i++) {
    char c = key.ptr[i];
    bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/';
    if (!ok) return false;
  }
  return true;
}

int handshake_check(const http_request *request, const char **message) {
  const au_slice *headers = request->headers;
  if (!has_token(headers[HTTP_H_UPGRADE], "websocket") ||
      !has_token(headers[HTTP_H_CONNECTION], "upgrade")) {
    *message = "this path speaks WebSocket";
    return 426;
  }
  if (!slice_eq(headers[HTTP_H_WS_VERSION], slice_of("13"))) {
    *message = "only WebSocket version 13 is spoken here";
    return 426;
  }
  if (request->method != HTTP_IS_GET || request->minor < 1 || request->body.len > 0 ||
      request->repeated_ws_header || !valid_key(headers[HTTP_H_WS_KEY])) {
    *message = "malformed WebSocket handshake";
    return 400;
  }
  return 0;
}

/* Reads a server's frames and writes a client's. Keeps only the beginning of a payload. */
#include "ws_frame.h"

#include <string.h>

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASK = 0x80, LENGTH = 0x7f };

/* Bytes of the head as far as it is known: the second one says whether a length follows. */
static size_t head_size(const ws_reader *r) {
  if (r->head_len < 2) return 2;
  unsigned length = r->head[1] & LENGTH;
  return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static bool read_head(ws_reader *r) {
  uint64_t length = r->head[1] & LENGTH;
  size_t size = head_size(r);
  if (size > 2) length = 0;
  for (size_t i = 2; i < size; i++) length = length << 8 | r->head[i];
  r->opcode = r->head[0] & OPCODE;
  r->left = (uint32_t)length;
  r->kept_len = 0;
  r->in_payload = true;
  r->head_len = 0;
  return !(r->head[0] & RESERVED) && !(r->head[1] & MASK) && length <= WS_MAX_PAYLOAD_BYTES;
}

static void take_payload(ws_reader *r, au_slice *bytes) {
  size_t here = bytes->len < r->left ? bytes->len : r->left;
  size_t room = sizeof r->kept - r->kept_len, keep = here < room ? here : room;
  if (keep > 0) memcpy(r->kept + r->kept_len, bytes->ptr, keep);
  r->kept_len = (uint8_t)(r->kept_len + keep);
  r->left -= (uint32_t)here;
  *bytes = (au_slice){bytes->ptr + here, bytes->len - here};
}

ws_result ws_reader_next(ws_reader *r, au_slice *bytes) {
  while (!r->in_payload) {
    if (bytes->len == 0) return WS_MORE;
    r->head[r->head_len++] = (uint8_t)*bytes->ptr;
    *bytes = (au_slice){bytes->ptr + 1, bytes->len - 1};
    if (r->head_len == head_size(r) && !read_head(r)) return WS_BAD;
  }
  take_payload(r, bytes);
  if (r->left > 0) return WS_MORE;
  r->in_payload = false;
  return WS_FRAME;
}

bool ws_reader_is(const ws_reader *r, const char *prefix) {
  size_t len = strlen(prefix);
  return r->kept_len >= len && memcmp(r->kept, prefix, len) == 0;
}

void ws_append(buffer *out, unsigned opcode, au_slice payload) {
  uint8_t head[8] = {(uint8_t)(FIN | opcode)};
  size_t size = 2;
  if (payload.len < 126) {
    head[1] = (uint8_t)(MASK | payload.len);
  } else {
    head[1] = MASK | 126;
    head[2] = (uint8_t)(payload.len >> 8);
    head[3] = (uint8_t)payload.len;
    size = 4;
  }
  buffer_append(out, head, size + 4); /* and four bytes of mask */
  buffer_append_slice(out, payload);
}

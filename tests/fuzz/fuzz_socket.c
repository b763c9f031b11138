/* A socket after its handshake. The first byte says how the stream is cut, the second what the
 * rest is: 0: bytes of frames; 1: the same, behind the handshake in one segment; else lines, each
 * of them one text message. Whatever comes, the server sends well-formed frames. */
#include "client.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char handshake[] = "GET /ws/active-users HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void send_lines(client *c, uint8_t how, const fuzz_input *in) {
  char *text = fuzz_text(in), *rest = text, *line;
  while ((line = fuzz_cut(&rest, '\n'))) {
    size_t len = strlen(line);
    if (len > 4096) len = 4096;
    char frame[8 + 4096];
    size_t head = 0;
    frame[head++] = (char)0x81;
    frame[head++] = (char)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
      frame[head++] = (char)(len >> 8);
      frame[head++] = (char)len;
    }
    memset(frame + head, 0, 4); /* a mask of zeros */
    head += 4;
    memcpy(frame + head, line, len);
    client_send(c, how, frame, head + len);
  }
  free(text);
}

/* Frames of a server: whole, unmasked, without extensions. A partial one at the end is none. */
static void check_frames(const char *bytes, size_t len) {
  static const char json[] = "{\"type\":\"";
  while (len >= 2) {
    unsigned first = (unsigned char)bytes[0], size = (unsigned char)bytes[1];
    unsigned opcode = first & 0x0f;
    size_t head = 2, payload = size;
    must((first & 0xf0) == 0x80 && size < 127);
    must(opcode == 1 || opcode == 8 || opcode == 9 || opcode == 10);
    if (size == 126) {
      if (len < 4) return;
      head = 4;
      payload = (size_t)(unsigned char)bytes[2] << 8 | (unsigned char)bytes[3];
      must(opcode == 1);
    }
    if (len < head + payload) return;
    if (opcode == 1)
      must(payload > sizeof json && memcmp(bytes + head, json, sizeof json - 1) == 0);
    if (opcode == 8) return; /* the last one */
    bytes += head + payload;
    len -= head + payload;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static client c;
  fuzz_input in = {data, size};
  uint8_t how = fuzz_byte(&in), mode = fuzz_byte(&in);
  client_open(&c, false);
  if (mode == 1) {
    size_t len = sizeof handshake - 1 + in.left;
    char *both = malloc(len);
    must(both != NULL);
    memcpy(both, handshake, sizeof handshake - 1);
    memcpy(both + sizeof handshake - 1, in.at, in.left);
    client_send(&c, 0, both, len);
    free(both);
  } else {
    client_send(&c, 0, handshake, sizeof handshake - 1);
    if (mode == 0)
      client_send(&c, how, in.at, in.left);
    else
      send_lines(&c, how, &in);
  }
  const char *end = memmem(c.heard, c.heard_len, "\r\n\r\n", 4);
  if (end && memcmp(c.heard, "HTTP/1.1 101", 12) == 0)
    check_frames(end + 4, c.heard_len - (size_t)(end + 4 - c.heard));
  client_close(&c);
  return 0;
}

/* Strictness in front of llhttp: 8.1 lets a bare CR end a header (CVE-2023-30589),
 * joins folded lines, and no version of it refuses foreign protocols. Must not
 * know what a request means. */
#include "http_head.h"

#include "http_conn.h"

#include <string.h>

static size_t refuse(http_head_check *check, int status, const char *message) {
  check->status = status;
  check->message = message;
  return 0;
}

/* METHOD SP target SP HTTP/d.d, nothing more; `len` is without the CRLF. */
static void check_request_line(http_head_check *check, const char *line, size_t len) {
  const char *end = line + len;
  const char *target = memchr(line, ' ', len);
  const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
  if (!version || target == line || version == target + 1) {
    refuse(check, 400, "malformed request line");
    return;
  }
  for (const char *c = line; c < version; c++) {
    if (c != target && (*c <= 0x20 || *c >= 0x7f)) {
      refuse(check, 400, "malformed request line");
      return;
    }
  }
  version++;
  if (end - version != 8 || memcmp(version, "HTTP/", 5) != 0 || version[5] < '0' ||
      version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9') {
    refuse(check, 400, "malformed request line");
    return;
  }
  if (version[5] != '1' || version[7] > '1') {
    refuse(check, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    return;
  }
  if ((size_t)(version - 1 - (target + 1)) > HTTP_MAX_TARGET_BYTES)
    refuse(check, 414, "request target is too long");
}

/* Over bytes that need no look, eight at a time: none of them is CR or below. */
static size_t skip_plain(const char *bytes, size_t i, size_t len) {
  const uint64_t each = 0x0101010101010101, high = each * 0x80;
  for (uint64_t word; len - i >= sizeof word; i += sizeof word) {
    memcpy(&word, bytes + i, sizeof word);
    if ((word - each * ('\r' + 1)) & ~word & high) break;
  }
  return i;
}

/* Beyond the limit nothing is looked at, so that a head in one piece is refused for the same fault
 * as in several. */
size_t http_head_scan(http_head_check *check, const char *bytes, size_t len) {
  size_t i = check->scanned, end = len < check->max_bytes ? len : check->max_bytes;
  for (; i < end; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c > '\r') {
      i = skip_plain(bytes, i + 1, end) - 1;
      continue;
    }
    if (c == '\0') return refuse(check, 400, "NUL in the request head");
    if (c == '\n') return refuse(check, 400, "a line must end with CRLF");
    if (c != '\r') continue;

    /* What follows a CR decides; without it, come back to the CR. */
    if (i + 1 == end) break;
    if (bytes[i + 1] != '\n') return refuse(check, 400, "a line must end with CRLF");
    if (i + 2 == end) break;
    char next = bytes[i + 2];
    if (next == ' ' || next == '\t') return refuse(check, 400, "folded header lines are refused");
    if (!memchr(bytes, '\n', i)) { /* this CR ends the first line */
      check_request_line(check, bytes, i);
      if (check->status) return 0;
    }
    if (next == ':') return refuse(check, 400, "a header needs a name");
    if (next == '\r') {
      if (i + 3 == end) break;
      if (bytes[i + 3] != '\n') return refuse(check, 400, "a line must end with CRLF");
      return i + 4;
    }
    i++; /* over the LF */
  }
  check->scanned = i;

  if (len > HTTP_MAX_TARGET_BYTES + 32 && !memchr(bytes, '\n', i))
    return refuse(check, 414, "request target is too long");
  if (len > check->max_bytes) return refuse(check, 431, "request head is too large");
  return 0;
}

const char *http_reason(int status) {
  static const struct {
    int status;
    const char *reason;
  } reasons[] = {
      {200, "OK"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {426, "Upgrade Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"},
  };
  for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
    if (reasons[i].status == status) return reasons[i].reason;
  return "";
}

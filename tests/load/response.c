/* A reader of HTTP/1.1 answers, as small as a load generator can use: what it measures must
 * be the server. Opens nothing. */
#include "response.h"

#include <string.h>

void response_reset(response *r) {
  buffer partial = r->partial_head;
  buffer_clear(&partial);
  partial.max_bytes = RESPONSE_MAX_HEAD_BYTES;
  *r = (response){.partial_head = partial};
}

void response_free(response *r) {
  buffer_free(&r->partial_head);
}

static bool parse_length(au_slice value, size_t *out) {
  uint64_t n;
  if (!slice_digits(value, 9, &n)) return false;
  *out = (size_t)n;
  return n <= RESPONSE_MAX_BODY_BYTES;
}

/* The value of the line when it is the header `name:`. */
static bool header_value(au_slice line, au_slice name, au_slice *out) {
  if (line.len <= name.len || line.ptr[name.len] != ':' ||
      !slice_eq_nocase((au_slice){line.ptr, name.len}, name))
    return false;
  *out = slice_trim((au_slice){line.ptr + name.len + 1, line.len - name.len - 1});
  return true;
}

/* "HTTP/1.1 200 OK" */
static bool parse_status(au_slice line, unsigned *out) {
  if (line.len < 12 || memcmp(line.ptr, "HTTP/1.1 ", 9) != 0) return false;
  *out = 0;
  for (size_t i = 9; i < 12; i++) {
    if (line.ptr[i] < '0' || line.ptr[i] > '9') return false;
    *out = *out * 10 + (unsigned)(line.ptr[i] - '0');
  }
  return true;
}

/* `head` ends with the last line's CRLF, before the empty line. */
static response_state parse_head(response *r, au_slice head) {
  bool has_length = false, first = true;
  while (head.len > 0) {
    const char *end = memchr(head.ptr, '\r', head.len);
    if (!end) return RESPONSE_BAD;
    au_slice line = {head.ptr, (size_t)(end - head.ptr)}, value;
    size_t step = line.len + 2 < head.len ? line.len + 2 : head.len;
    head = (au_slice){head.ptr + step, head.len - step};
    if (first) {
      if (!parse_status(line, &r->status)) return RESPONSE_BAD;
      first = false;
    } else if (header_value(line, slice_of("content-length"), &value)) {
      has_length = parse_length(value, &r->body_left);
      if (!has_length) return RESPONSE_BAD;
    } else if (header_value(line, slice_of("sec-websocket-accept"), &value)) {
      r->accepted = slice_eq(value, slice_of(RESPONSE_ACCEPT_KEY));
    }
  }
  if (r->status == 101 || r->status == 204) return RESPONSE_DONE;
  if (!has_length) return RESPONSE_BAD;
  return r->body_left > 0 ? RESPONSE_BODY : RESPONSE_DONE;
}

/* A whole head in one piece is read where it lies. */
static size_t feed_head(response *r, au_slice bytes) {
  static const char ending[] = "\r\n\r\n";
  buffer *partial = &r->partial_head;
  size_t before = partial->len;
  au_slice seen = bytes;
  if (before > 0) {
    buffer_append_slice(partial, bytes);
    seen = buffer_slice(partial);
  }
  const char *end = partial->failed || !seen.ptr ? NULL : memmem(seen.ptr, seen.len, ending, 4);
  if (end) {
    size_t head = (size_t)(end - seen.ptr) + 2;
    r->state = parse_head(r, (au_slice){seen.ptr, head});
    return head + 2 - before;
  }
  if (before == 0) buffer_append_slice(partial, bytes);
  if (partial->failed) r->state = RESPONSE_BAD;
  return bytes.len;
}

size_t response_feed(response *r, au_slice bytes) {
  size_t used = r->state == RESPONSE_HEAD && bytes.ptr && bytes.len > 0 ? feed_head(r, bytes) : 0;
  if (r->state == RESPONSE_BODY) {
    size_t here = bytes.len - used < r->body_left ? bytes.len - used : r->body_left;
    r->body_left -= here;
    used += here;
    if (r->body_left == 0) r->state = RESPONSE_DONE;
  }
  return used;
}

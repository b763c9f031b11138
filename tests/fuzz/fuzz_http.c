/* The parser of requests: a stream means the same in one piece and in any other. The first byte
 * says how it is cut, the rest is the stream. */
#include "fuzz.h"

#include "transports/http/http_parser.h"

#include <stdlib.h>

enum { MAX_HEAD_BYTES = 1024 };

/* What came of a stream. */
typedef struct digest {
  uint64_t hash; /* of all requests, FNV-1a */
  unsigned requests;
  int status; /* of a refusal, or 0 */
} digest;

static void hash_bytes(digest *d, const void *bytes, size_t len) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < len; i++) d->hash = (d->hash ^ at[i]) * 1099511628211u;
}

static void hash_slice(digest *d, au_slice s) {
  hash_bytes(d, &s.len, sizeof s.len);
  if (s.len > 0) hash_bytes(d, s.ptr, s.len);
}

static void note(digest *d, const http_parser *p) {
  const http_request *r = &p->request;
  must(r->path.len > 0 && r->path.len + r->query.len <= HTTP_MAX_TARGET_BYTES);
  must(r->body.len <= HTTP_MAX_BODY_BYTES);
  must(r->minor <= 1 && r->method <= HTTP_IS_OTHER);
  hash_bytes(d, &r->method, sizeof r->method);
  hash_bytes(d, &r->minor, sizeof r->minor);
  hash_bytes(d, &p->keep_alive, sizeof p->keep_alive);
  hash_bytes(d, &r->repeated_ws_header, sizeof r->repeated_ws_header);
  hash_slice(d, r->path);
  hash_slice(d, r->query);
  hash_slice(d, r->body);
  for (size_t i = 0; i < HTTP_H_COUNT; i++) {
    bool came = r->headers[i].ptr != NULL;
    hash_bytes(d, &came, sizeof came);
    hash_slice(d, r->headers[i]);
  }
  d->requests++;
}

/* Offers bytes as a connection does, in memory that is gone afterwards. Returns how many were
 * used. */
static size_t offer(http_parser *p, digest *d, const char *bytes, size_t len) {
  char *piece = fuzz_copy(bytes, len);
  size_t at = 0;
  for (;;) {
    size_t used = 0;
    http_parsed parsed = http_parser_feed(p, piece + at, len - at, &used);
    must(used <= len - at);
    at += used;
    if (parsed == HTTP_PARSED_HEAD) continue;
    if (parsed == HTTP_PARSED_MORE && used > 0 && at < len) continue;
    if (parsed == HTTP_PARSED_REFUSED) {
      must(p->status >= 400 && p->status <= 505 && p->message != NULL);
      d->status = p->status;
    }
    if (parsed != HTTP_PARSED_REQUEST) break;
    note(d, p);
    http_parser_reset(p);
    if (at == len) break;
  }
  free(piece);
  return at;
}

static digest run(uint8_t how, const char *bytes, size_t len) {
  fuzz_pieces pieces = fuzz_pieces_of(how);
  digest d = {.hash = 14695981039346656037u};
  http_parser p;
  http_parser_init(&p, MAX_HEAD_BYTES);
  for (size_t at = 0, end = 0; end < len && d.status == 0;) {
    end += fuzz_piece(&pieces, len - end);
    at += offer(&p, &d, bytes + at, end - at);
  }
  http_parser_reset(&p);
  must(http_parser_kept_bytes(&p) == 0);
  return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t how = fuzz_byte(&in);
  digest whole = run(0, (const char *)in.at, in.left);
  digest cut = run(how, (const char *)in.at, in.left);
  must(whole.requests == cut.requests && whole.hash == cut.hash && whole.status == cut.status);
  return 0;
}

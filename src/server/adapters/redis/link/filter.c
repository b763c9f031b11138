/* A state machine over RESP 2, which is flat: an element is a line, or a line that announces a
 * length and so many bytes. */
#include "filter.h"

#include "utils/buffer.h"

#include <string.h>

static const char nil[] = "$-1\r\n", end[] = "\r\n";

void redis_filter_init(redis_filter *f, size_t bulk_max) {
  *f = (redis_filter){.bulk_max = bulk_max};
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Up to and with the end of a line; all of it when it does not end here. */
static size_t line_len(const char *at, size_t left) {
  const char *last = memchr(at, '\n', left);
  return last ? (size_t)(last - at) + 1 : left;
}

/* What a header announces, with the end of the bulk; 0 for nil and for what is no length, which
 * passes as a line: hiredis has words for it. */
static size_t announced(const char *head, size_t len) {
  uint64_t bytes;
  bool ended = len > 3 && head[len - 2] == '\r';
  if (!ended || !slice_digits((au_slice){head + 1, len - 3}, 18, &bytes)) return 0;
  return (size_t)bytes + sizeof end - 1;
}

/* Begins a bulk whose header is whole. True when it passes. */
static bool begin_bulk(redis_filter *f, const char *head, size_t len) {
  size_t bytes = announced(head, len);
  bool passes = bytes <= f->bulk_max + sizeof end - 1;
  f->elements++;
  *(passes ? &f->copy : &f->skip) = bytes;
  if (!passes) f->skipped++;
  return passes;
}

/* Goes on with a header that came in pieces. True when it is whole, or too long to be one. */
static bool complete_head(redis_filter *f, au_slice *in, au_slice *out) {
  size_t n = least(line_len(in->ptr, in->len), sizeof f->head - f->head_len);
  memcpy(f->head + f->head_len, in->ptr, n);
  f->head_len += (uint8_t)n;
  *in = (au_slice){in->ptr + n, in->len - n};
  *out = (au_slice){f->head, f->head_len};
  bool whole = f->head[f->head_len - 1] == '\n';
  if (!whole && f->head_len < sizeof f->head) return false;
  if (!whole)
    f->broken = true;
  else if (!begin_bulk(f, f->head, f->head_len))
    *out = slice_of(nil);
  f->head_len = 0;
  return true;
}

/* Passes a piece of a line. */
static size_t pass_line(redis_filter *f, const char *at, size_t left) {
  size_t n = line_len(at, left);
  f->line += n;
  if (f->line > REDIS_LINE_MAX_BYTES) f->broken = true;
  if (at[n - 1] == '\n') f->line = 0;
  return n;
}

/* Passes the header of a bulk, and returns its bytes; 0 when it has to be held back: it is cut
 * off here, or the bulk does not pass. */
static size_t pass_head(redis_filter *f, const char *at, size_t left) {
  size_t n = line_len(at, left);
  if (n > sizeof f->head) {
    f->broken = true;
    return n;
  }
  if (at[n - 1] != '\n' || announced(at, n) > f->bulk_max + sizeof end - 1) return 0;
  (void)begin_bulk(f, at, n);
  return n;
}

static size_t pass_element(redis_filter *f, const char *at, size_t left) {
  switch (*at) {
  case '$': return pass_head(f, at, left);
  case '+':
  case '-':
  case ':':
  case '*': f->elements++; return pass_line(f, at, left);
  default: f->broken = true; return left;
  }
}

/* How much passes as it is, up to a header that has to be held back. */
static size_t pass(redis_filter *f, const char *at, size_t len) {
  size_t used = 0;
  while (used < len) {
    size_t n, left = len - used;
    if (f->broken) {
      n = left;
    } else if (f->copy > 0) {
      n = least(f->copy, left);
      f->copy -= n;
    } else if (f->line > 0) {
      n = pass_line(f, at + used, left);
    } else {
      n = pass_element(f, at + used, left);
    }
    if (n == 0) break;
    used += n;
  }
  return used;
}

static void take(au_slice *in, size_t n) {
  *in = (au_slice){in->ptr + n, in->len - n};
}

bool redis_filter_next(redis_filter *f, au_slice *in, au_slice *out) {
  while (in->len > 0) {
    if (f->skip > 0) {
      size_t n = least(f->skip, in->len);
      f->skip -= n;
      take(in, n);
      continue;
    }
    size_t n = f->head_len > 0 ? 0 : pass(f, in->ptr, in->len);
    *out = (au_slice){in->ptr, n};
    take(in, n);
    if (n > 0 || complete_head(f, in, out)) return true;
  }
  return false;
}

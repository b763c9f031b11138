/* Bytes that grow, and slices. */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first allocation: most answers fit, so that one is enough. */
enum { BUFFER_FIRST_BYTES = 256 };

void buffer_init(buffer *b, size_t max_bytes) {
  *b = (buffer){.max_bytes = max_bytes};
}

void buffer_free(buffer *b) {
  if (b->ptr) free(b->ptr);
  buffer_init(b, b->max_bytes);
}

void buffer_clear(buffer *b) {
  b->len = 0;
  b->failed = false;
}

char *buffer_reserve(buffer *b, size_t len) {
  if (b->failed || len > b->max_bytes - b->len) {
    b->failed = true;
    return NULL;
  }
  size_t want = b->len + len;
  if (!b->ptr || want > b->cap) {
    size_t cap = b->cap < BUFFER_FIRST_BYTES ? BUFFER_FIRST_BYTES : b->cap;
    while (cap < want) cap = cap > b->max_bytes / 2 ? b->max_bytes : cap * 2;
    if (cap > b->max_bytes) cap = b->max_bytes;
    /* One byte more than is ever counted: vsnprintf ends its text with a NUL. */
    char *grown = realloc(b->ptr, cap + 1);
    if (!grown) {
      b->failed = true;
      return NULL;
    }
    b->ptr = grown;
    b->cap = cap;
  }
  return b->ptr + b->len;
}

void buffer_used(buffer *b, size_t len) {
  b->len += len;
}

void buffer_append_number(buffer *b, uint64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  do digits[--at] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  buffer_append(b, digits + at, sizeof digits - at);
}

void buffer_append_format(buffer *b, const char *format, ...) {
  char *tail = buffer_reserve(b, 0);
  if (!tail) return;
  size_t left = b->cap - b->len;
  va_list args;
  va_start(args, format);
  int need = vsnprintf(tail, left + 1, format, args);
  va_end(args);
  if (need < 0) {
    b->failed = true;
    return;
  }
  if ((size_t)need > left) {
    tail = buffer_reserve(b, (size_t)need);
    if (!tail) return;
    va_start(args, format);
    vsnprintf(tail, (size_t)need + 1, format, args);
    va_end(args);
  }
  b->len += (size_t)need;
}

void buffer_consume(buffer *b, size_t len) {
  if (len == 0) return;
  if (len > b->len) len = b->len;
  b->len -= len;
  memmove(b->ptr, b->ptr + len, b->len);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

au_slice slice_trim(au_slice s) {
  while (s.len > 0 && is_blank(s.ptr[0])) {
    s.ptr++;
    s.len--;
  }
  while (s.len > 0 && is_blank(s.ptr[s.len - 1])) s.len--;
  return s;
}

bool slice_digits(au_slice s, size_t max_len, uint64_t *out) {
  uint64_t n = 0;
  if (s.len == 0 || s.len > max_len) return false;
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    n = n * 10 + (uint64_t)(s.ptr[i] - '0');
  }
  *out = n;
  return true;
}

bool slice_next(au_slice *rest, char separator, au_slice *out) {
  if (rest->len == 0) return false;
  const char *found = memchr(rest->ptr, separator, rest->len);
  size_t len = found ? (size_t)(found - rest->ptr) : rest->len;
  size_t cut = found ? len + 1 : len;
  *out = (au_slice){rest->ptr, len};
  *rest = (au_slice){rest->ptr + cut, rest->len - cut};
  return true;
}

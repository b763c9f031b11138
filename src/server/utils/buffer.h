/* Bytes that grow up to a limit. Knows nothing of what they mean. */
#ifndef UTILS_BUFFER_H
#define UTILS_BUFFER_H

#include <active_users/types.h>

/* Zero-initialise, or buffer_init; a limit of 0 takes nothing. `failed` stays set once an append
 * did not fit or could not be allocated, so a chain of appends is checked once at its end. */
typedef struct buffer {
  char *ptr;
  size_t len, cap, max_bytes;
  bool failed;
} buffer;

void buffer_init(buffer *b, size_t max_bytes);

/* Frees the bytes and leaves an empty buffer with the same limit. */
void buffer_free(buffer *b);

/* Clears the bytes and the failure, keeps the memory. */
void buffer_clear(buffer *b);

static inline void buffer_append(buffer *b, const void *bytes, size_t len);
static inline void buffer_append_text(buffer *b, const char *text);
static inline void buffer_append_slice(buffer *b, au_slice s);
/* In decimal; cheaper than buffer_append_format, for what is in every answer. */
void buffer_append_number(buffer *b, uint64_t value);
void buffer_append_format(buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Capacity for at least `len` more bytes, or NULL (failed is set). Fill it, then call
 * buffer_used with how much was used. */
char *buffer_reserve(buffer *b, size_t len);
void buffer_used(buffer *b, size_t len);

/* Drops the first `len` bytes. */
void buffer_consume(buffer *b, size_t len);

static inline void buffer_append(buffer *b, const void *bytes, size_t len) {
  if (len == 0) return;
  char *tail = !b->failed && len <= b->cap - b->len ? b->ptr + b->len : buffer_reserve(b, len);
  if (!tail) return;
  __builtin_memcpy(tail, bytes, len);
  b->len += len;
}

static inline void buffer_append_text(buffer *b, const char *text) {
  buffer_append(b, text, __builtin_strlen(text));
}

static inline void buffer_append_slice(buffer *b, au_slice s) {
  buffer_append(b, s.ptr, s.len);
}

static inline au_slice buffer_slice(const buffer *b) {
  return (au_slice){b->ptr, b->len};
}

/* Slices. */
static inline au_slice slice_of(const char *text) {
  return (au_slice){text, __builtin_strlen(text)};
}
static inline bool slice_eq(au_slice a, au_slice b) {
  return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);
}
/* By bytes, a text before those that it begins: negative, 0 or positive, as memcmp. */
static inline int slice_compare(au_slice a, au_slice b) {
  size_t least = a.len < b.len ? a.len : b.len;
  int order = least == 0 ? 0 : __builtin_memcmp(a.ptr, b.ptr, least);
  return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
static inline char slice_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}
/* ASCII, ignoring case. */
static inline bool slice_eq_nocase(au_slice a, au_slice b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (slice_lower(a.ptr[i]) != slice_lower(b.ptr[i])) return false;
  return true;
}
/* A set of bytes, one bit each, that of byte 0 first. */
typedef struct byte_set {
  uint64_t bits[4];
} byte_set;
static inline bool byte_set_has(const byte_set *set, char byte) {
  unsigned char c = (unsigned char)byte;
  return set->bits[c / 64] >> (c % 64) & 1;
}
/* Whether all of the bytes are in the set; an empty slice has none that is not. */
static inline bool slice_is_of(au_slice s, const byte_set *set) {
  for (size_t i = 0; i < s.len; i++)
    if (!byte_set_has(set, s.ptr[i])) return false;
  return true;
}
/* Without spaces and tabs at both ends. */
au_slice slice_trim(au_slice s);
/* The number that 1 to `max_len` decimal digits, at most 19, and nothing else make; false for
 * any other text. */
bool slice_digits(au_slice s, size_t max_len, uint64_t *out);
/* Cuts off and returns what stands before the next `separator` (or the rest);
 * `*rest` moves behind it. false when nothing is left. */
bool slice_next(au_slice *rest, char separator, au_slice *out);

#endif

/* Checks the grammar, encoding and limits of raw JSON in one pass. */
#include "scan.h"

#include <string.h>

typedef struct scanner {
  const unsigned char *at, *end;
  unsigned max_depth;
  wire_member_fn on_member; /* for each of the outermost object */
  void *arg;
} scanner;

/* The next byte, -1 at the end: a NUL in the text is not its end. */
static int peek(const scanner *s) {
  return s->at < s->end ? *s->at : -1;
}

static bool take(scanner *s, int byte) {
  if (peek(s) != byte) return false;
  s->at++;
  return true;
}

/* Only what JSON calls white space: cJSON skips every byte up to 32. */
static void skip_space(scanner *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
    s->at++;
}

static bool is_digit(int byte) {
  return byte >= '0' && byte <= '9';
}

/* At least one digit, then all that follow. */
static bool take_digits(scanner *s) {
  if (!is_digit(peek(s))) return false;
  while (is_digit(peek(s))) s->at++;
  return true;
}

static wire_scan_status scan_number(scanner *s) {
  const unsigned char *start = s->at;
  (void)take(s, '-');
  if (!take(s, '0') && !take_digits(s)) return WIRE_SCAN_SYNTAX;
  if (take(s, '.') && !take_digits(s)) return WIRE_SCAN_SYNTAX;
  if (take(s, 'e') || take(s, 'E')) {
    if (!take(s, '+')) (void)take(s, '-');
    if (!take_digits(s)) return WIRE_SCAN_SYNTAX;
  }
  return s->at - start > WIRE_SCAN_MAX_NUMBER_CHARS ? WIRE_SCAN_NUMBER : WIRE_SCAN_OK;
}

/* Moves over one character of more than one byte: no overlong form, no surrogate,
 * nothing above U+10FFFF. */
static bool take_utf8(scanner *s) {
  const unsigned char *p = s->at;
  size_t left = (size_t)(s->end - p), len;
  unsigned char low = 0x80, high = 0xBF; /* what the second byte may be */

  if (p[0] >= 0xC2 && p[0] <= 0xDF) {
    len = 2;
  } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
    len = 3;
    if (p[0] == 0xE0) low = 0xA0;
    if (p[0] == 0xED) high = 0x9F;
  } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
    len = 4;
    if (p[0] == 0xF0) low = 0x90;
    if (p[0] == 0xF4) high = 0x8F;
  } else {
    return false;
  }
  if (left < len || p[1] < low || p[1] > high) return false;
  for (size_t i = 2; i < len; i++)
    if ((p[i] & 0xC0) != 0x80) return false;
  s->at += len;
  return true;
}

static int hex_value(int byte) {
  if (is_digit(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

/* The four digits behind `\u`, or -1. */
static int take_hex4(scanner *s) {
  int unit = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex_value(peek(s));
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
    s->at++;
  }
  return unit;
}

/* What follows a backslash. */
static wire_scan_status scan_escape(scanner *s) {
  int kind = peek(s);
  if (kind <= 0 || !strchr("\"\\/bfnrtu", kind)) return WIRE_SCAN_SYNTAX;
  s->at++;
  if (kind != 'u') return WIRE_SCAN_OK;

  int unit = take_hex4(s);
  if (unit < 0) return WIRE_SCAN_SYNTAX;
  if (unit == 0) return WIRE_SCAN_ZERO;
  if (unit >= 0xDC00 && unit <= 0xDFFF) return WIRE_SCAN_SYNTAX;
  if (unit >= 0xD800 && unit <= 0xDBFF) {
    if (!take(s, '\\') || !take(s, 'u')) return WIRE_SCAN_SYNTAX;
    unit = take_hex4(s);
    if (unit < 0xDC00 || unit > 0xDFFF) return WIRE_SCAN_SYNTAX;
  }
  return WIRE_SCAN_OK;
}

/* Stands for itself in a string, and is no part of anything. */
static bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* The same for eight bytes at once: which of them are not plain, as their highest bits. Behind the
 * first of those it may err, for the subtractions borrow. */
static uint64_t not_plain(uint64_t bytes) {
  const uint64_t ones = UINT64_C(0x0101010101010101), highest = UINT64_C(0x80) * ones;
  uint64_t quotes = bytes ^ '"' * ones, backslashes = bytes ^ '\\' * ones;
  uint64_t odd = (bytes - 0x20 * ones) | (quotes - ones) | (backslashes - ones);
  return ((odd & ~bytes) | bytes) & highest;
}

static void skip_plain(scanner *s) {
  while (s->end - s->at >= 8) {
    uint64_t bytes;
    memcpy(&bytes, s->at, sizeof bytes);
    uint64_t found = not_plain(bytes);
    if (found != 0) {
      if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) break;
      s->at += __builtin_ctzll(found) / 8;
      return;
    }
    s->at += 8;
  }
  while (s->at < s->end && is_plain(*s->at)) s->at++;
}

static wire_scan_status scan_string(scanner *s) {
  s->at++;
  for (;;) {
    skip_plain(s);
    int byte = peek(s);
    if (byte < 0x20) return WIRE_SCAN_SYNTAX; /* the end, or a raw control byte */
    if (byte >= 0x80) {
      if (!take_utf8(s)) return WIRE_SCAN_ENCODING;
      continue;
    }
    s->at++;
    if (byte == '"') return WIRE_SCAN_OK;
    if (byte == '\\') {
      wire_scan_status status = scan_escape(s);
      if (status != WIRE_SCAN_OK) return status;
    }
  }
}

static wire_scan_status scan_word(scanner *s, const char *word) {
  size_t len = strlen(word);
  if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0) return WIRE_SCAN_SYNTAX;
  s->at += len;
  return WIRE_SCAN_OK;
}

static wire_scan_status scan_value(scanner *s, unsigned depth);

static au_slice slice_since(const scanner *s, const unsigned char *start) {
  return (au_slice){(const char *)start, (size_t)(s->at - start)};
}

/* The key, the colon and the space around it. */
static wire_scan_status scan_key(scanner *s, au_slice *name) {
  if (peek(s) != '"') return WIRE_SCAN_SYNTAX;
  const unsigned char *start = s->at;
  wire_scan_status status = scan_string(s);
  if (status != WIRE_SCAN_OK) return status;
  *name = slice_since(s, start);
  skip_space(s);
  if (!take(s, ':')) return WIRE_SCAN_SYNTAX;
  skip_space(s);
  return WIRE_SCAN_OK;
}

/* An object or an array, itself at level `depth`. max_depth bounds the recursion. */
static wire_scan_status scan_container(scanner *s, unsigned depth) {
  bool is_object = *s->at == '{';
  int close = is_object ? '}' : ']';
  wire_scan_status status;

  if (depth > s->max_depth) return WIRE_SCAN_DEPTH;
  s->at++;
  skip_space(s);
  if (take(s, close)) return WIRE_SCAN_OK;
  for (;;) {
    au_slice name = {0};
    if (is_object) {
      status = scan_key(s, &name);
      if (status != WIRE_SCAN_OK) return status;
    }
    const unsigned char *start = s->at;
    status = scan_value(s, depth);
    if (status != WIRE_SCAN_OK) return status;
    if (depth == 1 && is_object) s->on_member(s->arg, name, slice_since(s, start));
    skip_space(s);
    if (take(s, close)) return WIRE_SCAN_OK;
    if (!take(s, ',')) return WIRE_SCAN_SYNTAX;
    skip_space(s);
  }
}

/* A value inside a container of level `depth`. */
static wire_scan_status scan_value(scanner *s, unsigned depth) {
  switch (peek(s)) {
  case '{':
  case '[': return scan_container(s, depth + 1);
  case '"': return scan_string(s);
  case 't': return scan_word(s, "true");
  case 'f': return scan_word(s, "false");
  case 'n': return scan_word(s, "null");
  default: return scan_number(s);
  }
}

wire_scan_status wire_scan(au_slice text, unsigned max_depth, wire_member_fn on_member, void *arg) {
  if (text.len == 0) return WIRE_SCAN_NOT_OBJECT;

  const unsigned char *start = (const unsigned char *)text.ptr;
  scanner s = {start, start + text.len, max_depth, on_member, arg};
  skip_space(&s);
  int first = peek(&s);
  if (first < 0) return WIRE_SCAN_NOT_OBJECT;

  wire_scan_status status = scan_value(&s, 0);
  if (status != WIRE_SCAN_OK) return status;
  skip_space(&s);
  if (s.at != s.end) return WIRE_SCAN_SYNTAX;
  return first == '{' ? WIRE_SCAN_OK : WIRE_SCAN_NOT_OBJECT;
}

bool wire_scan_utf8(au_slice text) {
  const unsigned char *start = (const unsigned char *)text.ptr;
  scanner s = {.at = start, .end = start + text.len};
  while (s.at < s.end) {
    if (*s.at < 0x80)
      s.at++;
    else if (!take_utf8(&s))
      return false;
  }
  return true;
}

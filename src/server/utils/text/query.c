/* Decodes query parameters. */
#include "query.h"

#include "utils/buffer.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool percent_decode(au_slice value, char *out, size_t size, size_t *len) {
  *len = 0;
  for (size_t i = 0; i < value.len; i++) {
    char c = value.ptr[i];
    if (c == '%') {
      if (value.len - i < 3) return false;
      int high = hex_digit(value.ptr[i + 1]), low = hex_digit(value.ptr[i + 2]);
      if (high < 0 || low < 0) return false;
      c = (char)(high << 4 | low);
      i += 2;
    }
    if (*len == size) return false;
    out[(*len)++] = c;
  }
  return true;
}

query_result query_get(au_slice query, const char *name, char *out, size_t size, size_t *len) {
  query_result result = QUERY_NONE;
  au_slice value, key;
  while (slice_next(&query, '&', &value)) {
    if (!slice_next(&value, '=', &key) || !slice_eq(key, slice_of(name))) continue;
    if (result != QUERY_NONE) return QUERY_REPEATED;
    result = percent_decode(value, out, size, len) ? QUERY_ONE : QUERY_MALFORMED;
  }
  return result;
}

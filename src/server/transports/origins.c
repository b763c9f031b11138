/* The allowed origins. Must not know what a page wants. */
#include "origins.h"

#include "../utils/buffer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct origins {
  bool any;
  size_t len;
  char text[]; /* the list as it was given */
};

/* scheme://host[:port] (RFC 6454, 6.2), nothing behind it. */
static bool valid_origin(au_slice origin) {
  const char *colon = memchr(origin.ptr, ':', origin.len);
  if (!colon || colon == origin.ptr) return false;
  for (const char *c = origin.ptr; c < colon; c++)
    if (!isalnum((unsigned char)*c) && *c != '+' && *c != '-' && *c != '.') return false;
  au_slice host = {colon, origin.len - (size_t)(colon - origin.ptr)};
  if (host.len <= 3 || memcmp(host.ptr, "://", 3) != 0) return false;
  for (size_t i = 3; i < host.len; i++)
    if (host.ptr[i] <= ' ' || host.ptr[i] == '/' || host.ptr[i] == '*' || host.ptr[i] >= 0x7f)
      return false;
  return true;
}

au_status origins_parse(const char *text, origins **out) {
  size_t len = strlen(text), count = 0;
  origins *list = calloc(1, sizeof *list + len + 1);
  if (!list) return AU_ENOMEM;
  list->len = len;
  memcpy(list->text, text, len + 1);
  au_slice rest = {list->text, len}, part;
  while (slice_next(&rest, ',', &part)) {
    part = slice_trim(part);
    if (part.len == 0) continue;
    count++;
    if (slice_eq(part, slice_of("*"))) {
      list->any = true;
    } else if (!valid_origin(part)) {
      count = 0;
      break;
    }
  }
  if (count == 0) {
    free(list);
    return AU_EINVAL;
  }
  *out = list;
  return AU_OK;
}

void origins_free(origins *list) {
  free(list);
}

bool origins_allow(const origins *list, au_slice origin) {
  if (list->any) return true;
  au_slice rest = {list->text, list->len}, part;
  while (slice_next(&rest, ',', &part))
    if (origin.len > 0 && slice_eq_nocase(slice_trim(part), origin)) return true;
  return false;
}

bool origins_answer(const origins *list, au_slice origin, buffer *lines) {
  if (list->any) {
    buffer_append_text(lines, "Access-Control-Allow-Origin: *\r\n");
  } else {
    buffer_append_text(lines, "Vary: Origin\r\n");
    if (!origin.ptr) return true;
    if (!origins_allow(list, origin)) return false;
    buffer_append_text(lines, "Access-Control-Allow-Origin: ");
    buffer_append_slice(lines, origin);
    buffer_append_text(lines, "\r\n");
  }
  if (origin.ptr)
    buffer_append_text(lines, "Access-Control-Expose-Headers: X-RateLimit-Limit, "
                              "X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After\r\n");
  return true;
}

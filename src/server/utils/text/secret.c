/* Finds and hides what is secret in a text. */
#include "secret.h"

#include "utils/buffer.h"

#include <string.h>

static const char stars[] = "***";

bool secret_in(const char *text) {
  return text[0] != '\0' && (!strstr(text, "://") || strchr(text, '@'));
}

void secret_mask(char *text, size_t size) {
  if (!secret_in(text)) return;
  /* A password may hold any character, so it ends at the last `@`. */
  char *user = strstr(text, "://"), *host = strrchr(text, '@'), *from = text;
  const char *rest = "";
  if (user && host && host > user) {
    from = user + strlen("://");
    rest = host;
  }
  size_t kept = strlen(rest) + 1;
  size_t left = size - (size_t)(from - text);
  if (left < sizeof stars) return;
  if (kept > left - strlen(stars)) kept = left - strlen(stars);
  memmove(from + strlen(stars), rest, kept);
  for (size_t i = 0; i < strlen(stars); i++) from[i] = stars[i];
  text[size - 1] = '\0';
}

au_slice secret_of_bearer(au_slice header) {
  au_slice scheme;
  if (!slice_next(&header, ' ', &scheme) || !slice_eq_nocase(scheme, slice_of("Bearer")))
    return (au_slice){0};
  return slice_trim(header);
}

bool secret_is(const char *secret, au_slice given) {
  size_t len = strlen(secret);
  unsigned differs = len != given.len;
  for (size_t i = 0; i < given.len; i++)
    differs |= (unsigned char)given.ptr[i] ^ (unsigned char)secret[len > 0 ? i % len : 0];
  return differs == 0;
}

/* Parses "N" and "N%", as strictly as the other settings. */
#include "share.h"

#include <string.h>

bool share_parse(const char *text, uint32_t whole, uint32_t *out) {
  size_t digits = strspn(text, "0123456789");
  bool percent = text[digits] == '%';
  if (digits == 0 || text[digits + percent] != '\0') return false;
  uint64_t n = 0;
  for (size_t i = 0; i < digits; i++)
    if (n <= UINT32_MAX) n = n * 10 + (uint64_t)(text[i] - '0'); /* stops above every range */
  if (n > (percent ? 100 : UINT32_MAX)) return false;
  if (percent && n > 0) {
    n = whole * n / 100;
    if (n == 0) n = 1;
  }
  *out = (uint32_t)n;
  return true;
}

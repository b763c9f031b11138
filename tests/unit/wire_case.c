/* Checks and texts for tests of the wire. */
#include "wire_case.h"

void check(const char *name, const char *what, bool ok) {
  if (!ok) fail_msg("%s: %s", name, what);
}

void check_text(const char *name, const char *what, const char *want, au_slice got) {
  if (!slice_eq(got, slice_of(want)))
    fail_msg("%s: %s: want '%s', got '%.*s'", name, what, want, (int)got.len, got.ptr);
}

char *body_of(size_t count, size_t bytes) {
  char *text = malloc(bytes + 1);
  assert_non_null(text);
  size_t len = (size_t)snprintf(text, bytes + 1, "{" CST);
  for (size_t i = 3; i < count; i++)
    len += (size_t)snprintf(text + len, bytes + 1 - len, ",\"f%zu\":0", i);
  text[len++] = '}';
  assert_true(len <= bytes);
  memset(text + len, ' ', bytes - len);
  text[bytes] = '\0';
  return text;
}

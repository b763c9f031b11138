#include "exact.h"

#include <stdlib.h>
#include <string.h>

au_slice exact_bytes(const void *bytes, size_t len) {
  char *copy = malloc(len ? len : 1);
  assert_non_null(copy);
  if (len) memcpy(copy, bytes, len);
  return (au_slice){copy, len};
}

au_slice exact(const char *text) {
  return exact_bytes(text, strlen(text));
}

void release(au_slice copy) {
  free((char *)(uintptr_t)copy.ptr);
}

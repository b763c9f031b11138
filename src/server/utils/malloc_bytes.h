/* What an allocation takes of the memory of the process, as glibc's malloc does it. */
#ifndef UTILS_MALLOC_BYTES_H
#define UTILS_MALLOC_BYTES_H

#include <stddef.h>

static inline size_t malloc_bytes(size_t bytes) {
  enum { HEAD = 8, ALIGN = 16, LEAST = 32 };
  size_t taken = (bytes + HEAD + ALIGN - 1) / ALIGN * ALIGN;
  return taken < LEAST ? LEAST : taken;
}

#endif

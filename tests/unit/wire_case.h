/* What the tests of wire.h share: short names for fields, checks that name their
 * case, and copies whose end ASan watches. */
#ifndef WIRE_CASE_H
#define WIRE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TEN(s)       s s s s s s s s s s
#define HUNDRED(s)   TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s)

#define C   "\"customerId\":\"shop123\""
#define S   "\"sessionId\":\"sess-abc\""
#define T   "\"tabId\":\"tab-xyz\""
#define CST C "," S "," T

static inline void check(const char *name, const char *what, bool ok) {
  if (!ok) fail_msg("%s: %s", name, what);
}

static inline void check_text(const char *name, const char *what, const char *want, au_slice got) {
  if (!slice_eq(got, slice_of(want)))
    fail_msg("%s: %s: want '%s', got '%.*s'", name, what, want, (int)got.len, got.ptr);
}

/* A copy in a heap block of its own size, so that ASan sees a byte read too many. */
static inline au_slice exact(const char *text) {
  size_t len = strlen(text);
  char *copy = malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  return (au_slice){copy, len};
}

static inline void release(au_slice text) {
  free((char *)(uintptr_t)text.ptr);
}

/* `{<ids>,"f0":0,…}` with `count` members in all, then spaces up to `bytes`. */
static inline char *body_of(size_t count, size_t bytes) {
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

#endif

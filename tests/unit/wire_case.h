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

#include "exact.h"
#include "wire/wire.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TEN(s)       s s s s s s s s s s
#define HUNDRED(s)   TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s)

#define C   "\"customerId\":\"shop123\""
#define S   "\"sessionId\":\"sess-abc\""
#define T   "\"tabId\":\"tab-xyz\""
#define CST C "," S "," T

void check(const char *name, const char *what, bool ok);
void check_text(const char *name, const char *what, const char *want, au_slice got);

/* `{<ids>,"f0":0,…}` with `count` members in all, then spaces up to `bytes`. */
char *body_of(size_t count, size_t bytes);

#endif

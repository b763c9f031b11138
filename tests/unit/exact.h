/* Copies of bytes in heap blocks of their own size, so that ASan sees a byte read too many. */
#ifndef EXACT_H
#define EXACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <active_users/types.h>

au_slice exact(const char *text);
au_slice exact_bytes(const void *bytes, size_t len);
void release(au_slice copy);

#endif

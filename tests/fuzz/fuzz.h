/* What the fuzzers share: the bytes of an input, and how a stream is cut into pieces. Each fuzzer
 * is one LLVMFuzzerTestOneInput, driven by libFuzzer or by replay.c. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process where something does not hold that always must. */
void must(bool ok);

typedef struct fuzz_input {
  const uint8_t *at;
  size_t left;
} fuzz_input;

/* The next byte; 0 behind the end. */
uint8_t fuzz_byte(fuzz_input *in);

/* A copy in a block of exactly `len` bytes, so that ASan sees a byte read too many. Freed by the
 * caller. */
char *fuzz_copy(const void *bytes, size_t len);

/* A copy of what is left, ended by NUL; a NUL within it becomes a blank. Freed by the caller. */
char *fuzz_text(const fuzz_input *in);

/* The part of a text up to `separator`, or all of it, ended by NUL in its place; *rest is what
 * follows. NULL at the end. */
char *fuzz_cut(char **rest, char separator);

/* How the bytes of a stream arrive: 0: all at once; 1 to 127: so many at a time; more: pieces of
 * mixed lengths. */
typedef struct fuzz_pieces {
  uint8_t how;
  uint32_t state;
} fuzz_pieces;

fuzz_pieces fuzz_pieces_of(uint8_t how);
/* The length of the next piece of `left` bytes: at least 1. */
size_t fuzz_piece(fuzz_pieces *pieces, size_t left);

#endif

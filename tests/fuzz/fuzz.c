/* The bytes of an input. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must(bool ok) {
  if (ok) return;
  perror("what must hold does not; errno, if that matters");
  abort();
}

uint8_t fuzz_byte(fuzz_input *in) {
  if (in->left == 0) return 0;
  in->left--;
  return *in->at++;
}

char *fuzz_copy(const void *bytes, size_t len) {
  char *copy = malloc(len);
  must(copy != NULL || len == 0);
  if (len > 0) memcpy(copy, bytes, len);
  return copy;
}

char *fuzz_text(const fuzz_input *in) {
  char *text = malloc(in->left + 1);
  must(text != NULL);
  for (size_t i = 0; i < in->left; i++) text[i] = in->at[i] == 0 ? ' ' : (char)in->at[i];
  text[in->left] = '\0';
  return text;
}

char *fuzz_cut(char **rest, char separator) {
  char *part = *rest;
  if (!part) return NULL;
  char *end = strchr(part, separator);
  if (end) *end = '\0';
  *rest = end ? end + 1 : NULL;
  return part;
}

fuzz_pieces fuzz_pieces_of(uint8_t how) {
  return (fuzz_pieces){how, 2463534242u + how};
}

size_t fuzz_piece(fuzz_pieces *pieces, size_t left) {
  size_t n = pieces->how;
  if (n == 0) return left;
  if (n > 127) {
    pieces->state ^= pieces->state << 13; /* xorshift32 */
    pieces->state ^= pieces->state >> 17;
    pieces->state ^= pieces->state << 5;
    n = 1 + pieces->state % (n - 127);
  }
  return n < left ? n : left;
}

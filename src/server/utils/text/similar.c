/* The optimal string alignment distance of two short names. */
#include "similar.h"

#include <ctype.h>

enum { CHANGES_MAX = 2 };

static char plain(char c) {
  return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static uint32_t least(uint32_t a, uint32_t b) {
  return a < b ? a : b;
}

uint32_t similar_distance(au_slice a, au_slice b) {
  if (a.len > SIMILAR_MAX_BYTES || b.len > SIMILAR_MAX_BYTES) return UINT32_MAX;
  uint32_t rows[3][SIMILAR_MAX_BYTES + 1]; /* of a: this one, the last one, the one before */
  for (size_t j = 0; j <= b.len; j++) rows[0][j] = (uint32_t)j;
  for (size_t i = 1; i <= a.len; i++) {
    uint32_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
    now[0] = (uint32_t)i;
    for (size_t j = 1; j <= b.len; j++) {
      char at_a = plain(a.ptr[i - 1]), at_b = plain(b.ptr[j - 1]);
      now[j] = least(last[j - 1] + (at_a != at_b), least(last[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && at_a == plain(b.ptr[j - 2]) && plain(a.ptr[i - 2]) == at_b)
        now[j] = least(now[j], before[j - 2] + 1);
    }
  }
  return rows[a.len % 3][b.len];
}

bool similar_names(au_slice a, au_slice b) {
  uint32_t changes = similar_distance(a, b);
  size_t shorter = a.len < b.len ? a.len : b.len;
  return changes <= CHANGES_MAX && 2 * (size_t)changes < shorter;
}

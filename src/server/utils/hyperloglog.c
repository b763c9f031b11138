/* Sparse and dense registers, and the estimate. */
#include "hyperloglog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  FIRST_CAPACITY = 8,
  HASH_BITS_LEFT = 64 - HYPERLOGLOG_BITS, /* which the rank is made of */
  RANK_MAX = HASH_BITS_LEFT + 1,
  RANK_MASK = 63,
};

void hyperloglog_free(hyperloglog *set) {
  free(set->sparse);
  free(set->dense);
  *set = (hyperloglog){0};
}

/* ---- registers ----------------------------------------------------------------- */

static unsigned dense_get(const unsigned char *dense, uint32_t at) {
  uint32_t bit = at * 6, byte = bit / 8, shift = bit % 8;
  unsigned word = dense[byte];
  if (shift > 2) word |= (unsigned)dense[byte + 1] << 8;
  return word >> shift & RANK_MASK;
}

static void dense_set(unsigned char *dense, uint32_t at, unsigned rank) {
  uint32_t bit = at * 6, byte = bit / 8, shift = bit % 8;
  dense[byte] = (unsigned char)((dense[byte] & ~(RANK_MASK << shift)) | rank << shift);
  if (shift <= 2) return;
  dense[byte + 1] =
      (unsigned char)((dense[byte + 1] & ~(RANK_MASK >> (8 - shift))) | rank >> (8 - shift));
}

static void dense_raise(unsigned char *dense, uint32_t at, unsigned rank) {
  if (dense_get(dense, at) < rank) dense_set(dense, at, rank);
}

static au_status make_dense(hyperloglog *set) {
  unsigned char *dense = calloc(1, HYPERLOGLOG_DENSE_BYTES);
  if (!dense) return AU_ENOMEM;
  for (size_t i = 0; i < set->count; i++)
    dense_set(dense, set->sparse[i] >> 6, set->sparse[i] & RANK_MASK);
  free(set->sparse);
  *set = (hyperloglog){.dense = dense};
  return AU_OK;
}

static uint16_t next_capacity(const hyperloglog *set) {
  if (set->capacity == 0) return FIRST_CAPACITY;
  uint32_t doubled = 2u * set->capacity;
  return doubled < HYPERLOGLOG_SPARSE_MAX ? (uint16_t)doubled : HYPERLOGLOG_SPARSE_MAX;
}

/* Where a register is in the list, or would be. */
static size_t sparse_find(const hyperloglog *set, uint32_t at) {
  size_t low = 0, high = set->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (set->sparse[middle] >> 6 < at)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static au_status sparse_insert(hyperloglog *set, size_t place, uint32_t entry) {
  if (set->count == set->capacity) {
    uint16_t capacity = next_capacity(set);
    uint32_t *grown = realloc(set->sparse, capacity * sizeof *grown);
    if (!grown) return AU_ENOMEM;
    set->sparse = grown;
    set->capacity = capacity;
  }
  memmove(set->sparse + place + 1, set->sparse + place, (set->count - place) * sizeof *set->sparse);
  set->sparse[place] = entry;
  set->count++;
  return AU_OK;
}

au_status hyperloglog_add(hyperloglog *set, uint64_t hash) {
  uint32_t at = (uint32_t)(hash & (HYPERLOGLOG_REGISTERS - 1));
  uint64_t rest = hash >> HYPERLOGLOG_BITS | (uint64_t)1 << HASH_BITS_LEFT;
  unsigned rank = (unsigned)__builtin_ctzll(rest) + 1;
  if (!set->dense) {
    size_t place = sparse_find(set, at);
    if (place < set->count && set->sparse[place] >> 6 == at) {
      if ((set->sparse[place] & RANK_MASK) < rank) set->sparse[place] = at << 6 | rank;
      return AU_OK;
    }
    if (set->count < HYPERLOGLOG_SPARSE_MAX) return sparse_insert(set, place, at << 6 | rank);
    if (make_dense(set) != AU_OK) return AU_ENOMEM;
  }
  dense_raise(set->dense, at, rank);
  return AU_OK;
}

size_t hyperloglog_bytes(const hyperloglog *set) {
  return set->dense ? HYPERLOGLOG_DENSE_BYTES : (size_t)set->capacity * sizeof *set->sparse;
}

size_t hyperloglog_growth(const hyperloglog *set) {
  if (set->dense || set->count < set->capacity) return 0;
  if (set->count == HYPERLOGLOG_SPARSE_MAX) return HYPERLOGLOG_DENSE_BYTES;
  return (size_t)(next_capacity(set) - set->capacity) * sizeof *set->sparse;
}

au_status hyperloglog_load(hyperloglog *set, au_slice image) {
  *set = (hyperloglog){0};
  bool is_dense = image.len == HYPERLOGLOG_DENSE_BYTES;
  if (is_dense) {
    set->dense = malloc(image.len);
    if (!set->dense) return AU_ENOMEM;
    memcpy(set->dense, image.ptr, image.len);
    return AU_OK;
  }
  if (image.len > HYPERLOGLOG_DENSE_BYTES || image.len % sizeof *set->sparse != 0) return AU_EINVAL;
  if (image.len == 0) return AU_OK;
  set->sparse = malloc(image.len);
  if (!set->sparse) return AU_ENOMEM;
  memcpy(set->sparse, image.ptr, image.len);
  set->count = set->capacity = (uint16_t)(image.len / sizeof *set->sparse);
  for (size_t i = 0; i < set->count; i++) {
    bool in_order = i == 0 || set->sparse[i - 1] >> 6 < set->sparse[i] >> 6;
    if (in_order && set->sparse[i] >> 6 < HYPERLOGLOG_REGISTERS) continue;
    hyperloglog_free(set);
    return AU_EINVAL;
  }
  return AU_OK;
}

/* ---- the estimate ----------------------------------------------------------------- */

static double sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1, z = x, before;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}

static double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before;
  do {
    x = sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

static void merge(unsigned char *ranks, const hyperloglog *set) {
  if (set->dense) {
    for (uint32_t i = 0; i < HYPERLOGLOG_REGISTERS; i++) {
      unsigned rank = dense_get(set->dense, i);
      if (ranks[i] < rank) ranks[i] = (unsigned char)rank;
    }
    return;
  }
  for (size_t i = 0; i < set->count; i++) {
    unsigned char *rank = &ranks[set->sparse[i] >> 6];
    if (*rank < (set->sparse[i] & RANK_MASK)) *rank = set->sparse[i] & RANK_MASK;
  }
}

uint64_t hyperloglog_count(const hyperloglog *const *sets, size_t n) {
  unsigned char ranks[HYPERLOGLOG_REGISTERS] = {0};
  unsigned histogram[RANK_MASK + 1] = {0};
  for (size_t i = 0; i < n; i++) merge(ranks, sets[i]);
  for (size_t i = 0; i < HYPERLOGLOG_REGISTERS; i++) histogram[ranks[i]]++;
  const double m = HYPERLOGLOG_REGISTERS, alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
  double z = m * tau((m - histogram[RANK_MAX]) / m);
  for (int rank = HASH_BITS_LEFT; rank >= 1; rank--) z = 0.5 * (z + histogram[rank]);
  z += m * sigma(histogram[0] / m);
  return (uint64_t)llround(alpha * m * m / z);
}

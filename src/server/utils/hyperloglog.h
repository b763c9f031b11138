/* How many different things were added, as an estimate of a fixed size (Flajolet and others,
 * "HyperLogLog", 2007; the estimator is Ertl's, "New cardinality estimation algorithms for
 * HyperLogLog sketches", 2017, as in Redis). 2^14 registers of 6 bits: the standard error is 0.81
 * %.
 *
 * A set begins sparse, as a sorted list of the registers in use, 4 bytes each, and becomes dense
 * when that would be as large. Adding costs O(log n) and the move of the list. */
#ifndef UTILS_HYPERLOGLOG_H
#define UTILS_HYPERLOGLOG_H

#include <active_users/types.h>

enum {
  HYPERLOGLOG_BITS = 14,
  HYPERLOGLOG_REGISTERS = 1 << HYPERLOGLOG_BITS,
  HYPERLOGLOG_DENSE_BYTES = HYPERLOGLOG_REGISTERS * 6 / 8,
  HYPERLOGLOG_SPARSE_MAX = HYPERLOGLOG_DENSE_BYTES / 4, /* registers of a sparse set */
};

/* Zero-initialise: an empty set. */
typedef struct hyperloglog {
  uint32_t *sparse;     /* register << 6 | rank, sorted */
  unsigned char *dense; /* NULL: sparse */
  uint16_t count, capacity;
} hyperloglog;

void hyperloglog_free(hyperloglog *set);

/* Adds a thing by its 64-bit hash, which must be a good one. Returns AU_OK, or AU_ENOMEM: nothing
 * changed. */
AU_MUST_CHECK au_status hyperloglog_add(hyperloglog *set, uint64_t hash);

/* Bytes of its allocations. */
size_t hyperloglog_bytes(const hyperloglog *set);

/* The most that one add may allocate beyond that. */
size_t hyperloglog_growth(const hyperloglog *set);

/* The number of different things in all `n` sets together. */
uint64_t hyperloglog_count(const hyperloglog *const *sets, size_t n);

/* A set as bytes, for a file: its registers, sparse or dense; `len` tells which. */
static inline au_slice hyperloglog_image(const hyperloglog *set) {
  if (set->dense) return (au_slice){(const char *)set->dense, HYPERLOGLOG_DENSE_BYTES};
  return (au_slice){(const char *)set->sparse, (size_t)set->count * sizeof *set->sparse};
}

/* Makes a set from such bytes. Returns AU_OK, AU_EINVAL (no such image) or AU_ENOMEM; then the set
 * is empty. */
AU_MUST_CHECK au_status hyperloglog_load(hyperloglog *set, au_slice image);

#endif

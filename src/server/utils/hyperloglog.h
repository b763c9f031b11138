/* How many different things were added, as an estimate of a fixed size (Flajolet and others,
 * "HyperLogLog", 2007; the estimator is Ertl's, "New cardinality estimation algorithms for
 * HyperLogLog sketches", 2017, as in Redis). 2^14 registers of 6 bits: the standard error is 0.81
 * %.
 *
 * A set begins sparse, as a list of the registers in use, 2 bytes each, and becomes dense before
 * that has 4 kB. No allocation is larger: malloc would give it pages of its own. */
#ifndef UTILS_HYPERLOGLOG_H
#define UTILS_HYPERLOGLOG_H

#include <active_users/types.h>

enum {
  HYPERLOGLOG_BITS = 14,
  HYPERLOGLOG_REGISTERS = 1 << HYPERLOGLOG_BITS,
  HYPERLOGLOG_DENSE_BYTES = HYPERLOGLOG_REGISTERS * 6 / 8, /* and the most of an image */
  HYPERLOGLOG_SPARSE_MAX = 2000,                           /* words of a sparse set */
  HYPERLOGLOG_PARTS = 4,                                   /* of a dense set */
};

/* Zero-initialise: an empty set. */
typedef struct hyperloglog {
  /* Sorted: how far a register is behind the one before << 6 | its rank. Rank 0: no register, only
   * a step on the way to one that is far. */
  uint16_t *sparse;
  unsigned char **dense; /* HYPERLOGLOG_PARTS; NULL: sparse */
  uint16_t count, capacity;
  uint16_t last; /* register of the last word */
} hyperloglog;

void hyperloglog_free(hyperloglog *set);

/* Adds a thing by its 64-bit hash, which must be a good one. Returns AU_OK, or AU_ENOMEM: nothing
 * changed. */
AU_MUST_CHECK au_status hyperloglog_add(hyperloglog *set, uint64_t hash);

/* Bytes of its allocations, with what malloc adds. */
size_t hyperloglog_bytes(const hyperloglog *set);

/* The most that one add may add to that. */
size_t hyperloglog_growth(const hyperloglog *set);

/* The number of different things in all `n` sets together. */
uint64_t hyperloglog_count(const hyperloglog *const *sets, size_t n);

/* A set as bytes, for a file, written to `out`: a list of 4 bytes a register where that is shorter,
 * else the registers of 6 bits; the length tells which. */
au_slice hyperloglog_image(const hyperloglog *set, unsigned char out[HYPERLOGLOG_DENSE_BYTES]);

/* Makes a set from such bytes. Returns AU_OK, AU_EINVAL (no such image) or AU_ENOMEM; then the set
 * is empty. */
AU_MUST_CHECK au_status hyperloglog_load(hyperloglog *set, au_slice image);

#endif

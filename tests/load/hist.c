/* A histogram with relative precision. Must not know what it counts. */
#include "hist.h"

#include <math.h>
#include <stddef.h>

/* A value with HIST_STEP_BITS leading bits kept: the shift names the row, the bits the place. */
static size_t bucket_of(uint64_t value) {
  if (value < (uint64_t)2 * HIST_STEPS) return (size_t)value;
  unsigned shift = 63U - (unsigned)__builtin_clzll(value) - HIST_STEP_BITS;
  return (size_t)shift * HIST_STEPS + (size_t)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t top_of(size_t bucket) {
  if (bucket < (size_t)2 * HIST_STEPS) return bucket;
  unsigned shift = (unsigned)(bucket / HIST_STEPS) - 1;
  uint64_t lead = HIST_STEPS + bucket % HIST_STEPS;
  return (lead << shift) + ((UINT64_C(1) << shift) - 1);
}

void hist_add(hist *h, uint64_t value) {
  h->count++;
  if (value > h->max) h->max = value;
  h->buckets[bucket_of(value)]++;
}

uint64_t hist_percentile(const hist *h, double percent) {
  if (h->count == 0) return 0;
  double wanted = ceil(percent / 100.0 * (double)h->count);
  uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted, seen = 0;
  for (size_t i = 0; i < HIST_BUCKETS; i++) {
    seen += h->buckets[i];
    if (seen >= rank) return top_of(i) < h->max ? top_of(i) : h->max;
  }
  return h->max;
}

/* Percentiles of many durations in constant memory: buckets whose width grows with
 * the value, as in an HDR histogram (Tene), so that every answer is within 1 %. */
#ifndef LOAD_HIST_H
#define LOAD_HIST_H

#include <stdint.h>

/* Each power of two is split into HIST_STEPS buckets; below that every value has its own. */
enum {
  HIST_STEP_BITS = 7,
  HIST_STEPS = 1 << HIST_STEP_BITS,
  HIST_BUCKETS = (64 - HIST_STEP_BITS + 1) * HIST_STEPS,
};

/* Zero-initialised is empty. About 60 KiB: keep it off the stack. */
typedef struct hist {
  uint64_t count, max, buckets[HIST_BUCKETS];
} hist;

void hist_add(hist *h, uint64_t value);

/* The smallest value that `percent` of all are not above, at most 1 % too high and never
 * above the largest; 0 when empty. `percent` is 0 to 100. */
uint64_t hist_percentile(const hist *h, double percent);

#endif

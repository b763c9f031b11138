/* Random numbers of one seed: splitmix64. Each part of the simulation has a stream of its own,
 * so that a change of one part does not change what the others draw. */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rng {
  uint64_t state;
} rng;

static inline uint64_t rng_next(rng *r) {
  uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* A stream for a purpose. */
static inline rng rng_of(uint64_t seed, uint64_t purpose) {
  rng r = {seed * 0x9e3779b97f4a7c15u ^ purpose * 0xd1342543de82ef95u};
  (void)rng_next(&r);
  return r;
}

/* 0 to n - 1; n > 0. */
static inline int64_t rng_below(rng *r, int64_t n) {
  return (int64_t)(rng_next(r) % (uint64_t)n);
}

/* Both ends included. */
static inline int64_t rng_between(rng *r, int64_t least, int64_t most) {
  return least + rng_below(r, most - least + 1);
}

static inline bool rng_chance(rng *r, int percent) {
  return rng_below(r, 100) < percent;
}

#endif

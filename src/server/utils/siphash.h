/* SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of 64 bits, for tables whose keys
 * clients choose and for names that nobody without the key can make. */
#ifndef UTILS_SIPHASH_H
#define UTILS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct siphash_state {
  uint64_t v0, v1, v2, v3;
} siphash_state;

static inline uint64_t siphash_rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

static inline void siphash_round(siphash_state *s) {
  s->v0 += s->v1;
  s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
  s->v0 = siphash_rotate(s->v0, 32);
  s->v2 += s->v3;
  s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
  s->v0 += s->v3;
  s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
  s->v2 += s->v1;
  s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
  s->v2 = siphash_rotate(s->v2, 32);
}

static inline void siphash_block(siphash_state *s, uint64_t word) {
  s->v3 ^= word;
  siphash_round(s);
  siphash_round(s);
  s->v0 ^= word;
}

/* Byte by byte, so that it is the published function on any machine; compilers
 * make one load of it. */
static inline uint64_t siphash_load(const unsigned char *p) {
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
         (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* The salt is the first block of the message, not a part of the key: SipHash says
 * nothing about keys that are related. */
static inline uint64_t siphash(uint64_t k0, uint64_t k1, uint64_t salt, const void *bytes,
                               size_t len) {
  siphash_state s = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
  siphash_block(&s, salt);
  const unsigned char *p = (const unsigned char *)bytes;
  size_t left = len;
  for (; left >= 8; p += 8, left -= 8) siphash_block(&s, siphash_load(p));
  uint64_t last = (uint64_t)(len + 8) << 56;
  for (size_t i = 0; i < left; i++) last |= (uint64_t)p[i] << (8 * i);
  siphash_block(&s, last);
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; i++) siphash_round(&s);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif

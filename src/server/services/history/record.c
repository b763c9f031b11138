/* Small floating-point numbers, unsigned, and how four of them share 12 bytes. */
#include "record.h"

#include <math.h>

/* A number of `mantissa` bits and an exponent, in units of 1 / 2^fraction. What is below
 * 2^(mantissa + 1) units is stored as it is; above that the mantissa's leading bit is left out. */
typedef struct small {
  unsigned bits, mantissa, fraction;
} small;

static const small COUNT = {22, 18, 0}, MEAN = {24, 19, 10}, AVERAGE = {22, 17, 10};

static uint32_t pack(const small *s, double value) {
  if (!(value > 0)) return 0;
  double units = ldexp(value, (int)s->fraction);
  uint64_t plain = (uint64_t)2 << s->mantissa, whole = (uint64_t)llround(units);
  if (whole < plain) return (uint32_t)whole;
  int shift = ilogb(units) - (int)s->mantissa;
  if (shift < 1) shift = 1; /* just below `plain`, and rounded up to it */
  whole = (uint64_t)llround(ldexp(units, -shift));
  if (whole == plain) {
    whole >>= 1;
    shift++;
  }
  uint64_t code = (uint64_t)(shift + 1) << s->mantissa | (whole & (plain / 2 - 1));
  uint64_t last = ((uint64_t)1 << s->bits) - 1;
  return (uint32_t)(code < last ? code : last);
}

static double unpack(const small *s, uint32_t code) {
  uint32_t plain = 2u << s->mantissa;
  if (code < plain) return ldexp(code, -(int)s->fraction);
  unsigned shift = (code >> s->mantissa) - 1;
  uint32_t units = (code & (plain / 2 - 1)) | plain / 2;
  return ldexp(units, (int)shift - (int)s->fraction);
}

static uint32_t count_of(double value) {
  return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void put_bits(unsigned char *out, unsigned *at, uint32_t value, unsigned bits) {
  for (unsigned i = 0; i < bits; i++, ++*at)
    if (value >> i & 1) out[*at / 8] |= (unsigned char)(1u << *at % 8);
}

static uint32_t take_bits(const unsigned char *in, unsigned *at, unsigned bits) {
  uint32_t value = 0;
  for (unsigned i = 0; i < bits; i++, ++*at) value |= (uint32_t)(in[*at / 8] >> *at % 8 & 1) << i;
  return value;
}

enum { PARTS_BITS = 6 };
_Static_assert(22 + 22 + 24 + 22 + PARTS_BITS == 8 * AU_RECORD_BYTES, "a record fills its bytes");

void record_pack(const record *r, unsigned char out[AU_RECORD_BYTES]) {
  unsigned at = 0;
  for (int i = 0; i < AU_RECORD_BYTES; i++) out[i] = 0;
  put_bits(out, &at, r->parts < RECORD_PARTS_MAX ? r->parts : RECORD_PARTS_MAX, PARTS_BITS);
  put_bits(out, &at, pack(&COUNT, r->min), COUNT.bits);
  put_bits(out, &at, pack(&COUNT, r->max), COUNT.bits);
  put_bits(out, &at, pack(&MEAN, r->mean), MEAN.bits);
  put_bits(out, &at, pack(&AVERAGE, r->ema), AVERAGE.bits);
}

record record_unpack(const unsigned char bytes[AU_RECORD_BYTES]) {
  unsigned at = 0;
  record r = {.parts = take_bits(bytes, &at, PARTS_BITS)};
  r.min = count_of(unpack(&COUNT, take_bits(bytes, &at, COUNT.bits)));
  r.max = count_of(unpack(&COUNT, take_bits(bytes, &at, COUNT.bits)));
  r.mean = unpack(&MEAN, take_bits(bytes, &at, MEAN.bits));
  r.ema = unpack(&AVERAGE, take_bits(bytes, &at, AVERAGE.bits));
  return r;
}

void record_add(record *r, const record *part, uint32_t weight) {
  if (part->parts == 0 || weight == 0) return;
  if (r->parts == 0 || part->min < r->min) r->min = part->min;
  if (r->parts == 0 || part->max > r->max) r->max = part->max;
  double sum = r->mean * r->parts + part->mean * weight;
  r->parts += weight;
  r->mean = sum / r->parts;
  r->ema = part->ema;
}

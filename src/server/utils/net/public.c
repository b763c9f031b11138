/* Lists of networks that are not public. */
#include "public.h"

#include <string.h>

typedef struct range {
  uint8_t bytes[8]; /* of an IPv4 address the first 4 */
  unsigned bits;
} range;

static const range special_v4[] = {
    {{0}, 8},             /* this network */
    {{10}, 8},            /* private */
    {{100, 64}, 10},      /* shared by carriers */
    {{127}, 8},           /* loopback */
    {{169, 254}, 16},     /* link-local: the metadata services of clouds */
    {{172, 16}, 12},      /* private */
    {{192, 0, 0}, 24},    /* protocol assignments */
    {{192, 0, 2}, 24},    /* documentation */
    {{192, 88, 99}, 24},  /* 6to4 relays */
    {{192, 168}, 16},     /* private */
    {{198, 18}, 15},      /* benchmarks */
    {{198, 51, 100}, 24}, /* documentation */
    {{203, 0, 113}, 24},  /* documentation */
    {{224}, 3},           /* multicast, reserved, broadcast */
};

static const range special_v6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4 */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation */
};

static bool is_in(const uint8_t *bytes, const range *r) {
  unsigned whole = r->bits / 8, rest = r->bits % 8;
  if (memcmp(bytes, r->bytes, whole) != 0) return false;
  return rest == 0 || (bytes[whole] ^ r->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_in_any(const uint8_t *bytes, const range *list, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (is_in(bytes, &list[i])) return true;
  return false;
}

bool net_is_public(const net_addr *addr) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
  const uint8_t *bytes = addr->bytes;
  if (memcmp(bytes, mapped, sizeof mapped) == 0 || memcmp(bytes, nat64, sizeof nat64) == 0)
    return !is_in_any(bytes + 12, special_v4, sizeof special_v4 / sizeof special_v4[0]);
  return bytes[0] >> 5 == 1 &&
         !is_in_any(bytes, special_v6, sizeof special_v6 / sizeof special_v6[0]);
}

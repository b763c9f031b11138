/* Hashes keys to slots; the Redis Cluster specification, "Key distribution model" and
 * "Hash tags". */
#include "slots.h"

#include <string.h>

uint16_t redis_crc16(au_slice bytes) {
  /* For four bits at a time: 32 bytes instead of 512, and a key is short. */
  static const uint16_t of_nibble[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                         0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                         0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
  uint16_t crc = 0;
  for (size_t i = 0; i < bytes.len; i++) {
    uint8_t byte = (uint8_t)bytes.ptr[i];
    crc = (uint16_t)(crc << 4 ^ of_nibble[crc >> 12 ^ byte >> 4]);
    crc = (uint16_t)(crc << 4 ^ of_nibble[crc >> 12 ^ (byte & 15)]);
  }
  return crc;
}

uint16_t redis_slot_of(au_slice key) {
  const char *open = key.len > 0 ? memchr(key.ptr, '{', key.len) : NULL;
  if (open) {
    au_slice tag = {open + 1, (size_t)(key.ptr + key.len - open - 1)};
    const char *close = tag.len > 0 ? memchr(tag.ptr, '}', tag.len) : NULL;
    if (close && close > tag.ptr) key = (au_slice){tag.ptr, (size_t)(close - tag.ptr)};
  }
  return redis_crc16(key) % REDIS_SLOTS;
}

/* Parses a PROXY header to an address. The caller decides whether to trust it. */
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum {
  SIGNATURE_BYTES = 12,
  FIXED_BYTES = 16, /* signature, version and command, family and protocol, length */
  VERSION_2 = 0x20,
  COMMAND_LOCAL = 0,
  COMMAND_PROXY = 1,
  UNSPECIFIED = 0x00,
  TCP_OVER_IPV4 = 0x11,
  TCP_OVER_IPV6 = 0x21,
  IPV4_BYTES = 12, /* two addresses and two ports */
  IPV6_BYTES = 36,
};

static const uint8_t signature[SIGNATURE_BYTES] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                   0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static uint16_t read_u16(const uint8_t *at) {
  return (uint16_t)(at[0] << 8 | at[1]);
}

static void read_ipv4(const uint8_t *at, proxy_header *out) {
  struct sockaddr_in sa = {.sin_family = AF_INET};
  memcpy(&sa.sin_addr, at, 4);
  out->client = net_from_sockaddr((const struct sockaddr *)(const void *)&sa);
  out->client_port = read_u16(at + 8);
  out->has_client = true;
}

static void read_ipv6(const uint8_t *at, proxy_header *out) {
  memcpy(out->client.bytes, at, 16);
  out->client_port = read_u16(at + 32);
  out->has_client = true;
}

/* What the fixed part of the header says of itself, as far as it has come. */
static bool is_well_formed(const uint8_t *at, size_t len) {
  if (len <= SIGNATURE_BYTES) return true;
  uint8_t command = at[12] & 0x0f;
  if ((at[12] & 0xf0) != VERSION_2 || command > COMMAND_PROXY) return false;
  if (len < FIXED_BYTES) return true;
  uint16_t length = read_u16(at + 14);
  if (length > PROXY_PROTOCOL_MAX_BYTES - FIXED_BYTES) return false;
  if (command == COMMAND_LOCAL) return true;
  switch (at[13]) {
  case UNSPECIFIED: return true;
  case TCP_OVER_IPV4: return length >= IPV4_BYTES;
  case TCP_OVER_IPV6: return length >= IPV6_BYTES;
  default: return false;
  }
}

proxy_result proxy_protocol_parse(const char *bytes, size_t len, proxy_header *out) {
  const uint8_t *at = (const uint8_t *)bytes;
  size_t compared = len < SIGNATURE_BYTES ? len : SIGNATURE_BYTES;
  if (compared > 0 && memcmp(at, signature, compared) != 0) return PROXY_NONE;
  if (!is_well_formed(at, len)) return PROXY_BAD;
  if (len < FIXED_BYTES) return PROXY_MORE;
  size_t whole = FIXED_BYTES + (size_t)read_u16(at + 14);
  if (len < whole) return PROXY_MORE;
  *out = (proxy_header){.used = whole};
  if ((at[12] & 0x0f) == COMMAND_PROXY && at[13] == TCP_OVER_IPV4) read_ipv4(at + FIXED_BYTES, out);
  if ((at[12] & 0x0f) == COMMAND_PROXY && at[13] == TCP_OVER_IPV6) read_ipv6(at + FIXED_BYTES, out);
  return PROXY_OK;
}

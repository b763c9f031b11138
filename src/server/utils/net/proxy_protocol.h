/* The header of PROXY protocol version 2 (haproxy, doc/proxy-protocol.txt), which a proxy
 * sends before the first byte of a connection. Pure: bytes to an address. Whether the peer
 * may say so is for the caller to know. */
#ifndef UTILS_PROXY_PROTOCOL_H
#define UTILS_PROXY_PROTOCOL_H

#include <stdint.h>

#include "net.h"

enum { PROXY_PROTOCOL_MAX_BYTES = 536 }; /* of a header; what the protocol promises to fit */

typedef enum proxy_result {
  PROXY_MORE, /* so far it is one, or the beginning of its signature */
  PROXY_NONE, /* it is none: the bytes are the client's */
  PROXY_OK,
  PROXY_BAD, /* it has the signature, and then is wrong: the connection is to be closed */
} proxy_result;

typedef struct proxy_header {
  size_t used;     /* bytes of the header; what follows is the client's */
  bool has_client; /* false: the proxy speaks for itself (LOCAL, a health check) */
  net_addr client;
  uint16_t client_port;
} proxy_header;

/* Reads a header from the first `len` bytes of a connection; `out` is set on PROXY_OK only.
 * Commands LOCAL and PROXY, the latter over TCP with IPv4 or IPv6, or unspecified, which is
 * as LOCAL. What follows the addresses (TLVs) is skipped. */
proxy_result proxy_protocol_parse(const char *bytes, size_t len, proxy_header *out);

#endif

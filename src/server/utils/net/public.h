/* Which addresses are of the public internet. Pure. */
#ifndef UTILS_NET_PUBLIC_H
#define UTILS_NET_PUBLIC_H

#include "net.h"

/* Whether an address is globally reachable, as IANA's registries of special-purpose addresses say
 * (RFC 6890): not loopback, private, link-local, shared, for documentation, multicast or reserved.
 * Of an IPv6 address that stands for an IPv4 one (mapped, NAT64) the IPv4 one counts; 6to4, Teredo
 * and what is outside of 2000::/3 are not public. */
bool net_is_public(const net_addr *addr);

#endif

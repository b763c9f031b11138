/* Internet addresses: text, lists of networks, and whom a limit counts. */
#ifndef UTILS_NET_H
#define UTILS_NET_H

#include <active_users/types.h>
#include <sys/socket.h>

/* IPv4 is kept as ::ffff:a.b.c.d, so that both spellings are one address. */
typedef struct net_addr {
  uint8_t bytes[16];
} net_addr;

/* All zeros for a family other than IPv4 and IPv6. */
net_addr net_from_sockaddr(const struct sockaddr *sa);

/* Reads `192.0.2.1` or `2001:db8::1`, and nothing else. */
bool net_parse(au_slice text, net_addr *out);

/* The same as proxies write it: spaces around, IPv6 in brackets, a port behind. */
bool net_parse_forwarded(au_slice text, net_addr *out);

/* 127.0.0.0/8 and ::1. */
bool net_is_loopback(const net_addr *addr);

enum { NET_KEY_V4_BYTES = 16, NET_KEY_V6_BYTES = 8 };

/* What a limit counts as one: an IPv4 address, or the /64 of an IPv6 address,
 * since one host has all of that. Points into `addr`; its length tells the two apart. */
au_slice net_key(const net_addr *addr);

typedef struct net_list net_list;

/* A comma list of `address` or `address/bits`; "" is an empty list. Returns AU_OK,
 * AU_EINVAL or AU_ENOMEM. */
AU_MUST_CHECK au_status net_list_parse(const char *text, net_list **out);
/* The first item of a list that is no network; empty where each is one. Points into `text`. */
au_slice net_list_fault(const char *text);
void net_list_free(net_list *list);
bool net_list_has(const net_list *list, const net_addr *addr);

#endif

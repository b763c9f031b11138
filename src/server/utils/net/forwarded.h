/* Who sent a request, by what proxies wrote into its head: X-Forwarded-For, or Forwarded
 * (RFC 7239). Knows no requests. */
#ifndef UTILS_FORWARDED_H
#define UTILS_FORWARDED_H

#include "net.h"

/* The peer, or when that is a trusted proxy the last address of the list that is none: lists
 * are read from the right, because only what a proxy of ours appended is to be believed. A
 * part that holds no address ends the search: what stands before it could be anybody's word.
 *
 * x_forwarded_for  the joined lines of that header; empty when it did not come.
 * forwarded        the joined lines of Forwarded, read only without the other one: proxies
 *                  append to one of the two, and a client may have sent the other. */
net_addr forwarded_client(net_addr peer, au_slice x_forwarded_for, au_slice forwarded,
                          const net_list *trusted);

#endif

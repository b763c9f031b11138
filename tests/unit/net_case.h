/* Addresses of tests about the network. */
#ifndef NET_CASE_H
#define NET_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exact.h"
#include "utils/net/net.h"

/* As inet_ntop writes it; IPv4 with its prefix. Until the next call. */
const char *text_of(const net_addr *addr);

net_addr addr_of(const char *text);

#endif

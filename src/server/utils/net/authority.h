/* The `host:port` of a URL, for an address that a daemon listens on. */
#ifndef UTILS_AUTHORITY_H
#define UTILS_AUTHORITY_H

#include <stdint.h>

enum { AUTHORITY_SIZE = 300 };

/* An address of this machine that reaches a listener: a wildcard is no address to connect to. */
const char *authority_reachable(const char *host);

/* "127.0.0.1:3001", or "[::1]:3001". */
void authority_print(char out[AUTHORITY_SIZE], const char *host, uint16_t port);

#endif

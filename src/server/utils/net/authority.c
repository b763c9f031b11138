/* Prints `host:port` as URLs have it. */
#include "authority.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *authority_reachable(const char *host) {
  if (strcmp(host, "0.0.0.0") == 0) return "127.0.0.1";
  if (strcmp(host, "::") == 0) return "::1";
  return host;
}

void authority_print(char out[AUTHORITY_SIZE], const char *host, uint16_t port) {
  bool v6 = strchr(host, ':') != NULL;
  snprintf(out, AUTHORITY_SIZE, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", (unsigned)port);
}

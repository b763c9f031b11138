/* Addresses of the machine itself. Opens nothing and asks no resolver. */
#include "target.h"

#include "utils/buffer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static au_status refuse(char *problem, const char *text, const char *why) {
  snprintf(problem, TARGET_PROBLEM_SIZE, "%.60s %s", text, why);
  return AU_EINVAL;
}

static const char *skip(const char *text, const char *prefix) {
  size_t len = strlen(prefix);
  return strncmp(text, prefix, len) == 0 ? text + len : text;
}

/* 1 to 65535, and nothing behind it but a slash. */
static bool parse_port(const char *text, uint16_t *out) {
  unsigned long port = 0;
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 5) return false;
  for (size_t i = 0; i < digits; i++) port = port * 10 + (unsigned long)(text[i] - '0');
  const char *rest = text + digits;
  if (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0) return false;
  *out = (uint16_t)port;
  return port > 0 && port <= UINT16_MAX;
}

static bool is_loopback(const target *t) {
  if (t->address.ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&t->address;
    return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&t->address)->sin6_addr);
}

static bool parse_address(const char *host, uint16_t port, target *out) {
  struct sockaddr_in *in = (struct sockaddr_in *)&out->address;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->address;
  if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    return true;
  }
  if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    return true;
  }
  return false;
}

au_status target_parse(const char *text, target *out, char problem[TARGET_PROBLEM_SIZE]) {
  memset(out, 0, sizeof *out);
  const char *at = skip(text, "http://");
  if (at == text) at = skip(text, "ws://");
  bool bracket = *at == '[';
  const char *end = bracket ? strchr(at, ']') : strchr(at, ':');
  const char *colon = end && bracket ? end + 1 : end;
  char host[INET6_ADDRSTRLEN] = "";
  uint16_t port = 0;
  size_t len = end ? (size_t)(end - at) - bracket : 0;
  if (!end || *colon != ':' || len >= sizeof host || !parse_port(colon + 1, &port))
    return refuse(problem, text,
                  "is no address of this machine and a port, such as http://127.0.0.1:3001");
  memcpy(host, at + bracket, len);
  if (!bracket && strcmp(host, "localhost") == 0) strcpy(host, "127.0.0.1");
  if (!parse_address(host, port, out) || !is_loopback(out))
    return refuse(problem, text,
                  "is refused: load goes to this machine only (127.0.0.0/8 or [::1])");
  snprintf(out->host, sizeof out->host, bracket ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
  return AU_OK;
}

struct sockaddr_storage target_source(const target *t, unsigned number) {
  struct sockaddr_storage source = {.ss_family = t->address.ss_family};
  if (source.ss_family == AF_INET) {
    unsigned which = number / TARGET_SOCKETS_A_SOURCE % TARGET_MAX_SOURCES;
    ((struct sockaddr_in *)&source)->sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + which);
  } else {
    ((struct sockaddr_in6 *)&source)->sin6_addr = in6addr_loopback;
  }
  return source;
}

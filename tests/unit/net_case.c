#include "net_case.h"

#include "utils/buffer.h"

#include <arpa/inet.h>

const char *text_of(const net_addr *addr) {
  static char text[INET6_ADDRSTRLEN];
  assert_non_null(inet_ntop(AF_INET6, addr->bytes, text, sizeof text));
  return text;
}

net_addr addr_of(const char *text) {
  net_addr addr;
  if (!net_parse(slice_of(text), &addr)) fail_msg("%s: no address", text);
  return addr;
}

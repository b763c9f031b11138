/* Addresses and networks. */
#include "net.h"

#include "utils/buffer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { NET_TEXT_MAX = 64, NET_LIST_MAX = 1024 };

typedef struct network {
  net_addr addr;
  unsigned bits; /* of 128 */
} network;

struct net_list {
  size_t count;
  network networks[];
};

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const net_addr *addr) {
  return memcmp(addr->bytes, v4_prefix, 12) == 0;
}

net_addr net_from_sockaddr(const struct sockaddr *sa) {
  net_addr out = {{0}};
  if (sa->sa_family == AF_INET) {
    memcpy(out.bytes, v4_prefix, 12);
    memcpy(out.bytes + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
  } else if (sa->sa_family == AF_INET6) {
    memcpy(out.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
  }
  return out;
}

bool net_parse(au_slice text, net_addr *out) {
  char copy[NET_TEXT_MAX];
  if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len)) return false;
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  memcpy(out->bytes, v4_prefix, 12);
  return inet_pton(AF_INET, copy, out->bytes + 12) == 1 ||
         inet_pton(AF_INET6, copy, out->bytes) == 1;
}

/* ":1" to ":65535". */
static bool is_port(au_slice text) {
  uint64_t port;
  return text.len > 0 && text.ptr[0] == ':' &&
         slice_digits((au_slice){text.ptr + 1, text.len - 1}, 5, &port) && port > 0 &&
         port <= 65535;
}

bool net_parse_forwarded(au_slice text, net_addr *out) {
  text = slice_trim(text);
  if (net_parse(text, out)) return true;
  const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
  if (text.len && text.ptr[0] == '[') {
    const char *end = memchr(text.ptr, ']', text.len);
    if (!end) return false;
    au_slice behind = {end + 1, text.len - (size_t)(end + 1 - text.ptr)};
    au_slice inside = {text.ptr + 1, (size_t)(end - text.ptr - 1)};
    return (behind.len == 0 || is_port(behind)) && memchr(inside.ptr, ':', inside.len) &&
           net_parse(inside, out);
  }
  if (!colon) return false;
  au_slice address = {text.ptr, (size_t)(colon - text.ptr)};
  return is_port((au_slice){colon, text.len - address.len}) &&
         !memchr(address.ptr, ':', address.len) && net_parse(address, out);
}

bool net_is_loopback(const net_addr *addr) {
  static const uint8_t v6[16] = {[15] = 1};
  return is_v4(addr) ? addr->bytes[12] == 127 : memcmp(addr->bytes, v6, sizeof v6) == 0;
}

au_slice net_key(const net_addr *addr) {
  return (au_slice){(const char *)addr->bytes, is_v4(addr) ? NET_KEY_V4_BYTES : NET_KEY_V6_BYTES};
}

/* `address` or `address/bits`. */
static bool parse_network(au_slice text, network *out) {
  const char *slash = memchr(text.ptr, '/', text.len);
  au_slice address = {text.ptr, slash ? (size_t)(slash - text.ptr) : text.len};
  if (!net_parse(address, &out->addr)) return false;
  unsigned max_bits = is_v4(&out->addr) && !memchr(address.ptr, ':', address.len) ? 32 : 128;
  uint64_t bits = max_bits;
  if (slash) {
    au_slice digits = {slash + 1, text.len - address.len - 1};
    if (!slice_digits(digits, 3, &bits) || bits > max_bits) return false;
  }
  out->bits = (unsigned)bits + (128 - max_bits);
  return true;
}

au_status net_list_parse(const char *text, net_list **out) {
  size_t capacity = 1;
  for (const char *c = text; *c; c++) capacity += *c == ',';
  if (capacity > NET_LIST_MAX) return AU_EINVAL;
  net_list *list = calloc(1, sizeof *list + capacity * sizeof list->networks[0]);
  if (!list) return AU_ENOMEM;
  au_slice rest = slice_of(text), part;
  while (slice_next(&rest, ',', &part)) {
    part = slice_trim(part);
    if (part.len == 0) continue;
    if (!parse_network(part, &list->networks[list->count])) {
      free(list);
      return AU_EINVAL;
    }
    list->count++;
  }
  *out = list;
  return AU_OK;
}

au_slice net_list_fault(const char *text) {
  au_slice rest = slice_of(text), part;
  network parsed;
  while (slice_next(&rest, ',', &part)) {
    part = slice_trim(part);
    if (part.len > 0 && !parse_network(part, &parsed)) return part;
  }
  return (au_slice){text, 0};
}

void net_list_free(net_list *list) {
  free(list);
}

bool net_list_has(const net_list *list, const net_addr *addr) {
  for (size_t i = 0; i < list->count; i++) {
    const network *n = &list->networks[i];
    unsigned bytes = n->bits / 8, bits = n->bits % 8;
    if (memcmp(n->addr.bytes, addr->bytes, bytes) != 0) continue;
    if (bits == 0 || (n->addr.bytes[bytes] ^ addr->bytes[bytes]) >> (8 - bits) == 0) return true;
  }
  return false;
}

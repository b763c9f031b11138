/* What proxies say of their clients. The first byte says what the rest is: 0: the beginning of a
 * connection with a PROXY header; 1: three lines, trusted proxies, X-Forwarded-For, Forwarded;
 * 2: a query or a path with escapes; else an address. */
#include "fuzz.h"

#include "utils/buffer.h"
#include "utils/net/forwarded.h"
#include "utils/net/proxy_protocol.h"
#include "utils/text/query.h"

#include <stdlib.h>
#include <string.h>

/* A verdict on some bytes does not change when more come. */
static void proxy(const char *bytes, size_t len) {
  proxy_header header = {0}, before = {0};
  proxy_result result = proxy_protocol_parse(bytes, len, &header);
  must(result != PROXY_OK || (header.used <= len && header.used <= PROXY_PROTOCOL_MAX_BYTES));
  for (size_t cut = 0; cut < len && cut < PROXY_PROTOCOL_MAX_BYTES; cut++) {
    char *piece = fuzz_copy(bytes, cut);
    proxy_result early = proxy_protocol_parse(piece, cut, &before);
    must(early == PROXY_MORE || early == result);
    if (early == PROXY_OK)
      must(before.used == header.used && before.has_client == header.has_client);
    free(piece);
  }
}

static bool same(const net_addr *a, const net_addr *b) {
  return memcmp(a, b, sizeof *a) == 0;
}

/* Without trust a header changes nothing; with it, who is named is no trusted proxy unless nobody
 * else is named. */
static void forwarded(char *text) {
  char *rest = text, *trusted = fuzz_cut(&rest, '\n');
  const char *x_forwarded_for = fuzz_cut(&rest, '\n'), *lines = fuzz_cut(&rest, '\n');
  au_slice first = slice_of(x_forwarded_for ? x_forwarded_for : "");
  au_slice second = slice_of(lines ? lines : "");
  net_addr peer;
  net_list *list, *nobody;
  must(net_parse(slice_of("192.0.2.1"), &peer));
  must(net_list_parse("", &nobody) == AU_OK);
  net_addr client = forwarded_client(peer, first, second, nobody);
  must(same(&client, &peer));
  net_list_free(nobody);
  if (net_list_parse(trusted, &list) != AU_OK) return;
  client = forwarded_client(peer, first, second, list);
  must(net_list_has(list, &peer) || same(&client, &peer));
  net_list_free(list);
}

static void query(const char *text) {
  char out[64];
  size_t len;
  query_result result = query_get(slice_of(text), "customerId", out, sizeof out, &len);
  must(result != QUERY_ONE || len <= sizeof out);
  must(!percent_decode(slice_of(text), out, sizeof out, &len) || len <= sizeof out);
}

static void address(const char *bytes, size_t len) {
  net_addr plain, loose;
  bool parsed = net_parse((au_slice){bytes, len}, &plain);
  if (parsed) must(net_parse_forwarded((au_slice){bytes, len}, &loose) && same(&plain, &loose));
  if (net_parse_forwarded((au_slice){bytes, len}, &loose)) {
    au_slice key = net_key(&loose);
    must(key.len == NET_KEY_V4_BYTES || key.len == NET_KEY_V6_BYTES);
    (void)net_is_loopback(&loose);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t kind = fuzz_byte(&in);
  char *bytes = fuzz_copy(in.at, in.left), *text = fuzz_text(&in);
  switch (kind) {
  case 0: proxy(bytes, in.left); break;
  case 1: forwarded(text); break;
  case 2: query(text); break;
  default: address(bytes, in.left);
  }
  free(bytes);
  free(text);
  return 0;
}

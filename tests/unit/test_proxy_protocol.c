/* Headers of PROXY protocol version 2, whole and cut at each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exact.h"
#include "utils/buffer.h"
#include "utils/net/proxy_protocol.h"

#include <stdlib.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 \
  "\xcb\x00\x71\x07\x0a\x00\x00\x01\xc7\x38\x0b\xb9" /* 203.0.113.7:51000 to 10.0.0.1:3001 */
#define V6                                     \
  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07" \
  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xc7\x38\x0b\xb9" /* 2001:db8::7 */
#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
  const char *name;
  const char *bytes;
  size_t len;
  proxy_result want;
  const char *client; /* NULL: none */
} cases[] = {
    {"IPv4", TEXT(SIGNATURE "\x21\x11\x00\x0c" V4), PROXY_OK, "203.0.113.7"},
    {"IPv6", TEXT(SIGNATURE "\x21\x21\x00\x24" V6), PROXY_OK, "2001:db8::7"},
    {"IPv4 and TLVs", TEXT(SIGNATURE "\x21\x11\x00\x13" V4 "\x04\x00\x04\0\0\0\0"), PROXY_OK,
     "203.0.113.7"},
    {"a TLV that is longer than the header says",
     TEXT(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\xff\xff"), PROXY_OK, "203.0.113.7"},
    {"local", TEXT(SIGNATURE "\x20\x00\x00\x00"), PROXY_OK, NULL},
    {"local, with addresses that mean nothing", TEXT(SIGNATURE "\x20\x11\x00\x0c" V4), PROXY_OK,
     NULL},
    {"local of an unknown family", TEXT(SIGNATURE "\x20\x77\x00\x02zz"), PROXY_OK, NULL},
    {"unspecified", TEXT(SIGNATURE "\x21\x00\x00\x03\x01\x02\x03"), PROXY_OK, NULL},
    {"version 1", TEXT("PROXY TCP4 203.0.113.7 10.0.0.1 51000 3001\r\n"), PROXY_NONE, NULL},
    {"a request", TEXT("GET / HTTP/1.1\r\n"), PROXY_NONE, NULL},
    {"empty lines before a request", TEXT("\r\n\r\nGET / HTTP/1.1\r\n"), PROXY_NONE, NULL},
    {"another signature", TEXT("\r\n\r\n\0\r\nQUIT\r"), PROXY_NONE, NULL},
    {"version 1 in a header of 2", TEXT(SIGNATURE "\x11\x11\x00\x0c" V4), PROXY_BAD, NULL},
    {"version 3", TEXT(SIGNATURE "\x31\x11\x00\x0c" V4), PROXY_BAD, NULL},
    {"an unknown command", TEXT(SIGNATURE "\x22\x11\x00\x0c" V4), PROXY_BAD, NULL},
    {"UDP", TEXT(SIGNATURE "\x21\x12\x00\x0c" V4), PROXY_BAD, NULL},
    {"a UNIX socket", TEXT(SIGNATURE "\x21\x31\x00\xd8"), PROXY_BAD, NULL},
    {"an unknown family", TEXT(SIGNATURE "\x21\x41\x00\x0c" V4), PROXY_BAD, NULL},
    {"too short for IPv4", TEXT(SIGNATURE "\x21\x11\x00\x0b" V4), PROXY_BAD, NULL},
    {"too short for IPv6", TEXT(SIGNATURE "\x21\x21\x00\x23" V6), PROXY_BAD, NULL},
    {"longer than 536", TEXT(SIGNATURE "\x21\x11\x02\x09"), PROXY_BAD, NULL},
    {"as long as can be said", TEXT(SIGNATURE "\x20\x00\xff\xff"), PROXY_BAD, NULL},
};

static proxy_result parse(const char *bytes, size_t len, proxy_header *out) {
  au_slice copy = exact_bytes(bytes, len);
  proxy_result result = proxy_protocol_parse(copy.ptr, len, out);
  release(copy);
  return result;
}

static void whole_headers(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    proxy_header header = {.used = 99};
    proxy_result got = parse(cases[i].bytes, cases[i].len, &header);
    if (got != cases[i].want) fail_msg("%s: %d", cases[i].name, (int)got);
    if (got != PROXY_OK) {
      assert_int_equal(header.used, 99);
      continue;
    }
    if (header.used != cases[i].len) fail_msg("%s: %zu used", cases[i].name, header.used);
    if (header.has_client != (cases[i].client != NULL)) fail_msg("%s: client", cases[i].name);
    if (!cases[i].client) continue;
    net_addr want;
    assert_true(net_parse(slice_of(cases[i].client), &want));
    if (memcmp(&want, &header.client, sizeof want) != 0) fail_msg("%s: address", cases[i].name);
    assert_int_equal(header.client_port, 51000);
  }
}

/* Cut behind each byte, a good header wants more; a bad one does until it is bad, and then
 * stays so. */
static void every_cut(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool is_over = false;
    for (size_t len = 0; len < cases[i].len; len++) {
      proxy_header header = {.used = 99};
      proxy_result got = parse(cases[i].bytes, len, &header);
      bool may_be_over = cases[i].want == PROXY_NONE || cases[i].want == PROXY_BAD;
      if (got != PROXY_MORE && !(may_be_over && got == cases[i].want))
        fail_msg("%s, cut at %zu: %d", cases[i].name, len, (int)got);
      if (is_over && got == PROXY_MORE) fail_msg("%s, cut at %zu", cases[i].name, len);
      is_over = got != PROXY_MORE;
      assert_int_equal(header.used, 99);
    }
  }
}

static void what_follows_is_the_clients(void **state) {
  (void)state;
  proxy_header header;
  static const char bytes[] = SIGNATURE "\x21\x11\x00\x0c" V4 "GET / HTTP/1.1\r\n";
  assert_int_equal(parse(bytes, sizeof bytes - 1, &header), PROXY_OK);
  assert_int_equal(header.used, 28);
}

static void the_longest(void **state) {
  (void)state;
  char bytes[PROXY_PROTOCOL_MAX_BYTES] = SIGNATURE "\x21\x11\x02\x08" V4;
  proxy_header header;
  assert_int_equal(parse(bytes, sizeof bytes - 1, &header), PROXY_MORE);
  assert_int_equal(parse(bytes, sizeof bytes, &header), PROXY_OK);
  assert_int_equal(header.used, PROXY_PROTOCOL_MAX_BYTES);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whole_headers),
      cmocka_unit_test(every_cut),
      cmocka_unit_test(what_follows_is_the_clients),
      cmocka_unit_test(the_longest),
  };
  return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}

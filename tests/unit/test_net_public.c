/* Tests of which addresses are public: each range at both of its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/buffer.h"
#include "utils/net/public.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void expect(const char *const *texts, size_t n, bool want) {
  for (size_t i = 0; i < n; i++) {
    net_addr addr;
    if (!net_parse(slice_of(texts[i]), &addr)) fail_msg("%s: no address", texts[i]);
    if (net_is_public(&addr) != want) fail_msg("%s: %s", texts[i], want ? "not public" : "public");
  }
}

static void not_public(void **state) {
  (void)state;
  static const char *const texts[] = {
      "0.0.0.0",
      "0.255.255.255",
      "10.0.0.0",
      "10.255.255.255",
      "100.64.0.0",
      "100.127.255.255",
      "127.0.0.1",
      "127.255.255.255",
      "169.254.0.0",
      "169.254.169.254",
      "172.16.0.0",
      "172.31.255.255",
      "192.0.0.0",
      "192.0.0.255",
      "192.0.2.1",
      "192.88.99.1",
      "192.168.0.0",
      "192.168.255.255",
      "198.18.0.0",
      "198.19.255.255",
      "198.51.100.1",
      "203.0.113.255",
      "224.0.0.1",
      "239.255.255.255",
      "240.0.0.0",
      "255.255.255.255",
      "::",
      "::1",
      "::127.0.0.1",
      "::ffff:127.0.0.1",
      "::ffff:10.0.0.1",
      "64:ff9b::127.0.0.1",
      "64:ff9b::169.254.169.254",
      "64:ff9b:1::1",
      "100::1",
      "2001::1",
      "2001:1ff:ffff::1",
      "2001:db8::1",
      "2002:7f00:1::1",
      "2002:808:808::1",
      "3fff::1",
      "4000::1",
      "5f00::1",
      "fc00::1",
      "fdff:ffff::1",
      "fe80::1",
      "febf::1",
      "fec0::1",
      "ff02::1",
      "1fff:ffff::1",
  };
  expect(texts, COUNT(texts), false);
}

static void public(void **state) {
  (void)state;
  static const char *const texts[] = {
      "1.0.0.0",
      "9.255.255.255",
      "11.0.0.0",
      "100.63.255.255",
      "100.128.0.0",
      "126.255.255.255",
      "128.0.0.0",
      "169.253.255.255",
      "169.255.0.0",
      "172.15.255.255",
      "172.32.0.0",
      "191.255.255.255",
      "192.0.1.0",
      "192.0.3.0",
      "192.167.255.255",
      "192.169.0.0",
      "198.17.255.255",
      "198.20.0.0",
      "223.255.255.255",
      "8.8.8.8",
      "::ffff:8.8.8.8",
      "64:ff9b::8.8.8.8",
      "2000::1",
      "2001:200::1",
      "2001:4860:4860::8888",
      "2003::1",
      "2606:4700::1111",
      "3ffe::1",
  };
  expect(texts, COUNT(texts), true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(not_public),
      cmocka_unit_test(public),
  };
  return cmocka_run_group_tests_name("net_public", tests, NULL, NULL);
}

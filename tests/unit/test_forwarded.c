/* Tests of whom to believe about an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net_case.h"
#include "utils/buffer.h"
#include "utils/net/forwarded.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void who_sent_a_request(void **state) {
  (void)state;
  static const char proxies[] = "10.0.0.0/8, 2001:db8:aaaa::/48";
  static const struct {
    const char *name, *proxies, *peer, *forwarded, *want;
  } cases[] = {
      {"no header", proxies, "10.0.0.1", "", "10.0.0.1"},
      {"a proxy's word", proxies, "10.0.0.1", "203.0.113.7", "203.0.113.7"},
      {"a stranger's word", proxies, "198.51.100.1", "203.0.113.7", "198.51.100.1"},
      {"nobody is trusted", "", "10.0.0.1", "203.0.113.7", "10.0.0.1"},
      {"a stranger who names a proxy", proxies, "198.51.100.1", "10.0.0.1", "198.51.100.1"},
      {"the client wrote a line of its own", proxies, "10.0.0.1", "1.2.3.4, 203.0.113.7",
       "203.0.113.7"},
      {"the client wrote many", proxies, "10.0.0.1", "10.0.0.9, 1.2.3.4, 5.6.7.8, 203.0.113.7",
       "203.0.113.7"},
      {"the client named a proxy", proxies, "10.0.0.1", "10.0.0.9, 203.0.113.7", "203.0.113.7"},
      {"two proxies", proxies, "10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"},
      {"three proxies", proxies, "10.0.0.1", "203.0.113.7,10.0.0.2,10.0.0.3", "203.0.113.7"},
      {"two proxies and a forged part", proxies, "10.0.0.1", "1.2.3.4, 203.0.113.7, 10.0.0.2",
       "203.0.113.7"},
      {"only proxies: the first", proxies, "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
      {"a stranger between proxies", proxies, "10.0.0.1", "10.0.0.3, 198.51.100.1, 10.0.0.2",
       "198.51.100.1"},
      {"garbage", proxies, "10.0.0.1", "unknown", "10.0.0.1"},
      {"garbage before the client", proxies, "10.0.0.1", "<script>, 203.0.113.7", "203.0.113.7"},
      {"garbage behind a proxy ends it", proxies, "10.0.0.1", "1.2.3.4, unknown, 10.0.0.2",
       "10.0.0.2"},
      {"garbage at the end", proxies, "10.0.0.1", "203.0.113.7, unknown", "10.0.0.1"},
      {"an empty part at the end", proxies, "10.0.0.1", "203.0.113.7,", "10.0.0.1"},
      {"an empty part at the beginning", proxies, "10.0.0.1", ",10.0.0.2", "10.0.0.2"},
      {"only a comma", proxies, "10.0.0.1", ",", "10.0.0.1"},
      {"only spaces", proxies, "10.0.0.1", "  ", "10.0.0.1"},
      {"spaces and tabs", proxies, "10.0.0.1", " 1.2.3.4 ,\t203.0.113.7 \t", "203.0.113.7"},
      {"no comma between two", proxies, "10.0.0.1", "1.2.3.4 203.0.113.7", "10.0.0.1"},
      {"with a port", proxies, "10.0.0.1", "203.0.113.7:51000", "203.0.113.7"},
      {"a proxy with a port", proxies, "10.0.0.1", "203.0.113.7, 10.0.0.2:443", "203.0.113.7"},
      {"IPv6 by an IPv4 proxy", proxies, "10.0.0.1", "2001:db8::7", "2001:db8::7"},
      {"IPv6 in brackets", proxies, "10.0.0.1", "[2001:db8::7]:51000", "2001:db8::7"},
      {"an IPv6 proxy", proxies, "2001:db8:aaaa::1", "203.0.113.7", "203.0.113.7"},
      {"proxies of both kinds", proxies, "10.0.0.1", "203.0.113.7, 2001:db8:aaaa::2",
       "203.0.113.7"},
      {"a proxy on an IPv6 listener", proxies, "::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"},
      {"a proxy in the other spelling", proxies, "10.0.0.1", "203.0.113.7, ::ffff:10.0.0.2",
       "203.0.113.7"},
      {"a network is no address", proxies, "10.0.0.1", "203.0.113.0/24", "10.0.0.1"},
      {"everybody is trusted", "0.0.0.0/0,::/0", "10.0.0.1", "203.0.113.7, 198.51.100.1",
       "203.0.113.7"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    net_list *list = NULL;
    assert_int_equal(net_list_parse(cases[i].proxies, &list), AU_OK);
    au_slice forwarded = exact(cases[i].forwarded);
    net_addr got = forwarded_client(addr_of(cases[i].peer), forwarded, (au_slice){NULL, 0}, list);
    release(forwarded);
    net_addr want = addr_of(cases[i].want);
    if (memcmp(&got, &want, sizeof got) != 0)
      fail_msg("%s: %s and not %s", cases[i].name, text_of(&got), cases[i].want);
    net_list_free(list);
  }
}

/* All from a trusted peer, 10.0.0.1. */
static void forwarded_of_rfc_7239(void **state) {
  (void)state;
  static const struct {
    const char *name, *forwarded, *want;
  } cases[] = {
      {"nothing", "", "10.0.0.1"},
      {"IPv4", "for=203.0.113.7", "203.0.113.7"},
      {"any case, any order", "proto=https;FOR=203.0.113.7;by=10.0.0.9", "203.0.113.7"},
      {"spaces around", " for=203.0.113.7 ; proto=http ", "203.0.113.7"},
      {"IPv4 in quotes, with a port", "for=\"203.0.113.7:47011\"", "203.0.113.7"},
      {"IPv6", "For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
      {"IPv6 without a port", "for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"},
      {"the last that is no proxy", "for=1.2.3.4, for=203.0.113.7, for=10.0.0.2", "203.0.113.7"},
      {"no spaces", "for=1.2.3.4,for=203.0.113.7,for=10.0.0.2", "203.0.113.7"},
      {"a comma between quotes", "for=1.2.3.4, for=203.0.113.7;host=\"a,b\"", "203.0.113.7"},
      {"a semicolon at the end", "for=203.0.113.7;", "203.0.113.7"},
      {"a hidden one ends the search", "for=1.2.3.4, for=_hidden, for=10.0.0.2", "10.0.0.2"},
      {"an unknown one ends it", "for=1.2.3.4, for=unknown", "10.0.0.1"},
      {"an element without for", "for=1.2.3.4, proto=https", "10.0.0.1"},
      {"an empty element", "for=1.2.3.4,", "10.0.0.1"},
      {"for twice", "for=1.2.3.4;for=203.0.113.7", "10.0.0.1"},
      {"no pair", "for=203.0.113.7;https", "10.0.0.1"},
      {"an address alone", "203.0.113.7", "10.0.0.1"},
      {"an open quote by the client", "for=\"1.2.3.4, for=203.0.113.7", "203.0.113.7"},
      {"a quote closed by the client", "for=x\", for=203.0.113.7", "203.0.113.7"},
      {"an open quote at the end", "for=1.2.3.4, for=\"203.0.113.7", "10.0.0.1"},
      {"an escape", "for=\"203.0.113.\\7\"", "10.0.0.1"},
      {"one quote", "for=\"", "10.0.0.1"},
      {"no value", "for=", "10.0.0.1"},
      {"a longer name", "forx=203.0.113.7", "10.0.0.1"},
      {"a space before the equals sign", "for =203.0.113.7", "10.0.0.1"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    net_list *list = NULL;
    assert_int_equal(net_list_parse("10.0.0.0/8", &list), AU_OK);
    au_slice forwarded = exact(cases[i].forwarded);
    net_addr got = forwarded_client(addr_of("10.0.0.1"), (au_slice){NULL, 0}, forwarded, list);
    net_addr want = addr_of(cases[i].want);
    if (memcmp(&got, &want, sizeof got) != 0)
      fail_msg("%s: %s and not %s", cases[i].name, text_of(&got), cases[i].want);
    got = forwarded_client(addr_of("192.0.2.1"), (au_slice){NULL, 0}, forwarded, list);
    release(forwarded);
    assert_string_equal(text_of(&got), "::ffff:192.0.2.1");
    net_list_free(list);
  }
}

static void both_headers(void **state) {
  (void)state;
  static const struct {
    const char *name, *x, *forwarded, *want;
  } cases[] = {
      {"neither", "", "", "10.0.0.1"},
      {"the one that is there", "", "for=203.0.113.7", "203.0.113.7"},
      {"X-Forwarded-For before the other", "203.0.113.7", "for=1.2.3.4", "203.0.113.7"},
      {"even when it says nothing", "unknown", "for=1.2.3.4", "10.0.0.1"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    net_list *list = NULL;
    assert_int_equal(net_list_parse("10.0.0.0/8", &list), AU_OK);
    net_addr got = forwarded_client(addr_of("10.0.0.1"), slice_of(cases[i].x),
                                    slice_of(cases[i].forwarded), list);
    net_addr want = addr_of(cases[i].want);
    if (memcmp(&got, &want, sizeof got) != 0) fail_msg("%s: %s", cases[i].name, text_of(&got));
    net_list_free(list);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_sent_a_request),
      cmocka_unit_test(forwarded_of_rfc_7239),
      cmocka_unit_test(both_headers),
  };
  return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}

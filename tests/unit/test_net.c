/* Tests of addresses: how they are read and listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net_case.h"
#include "utils/buffer.h"
#include "utils/net/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void parsing(void **state) {
  (void)state;
  static const struct {
    const char *name, *text, *want; /* NULL: refused */
  } cases[] = {
      {"IPv4", "192.0.2.1", "::ffff:192.0.2.1"},
      {"zeros", "0.0.0.0", "::ffff:0.0.0.0"},
      {"the highest", "255.255.255.255", "::ffff:255.255.255.255"},
      {"IPv4 with a port", "192.0.2.1:80", "::ffff:192.0.2.1"},
      {"IPv4 with the longest port", "255.255.255.255:65535", "::ffff:255.255.255.255"},
      {"IPv6", "2001:db8::1", "2001:db8::1"},
      {"IPv6 in capitals", "2001:DB8::A", "2001:db8::a"},
      {"any", "::", "::"},
      {"loopback", "::1", "::1"},
      {"IPv6 in full", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
      {"in brackets", "[2001:db8::1]", "2001:db8::1"},
      {"in brackets with a port", "[2001:db8::1]:443", "2001:db8::1"},
      {"the longest", "[2001:0db8:1111:2222:3333:4444:255.255.255.255]:65535",
       "2001:db8:1111:2222:3333:4444:ffff:ffff"},
      {"v4-mapped", "::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"v4-mapped in hex", "::ffff:c000:201", "::ffff:192.0.2.1"},
      {"v4-mapped in brackets", "[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1"},
      {"not mapped, only similar", "::192.0.2.1", "::192.0.2.1"},
      {"spaces and tabs around", " \t192.0.2.1\t ", "::ffff:192.0.2.1"},
      {"empty", "", NULL},
      {"only spaces", "   ", NULL},
      {"a word", "unknown", NULL},
      {"an obfuscated one (RFC 7239)", "_hidden", NULL},
      {"a host name", "localhost", NULL},
      {"three numbers", "192.0.2", NULL},
      {"five numbers", "192.0.2.1.1", NULL},
      {"256", "192.0.2.256", NULL},
      {"octal", "192.0.02.1", NULL},
      {"hex", "0xc0.0.2.1", NULL},
      {"one number", "3221225985", NULL},
      {"a space inside", "192.0. 2.1", NULL},
      {"two of them", "192.0.2.1 192.0.2.2", NULL},
      {"a sign", "+192.0.2.1", NULL},
      {"a network", "192.0.2.0/24", NULL},
      {"quotes", "\"192.0.2.1\"", NULL},
      {"a newline behind", "192.0.2.1\n", NULL},
      {"only a port", ":80", NULL},
      {"only a colon", ":", NULL},
      {"three colons", ":::", NULL},
      {"two gaps", "2001::db8::1", NULL},
      {"nine groups", "1:2:3:4:5:6:7:8:9", NULL},
      {"seven groups", "1:2:3:4:5:6:7", NULL},
      {"a group too long", "2001:0db80::1", NULL},
      {"no hex", "2001:db8::g", NULL},
      {"a zone", "fe80::1%eth0", NULL},
      {"an open bracket", "[2001:db8::1", NULL},
      {"only brackets", "[]", NULL},
      {"only a bracket", "[", NULL},
      {"a bracket at the end", "2001:db8::1]", NULL},
      {"two brackets", "[[::1]]", NULL},
      {"longer than any address",
       "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd", NULL},
      {"longer than its buffer",
       "00000000000000000000000000000000000000000000000000000000000000000000000000000000.0.0.1",
       NULL},
      {"UTF-8", "192.0.2.\xC2\xB9", NULL},
      {"a port that is none", "192.0.2.1:evil", NULL},
      {"an empty port", "192.0.2.1:", NULL},
      {"a port too large", "192.0.2.1:65536", NULL},
      {"something behind the bracket", "[::1]evil", NULL},
      {"an empty port behind a bracket", "[::1]:", NULL},
      {"IPv4 in brackets", "[192.0.2.1]", NULL},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    net_addr addr;
    au_slice text = exact(cases[i].text);
    bool parsed = net_parse_forwarded(text, &addr);
    release(text);
    if (parsed != (cases[i].want != NULL))
      fail_msg("%s: %s", cases[i].name, parsed ? text_of(&addr) : "refused");
    if (parsed && strcmp(text_of(&addr), cases[i].want) != 0)
      fail_msg("%s: %s and not %s", cases[i].name, text_of(&addr), cases[i].want);
  }
  net_addr addr;
  assert_false(net_parse_forwarded((au_slice){NULL, 0}, &addr));
}

/* An address and nothing else. */
static void parsing_strictly(void **state) {
  (void)state;
  static const char *good[] = {"192.0.2.1", "::1", "::ffff:192.0.2.1"};
  static const char *bad[] = {"", " 192.0.2.1", "192.0.2.1:80", "[::1]", "[::1]:80", "::1 "};
  net_addr addr;
  for (size_t i = 0; i < COUNT(good); i++)
    if (!net_parse(slice_of(good[i]), &addr)) fail_msg("%s: refused", good[i]);
  for (size_t i = 0; i < COUNT(bad); i++)
    if (net_parse(slice_of(bad[i]), &addr)) fail_msg("'%s': taken", bad[i]);
  assert_false(net_parse((au_slice){"1.2.3.4\0x", 9}, &addr));
}

/* A sockaddr of this address. */
static struct sockaddr_storage peer_of(const char *text) {
  struct sockaddr_storage storage = {0};
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(40000)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(40000)};
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    memcpy(&storage, &v4, sizeof v4);
  } else {
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    memcpy(&storage, &v6, sizeof v6);
  }
  return storage;
}

static void addresses_of_sockets(void **state) {
  (void)state;
  static const struct {
    const char *name, *peer, *want;
  } cases[] = {
      {"IPv4", "192.0.2.1", "::ffff:192.0.2.1"},
      {"IPv4 on an IPv6 listener", "::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"IPv6", "2001:db8::1", "2001:db8::1"},
      {"loopback", "::1", "::1"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct sockaddr_storage peer = peer_of(cases[i].peer);
    net_addr addr = net_from_sockaddr((struct sockaddr *)&peer);
    if (strcmp(text_of(&addr), cases[i].want) != 0)
      fail_msg("%s: %s and not %s", cases[i].name, text_of(&addr), cases[i].want);
  }
  struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/not-zero-and-long-enough"};
  net_addr none = net_from_sockaddr((struct sockaddr *)&local);
  assert_string_equal(text_of(&none), "::");
}

static void what_a_limit_counts_as_one(void **state) {
  (void)state;
  static const struct {
    const char *name, *a, *b;
    bool same;
  } cases[] = {
      {"one IPv4 address", "192.0.2.1", "192.0.2.1", true},
      {"IPv4 neighbours", "192.0.2.1", "192.0.2.2", false},
      {"both spellings of IPv4", "192.0.2.1", "::ffff:192.0.2.1", true},
      {"one /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
      {"two of one /63", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
      {"IPv4 and the zeros of IPv6", "0.0.0.0", "::", false},
      {"IPv4 and an IPv6 address of the same first half", "192.0.2.1", "::1", false},
      {"mapped IPv4 is not one /64", "::ffff:192.0.2.1", "::ffff:192.0.3.1", false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    net_addr a = addr_of(cases[i].a), b = addr_of(cases[i].b);
    if (slice_eq(net_key(&a), net_key(&b)) != cases[i].same)
      fail_msg("%s: %s", cases[i].name, cases[i].same ? "two" : "one");
  }
  net_addr v6 = addr_of("2001:db8:1:2::1");
  assert_int_equal(net_key(&v6).len, 8);
  assert_ptr_equal(net_key(&v6).ptr, &v6);
}

static void loopback(void **state) {
  (void)state;
  static const char *good[] = {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"};
  static const char *bad[] = {"126.0.0.1", "128.0.0.1", "::", "::2", "::127.0.0.1", "7f00::1"};
  for (size_t i = 0; i < COUNT(good); i++) {
    net_addr addr = addr_of(good[i]);
    if (!net_is_loopback(&addr)) fail_msg("%s", good[i]);
  }
  for (size_t i = 0; i < COUNT(bad); i++) {
    net_addr addr = addr_of(bad[i]);
    if (net_is_loopback(&addr)) fail_msg("%s", bad[i]);
  }
}

/* ---- lists ---------------------------------------------------------------- */

static void a_list_of_networks(void **state) {
  (void)state;
  static const struct {
    const char *name, *list, *in, *out; /* space-separated addresses in it, and not in it */
  } cases[] = {
      {"empty", "", "", "0.0.0.0 127.0.0.1 :: ::1"},
      {"only commas", " , ,", "", "127.0.0.1 ::1"},
      {"one address", "192.0.2.1", "192.0.2.1 ::ffff:192.0.2.1", "192.0.2.0 192.0.2.2 ::c000:201"},
      {"/32", "192.0.2.1/32", "192.0.2.1", "192.0.2.0 192.0.2.2"},
      {"/24", "192.0.2.0/24", "192.0.2.0 192.0.2.255", "192.0.1.255 192.0.3.0 192.1.2.1"},
      {"/8", "10.0.0.0/8", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0 a00::"},
      {"/12, between bytes", "172.16.0.0/12", "172.16.0.0 172.31.255.255",
       "172.15.255.255 172.32.0.0"},
      {"/31", "192.0.2.2/31", "192.0.2.2 192.0.2.3", "192.0.2.1 192.0.2.4"},
      {"/1", "128.0.0.0/1", "128.0.0.0 255.255.255.255", "127.255.255.255 0.0.0.0 ffff::"},
      {"/0 is all of IPv4", "0.0.0.0/0", "0.0.0.0 255.255.255.255 ::ffff:1.2.3.4",
       ":: ::1 2001:db8::1"},
      {"bits of the host are ignored", "10.1.2.3/8", "10.0.0.0 10.255.255.255", "11.1.2.3"},
      {"IPv6", "2001:db8::1", "2001:db8::1", "2001:db8::2 2001:db8:: 192.0.2.1"},
      {"/128", "2001:db8::1/128", "2001:db8::1", "2001:db8::"},
      {"/32 of IPv6", "2001:db8::/32", "2001:db8:: 2001:db8:ffff::1", "2001:db7:ffff:: 2001:db9::"},
      {"/33", "2001:db8:8000::/33",
       "2001:db8:8000:: 2001:db8:ffff::", "2001:db8:7fff:: 2001:db9::"},
      {"/10", "fe80::/10", "fe80::1 febf::1", "fec0::1 fe7f::1"},
      {"::/0 is everything", "::/0", "192.0.2.1 2001:db8::1 ::", ""},
      {"a network of mapped addresses", "::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0 ::1"},
      {"several", "127.0.0.1, ::1 ,10.0.0.0/8", "127.0.0.1 ::1 10.9.9.9", "127.0.0.2 ::2 11.0.0.1"},
      {"an empty part", "127.0.0.1,,10.0.0.0/8,", "127.0.0.1 10.0.0.1", "0.0.0.0 ::"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    net_list *list = NULL;
    if (net_list_parse(cases[i].list, &list) != AU_OK) fail_msg("%s: refused", cases[i].name);
    for (int in = 0; in < 2; in++) {
      au_slice rest = slice_of(in ? cases[i].in : cases[i].out), part;
      while (slice_next(&rest, ' ', &part)) {
        net_addr addr;
        assert_true(net_parse(part, &addr));
        if (net_list_has(list, &addr) != in)
          fail_msg("%s: %.*s is %s it", cases[i].name, (int)part.len, part.ptr,
                   in ? "not in" : "in");
      }
    }
    net_list_free(list);
  }
  net_list_free(NULL);
}

static void a_bad_list(void **state) {
  (void)state;
  static const struct {
    const char *name, *list;
  } cases[] = {
      {"a word", "proxy"},
      {"a host name", "proxy.example"},
      {"a good one and a word", "10.0.0.0/8,proxy"},
      {"a word and a good one", "proxy,10.0.0.0/8"},
      {"separated by spaces", "127.0.0.1 10.0.0.1"},
      {"separated by semicolons", "127.0.0.1;10.0.0.1"},
      {"/33 of IPv4", "10.0.0.0/33"},
      {"/129", "::/129"},
      {"/999", "::/999"},
      {"a number that wraps", "10.0.0.0/4294967304"},
      {"no number", "10.0.0.0/"},
      {"no address", "/8"},
      {"a negative number", "10.0.0.0/-8"},
      {"a sign", "10.0.0.0/+8"},
      {"a mask", "10.0.0.0/255.0.0.0"},
      {"hex", "10.0.0.0/0x8"},
      {"a colon behind", "::/1:"},
      {"two slashes", "10.0.0.0/8/8"},
      {"something behind", "10.0.0.0/8 x"},
      {"a short address", "10/8"},
      {"a star", "*"},
      {"in brackets", "[2001:db8::]/32"},
      {"a port", "10.0.0.0:80/8"},
      {"a port, no bits", "10.0.0.1:80"},
      {"garbage behind a bracket", "[2001:db8::1]x/32"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    net_list *list = NULL;
    if (net_list_parse(cases[i].list, &list) != AU_EINVAL) {
      net_list_free(list);
      fail_msg("%s: taken", cases[i].name);
    }
    assert_null(list);
    au_slice fault = net_list_fault(cases[i].list);
    assert_true(fault.len > 0 && strlen(cases[i].list) >= fault.len);
  }
  au_slice second = net_list_fault(" 10.0.0.0/8 , shop , 10/8");
  assert_true(slice_eq(second, slice_of("shop")));
  assert_int_equal(net_list_fault("10.0.0.0/8, ::/0, ").len, 0);
}

/* 1024 parts are taken, one more is not. */
static void a_long_list(void **state) {
  (void)state;
  enum { MOST = 1024 };
  buffer text;
  buffer_init(&text, 1 << 16);
  for (int i = 0; i < MOST; i++)
    buffer_append_format(&text, "%s10.%d.%d.1", i ? "," : "", i / 256, i % 256);
  buffer_append(&text, "", 1);
  net_list *list = NULL;
  assert_int_equal(net_list_parse(text.ptr, &list), AU_OK);
  net_addr first = addr_of("10.0.0.1"), last = addr_of("10.3.255.1"), none = addr_of("10.4.0.1");
  assert_true(net_list_has(list, &first));
  assert_true(net_list_has(list, &last));
  assert_false(net_list_has(list, &none));
  net_list_free(list);
  list = NULL;
  text.len--;
  buffer_append(&text, ",10.4.0.1", sizeof ",10.4.0.1");
  assert_false(text.failed);
  assert_int_equal(net_list_parse(text.ptr, &list), AU_EINVAL);
  assert_null(list);
  buffer_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parsing),
      cmocka_unit_test(addresses_of_sockets),
      cmocka_unit_test(what_a_limit_counts_as_one),
      cmocka_unit_test(a_list_of_networks),
      cmocka_unit_test(parsing_strictly),
      cmocka_unit_test(a_bad_list),
      cmocka_unit_test(a_long_list),
      cmocka_unit_test(loopback),
  };
  return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}

/* Tests of the allowed origins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exact.h"
#include "transports/access/origins.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool allows(const origins *list, const char *origin) {
  au_slice copy = exact(origin);
  bool allowed = origins_allow(list, copy);
  release(copy);
  return allowed;
}

static origins *parse(const char *name, const char *text) {
  origins *list = NULL;
  char problem[ORIGINS_PROBLEM_SIZE] = "";
  if (origins_parse(text, &list, problem) != AU_OK) fail_msg("%s: refused: %s", name, problem);
  return list;
}

static void who_may(void **state) {
  (void)state;
  static const char shop[] = "https://shop.example", below[] = "https://*.shop.example";
  static const struct {
    const char *name, *list, *origin;
    bool want;
  } cases[] = {
      {"any page", "*", "https://anything.example", true},
      {"any page, even null", "*", "null", true},
      {"a star among others", "https://a.example, *", "https://b.example", true},
      {"a star with spaces", " * ", "https://b.example", true},
      {"the listed one", shop, "https://shop.example", true},
      {"in capitals, which no browser writes", shop, "HTTPS://SHOP.EXAMPLE", false},
      {"nobody", shop, "", false},
      {"null", shop, "null", false},
      {"a star is no origin", shop, "*", false},
      {"another scheme", shop, "http://shop.example", false},
      {"another port", shop, "https://shop.example:8443", false},
      {"a subdomain", shop, "https://evil.shop.example", false},
      {"the parent domain", "https://www.shop.example", shop, false},
      {"a longer domain", shop, "https://shop.example.evil.example", false},
      {"a longer name", shop, "https://shop.examples", false},
      {"a shorter name", shop, "https://shop.exampl", false},
      {"only the scheme", shop, "https://", false},
      {"without the scheme", shop, "shop.example", false},
      {"a prefix before it", shop, "xhttps://shop.example", false},
      {"a path behind it", shop, "https://shop.example/", false},
      {"a user before it", shop, "https://shop.example@evil.example", false},
      {"a space behind it", shop, "https://shop.example ", false},
      {"two of them", shop, "https://shop.example https://evil.example", false},
      {"the first of two", "https://a.example,https://b.example", "https://a.example", true},
      {"the second of two", "https://a.example,https://b.example", "https://b.example", true},
      {"spaces and empty parts", " https://a.example ,,\thttps://b.example\t,", "https://b.example",
       true},
      {"an empty part is no origin", "https://a.example,,", "", false},
      {"the whole list is no origin", "https://a.example,https://b.example",
       "https://a.example,https://b.example", false},
      {"a piece across two", "https://a.example,https://b.example", "example,https", false},
      {"with a port", "http://localhost:3000", "http://localhost:3000", true},
      {"a longer port", "http://localhost:3000", "http://localhost:30001", false},
      {"no port", "http://localhost:3000", "http://localhost", false},
      {"the other scheme's port", "http://shop.example:443", "http://shop.example:443", true},
      {"IPv6 without a port", "http://[::1]", "http://[::1]", true},
      {"IPv6", "http://[::1]:3000", "http://[::1]:3000", true},
      {"an app's own scheme", "capacitor://localhost", "capacitor://localhost", true},
      {"an extension", "chrome-extension://abcdefgh", "chrome-extension://abcdefgh", true},
      {"IPv4", "http://192.0.2.1:3000", "http://192.0.2.1:3000", true},
      {"a mapped address, as browsers write it", "http://[::ffff:102:304]",
       "http://[::ffff:102:304]", true},
      {"Punycode", "https://xn--caf-dma.example", "https://xn--caf-dma.example", true},
      {"an underscore and a dot at the end", "https://a_b.example.", "https://a_b.example.", true},
      {"below", below, "https://www.shop.example", true},
      {"far below", below, "https://a.b-c.d_e.shop.example", true},
      {"below: not the host itself", below, "https://shop.example", false},
      {"below: no empty label", below, "https://.shop.example", false},
      {"below: no empty label between", below, "https://a..shop.example", false},
      {"below: another scheme", below, "http://www.shop.example", false},
      {"below: a port", below, "https://www.shop.example:8443", false},
      {"below: a host that ends alike", below, "https://evilshop.example", false},
      {"below: a longer host", below, "https://www.shop.example.evil.example", false},
      {"below: a host without its last letter", below, "https://www.shop.exampl", false},
      {"below: the parent's sister", below, "https://www.example", false},
      {"below: a user", below, "https://evil.example@www.shop.example", false},
      {"below: a path", below, "https://evil.example/.shop.example", false},
      {"below: a port and a user", below, "https://evil.example:1@www.shop.example", false},
      {"below: capitals", below, "https://WWW.shop.example", false},
      {"below: the pattern itself", below, below, false},
      {"below: null", below, "null", false},
      {"below: only the scheme", below, "https://", false},
      {"below with a port", "http://*.localhost:3000", "http://a.localhost:3000", true},
      {"below with a port: without", "http://*.localhost:3000", "http://a.localhost", false},
      {"below with a port: longer", "http://*.localhost:3000", "http://a.localhost:30000", false},
      {"below and exact", "https://*.shop.example,https://shop.example", "https://shop.example",
       true},
      {"the second pattern", "https://*.a.example,https://*.b.example", "https://x.b.example",
       true},
      {"below a host below", "https://*.eu.shop.example", "https://www.shop.example", false},
      {"an app's own scheme, below", "app://*.shop", "app://a.shop", true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    origins *list = parse(cases[i].name, cases[i].list);
    if (allows(list, cases[i].origin) != cases[i].want)
      fail_msg("%s: %s", cases[i].name, cases[i].want ? "not allowed" : "allowed");
    origins_free(list);
  }
}

static void a_star_is_known_as_such(void **state) {
  (void)state;
  static const struct {
    const char *list;
    bool want;
  } cases[] = {
      {"*", true},
      {"*,https://shop.example", true},
      {"https://shop.example,*", true},
      {"https://shop.example", false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    origins *list = parse(cases[i].list, cases[i].list);
    assert_int_equal(origins_allow_any(list), cases[i].want);
    assert_int_equal(origins_allow(list, (au_slice){NULL, 0}), cases[i].want);
    origins_free(list);
  }
  origins_free(NULL);
}

static void an_item_that_never_matches(void **state) {
  (void)state;
  static const struct {
    const char *name, *list, *says;
  } cases[] = {
      {"empty", "", "empty"},
      {"only spaces", "  ", "empty"},
      {"only commas", ", ,", "empty"},
      {"null", "null", "no origin"},
      {"a host", "shop.example", "scheme://host"},
      {"a host and a port", "shop.example:443", "scheme://host"},
      {"a scheme", "https:", "scheme://host"},
      {"a scheme and slashes", "https://", "scheme://host"},
      {"one slash", "https:/shop.example", "scheme://host"},
      {"no scheme", "://shop.example", "scheme://host"},
      {"https's own port, which browsers leave out", "https://shop.example:443", "leave out"},
      {"http's own port", "HTTP://shop.example:80", "small letters"},
      {"IPv6 with https's own port", "https://[::1]:443", "leave out"},
      {"no port behind a colon", "https://shop.example:", "port"},
      {"a port of letters", "https://shop.example:http", "port"},
      {"port 0", "https://shop.example:0", "port"},
      {"a port too high", "https://shop.example:65536", "port"},
      {"a port with a zero in front", "https://shop.example:08080", "port"},
      {"a user", "https://me@shop.example", "character"},
      {"a query", "https://shop.example?a", "character"},
      {"a fragment", "https://shop.example#a", "character"},
      {"a slash at the end", "https://shop.example/", "no slash"},
      {"a path", "https://shop.example/app", "no path"},
      {"three slashes", "https:///shop.example", "no path"},
      {"a space inside", "https://shop example", "character"},
      {"separated by spaces", "https://a.example https://b.example", "no path"},
      {"a newline", "https://shop.example\n", "character"},
      {"a DEL", "https://shop.example\x7f", "character"},
      {"UTF-8: browsers send Punycode", "https://caf\xC3\xA9.example", "Punycode"},
      {"a good one and a bad one", "https://a.example,b.example", "\"b.example\""},
      {"a bad one and a good one", "a.example,https://b.example", "\"a.example\""},
      {"a star and a bad one", "*,b.example", "\"b.example\""},
      {"two stars", "**", "scheme://host"},
      {"the other scheme's own port in small letters", "http://shop.example:80", "leave out"},
      {"capitals in the host", "https://Shop.example", "small letters"},
      {"capitals in the scheme", "HTTPS://shop.example", "small letters"},
      {"a pattern without a scheme", "*.shop.example", "https://*.shop.example"},
      {"a star for every host", "https://*", "star"},
      {"a star in a label", "https://www*.shop.example", "star"},
      {"a star with letters behind it", "https://*shop.example", "star"},
      {"a star inside", "https://www.*.example", "star"},
      {"a star at the end", "https://shop.*", "star"},
      {"stars twice", "https://*.*.example", "star"},
      {"a star and nothing", "https://*.", "star"},
      {"a star and an empty label", "https://*..example", "label"},
      {"a star as a port", "https://shop.example:*", "port"},
      {"a star as a scheme", "*://shop.example", "scheme"},
      {"a star before an address", "https://*.0.2.1", "IPv4"},
      {"a path behind a pattern", "https://*.shop.example/", "no slash"},
      {"a dot in place of the star", "https://.shop.example", "https://*.shop.example"},
      {"an empty label", "https://www..example", "label"},
      {"an address of a socket", "wss://shop.example", "http"},
      {"a file", "file://shop.example", "no origin"},
      {"a path behind a port", "https://shop.example:8443/app", "no path"},
      {"a path with a colon", "https://shop.example/a:1", "no path"},
      {"a short IPv4 address", "http://127.1", "four numbers"},
      {"an IPv4 address with zeros", "http://127.0.0.01", "four numbers"},
      {"an IPv4 address too high", "http://1.2.3.256", "four numbers"},
      {"a long IPv6 address", "http://[0:0:0:0:0:0:0:1]", "shortest"},
      {"an IPv6 address in capitals", "http://[::A]", "shortest"},
      {"no IPv6 address", "http://[::x]", "address"},
      {"an open bracket", "http://[::1", "address"},
      {"an empty bracket", "http://[]", "address"},
      {"a mapped address with dots", "http://[::ffff:1.2.3.4]", "address"},
      {"a percent escape", "https://shop%2eexample", "character"},
      {"a backslash", "https:\\\\shop.example", "scheme://host"},
      {"quotes of a shell", "'https://shop.example'", "scheme"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    origins *list = NULL;
    char problem[ORIGINS_PROBLEM_SIZE] = "";
    if (origins_parse(cases[i].list, &list, problem) != AU_EINVAL) {
      origins_free(list);
      fail_msg("%s: taken", cases[i].name);
    }
    assert_null(list);
    if (!strstr(problem, cases[i].says)) fail_msg("%s: %s", cases[i].name, problem);
  }
}

static void what_is_too_long(void **state) {
  (void)state;
  char text[400] = "https://", problem[ORIGINS_PROBLEM_SIZE];
  memset(text + 8, 'a', sizeof text - 9);
  text[sizeof text - 1] = '\0';
  origins *list = NULL;
  assert_int_equal(origins_parse(text, &list, problem), AU_EINVAL);
  assert_non_null(strstr(problem, "longer"));
  list = parse("a pattern", "https://*.aaa");
  memcpy(text + sizeof text - 5, ".aaa", 4);
  assert_false(allows(list, text));
  /* The longest that is looked at has as many labels as it can. */
  for (size_t i = 9; i < ORIGIN_MAX - 4; i += 2) text[i] = '.';
  memcpy(text + ORIGIN_MAX - 4, ".aaa", 5);
  if (text[ORIGIN_MAX - 5] == '.') text[ORIGIN_MAX - 5] = 'a';
  assert_true(allows(list, text));
  origins_free(list);
}

static void any_of_several(void **state) {
  (void)state;
  origins *lists[] = {parse("a", "https://b.example,https://a.example"),
                      parse("b", "https://*.c.example,https://a.example")};
  origins *all = NULL;
  assert_int_equal(origins_unite((const origins *const *)lists, COUNT(lists), &all), AU_OK);
  for (size_t i = 0; i < COUNT(lists); i++) origins_free(lists[i]);
  assert_false(origins_allow_any(all));
  assert_true(allows(all, "https://a.example"));
  assert_true(allows(all, "https://b.example"));
  assert_true(allows(all, "https://x.c.example"));
  assert_false(allows(all, "https://c.example"));
  origins_free(all);
  lists[0] = parse("any", "*");
  assert_int_equal(origins_unite((const origins *const *)lists, 1, &all), AU_OK);
  assert_true(origins_allow_any(all));
  origins_free(lists[0]);
  origins_free(all);
}

static void the_list_is_copied(void **state) {
  (void)state;
  char text[] = "https://shop.example";
  origins *list = parse("a copy", text);
  memset(text, 'x', strlen(text));
  assert_true(allows(list, "https://shop.example"));
  assert_false(allows(list, text));
  origins_free(list);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_may),
      cmocka_unit_test(a_star_is_known_as_such),
      cmocka_unit_test(an_item_that_never_matches),
      cmocka_unit_test(what_is_too_long),
      cmocka_unit_test(any_of_several),
      cmocka_unit_test(the_list_is_copied),
  };
  return cmocka_run_group_tests_name("origins", tests, NULL, NULL);
}

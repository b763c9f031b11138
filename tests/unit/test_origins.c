/* Tests of the allowed origins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/origins.h"
#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A copy in a heap block of its own size, so that ASan sees a byte read too many. */
static bool allows(const origins *list, const char *origin) {
  size_t len = strlen(origin);
  char *copy = malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, origin, len);
  bool allowed = origins_allow(list, (au_slice){copy, len});
  free(copy);
  return allowed;
}

static void who_may(void **state) {
  (void)state;
  static const char shop[] = "https://shop.example";
  static const struct {
    const char *name, *list, *origin;
    bool want;
  } cases[] = {
      {"any page", "*", "https://anything.example", true},
      {"any page, even null", "*", "null", true},
      {"a star among others", "https://a.example, *", "https://b.example", true},
      {"a star with spaces", " * ", "https://b.example", true},
      {"the listed one", shop, "https://shop.example", true},
      {"in capitals", shop, "HTTPS://SHOP.EXAMPLE", true},
      {"listed in capitals", "HTTPS://Shop.Example", "https://shop.example", true},
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
      {"IPv6", "http://[::1]:3000", "http://[::1]:3000", true},
      {"an app's own scheme", "capacitor://localhost", "capacitor://localhost", true},
      {"an extension", "chrome-extension://abcdefgh", "chrome-extension://abcdefgh", true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    origins *list = NULL;
    if (origins_parse(cases[i].list, &list) != AU_OK) fail_msg("%s: refused", cases[i].name);
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
    origins *list = NULL;
    assert_int_equal(origins_parse(cases[i].list, &list), AU_OK);
    assert_int_equal(origins_allow(list, (au_slice){NULL, 0}), cases[i].want);
    origins_free(list);
  }
  origins_free(NULL);
}

/* What a browser is told. */
static void answers(void **state) {
  (void)state;
#define EXPOSE                                         \
  "Access-Control-Expose-Headers: X-RateLimit-Limit, " \
  "X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After\r\n"
  static const struct {
    const char *name, *list, *origin; /* NULL: none came */
    bool allowed;
    const char *lines;
  } cases[] = {
      {"anybody, no page", "*", NULL, true, "Access-Control-Allow-Origin: *\r\n"},
      {"anybody, a page", "*", "null", true, "Access-Control-Allow-Origin: *\r\n" EXPOSE},
      {"a list, no page", "https://a.example", NULL, true, "Vary: Origin\r\n"},
      {"a list, its page", "https://a.example", "https://a.example", true,
       "Vary: Origin\r\nAccess-Control-Allow-Origin: https://a.example\r\n" EXPOSE},
      {"a list, another page", "https://a.example", "https://b.example", false, "Vary: Origin\r\n"},
      {"a list, an empty origin", "https://a.example", "", false, "Vary: Origin\r\n"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    origins *list = NULL;
    assert_int_equal(origins_parse(cases[i].list, &list), AU_OK);
    buffer lines;
    buffer_init(&lines, 1024);
    au_slice origin = cases[i].origin ? slice_of(cases[i].origin) : (au_slice){NULL, 0};
    bool allowed = origins_answer(list, origin, &lines);
    if (allowed != cases[i].allowed || !slice_eq(buffer_slice(&lines), slice_of(cases[i].lines)))
      fail_msg("%s: %d '%.*s'", cases[i].name, allowed, (int)lines.len, lines.ptr);
    buffer_free(&lines);
    origins_free(list);
  }
}

static void a_bad_list(void **state) {
  (void)state;
  static const struct {
    const char *name, *list;
  } cases[] = {
      {"empty", ""},
      {"only spaces", "  "},
      {"only commas", ", ,"},
      {"null", "null"},
      {"a host", "shop.example"},
      {"a host and a port", "shop.example:443"},
      {"a scheme", "https:"},
      {"a scheme and slashes", "https://"},
      {"one slash", "https:/shop.example"},
      {"no scheme", "://shop.example"},
      {"a slash at the end", "https://shop.example/"},
      {"a path", "https://shop.example/app"},
      {"three slashes", "https:///shop.example"},
      {"a space inside", "https://shop example"},
      {"separated by spaces", "https://a.example https://b.example"},
      {"a newline", "https://shop.example\n"},
      {"a DEL", "https://shop.example\x7f"},
      {"UTF-8: browsers send Punycode", "https://caf\xC3\xA9.example"},
      {"a good one and a bad one", "https://a.example,b.example"},
      {"a bad one and a good one", "a.example,https://b.example"},
      {"a star and a bad one", "*,b.example"},
      {"two stars", "**"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    origins *list = NULL;
    if (origins_parse(cases[i].list, &list) != AU_EINVAL) {
      origins_free(list);
      fail_msg("%s: taken", cases[i].name);
    }
    assert_null(list);
  }
}

static void the_list_is_copied(void **state) {
  (void)state;
  char text[] = "https://shop.example";
  origins *list = NULL;
  assert_int_equal(origins_parse(text, &list), AU_OK);
  memset(text, 'x', strlen(text));
  assert_true(allows(list, "https://shop.example"));
  assert_false(allows(list, text));
  origins_free(list);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_may),
      cmocka_unit_test(a_star_is_known_as_such),
      cmocka_unit_test(answers),
      cmocka_unit_test(a_bad_list),
      cmocka_unit_test(the_list_is_copied),
  };
  return cmocka_run_group_tests_name("origins", tests, NULL, NULL);
}

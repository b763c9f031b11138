/* Tests of the origins of customers: what is told to a browser, and who may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/access/access_rules.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static access_rules *rules_of(const char *all, const char *shop) {
  static char problem[ACCESS_PROBLEM_SIZE];
  const au_customer_limits own[] = {
      {.customer_id = "zoo", .rate_per_min = 1, .max_sessions = -1},
      {.customer_id = "shop", .rate_per_min = -1, .max_sessions = -1, .allowed_origins = shop},
  };
  au_config config;
  au_config_init(&config);
  config.allowed_origins = all;
  config.customers = own;
  config.customers_count = COUNT(own);
  access_rules *rules = NULL;
  if (access_rules_create(&config, problem, &rules) != AU_OK) fail_msg("%s", problem);
  return rules;
}

static au_slice slice_or_none(const char *text) {
  return text ? slice_of(text) : (au_slice){NULL, 0};
}

/* Before it is known which customer the request is for. */
static void what_a_browser_is_told(void **state) {
  (void)state;
#define EXPOSE                                         \
  "Access-Control-Expose-Headers: X-RateLimit-Limit, " \
  "X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After\r\n"
#define ANY "Access-Control-Allow-Origin: *\r\n"
#define A   "Access-Control-Allow-Origin: https://a.example\r\n"
  static const char a[] = "https://a.example", b[] = "https://b.example";
  static const struct {
    const char *name, *all, *shop, *origin; /* NULL: none */
    bool allowed;
    const char *lines;
  } cases[] = {
      {"anybody, no page", "*", NULL, NULL, true, ANY},
      {"anybody, a page", "*", NULL, "null", true, ANY EXPOSE},
      {"anybody, twice", "*", "*", a, true, ANY EXPOSE},
      {"a list, no page", a, NULL, NULL, true, "Vary: Origin\r\n"},
      {"a list, its page", a, NULL, a, true, "Vary: Origin\r\n" A EXPOSE},
      {"a list, another page", a, NULL, b, false, "Vary: Origin\r\n"},
      {"a list, an empty origin", a, NULL, "", false, "Vary: Origin\r\n"},
      {"a pattern, its page", "https://*.example", NULL, a, true, "Vary: Origin\r\n" A EXPOSE},
      {"the list of a customer, its page", b, a, a, true, "Vary: Origin\r\n" A EXPOSE},
      {"the list of a customer, another page", b, a, "https://c.example", false,
       "Vary: Origin\r\n"},
      {"anybody but at one customer", "*", a, b, true, "Vary: Origin\r\n" ANY EXPOSE},
      {"anybody at one customer", a, "*", b, true, "Vary: Origin\r\n" ANY EXPOSE},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    access_rules *rules = rules_of(cases[i].all, cases[i].shop);
    buffer lines;
    buffer_init(&lines, 1024);
    bool allowed = access_rules_answer_origin(rules, slice_or_none(cases[i].origin), &lines);
    if (allowed != cases[i].allowed || !slice_eq(buffer_slice(&lines), slice_of(cases[i].lines)))
      fail_msg("%s: %d '%.*s'", cases[i].name, allowed, (int)lines.len, lines.ptr);
    buffer_free(&lines);
    access_rules_free(rules);
  }
}

static void who_may_for_a_customer(void **state) {
  (void)state;
  static const char a[] = "https://a.example", b[] = "https://b.example";
  static const struct {
    const char *name, *all, *shop, *customer, *origin;
    bool want;
  } cases[] = {
      {"by the list for all", a, NULL, "shop", a, true},
      {"not by the list for all", a, NULL, "shop", b, false},
      {"by its own", a, b, "shop", b, true},
      {"its own stands instead of the one for all", a, b, "shop", a, false},
      {"another customer's own", a, b, "zoo", b, false},
      {"another customer, by the one for all", a, b, "zoo", a, true},
      {"an unknown customer", a, b, "none", b, false},
      {"a prefix of a customer", a, b, "sho", b, false},
      {"its own is any", a, "*", "shop", "null", true},
      {"the one for all is any, its own is not", "*", a, "shop", b, false},
      {"the one for all is any", "*", a, "zoo", b, true},
      {"no page", a, b, "shop", NULL, true},
      {"an empty origin", a, b, "shop", "", false},
      {"below", a, "https://*.b.example", "shop", "https://x.b.example", true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    access_rules *rules = rules_of(cases[i].all, cases[i].shop);
    if (access_rules_admit_origin(rules, slice_of(cases[i].customer),
                                  slice_or_none(cases[i].origin)) != cases[i].want)
      fail_msg("%s", cases[i].name);
    access_rules_free(rules);
  }
}

/* As the sources of a Content-Security-Policy. */
static void who_may_have_it_in_a_frame(void **state) {
  (void)state;
  static const struct {
    const char *name, *all, *shop, *customer, *want;
  } cases[] = {
      {"anybody", "*", NULL, "shop", "*"},
      {"anybody, twice", "https://a.example, *", NULL, "shop", "*"},
      {"a list", "https://b.example, https://*.a.example:8443", NULL, "shop",
       "https://*.a.example:8443 https://b.example"},
      {"a list of its own", "*", "https://a.example", "shop", "https://a.example"},
      {"the list of another", "https://b.example", "*", "other", "https://b.example"},
      {"no customer", "https://b.example", "*", "", "https://b.example"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    access_rules *rules = rules_of(cases[i].all, cases[i].shop);
    buffer out;
    buffer_init(&out, 1000);
    access_rules_print_ancestors(rules, slice_of(cases[i].customer), &out);
    if (!slice_eq(buffer_slice(&out), slice_of(cases[i].want)))
      fail_msg("%s: %.*s", cases[i].name, (int)out.len, out.ptr);
    buffer_free(&out);
    access_rules_free(rules);
  }
}

static void a_problem_names_the_setting_and_the_item(void **state) {
  (void)state;
  const au_customer_limits own = {.customer_id = "shop", .allowed_origins = "https://a, b"};
  au_config config;
  au_config_init(&config);
  char problem[ACCESS_PROBLEM_SIZE];
  access_rules *rules = NULL;
  config.customers = &own;
  config.customers_count = 1;
  assert_int_equal(access_rules_create(&config, problem, &rules), AU_EINVAL);
  assert_int_equal(strncmp(problem, "allowed-origins.shop: \"b\": ", 27), 0);
  config.allowed_origins = "https://x/";
  assert_int_equal(access_rules_create(&config, problem, &rules), AU_EINVAL);
  assert_int_equal(strncmp(problem, "allowed-origins: \"https://x/\": ", 31), 0);
  assert_null(rules);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_browser_is_told),
      cmocka_unit_test(who_may_for_a_customer),
      cmocka_unit_test(who_may_have_it_in_a_frame),
      cmocka_unit_test(a_problem_names_the_setting_and_the_item),
  };
  return cmocka_run_group_tests_name("access_rules", tests, NULL, NULL);
}

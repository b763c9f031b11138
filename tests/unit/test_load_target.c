/* Tests of where load may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../load/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void takes_this_machine(void **state) {
  (void)state;
  static const struct {
    const char *text, *host;
  } cases[] = {
      {"http://127.0.0.1:3001", "127.0.0.1:3001"}, {"ws://127.255.255.254:1", "127.255.255.254:1"},
      {"127.0.0.1:65535/", "127.0.0.1:65535"},     {"localhost:3001", "127.0.0.1:3001"},
      {"http://[::1]:3001", "[::1]:3001"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    target t;
    char problem[TARGET_PROBLEM_SIZE] = "";
    if (target_parse(cases[i].text, &t, problem) != AU_OK) fail_msg("%s", problem);
    assert_string_equal(t.host, cases[i].host);
  }
}

static void refuses_all_others(void **state) {
  (void)state;
  static const char *const elsewhere[] = {
      "http://192.0.2.1:80",
      "10.0.0.1:3001",
      "128.0.0.1:3001",
      "126.255.255.255:1",
      "0.0.0.0:3001",
      "http://[2001:db8::1]:80",
      "[::]:3001",
      "[::ffff:127.0.0.1]:3001",
      "example.com:80",
      "localhost.example.com:80",
      "127.0.0.1.example.com:80",
  };
  static const char *const nonsense[] = {
      "",
      "http://",
      "127.0.0.1",
      "127.0.0.1:",
      "127.0.0.1:0",
      "127.0.0.1:65536",
      "127.0.0.1:80x",
      "https://127.0.0.1:443",
      "[::1:80",
      "127.0.0.1:80/path",
      "[::1]3001",
      "127.0.0.1:-1",
  };
  target t;
  char problem[TARGET_PROBLEM_SIZE];
  for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
    assert_int_equal(target_parse(elsewhere[i], &t, problem), AU_EINVAL);
    if (!strstr(problem, "this machine only")) fail_msg("%s: %s", elsewhere[i], problem);
  }
  for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
    assert_int_equal(target_parse(nonsense[i], &t, problem), AU_EINVAL);
}

static void spreads_over_source_addresses(void **state) {
  (void)state;
  static const struct {
    unsigned number;
    const char *source;
  } cases[] = {
      {0, "127.0.0.2"},
      {TARGET_SOCKETS_A_SOURCE - 1, "127.0.0.2"},
      {TARGET_SOCKETS_A_SOURCE, "127.0.0.3"},
      {TARGET_SOCKETS_A_SOURCE * TARGET_MAX_SOURCES, "127.0.0.2"},
  };
  target t;
  char problem[TARGET_PROBLEM_SIZE], text[INET6_ADDRSTRLEN];
  assert_int_equal(target_parse("127.0.0.1:80", &t, problem), AU_OK);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct sockaddr_storage source = target_source(&t, cases[i].number);
    inet_ntop(AF_INET, &((struct sockaddr_in *)&source)->sin_addr, text, sizeof text);
    assert_string_equal(text, cases[i].source);
  }
  assert_int_equal(target_parse("[::1]:80", &t, problem), AU_OK);
  struct sockaddr_storage source = target_source(&t, TARGET_SOCKETS_A_SOURCE);
  inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&source)->sin6_addr, text, sizeof text);
  assert_string_equal(text, "::1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_this_machine),
      cmocka_unit_test(refuses_all_others),
      cmocka_unit_test(spreads_over_source_addresses),
  };
  return cmocka_run_group_tests_name("load_target", tests, NULL, NULL);
}

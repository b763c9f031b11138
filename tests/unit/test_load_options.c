/* Tests of the load generator's command line and of the requests it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../load/load_options.h"
#include "../load/request.h"

#include <string.h>

enum { MAX_ARGS = 8 };

static au_status parse(const char *const *words, load_options *o, load_action *action,
                       char *problem) {
  char *argv[MAX_ARGS + 1] = {(char *)(uintptr_t) "au-load"};
  int argc = 1;
  for (; words[argc - 1]; argc++) argv[argc] = (char *)(uintptr_t)words[argc - 1];
  return load_parse(argc, argv, o, action, problem);
}

static void takes_flags_in_both_forms(void **state) {
  (void)state;
  load_options o;
  load_action action;
  char problem[LOAD_PROBLEM_SIZE] = "";
  const char *const words[] = {"sockets", "ws://127.0.0.1:3003", "--sockets",    "18000",
                               "--json",  "--pid=7,12",          "--watch=true", NULL};
  if (parse(words, &o, &action, problem) != AU_OK) fail_msg("%s", problem);
  assert_int_equal(action, LOAD_RUN);
  assert_int_equal(o.mode, LOAD_SOCKETS);
  assert_int_equal(o.sockets, 18000);
  assert_int_equal(o.duration_s, 60);
  assert_int_equal(o.pid_count, 2);
  assert_int_equal(o.pids[1], 12);
  assert_true(o.json);
  assert_true(o.watch);
  assert_false(o.no_auth);
  assert_string_equal(o.change_target.host, "127.0.0.1:3003");
}

static void has_defaults(void **state) {
  (void)state;
  load_options o;
  load_action action;
  char problem[LOAD_PROBLEM_SIZE] = "";
  const char *const words[] = {"beat", NULL};
  assert_int_equal(parse(words, &o, &action, problem), AU_OK);
  assert_string_equal(o.target.host, "127.0.0.1:3001");
  assert_int_equal(o.connections, 50);
  assert_int_equal(o.duration_s, 10);
  assert_int_equal(o.pid_count, 0);
}

static void says_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *words[MAX_ARGS];
    const char *problem;
  } cases[] = {
      {{NULL}, "say what to do"},
      {{"attack"}, "no such mode"},
      {{"beat", "http://192.0.2.1:80"}, "this machine only"},
      {{"sockets", "--changes-at", "http://192.0.2.1:80"}, "this machine only"},
      {{"beat", "--nope"}, "no such flag"},
      {{"beat", "--connections"}, "wants a value"},
      {{"beat", "--connections", "0"}, "out of range"},
      {{"beat", "--duration=4000"}, "out of range"},
      {{"beat", "--pid", "1,x"}, "not a whole number"},
      {{"beat", "--pid", "1,2,3,4,5"}, "at most"},
      {{"beat", "127.0.0.1:1", "127.0.0.1:2"}, "are enough"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    load_options o;
    load_action action;
    char problem[LOAD_PROBLEM_SIZE] = "";
    assert_int_equal(parse(cases[i].words, &o, &action, problem), AU_EINVAL);
    if (!strstr(problem, cases[i].problem)) fail_msg("%zu: %s", i, problem);
  }
}

static void help_wins_over_mistakes(void **state) {
  (void)state;
  load_options o;
  load_action action;
  char problem[LOAD_PROBLEM_SIZE] = "";
  const char *const words[] = {"--help", "--nope", NULL};
  assert_int_equal(parse(words, &o, &action, problem), AU_OK);
  assert_int_equal(action, LOAD_HELP);
}

static void assert_text(au_slice got, const char *want) {
  assert_int_equal(got.len, strlen(want));
  assert_memory_equal(got.ptr, want, got.len);
}

static void requests_are_as_in_the_reference(void **state) {
  (void)state;
  request r;
  assert_int_equal(request_presence(&r, "127.0.0.1:3001", "beat", "shop", ""), AU_OK);
  (void)request_fill(&r, 99, 99999999);
  assert_text(request_fill(&r, 7, 12345678),
              "POST /presence/beat HTTP/1.1\r\nHost: 127.0.0.1:3001\r\n"
              "Content-Type: application/json\r\nContent-Length: 91\r\n\r\n"
              "{\"customerId\":\"shop-0000007\",\"sessionId\":\"s-12345678\",\"tabId\":\"t-1\","
              "\"timestamp\":1234567890}");
  request_free(&r);
  assert_int_equal(request_presence(&r, "[::1]:1", "join", "shop", "/cart"), AU_OK);
  assert_text(request_fill(&r, 7, 1),
              "POST /presence/join HTTP/1.1\r\nHost: [::1]:1\r\n"
              "Content-Type: application/json\r\nContent-Length: 121\r\n\r\n"
              "{\"customerId\":\"shop-0000007\",\"sessionId\":\"s-00000001\",\"tabId\":\"t-1\","
              "\"timestamp\":1234567890,\"page\":\"/cart\",\"visible\":true}");
  request_free(&r);
  assert_int_equal(request_get(&r, "[::1]:1", "/metrics?customerId=", "shop"), AU_OK);
  assert_text(request_fill(&r, 1, 2),
              "GET /metrics?customerId=shop-0000001 HTTP/1.1\r\nHost: [::1]:1\r\n\r\n");
  request_free(&r);
  assert_int_equal(request_get(&r, "[::1]:1", "/health", NULL), AU_OK);
  assert_text(request_fill(&r, 1, 2), "GET /health HTTP/1.1\r\nHost: [::1]:1\r\n\r\n");
  request_free(&r);
  assert_int_equal(request_auth(&r, "shop", true), AU_OK);
  assert_memory_equal(request_fill(&r, 3, 2).ptr + 6,
                      "{\"type\":\"auth\",\"customerId\":\"shop-0000003\"}", 43);
  request_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_flags_in_both_forms),
      cmocka_unit_test(has_defaults),
      cmocka_unit_test(says_what_is_wrong),
      cmocka_unit_test(help_wins_over_mistakes),
      cmocka_unit_test(requests_are_as_in_the_reference),
  };
  return cmocka_run_group_tests_name("load_options", tests, NULL, NULL);
}

/* A number, or a share of something: what is read and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/limits/share.h"

static const struct {
  const char *text;
  uint32_t whole, want;
} good[] = {
    {"0", 100, 0},
    {"7", 100, 7},
    {"007", 100, 7},
    {"150", 100, 150},
    {"4294967295", 1, UINT32_MAX},
    {"0%", 100, 0},
    {"0%", 0, 0},
    {"5%", 1000, 50},
    {"80%", 1000000, 800000},
    {"100%", UINT32_MAX, UINT32_MAX},
    {"100%", 7, 7},
    {"50%", 7, 3},
    {"1%", 3, 1},
    {"1%", 199, 1},
    {"5%", 1, 1},
};

static const char *const bad[] = {
    "",
    "%",
    "x",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1.5",
    "1.5%",
    "101%",
    "5%%",
    "5 %",
    "%5",
    "5%x",
    "4294967296",
    "0x10",
    "1e3",
    "5\xc2\xa0%",
    "99999999999999999999999",
    "18446744073709551617%",
};

static void what_is_read(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    uint32_t n = 12345;
    if (!share_parse(good[i].text, good[i].whole, &n) || n != good[i].want)
      fail_msg("%s of %u: %u", good[i].text, (unsigned)good[i].whole, (unsigned)n);
  }
}

static void what_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    uint32_t n = 12345;
    if (share_parse(bad[i], 1000, &n) || n != 12345) fail_msg("read: %s", bad[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_read),
      cmocka_unit_test(what_is_refused),
  };
  return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}

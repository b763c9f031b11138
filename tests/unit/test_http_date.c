/* Tests of the Date header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/http/http_date.h"

static void dates_are_those_of_the_rfc(void **state) {
  (void)state;
  static const struct {
    const char *want;
    int64_t wall_ms;
  } cases[] = {
      {"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 0},
      {"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 784111777000}, /* the example of RFC 9110 */
      {"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 784111777999},
      {"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n", 784111778000},
      {"Date: Thu, 29 Feb 2024 23:59:59 GMT\r\n", 1709251199000},
  };
  http_date date = {.second = -1};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(http_date_line(&date, cases[i].wall_ms), cases[i].want);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(dates_are_those_of_the_rfc)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The words of refusals, and how often the log tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "transports/access/refusals.h"
#include "utils/buffer.h"

static void what_came_is_cut_and_printable(void **state) {
  (void)state;
  char longest[REFUSAL_SHOWN_MAX + 1], text[REFUSAL_TEXT_SIZE], want[REFUSAL_TEXT_SIZE];
  memset(longest, 'x', sizeof longest);
  refusal_of_path(text, (au_slice){longest, REFUSAL_SHOWN_MAX});
  snprintf(want, sizeof want, "there is nothing at %.*s", REFUSAL_SHOWN_MAX, longest);
  assert_string_equal(text, want);
  refusal_of_path(text, (au_slice){longest, sizeof longest});
  snprintf(want, sizeof want, "there is nothing at %.*s...", REFUSAL_SHOWN_MAX, longest);
  assert_string_equal(text, want);
  refusal_of_path(text, (au_slice){"/a\x1b[2J\xff\0b", 9});
  assert_string_equal(text, "there is nothing at /a?[2J??b");
  refusal_of_path(text, (au_slice){NULL, 0});
  assert_string_equal(text, "there is nothing at ");
}

static void the_longest_texts_fit(void **state) {
  (void)state;
  char longest[2 * REFUSAL_SHOWN_MAX], text[REFUSAL_TEXT_SIZE];
  memset(longest, 'x', sizeof longest);
  au_slice all = {longest, sizeof longest};
  refusal_of_origin(text, all, true);
  assert_string_equal(text + strlen(text) - 8, "names who may" + 5);
  refusal_of_method(text, all, "GET, HEAD, OPTIONS");
  assert_string_equal(text + strlen(text) - 7, "OPTIONS");
}

static void nearly_the_name(void **state) {
  (void)state;
  static const struct {
    const char *query, *near;
  } cases[] = {
      {"customerid=x", "customerid"},
      {"CUSTOMERID", "CUSTOMERID"},
      {"a=b&customer_id=x&b=c", "customer_id"},
      {"customer=x", "customer"},
      {"id=x", NULL},
      {"&&==", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[REFUSAL_TEXT_SIZE], want[REFUSAL_TEXT_SIZE] = "customerId is required";
    if (cases[i].near)
      snprintf(want, sizeof want, "customerId is required: did you mean customerId by %s?",
               cases[i].near);
    refusal_of_query(text, slice_of(cases[i].query));
    assert_string_equal(text, want);
  }
}

static void the_first_then_a_count_a_minute(void **state) {
  (void)state;
  static const struct {
    int64_t at_ms;
    uint64_t told;
  } steps[] = {{5, 1},     {6, 0},     {7, 0},      {LOG_PACE_MS + 4, 0}, {LOG_PACE_MS + 5, 4},
               {70000, 0}, {90000, 0}, {200000, 3}, {900000, 1}};
  log_pace pace = {0};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
    assert_int_equal(log_pace_add(&pace, steps[i].at_ms), steps[i].told);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_came_is_cut_and_printable),
      cmocka_unit_test(the_longest_texts_fit),
      cmocka_unit_test(nearly_the_name),
      cmocka_unit_test(the_first_then_a_count_a_minute),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names that a mistake in typing turns into one another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "utils/buffer.h"
#include "utils/text/similar.h"

static void distances(void **state) {
  (void)state;
  static const struct {
    const char *name, *a, *b;
    uint32_t want;
  } cases[] = {
      {"the same", "http-port", "http-port", 0},
      {"nothing twice", "", "", 0},
      {"all is inserted", "", "abc", 3},
      {"all is left out", "abc", "", 3},
      {"one is changed", "kitten", "kitted", 1},
      {"the school book", "kitten", "sitting", 3},
      {"neighbours are swapped", "http-prot", "http-port", 1},
      {"upper case", "HTTP-Port", "http-port", 0},
      {"an underscore", "ws_port", "ws-port", 0},
      {"a swap at the front", "ba", "ab", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    au_slice a = slice_of(cases[i].a), b = slice_of(cases[i].b);
    if (similar_distance(a, b) != cases[i].want || similar_distance(b, a) != cases[i].want)
      fail_msg("%s: %u, %u", cases[i].name, similar_distance(a, b), similar_distance(b, a));
  }
}

static void a_long_name_is_like_nothing(void **state) {
  (void)state;
  char longest[SIMILAR_MAX_BYTES + 1];
  memset(longest, 'a', sizeof longest);
  au_slice most = {longest, SIMILAR_MAX_BYTES}, more = {longest, SIMILAR_MAX_BYTES + 1};
  assert_int_equal(similar_distance(most, most), 0);
  assert_int_equal(similar_distance(most, more), UINT32_MAX);
  assert_false(similar_names(more, more));
}

static void names(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    bool want;
  } cases[] = {
      {"http-prot", "http-port", true}, {"htp-prt", "http-port", true}, {"hp", "host", false},
      {"drain", "rate-ip", false},      {"hosts", "host", true},        {"", "host", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (similar_names(slice_of(cases[i].a), slice_of(cases[i].b)) != cases[i].want)
      fail_msg("%s, %s", cases[i].a, cases[i].b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(distances),
      cmocka_unit_test(a_long_name_is_like_nothing),
      cmocka_unit_test(names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

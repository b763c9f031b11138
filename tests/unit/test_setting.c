/* One typed setting: strict parsing, ranges, printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "utils/text/setting.h"

static const setting boolean = {SETTING_BOOL, 0, 1, NULL};
static const setting port = {SETTING_WHOLE, 0, 65535, NULL};
static const setting interval = {SETTING_WHOLE, 50, 3600000, NULL};
static const setting all = {SETTING_WHOLE, 0, UINT32_MAX, NULL};
static const setting alpha = {SETTING_REAL, 0, 1, NULL};
static const setting text = {SETTING_TEXT, 1, 8, NULL};
static const setting share = {SETTING_SHARE, 0, 0, NULL};
static const setting level = {SETTING_WORD, 0, 0, "error|warn|info"};

/* What a good text prints as again, or the problem with a bad one. */
static const struct {
  const char *name;
  const setting *is;
  const char *text;
  bool good;
  const char *want;
} cases[] = {
    {"true", &boolean, "true", true, "true"},
    {"1", &boolean, "1", true, "true"},
    {"yes", &boolean, "yes", true, "true"},
    {"on", &boolean, "on", true, "true"},
    {"false", &boolean, "false", true, "false"},
    {"0", &boolean, "0", true, "false"},
    {"no", &boolean, "no", true, "false"},
    {"off", &boolean, "off", true, "false"},
    {"another boolean", &boolean, "maybe", false, "maybe is not true or false"},
    {"a longer boolean", &boolean, "truel", false, "truel is not true or false"},
    {"no boolean", &boolean, "", false, "an empty text is not true or false"},

    {"the least", &port, "0", true, "0"},
    {"the most", &port, "65535", true, "65535"},
    {"one above", &port, "65536", false, "65536 is out of range (0 to 65535)"},
    {"one below", &interval, "49", false, "49 is out of range (50 to 3600000)"},
    {"the least of another", &interval, "50", true, "50"},
    {"leading zeros", &port, "00080", true, "80"},
    {"all 32 bits", &all, "4294967295", true, "4294967295"},
    {"33 bits", &all, "4294967296", false, "4294967296 is out of range (0 to 4294967295)"},
    {"64 bits and a bit", &port, "18446744073709551617", false,
     "18446744073709551617 is out of range (0 to 65535)"},
    {"negative", &port, "-1", false, "-1 is out of range (0 to 65535)"},
    {"a plus", &port, "+1", false, "+1 is not a whole number"},
    {"a blank before", &port, " 1", false, " 1 is not a whole number"},
    {"a blank behind", &port, "1 ", false, "1  is not a whole number"},
    {"hex", &port, "0x10", false, "0x10 is not a whole number"},
    {"a fraction", &port, "1.0", false, "1.0 is not a whole number"},
    {"an exponent", &port, "1e3", false, "1e3 is not a whole number"},
    {"a unit", &port, "30s", false, "30s is not a whole number"},
    {"a minus alone", &port, "-", false, "- is not a whole number"},
    {"no number", &port, "", false, "an empty text is not a whole number"},

    {"a share", &share, "80%", true, "80%"},
    {"a number for a share", &share, "12000", true, "12000"},
    {"too large a share", &share, "101%", false, "101% is not a number, or a share up to 100%"},
    {"no share", &share, "", false, "an empty text is not a number, or a share up to 100%"},

    {"a real", &alpha, "0.35", true, "0.35"},
    {"a real with an exponent", &alpha, "2.5e-1", true, "0.25"},
    {"the most of a real", &alpha, "1", true, "1"},
    {"above it", &alpha, "1.0001", false, "1.0001 is out of range (above 0, up to 1)"},
    {"the least is outside", &alpha, "0", false, "0 is out of range (above 0, up to 1)"},
    {"negative real", &alpha, "-0.2", false, "-0.2 is out of range (above 0, up to 1)"},
    {"too small to be held", &alpha, "1e-999", false, "1e-999 is out of range (above 0, up to 1)"},
    {"too large to be held", &alpha, "1e999", false, "1e999 is out of range (above 0, up to 1)"},
    {"nan", &alpha, "nan", false, "nan is not a number"},
    {"inf", &alpha, "inf", false, "inf is not a number"},
    {"a hex real", &alpha, "0x1p-3", false, "0x1p-3 is not a number"},
    {"a comma", &alpha, "0,2", false, "0,2 is not a number"},
    {"a blank before a real", &alpha, " 0.2", false, " 0.2 is not a number"},
    {"two points", &alpha, "0.2.3", false, "0.2.3 is not a number"},
    {"no real", &alpha, "", false, "an empty text is not a number"},
    {"a point alone", &alpha, ".", false, ". is not a number"},

    {"a text", &text, "a b#\"", true, "a b#\""},
    {"the longest text", &text, "12345678", true, "12345678"},
    {"a longer text", &text, "123456789", false, "is longer than 8 bytes"},
    {"a text too short", &text, "", false, "must not be empty"},
    {"a newline in a text", &text, "a\nb", false, "has a control character"},
    {"a delete in a text", &text, "a\x7f", false, "has a control character"},
    {"UTF-8 in a text", &text, "\xc3\xbc", true, "\xc3\xbc"},

    {"the first word", &level, "error", true, "error"},
    {"the last word", &level, "info", true, "info"},
    {"another word", &level, "loud", false, "loud is not one of error, warn, info"},
    {"a beginning of a word", &level, "err", false, "err is not one of error, warn, info"},
    {"a longer word", &level, "infos", false, "infos is not one of error, warn, info"},
    {"two words", &level, "error|warn", false, "error|warn is not one of error, warn, info"},
    {"no word", &level, "", false, "an empty text is not one of error, warn, info"},
    {"a long wrong value is cut", &level,
     "0123456789012345678901234567890123456789012345678901234567890123456789", false,
     "0123456789012345678901234567890123456789012345678901234567890123"
     " is not one of error, warn, info"},
};

static void parse_and_print(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    setting_value value;
    union {
      bool boolean;
      uint32_t whole;
      double real;
      const char *text;
      unsigned word;
    } field;
    char out[SETTING_PROBLEM_SIZE] = "";
    bool good = setting_parse(cases[i].is, cases[i].text, &value, out);
    if (good) {
      setting_store(cases[i].is, &value, &field);
      setting_print(cases[i].is, &field, out, sizeof out);
    }
    if (good != cases[i].good || strcmp(out, cases[i].want) != 0)
      fail_msg("%s: %s, not %s", cases[i].name, out, cases[i].want);
  }
}

static void words_count_from_zero(void **state) {
  (void)state;
  setting_value value;
  char problem[SETTING_PROBLEM_SIZE];
  assert_true(setting_parse(&level, "error", &value, problem));
  assert_int_equal(value.word, 0);
  assert_true(setting_parse(&level, "info", &value, problem));
  assert_int_equal(value.word, 2);
}

static void printing_is_cut(void **state) {
  (void)state;
  const char *field = "0123456789";
  char out[5];
  setting_print(&text, &field, out, sizeof out);
  assert_string_equal(out, "0123");
}

static void ranges(void **state) {
  (void)state;
  static const struct {
    const setting *is;
    const char *want;
  } wanted[] = {
      {&boolean, "true or false"},
      {&interval, "50 to 3600000"},
      {&all, "0 to 4294967295"},
      {&alpha, "above 0, up to 1"},
      {&text, ""},
      {&level, "error, warn, info"},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    char out[SETTING_RANGE_SIZE];
    setting_range(wanted[i].is, out);
    assert_string_equal(out, wanted[i].want);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parse_and_print),
      cmocka_unit_test(words_count_from_zero),
      cmocka_unit_test(printing_is_cut),
      cmocka_unit_test(ranges),
  };
  return cmocka_run_group_tests_name("setting", tests, NULL, NULL);
}

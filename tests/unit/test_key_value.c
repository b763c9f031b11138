/* `key = value` lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utils/text/key_value.h"

/* All results of a text as one line: `1:key=value;` or `2!reason;`. */
static void read_all(const char *text, char *out, size_t size) {
  char *copy = strdup(text); /* of its exact size, so that ASan sees a step too far */
  assert_non_null(copy);
  key_value kv = {.rest = copy};
  key_value_result result;
  size_t used = 0;
  out[0] = '\0';
  while ((result = key_value_next(&kv)) != KEY_VALUE_END && used < size) {
    if (result == KEY_VALUE_BAD)
      used += (size_t)snprintf(out + used, size - used, "%u!%s;", kv.line, kv.reason);
    else
      used += (size_t)snprintf(out + used, size - used, "%u:%s=%s;", kv.line, kv.key, kv.value);
  }
  assert_int_equal(key_value_next(&kv), KEY_VALUE_END); /* and stays there */
  free(copy);
}

static void lines(void **state) {
  (void)state;
  static const struct {
    const char *name, *text, *want;
  } cases[] = {
      {"nothing", "", ""},
      {"blank lines", "\n \n\t\r\n", ""},
      {"a pair", "a = b\n", "1:a=b;"},
      {"without an end of line", "a = b", "1:a=b;"},
      {"without blanks", "a=b\n", "1:a=b;"},
      {"blanks all around", " \ta\t =  b \t\n", "1:a=b;"},
      {"ends of lines of Windows", "a = b\r\n\r\nc = d\r\n", "1:a=b;3:c=d;"},
      {"lines are counted", "\n# x\na = b\n\nc = d", "3:a=b;5:c=d;"},
      {"an empty value", "a =\nb = \n", "1:a=;2:b=;"},
      {"a value with blanks inside", "a = b  c", "1:a=b  c;"},
      {"a value with an equals sign", "a = b=c", "1:a=b=c;"},
      {"a comment", "# a = b\n   # c = d\n", ""},
      {"a comment behind a value", "a = b # c\n", "1:a=b;"},
      {"a comment behind a tab", "a = b\t#c\n", "1:a=b;"},
      {"a comment instead of a value", "a = # c\n", "1:a=;"},
      {"a hash inside a value", "a = b#c#d\n", "1:a=b#c#d;"},
      {"a hash begins a value", "a =#b\n", "1:a=#b;"},
      {"a hash inside, then a comment", "a = b#c # d # e\n", "1:a=b#c;"},
      {"double quotes", "a = \" b # c \" # d\n", "1:a= b # c ;"},
      {"escapes in double quotes", "a = \"\\\"b\\\\\"\n", "1:a=\"b\\;"},
      {"single quotes", "a = 'b \" \\ # c'\n", "1:a=b \" \\ # c;"},
      {"empty quotes", "a = \"\"\nb = ''#\n", "1:a=;2:b=;"},
      {"a quote inside a value", "a = b\"c'd\n", "1:a=b\"c'd;"},
      {"a quote ends with its line", "a = \"b\nc = d\"\n", "1!a quote is not closed;2:c=d\";"},
      {"a quote that is not closed", "a = '", "1!a quote is not closed;"},
      {"a quote that ends in a backslash", "a = \"b\\",
       "1!only \\\" and \\\\ may follow a backslash;"},
      {"another escape", "a = \"\\n\"", "1!only \\\" and \\\\ may follow a backslash;"},
      {"text behind a quote", "a = \"b\" c\n", "1!text follows the closing quote;"},
      {"no equals sign", "a b\nc = d\n", "1!not a `key = value` line;2:c=d;"},
      {"a section", "[a]\n", "1!not a `key = value` line;"},
      {"a URL in the key", "a redis://:p = x\n", "1!not a `key = value` line;"},
      {"every kind of character in a key", "A-z_09 = x\n", "1:A-z_09=x;"},
      {"a name and an id", "a.b/c@d.e=x\n", "1:a.b/c@d.e=x;"},
      {"an id with equals signs, behind it a blank", "a.b== = x\na.b=\t=y", "1:a.b===x;2:a.b==y;"},
      {"an id with equals signs and no blank", "a.b===x\n", "1:a.b===x;"},
      {"a value with equals signs", "a.b = c = d\na.b=c = d\n", "1:a.b=c = d;2:a.b=c=d;"},
      {"a dot in a value only", "a = b.c = d\n", "1:a=b.c = d;"},
      {"no id", "a. = x\n", "1:a.=x;"},
      {"no name", ".a = x\n", "1!not a `key = value` line;"},
      {"a character that no id has", "a.b:c = x\n", "1!not a `key = value` line;"},
      {"no key", " = b\n", "1!a key is missing;"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char got[256];
    read_all(cases[i].text, got, sizeof got);
    if (strcmp(got, cases[i].want) != 0)
      fail_msg("%s: %s, not %s", cases[i].name, got, cases[i].want);
  }
}

static void a_line_has_a_limit(void **state) {
  (void)state;
  static char text[KEY_VALUE_LINE_MAX + 3], got[KEY_VALUE_LINE_MAX + 64];
  memset(text, 'b', KEY_VALUE_LINE_MAX);
  memcpy(text, "a=", 2);
  strcpy(text + KEY_VALUE_LINE_MAX, "\n");
  read_all(text, got, sizeof got);
  assert_memory_equal(got, "1:a=bbb", 7);
  assert_int_equal(strlen(got), KEY_VALUE_LINE_MAX + strlen("1:;"));

  strcpy(text + KEY_VALUE_LINE_MAX, "b\n");
  read_all(text, got, sizeof got);
  assert_string_equal(got, "1!the line is too long;");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines),
      cmocka_unit_test(a_line_has_a_limit),
  };
  return cmocka_run_group_tests_name("key_value", tests, NULL, NULL);
}

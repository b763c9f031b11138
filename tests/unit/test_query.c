/* Tests of query parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/buffer.h"
#include "utils/text/query.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { SIZE = 8 }; /* of the value */

/* Copies in heap blocks of their own size, so that ASan sees a byte too many. */
static query_result get(au_slice query, const char *name, size_t size, char *out, size_t *len) {
  char *text = malloc(query.len ? query.len : 1), *value = malloc(size ? size : 1);
  assert_non_null(text);
  assert_non_null(value);
  if (query.len) memcpy(text, query.ptr, query.len);
  query_result result = query_get((au_slice){text, query.len}, name, value, size, len);
  if (result == QUERY_ONE) {
    assert_true(*len <= size);
    memcpy(out, value, *len);
  }
  free(text);
  free(value);
  return result;
}

static const char *const result_names[] = {
    [QUERY_NONE] = "none",
    [QUERY_ONE] = "one",
    [QUERY_REPEATED] = "repeated",
    [QUERY_MALFORMED] = "malformed",
};

static void the_value_of_a_name(void **state) {
  (void)state;
  static const struct {
    const char *name, *query;
    query_result want;
    const char *value;
  } cases[] = {
      {"empty", "", QUERY_NONE, ""},
      {"alone", "id=shop", QUERY_ONE, "shop"},
      {"first", "id=shop&x=1", QUERY_ONE, "shop"},
      {"last", "x=1&id=shop", QUERY_ONE, "shop"},
      {"in the middle", "x=1&id=shop&y=2", QUERY_ONE, "shop"},
      {"another name", "x=1&y=2", QUERY_NONE, ""},
      {"in capitals", "ID=shop", QUERY_NONE, ""},
      {"a longer name", "id2=shop&xid=shop", QUERY_NONE, ""},
      {"a shorter name", "i=shop", QUERY_NONE, ""},
      {"an escaped name is another one", "%69d=shop", QUERY_NONE, ""},
      {"as the value of another", "x=id&y=id=shop", QUERY_NONE, ""},
      {"an empty value", "id=", QUERY_ONE, ""},
      {"without =", "id", QUERY_ONE, ""},
      {"without =, before others", "id&x=1", QUERY_ONE, ""},
      {"no name", "=shop", QUERY_NONE, ""},
      {"no name, but there", "=x&id=shop", QUERY_ONE, "shop"},
      {"only separators", "&&&", QUERY_NONE, ""},
      {"empty parts around", "&&id=shop&&", QUERY_ONE, "shop"},
      {"= in the value", "id=a=b=", QUERY_ONE, "a=b="},
      {"a plus stays a plus", "id=a+b", QUERY_ONE, "a+b"},
      {"an escaped plus", "id=a%2Bb", QUERY_ONE, "a+b"},
      {"an escaped space", "id=a%20b", QUERY_ONE, "a b"},
      {"small hex digits", "id=%2f%7e%3a", QUERY_ONE, "/~:"},
      {"large hex digits", "id=%2F%7E%3A", QUERY_ONE, "/~:"},
      {"an escaped & and =", "id=a%26b%3Dc", QUERY_ONE, "a&b=c"},
      {"decoded once", "id=%2541", QUERY_ONE, "%41"},
      {"all bytes", "id=%ff%80%01", QUERY_ONE, "\xff\x80\x01"},
      {"a semicolon separates nothing", "id=a;x=1", QUERY_ONE, "a;x=1"},
      {"a question mark", "id=a?b", QUERY_ONE, "a?b"},
      {"just fits", "id=12345678", QUERY_ONE, "12345678"},
      {"just fits, escaped", "id=%31%32%33%34%35%36%37%38", QUERY_ONE, "12345678"},
      {"too long", "id=123456789", QUERY_MALFORMED, ""},
      {"too long, escaped", "id=%31%32%33%34%35%36%37%38%39", QUERY_MALFORMED, ""},
      {"a lone %", "id=%", QUERY_MALFORMED, ""},
      {"a % at the end", "id=a%", QUERY_MALFORMED, ""},
      {"one digit", "id=%4", QUERY_MALFORMED, ""},
      {"one digit, then another name", "id=%4&1=1", QUERY_MALFORMED, ""},
      {"no hex", "id=%zz", QUERY_MALFORMED, ""},
      {"no hex behind", "id=%4g", QUERY_MALFORMED, ""},
      {"no hex before", "id=%g4", QUERY_MALFORMED, ""},
      {"a sign", "id=%+1", QUERY_MALFORMED, ""},
      {"two %", "id=%%41", QUERY_MALFORMED, ""},
      {"a bad escape of another name", "x=%zz&id=shop", QUERY_ONE, "shop"},
      {"twice", "id=a&id=b", QUERY_REPEATED, ""},
      {"twice the same", "id=a&x=1&id=a", QUERY_REPEATED, ""},
      {"twice, one without =", "id=a&id", QUERY_REPEATED, ""},
      {"three times", "id=a&id=b&id=c", QUERY_REPEATED, ""},
      {"twice, one malformed", "id=%&id=b", QUERY_REPEATED, ""},
      {"twice, the other malformed", "id=a&id=%", QUERY_REPEATED, ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char value[SIZE];
    size_t len = 99;
    query_result got = get(slice_of(cases[i].query), "id", SIZE, value, &len);
    if (got != cases[i].want)
      fail_msg("%s: %s and not %s", cases[i].name, result_names[got], result_names[cases[i].want]);
    if (got == QUERY_ONE && !slice_eq((au_slice){value, len}, slice_of(cases[i].value)))
      fail_msg("%s: '%.*s' and not '%s'", cases[i].name, (int)len, value, cases[i].value);
  }
}

static void a_nul_is_a_byte_like_others(void **state) {
  (void)state;
  char value[SIZE];
  size_t len = 0;
  assert_int_equal(get(slice_of("id=a%00b"), "id", SIZE, value, &len), QUERY_ONE);
  assert_int_equal(len, 3);
  assert_memory_equal(value, "a\0b", 3);
  assert_int_equal(get((au_slice){"id=a\0&id\0=b", 12}, "id", SIZE, value, &len), QUERY_ONE);
  assert_int_equal(len, 2);
  assert_memory_equal(value, "a\0", 2);
}

static void no_room_and_no_query(void **state) {
  (void)state;
  char value[1];
  size_t len = 99;
  assert_int_equal(get(slice_of("id="), "id", 0, value, &len), QUERY_ONE);
  assert_int_equal(len, 0);
  assert_int_equal(get(slice_of("id=a"), "id", 0, value, &len), QUERY_MALFORMED);
  assert_int_equal(query_get((au_slice){NULL, 0}, "id", value, 1, &len), QUERY_NONE);
}

static int hex_value(int c) {
  const char *digits = "0123456789abcdef", *at;
  if (c >= 'A' && c <= 'F') c += 'a' - 'A';
  return c != '\0' && (at = strchr(digits, c)) ? (int)(at - digits) : -1;
}

/* Each pair of bytes behind a percent sign: only hex digits are an escape. */
static void every_escape(void **state) {
  (void)state;
  for (int high = 0; high < 256; high++) {
    for (int low = 0; low < 256; low++) {
      if (high == '&' || low == '&') continue; /* there the value ends */
      char query[] = {'i', 'd', '=', '%', (char)high, (char)low}, value[SIZE];
      size_t len = 0;
      query_result got = query_get((au_slice){query, sizeof query}, "id", value, SIZE, &len);
      if (hex_value(high) < 0 || hex_value(low) < 0) {
        assert_int_equal(got, QUERY_MALFORMED);
      } else {
        assert_int_equal(got, QUERY_ONE);
        assert_int_equal(len, 1);
        assert_int_equal((unsigned char)value[0], hex_value(high) * 16 + hex_value(low));
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_value_of_a_name),
      cmocka_unit_test(a_nul_is_a_byte_like_others),
      cmocka_unit_test(no_room_and_no_query),
      cmocka_unit_test(every_escape),
  };
  return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}

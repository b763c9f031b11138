/* What the raw text of a JSON object may be, byte by byte. Knows no fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "exact.h"
#include "wire/scan.h"

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }
/* A string value that holds these bytes. */
#define VALUE(bytes) TEXT("{\"a\":\"" bytes "\"}")
#define TEN(s)       s s s s s s s s s s

static const struct {
  const char *name;
  au_slice text;
  wire_scan_status want;
} cases[] = {
    {"an empty object", TEXT("{}"), WIRE_SCAN_OK},
    {"white space everywhere", TEXT(" \t\r\n{ \"a\" : 1 , \"b\" : [ ] } \r\n"), WIRE_SCAN_OK},
    {"every kind of value", TEXT("{\"a\":[1,\"x\",true,false,null,{}]}"), WIRE_SCAN_OK},
    {"an empty key", TEXT("{\"\":0}"), WIRE_SCAN_OK},

    {"nothing", TEXT(""), WIRE_SCAN_NOT_OBJECT},
    {"only white space", TEXT(" \n"), WIRE_SCAN_NOT_OBJECT},
    {"an array", TEXT("[1]"), WIRE_SCAN_NOT_OBJECT},
    {"a string", TEXT("\"x\""), WIRE_SCAN_NOT_OBJECT},
    {"a number", TEXT("12"), WIRE_SCAN_NOT_OBJECT},
    {"null", TEXT("null"), WIRE_SCAN_NOT_OBJECT},

    {"a word", TEXT("nonsense"), WIRE_SCAN_SYNTAX},
    {"an open object", TEXT("{"), WIRE_SCAN_SYNTAX},
    {"an open member", TEXT("{\"a\":1,"), WIRE_SCAN_SYNTAX},
    {"an open string", TEXT("{\"a\":\"x"), WIRE_SCAN_SYNTAX},
    {"an open escape", TEXT("{\"a\":\"\\"), WIRE_SCAN_SYNTAX},
    {"an open array", TEXT("{\"a\":[1"), WIRE_SCAN_SYNTAX},
    {"the wrong bracket", TEXT("{\"a\":[1}"), WIRE_SCAN_SYNTAX},
    {"a comma too many", TEXT("{\"a\":1,}"), WIRE_SCAN_SYNTAX},
    {"a comma too many in an array", TEXT("{\"a\":[1,]}"), WIRE_SCAN_SYNTAX},
    {"no comma", TEXT("{\"a\":1 \"b\":2}"), WIRE_SCAN_SYNTAX},
    {"no colon", TEXT("{\"a\" 1}"), WIRE_SCAN_SYNTAX},
    {"no value", TEXT("{\"a\":}"), WIRE_SCAN_SYNTAX},
    {"a key without quotes", TEXT("{a:1}"), WIRE_SCAN_SYNTAX},
    {"single quotes", TEXT("{'a':1}"), WIRE_SCAN_SYNTAX},
    {"a comment", TEXT("{/**/}"), WIRE_SCAN_SYNTAX},
    {"a rest", TEXT("{}x"), WIRE_SCAN_SYNTAX},
    {"a second object", TEXT("{}{}"), WIRE_SCAN_SYNTAX},
    {"a NUL behind the object", TEXT("{}\0"), WIRE_SCAN_SYNTAX},
    {"a NUL inside", TEXT("{\0}"), WIRE_SCAN_SYNTAX},
    {"a byte order mark", TEXT("\xEF\xBB\xBF{}"), WIRE_SCAN_SYNTAX},
    {"a vertical tab as white space", TEXT("{\v}"), WIRE_SCAN_SYNTAX},
    {"half a word", TEXT("{\"a\":tru}"), WIRE_SCAN_SYNTAX},
    {"a word cut by the end", TEXT("{\"a\":tru"), WIRE_SCAN_SYNTAX},
    {"a word in capitals", TEXT("{\"a\":TRUE}"), WIRE_SCAN_SYNTAX},

    {"zero", TEXT("{\"a\":0}"), WIRE_SCAN_OK},
    {"minus zero", TEXT("{\"a\":-0}"), WIRE_SCAN_OK},
    {"all parts of a number", TEXT("{\"a\":-12.50E+07}"), WIRE_SCAN_OK},
    {"a small exponent", TEXT("{\"a\":1e-7}"), WIRE_SCAN_OK},
    {"a leading zero", TEXT("{\"a\":01}"), WIRE_SCAN_SYNTAX},
    {"a plus", TEXT("{\"a\":+1}"), WIRE_SCAN_SYNTAX},
    {"only a minus", TEXT("{\"a\":-}"), WIRE_SCAN_SYNTAX},
    {"no digit before the point", TEXT("{\"a\":.5}"), WIRE_SCAN_SYNTAX},
    {"no digit behind the point", TEXT("{\"a\":1.}"), WIRE_SCAN_SYNTAX},
    {"no digit in the exponent", TEXT("{\"a\":1e}"), WIRE_SCAN_SYNTAX},
    {"two signs in the exponent", TEXT("{\"a\":1e+-1}"), WIRE_SCAN_SYNTAX},
    {"hexadecimal", TEXT("{\"a\":0x10}"), WIRE_SCAN_SYNTAX},
    {"NaN", TEXT("{\"a\":NaN}"), WIRE_SCAN_SYNTAX},
    {"Infinity", TEXT("{\"a\":-Infinity}"), WIRE_SCAN_SYNTAX},
    {"63 digits", TEXT("{\"a\":" TEN("123456") "123}"), WIRE_SCAN_OK},
    {"64 digits", TEXT("{\"a\":" TEN("123456") "1234}"), WIRE_SCAN_NUMBER},

    {"two bytes", VALUE("\xC2\x80"), WIRE_SCAN_OK},
    {"three bytes", VALUE("\xE2\x82\xAC"), WIRE_SCAN_OK},
    {"four bytes", VALUE("\xF0\x9F\x98\x80"), WIRE_SCAN_OK},
    {"the last code point", VALUE("\xF4\x8F\xBF\xBF"), WIRE_SCAN_OK},
    {"beyond the last code point", VALUE("\xF4\x90\x80\x80"), WIRE_SCAN_ENCODING},
    {"a lead byte of no character", VALUE("\xF5\x80\x80\x80"), WIRE_SCAN_ENCODING},
    {"five bytes", VALUE("\xF8\x88\x80\x80\x80"), WIRE_SCAN_ENCODING},
    {"a lone continuation", VALUE("\x80"), WIRE_SCAN_ENCODING},
    {"overlong in two bytes", VALUE("\xC0\xAF"), WIRE_SCAN_ENCODING},
    {"overlong in three bytes", VALUE("\xE0\x9F\xBF"), WIRE_SCAN_ENCODING},
    {"overlong in four bytes", VALUE("\xF0\x8F\xBF\xBF"), WIRE_SCAN_ENCODING},
    {"before the surrogates", VALUE("\xED\x9F\xBF"), WIRE_SCAN_OK},
    {"a surrogate", VALUE("\xED\xA0\x80"), WIRE_SCAN_ENCODING},
    {"cut by the quote", VALUE("\xE2\x82"), WIRE_SCAN_ENCODING},
    {"cut by the end", TEXT("{\"a\":\"\xE2\x82"), WIRE_SCAN_ENCODING},
    {"a bad third byte", VALUE("\xE2\x82z"), WIRE_SCAN_ENCODING},
    {"Latin-1 in a key", TEXT("{\"\xE9\":1}"), WIRE_SCAN_ENCODING},

    {"all short escapes", VALUE("\\\"\\\\\\/\\b\\f\\n\\r\\t"), WIRE_SCAN_OK},
    {"an unknown escape", VALUE("\\x41"), WIRE_SCAN_SYNTAX},
    {"an escaped NUL byte", VALUE("\\\0"), WIRE_SCAN_SYNTAX},
    {"a raw NUL", VALUE("\0"), WIRE_SCAN_SYNTAX},
    {"a raw newline", VALUE("\n"), WIRE_SCAN_SYNTAX},
    {"a raw unit separator", VALUE("\x1F"), WIRE_SCAN_SYNTAX},
    {"DEL is no control byte here", VALUE("\x7F"), WIRE_SCAN_OK},
    {"an escaped letter", VALUE("\\u00E9"), WIRE_SCAN_OK},
    {"three hex digits", VALUE("\\u00e"), WIRE_SCAN_SYNTAX},
    {"no hex digit", VALUE("\\u00eg"), WIRE_SCAN_SYNTAX},
    {"an escaped zero", VALUE("x\\u0000y"), WIRE_SCAN_ZERO},
    {"an escaped zero in a key", TEXT("{\"a\\u0000\":1}"), WIRE_SCAN_ZERO},
    {"a backslash, then u0000", VALUE("\\\\u0000"), WIRE_SCAN_OK},
    {"a pair of surrogates", VALUE("\\uD83D\\uDE00"), WIRE_SCAN_OK},
    {"a lone high surrogate", VALUE("\\uD83D"), WIRE_SCAN_SYNTAX},
    {"a lone low surrogate", VALUE("\\uDE00"), WIRE_SCAN_SYNTAX},
    {"a high surrogate and a letter", VALUE("\\uD83D\\u0041"), WIRE_SCAN_SYNTAX},
    {"two high surrogates", VALUE("\\uD83D\\uD83D"), WIRE_SCAN_SYNTAX},
    {"a high surrogate and a newline", VALUE("\\uD83D\\n"), WIRE_SCAN_SYNTAX},

    {"the deepest object", TEXT("{\"a\":{\"b\":[[]]}}"), WIRE_SCAN_OK},
    {"one level too deep", TEXT("{\"a\":{\"b\":[[[]]]}}"), WIRE_SCAN_DEPTH},
    {"an object too deep", TEXT("{\"a\":{\"b\":[[{}]]}}"), WIRE_SCAN_DEPTH},
    {"siblings are not depth", TEXT("{\"a\":[[[]],[[]],[[]]],\"b\":[[[]]]}"), WIRE_SCAN_OK},
};

static void count_member(void *arg, au_slice name, au_slice value) {
  (void)name;
  (void)value;
  ++*(size_t *)arg;
}

static wire_scan_status scan_exact(au_slice text, size_t *count) {
  au_slice copy = exact_bytes(text.ptr, text.len);
  *count = 0;
  wire_scan_status got = wire_scan(copy, 4, count_member, count);
  release(copy);
  return got;
}

static void test_cases(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t members = 0;
    wire_scan_status got = scan_exact(cases[i].text, &members);
    if (got != cases[i].want)
      fail_msg("%s: want %d, got %d", cases[i].name, (int)cases[i].want, (int)got);
  }
}

/* Whatever is cut off, what is left is no object: nothing is read past the end. */
static void test_every_prefix(void **state) {
  (void)state;
  static const char whole[] =
      "{\"a\":[true,false,null,-1.5e+3,{}],\"\xF0\x9F\x98\x80\":\"\\uD83D\\uDE00\\n\"}";
  size_t members = 0;
  for (size_t len = 0; len < sizeof whole - 1; len++) {
    if (scan_exact((au_slice){whole, len}, &members) == WIRE_SCAN_OK)
      fail_msg("taken after %zu bytes", len);
  }
  assert_int_equal(scan_exact((au_slice){whole, sizeof whole - 1}, &members), WIRE_SCAN_OK);
  assert_int_equal(members, 2);
}

/* A string is read several bytes at a time: what ends or spoils it may be anywhere in them. */
static void test_every_byte_at_every_place(void **state) {
  (void)state;
  enum { LETTERS = 40 };
  for (unsigned len = 1; len <= LETTERS; len++)
    for (unsigned place = 0; place < len; place++)
      for (unsigned byte = 0; byte <= 0xFF; byte++) {
        size_t members;
        char text[LETTERS + 8] = "{\"a\":\"";
        memset(text + 6, 'x', len);
        text[6 + place] = (char)byte;
        memcpy(text + 6 + len, "\"}", 2);
        wire_scan_status want = WIRE_SCAN_OK;
        if (byte < 0x20 || byte == '"') want = WIRE_SCAN_SYNTAX;
        if (byte == '\\') want = WIRE_SCAN_SYNTAX; /* `\x`, or the quote that should end it */
        if (byte >= 0x80) want = WIRE_SCAN_ENCODING;
        wire_scan_status got = scan_exact((au_slice){text, 8 + len}, &members);
        if (got != want) fail_msg("byte %u at %u of %u: %d", byte, place, len, (int)got);
      }
}

static void test_members(void **state) {
  (void)state;
  static const struct {
    const char *name;
    au_slice text;
    size_t want;
  } counts[] = {
      {"none", TEXT("{}"), 0},
      {"one", TEXT("{\"a\":1}"), 1},
      {"three", TEXT("{\"a\":1,\"a\":2,\"b\":3}"), 3},
      {"nested ones do not count", TEXT("{\"a\":{\"b\":1,\"c\":2},\"d\":[1,2]}"), 2},
  };
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    size_t members = 99;
    wire_scan_status got = scan_exact(counts[i].text, &members);
    if (got != WIRE_SCAN_OK || members != counts[i].want)
      fail_msg("%s: want %zu, got %zu", counts[i].name, counts[i].want, members);
  }
}

static void expect_slice(au_slice got, const char *want) {
  if (got.len != strlen(want) || memcmp(got.ptr, want, got.len) != 0)
    fail_msg("want %s, got %.*s", want, (int)got.len, got.ptr);
}

typedef struct listed {
  au_slice names[4], values[4];
  size_t count;
} listed;

static void list_member(void *arg, au_slice name, au_slice value) {
  listed *l = arg;
  assert_in_range(l->count, 0, 3);
  l->names[l->count] = name;
  l->values[l->count++] = value;
}

/* As they stand in the text, without the space around them. */
static void test_what_members_say(void **state) {
  (void)state;
  static const char text[] =
      " { \"a\" : \"x\\n\" , \"\\u0062\":-1.5e3 ,\"c\":{\"d\":[1 , 2]},\"e\":null } ";
  listed got = {.count = 0};
  assert_int_equal(wire_scan((au_slice){text, sizeof text - 1}, 4, list_member, &got),
                   WIRE_SCAN_OK);
  assert_int_equal(got.count, 4);
  expect_slice(got.names[0], "\"a\"");
  expect_slice(got.values[0], "\"x\\n\"");
  expect_slice(got.names[1], "\"\\u0062\"");
  expect_slice(got.values[1], "-1.5e3");
  expect_slice(got.names[2], "\"c\"");
  expect_slice(got.values[2], "{\"d\":[1 , 2]}");
  expect_slice(got.names[3], "\"e\"");
  expect_slice(got.values[3], "null");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),
      cmocka_unit_test(test_every_prefix),
      cmocka_unit_test(test_every_byte_at_every_place),
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_what_members_say),
  };
  return cmocka_run_group_tests_name("wire_scan", tests, NULL, NULL);
}

/* Tests of buffers and slices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

static void expect_text(const buffer *b, const char *want) {
  assert_false(b->failed);
  if (!slice_eq(buffer_slice(b), slice_of(want)))
    fail_msg("buffer holds '%.*s', not '%s'", (int)b->len, b->ptr, want);
}

static void appends_follow_each_other(void **state) {
  (void)state;
  buffer b;
  buffer_init(&b, 100);
  buffer_append_text(&b, "");
  buffer_append(&b, NULL, 0);
  assert_null(b.ptr);
  buffer_append_text(&b, "one ");
  buffer_append_slice(&b, (au_slice){"two rest", 4});
  buffer_append_format(&b, "%d%s", 3, "!");
  expect_text(&b, "one two 3!");
  buffer_free(&b);
  assert_null(b.ptr);
  assert_int_equal(b.len, 0);
  assert_int_equal(b.max_bytes, 100);
}

static void grows_and_keeps_what_it_has(void **state) {
  (void)state;
  buffer b;
  buffer_init(&b, 1 << 20);
  for (int i = 0; i < 100000; i++) buffer_append(&b, &(char){(char)('a' + i % 26)}, 1);
  assert_false(b.failed);
  assert_int_equal(b.len, 100000);
  for (int i = 0; i < 100000; i++) assert_int_equal(b.ptr[i], 'a' + i % 26);
  buffer_free(&b);
}

/* How a buffer of 10 bytes that already holds 4 takes more. */
static void limit_is_exact(void **state) {
  (void)state;
  static const struct {
    const char *name, *more;
    bool fits;
  } cases[] = {
      {"below the limit", "56789", true},
      {"just the limit", "567890", true},
      {"one too many", "5678901", false},
      {"far too many", "5678901234567890123456789012345678901234567890", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int formatted = 0; formatted < 2; formatted++) {
      buffer b;
      buffer_init(&b, 10);
      buffer_append_text(&b, "1234");
      if (formatted)
        buffer_append_format(&b, "%s", cases[i].more);
      else
        buffer_append_text(&b, cases[i].more);
      if (b.failed == cases[i].fits) fail_msg("%s (formatted: %d)", cases[i].name, formatted);
      assert_int_equal(b.len, cases[i].fits ? 4 + strlen(cases[i].more) : 4);
      buffer_free(&b);
    }
  }
}

static void format_that_needs_a_second_pass(void **state) {
  (void)state;
  char *text = calloc(1, 1001);
  for (size_t len = 0; len <= 1000; len++) {
    buffer b;
    buffer_init(&b, 1100);
    buffer_append_text(&b, "0123456789");
    buffer_append_format(&b, "[%s]", text);
    assert_false(b.failed);
    assert_int_equal(b.len, len + 12);
    assert_int_equal(b.ptr[b.len - 1], ']');
    assert_memory_equal(b.ptr + 11, text, len);
    buffer_free(&b);
    if (len < 1000) text[len] = 'x';
  }
  free(text);
}

static void failure_stays_until_cleared(void **state) {
  (void)state;
  buffer b;
  buffer_init(&b, 8);
  buffer_append_text(&b, "123456789");
  assert_true(b.failed);
  buffer_append_text(&b, "1"); /* would fit, but behind a hole */
  buffer_append_format(&b, "%d", 1);
  assert_null(buffer_reserve(&b, 1));
  assert_int_equal(b.len, 0);
  buffer_clear(&b);
  buffer_append_text(&b, "12345678");
  expect_text(&b, "12345678");
  char *kept = b.ptr;
  buffer_clear(&b);
  assert_ptr_equal(b.ptr, kept);
  buffer_free(&b);
}

static void zero_is_an_empty_buffer_that_holds_nothing(void **state) {
  (void)state;
  buffer b = {0};
  buffer_consume(&b, 0);
  buffer_clear(&b);
  buffer_free(&b);
  buffer_append_text(&b, "");
  assert_false(b.failed);
  buffer_append_text(&b, "x");
  assert_true(b.failed);
  buffer_free(&b);
}

static void reserved_room_is_used(void **state) {
  (void)state;
  buffer b;
  buffer_init(&b, 1000);
  char *room = buffer_reserve(&b, 1000);
  assert_non_null(room);
  memset(room, 'x', 1000);
  buffer_used(&b, 3);
  expect_text(&b, "xxx");
  assert_non_null(buffer_reserve(&b, 997));
  assert_null(buffer_reserve(&b, 998));
  assert_true(b.failed);
  buffer_free(&b);
  assert_false(b.failed);
  assert_null(buffer_reserve(&b, SIZE_MAX));
  buffer_free(&b);
}

static void consumes_from_the_front(void **state) {
  (void)state;
  buffer b;
  buffer_init(&b, 100);
  buffer_append_text(&b, "GET / next");
  buffer_consume(&b, 0);
  expect_text(&b, "GET / next");
  buffer_consume(&b, 6);
  expect_text(&b, "next");
  buffer_append_text(&b, "!");
  expect_text(&b, "next!");
  buffer_consume(&b, 5);
  expect_text(&b, "");
  buffer_free(&b);
}

static void slices_equal(void **state) {
  (void)state;
  static const struct {
    const char *name, *a, *b;
    bool same, same_nocase;
  } cases[] = {
      {"both empty", "", "", true, true},
      {"equal", "Host", "Host", true, true},
      {"case differs", "Content-Length", "cOntEnt-lEngth", false, true},
      {"prefix", "Host", "Hos", false, false},
      {"other", "Host", "Hosu", false, false},
      {"[ is not { in lower case", "a[", "a{", false, false},
      {"@ is not ` in lower case", "@", "`", false, false},
      {"bytes beyond ASCII keep their case", "\xc3\x84", "\xc3\xa4", false, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    au_slice a = slice_of(cases[i].a), b = slice_of(cases[i].b);
    if (slice_eq(a, b) != cases[i].same) fail_msg("%s", cases[i].name);
    if (slice_eq_nocase(a, b) != cases[i].same_nocase) fail_msg("%s, no case", cases[i].name);
  }
  assert_true(slice_eq((au_slice){0}, slice_of("")));
}

static void slices_are_trimmed(void **state) {
  (void)state;
  static const struct {
    const char *name, *in, *want;
  } cases[] = {
      {"empty", "", ""},
      {"nothing to do", "a b", "a b"},
      {"both ends", " \t a b\t ", "a b"},
      {"only blanks", " \t \t", ""},
      {"line ends stay", "a\r\n", "a\r\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (!slice_eq(slice_trim(slice_of(cases[i].in)), slice_of(cases[i].want)))
      fail_msg("%s", cases[i].name);
  assert_int_equal(slice_trim((au_slice){0}).len, 0);
}

static void slices_are_split(void **state) {
  (void)state;
  static const struct {
    const char *name, *in, *want; /* each part in brackets */
  } cases[] = {
      {"empty", "", ""},
      {"one", "a", "[a]"},
      {"three", "a,bc,d", "[a][bc][d]"},
      {"an empty one inside", "a,,b", "[a][][b]"},
      {"an empty one first", ",a", "[][a]"},
      {"nothing behind the last separator", "a,", "[a]"},
      {"a separator alone", ",", "[]"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    buffer got;
    buffer_init(&got, 100);
    au_slice rest = slice_of(cases[i].in), part;
    while (slice_next(&rest, ',', &part))
      buffer_append_format(&got, "[%.*s]", (int)part.len, part.ptr);
    if (!slice_eq(buffer_slice(&got), slice_of(cases[i].want))) fail_msg("%s", cases[i].name);
    buffer_free(&got);
  }
}

static void slices_of_digits(void **state) {
  (void)state;
  static const struct {
    const char *name, *in;
    size_t max_len;
    bool is_number;
    uint64_t want;
  } cases[] = {
      {"empty", "", 5, false, 0},
      {"one", "7", 1, true, 7},
      {"zeros in front", "00042", 5, true, 42},
      {"as long as may be", "99999", 5, true, 99999},
      {"one digit more", "100000", 5, false, 0},
      {"nineteen", "9999999999999999999", 19, true, 9999999999999999999u},
      {"a sign", "+1", 5, false, 0},
      {"a blank behind", "1 ", 5, false, 0},
      {"below the digits", "1/", 5, false, 0},
      {"above the digits", "1:", 5, false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint64_t got = 0;
    if (slice_digits(slice_of(cases[i].in), cases[i].max_len, &got) != cases[i].is_number ||
        got != cases[i].want)
      fail_msg("%s", cases[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(appends_follow_each_other),
      cmocka_unit_test(grows_and_keeps_what_it_has),
      cmocka_unit_test(limit_is_exact),
      cmocka_unit_test(format_that_needs_a_second_pass),
      cmocka_unit_test(failure_stays_until_cleared),
      cmocka_unit_test(zero_is_an_empty_buffer_that_holds_nothing),
      cmocka_unit_test(reserved_room_is_used),
      cmocka_unit_test(consumes_from_the_front),
      cmocka_unit_test(slices_equal),
      cmocka_unit_test(slices_are_trimmed),
      cmocka_unit_test(slices_are_split),
      cmocka_unit_test(slices_of_digits),
  };
  return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}

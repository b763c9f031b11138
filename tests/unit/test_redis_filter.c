/* The filter in front of hiredis: what passes of a stream, however it is cut into pieces. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "adapters/redis/link/filter.h"
#include "utils/buffer.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { BULK_MAX = 8 };

static const struct {
  const char *name, *in, *out; /* "": the same */
  size_t elements, skipped;
} streams[] = {
    {"lines", "+OK\r\n:1\r\n-ERR no\r\n", "", 3, 0},
    {"a bulk", "$3\r\nabc\r\n", "", 1, 0},
    {"the largest bulk", "$8\r\nabcdefgh\r\n", "", 1, 0},
    {"one byte more", "$9\r\nabcdefghi\r\n", "$-1\r\n", 1, 1},
    {"nil and empty", "$-1\r\n$0\r\n\r\n", "", 2, 0},
    {"an array", "*2\r\n$1\r\na\r\n*1\r\n:7\r\n", "", 4, 0},
    {"one odd member of three", "*3\r\n$1\r\na\r\n$12\r\nxxxxxxxxxxxx\r\n$1\r\nb\r\n",
     "*3\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n", 4, 1},
    {"a bulk that looks like protocol", "$8\r\n$99\r\n:1\r\r\n:2\r\n", "", 2, 0},
    {"the same, too large", "$11\r\n$3\r\nabc\r\n+x\r\n:2\r\n", "$-1\r\n:2\r\n", 2, 1},
    {"many too large", "$9\r\n123456789\r\n$9\r\n123456789\r\n:1\r\n", "$-1\r\n$-1\r\n:1\r\n", 3,
     2},
    {"no length", "$x\r\n", "", 1, 0},
    {"a length beyond 64 bits", "$99999999999999999999\r\n", "", 1, 0},
};

/* Feeds `in` in pieces of `size` bytes. */
static void run(redis_filter *f, const char *in, size_t size, buffer *got) {
  buffer_clear(got);
  size_t len = strlen(in);
  for (size_t at = 0; at < len; at += size) {
    au_slice piece = {in + at, len - at < size ? len - at : size}, out;
    while (redis_filter_next(f, &piece, &out)) buffer_append_slice(got, out);
    assert_int_equal(piece.len, 0);
  }
}

static void streams_in_pieces(void **state) {
  (void)state;
  buffer got;
  buffer_init(&got, 4096);
  for (size_t i = 0; i < COUNT(streams); i++) {
    const char *want = streams[i].out[0] ? streams[i].out : streams[i].in;
    for (size_t size = 1; size <= strlen(streams[i].in); size++) {
      redis_filter f;
      redis_filter_init(&f, BULK_MAX);
      run(&f, streams[i].in, size, &got);
      if (!slice_eq(buffer_slice(&got), slice_of(want)))
        fail_msg("%s, %zu bytes at a time: '%.*s'", streams[i].name, size, (int)got.len, got.ptr);
      if (f.elements != streams[i].elements || f.skipped != streams[i].skipped)
        fail_msg("%s: %zu elements, %zu skipped", streams[i].name, f.elements, f.skipped);
      assert_false(f.broken);
    }
  }
  buffer_free(&got);
}

/* It passes, for hiredis to say what is wrong with it; the caller ends it in any case. */
static void no_protocol_passes_and_is_noted(void **state) {
  (void)state;
  static const char *const odd[] = {"HTTP/1.1 400\r\n$99\r\n", "\n", "%1\r\n+a\r\n+b\r\n",
                                    "$00000000000000000000000000000000000001\r\n"};
  buffer got;
  buffer_init(&got, 4096);
  for (size_t i = 0; i < COUNT(odd); i++) {
    for (size_t size = 1; size <= strlen(odd[i]); size++) {
      redis_filter f;
      redis_filter_init(&f, BULK_MAX);
      run(&f, odd[i], size, &got);
      assert_true(f.broken);
      assert_true(slice_eq(buffer_slice(&got), slice_of(odd[i])));
    }
  }
  buffer_free(&got);
}

static void a_line_without_end(void **state) {
  (void)state;
  redis_filter f;
  redis_filter_init(&f, BULK_MAX);
  size_t n = 0;
  for (au_slice out; !f.broken && n <= REDIS_LINE_MAX_BYTES; n++) {
    au_slice piece = {n == 0 ? "-" : "x", 1};
    assert_true(redis_filter_next(&f, &piece, &out));
  }
  assert_int_equal(n, REDIS_LINE_MAX_BYTES + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_in_pieces),
      cmocka_unit_test(no_protocol_passes_and_is_noted),
      cmocka_unit_test(a_line_without_end),
  };
  return cmocka_run_group_tests_name("redis_filter", tests, NULL, NULL);
}

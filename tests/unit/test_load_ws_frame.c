/* Tests of the load generator's WebSocket frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../load/ws_frame.h"

#include <string.h>

/* A server's frame: no mask, a payload of `len` times the letter a. */
static void put(buffer *out, unsigned first, size_t len) {
  uint8_t head[10] = {(uint8_t)first, (uint8_t)len};
  size_t size = 2;
  if (len >= 126) {
    size = len <= UINT16_MAX ? 4 : 10;
    head[1] = size == 4 ? 126 : 127;
    for (size_t i = 0; i < size - 2; i++) head[size - 1 - i] = (uint8_t)(len >> 8 * i);
  }
  buffer_append(out, head, size);
  for (size_t i = 0; i < len; i++) buffer_append(out, "a", 1);
  assert_false(out->failed);
}

static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536};

enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static void reads_all_lengths_in_pieces_of(size_t piece) {
  buffer bytes;
  ws_reader reader = {0};
  size_t seen = 0;
  buffer_init(&bytes, 1 << 20);
  for (size_t i = 0; i < LENGTHS; i++) put(&bytes, 0x81, lengths[i]);
  for (size_t at = 0; at < bytes.len; at += piece) {
    au_slice rest = {bytes.ptr + at, bytes.len - at < piece ? bytes.len - at : piece};
    for (;;) {
      ws_result result = ws_reader_next(&reader, &rest);
      if (result == WS_MORE) break;
      assert_int_equal(result, WS_FRAME);
      assert_int_equal(reader.opcode, WS_TEXT);
      size_t kept = lengths[seen] < WS_KEPT_BYTES ? lengths[seen] : WS_KEPT_BYTES;
      assert_int_equal(reader.kept_len, kept);
      seen++;
    }
    assert_int_equal(rest.len, 0);
  }
  assert_int_equal(seen, LENGTHS);
  buffer_free(&bytes);
}

static void reads_frames_of_all_lengths(void **state) {
  (void)state;
  reads_all_lengths_in_pieces_of(SIZE_MAX);
  reads_all_lengths_in_pieces_of(1);
  reads_all_lengths_in_pieces_of(7);
}

static void knows_how_a_text_begins(void **state) {
  (void)state;
  ws_reader reader = {0};
  au_slice bytes = slice_of("\x81\x05hello");
  assert_int_equal(ws_reader_next(&reader, &bytes), WS_FRAME);
  assert_true(ws_reader_is(&reader, "hell"));
  assert_true(ws_reader_is(&reader, "hello"));
  assert_false(ws_reader_is(&reader, "hello!"));
  assert_false(ws_reader_is(&reader, "help"));
}

static void refuses_what_no_server_sends(void **state) {
  (void)state;
  static const struct {
    const char *name;
    au_slice bytes;
  } cases[] = {
      {"a mask", {"\x81\x81", 2}},
      {"a reserved bit", {"\xc1\x01", 2}},
      {"a length beyond the limit", {"\x81\x7f\x00\x00\x00\x00\x00\x20\x00\x00", 10}},
      {"a length beyond all", {"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ws_reader reader = {0};
    au_slice bytes = cases[i].bytes;
    if (ws_reader_next(&reader, &bytes) != WS_BAD) fail_msg("%s", cases[i].name);
  }
}

static void writes_masked_frames(void **state) {
  (void)state;
  buffer out;
  char text[300];
  memset(text, 'a', sizeof text);
  buffer_init(&out, 1024);
  ws_append(&out, WS_TEXT, (au_slice){text, 2});
  assert_int_equal(out.len, 8);
  assert_memory_equal(out.ptr,
                      "\x81\x82\x00\x00\x00\x00"
                      "aa",
                      8);
  buffer_clear(&out);
  ws_append(&out, WS_PONG, (au_slice){text, 300});
  assert_int_equal(out.len, 308);
  assert_memory_equal(out.ptr,
                      "\x8a\xfe\x01\x2c\x00\x00\x00\x00"
                      "aa",
                      10);
  buffer_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_frames_of_all_lengths),
      cmocka_unit_test(knows_how_a_text_begins),
      cmocka_unit_test(refuses_what_no_server_sends),
      cmocka_unit_test(writes_masked_frames),
  };
  return cmocka_run_group_tests_name("load_ws_frame", tests, NULL, NULL);
}

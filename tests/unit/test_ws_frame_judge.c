/* Tests of the judge of frames: heads byte by byte, lengths at their borders, close payloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exact.h"
#include "transports/websocket/ws_frame_judge.h"
#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { MAX_BYTES = 4096 };

static const ws_message_state none = {false, 0};

static uint16_t judge(const ws_message_state *message, const void *bytes, size_t len,
                      ws_frame *frame) {
  au_slice copy = exact_bytes(bytes, len);
  uint16_t code = ws_frame_judge(message, MAX_BYTES, (const uint8_t *)copy.ptr, len, frame);
  release(copy);
  return code;
}

/* A head and where it ends: `head` is how many of the bytes it takes, `payload` what it
 * announces; or `code`, and after how many bytes the judge gives it. */
static const struct {
  const char *name, *bytes;
  size_t len;
  ws_message_state message;
  uint16_t code;
  int head, payload;
} heads[] = {
#define BYTES(text) text, sizeof(text) - 1
    {"text", BYTES("\x81\x85mask"), {false, 0}, 0, 6, 5},
    {"an empty text", BYTES("\x81\x80mask"), {false, 0}, 0, 6, 0},
    {"the longest short length", BYTES("\x81\xfdmask"), {false, 0}, 0, 6, 125},
    {"the shortest length of two bytes", BYTES("\x81\xfe\x00\x7emask"), {false, 0}, 0, 8, 126},
    {"4096 bytes", BYTES("\x81\xfe\x10\x00mask"), {false, 0}, 0, 8, 4096},
    {"a first fragment", BYTES("\x01\x85mask"), {false, 0}, 0, 6, 5},
    {"a further fragment", BYTES("\x00\x85mask"), {true, 7}, 0, 6, 5},
    {"the last fragment", BYTES("\x80\x85mask"), {true, 7}, 0, 6, 5},
    {"a fragment up to the limit", BYTES("\x80\xfe\x0f\xffmask"), {true, 1}, 0, 8, 4095},
    {"a ping", BYTES("\x89\x80mask"), {false, 0}, 0, 6, 0},
    {"the largest ping", BYTES("\x89\xfdmask"), {false, 0}, 0, 6, 125},
    {"a pong", BYTES("\x8a\x81mask"), {false, 0}, 0, 6, 1},
    {"a close", BYTES("\x88\x82mask"), {false, 0}, 0, 6, 2},
    {"a ping between fragments, whatever has been announced",
     BYTES("\x89\xfdmask"),
     {true, 4096},
     0,
     6,
     125},

    {"a frame without a mask", BYTES("\x81\x05"), {false, 0}, 1002, 2, 0},
    {"a control frame without a mask", BYTES("\x89\x00"), {false, 0}, 1002, 2, 0},
    {"the first reserved bit", BYTES("\xc1"), {false, 0}, 1002, 1, 0},
    {"the second", BYTES("\xa1"), {false, 0}, 1002, 1, 0},
    {"the third", BYTES("\x91"), {false, 0}, 1002, 1, 0},
    {"a reserved bit of a control frame", BYTES("\xc9"), {false, 0}, 1002, 1, 0},
    {"a continuation of nothing", BYTES("\x80"), {false, 0}, 1002, 1, 0},
    {"text within a message", BYTES("\x81"), {true, 0}, 1002, 1, 0},
    {"binary within a message", BYTES("\x82"), {true, 0}, 1002, 1, 0},
    {"a fragmented ping", BYTES("\x09"), {false, 0}, 1002, 1, 0},
    {"a fragmented pong", BYTES("\x0a"), {false, 0}, 1002, 1, 0},
    {"a fragmented close", BYTES("\x08"), {false, 0}, 1002, 1, 0},
    {"a ping with a length of two bytes", BYTES("\x89\xfe"), {false, 0}, 1002, 2, 0},
    {"a close with a length of eight bytes", BYTES("\x88\xff"), {false, 0}, 1002, 2, 0},
    {"binary", BYTES("\x82\x85"), {false, 0}, 1003, 2, 0},
    {"binary without a mask", BYTES("\x82\x05"), {false, 0}, 1002, 2, 0},
    {"125 in two bytes", BYTES("\x81\xfe\x00\x7d"), {false, 0}, 1002, 4, 0},
    {"0 in two bytes", BYTES("\x81\xfe\x00\x00"), {false, 0}, 1002, 4, 0},
    {"5 in eight bytes", BYTES("\x81\xff\0\0\0\0\0\0\0\5"), {false, 0}, 1002, 10, 0},
    {"65535 in eight bytes", BYTES("\x81\xff\0\0\0\0\0\0\xff\xff"), {false, 0}, 1002, 10, 0},
    {"a length with a sign bit", BYTES("\x81\xff\x80\0\0\0\0\0\0\0"), {false, 0}, 1002, 10, 0},
    {"all bits of a length",
     BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     {false, 0},
     1002,
     10,
     0},
    {"4097 bytes", BYTES("\x81\xfe\x10\x01"), {false, 0}, 1009, 4, 0},
    {"65535 bytes", BYTES("\x81\xfe\xff\xff"), {false, 0}, 1009, 4, 0},
    {"65536 bytes", BYTES("\x81\xff\0\0\0\0\0\1\0\0"), {false, 0}, 1009, 10, 0},
    {"4 GiB", BYTES("\x81\xff\0\0\0\1\0\0\0\0"), {false, 0}, 1009, 10, 0},
    {"the largest length",
     BYTES("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"),
     {false, 0},
     1009,
     10,
     0},
    {"a fragment of one byte too many", BYTES("\x00\x81"), {true, 4096}, 1009, 2, 0},
    {"a fragment over the limit with those before it",
     BYTES("\x80\xfe\x0f\xff"),
     {true, 2},
     1009,
     4,
     0},
#undef BYTES
};

/* Fed one byte at a time: nothing is wrong, and no head whole, before it can be known. */
static void heads_byte_by_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(heads); i++) {
    for (size_t len = 0; len <= heads[i].len; len++) {
      ws_frame frame = {0};
      uint16_t code = judge(&heads[i].message, heads[i].bytes, len, &frame);
      bool decided = len >= (size_t)heads[i].head;
      if (code != (decided ? heads[i].code : 0))
        fail_msg("%s: %d after %zu bytes", heads[i].name, code, len);
      if (code) continue;
      if (frame.head_bytes != (decided ? heads[i].head : 0))
        fail_msg("%s: a head of %d after %zu bytes", heads[i].name, frame.head_bytes, len);
      if (!decided) continue;
      assert_int_equal(frame.payload_bytes, heads[i].payload);
      assert_int_equal(frame.opcode, heads[i].bytes[0] & 0x0f);
      assert_int_equal(frame.fin, (heads[i].bytes[0] & 0x80) != 0);
      assert_memory_equal(frame.mask, "mask", 4);
    }
  }
}

/* What stands behind a head changes nothing. */
static void payload_behind_a_head(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(heads); i++) {
    char bytes[64];
    memset(bytes, 0xff, sizeof bytes);
    memcpy(bytes, heads[i].bytes, heads[i].len);
    ws_frame frame = {0};
    assert_int_equal(judge(&heads[i].message, bytes, sizeof bytes, &frame), heads[i].code);
    if (!heads[i].code) assert_int_equal(frame.head_bytes, heads[i].head);
  }
}

/* All 256 first bytes, within a message and outside. */
static void every_first_byte(void **state) {
  (void)state;
  for (int open = 0; open <= 1; open++) {
    for (int byte = 0; byte < 256; byte++) {
      ws_message_state message = {open, 0};
      uint8_t first = (uint8_t)byte;
      int opcode = byte & 0x0f;
      bool fin = byte & 0x80;
      bool good =
          (byte & 0x70) == 0 && ((opcode == 0 && open) || (opcode == 1 && !open) ||
                                 (opcode == 2 && !open) || (opcode >= 8 && opcode <= 10 && fin));
      ws_frame frame;
      assert_int_equal(judge(&message, &first, 1, &frame), good ? 0 : 1002);
    }
  }
}

/* Each length in each encoding: only the shortest is right. */
static void every_length(void **state) {
  (void)state;
  for (unsigned length = 0; length < 66000; length++) {
    uint8_t two[] = {0x81, 0xfe, (uint8_t)(length >> 8), (uint8_t)length};
    uint8_t eight[] = {
        0x81,           0xff, 0, 0, 0, 0, 0, (uint8_t)(length >> 16), (uint8_t)(length >> 8),
        (uint8_t)length};
    ws_frame frame;
    if (length <= UINT16_MAX)
      assert_int_equal(judge(&none, two, sizeof two, &frame), length < 126         ? 1002
                                                              : length > MAX_BYTES ? 1009
                                                                                   : 0);
    assert_int_equal(judge(&none, eight, sizeof eight, &frame), length <= UINT16_MAX ? 1002 : 1009);
  }
}

static void messages_across_frames(void **state) {
  (void)state;
  ws_frame text = {.opcode = WS_TEXT, .payload_bytes = 10};
  ws_frame ping = {.opcode = WS_PING, .fin = true, .payload_bytes = 100};
  ws_frame more = {.opcode = WS_CONTINUATION, .payload_bytes = 20};
  ws_frame last = {.opcode = WS_CONTINUATION, .fin = true, .payload_bytes = 30};
  ws_frame whole = {.opcode = WS_TEXT, .fin = true, .payload_bytes = 40};
  ws_message_state m = ws_message_after(&none, &whole);
  assert_false(m.open);
  m = ws_message_after(&m, &text);
  assert_true(m.open);
  assert_int_equal(m.bytes, 10);
  m = ws_message_after(&m, &ping);
  assert_true(m.open);
  assert_int_equal(m.bytes, 10);
  m = ws_message_after(&m, &more);
  assert_int_equal(m.bytes, 30);
  m = ws_message_after(&m, &last);
  assert_false(m.open);
  assert_int_equal(m.bytes, 0);
}

static void close_payloads(void **state) {
  (void)state;
  static const struct {
    const char *name, *payload;
    size_t len;
    uint16_t answer;
  } cases[] = {
#define BYTES(text) text, sizeof(text) - 1
      {"nothing", BYTES(""), 1005},
      {"one byte", BYTES("\x03"), 1002},
      {"1000", BYTES("\x03\xe8"), 1000},
      {"1000 with a reason", BYTES("\x03\xe8going"), 1000},
      {"1000 with a reason in UTF-8", BYTES("\x03\xe8\xe2\x82\xac"), 1000},
      {"a reason that is not UTF-8", BYTES("\x03\xe8\xff"), 1007},
      {"a reason cut in a character", BYTES("\x03\xe8\xe2\x82"), 1007},
      {"a bad code and a bad reason", BYTES("\x03\xec\xff"), 1002},
#undef BYTES
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char *copy = malloc(cases[i].len ? cases[i].len : 1);
    assert_non_null(copy);
    memcpy(copy, cases[i].payload, cases[i].len);
    uint16_t answer = ws_close_judge((au_slice){copy, cases[i].len});
    free(copy);
    if (answer != cases[i].answer) fail_msg("%s: %d", cases[i].name, answer);
  }
}

static void every_close_code(void **state) {
  (void)state;
  for (unsigned code = 0; code <= UINT16_MAX; code++) {
    char payload[2] = {(char)(code >> 8), (char)code};
    bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                (code >= 3000 && code <= 4999);
    assert_int_equal(ws_close_judge((au_slice){payload, 2}), good ? code : 1002);
  }
}

static void faults(void **state) {
  (void)state;
  for (unsigned code = 0; code <= UINT16_MAX; code++) {
    bool fault = code == 1002 || code == 1003 || code == 1007 || code == 1008 || code == 1009;
    assert_int_equal(ws_code_is_fault((uint16_t)code), fault);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(heads_byte_by_byte),     cmocka_unit_test(payload_behind_a_head),
      cmocka_unit_test(every_first_byte),       cmocka_unit_test(every_length),
      cmocka_unit_test(messages_across_frames), cmocka_unit_test(close_payloads),
      cmocka_unit_test(every_close_code),       cmocka_unit_test(faults),
  };
  return cmocka_run_group_tests_name("ws frame judge", tests, NULL, NULL);
}

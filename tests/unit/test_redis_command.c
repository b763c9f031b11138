/* The bytes of a command are those that hiredis would send. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <string.h>

#include "adapters/redis/protocol/command.h"
#include "utils/buffer.h"

enum { MAX_WORDS = 12, MANY_BYTES = 70000 };

static char many[MANY_BYTES];

/* Compares with hiredis, and wants every byte of room to be asked for: with one less than what the
 * command takes nothing is printed. */
static void assert_printed(const au_slice *words, size_t n) {
  const char *args[MAX_WORDS];
  size_t lens[MAX_WORDS];
  assert_in_range(n, 0, MAX_WORDS);
  for (size_t i = 0; i < n; i++) {
    args[i] = words[i].ptr ? words[i].ptr : "";
    lens[i] = words[i].len;
  }
  char *wanted;
  int len = redisFormatCommandArgv(&wanted, (int)n, args, lens);
  assert_true(len > 0);

  buffer out;
  buffer_init(&out, 2 * MANY_BYTES);
  buffer_append_text(&out, "what was there before");
  redis_command_print(&out, words, n);
  assert_false(out.failed);
  assert_int_equal(out.len, len);
  assert_memory_equal(out.ptr, wanted, out.len);
  buffer_free(&out);

  buffer_init(&out, (size_t)len - 1);
  redis_command_print(&out, words, n);
  assert_true(out.failed);
  assert_int_equal(out.len, 0);
  buffer_free(&out);
  redisFreeCommand(wanted);
}

static void check_words(void **state) {
  (void)state;
  memset(many, 'x', sizeof many);
  const au_slice words[MAX_WORDS] = {
      slice_of("SET"),     {"a\0b\r\n", 5}, slice_of(""),        {NULL, 0},
      {many, sizeof many}, {many, 9},       {many, 10},          {many, 99},
      {many, 100},         {many, 1000},    slice_of("$3\r\nx"), slice_of("\xc3\xa9"),
  };
  for (size_t n = 1; n <= MAX_WORDS; n++) assert_printed(words, n);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(check_words)};
  return cmocka_run_group_tests_name("redis_command", tests, NULL, NULL);
}

/* Tests of shared frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/frame.h"

#include <string.h>

/* The sanitizers say whether the last reference frees, and only it. */
static void lives_until_the_last_reference(void **state) {
  (void)state;
  char text[] = "{\"type\":\"hello\"}";
  frame *f = frame_create((au_slice){text, sizeof text - 1});
  assert_non_null(f);
  memset(text, 'x', sizeof text); /* it has a copy */
  assert_ptr_equal(frame_ref(f), f);
  frame_unref(f);
  assert_int_equal(f->len, sizeof text - 1);
  assert_memory_equal(frame_text(f), "{\"type\":\"hello\"}", f->len);
  memset(f->bytes, 1, FRAME_HEADROOM);
  assert_memory_equal(frame_text(f), "{\"type\":\"hello\"}", f->len);
  frame_unref(f);
  frame_unref(NULL);
}

static void may_be_empty(void **state) {
  (void)state;
  frame *f = frame_create((au_slice){0});
  assert_non_null(f);
  assert_int_equal(f->len, 0);
  frame_unref(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lives_until_the_last_reference),
      cmocka_unit_test(may_be_empty),
  };
  return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}

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

static unsigned made;

static frame *make_shorter(au_slice text) {
  made++;
  return frame_create((au_slice){text.ptr + 1, text.len - 2});
}

static frame *make_nothing(au_slice text) {
  (void)text;
  return NULL;
}

static void has_a_variant_that_is_made_once_and_may_live_longer(void **state) {
  (void)state;
  made = 0;
  frame *f = frame_create((au_slice){"{1}", 3});
  assert_null(frame_variant(f, make_nothing));
  frame *variant = frame_ref(frame_variant(f, make_shorter));
  assert_ptr_equal(frame_variant(f, make_shorter), variant);
  assert_int_equal(made, 1);
  frame_unref(f);
  assert_int_equal(variant->len, 1);
  assert_memory_equal(frame_text(variant), "1", 1);
  frame_unref(variant);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lives_until_the_last_reference),
      cmocka_unit_test(may_be_empty),
      cmocka_unit_test(has_a_variant_that_is_made_once_and_may_live_longer),
  };
  return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}

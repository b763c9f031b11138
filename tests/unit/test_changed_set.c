/* Tests of the queue of changed customers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/changed_set.h"
#include "utils/buffer.h"

#include <stdio.h>

static changed_set *new_set(size_t max) {
  changed_set *set = NULL;
  assert_int_equal(changed_set_create((map_seed){1, 2}, max, &set), AU_OK);
  assert_true(changed_set_empty(set));
  return set;
}

/* Takes one out; NULL: the set must be empty. */
static void expect_next(changed_set *set, const char *want) {
  char id[AU_ID_MAX];
  size_t len = changed_set_take(set, id);
  if (!slice_eq((au_slice){id, len}, slice_of(want ? want : "")))
    fail_msg("took '%.*s', not '%s'", (int)len, id, want ? want : "nothing");
}

static void each_once_in_the_order_of_the_first_change(void **state) {
  (void)state;
  changed_set *set = new_set(10);
  changed_set_add(set, slice_of("b"));
  changed_set_add(set, slice_of("a"));
  changed_set_add(set, slice_of("b"));
  assert_false(changed_set_empty(set));
  expect_next(set, "b");
  changed_set_add(set, slice_of("b")); /* again: behind the others now */
  expect_next(set, "a");
  expect_next(set, "b");
  expect_next(set, NULL);
  changed_set_add(set, slice_of("c")); /* the queue works after it was empty */
  expect_next(set, "c");
  expect_next(set, NULL);
  changed_set_free(set);
  changed_set_free(NULL);
}

static void holds_no_more_than_its_limit(void **state) {
  (void)state;
  changed_set *set = new_set(2);
  changed_set_add(set, slice_of("a"));
  changed_set_add(set, slice_of("b"));
  changed_set_add(set, slice_of("c"));
  changed_set_add(set, slice_of("a"));
  expect_next(set, "a");
  changed_set_add(set, slice_of("d"));
  expect_next(set, "b");
  expect_next(set, "d");
  expect_next(set, NULL);
  changed_set_free(set);
}

static void many_and_freed_while_full(void **state) {
  (void)state;
  enum { IDS = 5000 };
  changed_set *set = new_set(IDS);
  char id[32];
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < IDS; i++) {
      snprintf(id, sizeof id, "shop-%d", i);
      changed_set_add(set, slice_of(id));
    }
  for (int i = 0; i < IDS / 2; i++) {
    snprintf(id, sizeof id, "shop-%d", i);
    expect_next(set, id);
  }
  changed_set_free(set);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_once_in_the_order_of_the_first_change),
      cmocka_unit_test(holds_no_more_than_its_limit),
      cmocka_unit_test(many_and_freed_while_full),
  };
  return cmocka_run_group_tests_name("changed_set", tests, NULL, NULL);
}

/* Tests of deadline queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/deadline.h"

static void an_empty_queue(void **state) {
  (void)state;
  deadline_queue q;
  deadline_queue_init(&q, 100);
  assert_null(deadline_first(&q));
  assert_null(deadline_expire(&q, INT64_MAX));
  assert_int_equal(deadline_next_ms(&q), -1);
}

static void expires_in_order_and_not_early(void **state) {
  (void)state;
  deadline_queue q;
  deadline_queue_init(&q, 100);
  deadline a = {0}, b = {0}, c = {0};
  deadline_arm(&q, &a, 1000);
  deadline_arm(&q, &b, 1000);
  deadline_arm(&q, &c, 1010);
  assert_int_equal(deadline_next_ms(&q), 1100);
  assert_ptr_equal(deadline_first(&q), &a);
  assert_ptr_equal(deadline_after(&q, &a), &b);
  assert_ptr_equal(deadline_after(&q, &b), &c);
  assert_null(deadline_after(&q, &c));

  assert_null(deadline_expire(&q, 1099));
  assert_ptr_equal(deadline_expire(&q, 1100), &a);
  assert_ptr_equal(deadline_expire(&q, 1100), &b);
  assert_null(deadline_expire(&q, 1100));
  assert_false(deadline_armed(&a));
  assert_true(deadline_armed(&c));
  assert_int_equal(deadline_next_ms(&q), 1110);
  assert_ptr_equal(deadline_expire(&q, 5000), &c);
  assert_int_equal(deadline_next_ms(&q), -1);
}

static void armed_again_goes_to_the_end(void **state) {
  (void)state;
  deadline_queue q;
  deadline_queue_init(&q, 100);
  deadline a = {0}, b = {0};
  deadline_arm(&q, &a, 0);
  deadline_arm(&q, &b, 10);
  deadline_arm(&q, &a, 20);
  assert_ptr_equal(deadline_expire(&q, 110), &b);
  assert_null(deadline_expire(&q, 119));
  assert_ptr_equal(deadline_expire(&q, 120), &a);
}

static void cancelling(void **state) {
  (void)state;
  deadline_queue q;
  deadline_queue_init(&q, 100);
  deadline a = {0}, b = {0}, c = {0};
  deadline_cancel(&a); /* not armed */
  deadline_arm(&q, &a, 0);
  deadline_arm(&q, &b, 0);
  deadline_arm(&q, &c, 0);
  deadline_cancel(&b);
  deadline_cancel(&b);
  assert_false(deadline_armed(&b));
  assert_ptr_equal(deadline_after(&q, &a), &c);
  deadline_cancel(&a);
  deadline_cancel(&c);
  assert_null(deadline_first(&q));
}

static void moves_between_queues(void **state) {
  (void)state;
  deadline_queue slow, fast;
  deadline_queue_init(&slow, 100);
  deadline_queue_init(&fast, 10);
  deadline a = {0}, b = {0};
  deadline_arm(&slow, &a, 0);
  deadline_arm(&slow, &b, 0);
  deadline_arm(&fast, &a, 5);
  assert_ptr_equal(deadline_first(&slow), &b);
  assert_null(deadline_after(&slow, &b));
  assert_int_equal(deadline_next_ms(&fast), 15);
  deadline_arm(&slow, &a, 6);
  assert_null(deadline_first(&fast));
  assert_ptr_equal(deadline_after(&slow, &b), &a);
}

static void a_lifetime_of_zero(void **state) {
  (void)state;
  deadline_queue q;
  deadline_queue_init(&q, 0);
  deadline a = {0};
  deadline_arm(&q, &a, 7);
  assert_null(deadline_expire(&q, 6));
  assert_ptr_equal(deadline_expire(&q, 7), &a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_queue),
      cmocka_unit_test(expires_in_order_and_not_early),
      cmocka_unit_test(armed_again_goes_to_the_end),
      cmocka_unit_test(cancelling),
      cmocka_unit_test(moves_between_queues),
      cmocka_unit_test(a_lifetime_of_zero),
  };
  return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}

/* Tests of the stop of several parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/join_stop.h"

#include <stdbool.h>

typedef struct fixture {
  join_stop stop;
  unsigned stopped, next_stopped;
} fixture;

static void on_stopped(void *arg) {
  ((fixture *)arg)->stopped++;
}

static void the_last_part_stops_it(void **state) {
  (void)state;
  fixture f = {0};
  join_stop_begin(&f.stop, on_stopped, &f);
  void *a = join_stop_add(&f.stop), *b = join_stop_add(&f.stop);
  join_stop_done(&f.stop);
  join_stop_done(a);
  assert_int_equal(f.stopped, 0);
  join_stop_done(b);
  assert_int_equal(f.stopped, 1);
}

static void a_part_that_ends_at_once_does_not_stop_it_early(void **state) {
  (void)state;
  fixture f = {0};
  join_stop_begin(&f.stop, on_stopped, &f);
  join_stop_done(join_stop_add(&f.stop));
  join_stop_done(join_stop_add(&f.stop));
  assert_int_equal(f.stopped, 0);
  join_stop_done(&f.stop);
  assert_int_equal(f.stopped, 1);
}

static void without_parts_it_stops_when_they_are_named(void **state) {
  (void)state;
  fixture f = {0};
  join_stop_begin(&f.stop, on_stopped, &f);
  assert_int_equal(f.stopped, 0);
  join_stop_done(&f.stop);
  assert_int_equal(f.stopped, 1);
}

static void parts_may_come_and_go_before_the_stop(void **state) {
  (void)state;
  fixture f = {0};
  join_stop_done(join_stop_add(&f.stop)); /* the last of them, but no stop has begun */
  void *part = join_stop_add(&f.stop);
  join_stop_begin(&f.stop, on_stopped, &f);
  join_stop_done(&f.stop);
  assert_int_equal(f.stopped, 0);
  join_stop_done(part);
  assert_int_equal(f.stopped, 1);
}

static void on_next_stopped(void *arg) {
  ((fixture *)arg)->next_stopped++;
}

static void on_first_stopped(void *arg) {
  fixture *f = arg;
  f->stopped++;
  join_stop_begin(&f->stop, on_next_stopped, f);
  (void)join_stop_add(&f->stop);
  join_stop_done(&f->stop);
}

static void one_step_may_begin_the_next(void **state) {
  (void)state;
  fixture f = {0};
  join_stop_begin(&f.stop, on_first_stopped, &f);
  join_stop_done(&f.stop);
  assert_int_equal(f.stopped, 1);
  assert_int_equal(f.next_stopped, 0);
  join_stop_done(&f.stop);
  assert_int_equal(f.next_stopped, 1);
}

static void a_handle_is_a_part_until_it_is_closed(void **state) {
  (void)state;
  fixture f = {0};
  uv_loop_t loop;
  uv_timer_t timers[2];
  assert_int_equal(uv_loop_init(&loop), 0);
  join_stop_begin(&f.stop, on_stopped, &f);
  for (int i = 0; i < 2; i++) {
    uv_timer_init(&loop, &timers[i]);
    join_stop_close(&f.stop, (uv_handle_t *)&timers[i]);
  }
  join_stop_done(&f.stop);
  assert_int_equal(f.stopped, 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f.stopped, 1);
  assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_last_part_stops_it),
      cmocka_unit_test(a_part_that_ends_at_once_does_not_stop_it_early),
      cmocka_unit_test(without_parts_it_stops_when_they_are_named),
      cmocka_unit_test(parts_may_come_and_go_before_the_stop),
      cmocka_unit_test(one_step_may_begin_the_next),
      cmocka_unit_test(a_handle_is_a_part_until_it_is_closed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

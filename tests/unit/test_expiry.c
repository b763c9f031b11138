/* Tests of the timer over deadline queues, on a real loop with a clock whose hands the
 * test turns: the loop may wake whenever it likes, only the clock says what is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/expiry.h"
#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

/* Lifetimes, and how many may expire in one turn. */
enum { FAST, SLOW, SECOND, NEVER, QUEUES };
enum { FAST_MS = 4, SLOW_MS = 10, SECOND_MS = 1000, NEVER_MS = 3600000, SLICE = 200 };

typedef struct fixture fixture;

typedef struct item {
  deadline deadline; /* first */
  char name;
  void (*act)(fixture *f, struct item *self);
} item;

struct fixture {
  uv_loop_t loop;
  au_clock clock;
  int64_t now_ms;
  deadline_queue queues[QUEUES];
  expiry expiry;
  bool closing;
  join_stop stop;
  int expired, closed;
  buffer log; /* items and the queues they expired in */
  item items[6];
};

static int64_t read_clock(void *arg) {
  return ((fixture *)arg)->now_ms;
}

static void on_expired(void *arg, deadline_queue *queue, deadline *d) {
  fixture *f = arg;
  item *i = (item *)d;
  assert_false(deadline_armed(d)); /* taken off already */
  assert_true(d->at_ms <= f->now_ms);
  f->expired++;
  if (!i->name) return;
  buffer_append_format(&f->log, "%c%d ", i->name, (int)(queue - f->queues));
  if (i->act) i->act(f, i);
}

static void on_closed(void *arg) {
  ((fixture *)arg)->closed++;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  assert_int_equal(uv_loop_init(&f->loop), 0);
  f->now_ms = 1000000;
  f->clock = (au_clock){read_clock, read_clock, f};
  deadline_queue_init(&f->queues[FAST], FAST_MS);
  deadline_queue_init(&f->queues[SLOW], SLOW_MS);
  deadline_queue_init(&f->queues[SECOND], SECOND_MS);
  deadline_queue_init(&f->queues[NEVER], NEVER_MS);
  expiry_init(&f->expiry, &f->loop, &f->clock, f->queues, QUEUES, on_expired, f);
  for (int i = 0; i < 6; i++) f->items[i].name = (char)('a' + i);
  buffer_init(&f->log, 1 << 16);
  *state = f;
  return 0;
}

static void close_expiry(fixture *f) {
  f->closing = true;
  join_stop_begin(&f->stop, on_closed, f);
  expiry_close(&f->expiry, &f->stop);
  join_stop_done(&f->stop);
  assert_int_equal(f->closed, 0); /* later, from the loop */
}

/* Closes unless the test has; a handle left open fails uv_loop_close. */
static int teardown(void **state) {
  fixture *f = *state;
  if (!f->closing) close_expiry(f);
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->closed, 1);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  buffer_free(&f->log);
  free(f);
  return 0;
}

static void arm(fixture *f, int queue, char name) {
  expiry_arm(&f->expiry, &f->queues[queue], &f->items[name - 'a'].deadline);
}

static void cancel(fixture *f, char name) {
  deadline_cancel(&f->items[name - 'a'].deadline);
}

static void expect_log(fixture *f, const char *name, const char *want) {
  assert_false(f->log.failed);
  if (!slice_eq(buffer_slice(&f->log), slice_of(want)))
    fail_msg("%s: '%.*s' and not '%s'", name, (int)f->log.len, f->log.ptr, want);
  buffer_clear(&f->log);
}

/* Turns the loop until so many have expired. */
static void run_until(fixture *f, int expired) {
  uint64_t give_up = uv_hrtime() + 10ull * 1000000000;
  while (f->expired < expired) {
    assert_true(uv_hrtime() < give_up);
    uv_run(&f->loop, UV_RUN_NOWAIT);
  }
  assert_int_equal(f->expired, expired);
}

/* Turns the loop for longer than any timer that could wake it, and nothing expires. */
static void run_in_vain(fixture *f) {
  int expired = f->expired;
  uint64_t until = uv_hrtime() + 3ull * SLOW_MS * 1000000;
  while (uv_hrtime() < until) uv_run(&f->loop, UV_RUN_NOWAIT);
  assert_int_equal(f->expired, expired);
}

/* ---- when ----------------------------------------------------------------- */

static void each_at_its_time_and_none_early(void **state) {
  fixture *f = *state;
  arm(f, SLOW, 'a');
  arm(f, FAST, 'b');
  f->now_ms += 1;
  arm(f, FAST, 'c');
  arm(f, NEVER, 'd');
  f->now_ms += FAST_MS - 2;
  run_in_vain(f);
  f->now_ms += 1;
  run_until(f, 1);
  expect_log(f, "the first of the fast", "b0 ");
  run_in_vain(f);
  f->now_ms += 1;
  run_until(f, 2);
  expect_log(f, "the second", "c0 ");
  f->now_ms = 1000000 + SLOW_MS - 1;
  run_in_vain(f);
  f->now_ms += 1;
  run_until(f, 3);
  expect_log(f, "the slow one", "a1 ");
  run_in_vain(f);
  assert_true(deadline_armed(&f->items[3].deadline));
}

/* Whatever the time of the first: never early, and never later than the slack of 1/32. */
static void many_of_a_long_queue_have_one_wake_up(void **state) {
  fixture *f = *state;
  int wake_ups = 0;
  int64_t last_ms = 0;
  for (int i = 0; i < 310; i++, f->now_ms++) {
    arm(f, SECOND, 'a');
    int64_t late_ms = f->expiry.due_ms - (f->now_ms + SECOND_MS);
    assert_in_range(late_ms, 0, SECOND_MS / 32);
    wake_ups += f->expiry.due_ms != last_ms;
    last_ms = f->expiry.due_ms;
    cancel(f, 'a');
    uv_timer_stop(&f->expiry.timer);
  }
  assert_in_range(wake_ups, 10, 11);
}

static void on_the_clock_of_the_system(void **state) {
  fixture *f = *state;
  f->expiry.clock = clock_system();
  f->now_ms = INT64_MAX; /* for on_expired, which the other clock does not concern */
  int64_t before_ms = clock_mono_ms(clock_system());
  arm(f, SLOW, 'a');
  while (f->expired == 0) uv_run(&f->loop, UV_RUN_ONCE);
  assert_true(clock_mono_ms(clock_system()) - before_ms >= SLOW_MS);
  expect_log(f, "real time", "a1 ");
}

/* The loop's own time may be long past when a handler took its time. */
static void after_a_long_turn(void **state) {
  fixture *f = *state;
  uv_update_time(&f->loop);
  uint64_t until = uv_hrtime() + 2ull * SLOW_MS * 1000000;
  while (uv_hrtime() < until) continue;
  f->expiry.clock = clock_system();
  f->now_ms = INT64_MAX;
  int64_t before_ms = clock_mono_ms(clock_system());
  arm(f, SLOW, 'a');
  while (f->expired == 0) uv_run(&f->loop, UV_RUN_ONCE);
  assert_true(clock_mono_ms(clock_system()) - before_ms >= SLOW_MS);
}

static void nothing_armed_keeps_no_loop_alive(void **state) {
  fixture *f = *state;
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  arm(f, FAST, 'a');
  f->now_ms += FAST_MS;
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0); /* returns: no timer is left */
  expect_log(f, "once", "a0 ");
  arm(f, FAST, 'a');
  cancel(f, 'a');
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  expect_log(f, "cancelled", "");
}

/* ---- arming again --------------------------------------------------------- */

static void armed_over_and_over_by_one_timer(void **state) {
  fixture *f = *state;
  int64_t due_ms = f->now_ms + SLOW_MS;
  arm(f, SLOW, 'a');
  for (int i = 0; i < 50; i++) {
    f->now_ms += i % 10 == 0; /* half its lifetime in all */
    arm(f, SLOW, 'a');
    assert_int_equal(f->expiry.due_ms, due_ms); /* the timer was left alone */
  }
  f->now_ms = due_ms;
  run_in_vain(f); /* it fires, and goes on for what was armed last */
  f->now_ms = due_ms + 5;
  run_until(f, 1);
  expect_log(f, "once", "a1 ");
}

static void an_earlier_one_moves_the_timer(void **state) {
  fixture *f = *state;
  arm(f, NEVER, 'a');
  assert_int_equal(f->expiry.due_ms, f->now_ms + NEVER_MS);
  arm(f, SLOW, 'b');
  assert_int_equal(f->expiry.due_ms, f->now_ms + SLOW_MS);
  arm(f, FAST, 'c');
  assert_int_equal(f->expiry.due_ms, f->now_ms + FAST_MS);
  f->now_ms += SLOW_MS;
  run_until(f, 2);
  expect_log(f, "in order", "c0 b1 ");
}

static void moved_to_another_queue(void **state) {
  fixture *f = *state;
  arm(f, FAST, 'a');
  arm(f, NEVER, 'a'); /* to a slower one: it does not expire as it would have */
  f->now_ms += SLOW_MS;
  run_in_vain(f);
  arm(f, FAST, 'a'); /* and back */
  f->now_ms += FAST_MS;
  run_until(f, 1);
  expect_log(f, "where it was last", "a0 ");
}

static void the_first_is_cancelled(void **state) {
  fixture *f = *state;
  arm(f, FAST, 'a');
  f->now_ms += 2;
  arm(f, FAST, 'b');
  cancel(f, 'a');
  f->now_ms += FAST_MS - 1;
  run_in_vain(f);
  f->now_ms += 1;
  run_until(f, 1);
  expect_log(f, "the other", "b0 ");
}

/* ---- inside `expired` ----------------------------------------------------- */

static void act_arm_again(fixture *f, item *self) {
  arm(f, FAST, self->name);
}

static void act_arm_b_slow(fixture *f, item *self) {
  (void)self;
  arm(f, SLOW, 'b');
}

static void act_cancel_b(fixture *f, item *self) {
  (void)self;
  cancel(f, 'b');
}

static void act_close(fixture *f, item *self) {
  (void)self;
  close_expiry(f);
}

static void armed_again_inside(void **state) {
  fixture *f = *state;
  f->items[0].act = act_arm_again;
  arm(f, FAST, 'a');
  for (int i = 1; i <= 5; i++) {
    f->now_ms += FAST_MS;
    run_until(f, i);
  }
  expect_log(f, "each time", "a0 a0 a0 a0 a0 ");
}

static void another_is_armed_inside(void **state) {
  fixture *f = *state;
  f->items[0].act = act_arm_b_slow;
  arm(f, FAST, 'a');
  arm(f, NEVER, 'c');
  f->now_ms += FAST_MS;
  run_until(f, 1);
  assert_int_equal(f->expiry.due_ms, f->now_ms + SLOW_MS); /* not when c is due */
  f->now_ms += SLOW_MS;
  run_until(f, 2);
  expect_log(f, "both", "a0 b1 ");
}

static void another_is_cancelled_inside(void **state) {
  fixture *f = *state;
  f->items[0].act = act_cancel_b;
  arm(f, FAST, 'a');
  arm(f, FAST, 'b');
  arm(f, FAST, 'c');
  f->now_ms += FAST_MS;
  run_until(f, 2);
  run_in_vain(f);
  expect_log(f, "not b", "a0 c0 ");
}

/* ---- a crowd -------------------------------------------------------------- */

static void a_crowd_takes_several_turns(void **state) {
  fixture *f = *state;
  enum { CROWD = 1000 };
  static item crowd[CROWD];
  memset(crowd, 0, sizeof crowd);
  for (int i = 0; i < CROWD; i++)
    expiry_arm(&f->expiry, &f->queues[i % 2 ? FAST : SLOW], &crowd[i].deadline);
  f->now_ms += SLOW_MS;
  int last = 0, turns = 0;
  while (f->expired < CROWD) {
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(f->expired - last <= SLICE);
    turns += f->expired > last;
    last = f->expired;
  }
  assert_int_equal(turns, CROWD / SLICE);
  for (int i = 0; i < CROWD; i++) assert_false(deadline_armed(&crowd[i].deadline));
}

/* ---- closing -------------------------------------------------------------- */

static void nothing_expires_after_closing(void **state) {
  fixture *f = *state;
  arm(f, FAST, 'a');
  f->now_ms += FAST_MS;
  close_expiry(f);
  arm(f, FAST, 'b'); /* allowed, and in vain */
  assert_true(deadline_armed(&f->items[1].deadline));
  f->now_ms += FAST_MS;
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(f->closed, 1);
  expect_log(f, "closed", "");
}

static void closed_inside(void **state) {
  fixture *f = *state;
  f->items[0].act = act_close;
  arm(f, FAST, 'a');
  arm(f, NEVER, 'b');
  f->now_ms += FAST_MS;
  assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0); /* no timer is started again */
  assert_int_equal(f->closed, 1);
  expect_log(f, "closed inside", "a0 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(each_at_its_time_and_none_early),
      TEST(many_of_a_long_queue_have_one_wake_up),
      TEST(on_the_clock_of_the_system),
      TEST(after_a_long_turn),
      TEST(nothing_armed_keeps_no_loop_alive),
      TEST(armed_over_and_over_by_one_timer),
      TEST(an_earlier_one_moves_the_timer),
      TEST(moved_to_another_queue),
      TEST(the_first_is_cancelled),
      TEST(armed_again_inside),
      TEST(another_is_armed_inside),
      TEST(another_is_cancelled_inside),
      TEST(a_crowd_takes_several_turns),
      TEST(nothing_expires_after_closing),
      TEST(closed_inside),
  };
  return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}

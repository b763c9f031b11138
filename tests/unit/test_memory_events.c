/* Tests of what the memory store does without being asked: lists by the clock,
 * changes, expiry, and the end. */
#include "memory_case.h"

static void forget_the_listed(au_status status, const au_due *due, void *arg) {
  fixture *f = arg;
  assert_int_equal(status, AU_OK);
  for (size_t i = 0; i < due->n; i++) {
    CALL(f, AU_OK, evict(f->store, due->ids[i], &untold, log_done, "forgot"));
    buffer_append_format(&f->log, "%.*s ", (int)due->ids[i].len, due->ids[i].ptr); /* still valid */
  }
}

static void the_listed_stay_while_they_are_read(void **state) {
  fixture *f = *state;
  au_beat beats[] = {memory_beat("a", "s", "tab"), memory_beat("b", "s", "tab"),
                     memory_beat("c", "s", "tab")};
  for (int i = 0; i < 3; i++) {
    CALL(f, AU_OK, touch(f->store, &beats[i], AU_TOUCH_JOIN, log_done, "touch"));
    if (i < 2) CALL(f, AU_OK, leave(f->store, &beats[i], log_done, "leave"));
  }
  turn(f);
  buffer_clear(&f->log);
  CALL(f, AU_OK, due(f->store, 0, 0, 0, 10, forget_the_listed, f));
  turn(f);
  expect_calls(f, "a b c forgot:0 forgot:0 forgot:0 ");
  CALL(f, AU_OK, due(f->store, 0, 0, 0, 0, log_due, "none"));
  CALL(f, AU_OK, due(f->store, 0, 0, 0, 10, log_due, "left"));
  turn(f);
  expect_calls(f, "none:0[] left:0[c] ");
}

static void due_and_elapsed_go_by_the_clock(void **state) {
  fixture *f = *state;
  touch(f, "a", "s", "touch");
  CALL(f, AU_OK, save(f->store, slice_of("a"), &untold, 3, log_done, "save"));
  turn(f);
  buffer_clear(&f->log);
  f->now_ms += 50;
  CALL(f, AU_OK, due(f->store, 0, 51, 0, 10, log_due, "early"));
  CALL(f, AU_OK, due(f->store, 0, 50, 0, 10, log_due, "due"));
  CALL(f, AU_OK, due(f->store, 0, 50, 1, 10, log_due, "skipped"));
  sample(f, "a", "sample");
  sample(f, "nobody", "nobody");
  turn(f);
  expect_calls(f, "early:0[] due:0[a] skipped:0[] sample:1/1/3.0/50 nobody:0/0/0.0/0 ");
  assert_int_equal(f->store->ops->health(f->store).customers, 1);
  assert_int_equal(f->store->ops->renewed_ago_ms(f->store, slice_of("a"), slice_of("s"), NULL), 50);
  assert_int_equal(f->store->ops->renewed_ago_ms(f->store, slice_of("a"), slice_of("t"), NULL), -1);
}

static void changes_of_a_customer_are_told_once_a_turn(void **state) {
  fixture *f = *state;
  char id[32];
  for (int i = 0; i < 100; i++) {
    snprintf(id, sizeof id, "s%d", i);
    touch(f, i % 2 ? "a" : "b", id, "t");
  }
  turn(f);
  assert_int_equal(f->changed, 2);
  buffer_clear(&f->log);
  touch(f, "a", "s1", "renewed");
  turn(f);
  expect_calls(f, "renewed:0 ");
}

/* The loop's timer alone ends a session, when the clock says that its time came. */
static void sessions_expire_by_themselves(void **state) {
  fixture *f = *state;
  au_beat beat = memory_beat("shop", "s", "tab");
  touch(f, "shop", "s", "touch");
  CALL(f, AU_OK, shorten(f->store, &beat, GRACE_MS, AU_SHORTEN_LEFT, log_done, "shorten"));
  turn(f);
  buffer_clear(&f->log);
  f->now_ms += GRACE_MS - 1;
  uint64_t until = uv_hrtime() + (uint64_t)(3 * GRACE_MS) * 1000000;
  while (uv_hrtime() < until) turn(f); /* it wakes, and it is too early */
  assert_int_equal(f->store->ops->health(f->store).sessions, 1);
  expect_calls(f, "");
  f->now_ms += 1;
  until = uv_hrtime() + (uint64_t)(TTL_MS / 2) * 1000000;
  while (f->changed < 2) uv_run(&f->loop, UV_RUN_ONCE);
  assert_true(uv_hrtime() < until); /* by the grace, not by the first TTL */
  assert_int_equal(f->store->ops->health(f->store).sessions, 0);
  expect_calls(f, "changed:shop ");
}

static void more_than_a_slice_expires_in_several_turns(void **state) {
  fixture *f = *state;
  enum { SESSIONS = 5000 };
  char id[32];
  for (int i = 0; i < SESSIONS; i++) {
    snprintf(id, sizeof id, "s%d", i);
    au_beat beat = memory_beat("shop", id, "tab");
    touch(f, "shop", id, "t");
    CALL(f, AU_OK, shorten(f->store, &beat, GRACE_MS, AU_SHORTEN_LEFT, log_done, "t"));
  }
  while (f->store->ops->health(f->store).in_flight > 0) turn(f);
  f->now_ms += GRACE_MS;
  uint32_t left = SESSIONS;
  int slices = 0;
  while (left > 0) {
    uv_run(&f->loop, UV_RUN_ONCE);
    uint32_t now = f->store->ops->health(f->store).sessions;
    /* Libuv looks for timers before it polls and after: on a slow machine twice a turn. */
    assert_true(left - now <= 2 * 2000);
    slices += now < left;
    left = now;
  }
  assert_in_range(slices, 2, 3);
}

/* ---- stopping ------------------------------------------------------------- */

static void stop_cancels_what_is_in_flight(void **state) {
  fixture *f = *state;
  touch(f, "shop", "s", "touch");
  sample(f, "shop", "sample");
  CALL(f, AU_OK, due(f->store, 0, 0, 0, 10, log_due, "due"));
  CALL(f, AU_OK, save(f->store, slice_of("shop"), &untold, 2.5, log_done, "save"));
  f->inside = true;
  f->store->ops->stop(f->store, memory_on_stopped, f);
  f->inside = false;
  assert_false(f->store->ops->health(f->store).ever_up);
  CALL(f, AU_ECANCELED, due(f->store, 0, 0, 0, 10, log_due, "x"));
  expect_calls(f, "");
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(AU_ECANCELED, 7);
  expect_calls(f, "touch:7 sample:7 due:7[] save:7 stopped ");
}

typedef struct stopper {
  fixture *fixture;
  int answers, canceled;
} stopper;

static void stop_in_a_callback(au_status status, void *arg) {
  stopper *s = arg;
  fixture *f = s->fixture;
  s->answers++;
  if (status == AU_OK) {
    f->store->ops->stop(f->store, memory_on_stopped, f);
  } else {
    assert_int_equal(status, AU_ECANCELED);
    s->canceled++;
  }
  au_beat beat = memory_beat("shop", "s", "tab");
  CALL(f, AU_ECANCELED, touch(f->store, &beat, AU_TOUCH_BEAT, stop_in_a_callback, s));
}

/* More than a turn answers: each is called back once, and `stopped` comes last. */
static void stop_inside_a_callback(void **state) {
  fixture *f = *state;
  stopper s = {f, 0, 0};
  au_beat beat = memory_beat("shop", "s", "tab");
  for (int i = 0; i < 1000; i++)
    CALL(f, AU_OK, touch(f->store, &beat, AU_TOUCH_BEAT, stop_in_a_callback, &s));
  turn(f);
  assert_int_equal(f->stopped, 0);
  assert_int_equal(s.answers, TURN_MAX);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(s.answers, 1000);
  assert_int_equal(s.canceled, 999);
  expect_calls(f, "stopped ");
}

static void an_idle_store_lets_the_loop_sleep(void **state) {
  fixture *f = *state;
  touch(f, "shop", "s", "touch");
  turn(f);
  assert_true(uv_backend_timeout(&f->loop) > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(the_listed_stay_while_they_are_read),
      TEST(due_and_elapsed_go_by_the_clock),
      TEST(changes_of_a_customer_are_told_once_a_turn),
      TEST(sessions_expire_by_themselves),
      TEST(more_than_a_slice_expires_in_several_turns),
      TEST(stop_cancels_what_is_in_flight),
      TEST(stop_inside_a_callback),
      TEST(an_idle_store_lets_the_loop_sleep),
  };
  return cmocka_run_group_tests_name("memory store events", tests, NULL, NULL);
}

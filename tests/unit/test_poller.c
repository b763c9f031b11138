/* Tests of the turns in which descriptors are served, on a real loop and real pipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/poller.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CROWD = 200 }; /* more than the kernel names at once */

typedef struct fixture fixture;

typedef struct item {
  poller_entry entry; /* first */
  fixture *f;
  int other; /* the end to write to */
  unsigned served, served_again;
  uint32_t last_events;
  void (*act)(struct item *self);
} item;

struct fixture {
  uv_loop_t loop;
  poller *poller;
  uv_timer_t timer;
  unsigned timer_fired;
  unsigned served;
  uint64_t busy_us; /* that each serving takes */
  int closed;
  item items[CROWD];
};

static void on_ready(poller_entry *entry, uint32_t events) {
  item *i = (item *)entry;
  i->served++;
  if (events == 0) i->served_again++;
  i->last_events = events;
  i->f->served++;
  uint64_t until_ns = uv_hrtime() + i->f->busy_us * 1000;
  while (uv_hrtime() < until_ns) continue;
  if (i->act) i->act(i);
}

static void on_timer(uv_timer_t *timer) {
  ((fixture *)timer->data)->timer_fired++;
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  if (!f || uv_loop_init(&f->loop) != 0) return -1;
  if (poller_create(&f->loop, &f->poller) != AU_OK) return -1;
  uv_timer_init(&f->loop, &f->timer);
  f->timer.data = f;
  for (int i = 0; i < CROWD; i++) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    f->items[i] = (item){.entry = {.fd = ends[0], .ready = on_ready}, .f = f, .other = ends[1]};
  }
  *state = f;
  return 0;
}

static void on_closed(void *arg) {
  ((fixture *)arg)->closed++;
}

static int teardown(void **state) {
  fixture *f = *state;
  for (int i = 0; i < CROWD; i++) {
    poller_drop(f->poller, &f->items[i].entry);
    close(f->items[i].entry.fd);
    close(f->items[i].other);
  }
  uv_close((uv_handle_t *)&f->timer, NULL);
  poller_close(f->poller, on_closed, f);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  bool clean = f->closed == 1 && uv_loop_close(&f->loop) == 0;
  poller_free(f->poller);
  free(f);
  return clean ? 0 : -1;
}

/* Ready until somebody reads, which nobody does. */
static void make_ready(item *i) {
  assert_true(poller_watch(i->f->poller, &i->entry, EPOLLIN));
  assert_int_equal(write(i->other, "x", 1), 1);
}

static void one_turn(fixture *f) {
  uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void a_crowd_is_served_in_turns_and_each_once_before_any_twice(void **state) {
  fixture *f = *state;
  for (int i = 0; i < CROWD; i++) make_ready(&f->items[i]);
  f->busy_us = POLLER_TURN_US / 10;
  uv_timer_start(&f->timer, on_timer, 0, 1);
  for (unsigned turns = 0; f->served < 3 * CROWD; turns++) {
    unsigned before = f->served;
    one_turn(f);
    assert_in_range(f->served - before, 0, 11); /* ten fill a turn; it ends after the one at hand */
    assert_in_range(turns, 0, 20 * CROWD);
    unsigned least = UINT32_MAX, most = 0;
    for (int i = 0; i < CROWD; i++) {
      if (f->items[i].served < least) least = f->items[i].served;
      if (f->items[i].served > most) most = f->items[i].served;
    }
    assert_in_range(most - least, 0, 1);
  }
  assert_true(f->timer_fired >= 20); /* timers are served between the turns */
}

static void again(item *self) {
  poller_again(self->f->poller, &self->entry);
}

static void who_asks_again_waits_for_the_next_turn_and_starves_nobody(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 100; i++) {
    f->items[i].act = again;
    poller_again(f->poller, &f->items[i].entry);
  }
  make_ready(&f->items[CROWD - 1]);
  f->busy_us = POLLER_TURN_US / 10;
  unsigned begun = f->items[CROWD - 1].served;
  one_turn(f);
  assert_int_equal(f->items[CROWD - 1].served, begun + 1); /* beside all who asked */
  for (int turn = 0; turn < 60; turn++) one_turn(f);
  for (int i = 0; i < 100; i++) {
    assert_in_range(f->items[i].served, 2, 8);
    assert_int_equal(f->items[i].served, f->items[i].served_again);
  }
}

static void asking_again_wakes_a_loop_that_has_nothing_else(void **state) {
  fixture *f = *state;
  poller_again(f->poller, &f->items[0].entry);
  poller_again(f->poller, &f->items[0].entry); /* once is enough */
  uv_run(&f->loop, UV_RUN_ONCE);
  assert_int_equal(f->items[0].served, 1);
  assert_int_equal(f->items[0].last_events, 0);
  one_turn(f);
  assert_int_equal(f->items[0].served, 1);
}

static void drop_all(item *self) {
  for (int i = 0; i < CROWD; i++)
    if (&self->f->items[i] != self) poller_drop(self->f->poller, &self->f->items[i].entry);
}

static void who_is_dropped_by_another_is_not_served(void **state) {
  fixture *f = *state;
  for (int i = 0; i < CROWD; i++) {
    f->items[i].act = drop_all;
    make_ready(&f->items[i]);
    if (i % 2) poller_again(f->poller, &f->items[i].entry);
  }
  one_turn(f);
  one_turn(f);
  unsigned who = 0;
  for (int i = 0; i < CROWD; i++) who += f->items[i].served > 0;
  assert_int_equal(who, 1);
}

static void ask_nothing(item *self) {
  fixture *f = self->f;
  for (int i = 0; i < CROWD; i++)
    if (&f->items[i] != self) (void)poller_watch(f->poller, &f->items[i].entry, 0);
}

static void what_was_named_but_is_not_asked_for_any_more_is_not_served(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 10; i++) {
    f->items[i].act = ask_nothing;
    make_ready(&f->items[i]);
  }
  one_turn(f);
  assert_int_equal(f->served, 1);
}

static void outside_of_a_turn_it_is_over(void **state) {
  fixture *f = *state;
  assert_true(poller_turn_is_over(f->poller));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_crowd_is_served_in_turns_and_each_once_before_any_twice,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(who_asks_again_waits_for_the_next_turn_and_starves_nobody,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(asking_again_wakes_a_loop_that_has_nothing_else, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(who_is_dropped_by_another_is_not_served, setup, teardown),
      cmocka_unit_test_setup_teardown(what_was_named_but_is_not_asked_for_any_more_is_not_served,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(outside_of_a_turn_it_is_over, setup, teardown),
  };
  return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}

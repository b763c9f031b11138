/* Tests of subscribers that come and go while a message is on its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broadcast_case.h"

#include <stdio.h>
#include <string.h>

/* ---- coming and going during a sweep -------------------------------------- */

/* Four of A, swept to behind b; then some come and go. */
static void coming_and_going_between_slices(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name, *steps, *want;
  } cases[] = {
      {"nobody", "", "c:A1 d:A1 "},
      {"one that has it", "-a", "c:A1 d:A1 "},
      {"both that have it", "-a-b", "c:A1 d:A1 "},
      {"the next one", "-c", "d:A1 "},
      {"the last one", "-d", "c:A1 "},
      {"both that wait: the sweep is over", "-c-d", ""},
      {"everyone", "-a-b-c-d", "-A "},
      {"everyone, the other way round", "-d-c-b-a", "-A "},
      {"a new one begins with the next message", "+e", "c:A1 d:A1 "},
      {"a new one that goes again", "+e-e", "c:A1 d:A1 "},
      {"one that has it comes back", "-a+a", "c:A1 d:A1 "},
      {"one that waits comes back, and waits for the next", "-c+c", "d:A1 "},
      {"all but one are new", "-a-c-d+e+f+g", ""},
      {"the topic itself is a new one", "-a-b-c-d+a+b+c+d", "-A +A "},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (char name = 'a'; name <= 'd'; name++) subscribe(f, "A", name);
    publish(f, "A", 1, 1);
    assert_true(broadcast_run(f->broadcast, 2));
    buffer_clear(&f->log);
    for (const char *c = cases[i].steps; *c; c += 2)
      *c == '+' ? subscribe(f, "A", c[1]) : unsubscribe(f, c[1]);
    if (broadcast_run(f->broadcast, 2)) fail_msg("%s: more", cases[i].name);
    expect_delivered(f, cases[i].name, cases[i].want);

    /* Whoever is here now gets the next one, once. */
    publish(f, "A", 2, 2);
    buffer_clear(&f->log);
    assert_false(broadcast_run(f->broadcast, EARS));
    size_t got = 0;
    for (int k = 0; k < EARS; k++) {
      char want[] = {f->ears[k].name, ':', 'A', '2', ' ', '\0'};
      bool found = f->log.len > 0 && memmem(f->log.ptr, f->log.len, want, 5) != NULL;
      if (found != (f->ears[k].s.topic != NULL)) fail_msg("%s: %s", cases[i].name, want);
      got += found;
    }
    assert_int_equal(f->log.len, 5 * got);
    for (int k = 0; k < EARS; k++) broadcast_unsubscribe(f->broadcast, &f->ears[k].s);
    buffer_clear(&f->log);
  }
}

static void act_leave(ear *self) {
  broadcast_unsubscribe(self->fixture->broadcast, &self->s);
}

static void act_leave_next(ear *self) {
  unsubscribe(self->fixture, (char)(self->name + 1));
}

static void act_leave_previous(ear *self) {
  unsubscribe(self->fixture, (char)(self->name - 1));
}

static void act_leave_all(ear *self) {
  for (int i = 0; i < EARS; i++)
    broadcast_unsubscribe(self->fixture->broadcast, &self->fixture->ears[i].s);
}

static void act_come_back(ear *self) {
  act_leave(self);
  subscribe(self->fixture, "A", self->name);
}

static void act_move(ear *self) {
  act_leave(self);
  subscribe(self->fixture, "B", self->name);
}

static void act_bring_e(ear *self) {
  if (!ear_of(self->fixture, 'e')->s.topic) subscribe(self->fixture, "A", 'e');
}

static void act_replace_all(ear *self) {
  act_leave_all(self);
  subscribe(self->fixture, "A", 'e');
}

static void act_publish(ear *self) {
  self->act = NULL;
  publish(self->fixture, "A", 9, 9);
}

/* Three of A; one of them does something when it is delivered to. */
static void coming_and_going_inside_deliver(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    char actor;
    void (*act)(ear *self);
    const char *want;
  } cases[] = {
      {"the first leaves", 'a', act_leave, "a:A1 b:A1 c:A1 "},
      {"the one in the middle leaves", 'b', act_leave, "a:A1 b:A1 c:A1 "},
      {"the last leaves", 'c', act_leave, "a:A1 b:A1 c:A1 "},
      {"the next is removed", 'a', act_leave_next, "a:A1 c:A1 "},
      {"the last is removed", 'b', act_leave_next, "a:A1 b:A1 "},
      {"the one before is removed", 'b', act_leave_previous, "a:A1 b:A1 c:A1 "},
      {"the first removes all", 'a', act_leave_all, "a:A1 -A "},
      {"the one in the middle removes all", 'b', act_leave_all, "a:A1 b:A1 -A "},
      {"the last removes all", 'c', act_leave_all, "a:A1 b:A1 c:A1 -A "},
      {"the first comes back", 'a', act_come_back, "a:A1 b:A1 c:A1 "},
      {"the last comes back", 'c', act_come_back, "a:A1 b:A1 c:A1 "},
      {"the first moves to another customer", 'a', act_move, "a:A1 +B b:A1 c:A1 "},
      {"the last moves to another customer", 'c', act_move, "a:A1 b:A1 c:A1 +B "},
      {"a new one comes by the first", 'a', act_bring_e, "a:A1 b:A1 c:A1 "},
      {"a new one comes by the last", 'c', act_bring_e, "a:A1 b:A1 c:A1 "},
      {"a new one in a new topic", 'a', act_replace_all, "a:A1 -A +A "},
      {"a new one in a new topic, at the end", 'c', act_replace_all, "a:A1 b:A1 c:A1 -A +A "},
      {"a newer message", 'b', act_publish, "a:A1 b:A1 wake c:A9 a:A9 b:A9 "},
      {"a newer message at the end", 'c', act_publish, "a:A1 b:A1 c:A1 wake a:A9 b:A9 c:A9 "},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (char name = 'a'; name <= 'c'; name++) subscribe(f, "A", name);
    publish(f, "A", 1, 1);
    buffer_clear(&f->log);
    ear_of(f, cases[i].actor)->act = cases[i].act;
    assert_false(broadcast_run(f->broadcast, 100));
    expect_delivered(f, cases[i].name, cases[i].want);
    ear_of(f, cases[i].actor)->act = NULL;
    for (int k = 0; k < EARS; k++) broadcast_unsubscribe(f->broadcast, &f->ears[k].s);
    buffer_clear(&f->log);
  }
}

/* Alone in its topic, which is gone when deliver returns; its message is not. */
static void the_only_one_leaves_inside_deliver(void **state) {
  fixture *f = *state;
  static void (*const acts[])(ear *) = {act_leave, act_come_back, act_move, act_leave_all};
  static const char *const wants[] = {"a:A1 -A b:B2 ", "a:A1 -A +A b:B2 ", "a:A1 -A b:B2 ",
                                      "a:A1 -A -B "};
  for (size_t i = 0; i < COUNT(acts); i++) {
    subscribe(f, "A", 'a');
    subscribe(f, "B", 'b');
    publish(f, "A", 1, 1);
    publish(f, "B", 2, 1);
    buffer_clear(&f->log);
    ear_of(f, 'a')->act = acts[i];
    assert_false(broadcast_run(f->broadcast, 100));
    expect_delivered(f, "gone", wants[i]);
    ear_of(f, 'a')->act = NULL;
    act_leave_all(ear_of(f, 'a'));
    buffer_clear(&f->log);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(coming_and_going_between_slices),
      TEST(coming_and_going_inside_deliver),
      TEST(the_only_one_leaves_inside_deliver),
  };
  return cmocka_run_group_tests_name("broadcast changes", tests, NULL, NULL);
}

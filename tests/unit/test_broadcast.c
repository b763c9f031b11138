/* Tests of the broadcast: who gets which message, and who has heard none for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broadcast_case.h"

#include <stdio.h>
#include <string.h>

/* ---- one message ---------------------------------------------------------- */

static void everyone_of_a_customer_and_nobody_else(void **state) {
  fixture *f = *state;
  subscribe(f, "A", 'a');
  subscribe(f, "A", 'b');
  subscribe(f, "B", 'c');
  subscribe(f, "A", 'd');
  expect_delivered(f, "topics begin", "+A +B ");
  assert_true(slice_eq(broadcast_customer(&ear_of(f, 'd')->s), slice_of("A")));
  assert_true(slice_eq(broadcast_customer(&ear_of(f, 'c')->s), slice_of("B")));
  assert_false(broadcast_run(f->broadcast, 100));
  publish(f, "A", 1, 10);
  expect_delivered(f, "nobody inside publish", "wake ");
  assert_false(broadcast_run(f->broadcast, 100));
  expect_delivered(f, "in order", "a:A1 b:A1 d:A1 ");
  assert_false(broadcast_run(f->broadcast, 100));
  expect_delivered(f, "once", "");
  publish(f, "B", 2, 11);
  assert_false(broadcast_run(f->broadcast, 100));
  expect_delivered(f, "the other", "wake c:B2 ");
}

static void one_frame_is_shared(void **state) {
  fixture *f = *state;
  for (char name = 'a'; name <= 'e'; name++) subscribe(f, "A", name);
  publish(f, "A", 7, 1);
  broadcast_run(f->broadcast, 4);
  frame *kept = frame_ref(ear_of(f, 'a')->got); /* as a transport that queues it does */
  for (char name = 'b'; name <= 'd'; name++) assert_ptr_equal(ear_of(f, name)->got, kept);
  assert_int_equal(kept->refs, 2);
  broadcast_run(f->broadcast, 1);
  assert_ptr_equal(ear_of(f, 'e')->got, kept);
  assert_int_equal(kept->refs, 1); /* not held when the sweep is over */
  publish(f, "A", 8, 2);
  broadcast_run(f->broadcast, 1);
  assert_ptr_not_equal(ear_of(f, 'a')->got, kept);
  assert_memory_equal(frame_text(kept), "A7", 2);
  frame_unref(kept);
}

static void without_listeners_nothing_happens(void **state) {
  fixture *f = *state;
  publish(f, "A", 1, 1);
  expect_delivered(f, "nobody", "");
  subscribe(f, "A", 'a');
  unsubscribe(f, 'a');
  unsubscribe(f, 'a');
  unsubscribe(f, 'b'); /* never subscribed */
  expect_delivered(f, "came and went", "+A -A ");
  publish(f, "A", 2, 2);
  assert_false(broadcast_run(f->broadcast, 100));
  expect_delivered(f, "nobody again", "");
}

static au_status refuse(void *arg, au_slice customer_id, bool on) {
  fixture *f = arg;
  buffer_append_format(&f->log, "%c%.*s ", on ? '?' : '-', (int)customer_id.len, customer_id.ptr);
  return on ? AU_ENOMEM : AU_OK;
}

static void who_would_hear_nothing_is_refused(void **state) {
  fixture *f = *state;
  broadcast_hooks hooks = broadcast_case_hooks(f, 0);
  hooks.subscribe = refuse;
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){1, 2}, &hooks, &b), AU_OK);
  subscriber *s = &ear_of(f, 'a')->s;
  for (int i = 0; i < 2; i++) assert_int_equal(broadcast_subscribe(b, slice_of("A"), s), AU_ENOMEM);
  assert_null(s->topic);
  broadcast_publish(b, &(au_metrics){.customer_id = slice_of("A")}, 1);
  assert_false(broadcast_run(b, 100));
  broadcast_unsubscribe(b, s);
  expect_delivered(f, "refused", "?A ?A ");
  broadcast_free(b);
}

static void without_memory_a_message_is_dropped(void **state) {
  fixture *f = *state;
  subscribe(f, "A", 'a');
  subscribe(f, "A", 'b');
  publish(f, "A", 1, 1);
  broadcast_run(f->broadcast, 1);
  buffer_clear(&f->log);
  broadcast_case_printing_fails = true;
  publish(f, "A", 2, 2);
  expect_delivered(f, "dropped", "");
  assert_false(broadcast_run(f->broadcast, 100));
  expect_delivered(f, "the one before it goes on", "b:A1 ");
}

static void watching_begins_with_the_first_and_ends_with_the_last(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name, *customer; /* NULL: the ear unsubscribes */
    char ear;
    const char *want;
  } steps[] = {
      {"the first of A", "A", 'a', "+A "},    {"the second of A", "A", 'b', ""},
      {"the first of AB", "AB", 'c', "+AB "}, {"the first of a", "a", 'd', "+a "},
      {"one of two leaves A", NULL, 'a', ""}, {"and comes back", "A", 'a', ""},
      {"the other leaves A", NULL, 'b', ""},  {"the last leaves A", NULL, 'a', "-A "},
      {"A begins again", "A", 'b', "+A "},    {"the last of AB", NULL, 'c', "-AB "},
      {"the last of A", NULL, 'b', "-A "},    {"the last of a", NULL, 'd', "-a "},
  };
  for (size_t i = 0; i < COUNT(steps); i++) {
    if (steps[i].customer)
      subscribe(f, steps[i].customer, steps[i].ear);
    else
      unsubscribe(f, steps[i].ear);
    expect_delivered(f, steps[i].name, steps[i].want);
  }
}

static void the_longest_id(void **state) {
  fixture *f = *state;
  char id[AU_ID_MAX + 1], want[2 * AU_ID_MAX + 16];
  memset(id, 'i', AU_ID_MAX);
  id[AU_ID_MAX] = '\0';
  subscribe(f, id, 'a');
  assert_true(slice_eq(broadcast_customer(&ear_of(f, 'a')->s), slice_of(id)));
  publish(f, id, 1, 1);
  broadcast_run(f->broadcast, 1);
  (void)snprintf(want, sizeof want, "+%s wake a:%s1 ", id, id);
  expect_delivered(f, "128 bytes", want);
}

/* ---- the quiet ------------------------------------------------------------ */

static void expect_quiet(fixture *f, const char *name, int64_t before_ms, int64_t round_ms,
                         size_t max, const char *want) {
  au_slice ids[8];
  size_t n = broadcast_list_idle(f->broadcast, before_ms, round_ms, ids, max);
  char got[64] = "";
  assert_true(n <= max);
  for (size_t i = 0; i < n; i++) strncat(got, ids[i].ptr, ids[i].len);
  if (strcmp(got, want) != 0) fail_msg("%s: '%s' and not '%s'", name, got, want);
}

static void the_quiet_are_listed_longest_first(void **state) {
  fixture *f = *state;
  expect_quiet(f, "nobody", 1000, 1000, 8, "");
  for (int i = 0; i < 4; i++)
    subscribe(f, (const char *[]){"A", "B", "C", "D"}[i], (char)('a' + i));
  publish(f, "C", 1, 100);
  publish(f, "A", 1, 200);
  publish(f, "D", 1, 300);
  publish(f, "B", 1, 400);
  publish(f, "C", 2, 500);
  expect_quiet(f, "one", 201, 500, 8, "A");
  expect_quiet(f, "it was listed: once is enough", 500, 500, 8, "DB");
  expect_quiet(f, "nobody else is silent", 500, 500, 8, "");
  expect_quiet(f, "they still are", 500, 501, 8, "ADB");
  expect_quiet(f, "up to its room", 501, 600, 2, "CA");
  expect_quiet(f, "the others next", 501, 600, 2, "DB");
  unsubscribe(f, 'd');
  subscribe(f, "E", 'e');
  expect_quiet(f, "without room", 700, 700, 0, "");
  expect_quiet(f, "a new one first, one that is gone not at all", 700, 700, 8, "ECAB");
  subscribe(f, "A", 'f');
  expect_quiet(f, "one more listener makes no new customer", 700, 700, 8, "");
  publish(f, "A", 3, 710);
  expect_quiet(f, "not one that was published since", 705, 720, 8, "ECB");
  expect_quiet(f, "an older word is none", 711, 730, 8, "AECB");
}

/* It is told all the same, and listed in the next round again. */
static void who_is_told_stays_quiet(void **state) {
  fixture *f = *state;
  subscribe(f, "A", 'a');
  expect_quiet(f, "new", 100, 100, 8, "A");
  buffer_clear(&f->log);
  au_metrics metrics = {.customer_id = slice_of("A"), .count = 7};
  broadcast_publish_local(f->broadcast, &metrics, 100);
  broadcast_run(f->broadcast, 8);
  expect_delivered(f, "told", "wake a:A7 ");
  expect_quiet(f, "still quiet", 50, 200, 8, "A");
  metrics.customer_id = slice_of("nobody");
  broadcast_publish_local(f->broadcast, &metrics, 200);
  expect_delivered(f, "nobody is told nothing", "");
}

static void a_new_one_is_waited_for_once(void **state) {
  fixture *f = *state;
  assert_false(broadcast_wait_once(f->broadcast, slice_of("A")));
  subscribe(f, "A", 'a');
  assert_true(broadcast_wait_once(f->broadcast, slice_of("A")));
  assert_false(broadcast_wait_once(f->broadcast, slice_of("A")));
  subscribe(f, "B", 'b');
  publish(f, "B", 1, 100);
  assert_false(broadcast_wait_once(f->broadcast, slice_of("B")));
}

static void a_message_that_was_not_printed_leaves_one_quiet(void **state) {
  fixture *f = *state;
  subscribe(f, "A", 'a');
  subscribe(f, "B", 'b');
  broadcast_case_printing_fails = true;
  publish(f, "A", 1, 100);
  broadcast_case_printing_fails = false;
  publish(f, "B", 1, 100);
  expect_quiet(f, "dropped", 100, 100, 8, "A");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(everyone_of_a_customer_and_nobody_else),
      TEST(one_frame_is_shared),
      TEST(without_listeners_nothing_happens),
      TEST(who_would_hear_nothing_is_refused),
      TEST(without_memory_a_message_is_dropped),
      TEST(watching_begins_with_the_first_and_ends_with_the_last),
      TEST(the_longest_id),
      TEST(the_quiet_are_listed_longest_first),
      TEST(who_is_told_stays_quiet),
      TEST(a_new_one_is_waited_for_once),
      TEST(a_message_that_was_not_printed_leaves_one_quiet),
  };
  return cmocka_run_group_tests_name("broadcast", tests, NULL, NULL);
}

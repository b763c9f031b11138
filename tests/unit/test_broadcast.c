/* Tests of the broadcast: who gets which message, when, and who never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/broadcast.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { EARS = 16 };

typedef struct fixture fixture;

/* A subscriber that may do something when it is delivered to. */
typedef struct ear {
  subscriber s; /* first */
  fixture *fixture;
  char name;
  frame *got; /* borrowed: the last message */
  void (*act)(struct ear *self);
} ear;

struct fixture {
  broadcast *broadcast;
  buffer log; /* what the hooks and the ears were called with, in order */
  ear ears[EARS];
};

static bool printing_fails;

/* The text of a message: its customer and its count. */
static frame *print(const au_metrics *metrics) {
  if (printing_fails) return NULL;
  char text[AU_ID_MAX + 16];
  int len = snprintf(text, sizeof text, "%.*s%u", (int)metrics->customer_id.len,
                     metrics->customer_id.ptr, metrics->count);
  return frame_create((au_slice){text, (size_t)len});
}

static void on_wake(void *arg) {
  fixture *f = arg;
  buffer_append_text(&f->log, "wake ");
}

static void on_watch(void *arg, au_slice customer_id, bool on) {
  fixture *f = arg;
  buffer_append_format(&f->log, "%c%.*s ", on ? '+' : '-', (int)customer_id.len, customer_id.ptr);
}

static void on_deliver(subscriber *s, frame *message) {
  ear *e = (ear *)s;
  e->got = message;
  buffer_append_format(&e->fixture->log, "%c:%.*s ", e->name, (int)message->len,
                       frame_text(message));
  if (e->act) e->act(e);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  buffer_init(&f->log, 1 << 20);
  broadcast_hooks hooks = {on_wake, on_watch, print, f, 0};
  assert_int_equal(broadcast_create((map_seed){1, 2}, &hooks, &f->broadcast), AU_OK);
  for (int i = 0; i < EARS; i++)
    f->ears[i] = (ear){.s.deliver = on_deliver, .fixture = f, .name = (char)('a' + i)};
  printing_fails = false;
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  for (int i = 0; i < EARS; i++) broadcast_unsubscribe(f->broadcast, &f->ears[i].s);
  broadcast_free(f->broadcast);
  broadcast_free(NULL);
  buffer_free(&f->log);
  free(f);
  return 0;
}

static void expect_log(fixture *f, const char *name, const char *want) {
  assert_false(f->log.failed);
  if (!slice_eq(buffer_slice(&f->log), slice_of(want)))
    fail_msg("%s: '%.*s' and not '%s'", name, (int)f->log.len, f->log.ptr, want);
  buffer_clear(&f->log);
}

/* An ear by its letter. */
static ear *ear_of(fixture *f, char name) {
  return &f->ears[name - 'a'];
}

static void subscribe(fixture *f, const char *customer, char name) {
  assert_int_equal(broadcast_subscribe(f->broadcast, slice_of(customer), &ear_of(f, name)->s),
                   AU_OK);
}

static void unsubscribe(fixture *f, char name) {
  broadcast_unsubscribe(f->broadcast, &ear_of(f, name)->s);
  assert_null(ear_of(f, name)->s.topic);
}

static void publish(fixture *f, const char *customer, uint32_t count, int64_t now_ms) {
  au_metrics metrics = {.customer_id = slice_of(customer), .count = count};
  broadcast_publish(f->broadcast, &metrics, now_ms);
}

/* ---- one message ---------------------------------------------------------- */

static void everyone_of_a_customer_and_nobody_else(void **state) {
  fixture *f = *state;
  subscribe(f, "A", 'a');
  subscribe(f, "A", 'b');
  subscribe(f, "B", 'c');
  subscribe(f, "A", 'd');
  expect_log(f, "topics begin", "+A +B ");
  assert_true(slice_eq(broadcast_customer(&ear_of(f, 'd')->s), slice_of("A")));
  assert_true(slice_eq(broadcast_customer(&ear_of(f, 'c')->s), slice_of("B")));
  assert_false(broadcast_run(f->broadcast, 100));
  publish(f, "A", 1, 10);
  expect_log(f, "nobody inside publish", "wake ");
  assert_false(broadcast_run(f->broadcast, 100));
  expect_log(f, "in order", "a:A1 b:A1 d:A1 ");
  assert_false(broadcast_run(f->broadcast, 100));
  expect_log(f, "once", "");
  publish(f, "B", 2, 11);
  assert_false(broadcast_run(f->broadcast, 100));
  expect_log(f, "the other", "wake c:B2 ");
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
  expect_log(f, "nobody", "");
  subscribe(f, "A", 'a');
  unsubscribe(f, 'a');
  unsubscribe(f, 'a');
  unsubscribe(f, 'b'); /* never subscribed */
  expect_log(f, "came and went", "+A -A ");
  publish(f, "A", 2, 2);
  assert_false(broadcast_run(f->broadcast, 100));
  expect_log(f, "nobody again", "");
}

static void without_memory_a_message_is_dropped(void **state) {
  fixture *f = *state;
  subscribe(f, "A", 'a');
  subscribe(f, "A", 'b');
  publish(f, "A", 1, 1);
  broadcast_run(f->broadcast, 1);
  buffer_clear(&f->log);
  printing_fails = true;
  publish(f, "A", 2, 2);
  expect_log(f, "dropped", "");
  assert_false(broadcast_run(f->broadcast, 100));
  expect_log(f, "the one before it goes on", "b:A1 ");
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
    expect_log(f, steps[i].name, steps[i].want);
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
  expect_log(f, "128 bytes", want);
}

/* ---- slices --------------------------------------------------------------- */

static void at_most_max_in_a_slice(void **state) {
  fixture *f = *state;
  for (char name = 'a'; name <= 'e'; name++) subscribe(f, name < 'd' ? "A" : "B", name);
  publish(f, "A", 1, 1);
  publish(f, "B", 2, 1);
  buffer_clear(&f->log);
  assert_true(broadcast_run(f->broadcast, 1));
  expect_log(f, "one", "a:A1 ");
  assert_true(broadcast_run(f->broadcast, 1));
  expect_log(f, "then it is the other customer's turn", "d:B2 ");
  assert_true(broadcast_run(f->broadcast, 2));
  expect_log(f, "two", "b:A1 c:A1 ");
  assert_false(broadcast_run(f->broadcast, 2));
  expect_log(f, "the last, and it says so", "e:B2 ");
}

/* At most one message a gap, the newest; none is lost. */
static void a_gap_between_messages(void **state) {
  fixture *f = *state;
  broadcast_hooks hooks = {on_wake, on_watch, print, f, 100};
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
  ear *e = &f->ears[0];
  assert_int_equal(broadcast_subscribe(b, slice_of("A"), &e->s), AU_OK);
  au_metrics metrics = {.customer_id = slice_of("A")};
  static const struct {
    int64_t at_ms;
    uint32_t publish; /* 0: only time passes */
    const char *heard;
  } steps[] = {
      {1000, 1, "a:A1 "}, {1001, 2, ""}, {1050, 3, ""},      {1099, 0, ""}, {1100, 0, "a:A3 "},
      {1150, 0, ""},      {1199, 4, ""}, {1200, 0, "a:A4 "}, {1300, 0, ""}, {1301, 5, "a:A5 "},
  };
  buffer_clear(&f->log);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    metrics.count = steps[i].publish;
    if (steps[i].publish) broadcast_publish(b, &metrics, steps[i].at_ms);
    (void)broadcast_pace(b, steps[i].at_ms);
    buffer_clear(&f->log); /* of the wakes */
    assert_false(broadcast_run(b, 10));
    expect_log(f, "a step", steps[i].heard);
  }
  metrics.count = 6;
  metrics.ema = 0.5;
  broadcast_publish(b, &metrics, 1301); /* a tick does not wait */
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 10));
  expect_log(f, "a tick", "a:A6 ");
  broadcast_publish(b, &metrics, 1302); /* waits while its topic goes */
  assert_int_equal(broadcast_pace(b, 1302), 99);
  assert_true(buffer_slice(&f->log).len > 0); /* woken */
  broadcast_unsubscribe(b, &e->s);
  assert_int_equal(broadcast_pace(b, 9999), -1);
  broadcast_free(b);
}

/* A newcomer that is told what is newer is not told what waited for its turn; what comes
 * after it is news. */
static void what_waits_is_no_news_to_a_newcomer(void **state) {
  fixture *f = *state;
  broadcast_hooks hooks = {on_wake, on_watch, print, f, 100};
  broadcast *b;
  assert_int_equal(broadcast_create((map_seed){3, 4}, &hooks, &b), AU_OK);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(broadcast_subscribe(b, slice_of("A"), &f->ears[i].s), AU_OK);
    if (i > 0) continue;
    for (uint32_t n = 1; n <= 2; n++)
      broadcast_publish(b, &(au_metrics){.customer_id = slice_of("A"), .count = n}, 1000);
    (void)broadcast_run(b, 10);
  }
  broadcast_inform(&f->ears[1].s);
  (void)broadcast_pace(b, 1100);
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 10));
  expect_log(f, "the second waited", "a:A2 c:A2 ");
  assert_false(broadcast_heard(&f->ears[1].s));
  broadcast_publish(b, &(au_metrics){.customer_id = slice_of("A"), .count = 3}, 1200);
  (void)broadcast_pace(b, 1200);
  buffer_clear(&f->log);
  assert_false(broadcast_run(b, 10));
  expect_log(f, "the third is news to all", "a:A3 b:A3 c:A3 ");
  for (int i = 0; i < 3; i++) broadcast_unsubscribe(b, &f->ears[i].s);
  broadcast_free(b);
}

/* ---- overtaken ------------------------------------------------------------ */

static void a_newer_message_takes_over_the_sweep(void **state) {
  fixture *f = *state;
  for (char name = 'a'; name <= 'd'; name++) subscribe(f, "A", name);
  buffer_clear(&f->log);
  publish(f, "A", 1, 1);
  broadcast_run(f->broadcast, 2);
  publish(f, "A", 2, 2);
  assert_true(broadcast_run(f->broadcast, 3));
  assert_false(broadcast_run(f->broadcast, 3));
  expect_log(f, "goes on where it was", "wake a:A1 b:A1 wake c:A2 d:A2 a:A2 b:A2 ");
}

static void a_message_nobody_got_is_never_sent(void **state) {
  fixture *f = *state;
  for (char name = 'a'; name <= 'c'; name++) subscribe(f, "A", name);
  buffer_clear(&f->log);
  publish(f, "A", 1, 1);
  publish(f, "A", 2, 1);
  publish(f, "A", 3, 1);
  assert_false(broadcast_run(f->broadcast, 100));
  expect_log(f, "the newest only", "wake wake wake a:A3 b:A3 c:A3 ");
}

/* A sweep that never comes to its end is fair all the same. */
static void overtaken_for_ever_still_reaches_everyone(void **state) {
  fixture *f = *state;
  int heard[EARS] = {0};
  for (char name = 'a'; name < 'a' + EARS; name++) subscribe(f, "A", name);
  for (uint32_t i = 1; i <= EARS * 5; i++) {
    publish(f, "A", i, i);
    buffer_clear(&f->log);
    assert_true(broadcast_run(f->broadcast, 3));
    for (size_t at = 0; at < f->log.len; at++)
      if (f->log.ptr[at] == ':') heard[f->log.ptr[at - 1] - 'a']++;
  }
  for (int i = 0; i < EARS; i++) assert_int_equal(heard[i], 15);
}

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
    expect_log(f, cases[i].name, cases[i].want);

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
    expect_log(f, cases[i].name, cases[i].want);
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
    expect_log(f, "gone", wants[i]);
    ear_of(f, 'a')->act = NULL;
    act_leave_all(ear_of(f, 'a'));
    buffer_clear(&f->log);
  }
}

/* ---- the quiet ------------------------------------------------------------ */

static void expect_quiet(fixture *f, const char *name, int64_t before_ms, int64_t round_ms,
                         size_t max, const char *want) {
  au_slice ids[8];
  size_t n = broadcast_quiet(f->broadcast, before_ms, round_ms, ids, max);
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
  broadcast_tell(f->broadcast, &metrics, 100);
  broadcast_run(f->broadcast, 8);
  expect_log(f, "told", "wake a:A7 ");
  expect_quiet(f, "still quiet", 50, 200, 8, "A");
  metrics.customer_id = slice_of("nobody");
  broadcast_tell(f->broadcast, &metrics, 200);
  expect_log(f, "nobody is told nothing", "");
}

static void a_new_one_is_waited_for_once(void **state) {
  fixture *f = *state;
  assert_false(broadcast_await(f->broadcast, slice_of("A")));
  subscribe(f, "A", 'a');
  assert_true(broadcast_await(f->broadcast, slice_of("A")));
  assert_false(broadcast_await(f->broadcast, slice_of("A")));
  subscribe(f, "B", 'b');
  publish(f, "B", 1, 100);
  assert_false(broadcast_await(f->broadcast, slice_of("B")));
}

static void a_message_that_was_not_printed_leaves_one_quiet(void **state) {
  fixture *f = *state;
  subscribe(f, "A", 'a');
  subscribe(f, "B", 'b');
  printing_fails = true;
  publish(f, "A", 1, 100);
  printing_fails = false;
  publish(f, "B", 1, 100);
  expect_quiet(f, "dropped", 100, 100, 8, "A");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(everyone_of_a_customer_and_nobody_else),
      TEST(one_frame_is_shared),
      TEST(without_listeners_nothing_happens),
      TEST(without_memory_a_message_is_dropped),
      TEST(watching_begins_with_the_first_and_ends_with_the_last),
      TEST(the_longest_id),
      TEST(at_most_max_in_a_slice),
      TEST(a_gap_between_messages),
      TEST(what_waits_is_no_news_to_a_newcomer),
      TEST(a_newer_message_takes_over_the_sweep),
      TEST(a_message_nobody_got_is_never_sent),
      TEST(overtaken_for_ever_still_reaches_everyone),
      TEST(coming_and_going_between_slices),
      TEST(coming_and_going_inside_deliver),
      TEST(the_only_one_leaves_inside_deliver),
      TEST(the_quiet_are_listed_longest_first),
      TEST(who_is_told_stays_quiet),
      TEST(a_new_one_is_waited_for_once),
      TEST(a_message_that_was_not_printed_leaves_one_quiet),
  };
  return cmocka_run_group_tests_name("broadcast", tests, NULL, NULL);
}

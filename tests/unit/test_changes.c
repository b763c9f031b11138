/* Tests of the changes of counts: when they are passed on, on a clock of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/changes.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = 1000 };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What was emitted, in order; `refuse` answers "not now". */
typedef struct fixture {
  changes *changes;
  buffer log;
  unsigned emitted;
  bool refuse;
} fixture;

static bool on_emit(void *arg, au_slice customer_id) {
  fixture *f = arg;
  f->emitted++;
  buffer_append_format(&f->log, "%.*s%s ", (int)customer_id.len, customer_id.ptr,
                       f->refuse ? "?" : "");
  return !f->refuse;
}

static fixture *new_fixture(size_t max) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  buffer_init(&f->log, 1 << 20);
  assert_int_equal(changes_create((map_seed){1, 2}, INTERVAL_MS, max, on_emit, f, &f->changes),
                   AU_OK);
  return f;
}

static void free_fixture(fixture *f) {
  changes_free(f->changes);
  buffer_free(&f->log);
  free(f);
}

static void expect_log(fixture *f, const char *name, const char *want) {
  assert_false(f->log.failed);
  if (!slice_eq(buffer_slice(&f->log), slice_of(want)))
    fail_msg("%s: '%.*s' and not '%s'", name, (int)f->log.len, f->log.ptr, want);
  buffer_clear(&f->log);
}

/* One step after the other: a note of `id`, or a run when there is none. */
typedef struct change_step {
  const char *name, *id;
  bool refuse;
  int64_t now_ms;
  const char *want; /* emitted by it */
  int64_t left_ms;  /* returned by a run */
} change_step;

static void walk(const change_step *steps, size_t count, size_t max_customers) {
  fixture *f = new_fixture(max_customers);
  for (size_t i = 0; i < count; i++) {
    const change_step *s = &steps[i];
    f->refuse = s->refuse;
    if (s->id) {
      changes_note(f->changes, slice_of(s->id), s->now_ms);
    } else {
      int64_t left_ms = changes_run(f->changes, s->now_ms, 100);
      if (left_ms != s->left_ms) fail_msg("%s: %lld ms left", s->name, (long long)left_ms);
    }
    expect_log(f, s->name, s->want);
  }
  free_fixture(f);
}

static void the_first_at_once_then_one_a_second(void **state) {
  (void)state;
  static const change_step steps[] = {
      {"nothing yet", NULL, false, 0, "", -1},
      {"the first change, at once", "a", false, 5000, "a ", 0},
      {"nothing more to say for a second", NULL, false, 5000, "", 1000},
      {"a second change waits", "a", false, 5010, "", 0},
      {"a third one too", "a", false, 5400, "", 0},
      {"another customer does not", "b", false, 5500, "b ", 0},
      {"a moment too early", NULL, false, 5999, "", 1},
      {"the trailing edge, once for both", NULL, false, 6000, "a ", 500},
      {"nobody changed since", NULL, false, 6500, "", 500},
      {"a is forgotten as well", NULL, false, 7000, "", -1},
      {"a change after a silence, at once", "a", false, 7000, "a ", 0},
  };
  walk(steps, COUNT(steps), 10);
}

static void a_change_in_the_last_moment_is_not_lost(void **state) {
  (void)state;
  static const change_step steps[] = {
      {"the first", "a", false, 1000, "a ", 0},
      {"in the last millisecond", "a", false, 1999, "", 0},
      {"told in the next", NULL, false, 2000, "a ", 1000},
      {"when its second is over and nobody ran", "a", false, 3100, "", 0},
      {"told by the run", NULL, false, 3100, "a ", 1000},
      {"at the time of the run itself", "a", false, 3100, "", 0},
      {"a second after that run", NULL, false, 4099, "", 1},
      {"not after its due time", NULL, false, 4100, "a ", 1000},
      {"and then it is over", NULL, false, 5100, "", -1},
  };
  walk(steps, COUNT(steps), 10);
}

static void a_run_that_comes_late(void **state) {
  (void)state;
  static const change_step steps[] = {
      {"the first", "a", false, 0, "a ", 0},
      {"a change", "a", false, 10, "", 0},
      {"emitted once, however late", NULL, false, 7500, "a ", 1000},
      {"a change just after", "a", false, 7501, "", 0},
      {"a second from the late one", NULL, false, 8499, "", 1},
      {"and not from when it was due", NULL, false, 8500, "a ", 1000},
      {"over", NULL, false, 100000, "", -1},
  };
  walk(steps, COUNT(steps), 10);
}

static void not_now_is_asked_again(void **state) {
  (void)state;
  static const change_step steps[] = {
      {"refused at once", "a", true, 0, "a? ", 0},
      {"not asked early", NULL, false, 999, "", 1},
      {"asked again, refused again", NULL, true, 1000, "a? ", 1000},
      {"a change meanwhile is the same one", "a", false, 1500, "", 0},
      {"not asked early", NULL, false, 1999, "", 1},
      {"accepted", NULL, false, 2000, "a ", 1000},
      {"a change after that", "a", false, 2100, "", 0},
      {"refused at the trailing edge", NULL, true, 3000, "a? ", 1000},
      {"accepted without another change", NULL, false, 4000, "a ", 1000},
      {"and forgotten then", NULL, false, 5000, "", -1},
  };
  walk(steps, COUNT(steps), 10);
}

static void a_full_table_drops_new_ones_only(void **state) {
  (void)state;
  static const change_step steps[] = {
      {"a", "a", false, 0, "a ", 0},
      {"b", "b", false, 100, "b ", 0},
      {"c does not fit", "c", false, 200, "", 0},
      {"a still does", "a", false, 300, "", 0},
      {"nothing comes of c", NULL, false, 1000, "a ", 100},
      {"b made room", NULL, false, 1100, "", 900},
      {"c fits now", "c", false, 1200, "c ", 0},
      {"d does not", "d", false, 1200, "", 0},
      {"they all end", NULL, false, 5000, "", -1},
  };
  walk(steps, COUNT(steps), 2);
}

static void room_for_nobody(void **state) {
  (void)state;
  static const change_step steps[] = {
      {"dropped", "a", false, 0, "", 0},
      {"nothing is remembered", NULL, false, 5000, "", -1},
  };
  walk(steps, COUNT(steps), 0);
}

static void ids_are_copied_and_compared_whole(void **state) {
  (void)state;
  fixture *f = new_fixture(10);
  char id[] = "shop";
  changes_note(f->changes, slice_of(id), 0);
  changes_note(f->changes, slice_of(id), 1);
  memset(id, 'x', 4);
  changes_note(f->changes, slice_of("shop1"), 1);
  changes_note(f->changes, slice_of("sho"), 1);
  changes_note(f->changes, slice_of("Shop"), 1);
  expect_log(f, "four customers", "shop shop1 sho Shop ");
  assert_int_equal(changes_run(f->changes, 1000, 10), 1);
  expect_log(f, "one changed again", "shop ");

  char longest[AU_ID_MAX + 1];
  memset(longest, 'i', AU_ID_MAX);
  longest[AU_ID_MAX] = '\0';
  changes_note(f->changes, slice_of(longest), 1000);
  assert_int_equal(f->log.len, AU_ID_MAX + 1);
  free_fixture(f);
}

/* 1000 changed customers in slices of 64: each once, in order, none twice. */
static void a_crowd_goes_in_slices(void **state) {
  (void)state;
  enum { CUSTOMERS = 1000, SLICE = 64 };
  fixture *f = new_fixture(CUSTOMERS);
  char id[16];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < CUSTOMERS; i++) {
      (void)snprintf(id, sizeof id, "c%d", i);
      changes_note(f->changes, slice_of(id), round);
    }
  }
  assert_int_equal(f->emitted, CUSTOMERS);
  buffer first = f->log; /* the order they came in */
  buffer_init(&f->log, 1 << 20);
  unsigned runs = 0;
  for (int64_t left_ms = 0; left_ms == 0; runs++) {
    assert_true(runs < 100);
    unsigned before = f->emitted;
    left_ms = changes_run(f->changes, 1000, SLICE);
    assert_true(f->emitted - before <= SLICE);
    if (f->emitted < 2 * CUSTOMERS) {
      assert_int_equal(left_ms, 0);
      assert_int_equal(f->emitted - before, SLICE);
    } else {
      assert_int_equal(left_ms, 1000);
    }
  }
  assert_int_equal(f->emitted, 2 * CUSTOMERS);
  assert_true(slice_eq(buffer_slice(&f->log), buffer_slice(&first)));
  assert_int_equal(changes_run(f->changes, 1000, 0), 1000);
  assert_int_equal(changes_run(f->changes, 2000, 0), 0); /* no slice, no work */
  for (runs = 0; changes_run(f->changes, 2000, SLICE) == 0; runs++) assert_true(runs < 100);
  assert_int_equal(f->emitted, 2 * CUSTOMERS); /* nobody changed: they are forgotten */
  assert_int_equal(changes_run(f->changes, 2000, SLICE), -1);
  buffer_free(&first);
  free_fixture(f);
}

/* ---- a random walk against the promises ----------------------------------- */

enum { MODEL_CUSTOMERS = 20, MODEL_STEPS = 100000 };

typedef struct model {
  int64_t now_ms;
  struct {
    bool owed; /* changed since it was last accepted */
    bool asked;
    int64_t asked_ms; /* when it was last emitted, accepted or not */
  } customers[MODEL_CUSTOMERS];
  unsigned accepted, refused;
} model;

static bool model_emit(void *arg, au_slice customer_id) {
  model *m = arg;
  int i = 0;
  for (size_t k = 1; k < customer_id.len; k++) i = i * 10 + (customer_id.ptr[k] - '0');
  assert_true(m->customers[i].owed);
  if (m->customers[i].asked) assert_true(m->now_ms - m->customers[i].asked_ms >= INTERVAL_MS);
  m->customers[i].asked = true;
  m->customers[i].asked_ms = m->now_ms;
  if (rand() % 4 == 0) {
    m->refused++;
    return false;
  }
  m->accepted++;
  m->customers[i].owed = false;
  return true;
}

/* The wait that was promised is kept to: nobody owed waits longer than a second since
 * it was last asked. */
static void check_owed(const model *m) {
  for (int i = 0; i < MODEL_CUSTOMERS; i++) {
    if (!m->customers[i].owed) continue;
    assert_true(m->customers[i].asked);
    int64_t due_ms = m->customers[i].asked_ms + INTERVAL_MS;
    assert_true(m->now_ms < due_ms);
  }
}

static void a_random_walk_keeps_the_promises(void **state) {
  (void)state;
  unsigned random_seed = 20240612;
  printf("random walk: seed %u\n", random_seed);
  srand(random_seed);
  model m = {.now_ms = 1};
  changes *c = NULL;
  assert_int_equal(
      changes_create((map_seed){3, 4}, INTERVAL_MS, MODEL_CUSTOMERS, model_emit, &m, &c), AU_OK);
  int64_t wake_ms = -1; /* when the timer would fire */
  char id[16];
  for (int step = 0; step < MODEL_STEPS; step++) {
    int64_t to_ms = m.now_ms + rand() % (step / 1000 % 2 ? 40 : 400);
    while (wake_ms >= 0 && wake_ms <= to_ms) {
      m.now_ms = wake_ms;
      int64_t left_ms = changes_run(c, m.now_ms, 3);
      assert_in_range(left_ms + 1, 0, INTERVAL_MS + 1);
      wake_ms = left_ms < 0 ? -1 : m.now_ms + left_ms;
      if (left_ms != 0) check_owed(&m);
    }
    m.now_ms = to_ms;
    int i = rand() % MODEL_CUSTOMERS;
    m.customers[i].owed = true;
    (void)snprintf(id, sizeof id, "c%d", i);
    changes_note(c, slice_of(id), m.now_ms);
    if (wake_ms < 0) wake_ms = m.now_ms + INTERVAL_MS;
    check_owed(&m);
  }
  assert_true(m.accepted > 1000 && m.refused > 100);
  changes_free(c);
  changes_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_at_once_then_one_a_second),
      cmocka_unit_test(a_change_in_the_last_moment_is_not_lost),
      cmocka_unit_test(a_run_that_comes_late),
      cmocka_unit_test(not_now_is_asked_again),
      cmocka_unit_test(a_full_table_drops_new_ones_only),
      cmocka_unit_test(room_for_nobody),
      cmocka_unit_test(ids_are_copied_and_compared_whole),
      cmocka_unit_test(a_crowd_goes_in_slices),
      cmocka_unit_test(a_random_walk_keeps_the_promises),
  };
  return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}

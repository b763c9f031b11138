/* Tests of the presence rules over a store that writes down what it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/presence.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { GRACE_MS = 12345 };

/* ---- a store that answers what it is told to ------------------------------ */

typedef struct fake_store {
  au_store store; /* first */
  buffer log;
  au_status answer;
  int64_t renewed_ago_ms;
  const au_beat *beat; /* as it was passed in the last call */
  au_done_fn done;
  au_sample_fn sampled;
  void *arg;
} fake_store;

static void log_beat(fake_store *f, const char *name, const au_beat *beat) {
  f->beat = beat;
  buffer_append_format(&f->log, "%s:%.*s/%.*s/%.*s ", name, (int)beat->customer_id.len,
                       beat->customer_id.ptr, (int)beat->session_id.len, beat->session_id.ptr,
                       (int)beat->tab_id.len, beat->tab_id.ptr);
}

static au_status fake_touch(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                            void *arg) {
  fake_store *f = (fake_store *)store;
  log_beat(f, kind == AU_TOUCH_JOIN ? "join" : "beat", beat);
  f->done = cb;
  f->arg = arg;
  return f->answer;
}

static au_status fake_leave(au_store *store, const au_beat *beat, au_done_fn cb, void *arg) {
  fake_store *f = (fake_store *)store;
  log_beat(f, "leave", beat);
  f->done = cb;
  f->arg = arg;
  return f->answer;
}

static au_status fake_shorten(au_store *store, const au_beat *beat, int64_t grace_ms, au_done_fn cb,
                              void *arg) {
  fake_store *f = (fake_store *)store;
  char name[32];
  (void)snprintf(name, sizeof name, "shorten+%lld", (long long)grace_ms);
  log_beat(f, name, beat);
  f->done = cb;
  f->arg = arg;
  return f->answer;
}

static au_status fake_sample(au_store *store, au_slice customer_id, au_sample_fn cb, void *arg) {
  fake_store *f = (fake_store *)store;
  buffer_append_format(&f->log, "sample:%.*s ", (int)customer_id.len, customer_id.ptr);
  f->sampled = cb;
  f->arg = arg;
  return f->answer;
}

static int64_t fake_renewed_ago_ms(const au_store *store, au_slice customer_id,
                                   au_slice session_id) {
  fake_store *f = (fake_store *)(uintptr_t)store;
  buffer_append_format(&f->log, "renewed:%.*s/%.*s ", (int)customer_id.len, customer_id.ptr,
                       (int)session_id.len, session_id.ptr);
  return f->renewed_ago_ms;
}

static const au_store_ops fake_ops = {
    .touch = fake_touch,
    .leave = fake_leave,
    .shorten = fake_shorten,
    .sample = fake_sample,
    .renewed_ago_ms = fake_renewed_ago_ms,
};

typedef struct fixture {
  fake_store store;
  presence *presence;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  f->store.store.ops = &fake_ops;
  buffer_init(&f->store.log, 16 << 20);
  assert_int_equal(presence_create(&f->store.store, GRACE_MS, (map_seed){1, 2}, &f->presence),
                   AU_OK);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  presence_free(f->presence);
  buffer_free(&f->store.log);
  free(f);
  return 0;
}

static void expect_log(fixture *f, const char *name, const char *want) {
  buffer *log = &f->store.log;
  assert_false(log->failed);
  if (!slice_eq(buffer_slice(log), slice_of(want)))
    fail_msg("%s: '%.*s' and not '%s'", name, (int)log->len, log->ptr, want);
  buffer_clear(log);
}

static au_beat beat_of(const char *customer, const char *session, const char *tab) {
  return (au_beat){
      .customer_id = slice_of(customer),
      .session_id = slice_of(session),
      .tab_id = slice_of(tab),
      .platform = slice_of("web"),
      .user_agent = slice_of("Moz/5"),
      .timestamp = 17,
      .is_leader = false,
  };
}

/* ---- signs of life -------------------------------------------------------- */

static void on_done(au_status status, void *arg) {
  (void)status;
  (void)arg;
}

static void on_sample(au_status status, const au_sample *sample, void *arg) {
  (void)status;
  (void)sample;
  (void)arg;
}

/* With whatever the store answers, and with the caller's callback. */
static void operations_pass_through(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    au_status (*call)(presence *p, const au_beat *beat, au_done_fn cb, void *arg);
    const char *want;
  } calls[] = {
      {"join", presence_join, "join:shop/s/tab "},
      {"beat", presence_beat, "beat:shop/s/tab "},
      {"leave", presence_leave, "leave:shop/s/tab "},
  };
  static const au_status answers[] = {AU_OK,    AU_EINVAL, AU_ENOMEM,    AU_EBUSY,
                                      AU_EFULL, AU_ESTORE, AU_ETIMEDOUT, AU_ECANCELED};
  au_beat beat = beat_of("shop", "s", "tab");
  for (size_t i = 0; i < COUNT(calls); i++) {
    for (size_t a = 0; a < COUNT(answers); a++) {
      int arg;
      f->store.answer = answers[a];
      f->store.done = NULL;
      assert_int_equal(calls[i].call(f->presence, &beat, on_done, &arg), answers[a]);
      expect_log(f, calls[i].name, calls[i].want);
      assert_ptr_equal(f->store.beat, &beat); /* with its profile and its time */
      assert_true(f->store.done == on_done);
      assert_ptr_equal(f->store.arg, &arg);
    }
  }
  for (size_t a = 0; a < COUNT(answers); a++) {
    int arg;
    f->store.answer = answers[a];
    f->store.sampled = NULL;
    assert_int_equal(presence_sample(f->presence, slice_of("shop"), on_sample, &arg), answers[a]);
    expect_log(f, "sample", "sample:shop ");
    assert_true(f->store.sampled == on_sample);
    assert_ptr_equal(f->store.arg, &arg);
  }
}

static void a_paced_beat(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    int64_t ago_ms;
    bool want;
  } cases[] = {
      {"no such session", -1, false},
      {"renewed just now", 0, false},
      {"a moment too early", PRESENCE_PACED_MS - 1, false},
      {"just in time", PRESENCE_PACED_MS, true},
      {"after 10 s, as the contract says", 10000, true},
      {"before 10 s", 9999, false},
      {"a normal heartbeat", 30000, true},
      {"the last moment of a day", 86399999, true},
  };
  au_beat beat = beat_of("shop", "s", "tab");
  for (size_t i = 0; i < COUNT(cases); i++) {
    f->store.renewed_ago_ms = cases[i].ago_ms;
    if (presence_paced(f->presence, &beat) != cases[i].want)
      fail_msg("%s: %s", cases[i].name, cases[i].want ? "not paced" : "paced");
    expect_log(f, cases[i].name, "renewed:shop/s ");
  }
}

/* ---- seats ---------------------------------------------------------------- */

static presence_seat *sit(fixture *f, const char *customer, const char *session, const char *tab) {
  au_beat beat = beat_of(customer, session, tab);
  presence_seat *seat = NULL;
  assert_int_equal(presence_sit(f->presence, &beat, &seat), AU_OK);
  assert_non_null(seat);
  return seat;
}

/* Sockets of one tab go one after the other: v vanishes, c is closed by the daemon. */
static void only_the_last_that_vanished_shortens(void **state) {
  fixture *f = *state;
  static const char shorten[] = "shorten+12345:shop/s/tab ";
  static const struct {
    const char *name, *sockets, *want;
  } cases[] = {
      {"one vanishes", "v", shorten},
      {"one is closed", "c", ""},
      {"both vanish", "vv", shorten},
      {"one is closed, the last vanishes", "cv", shorten},
      {"one vanishes, the last is closed", "vc", ""},
      {"both are closed", "cc", ""},
      {"three vanish", "vvv", shorten},
      {"three go, the last is closed", "vvc", ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    size_t sockets = strlen(cases[i].sockets);
    presence_seat *first = sit(f, "shop", "s", "tab");
    for (size_t k = 1; k < sockets; k++) assert_ptr_equal(sit(f, "shop", "s", "tab"), first);
    expect_log(f, name, "");
    for (size_t k = 0; k < sockets; k++) {
      expect_log(f, name, ""); /* not before the last has gone */
      presence_stand(f->presence, first, cases[i].sockets[k] == 'v');
    }
    expect_log(f, name, cases[i].want);
  }
}

/* The tab counts, not the session: another tab may hold it, and the store knows. */
static void each_tab_has_its_own(void **state) {
  fixture *f = *state;
  presence_seat *a = sit(f, "shop", "s", "a"), *b = sit(f, "shop", "s", "b");
  assert_ptr_not_equal(a, b);
  presence_stand(f->presence, a, true);
  expect_log(f, "a", "shorten+12345:shop/s/a ");
  presence_stand(f->presence, b, true);
  expect_log(f, "b", "shorten+12345:shop/s/b ");
}

static void a_seat_can_be_taken_again(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 3; i++) {
    presence_stand(f->presence, sit(f, "shop", "s", "tab"), true);
    expect_log(f, "again", "shorten+12345:shop/s/tab ");
  }
}

static void a_refusal_to_shorten_is_forgotten(void **state) {
  fixture *f = *state;
  f->store.answer = AU_EBUSY;
  presence_stand(f->presence, sit(f, "shop", "s", "tab"), true);
  expect_log(f, "refused", "shorten+12345:shop/s/tab ");
  f->store.answer = AU_OK;
  presence_stand(f->presence, sit(f, "shop", "s", "tab"), true);
  expect_log(f, "taken", "shorten+12345:shop/s/tab ");
  f->store.done(AU_ETIMEDOUT, f->store.arg); /* later, when the seat is long gone */
}

static void the_ids_of_a_seat_are_copies(void **state) {
  fixture *f = *state;
  char customer[] = "shop", session[] = "sess", tab[] = "t";
  au_beat beat = beat_of(customer, session, tab);
  presence_seat *seat = NULL;
  assert_int_equal(presence_sit(f->presence, &beat, &seat), AU_OK);
  memset(customer, 'x', strlen(customer));
  memset(session, 'x', strlen(session));
  memset(tab, 'x', strlen(tab));
  au_beat mine = presence_seat_beat(seat);
  assert_true(slice_eq(mine.customer_id, slice_of("shop")));
  assert_true(slice_eq(mine.session_id, slice_of("sess")));
  assert_true(slice_eq(mine.tab_id, slice_of("t")));
  assert_int_equal(mine.platform.len, 0); /* the profile is what the join said */
  assert_int_equal(mine.user_agent.len, 0);
  assert_true(isnan(mine.timestamp));
  assert_true(mine.is_leader);
  presence_stand(f->presence, seat, true);
  expect_log(f, "copies", "shorten+12345:shop/sess/t ");
}

/* Equal bytes, cut at other places. */
static void ids_are_told_apart(void **state) {
  fixture *f = *state;
  static const char *const ids[][3] = {
      {"a", "bc", "d"}, {"ab", "c", "d"}, {"a", "b", "cd"}, {"abc", "d", "x"}, {"abc", "dx", "x"},
      {"d", "a", "bc"}, {"bc", "a", "d"}, {"a", "d", "bc"}, {"d", "bc", "a"},  {"A", "bc", "d"},
  };
  presence_seat *seats[COUNT(ids)];
  for (size_t i = 0; i < COUNT(ids); i++) {
    seats[i] = sit(f, ids[i][0], ids[i][1], ids[i][2]);
    for (size_t k = 0; k < i; k++) assert_ptr_not_equal(seats[i], seats[k]);
  }
  for (size_t i = 0; i < COUNT(ids); i++) {
    char want[64];
    (void)snprintf(want, sizeof want, "shorten+12345:%s/%s/%s ", ids[i][0], ids[i][1], ids[i][2]);
    presence_stand(f->presence, seats[i], true);
    expect_log(f, want, want);
  }
}

static void the_longest_ids(void **state) {
  fixture *f = *state;
  char id[3][AU_ID_MAX + 1];
  for (int i = 0; i < 3; i++) {
    memset(id[i], "CST"[i], AU_ID_MAX);
    id[i][AU_ID_MAX] = '\0';
  }
  presence_seat *seat = sit(f, id[0], id[1], id[2]);
  au_beat mine = presence_seat_beat(seat);
  assert_true(slice_eq(mine.customer_id, slice_of(id[0])));
  assert_true(slice_eq(mine.session_id, slice_of(id[1])));
  assert_true(slice_eq(mine.tab_id, slice_of(id[2])));
  presence_stand(f->presence, seat, false);
}

/* Ten shops of 250 sessions of four tabs; each tab has two sockets. */
static void ten_thousand_seats(void **state) {
  fixture *f = *state;
  enum { SEATS = 10000 };
  static presence_seat *seats[SEATS];
  char customer[16], session[16], tab[16];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < SEATS; i++) {
      (void)snprintf(customer, sizeof customer, "shop%d", i % 10);
      (void)snprintf(session, sizeof session, "s%d", i / 10 % 250);
      (void)snprintf(tab, sizeof tab, "t%d", i / 2500);
      presence_seat *seat = sit(f, customer, session, tab);
      if (round == 0)
        seats[i] = seat;
      else
        assert_ptr_equal(seat, seats[i]);
    }
  }
  for (int i = 0; i < SEATS; i++) presence_stand(f->presence, seats[i], true);
  expect_log(f, "one socket each is left", "");
  for (int k = 0; k < SEATS; k++) {
    int i = (int)((int64_t)k * 7919 % SEATS); /* in another order: 7919 is prime */
    char want[64];
    (void)snprintf(want, sizeof want, "shorten+12345:shop%d/s%d/t%d ", i % 10, i / 10 % 250,
                   i / 2500);
    presence_stand(f->presence, seats[i], true);
    expect_log(f, "the last socket", want);
  }
  presence_seat *seat = sit(f, "shop0", "s0", "t0");
  presence_stand(f->presence, seat, true);
  expect_log(f, "a new one", "shorten+12345:shop0/s0/t0 ");
}

static void no_grace_at_all(void **state) {
  fixture *f = *state;
  presence *p = NULL;
  presence_seat *seat = NULL;
  au_beat beat = beat_of("shop", "s", "tab");
  assert_int_equal(presence_create(&f->store.store, 0, (map_seed){1, 2}, &p), AU_OK);
  assert_int_equal(presence_sit(p, &beat, &seat), AU_OK);
  presence_stand(p, seat, true);
  expect_log(f, "no grace", "shorten+0:shop/s/tab ");
  presence_free(p);
  presence_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(operations_pass_through),
      TEST(a_paced_beat),
      TEST(only_the_last_that_vanished_shortens),
      TEST(each_tab_has_its_own),
      TEST(a_seat_can_be_taken_again),
      TEST(a_refusal_to_shorten_is_forgotten),
      TEST(the_ids_of_a_seat_are_copies),
      TEST(ids_are_told_apart),
      TEST(the_longest_ids),
      TEST(ten_thousand_seats),
      TEST(no_grace_at_all),
  };
  return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}

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
  bool is_shortened;
  const char *holder;  /* the tab that holds every session */
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

static au_status fake_shorten(au_store *store, const au_beat *beat, int64_t grace_ms,
                              au_shorten_reason why, au_done_fn cb, void *arg) {
  fake_store *f = (fake_store *)store;
  char name[32];
  (void)snprintf(name, sizeof name, "%s+%lld", why == AU_SHORTEN_LEFT ? "leave" : "shorten",
                 (long long)grace_ms);
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

static int64_t fake_renewed_ago_ms(const au_store *store, au_slice customer_id, au_slice session_id,
                                   bool *is_shortened) {
  fake_store *f = (fake_store *)(uintptr_t)store;
  buffer_append_format(&f->log, "renewed:%.*s/%.*s ", (int)customer_id.len, customer_id.ptr,
                       (int)session_id.len, session_id.ptr);
  if (is_shortened) *is_shortened = f->is_shortened;
  return f->renewed_ago_ms;
}

static bool fake_holds(const au_store *store, au_slice customer_id, au_slice session_id,
                       au_slice tab_id) {
  const fake_store *f = (const fake_store *)store;
  (void)customer_id;
  (void)session_id;
  return f->holder && slice_eq(tab_id, slice_of(f->holder));
}

static bool fake_shortens(const au_store *store, const au_beat *beat, int64_t grace_ms) {
  return grace_ms < 100 && fake_holds(store, beat->customer_id, beat->session_id, beat->tab_id);
}

static const au_store_ops fake_ops = {
    .touch = fake_touch,
    .leave = fake_leave,
    .shorten = fake_shorten,
    .sample = fake_sample,
    .renewed_ago_ms = fake_renewed_ago_ms,
    .holds = fake_holds,
    .shortens = fake_shortens,
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

static au_status leave(presence *p, const au_beat *beat, au_done_fn cb, void *arg) {
  return presence_leave(p, beat, 0, cb, arg);
}

static au_status leave_slowly(presence *p, const au_beat *beat, au_done_fn cb, void *arg) {
  return presence_leave(p, beat, 2500, cb, arg);
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
      {"leave", leave, "leave:shop/s/tab "},
      {"leave with a grace", leave_slowly, "leave+2500:shop/s/tab "},
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

static void what_a_beat_finds(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    int64_t ago_ms;
    bool is_shortened;
    presence_state want;
  } cases[] = {
      {"no such session", -1, false, PRESENCE_NEW},
      {"renewed just now", 0, false, PRESENCE_RECENT},
      {"a moment too early", PRESENCE_PACED_MS - 1, false, PRESENCE_RECENT},
      {"just in time", PRESENCE_PACED_MS, false, PRESENCE_PACED},
      {"after 10 s, as the contract says", 10000, false, PRESENCE_PACED},
      {"before 10 s", 9999, false, PRESENCE_RECENT},
      {"a normal heartbeat", 30000, false, PRESENCE_PACED},
      {"the last moment of a day", 86399999, false, PRESENCE_PACED},
      {"just left, and back at once", 0, true, PRESENCE_SHORTENED},
      {"back before 10 s", 9999, true, PRESENCE_SHORTENED},
      {"back later, which costs nothing anyway", 10000, true, PRESENCE_PACED},
  };
  au_beat beat = beat_of("shop", "s", "tab");
  for (size_t i = 0; i < COUNT(cases); i++) {
    f->store.renewed_ago_ms = cases[i].ago_ms;
    f->store.is_shortened = cases[i].is_shortened;
    if (presence_state_of(f->presence, &beat) != cases[i].want) fail_msg("%s", cases[i].name);
    expect_log(f, cases[i].name, "renewed:shop/s ");
  }
}

/* ---- tabs and their sockets ----------------------------------------------- */

static presence_tab_ref *attach(fixture *f, const char *customer, const char *session,
                                const char *tab) {
  au_beat beat = beat_of(customer, session, tab);
  presence_tab_ref *ref = NULL;
  assert_int_equal(presence_attach(f->presence, &beat, &ref), AU_OK);
  assert_non_null(ref);
  return ref;
}

static presence_end end_of(char letter) {
  if (letter == 'p') return PRESENCE_END_PAGE_GONE;
  return letter == 'v' ? PRESENCE_END_DISCONNECTED : PRESENCE_END_CLOSED;
}

/* Sockets of one tab go one after the other: v is disconnected, p goes with its page, c is closed
 * by the daemon. */
static void only_the_last_that_is_disconnected_shortens(void **state) {
  fixture *f = *state;
  static const char shorten[] = "shorten+12345:shop/s/tab ";
  static const char page[] = "shorten+2500:shop/s/tab ";
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
      {"its page goes", "p", page},
      {"one vanishes, the page of the last goes", "vp", page},
      {"a page goes, the last vanishes", "pv", shorten},
      {"a page goes, the last is closed", "pc", ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    size_t sockets = strlen(cases[i].sockets);
    presence_tab_ref *first = attach(f, "shop", "s", "tab");
    for (size_t k = 1; k < sockets; k++) assert_ptr_equal(attach(f, "shop", "s", "tab"), first);
    expect_log(f, name, "");
    for (size_t k = 0; k < sockets; k++) {
      expect_log(f, name, ""); /* not before the last has gone */
      presence_detach(f->presence, first, end_of(cases[i].sockets[k]));
    }
    expect_log(f, name, cases[i].want);
  }
}

/* A page that goes has no longer than whoever vanishes. */
static void disconnect_grace_bounds_that_of_a_page(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    int64_t grace_ms;
    const char *want;
  } cases[] = {
      {"none at all", 0, "shorten+0:shop/s/tab "},
      {"a shorter one", 2499, "shorten+2499:shop/s/tab "},
      {"as long", 2500, "shorten+2500:shop/s/tab "},
      {"a longer one", 2501, "shorten+2500:shop/s/tab "},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    presence *p;
    presence_tab_ref *ref;
    au_beat beat = beat_of("shop", "s", "tab");
    assert_int_equal(presence_create(&f->store.store, cases[i].grace_ms, (map_seed){1, 2}, &p),
                     AU_OK);
    assert_int_equal(presence_attach(p, &beat, &ref), AU_OK);
    presence_detach(p, ref, PRESENCE_END_PAGE_GONE);
    expect_log(f, cases[i].name, cases[i].want);
    presence_free(p);
  }
}

/* The tab counts, not the session: another tab may hold it, and the store knows. */
static void each_tab_has_its_own(void **state) {
  fixture *f = *state;
  presence_tab_ref *a = attach(f, "shop", "s", "a"), *b = attach(f, "shop", "s", "b");
  assert_ptr_not_equal(a, b);
  presence_detach(f->presence, a, PRESENCE_END_DISCONNECTED);
  expect_log(f, "a", ""); /* b is here, and holds it */
  presence_detach(f->presence, b, PRESENCE_END_DISCONNECTED);
  expect_log(f, "b", "shorten+12345:shop/s/b ");
}

/* A tab of session s goes; `sockets` are the tabs that have one here. */
static void another_socket_takes_the_session_over(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name, *sockets, *holder;
    bool leaves; /* else its socket is disconnected */
    int64_t grace_ms, renewed_ago_ms;
    const char *want;
  } cases[] = {
      {"the holder is disconnected", "ab", "a", false, 0, 5, "beat:shop/s/b "},
      {"another is disconnected", "ab", "b", false, 0, 5, ""},
      {"the holder leaves", "ab", "a", true, 0, 5, "beat:shop/s/b "},
      {"with a grace", "ab", "a", true, 2500, 5, "beat:shop/s/b "},
      {"the holder has no socket", "b", "a", true, 0, 5, "beat:shop/s/b "},
      {"the last that came", "abc", "a", true, 0, 5, "beat:shop/s/c "},
      {"the last that came is gone", "abca", "a", true, 0, 5, "beat:shop/s/c "},
      {"its own socket is none", "a", "a", true, 0, 5, "leave:shop/s/a "},
      {"nor two of them", "aa", "a", true, 0, 5, "leave:shop/s/a "},
      {"a tab that holds nothing leaves", "ab", "b", true, 0, 5, "leave:shop/s/a "},
      {"a session that is gone stays so", "ab", "", true, 0, -1, "leave:shop/s/a "},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    presence_tab_ref *refs[4];
    size_t n = strlen(cases[i].sockets);
    presence_tab_ref *foreign = attach(f, "shop", "t", "b"), *others = attach(f, "club", "s", "b");
    f->store.holder = cases[i].holder;
    f->store.renewed_ago_ms = cases[i].renewed_ago_ms;
    for (size_t k = 0; k < n; k++)
      refs[k] = attach(f, "shop", "s", (const char[]){cases[i].sockets[k], 0});
    if (cases[i].leaves) {
      au_beat beat = beat_of("shop", "s", "a");
      assert_int_equal(presence_leave(f->presence, &beat, cases[i].grace_ms, on_done, NULL), AU_OK);
    } else {
      presence_detach(f->presence, refs[0], PRESENCE_END_DISCONNECTED);
      refs[0] = NULL;
    }
    expect_log(f, cases[i].name, cases[i].want);
    if (f->store.done) f->store.done(AU_OK, f->store.arg);
    f->store.done = NULL;
    for (size_t k = 0; k < n; k++)
      if (refs[k]) presence_detach(f->presence, refs[k], PRESENCE_END_CLOSED);
    presence_detach(f->presence, foreign, PRESENCE_END_CLOSED);
    presence_detach(f->presence, others, PRESENCE_END_CLOSED);
    expect_log(f, cases[i].name, "");
  }
}

/* Tabs a and b have sockets, a holds the session and goes, b right behind it: before the beat that
 * passes the session on is in the store. */
static void who_was_passed_the_session_may_go_at_once(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name;
    bool leaves;  /* a does; else its socket is disconnected */
    char end;     /* of b, as in end_of; 0: it stays */
    bool is_back; /* b has another socket when the beat is done */
    au_status status;
    const char *want;
  } cases[] = {
      {"b stays", false, 0, false, AU_OK, ""},
      {"its page goes", false, 'p', false, AU_OK, "shorten+2500:shop/s/b "},
      {"it vanishes", false, 'v', false, AU_OK, "shorten+12345:shop/s/b "},
      {"it is closed", false, 'c', false, AU_OK, ""},
      {"a leaves, and b goes", true, 'p', false, AU_OK, "shorten+2500:shop/s/b "},
      {"it is back", true, 'p', true, AU_OK, ""},
      {"the beat failed", true, 'p', false, AU_ETIMEDOUT, "shorten+2500:shop/s/b "},
      {"the store stops", true, 'p', false, AU_ECANCELED, ""},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    presence_tab_ref *a = attach(f, "shop", "s", "a"), *b = attach(f, "shop", "s", "b");
    au_beat beat = beat_of("shop", "s", "a");
    f->store.holder = "a";
    if (cases[i].leaves)
      assert_int_equal(presence_leave(f->presence, &beat, 2500, on_done, NULL), AU_OK);
    presence_detach(f->presence, a, cases[i].leaves ? PRESENCE_END_CLOSED : PRESENCE_END_PAGE_GONE);
    expect_log(f, cases[i].name, "beat:shop/s/b ");
    f->store.holder = "b";
    if (cases[i].end) presence_detach(f->presence, b, end_of(cases[i].end));
    presence_tab_ref *again = cases[i].is_back ? attach(f, "shop", "s", "b") : NULL;
    expect_log(f, cases[i].name, "");
    f->store.done(cases[i].status, f->store.arg);
    expect_log(f, cases[i].name, cases[i].want);
    if (again) presence_detach(f->presence, again, PRESENCE_END_CLOSED);
    if (!cases[i].end) presence_detach(f->presence, b, PRESENCE_END_CLOSED);
    expect_log(f, cases[i].name, "");
  }
}

/* The only tab of session s has a socket, and its page goes. What happens until the wait is over,
 * one letter each: n the next page takes the session over with a socket, g that page goes as well,
 * x it is taken over elsewhere, r the page is back with a socket, p it goes again, v its socket
 * vanishes. */
static void the_next_page_takes_over_before_the_store_is_asked(void **state) {
  fixture *f = *state;
  static const struct {
    const char *name, *meanwhile, *want;
  } cases[] = {
      {"nobody comes", "", "shorten+1500:shop/s/a "},
      {"the next page", "n", ""},
      {"the next page, which goes", "ng", "wait shorten+1500:shop/s/b "},
      {"another daemon's page", "x", ""},
      {"back from the history", "r", ""},
      {"back, and gone again", "rp", "wait shorten+1500:shop/s/a "},
      {"back, and vanished", "rv", "shorten+12345:shop/s/a "},
  };
  assert_int_equal(presence_part_ms(f->presence), 1000);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *name = cases[i].name;
    presence_tab_ref *a = attach(f, "shop", "s", "a"), *b = NULL, *again = NULL, *waits = NULL;
    f->store.holder = "a";
    assert_true(presence_part(f->presence, a));
    for (const char *c = cases[i].meanwhile; *c; c++) {
      if (*c == 'n' || *c == 'x') f->store.holder = "b";
      if (*c == 'n') b = attach(f, "shop", "s", "b");
      if (*c == 'r') assert_ptr_equal(again = attach(f, "shop", "s", "a"), a);
      if (*c == 'v') presence_detach(f->presence, again, PRESENCE_END_DISCONNECTED);
      if (*c == 'g' || *c == 'p') assert_true(presence_part(f->presence, waits = b ? b : again));
      if (*c == 'v' || *c == 'p') again = NULL;
      if (*c == 'g') b = NULL;
    }
    expect_log(f, name, "");
    presence_part_end(f->presence, a);
    if (waits) {
      expect_log(f, name, "");
      presence_part_end(f->presence, waits);
    }
    expect_log(f, name, cases[i].want + (waits ? strlen("wait ") : 0));
    if (b) presence_detach(f->presence, b, PRESENCE_END_CLOSED);
    if (again) presence_detach(f->presence, again, PRESENCE_END_CLOSED);
  }
}

/* Others of the session are there, or the grace is none: then it is decided at once. */
static void a_page_does_not_wait_where_others_are(void **state) {
  fixture *f = *state;
  presence_tab_ref *a = attach(f, "shop", "s", "a"), *b = attach(f, "shop", "s", "b");
  f->store.holder = "a";
  assert_false(presence_part(f->presence, a));
  expect_log(f, "another tab", "beat:shop/s/b ");
  f->store.done(AU_OK, f->store.arg);
  assert_ptr_equal(attach(f, "shop", "s", "b"), b);
  assert_false(presence_part(f->presence, b));
  expect_log(f, "another socket of the tab", "");
  presence_detach(f->presence, b, PRESENCE_END_CLOSED);

  presence *p;
  au_beat beat = beat_of("shop", "s", "tab");
  assert_int_equal(presence_create(&f->store.store, 2, (map_seed){1, 2}, &p), AU_OK);
  assert_int_equal(presence_attach(p, &beat, &a), AU_OK);
  assert_false(presence_part(p, a));
  expect_log(f, "no grace to wait for", "shorten+2:shop/s/tab ");
  presence_free(p);
}

static void a_leave_that_moves_nothing_is_known(void **state) {
  fixture *f = *state;
  au_beat mine = beat_of("shop", "s", "a"), foreign = beat_of("shop", "s", "b");
  f->store.holder = "a";
  assert_true(presence_leaves(f->presence, &mine, 0));
  assert_true(presence_leaves(f->presence, &mine, 99));
  assert_false(presence_leaves(f->presence, &mine, 100));
  assert_false(presence_leaves(f->presence, &foreign, 0));
}

static void a_tab_can_be_attached_again(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 3; i++) {
    presence_detach(f->presence, attach(f, "shop", "s", "tab"), PRESENCE_END_DISCONNECTED);
    expect_log(f, "again", "shorten+12345:shop/s/tab ");
  }
}

static void a_refusal_to_shorten_is_forgotten(void **state) {
  fixture *f = *state;
  f->store.answer = AU_EBUSY;
  presence_detach(f->presence, attach(f, "shop", "s", "tab"), PRESENCE_END_DISCONNECTED);
  expect_log(f, "refused", "shorten+12345:shop/s/tab ");
  f->store.answer = AU_OK;
  presence_detach(f->presence, attach(f, "shop", "s", "tab"), PRESENCE_END_DISCONNECTED);
  expect_log(f, "taken", "shorten+12345:shop/s/tab ");
  f->store.done(AU_ETIMEDOUT, f->store.arg); /* later, when the tab is long detached */
}

static void the_ids_of_a_tab_are_copies(void **state) {
  fixture *f = *state;
  char customer[] = "shop", session[] = "sess", tab[] = "t";
  au_beat beat = beat_of(customer, session, tab);
  presence_tab_ref *ref = NULL;
  assert_int_equal(presence_attach(f->presence, &beat, &ref), AU_OK);
  memset(customer, 'x', strlen(customer));
  memset(session, 'x', strlen(session));
  memset(tab, 'x', strlen(tab));
  au_beat mine = presence_tab_beat(ref);
  assert_true(slice_eq(mine.customer_id, slice_of("shop")));
  assert_true(slice_eq(mine.session_id, slice_of("sess")));
  assert_true(slice_eq(mine.tab_id, slice_of("t")));
  assert_int_equal(mine.platform.len, 0); /* the profile is what the join said */
  assert_int_equal(mine.user_agent.len, 0);
  assert_true(isnan(mine.timestamp));
  assert_true(mine.is_leader);
  presence_detach(f->presence, ref, PRESENCE_END_DISCONNECTED);
  expect_log(f, "copies", "shorten+12345:shop/sess/t ");
}

/* Equal bytes, cut at other places. */
static void ids_are_told_apart(void **state) {
  fixture *f = *state;
  static const char *const ids[][3] = {
      {"a", "bc", "d"}, {"ab", "c", "d"}, {"a", "b", "cd"}, {"abc", "d", "x"}, {"abc", "dx", "x"},
      {"d", "a", "bc"}, {"bc", "a", "d"}, {"a", "d", "bc"}, {"d", "bc", "a"},  {"A", "bc", "d"},
  };
  presence_tab_ref *refs[COUNT(ids)];
  for (size_t i = 0; i < COUNT(ids); i++) {
    refs[i] = attach(f, ids[i][0], ids[i][1], ids[i][2]);
    for (size_t k = 0; k < i; k++) assert_ptr_not_equal(refs[i], refs[k]);
  }
  for (size_t i = 0; i < COUNT(ids); i++) {
    char want[64];
    (void)snprintf(want, sizeof want, "shorten+12345:%s/%s/%s ", ids[i][0], ids[i][1], ids[i][2]);
    presence_detach(f->presence, refs[i], PRESENCE_END_DISCONNECTED);
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
  presence_tab_ref *ref = attach(f, id[0], id[1], id[2]);
  au_beat mine = presence_tab_beat(ref);
  assert_true(slice_eq(mine.customer_id, slice_of(id[0])));
  assert_true(slice_eq(mine.session_id, slice_of(id[1])));
  assert_true(slice_eq(mine.tab_id, slice_of(id[2])));
  presence_detach(f->presence, ref, PRESENCE_END_CLOSED);
}

/* Ten shops of 250 sessions of four tabs; each tab has two sockets. */
static void ten_thousand_tabs(void **state) {
  fixture *f = *state;
  enum { TABS = 10000 };
  static presence_tab_ref *refs[TABS];
  char customer[16], session[16], tab[16];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < TABS; i++) {
      (void)snprintf(customer, sizeof customer, "shop%d", i % 10);
      (void)snprintf(session, sizeof session, "s%d", i / 10 % 250);
      (void)snprintf(tab, sizeof tab, "t%d", i / 2500);
      presence_tab_ref *ref = attach(f, customer, session, tab);
      if (round == 0)
        refs[i] = ref;
      else
        assert_ptr_equal(ref, refs[i]);
    }
  }
  for (int i = 0; i < TABS; i++) presence_detach(f->presence, refs[i], PRESENCE_END_DISCONNECTED);
  expect_log(f, "one socket each is left", "");
  int tabs[10][250]; /* that each person has left */
  for (int i = 0; i < 2500; i++) tabs[i % 10][i / 10] = TABS / 2500;
  for (int k = 0; k < TABS; k++) {
    int i = (int)((int64_t)k * 7919 % TABS); /* in another order: 7919 is prime */
    char want[64];
    (void)snprintf(want, sizeof want, "shorten+12345:shop%d/s%d/t%d ", i % 10, i / 10 % 250,
                   i / 2500);
    presence_detach(f->presence, refs[i], PRESENCE_END_DISCONNECTED);
    bool is_last = --tabs[i % 10][i / 10 % 250] == 0;
    expect_log(f, "the last socket", is_last ? want : "");
  }
  presence_tab_ref *ref = attach(f, "shop0", "s0", "t0");
  presence_detach(f->presence, ref, PRESENCE_END_DISCONNECTED);
  expect_log(f, "a new one", "shorten+12345:shop0/s0/t0 ");
}

static void no_grace_at_all(void **state) {
  fixture *f = *state;
  presence *p = NULL;
  presence_tab_ref *ref = NULL;
  au_beat beat = beat_of("shop", "s", "tab");
  assert_int_equal(presence_create(&f->store.store, 0, (map_seed){1, 2}, &p), AU_OK);
  assert_int_equal(presence_attach(p, &beat, &ref), AU_OK);
  presence_detach(p, ref, PRESENCE_END_DISCONNECTED);
  expect_log(f, "no grace", "shorten+0:shop/s/tab ");
  presence_free(p);
  presence_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(operations_pass_through),
      TEST(what_a_beat_finds),
      TEST(only_the_last_that_is_disconnected_shortens),
      TEST(disconnect_grace_bounds_that_of_a_page),
      TEST(each_tab_has_its_own),
      TEST(another_socket_takes_the_session_over),
      TEST(who_was_passed_the_session_may_go_at_once),
      TEST(the_next_page_takes_over_before_the_store_is_asked),
      TEST(a_page_does_not_wait_where_others_are),
      TEST(a_leave_that_moves_nothing_is_known),
      TEST(a_tab_can_be_attached_again),
      TEST(a_refusal_to_shorten_is_forgotten),
      TEST(the_ids_of_a_tab_are_copies),
      TEST(ids_are_told_apart),
      TEST(the_longest_ids),
      TEST(ten_thousand_tabs),
      TEST(no_grace_at_all),
  };
  return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}

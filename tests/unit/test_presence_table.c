/* Tests of the presence table: its rules, by name. Time is a number here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/presence_table.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TTL_MS = 1000, GRACE_MS = 100 };

static int changes; /* heard since the last look */

static void count_change(void *arg, au_slice customer_id) {
  (void)arg;
  assert_in_range(customer_id.len, 1, AU_ID_MAX);
  changes++;
}

static int take_changes(void) {
  int n = changes;
  changes = 0;
  return n;
}

static presence_table_config plain_config(void) {
  return (presence_table_config){
      .seed = {1, 2},
      .ttl_ms = TTL_MS,
      .grace_ms = GRACE_MS,
      .max_sessions = 100000,
      .max_customers = 1000,
      .changed = count_change,
  };
}

static presence_table *new_table(presence_table_config config) {
  presence_table *t = NULL;
  assert_int_equal(presence_table_create(&config, &t), AU_OK);
  changes = 0;
  return t;
}

static au_beat beat_of(const char *customer, const char *session, const char *tab) {
  return (au_beat){
      .customer_id = slice_of(customer),
      .session_id = slice_of(session),
      .tab_id = slice_of(tab),
      .timestamp = NAN,
      .is_leader = true,
  };
}

static bool is_shortened(presence_table *t, const char *customer, const char *session,
                         int64_t now_ms) {
  bool shortened;
  (void)presence_table_renewed_ago_ms(t, slice_of(customer), slice_of(session), now_ms, &shortened);
  return shortened;
}

static void touch(presence_table *t, const char *customer, const char *session, const char *tab,
                  int64_t now_ms) {
  au_beat beat = beat_of(customer, session, tab);
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_BEAT, now_ms), AU_OK);
}

static uint32_t count(presence_table *t, const char *customer, int64_t now_ms) {
  au_sample sample;
  presence_table_sample(t, slice_of(customer), now_ms, &sample);
  return sample.count;
}

static void a_session_lives_for_one_ttl(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  touch(t, "shop", "s", "tab", 5000);
  assert_int_equal(take_changes(), 1);
  assert_int_equal(presence_table_expire(t, 5000), TTL_MS);
  assert_int_equal(count(t, "shop", 5999), 1);
  touch(t, "shop", "s", "tab", 5999);
  assert_int_equal(take_changes(), 0);
  assert_int_equal(count(t, "shop", 6998), 1);
  assert_int_equal(presence_table_renewed_ago_ms(t, slice_of("shop"), slice_of("s"), 6998, NULL),
                   999);
  assert_int_equal(count(t, "shop", 6999), 0);
  assert_int_equal(take_changes(), 1);
  assert_int_equal(presence_table_expire(t, 7000), -1);
  assert_int_equal(presence_table_customers(t), 0); /* keep_customers is off */
  presence_table_free(t);
}

static void customers_do_not_share_sessions(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  touch(t, "a", "s", "tab", 1);
  touch(t, "b", "s", "tab", 1);
  touch(t, "a", "s2", "tab", 1);
  assert_int_equal(count(t, "a", 2), 2);
  assert_int_equal(count(t, "b", 2), 1);
  assert_int_equal(count(t, "c", 2), 0);
  assert_int_equal(presence_table_customers(t), 2); /* asking created none */
  assert_true(presence_table_drop(t, slice_of("a"), slice_of("s")));
  assert_false(presence_table_drop(t, slice_of("a"), slice_of("s")));
  assert_int_equal(count(t, "a", 3), 1);
  assert_int_equal(count(t, "b", 3), 1);
  presence_table_free(t);
}

static void only_the_tab_that_holds_it_ends_a_session(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  touch(t, "shop", "s", "old", 1);
  touch(t, "shop", "s", "new", 2);
  take_changes();
  au_beat old = beat_of("shop", "s", "old"), new = beat_of("shop", "s", "new");
  assert_false(presence_table_leave(t, &old, 3));
  assert_false(presence_table_shorten(t, &old, GRACE_MS, 3));
  assert_int_equal(count(t, "shop", 3), 1);
  assert_int_equal(take_changes(), 0);
  assert_true(presence_table_leave(t, &new, 3));
  assert_int_equal(take_changes(), 1);
  assert_int_equal(count(t, "shop", 3), 0);
  assert_false(presence_table_leave(t, &new, 3));
  presence_table_free(t);
}

static void who_holds_a_session(void **state) {
  (void)state;
  static const struct {
    const char *name, *customer, *session, *tab;
    int64_t now_ms;
    bool want;
  } cases[] = {
      {"the tab that has it", "shop", "s", "new", 3, true},
      {"the tab that had it", "shop", "s", "old", 3, false},
      {"a longer name", "shop", "s", "newer", 3, false},
      {"another session", "shop", "s2", "new", 3, false},
      {"another customer", "shop2", "s", "new", 3, false},
      {"the last moment", "shop", "s", "new", 1001, true},
      {"it is over", "shop", "s", "new", 1002, false},
  };
  presence_table *t = new_table(plain_config());
  touch(t, "shop", "s", "old", 1);
  touch(t, "shop", "s", "new", 2);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (presence_table_holds(t, slice_of(cases[i].customer), slice_of(cases[i].session),
                             slice_of(cases[i].tab), cases[i].now_ms) != cases[i].want)
      fail_msg("%s", cases[i].name);
  presence_table_free(t);
}

static void shorten_brings_the_deadline_forward_only(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  au_beat beat = beat_of("shop", "s", "tab");
  touch(t, "shop", "s", "tab", 0);
  assert_true(presence_table_shorten(t, &beat, GRACE_MS, 10));
  assert_false(presence_table_shorten(t, &beat, GRACE_MS, 20)); /* would only prolong it */
  assert_int_equal(presence_table_expire(t, 20), 90);
  assert_int_equal(presence_table_renewed_ago_ms(t, slice_of("shop"), slice_of("s"), 20, NULL), 20);
  touch(t, "shop", "s", "tab", 30); /* undone */
  assert_int_equal(count(t, "shop", 1029), 1);
  assert_false(
      presence_table_shorten(t, &beat, GRACE_MS, 930)); /* has no more than the grace left */
  assert_int_equal(count(t, "shop", 1030), 0);
  assert_false(presence_table_shorten(t, &beat, GRACE_MS, 1030));
  presence_table_free(t);
}

static void a_session_that_was_shortened_lives_for_its_grace(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t grace_ms, lives_ms; /* rounded up to 3 ms, a 40th of 100 and more */
  } cases[] = {
      {"no time", 0, 0},           {"a step", 3, 3},  {"rounded up", 4, 6},
      {"half of it", 50, 51},      {"all", 100, 100}, {"nearly all", 99, 99},
      {"more than all", 101, 100},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    presence_table *t = new_table(plain_config());
    au_beat beat = beat_of("shop", "s", "tab"), other = beat_of("shop", "s", "other");
    touch(t, "shop", "s", "tab", 0);
    assert_false(presence_table_shortens(t, &other, cases[i].grace_ms, 10));
    assert_true(presence_table_shortens(t, &beat, cases[i].grace_ms, 10));
    assert_false(is_shortened(t, "shop", "s", 10));
    assert_true(presence_table_shorten(t, &beat, cases[i].grace_ms, 10));
    assert_false(presence_table_shortens(t, &beat, cases[i].grace_ms, 10));
    assert_false(presence_table_shortens(t, &beat, GRACE_MS, 10));
    assert_int_equal(is_shortened(t, "shop", "s", 10), cases[i].lives_ms > 0);
    if (presence_table_expire(t, 10) != (cases[i].lives_ms ? cases[i].lives_ms : -1))
      fail_msg("%s: %d", cases[i].name, (int)presence_table_expire(t, 10));
    if (cases[i].lives_ms) assert_int_equal(count(t, "shop", 10 + cases[i].lives_ms - 1), 1);
    assert_int_equal(count(t, "shop", 10 + cases[i].lives_ms), 0);
    presence_table_free(t);
  }
}

/* Whoever was shortened last may end first. */
static void graces_end_in_the_order_of_their_deadlines(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  static const char *names[] = {"a", "b", "c", "d"};
  static const int64_t graces[] = {100, 48, 3, 24};
  for (size_t i = 0; i < 4; i++) {
    touch(t, "shop", names[i], "tab", 0);
    au_beat beat = beat_of("shop", names[i], "tab");
    assert_true(presence_table_shorten(t, &beat, graces[i], 1));
  }
  au_beat first = beat_of("shop", "a", "tab");
  assert_true(presence_table_shorten(t, &first, 12, 2)); /* comes forward again */
  static const int64_t ends[] = {4, 14, 25, 49};
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(count(t, "shop", ends[i] - 1), 4 - i);
    assert_int_equal(count(t, "shop", ends[i]), 3 - i);
  }
  presence_table_free(t);
}

static void a_refused_touch_leaves_nothing(void **state) {
  (void)state;
  presence_table_config config = plain_config();
  config.max_sessions = 2;
  config.max_customers = 1;
  presence_table *t = new_table(config);
  touch(t, "shop", "a", "tab", 1);
  au_beat beat = beat_of("other", "a", "tab");
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_JOIN, 1), AU_EFULL);
  touch(t, "shop", "b", "tab", 1);
  beat = beat_of("shop", "c", "tab");
  take_changes();
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_BEAT, 1), AU_EFULL);
  assert_int_equal(take_changes(), 0);
  assert_int_equal(presence_table_sessions(t), 2);
  assert_int_equal(presence_table_customers(t), 1);
  touch(t, "shop", "a", "another-tab-with-a-longer-id", 2); /* who is in stays in */
  assert_int_equal(count(t, "shop", 1001), 1);              /* and what ended makes room */
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_BEAT, 1001), AU_OK);
  presence_table_free(t);
}

static void words_out_of_range_are_refused(void **state) {
  (void)state;
  static char text[AU_USER_AGENT_MAX + 1];
  memset(text, 'x', sizeof text);
  const au_beat good = beat_of("shop", "s", "tab");
  au_beat long_customer = good, long_session = good, no_tab = good, long_platform = good,
          long_agent = good;
  long_customer.customer_id = (au_slice){text, AU_ID_MAX + 1};
  long_session.session_id = (au_slice){text, AU_ID_MAX + 1};
  no_tab.tab_id = (au_slice){0};
  long_platform.platform = (au_slice){text, AU_PLATFORM_MAX + 1};
  long_agent.user_agent = (au_slice){text, AU_USER_AGENT_MAX + 1};
  const struct {
    const char *name;
    const au_beat *beat;
  } cases[] = {
      {"customer id too long", &long_customer},
      {"session id too long", &long_session},
      {"no tab id", &no_tab},
      {"platform too long", &long_platform},
      {"user agent too long", &long_agent},
  };
  presence_table_config config = plain_config();
  config.keep_profile = true;
  presence_table *t = new_table(config);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (presence_table_touch(t, cases[i].beat, AU_TOUCH_JOIN, 1) != AU_EINVAL)
      fail_msg("%s", cases[i].name);
  assert_int_equal(presence_table_customers(t), 0);
  presence_table_free(t);
}

static void ema_and_due_customers(void **state) {
  (void)state;
  presence_table_config config = plain_config();
  config.keep_customers = true;
  presence_table *t = new_table(config);
  au_slice ids[4];
  assert_int_equal(presence_table_due(t, 0, 0, 0, ids, 4), 0);
  touch(t, "a", "s", "tab", 0);
  touch(t, "b", "s", "tab", 10);
  touch(t, "c", "s", "tab", 20);
  assert_int_equal(presence_table_due(t, 1000000, 30, 0, ids, 4), 3); /* never ticked: at once */
  assert_true(slice_eq(ids[0], slice_of("a")));
  presence_table_save(t, slice_of("a"), 1.5, 100);
  presence_table_save(t, slice_of("b"), 2.5, 200);
  presence_table_save(t, slice_of("nobody"), 2.5, 200);
  assert_int_equal(presence_table_customers(t), 3);
  assert_int_equal(presence_table_due(t, 50, 249, 0, ids, 4), 2);
  assert_true(slice_eq(ids[0], slice_of("c")));
  assert_true(slice_eq(ids[1], slice_of("a")));
  assert_int_equal(presence_table_due(t, 50, 250, 0, ids, 4), 3);
  assert_true(slice_eq(ids[2], slice_of("b")));
  assert_int_equal(presence_table_due(t, 50, 250, 0, ids, 2), 2);
  assert_int_equal(presence_table_due(t, 50, 250, 1, ids, 1), 1);
  assert_true(slice_eq(ids[0], slice_of("a")));
  assert_int_equal(presence_table_due(t, 50, 250, 3, ids, 4), 0);

  au_sample sample;
  presence_table_sample(t, slice_of("a"), 260, &sample);
  assert_true(sample.has_ema && !sample.stale);
  assert_float_equal(sample.ema, 1.5, 0);
  assert_int_equal(sample.elapsed_ms, 160);
  presence_table_sample(t, slice_of("c"), 260, &sample);
  assert_true(!sample.has_ema && sample.count == 1 && sample.elapsed_ms == 0);

  presence_table_evict(t, slice_of("a"), 300); /* has a session */
  assert_int_equal(presence_table_customers(t), 3);
  assert_int_equal(count(t, "a", 2000), 0);
  presence_table_sample(t, slice_of("a"), 2000, &sample);
  assert_true(sample.has_ema);
  presence_table_evict(t, slice_of("a"), 2000);
  presence_table_evict(t, slice_of("nobody"), 2000);
  presence_table_sample(t, slice_of("a"), 2000, &sample);
  assert_false(sample.has_ema);
  assert_int_equal(presence_table_customers(t), 2);
  presence_table_free(t);
}

/* More sessions expire at once than one call ends: none of them may be seen. */
static void more_than_a_slice_expires(void **state) {
  (void)state;
  enum { SESSIONS = 2 * PRESENCE_TABLE_SLICE + 500 };
  presence_table *t = new_table(plain_config());
  char id[32];
  for (int i = 0; i < SESSIONS; i++) {
    snprintf(id, sizeof id, "s%d", i);
    touch(t, "shop", id, "tab", 0);
  }
  take_changes();
  au_beat last = beat_of("shop", id, "tab");
  presence_live found;
  const au_slice shop = slice_of("shop");
  assert_true(presence_table_find(t, shop, slice_of(id), TTL_MS - 1, &found));
  assert_false(presence_table_find(t, shop, slice_of(id), TTL_MS, &found));
  assert_int_equal(presence_table_renewed_ago_ms(t, shop, slice_of(id), TTL_MS, NULL), -1);
  assert_int_equal(presence_table_sessions(t), SESSIONS);

  assert_false(presence_table_leave(t, &last, TTL_MS)); /* expired, and so not left */
  assert_int_equal(take_changes(), PRESENCE_TABLE_SLICE);
  touch(t, "shop", id, "tab", TTL_MS); /* its second life, though the first waits to be ended */
  assert_int_equal(take_changes(), PRESENCE_TABLE_SLICE + 2);
  assert_int_equal(presence_table_expire(t, TTL_MS), TTL_MS);
  assert_int_equal(take_changes(), 499);
  assert_int_equal(presence_table_sessions(t), 1);
  assert_true(presence_table_find(t, shop, slice_of(id), TTL_MS, &found));
  presence_table_free(t);
}

/* As above, and with that session its customer goes. */
static void a_customer_begins_again_while_its_end_waits(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  char id[32];
  for (int i = 0; i < PRESENCE_TABLE_SLICE; i++) {
    snprintf(id, sizeof id, "s%d", i);
    touch(t, "shop", id, "tab", 0);
  }
  touch(t, "other", "s", "tab", 0);
  touch(t, "other", "s", "tab", TTL_MS);
  assert_int_equal(count(t, "other", TTL_MS), 1);
  assert_int_equal(presence_table_customers(t), 1);
  presence_table_free(t);
}

static void expire_says_when_there_is_more(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  char id[32];
  for (int i = 0; i < PRESENCE_TABLE_SLICE + 1; i++) {
    snprintf(id, sizeof id, "s%d", i);
    touch(t, "shop", id, "tab", 0);
  }
  assert_int_equal(presence_table_expire(t, TTL_MS), 0);
  assert_int_equal(presence_table_expire(t, TTL_MS), -1);
  presence_table_free(t);
}

static void a_clock_that_goes_back_does_no_harm(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  touch(t, "shop", "a", "tab", 500);
  touch(t, "shop", "b", "tab", 400);
  presence_live found;
  assert_true(presence_table_find(t, slice_of("shop"), slice_of("b"), 1450, &found));
  assert_int_equal(count(t, "shop", 1499), 2);
  assert_int_equal(count(t, "shop", 1500), 0);
  presence_table_free(t);
}

/* ---- walks ---------------------------------------------------------------- */

/* Walks to the end: the sessions that are met, one behind the other. */
static const char *walked(presence_table *t, presence_walk *walk, int64_t now_ms) {
  static char met[256];
  presence_live w;
  met[0] = '\0';
  while (presence_table_walk_next(t, walk, now_ms, &w)) {
    assert_true(w.deadline_ms > now_ms && w.renewed_ms >= walk->since_ms);
    strncat(met, w.beat.session_id.ptr, w.beat.session_id.len);
  }
  return met;
}

/* a, b, c and d at 1, 2, 3 and 4, of two customers. */
static presence_table *four_sessions(void) {
  presence_table *t = new_table(plain_config());
  touch(t, "shop", "a", "tab", 1);
  touch(t, "other", "b", "tab", 2);
  touch(t, "shop", "c", "tab", 3);
  touch(t, "shop", "d", "tab", 4);
  return t;
}

static bool shorten(presence_table *t, const char *customer, const char *session, int64_t now_ms) {
  au_beat beat = beat_of(customer, session, "tab");
  return presence_table_shorten(t, &beat, GRACE_MS, now_ms);
}

static void a_walk_meets_who_was_touched_since(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t since_ms;
    bool shortened; /* b and d */
    const char *met;
  } cases[] = {
      {"all, the youngest first", INT64_MIN, false, "dcba"},
      {"all by their time", 1, false, "dcba"},
      {"the younger ones", 3, false, "dc"},
      {"none", 5, false, ""},
      {"the shortened come last", INT64_MIN, true, "cadb"},
      {"the younger ones, shortened or not", 3, true, "cd"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    presence_table *t = four_sessions();
    if (cases[i].shortened) {
      assert_true(shorten(t, "other", "b", 5));
      assert_true(shorten(t, "shop", "d", 6));
    }
    presence_walk walk;
    presence_table_walk(t, &walk, cases[i].since_ms);
    const char *met = walked(t, &walk, 7);
    if (strcmp(met, cases[i].met) != 0) fail_msg("%s: %s", cases[i].name, met);
    assert_string_equal(walked(t, &walk, 7), ""); /* and stays at the end */
    presence_table_walk_end(t, &walk);
    presence_table_free(t);
  }
}

/* What happens after d was met, with c next. */
static void touch_next(presence_table *t) {
  touch(t, "shop", "c", "tab", 10);
}
static void touch_next_with_a_longer_word(presence_table *t) {
  touch(t, "shop", "c", "a-tab-with-a-longer-name", 10);
}
static void touch_last(presence_table *t) {
  touch(t, "shop", "a", "tab", 10);
}
static void touch_a_new_one(presence_table *t) {
  touch(t, "shop", "e", "tab", 10);
}
static void drop_next(presence_table *t) {
  presence_table_drop(t, slice_of("shop"), slice_of("c"));
}
static void drop_all(presence_table *t) {
  drop_next(t);
  presence_table_drop(t, slice_of("shop"), slice_of("a"));
  presence_table_drop(t, slice_of("shop"), slice_of("d"));
  presence_table_drop(t, slice_of("other"), slice_of("b"));
}
static void shorten_next(presence_table *t) {
  assert_true(shorten(t, "shop", "c", 10));
}
static void shorten_what_was_met(presence_table *t) {
  assert_true(shorten(t, "shop", "d", 10));
}
static void expire_two(presence_table *t) {
  presence_table_expire(t, TTL_MS + 2);
}

static void a_walk_survives_every_change(void **state) {
  (void)state;
  static const struct {
    const char *name;
    void (*change)(presence_table *t);
    int64_t now_ms;
    const char *met; /* after d */
  } cases[] = {
      {"the next one is touched: it is told anyway", touch_next, 11, "ba"},
      {"the next one is moved in memory", touch_next_with_a_longer_word, 11, "ba"},
      {"one further on is touched", touch_last, 11, "cb"},
      {"a new one is not met", touch_a_new_one, 11, "cba"},
      {"the next one ends", drop_next, 11, "ba"},
      {"all end", drop_all, 11, ""},
      {"the next one is shortened: it is met with the others of its kind", shorten_next, 11, "bac"},
      {"one that was met is shortened: it is met again", shorten_what_was_met, 11, "cbad"},
      {"the oldest two expire with their customer", expire_two, TTL_MS + 2, "c"},
      {"the oldest two have expired and wait to be ended", NULL, TTL_MS + 2, "c"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    presence_table *t = four_sessions();
    presence_walk walk, idle;
    presence_live w;
    presence_table_walk(t, &idle, INT64_MIN); /* another one, which stands still */
    presence_table_walk(t, &walk, INT64_MIN);
    assert_true(presence_table_walk_next(t, &walk, 5, &w));
    assert_true(slice_eq(w.beat.session_id, slice_of("d")));
    if (cases[i].change) cases[i].change(t);
    const char *met = walked(t, &walk, cases[i].now_ms);
    if (strcmp(met, cases[i].met) != 0) fail_msg("%s: %s", cases[i].name, met);
    presence_table_walk_end(t, &walk);
    presence_table_walk_end(t, &idle);
    presence_table_free(t);
  }
}

/* The one that a walk would meet next is shortened, and renewed. */
static void a_walk_among_the_shortened(void **state) {
  (void)state;
  presence_table *t = four_sessions();
  presence_walk walk;
  presence_live w;
  for (const char *s = "acd"; *s; s++) assert_true(shorten(t, "shop", (char[2]){*s}, 5));
  presence_table_walk(t, &walk, INT64_MIN);
  assert_true(presence_table_walk_next(t, &walk, 6, &w)); /* b */
  assert_true(presence_table_walk_next(t, &walk, 6, &w));
  assert_true(slice_eq(w.beat.session_id, slice_of("d")));
  assert_int_equal(w.deadline_ms, 5 + GRACE_MS);
  assert_int_equal(w.renewed_ms, 4);
  touch(t, "shop", "c", "tab", 7);
  assert_string_equal(walked(t, &walk, 8), "a");
  presence_table_walk_end(t, &walk);
  presence_table_free(t);
}

static void a_walk_that_has_ended_meets_nobody(void **state) {
  (void)state;
  presence_table *t = four_sessions();
  presence_walk walk, other;
  presence_live w;
  presence_table_walk(t, &walk, INT64_MIN);
  presence_table_walk(t, &other, INT64_MIN);
  presence_table_walk_end(t, &walk);
  presence_table_walk_end(t, &walk); /* twice does no harm */
  assert_false(presence_table_walk_next(t, &walk, 5, &w));
  drop_next(t); /* which must not look at it any more */
  assert_string_equal(walked(t, &other, 5), "dba");
  presence_table_walk_end(t, &other);
  presence_table_free(t);
}

/* What was asked for last is touched without a search: it may have ended meanwhile, moved to a
 * larger allocation, or be another one. */
static void a_touch_that_was_asked_for(void **state) {
  (void)state;
  presence_table *t = new_table(plain_config());
  au_slice shop = slice_of("shop"), s = slice_of("s");
  au_beat beat = beat_of("shop", "s", "tab");
  touch(t, "shop", "s", "tab", 0);
  touch(t, "shop", "r", "tab", 0);
  touch(t, "club", "s", "tab", 0);

  assert_int_equal(presence_table_renewed_ago_ms(t, shop, s, 10, NULL), 10);
  touch(t, "shop", "r", "tab", 20); /* another session */
  touch(t, "club", "s", "tab", 30); /* another customer */
  assert_int_equal(presence_table_renewed_ago_ms(t, shop, s, 40, NULL), 40);
  assert_int_equal(presence_table_renewed_ago_ms(t, shop, slice_of("r"), 40, NULL), 20);
  assert_int_equal(presence_table_renewed_ago_ms(t, slice_of("club"), s, 40, NULL), 10);

  assert_int_equal(presence_table_renewed_ago_ms(t, shop, s, 40, NULL), 40);
  touch(t, "shop", "s", "a much longer tab, for which the session has to move", 50);
  touch(t, "shop", "s", "tab", 60);
  assert_int_equal(presence_table_renewed_ago_ms(t, shop, s, 60, NULL), 0);
  assert_true(presence_table_leave(t, &beat, 60));
  touch(t, "shop", "s", "tab", 70);
  assert_int_equal(count(t, "shop", 70), 2);

  assert_int_equal(presence_table_renewed_ago_ms(t, shop, s, 70, NULL), 0);
  touch(t, "shop", "s", "tab", 70 + TTL_MS); /* it has expired */
  assert_int_equal(count(t, "shop", 70 + TTL_MS), 1);
  presence_table_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_touch_that_was_asked_for),
      cmocka_unit_test(a_session_lives_for_one_ttl),
      cmocka_unit_test(customers_do_not_share_sessions),
      cmocka_unit_test(only_the_tab_that_holds_it_ends_a_session),
      cmocka_unit_test(who_holds_a_session),
      cmocka_unit_test(shorten_brings_the_deadline_forward_only),
      cmocka_unit_test(a_session_that_was_shortened_lives_for_its_grace),
      cmocka_unit_test(graces_end_in_the_order_of_their_deadlines),
      cmocka_unit_test(a_refused_touch_leaves_nothing),
      cmocka_unit_test(words_out_of_range_are_refused),
      cmocka_unit_test(ema_and_due_customers),
      cmocka_unit_test(more_than_a_slice_expires),
      cmocka_unit_test(a_customer_begins_again_while_its_end_waits),
      cmocka_unit_test(expire_says_when_there_is_more),
      cmocka_unit_test(a_clock_that_goes_back_does_no_harm),
      cmocka_unit_test(a_walk_meets_who_was_touched_since),
      cmocka_unit_test(a_walk_survives_every_change),
      cmocka_unit_test(a_walk_among_the_shortened),
      cmocka_unit_test(a_walk_that_has_ended_meets_nobody),
  };
  return cmocka_run_group_tests_name("presence_table", tests, NULL, NULL);
}

/* Pages of the presence table: their limits, and who begins to be counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/presence_pages.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <string.h>

enum { TTL_MS = 1000 };

typedef struct counters {
  unsigned changed, seen;
} counters;

static void on_changed(void *arg, au_slice customer_id) {
  (void)customer_id;
  ((counters *)arg)->changed++;
}

static void on_seen(void *arg, au_slice customer_id, au_slice session_id) {
  (void)customer_id;
  assert_true(session_id.len > 0);
  ((counters *)arg)->seen++;
}

static presence_table *create(counters *heard) {
  static presence_page_events kept;
  const presence_page_events *events = &kept;
  presence_table *t;
  kept = (presence_page_events){on_changed, on_seen, heard};
  const presence_table_config config = {.seed = {3, 4},
                                        .ttl_ms = TTL_MS,
                                        .grace_ms = 100,
                                        .max_sessions = UINT32_MAX,
                                        .max_customers = UINT32_MAX,
                                        .pages = events};
  assert_int_equal(presence_table_create(&config, &t), AU_OK);
  return t;
}

static void touch(presence_table *t, const char *of, unsigned number, unsigned path,
                  au_touch_kind kind) {
  char id[16], name[32];
  snprintf(id, sizeof id, "s%u", number);
  snprintf(name, sizeof name, "/%u", path);
  const au_beat beat = {.customer_id = slice_of(of),
                        .session_id = slice_of(id),
                        .tab_id = slice_of("t"),
                        .page = slice_of(name),
                        .visibility = AU_VISIBILITY_VISIBLE};
  assert_int_equal(presence_table_touch(t, &beat, kind, 1), AU_OK);
}

static au_page_count rows[AU_PAGE_NAMES_MAX];

static au_breakdown breakdown(presence_table *t, const char *of, int64_t now_ms) {
  au_breakdown found;
  presence_table_breakdown(t, slice_of(of), now_ms, rows, &found);
  return found;
}

static void ten_thousand_names_are_a_thousand_and_other(void **state) {
  (void)state;
  counters heard = {0};
  presence_table *t = create(&heard);
  for (unsigned i = 0; i < 10000; i++) touch(t, "c", i, i, AU_TOUCH_JOIN);
  au_breakdown found = breakdown(t, "c", 1);
  assert_int_equal(found.n, AU_PAGE_NAMES_MAX);
  assert_int_equal(found.other, 10000 - AU_PAGE_NAMES_MAX);
  assert_int_equal(found.visible, 10000);
  assert_int_equal(heard.seen, 10000);
  /* A name that is free again goes to the next that wants one. */
  touch(t, "c", 0, 1, AU_TOUCH_BEAT);
  touch(t, "c", 9999, 9999, AU_TOUCH_BEAT);
  found = breakdown(t, "c", 1);
  assert_int_equal(found.n, AU_PAGE_NAMES_MAX);
  assert_int_equal(found.other, 10000 - AU_PAGE_NAMES_MAX - 1);
  /* One that has a name changes it, also while there are no others. */
  touch(t, "c", 5, 20000, AU_TOUCH_BEAT);
  found = breakdown(t, "c", 1);
  assert_int_equal(found.n, AU_PAGE_NAMES_MAX);
  assert_int_equal(found.other, 10000 - AU_PAGE_NAMES_MAX - 1);
  int64_t now_ms = 1 + TTL_MS;
  while (presence_table_expire(t, now_ms) >= 0) {
  }
  found = breakdown(t, "c", now_ms);
  assert_true(found.n == 0 && found.other == 0 && found.visible == 0 && found.hidden == 0);
  presence_table_free(t);
}

static void names_of_all_customers_have_a_limit(void **state) {
  (void)state;
  counters heard = {0};
  presence_table *t = create(&heard);
  char shop[16];
  for (unsigned c = 0; c <= PRESENCE_PAGE_NAMES_MAX / AU_PAGE_NAMES_MAX; c++) {
    snprintf(shop, sizeof shop, "c%u", c);
    for (unsigned i = 0; i < AU_PAGE_NAMES_MAX; i++) touch(t, shop, i, i, AU_TOUCH_JOIN);
  }
  au_breakdown found = breakdown(t, shop, 1);
  assert_int_equal(found.n, 0);
  assert_int_equal(found.other, AU_PAGE_NAMES_MAX);
  found = breakdown(t, "c0", 1);
  assert_int_equal(found.n, AU_PAGE_NAMES_MAX);
  presence_table_free(t); /* with all of it */
}

static void the_same_again_is_no_news(void **state) {
  (void)state;
  counters heard = {0};
  presence_table *t = create(&heard);
  touch(t, "c", 1, 1, AU_TOUCH_JOIN);
  counters before = heard;
  for (int i = 0; i < 100; i++) touch(t, "c", 1, 1, i % 2 ? AU_TOUCH_JOIN : AU_TOUCH_BEAT);
  const au_beat silent = {.customer_id = slice_of("c"),
                          .session_id = slice_of("s1"),
                          .tab_id = slice_of("another tab, whose name is longer")};
  assert_int_equal(presence_table_touch(t, &silent, AU_TOUCH_BEAT, 1), AU_OK);
  assert_int_equal(heard.changed, before.changed);
  assert_int_equal(heard.seen, 1);
  assert_int_equal(breakdown(t, "c", 1).n, 1);
  int64_t renewed_ms;
  assert_int_equal(presence_table_moved(t, slice_of("c"), slice_of("s1"), INT64_MAX, &renewed_ms),
                   PRESENCE_MOVED_AWAY);
  assert_int_equal(breakdown(t, "c", 1).n, 0);
  touch(t, "c", 1, 1, AU_TOUCH_BEAT);
  assert_int_equal(heard.seen, 2);
  presence_table_free(t);
}

static const customer_pages *kept_for(const presence_table *t, const char *id) {
  return ((customer *)id_map_find(&t->customers, slice_of(id)))->pages;
}

static void nothing_is_kept_for_who_says_nothing(void **state) {
  (void)state;
  counters heard = {0};
  presence_table *t = create(&heard);
  const au_beat silent = {
      .customer_id = slice_of("c"), .session_id = slice_of("s"), .tab_id = slice_of("t")};
  assert_int_equal(presence_table_touch(t, &silent, AU_TOUCH_JOIN, 1), AU_OK);
  assert_null(kept_for(t, "c"));
  touch(t, "c", 1, 1, AU_TOUCH_JOIN);
  assert_non_null(kept_for(t, "c"));
  assert_true(presence_table_drop(t, slice_of("c"), slice_of("s1")));
  assert_null(kept_for(t, "c"));
  assert_int_equal(heard.seen, 1);
  presence_table_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ten_thousand_names_are_a_thousand_and_other),
      cmocka_unit_test(names_of_all_customers_have_a_limit),
      cmocka_unit_test(the_same_again_is_no_news),
      cmocka_unit_test(nothing_is_kept_for_who_says_nothing),
  };
  return cmocka_run_group_tests_name("presence_pages", tests, NULL, NULL);
}

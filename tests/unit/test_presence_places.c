/* Tests of the presence table: who has a place in it, who makes room, and whose sessions they
 * are. Time is a number here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/presence_table.h"
#include "utils/buffer.h"

#include <math.h>
#include <stdio.h>

enum { TTL_MS = 1000, GRACE_MS = 100 };

static presence_table_config plain_config(void) {
  return (presence_table_config){
      .seed = {1, 2},
      .ttl_ms = TTL_MS,
      .grace_ms = GRACE_MS,
      .max_sessions = 100000,
      .max_customers = 1000,
  };
}

static presence_table *new_table(presence_table_config config) {
  presence_table *t = NULL;
  assert_int_equal(presence_table_create(&config, &t), AU_OK);
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

static void touch(presence_table *t, const char *customer, const char *session, const char *tab,
                  int64_t now_ms) {
  au_beat beat = beat_of(customer, session, tab);
  assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_BEAT, now_ms), AU_OK);
}

static au_status touch_status(presence_table *t, const char *customer, const char *session,
                              int64_t now_ms) {
  au_beat beat = beat_of(customer, session, "tab");
  return presence_table_touch(t, &beat, AU_TOUCH_BEAT, now_ms);
}

/* The one that is empty for the longest goes, with its average; who lives stays. */
static void an_empty_customer_makes_room(void **state) {
  (void)state;
  presence_table_config config = plain_config();
  config.max_customers = 3;
  config.keep_customers = true;
  presence_table *t = new_table(config);
  au_beat later = beat_of("later", "s", "tab"), sooner = beat_of("sooner", "s", "tab");
  touch(t, "later", "s", "tab", 1);
  touch(t, "sooner", "s", "tab", 1);
  touch(t, "full", "s", "tab", 1);
  assert_int_equal(touch_status(t, "new", "s", 2), AU_EFULL);
  presence_table_save(t, slice_of("sooner"), 7, 2);
  assert_true(presence_table_leave(t, &sooner, 3));
  assert_true(presence_table_leave(t, &later, 4));
  assert_int_equal(presence_table_customers(t), 3);
  assert_int_equal(touch_status(t, "new", "s", 5), AU_OK);
  au_sample sample;
  presence_table_sample(t, slice_of("sooner"), 5, &sample);
  assert_false(sample.has_ema);
  touch(t, "later", "s", "tab", 6); /* back: no longer empty */
  assert_int_equal(touch_status(t, "sooner", "s", 7), AU_EFULL);
  assert_true(presence_table_leave(t, &later, 8));
  assert_int_equal(touch_status(t, "sooner", "s", 9), AU_OK);
  assert_int_equal(presence_table_customers(t), 3);
  presence_table_save(t, slice_of("later"), 7, 10); /* the end of a tick that began before */
  assert_int_equal(presence_table_customers(t), 3);
  au_slice due[3];
  assert_int_equal(presence_table_due(t, 0, 11, 0, due, 3), 3);
  for (size_t i = 0; i < 3; i++) assert_false(slice_eq(due[i], slice_of("later")));
  presence_table_free(t);
}

/* Neither customers nor memory grow, whoever comes and goes. */
static void a_flood_of_customers_that_go(void **state) {
  (void)state;
  presence_table_config config = plain_config();
  config.max_customers = 50;
  config.keep_customers = true;
  presence_table *t = new_table(config);
  char id[16];
  for (int i = 0; i < 20000; i++) {
    snprintf(id, sizeof id, "c%d", i);
    au_beat beat = beat_of(id, "s", "tab");
    assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_BEAT, i), AU_OK);
    assert_true(presence_table_leave(t, &beat, i));
    assert_in_range(presence_table_customers(t), 1, 50);
  }
  presence_table_free(t);
}

static int began, ended;
static char somebody;

static void note_began(void *arg, void *source) {
  (void)arg;
  assert_ptr_equal(source, &somebody);
  began++;
}

static void note_ended(void *arg, void *source) {
  (void)arg;
  assert_ptr_equal(source, &somebody);
  ended++;
}

/* Each way for a session to end, and none without an end. */
static void who_began_a_session_is_given_back(void **state) {
  (void)state;
  presence_table_config config = plain_config();
  config.events = &(au_store_events){.session_began = note_began, .session_ended = note_ended};
  presence_table *t = new_table(config);
  began = ended = 0;
  static const char *const sessions[] = {"left", "dropped", "expired", "shortened", "kept"};
  for (size_t i = 0; i < 5; i++) {
    au_beat beat = beat_of("shop", sessions[i], "tab");
    beat.source = &somebody;
    assert_int_equal(presence_table_touch(t, &beat, AU_TOUCH_BEAT, 1), AU_OK);
  }
  touch(t, "shop", "of nobody", "tab", 1);
  assert_int_equal(began, 5);
  char other;
  au_beat grown = beat_of("shop", "kept", "a-tab-with-a-longer-id"); /* and the first one stays */
  grown.source = &other;
  assert_int_equal(presence_table_touch(t, &grown, AU_TOUCH_JOIN, 2), AU_OK);
  assert_int_equal(began, 5);
  au_beat left = beat_of("shop", "left", "tab"), shortened = beat_of("shop", "shortened", "tab");
  assert_true(presence_table_leave(t, &left, 3));
  assert_int_equal(ended, 1);
  assert_true(presence_table_drop(t, slice_of("shop"), slice_of("dropped")));
  assert_int_equal(ended, 2);
  assert_true(presence_table_shorten(t, &shortened, GRACE_MS, 3));
  assert_int_equal(ended, 2);
  (void)presence_table_expire(t, 3 + GRACE_MS);
  assert_int_equal(ended, 3);
  (void)presence_table_expire(t, 1 + TTL_MS);
  assert_int_equal(ended, 4);
  presence_table_free(t);
  assert_int_equal(ended, 5);
}

static uint32_t three_for_the_shop(void *arg, au_slice customer_id) {
  (void)arg;
  return slice_eq(customer_id, slice_of("shop")) ? 3 : 1000;
}

static void a_customer_has_its_share(void **state) {
  (void)state;
  presence_table_config config = plain_config();
  config.events = &(au_store_events){.max_sessions_of = three_for_the_shop};
  presence_table *t = new_table(config);
  touch(t, "shop", "a", "tab", 1);
  touch(t, "shop", "b", "tab", 1);
  presence_reservation *first, *second;
  assert_int_equal(presence_table_reserve(t, slice_of("shop"), 1, &first), AU_OK);
  assert_int_equal(presence_table_reserve(t, slice_of("shop"), 1, &second), AU_EFULL);
  assert_int_equal(touch_status(t, "shop", "c", 1), AU_EFULL); /* it is somebody else's */
  presence_table_release(t, first);
  touch(t, "shop", "c", "tab", 1);
  assert_int_equal(touch_status(t, "shop", "d", 1), AU_EFULL);
  for (int i = 0; i < 10; i++) touch(t, "other", (char[]){(char)('a' + i), 0}, "tab", 1);
  touch(t, "shop", "a", "tab", 500); /* who is in stays in */
  assert_int_equal(presence_table_sessions_of(t, slice_of("shop")), 3);
  assert_int_equal(presence_table_sessions_of(t, slice_of("nobody")), 0);
  assert_int_equal(touch_status(t, "shop", "d", 1001), AU_OK);
  presence_table_free(t);
}

/* What is reserved counts as what is there, and keeps its customer. */
static void reservations(void **state) {
  (void)state;
  presence_table_config config = plain_config();
  config.max_sessions = 3;
  config.max_customers = 2;
  config.keep_customers = false;
  presence_table *t = new_table(config);
  presence_reservation *shop, *other, *third;
  assert_int_equal(presence_table_reserve(t, slice_of("shop"), 1, &shop), AU_OK);
  assert_int_equal(presence_table_reserve(t, slice_of("other"), 1, &other), AU_OK);
  assert_int_equal(presence_table_reserve(t, slice_of("third"), 1, &third), AU_EFULL);
  assert_int_equal(touch_status(t, "third", "a", 1), AU_EFULL);
  touch(t, "shop", "a", "tab", 1);
  assert_int_equal(touch_status(t, "shop", "b", 1), AU_EFULL);
  assert_true(presence_table_drop(t, slice_of("shop"), slice_of("a")));
  presence_table_evict(t, slice_of("shop"), 1);
  assert_int_equal(presence_table_customers(t), 2);
  au_slice due[2];
  assert_int_equal(presence_table_due(t, 0, 1, 0, due, 2), 0);
  presence_table_release(t, shop);
  assert_int_equal(presence_table_customers(t), 1);
  assert_int_equal(touch_status(t, "third", "a", 1), AU_OK);
  presence_table_release(t, other);
  assert_int_equal(presence_table_customers(t), 1);
  presence_table_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_customer_makes_room),
      cmocka_unit_test(a_flood_of_customers_that_go),
      cmocka_unit_test(who_began_a_session_is_given_back),
      cmocka_unit_test(a_customer_has_its_share),
      cmocka_unit_test(reservations),
  };
  return cmocka_run_group_tests_name("presence_places", tests, NULL, NULL);
}

/* Tests of the table of addresses on a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/addresses.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60000 };

static const address_limits few = {
    .requests_per_min = 2, .new_sessions_per_min = 60, .max_sessions = 3, .max_connections = 4};

static addresses *new_table(const address_limits *limits) {
  addresses *all = NULL;
  assert_int_equal(addresses_create((map_seed){1, 2}, limits, &all), AU_OK);
  return all;
}

static address *hold(addresses *all, const char *text, int64_t now_ms) {
  net_addr addr;
  assert_true(net_parse(slice_of(text), &addr));
  address *a = addresses_hold(all, &addr, now_ms);
  assert_non_null(a);
  return a;
}

static address *hold_v4(addresses *all, uint32_t number, int64_t now_ms) {
  net_addr addr = {{[10] = 0xff, [11] = 0xff, [12] = 10}};
  for (int i = 0; i < 3; i++) addr.bytes[15 - i] = (uint8_t)(number >> 8 * i);
  address *a = addresses_hold(all, &addr, now_ms);
  assert_non_null(a);
  return a;
}

static uint32_t take_all(address *a, address_pot pot, int64_t now_ms) {
  uint32_t taken = 0;
  while (taken < 100000 && address_take(a, pot, now_ms).allowed) taken++;
  return taken;
}

static void which_addresses_share_an_entry(void **state) {
  (void)state;
  static const struct {
    const char *name, *one, *other;
    bool same;
  } cases[] = {
      {"an address with itself", "192.0.2.1", "192.0.2.1", true},
      {"two IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
      {"IPv4 in IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
      {"one /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true},
      {"two /64 of a /48", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    addresses *all = new_table(&few);
    address *a = hold(all, cases[i].one, 0), *b = hold(all, cases[i].other, 0);
    if ((a == b) != cases[i].same) fail_msg("%s", cases[i].name);
    address_release(a, 0);
    address_release(b, 0);
    addresses_free(all);
  }
}

static void pots_are_apart(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  address *a = hold(all, "192.0.2.1", 0), *other = hold(all, "192.0.2.2", 0);
  assert_int_equal(take_all(a, ADDRESS_PRESENCE, 0), 2);
  assert_int_equal(take_all(a, ADDRESS_READS, 0), 2);
  assert_int_equal(take_all(a, ADDRESS_NEW_SESSIONS, 0), ADDRESSES_NEW_SESSIONS_BURST);
  assert_int_equal(take_all(a, ADDRESS_OTHER, 0), ADDRESSES_OTHER_PER_MIN);
  for (address_pot pot = 0; pot < ADDRESS_POTS; pot++) {
    assert_false(address_peek(a, pot, 0).allowed);
    assert_true(address_peek(other, pot, 0).allowed);
  }
  assert_int_equal(address_peek(a, ADDRESS_NEW_SESSIONS, 0).reset_in_ms, 1000);
  assert_int_equal(take_all(a, ADDRESS_NEW_SESSIONS, 1000), 1);
  assert_int_equal(address_peek(a, ADDRESS_READS, 0).reset_in_ms, MINUTE_MS);
  assert_int_equal(take_all(a, ADDRESS_READS, MINUTE_MS), 2);
  address_release(a, 0);
  address_release(other, 0);
  addresses_free(all);
}

static void states_of_a_pot(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  address *a = hold(all, "192.0.2.1", 0);
  rate_state met = address_take(a, ADDRESS_NEW_SESSIONS, 0);
  assert_true(met.allowed && met.limit == 60);
  assert_int_equal(met.remaining, ADDRESSES_NEW_SESSIONS_BURST - 1);
  assert_int_equal(met.reset_in_ms, 1000);
  for (int i = 2; i < ADDRESSES_NEW_SESSIONS_BURST; i++)
    (void)address_take(a, ADDRESS_NEW_SESSIONS, 0);
  met = address_take(a, ADDRESS_NEW_SESSIONS, 0); /* the last token was there */
  assert_true(met.allowed && met.remaining == 0);
  met = address_take(a, ADDRESS_PRESENCE, 0);
  assert_true(met.allowed && met.limit == 2 && met.remaining == 1);
  address_release(a, 0);
  addresses_free(all);
}

static void no_limits(void **state) {
  (void)state;
  addresses *all = new_table(&(address_limits){0});
  address *a = hold(all, "2001:db8::1", 0);
  for (address_pot pot = 0; pot < ADDRESS_OTHER; pot++) {
    rate_state met = address_peek(a, pot, 0);
    assert_true(met.allowed && met.limit == 0);
    assert_int_equal(take_all(a, pot, 0), 100000);
  }
  for (int i = 0; i < 1000; i++) {
    assert_true(address_connect(a));
    assert_true(address_has_capacity(a));
    address_session_began(a);
  }
  for (int i = 0; i < 1000; i++) {
    address_disconnect(a);
    address_session_ended(a, 0);
  }
  address_release(a, 0);
  addresses_free(all);
}

static void no_entry_allows_and_counts_nothing(void **state) {
  (void)state;
  rate_state met = address_take(NULL, ADDRESS_PRESENCE, 0);
  assert_true(met.allowed && met.limit == 0);
  assert_true(address_peek(NULL, ADDRESS_OTHER, 0).allowed);
  assert_true(address_connect(NULL));
  assert_true(address_has_capacity(NULL));
  assert_null(address_ref(NULL));
  address_disconnect(NULL);
  address_session_began(NULL);
  address_session_ended(NULL, 0);
  address_release(NULL, 0);
  assert_int_equal(address_connections(NULL), 0);
  assert_int_equal(address_sessions(NULL), 0);
}

static void loopback_pays_for_presence_alone(void **state) {
  (void)state;
  static const char *const texts[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    addresses *all = new_table(&few);
    address *a = hold(all, texts[i], 0);
    assert_int_equal(take_all(a, ADDRESS_OTHER, 0), 100000);
    assert_int_equal(address_peek(a, ADDRESS_OTHER, 0).limit, 0);
    assert_int_equal(take_all(a, ADDRESS_PRESENCE, 0), 2);
    address_release(a, 0);
    addresses_free(all);
  }
}

/* Ten /64 of one /48 have all that the /48 may have; an eleventh gets nothing, and another
 * /48 all. */
static void a_wider_entry_has_ten_times_the_limits(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  address *held[ADDRESSES_WIDER_FACTOR + 1];
  char text[40];
  for (int i = 0; i <= ADDRESSES_WIDER_FACTOR; i++) {
    snprintf(text, sizeof text, "2001:db8:5:%x::1", (unsigned)i);
    held[i] = hold(all, text, 0);
    bool is_last = i == ADDRESSES_WIDER_FACTOR;
    assert_int_equal(take_all(held[i], ADDRESS_PRESENCE, 0), is_last ? 0 : 2);
    assert_int_equal(take_all(held[i], ADDRESS_NEW_SESSIONS, 0),
                     is_last ? 0 : ADDRESSES_NEW_SESSIONS_BURST);
    for (int n = 0; n < 4; n++) assert_true(address_connect(held[i]) == !is_last);
    assert_false(address_connect(held[i]));
    for (int n = 0; n < 3; n++) {
      assert_true(address_has_capacity(held[i]) == !is_last);
      if (!is_last) address_session_began(held[i]);
    }
    assert_false(address_has_capacity(held[i]));
  }
  address *last = held[ADDRESSES_WIDER_FACTOR], *elsewhere = hold(all, "2001:db8:6::1", 0);
  rate_state met = address_peek(last, ADDRESS_PRESENCE, 0);
  assert_true(!met.allowed && met.limit == 20);
  assert_true(address_take(elsewhere, ADDRESS_PRESENCE, 0).allowed);

  address_disconnect(held[0]);
  assert_true(address_connect(last));
  address_session_ended(held[0], 0);
  assert_true(address_has_capacity(last));
  address_disconnect(last);
  for (int i = 0; i < ADDRESSES_WIDER_FACTOR; i++) {
    for (int n = i == 0; n < 4; n++) address_disconnect(held[i]);
    for (int n = i == 0; n < 3; n++) address_session_ended(held[i], 0);
  }
  for (int i = 0; i <= ADDRESSES_WIDER_FACTOR; i++) address_release(held[i], 0);
  address_release(elsewhere, 0);
  addresses_free(all);
}

/* Of what all share a /48 has half at most, and what one /64 may have at least. */
static void a_wider_entry_leaves_half_to_others(void **state) {
  (void)state;
  static const address_limits limits = {
      .max_sessions = 3, .max_connections = 2, .all_sessions = 8, .all_connections = 6};
  addresses *all = new_table(&limits);
  address *first = hold(all, "2001:db8:5:1::1", 0), *second = hold(all, "2001:db8:5:2::1", 0);
  address *elsewhere = hold(all, "2001:db8:6::1", 0);
  for (int n = 0; n < 3; n++) address_session_began(first);
  assert_true(address_has_capacity(second));
  address_session_began(second);
  assert_false(address_has_capacity(second));
  assert_true(address_has_capacity(elsewhere));
  assert_int_equal(address_sessions_widely(second), 4);
  assert_int_equal(address_sessions(second), 1);
  for (int n = 0; n < 2; n++) assert_true(address_connect(first));
  assert_true(address_connect(second));
  assert_false(address_connect(second));
  assert_true(address_connect(elsewhere));
  for (int n = 0; n < 2; n++) address_disconnect(first);
  address_disconnect(second);
  address_disconnect(elsewhere);
  for (int n = 0; n < 3; n++) address_session_ended(first, 0);
  address_session_ended(second, 0);
  address_release(first, 0);
  address_release(second, 0);
  address_release(elsewhere, 0);
  addresses_free(all);
}

/* What the wider entry blocks does not use up the narrower one. */
static void both_pay_or_neither(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  char text[40];
  for (int i = 0; i < ADDRESSES_WIDER_FACTOR; i++) {
    snprintf(text, sizeof text, "2001:db8:5:%x::1", (unsigned)i);
    address *a = hold(all, text, 0);
    take_all(a, ADDRESS_READS, 0);
    address_release(a, 0);
  }
  address *a = hold(all, "2001:db8:5:ffff::1", 30000);
  for (int i = 0; i < 10; i++) assert_false(address_take(a, ADDRESS_READS, 30000).allowed);
  assert_int_equal(take_all(a, ADDRESS_READS, MINUTE_MS), 2);
  address_release(a, MINUTE_MS);
  addresses_free(all);
}

static void new_limits_count_at_once(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  address *a = hold(all, "192.0.2.1", 0);
  take_all(a, ADDRESS_PRESENCE, 0);
  for (int i = 0; i < 4; i++) assert_true(address_connect(a));
  addresses_set_limits(all, &(address_limits){.requests_per_min = 3, .max_connections = 5});
  assert_int_equal(take_all(a, ADDRESS_PRESENCE, 0), 1);
  assert_true(address_connect(a));
  addresses_set_limits(all, &(address_limits){.requests_per_min = 1, .max_connections = 1});
  assert_false(address_connect(a));
  assert_int_equal(address_connections(a), 5);
  for (int i = 0; i < 5; i++) address_disconnect(a);
  assert_true(address_connect(a));
  address_disconnect(a);
  address_release(a, 0);
  addresses_free(all);
}

static void an_entry_goes_when_nothing_is_left_of_it(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  address_release(hold(all, "192.0.2.1", 0), 0);
  address *connected = hold(all, "192.0.2.2", 0);
  assert_true(address_connect(connected));
  address *alive = hold(all, "192.0.2.3", 0);
  address_session_began(alive);
  address_release(alive, 0);
  assert_int_equal(addresses_count(all), 3);

  address *other = hold(all, "192.0.2.9", MINUTE_MS);
  assert_int_equal(addresses_count(all), 3); /* one went, one came */
  address_disconnect(connected);
  address_release(connected, MINUTE_MS);
  address_session_ended(alive, MINUTE_MS);
  assert_int_equal(addresses_count(all), 3);
  address_release(hold(all, "192.0.2.9", 2 * MINUTE_MS), 2 * MINUTE_MS);
  assert_int_equal(addresses_count(all), 1);
  address_release(other, 2 * MINUTE_MS);
  addresses_free(all);
}

/* Whoever is over a limit is not forgotten by letting go for a moment. */
static void an_idle_entry_remembers_what_it_took(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  address *a = hold(all, "192.0.2.1", 0);
  take_all(a, ADDRESS_NEW_SESSIONS, 0);
  address_release(a, 0);
  a = hold(all, "192.0.2.1", 50000);
  take_all(a, ADDRESS_PRESENCE, 50000);
  address_release(a, 50000);
  a = hold(all, "192.0.2.1", 109999);
  assert_false(address_peek(a, ADDRESS_PRESENCE, 109999).allowed);
  assert_true(address_peek(a, ADDRESS_PRESENCE, 110000).allowed);
  address_release(a, 109999);
  /* The bucket of 1,000 needs 1,000 s. */
  for (int64_t now_ms = 110000; now_ms < 999000; now_ms += 1000) {
    address_release(hold(all, "192.0.2.2", now_ms), now_ms);
    assert_int_equal(addresses_count(all), 2);
  }
  address_release(hold(all, "192.0.2.2", 1070000), 1070000);
  assert_int_equal(addresses_count(all), 1);
  addresses_free(all);
}

static void idle_entries_have_a_limit(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  address *held = hold_v4(all, 0, 0);
  assert_true(address_take(held, ADDRESS_PRESENCE, 0).allowed);
  for (uint32_t i = 1; i <= ADDRESSES_MAX_IDLE + 100; i++) {
    address *a = hold_v4(all, i, 0);
    take_all(a, ADDRESS_PRESENCE, 0);
    address_release(a, 0);
  }
  assert_int_equal(addresses_count(all), ADDRESSES_MAX_IDLE + 1);
  assert_int_equal(address_peek(held, ADDRESS_PRESENCE, 0).remaining, 1);
  address *first = hold_v4(all, 1, 0), *newest = hold_v4(all, ADDRESSES_MAX_IDLE + 100, 0);
  assert_true(address_peek(first, ADDRESS_PRESENCE, 0).allowed);
  assert_false(address_peek(newest, ADDRESS_PRESENCE, 0).allowed);
  address_release(first, 0);
  address_release(newest, 0);
  /* They go in slices, faster than they come. */
  for (uint32_t i = 0; i < ADDRESSES_MAX_IDLE / 10; i++)
    address_release(hold_v4(all, 0, MINUTE_MS), MINUTE_MS);
  assert_int_equal(addresses_count(all), 1);
  address_release(held, MINUTE_MS);
  addresses_free(all);
}

static void wider_entries_go_with_their_last(void **state) {
  (void)state;
  addresses *all = new_table(&few);
  for (unsigned i = 0; i < 300; i++) {
    char text[40];
    snprintf(text, sizeof text, "2001:db8:%x:%x::1", i / 100, i);
    address_release(hold(all, text, 0), 0);
  }
  assert_int_equal(addresses_count(all), 303);
  address *last = hold(all, "192.0.2.1", MINUTE_MS);
  for (int64_t round = 1; round <= 2; round++)
    for (int i = 0; i < 40; i++)
      address_release(hold(all, "192.0.2.1", round * MINUTE_MS), round * MINUTE_MS);
  assert_int_equal(addresses_count(all), 1);
  address_release(last, 2 * MINUTE_MS);
  addresses_free(all);
}

typedef struct connection {
  address_link link; /* first: a link is cast to its connection */
  bool in_use;
  unsigned asked;
} connection;

static bool end(address_link *link) {
  connection *c = (connection *)(void *)link;
  address *owner = link->owner;
  c->asked++;
  if (c->in_use) return false;
  address_link_remove(link);
  address_disconnect(owner);
  return true;
}

static void at_the_limit_an_idle_connection_ends_for_a_new_one(void **state) {
  (void)state;
  addresses *all = new_table(&few); /* four connections */
  address *a = hold(all, "192.0.2.1", 0), *other = hold(all, "192.0.2.2", 0);
  connection others = {.link = {.evict = end}};
  assert_true(address_connect(other));
  address_link_add(other, &others.link);
  connection c[4];
  memset(c, 0, sizeof c);
  for (int i = 0; i < 4; i++) {
    c[i].link.evict = end;
    c[i].in_use = i != 2;
    assert_true(address_connect(a));
    address_link_add(a, &c[i].link);
  }
  assert_true(address_connect(a)); /* the third one has ended */
  assert_null(c[2].link.owner);
  assert_int_equal(address_connections(a), 4);
  assert_false(address_connect(a)); /* the others are in use */
  assert_int_equal(address_connections(a), 4);
  assert_int_equal(others.asked, 0);
  address_link_remove(&c[2].link); /* twice is fine */
  for (int i = 0; i < 4; i++) address_link_remove(&c[i].link);
  assert_false(address_connect(a));
  for (int i = 0; i < 4; i++) address_disconnect(a);
  address_link_remove(&others.link);
  address_disconnect(other);
  address_link_add(NULL, &others.link);
  assert_null(others.link.owner);
  address_release(a, 0);
  address_release(other, 0);
  addresses_free(all);
}

static void of_many_connections_some_are_asked_in_turn(void **state) {
  (void)state;
  enum { MANY = 3 * ADDRESSES_EVICT_SAMPLE };
  static const address_limits many = {.max_connections = MANY};
  static connection c[MANY];
  addresses *all = new_table(&many);
  address *a = hold(all, "192.0.2.1", 0);
  for (int i = 0; i < MANY; i++) {
    c[i] = (connection){.link = {.evict = end}, .in_use = i != MANY - 1};
    assert_true(address_connect(a));
    address_link_add(a, &c[i].link);
  }
  for (int i = 0; i < 2; i++) assert_false(address_connect(a));
  assert_true(address_connect(a));
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(c[i].asked, 1);
    address_link_remove(&c[i].link);
  }
  for (int i = 0; i < MANY; i++) address_disconnect(a);
  address_release(a, 0);
  addresses_free(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(which_addresses_share_an_entry),
      cmocka_unit_test(pots_are_apart),
      cmocka_unit_test(states_of_a_pot),
      cmocka_unit_test(no_limits),
      cmocka_unit_test(no_entry_allows_and_counts_nothing),
      cmocka_unit_test(loopback_pays_for_presence_alone),
      cmocka_unit_test(a_wider_entry_has_ten_times_the_limits),
      cmocka_unit_test(a_wider_entry_leaves_half_to_others),
      cmocka_unit_test(both_pay_or_neither),
      cmocka_unit_test(new_limits_count_at_once),
      cmocka_unit_test(an_entry_goes_when_nothing_is_left_of_it),
      cmocka_unit_test(an_idle_entry_remembers_what_it_took),
      cmocka_unit_test(idle_entries_have_a_limit),
      cmocka_unit_test(wider_entries_go_with_their_last),
      cmocka_unit_test(at_the_limit_an_idle_connection_ends_for_a_new_one),
      cmocka_unit_test(of_many_connections_some_are_asked_in_turn),
  };
  return cmocka_run_group_tests_name("addresses", tests, NULL, NULL);
}

/* The names of addresses, and the blocks that go by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/addresses.h"
#include "services/blocks.h"
#include "services/pseudonyms.h"
#include "utils/buffer.h"
#include "utils/text/id.h"

#include <string.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static net_addr addr_of(const char *text) {
  net_addr addr;
  assert_true(net_parse(slice_of(text), &addr));
  return addr;
}

static uint64_t name_of(const pseudonyms *p, const char *text) {
  net_addr addr = addr_of(text);
  return pseudonym_of_address(p, net_key(&addr));
}

static void a_secret_makes_the_names(void **state) {
  (void)state;
  pseudonyms a, b;
  pseudonyms_init(&a, 1, 2, false);
  pseudonyms_init(&b, 3, 4, false);
  assert_true(name_of(&a, "192.0.2.1") != name_of(&b, "192.0.2.1"));
  uint32_t version = a.version;
  pseudonyms_set_secret(&a, slice_of("0123456789abcdef0123456789abcdef"));
  pseudonyms_set_secret(&b, slice_of("0123456789abcdef0123456789abcdef"));
  assert_true(a.version != version);
  version = a.version;
  pseudonyms_set_secret(&a, slice_of("0123456789abcdef0123456789abcdef"));
  assert_true(a.version == version); /* the same: nobody looks again */
  assert_true(name_of(&a, "192.0.2.1") == name_of(&b, "192.0.2.1"));
  assert_true(name_of(&a, "192.0.2.1") != name_of(&a, "192.0.2.2"));
  assert_true(name_of(&a, "192.0.2.1") == name_of(&a, "::ffff:192.0.2.1"));
  assert_true(name_of(&a, "2001:db8::1") == name_of(&a, "2001:db8::2")); /* one /64 */
  assert_true(name_of(&a, "2001:db8::1") != name_of(&a, "2001:db8:0:1::1"));
  pseudonyms_set_secret(&b, slice_of("0123456789abcdef0123456789abcdee"));
  assert_true(name_of(&a, "192.0.2.1") != name_of(&b, "192.0.2.1"));
}

static void names_change_daily_where_they_shall(void **state) {
  (void)state;
  pseudonyms daily, lasting;
  pseudonyms_init(&daily, 1, 2, true);
  pseudonyms_init(&lasting, 1, 2, false);
  int64_t noon_ms = (int64_t)20000 * DAY_MS + DAY_MS / 2;
  pseudonyms_set_time(&daily, noon_ms);
  pseudonyms_set_time(&lasting, noon_ms);
  uint64_t name = name_of(&daily, "192.0.2.1"), kept = name_of(&lasting, "192.0.2.1");
  uint32_t version = daily.version;
  pseudonyms_set_time(&daily, noon_ms + DAY_MS / 2 - 1);
  assert_true(name_of(&daily, "192.0.2.1") == name && daily.version == version);
  pseudonyms_set_time(&daily, noon_ms + DAY_MS / 2);
  pseudonyms_set_time(&lasting, noon_ms + DAY_MS / 2);
  assert_true(name_of(&daily, "192.0.2.1") != name && daily.version != version);
  assert_true(name_of(&lasting, "192.0.2.1") == kept);
}

static void a_name_is_16_digits(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool valid;
    uint64_t want;
  } cases[] = {
      {"0123456789abcdef", true, 0x0123456789abcdef},
      {"ffffffffffffffff", true, UINT64_MAX},
      {"0123456789ABCDEF", false, 0},
      {"0123456789abcde", false, 0},
      {"0123456789abcdef0", false, 0},
      {"", false, 0},
      {"0123456789abcde:", false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint64_t got;
    char text[PSEUDONYM_ADDRESS_BYTES];
    if (pseudonym_parse(slice_of(cases[i].text), &got) != cases[i].valid)
      fail_msg("%s", cases[i].text);
    if (!cases[i].valid) continue;
    pseudonym_print(got, text);
    if (got != cases[i].want || memcmp(text, cases[i].text, sizeof text) != 0)
      fail_msg("%s", cases[i].text);
  }
}

static void blocks_are_found_until_they_end(void **state) {
  (void)state;
  blocks *b;
  assert_int_equal(blocks_create(&b), AU_OK);
  for (uint64_t i = 0; i < AU_BOARD_BLOCKS_MAX; i++)
    assert_int_equal(blocks_set(b, i * 7919 % AU_BOARD_BLOCKS_MAX, 100 + (int64_t)i, BLOCK_SHARED),
                     AU_OK);
  assert_int_equal(blocks_set(b, UINT64_MAX, 100, BLOCK_SHARED), AU_EFULL);
  assert_int_equal(blocks_count(b), AU_BOARD_BLOCKS_MAX);
  for (size_t i = 1; i < blocks_count(b); i++)
    assert_true(blocks_at(b, i - 1)->name < blocks_at(b, i)->name);
  assert_int_equal(blocks_until_ms(b, 7919 % AU_BOARD_BLOCKS_MAX), 101);
  uint32_t version = blocks_version(b);
  assert_int_equal(blocks_set(b, 0, 100, BLOCK_NEW), AU_OK);
  assert_int_equal(blocks_version(b), version); /* it ends when it did */
  assert_int_equal(blocks_set(b, 0, 100, BLOCK_LIFTED), AU_OK);
  assert_true(blocks_version(b) != version);
  assert_int_equal(blocks_until_ms(b, 0), 0);
  blocks_expire(b, 100 + AU_BOARD_BLOCKS_MAX / 2);
  assert_int_equal(blocks_count(b), AU_BOARD_BLOCKS_MAX / 2 - 1);
  blocks_expire(b, INT64_MAX);
  assert_int_equal(blocks_count(b), 0);
  assert_null(blocks_find(b, 0));
  blocks_free(b);
}

static void an_address_is_blocked_by_its_name(void **state) {
  (void)state;
  addresses *all;
  blocks *b;
  pseudonyms names;
  const address_limits limits = {0};
  assert_int_equal(addresses_create((map_seed){1, 2}, &limits, &all), AU_OK);
  assert_int_equal(blocks_create(&b), AU_OK);
  pseudonyms_init(&names, 1, 2, false);
  addresses_set_names(all, &names, b);
  net_addr addr = addr_of("192.0.2.1");
  address *a = addresses_hold(all, &addr, 0);
  assert_int_equal(address_blocked_until_ms(a, 0), 0);
  assert_int_equal(blocks_set(b, address_name(a), 50, BLOCK_SHARED), AU_OK);
  assert_int_equal(address_blocked_until_ms(a, 0), 50);
  assert_int_equal(address_blocked_until_ms(a, 49), 50);
  assert_int_equal(address_blocked_until_ms(a, 50), 0);
  pseudonyms_set_secret(&names, slice_of("another"));
  assert_int_equal(address_blocked_until_ms(a, 0), 0); /* it has another name now */
  assert_int_equal(address_blocked_until_ms(NULL, 0), 0);
  address_release(a, 0);
  addresses_free(all);
  blocks_free(b);
}

static void strict_privacy_conceals_sessions(void **state) {
  (void)state;
  pseudonyms p;
  pseudonym_session room, again;
  au_beat beat = {.customer_id = slice_of("shop"),
                  .session_id = slice_of("s1"),
                  .user_agent = slice_of("browser")};
  pseudonyms_init(&p, 1, 2, false);
  pseudonyms_conceal(&p, &beat, &room);
  assert_true(slice_eq(beat.session_id, slice_of("s1")) && beat.user_agent.len > 0);
  assert_true(slice_eq(pseudonyms_stored_session(&p, slice_of("shop"), slice_of("s1"), &again),
                       slice_of("s1")));
  pseudonyms_init(&p, 1, 2, true);
  pseudonyms_conceal(&p, &beat, &room);
  assert_int_equal(beat.user_agent.len, 0);
  assert_int_equal(beat.session_id.len, PSEUDONYM_SESSION_BYTES);
  assert_true(id_valid(beat.session_id));
  /* An operator may give the id or the name. */
  au_slice stored = pseudonyms_stored_session(&p, slice_of("shop"), slice_of("s1"), &again);
  assert_true(slice_eq(stored, beat.session_id));
  stored = pseudonyms_stored_session(&p, slice_of("shop"), beat.session_id, &again);
  assert_true(slice_eq(stored, beat.session_id));
  /* A client that gives a name gets another one. */
  au_beat forged = beat;
  pseudonyms_conceal(&p, &forged, &again);
  assert_false(slice_eq(forged.session_id, beat.session_id));
  /* Another day, another customer. */
  pseudonyms_set_time(&p, (int64_t)20000 * DAY_MS);
  stored = pseudonyms_stored_session(&p, slice_of("shop"), slice_of("s1"), &again);
  assert_true(slice_eq(stored, beat.session_id));
  stored = pseudonyms_stored_session(&p, slice_of("shop2"), slice_of("s1"), &again);
  assert_false(slice_eq(stored, beat.session_id));
  /* A watcher has no session. */
  au_beat watcher = {.customer_id = slice_of("shop"), .session_id = slice_of("")};
  pseudonyms_conceal(&p, &watcher, &again);
  assert_int_equal(watcher.session_id.len, 0);
  assert_int_equal(pseudonyms_last_ms(&p, (int64_t)20000 * DAY_MS + 1), DAY_MS - 1);
}

static void strict_privacy_keeps_no_address(void **state) {
  (void)state;
  addresses *all;
  pseudonyms names;
  const address_limits limits = {.max_sessions = 1};
  assert_int_equal(addresses_create((map_seed){1, 2}, &limits, &all), AU_OK);
  pseudonyms_init(&names, 1, 2, true);
  addresses_set_names(all, &names, NULL);
  net_addr addr = addr_of("192.0.2.1"), v6 = addr_of("2001:db8::1");
  address *a = addresses_hold(all, &addr, 0), *b = addresses_hold(all, &addr, 0);
  address *c = addresses_hold(all, &v6, 0);
  assert_true(a == b && c != a);
  assert_true(address_name(a) == name_of(&names, "192.0.2.1"));
  assert_int_equal(addresses_count(all), 3); /* the /48 too */
  pseudonyms_set_time(&names, (int64_t)20000 * DAY_MS);
  address *next_day = addresses_hold(all, &addr, 0);
  assert_true(next_day != a && address_name(next_day) != address_name(a));
  address_release(next_day, 0);
  address_release(a, 0);
  address_release(b, 0);
  address_release(c, 0);
  addresses_free(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_secret_makes_the_names),
      cmocka_unit_test(names_change_daily_where_they_shall),
      cmocka_unit_test(a_name_is_16_digits),
      cmocka_unit_test(blocks_are_found_until_they_end),
      cmocka_unit_test(an_address_is_blocked_by_its_name),
      cmocka_unit_test(strict_privacy_conceals_sessions),
      cmocka_unit_test(strict_privacy_keeps_no_address),
  };
  return cmocka_run_group_tests_name("pseudonyms", tests, NULL, NULL);
}

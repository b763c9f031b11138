/* Slots of keys, and the names that are made to lie in one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "adapters/redis/protocol/keys.h"
#include "adapters/redis/protocol/slots.h"
#include "utils/buffer.h"

/* The first is the specification's; the others were asked of redis-server 7.0 (CLUSTER
 * KEYSLOT). */
static const struct {
  const char *name, *key;
  uint16_t slot;
} cases[] = {
    {"the specification's vector", "123456789", 0x31C3},
    {"nothing", "", 0},
    {"a word", "foo", 12182},
    {"a hash tag", "presence:{foo}:s1", 12182},
    {"the first of two tags", "{foo}{bar}", 12182},
    {"empty braces are no tag", "foo{}{bar}", 8363},
    {"a second opening brace belongs to the tag", "foo{{bar}}zap", 4015},
    {"an open brace is no tag", "foo{bar", 15278},
    {"a brace at the end", "foo{", 7673},
    {"bytes above 127", "h\xc3\xa9", 5390},
};

static void check_slots(void **state) {
  (void)state;
  assert_int_equal(redis_crc16(slice_of("123456789")), 0x31C3);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (redis_slot_of(slice_of(cases[i].key)) != cases[i].slot)
      fail_msg("%s: %u, not %u", cases[i].name, redis_slot_of(slice_of(cases[i].key)),
               cases[i].slot);
}

/* Bit by bit, as the polynomial is defined. */
static uint16_t slow_crc16(au_slice bytes) {
  uint16_t crc = 0;
  for (size_t i = 0; i < bytes.len; i++) {
    crc ^= (uint16_t)((uint8_t)bytes.ptr[i] << 8);
    for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return crc;
}

static void check_crc_of_every_byte(void **state) {
  (void)state;
  char bytes[256];
  for (int i = 0; i < 256; i++) bytes[i] = (char)i;
  for (size_t from = 0; from < 256; from++)
    for (size_t len = 0; len <= 256 - from && len < 8; len++) {
      au_slice s = {bytes + from, len};
      assert_int_equal(redis_crc16(s), slow_crc16(s));
    }
}

/* What belongs to one customer lies in one slot, and its group's list in the group. */
static void check_keys(void **state) {
  (void)state;
  redis_keys keys;
  redis_keys_init(&keys, true);
  assert_int_equal(redis_keys_groups(&keys), REDIS_GROUPS_MAX);
  for (int i = 0; i < 2000; i++) {
    char id[32];
    redis_key room;
    snprintf(id, sizeof id, "shop-%d", i);
    uint16_t slot = redis_slot_of(slice_of(id));
    assert_int_equal(redis_slot_of(redis_key_index(&keys, &room, slice_of(id))), slot);
    assert_int_equal(redis_slot_of(redis_key_ema(&keys, &room, slice_of(id))), slot);
    au_slice key = redis_key_presence(&keys, &room, slice_of(id), slice_of("s"));
    assert_int_equal(redis_slot_of(key), slot);
    size_t group = redis_keys_group_of(&keys, slice_of(id));
    assert_int_equal(group, slot / 256);
    assert_int_equal(redis_slot_of(redis_key_customers(&keys, &room, group)) / 256, group);
  }
}

static void check_tags_of_all_groups(void **state) {
  (void)state;
  redis_keys keys;
  redis_keys_init(&keys, true);
  for (size_t group = 0; group < REDIS_GROUPS_MAX; group++) {
    redis_key room;
    au_slice key = redis_key_customers(&keys, &room, group);
    char want[32];
    snprintf(want, sizeof want, "au:customers:{%u}", keys.tags[group]);
    assert_true(slice_eq(key, slice_of(want)));
    assert_int_equal(redis_slot_of(key) / 256, group);
  }
}

static void check_a_single_redis(void **state) {
  (void)state;
  redis_keys keys;
  redis_key room;
  redis_keys_init(&keys, false);
  assert_int_equal(redis_keys_groups(&keys), 1);
  assert_int_equal(redis_keys_group_of(&keys, slice_of("shop")), 0);
  assert_true(slice_eq(redis_key_customers(&keys, &room, 0), slice_of("au:customers")));
  assert_true(slice_eq(redis_key_probe(&room, ""), slice_of("au:probe")));
  assert_true(slice_eq(redis_key_index(&keys, &room, slice_of("c")), slice_of("au:idx:c")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(check_slots),          cmocka_unit_test(check_crc_of_every_byte),
      cmocka_unit_test(check_keys),           cmocka_unit_test(check_tags_of_all_groups),
      cmocka_unit_test(check_a_single_redis),
  };
  return cmocka_run_group_tests_name("redis_slots", tests, NULL, NULL);
}

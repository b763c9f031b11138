/* Tests of what fits into the 12 bytes of a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/history/record.h"

#include <math.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void what_is_packed_is_read(void **state) {
  (void)state;
  static const struct {
    const char *name;
    record r;
    uint32_t parts, min, max;
  } cases[] = {
      {"nothing", {0}, 0, 0, 0},
      {"nobody was there", {2, 0, 0, 0, 0}, 2, 0, 0},
      {"one", {1, 1, 1, 1, 1}, 1, 1, 1},
      {"the reference example", {2, 40, 42, 41, 40.4}, 2, 40, 42},
      {"an hour", {60, 3, 900, 321.5, 333.25}, 60, 3, 900},
      {"many samples", {1200, 3, 900, 321.5, 333.25}, RECORD_PARTS_MAX, 3, 900},
      {"the largest exact count", {1, 524287, 524287, 524287, 524287}, 1, 524287, 524287},
      {"a million", {1, 1000000, 1000000, 1000000, 1000000}, 1, 1000000, 1000000},
      {"beyond the exact", {1, 524289, 1000001, 7e5, 7e5}, 1, 524290, 1000002},
      {"the largest of all",
       {1, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
       1,
       UINT32_MAX,
       UINT32_MAX},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    unsigned char bytes[AU_RECORD_BYTES];
    record_pack(&cases[i].r, bytes);
    record got = record_unpack(bytes);
    if (got.parts != cases[i].parts || got.min != cases[i].min || got.max != cases[i].max)
      fail_msg("%s: %u, %u to %u", cases[i].name, got.parts, got.min, got.max);
    double mean = fmax(cases[i].r.mean, 1), ema = fmax(cases[i].r.ema, 1);
    if (fabs(got.mean - cases[i].r.mean) > fmax(mean * 1e-6, 1.0 / 2048) ||
        fabs(got.ema - cases[i].r.ema) > fmax(ema * 4e-6, 1.0 / 2048))
      fail_msg("%s: mean %g, ema %g", cases[i].name, got.mean, got.ema);
  }
}

static void counts_are_exact_up_to_a_limit_and_near_above(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 6000000; n += n < 1000 ? 1 : 97) {
    const record r = {1, n, n, n / 7.0, n / 3.0};
    unsigned char bytes[AU_RECORD_BYTES];
    record_pack(&r, bytes);
    record got = record_unpack(bytes);
    double off = fabs((double)got.max - n);
    if (got.min != got.max || off > (n < 524288 ? 0 : n * 4e-6)) fail_msg("%u: %u", n, got.max);
    if (fabs(got.mean - r.mean) > fmax(r.mean * 1e-6, 1.0 / 2048)) fail_msg("%u: mean", n);
    if (fabs(got.ema - r.ema) > fmax(r.ema * 4e-6, 1.0 / 2048)) fail_msg("%u: ema", n);
  }
}

/* Zeros are what a store has where nothing was put. */
static void zeros_are_nothing_and_only_they(void **state) {
  (void)state;
  static const unsigned char zeros[AU_RECORD_BYTES];
  assert_int_equal(record_unpack(zeros).parts, 0);
  const record empty_shop = {.parts = 1};
  unsigned char bytes[AU_RECORD_BYTES];
  record_pack(&empty_shop, bytes);
  assert_memory_not_equal(bytes, zeros, AU_RECORD_BYTES);
}

static void parts_add_up(void **state) {
  (void)state;
  record hour = {0};
  const record minutes[] = {{2, 4, 8, 6, 5}, {2, 3, 5, 4, 4.5}, {1, 9, 9, 9, 6}}, none = {0};
  for (size_t i = 0; i < COUNT(minutes); i++) record_add(&hour, &minutes[i], 1);
  record_add(&hour, &none, 1);
  assert_int_equal(hour.parts, 3);
  assert_int_equal(hour.min, 3);
  assert_int_equal(hour.max, 9);
  assert_true(fabs(hour.mean - 19.0 / 3) < 1e-12);
  assert_true(hour.ema == 6); /* the last */
  record day = hour;
  const record busy = {57, 100, 200, 150, 180};
  record_add(&day, &busy, busy.parts);
  assert_true(fabs(day.mean - (19.0 + 57 * 150) / 60) < 1e-9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_packed_is_read),
      cmocka_unit_test(counts_are_exact_up_to_a_limit_and_near_above),
      cmocka_unit_test(zeros_are_nothing_and_only_they),
      cmocka_unit_test(parts_add_up),
  };
  return cmocka_run_group_tests_name("history_record", tests, NULL, NULL);
}

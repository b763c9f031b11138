/* Tests of packed records: what comes out is what went in, and how small it was between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/history/packed.h"
#include "services/history/record.h"

#include <string.h>

enum { ALL_BYTES = PACKED_RECORDS_MAX * AU_RECORD_BYTES };

/* The same numbers at each run. */
static uint32_t random_of(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 32);
}

/* Packs, unpacks and compares; returns the bytes between. */
static size_t there_and_back(const char *name, const unsigned char *records, uint32_t n) {
  unsigned char packed[PACKED_BYTES_MAX + 16], back[ALL_BYTES + 1];
  memset(packed, 0xA5, sizeof packed);
  memset(back, 0x5A, sizeof back);
  size_t bytes = packed_write(records, n, packed);
  if (bytes > PACKED_BYTES_MAX || packed[bytes] != 0xA5) fail_msg("%s: wrote on", name);
  packed_read(packed, n, back);
  size_t len = (size_t)n * AU_RECORD_BYTES;
  if (memcmp(back, records, len) != 0) fail_msg("%s: not the same", name);
  if (back[len] != 0x5A) fail_msg("%s: read on", name);
  return bytes;
}

static void a_record_is_filled_by_its_numbers(void **state) {
  (void)state;
  static const unsigned char bits[] = AU_RECORD_BITS;
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof bits; i++) sum += bits[i];
  assert_int_equal(sum, 8 * AU_RECORD_BYTES);
}

static void nothing_is_lost(void **state) {
  (void)state;
  unsigned char records[ALL_BYTES] = {0};
  uint64_t seed = 1;
  assert_true(there_and_back("none", records, 60) < 60);
  memset(records, 0xFF, sizeof records);
  assert_true(there_and_back("the highest numbers", records, 60) < 60);
  records[0] = 0;
  there_and_back("one byte less", records, 60);
  memset(records, 0, sizeof records);
  records[sizeof records - 1] = 0x80;
  there_and_back("the last bit alone", records, 60);
  for (int round = 0; round < 2000; round++) {
    uint32_t n = 1 + random_of(&seed) % PACKED_RECORDS_MAX, gaps = random_of(&seed) % 4;
    unsigned char mask = (unsigned char)random_of(&seed);
    for (uint32_t i = 0; i < n * AU_RECORD_BYTES; i++) {
      bool is_gap = gaps > 0 && i / AU_RECORD_BYTES % (gaps + 1) == 0;
      records[i] = is_gap ? 0 : (unsigned char)(random_of(&seed) & mask);
    }
    there_and_back("random bytes", records, n);
  }
}

/* A shop of 60, up and down by its noise. */
static void what_is_alike_is_small(void **state) {
  (void)state;
  unsigned char records[ALL_BYTES];
  uint64_t seed = 2;
  double ema = 60;
  for (uint32_t i = 0; i < 60; i++) {
    uint32_t a = 52 + random_of(&seed) % 17, b = 52 + random_of(&seed) % 17;
    ema += 0.2 * (a - ema);
    ema += 0.2 * (b - ema);
    const record minute = {
        .parts = 2, .min = a < b ? a : b, .max = a < b ? b : a, .mean = (a + b) / 2.0, .ema = ema};
    record_pack(&minute, records + (size_t)i * AU_RECORD_BYTES);
  }
  size_t bytes = there_and_back("a shop", records, 60);
  print_message("packed: 60 minutes of a shop have %zu bytes of %d\n", bytes, ALL_BYTES);
  assert_true(bytes < ALL_BYTES / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_is_filled_by_its_numbers),
      cmocka_unit_test(nothing_is_lost),
      cmocka_unit_test(what_is_alike_is_small),
  };
  return cmocka_run_group_tests_name("packed", tests, NULL, NULL);
}

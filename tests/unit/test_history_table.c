/* Tests of the history in memory: series, the limit, and who makes room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/memory/history/history_table.h"
#include "adapters/memory/history/series.h"
#include "services/history/record.h"
#include "utils/buffer.h"
#include "utils/siphash.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const map_seed seed = {1, 2};

enum { DAY = 24 * 60, NOW = 29932594, MB = 1 << 20 };

static void record_of(uint32_t n, unsigned char out[AU_RECORD_BYTES]) {
  for (int i = 0; i < AU_RECORD_BYTES; i++) out[i] = (unsigned char)(n >> 8 * (i % 4));
}

static bool is_record(const unsigned char *bytes, uint32_t n) {
  unsigned char want[AU_RECORD_BYTES];
  record_of(n, want);
  return memcmp(bytes, want, AU_RECORD_BYTES) == 0;
}

static bool is_none(const unsigned char *bytes) {
  return is_record(bytes, 0);
}

/* The same numbers at each run. */
static uint32_t random_of(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 32);
}

/* A shop of some 60, by day more than by night. */
static void a_minute_of_a_shop(uint32_t minute, uint64_t *state, unsigned char *out) {
  uint32_t wave = minute % DAY < DAY / 2 ? minute % DAY / 12 : (DAY - minute % DAY) / 12;
  uint32_t low = 30 + wave + random_of(state) % 8, high = low + random_of(state) % 8;
  const record r = {.parts = 2,
                    .min = low,
                    .max = high,
                    .mean = (low + high) / 2.0,
                    .ema = 32 + wave + random_of(state) % 8000 / 1000.0};
  record_pack(&r, out);
}

/* ---- series ----------------------------------------------------------------------- */

static void put(series *s, const series_shape *shape, uint32_t at) {
  unsigned char bytes[AU_RECORD_BYTES];
  record_of(at, bytes);
  size_t before = series_bytes(s), growth = series_growth(s, shape, at);
  assert_int_equal(series_put(s, shape, at, bytes), AU_OK);
  assert_true(series_bytes(s) <= before + growth);
}

static bool has(const series *s, const series_shape *shape, uint32_t at) {
  unsigned char bytes[AU_RECORD_BYTES];
  series_read(s, shape, at, 1, bytes);
  if (is_none(bytes)) return false;
  assert_true(is_record(bytes, at));
  return true;
}

static void a_series_keeps_a_day_and_no_more(void **state) {
  (void)state;
  series s = {0};
  for (uint32_t i = 0; i < 4 * DAY; i++) put(&s, &SERIES_MINUTES, NOW + i);
  uint32_t last = NOW + 4 * DAY - 1;
  for (uint32_t i = 0; i < DAY; i++) assert_true(has(&s, &SERIES_MINUTES, last - i));
  assert_false(has(&s, &SERIES_MINUTES, last - DAY - 60));
  assert_false(has(&s, &SERIES_MINUTES, last + 1));
  assert_int_equal(series_blocks(&s), 25);
  unsigned char all[(DAY + 60) * AU_RECORD_BYTES];
  series_read(&s, &SERIES_MINUTES, last - DAY, DAY + 60, all);
  assert_true(is_record(all + AU_RECORD_BYTES, last - DAY + 1));
  assert_true(is_record(all + (size_t)DAY * AU_RECORD_BYTES, last));
  assert_true(is_none(all + (size_t)(DAY + 1) * AU_RECORD_BYTES));
  series_free(&s);
}

static void gaps_and_order(void **state) {
  (void)state;
  series s = {0};
  uint32_t hours = NOW / 60;
  put(&s, &SERIES_HOURS, hours);
  put(&s, &SERIES_HOURS, hours + 1000); /* 41 days of nothing cost nothing */
  assert_int_equal(series_blocks(&s), 2);
  put(&s, &SERIES_HOURS, hours + 500); /* late, in the right place */
  assert_true(has(&s, &SERIES_HOURS, hours) && has(&s, &SERIES_HOURS, hours + 500) &&
              has(&s, &SERIES_HOURS, hours + 1000));
  assert_false(has(&s, &SERIES_HOURS, hours + 501));
  put(&s, &SERIES_HOURS, hours + 92 * 24); /* the first is too old now */
  assert_false(has(&s, &SERIES_HOURS, hours));
  size_t blocks = series_blocks(&s);
  put(&s, &SERIES_HOURS, hours - 24); /* so is this at once */
  assert_int_equal(series_blocks(&s), blocks);
  series_expire(&s, &SERIES_HOURS, hours + 300 * 24);
  assert_int_equal(series_blocks(&s), 0);
  assert_int_equal(series_bytes(&s), 0);
}

/* Blocks behind the newest one are packed: one that gets a late record is unpacked for it. */
static void a_late_record_comes_into_its_block(void **state) {
  (void)state;
  series s = {0};
  for (uint32_t i = 0; i < 300; i += 2) put(&s, &SERIES_MINUTES, NOW + i);
  size_t packed = series_bytes(&s);
  for (uint32_t i = 1; i < 200; i += 2) put(&s, &SERIES_MINUTES, NOW + i);
  for (uint32_t i = 0; i < 300; i++)
    assert_int_equal(has(&s, &SERIES_MINUTES, NOW + i), i < 200 || i % 2 == 0);
  assert_in_range(series_bytes(&s), packed + 1, 2 * packed);
  while (series_blocks(&s) > 0) series_drop_oldest(&s, &SERIES_MINUTES);
  assert_int_equal(series_bytes(&s), 0);
}

static void blocks_that_are_over_are_packed(void **state) {
  (void)state;
  enum { TEN_DAYS = 10 * DAY };
  series minutes = {0}, hours = {0};
  uint64_t numbers = 1;
  for (uint32_t i = 0; i < TEN_DAYS; i++) {
    unsigned char bytes[AU_RECORD_BYTES];
    a_minute_of_a_shop(i, &numbers, bytes);
    assert_int_equal(series_put(&minutes, &SERIES_MINUTES, i, bytes), AU_OK);
    if (i % 60 == 0) assert_int_equal(series_put(&hours, &SERIES_HOURS, i / 60, bytes), AU_OK);
  }
  size_t day = series_bytes(&minutes), ten = series_bytes(&hours);
  print_message("history_table: 25 hours of minutes have %zu bytes, 10 days of hours %zu\n", day,
                ten);
  assert_in_range(day, 1, 25 * 60 * AU_RECORD_BYTES / 2);
  assert_in_range(ten, 1, 10 * 24 * AU_RECORD_BYTES * 3 / 4);
  series_free(&minutes);
  series_free(&hours);
}

/* ---- the table ----------------------------------------------------------------------- */

static void keep(history_table *t, const char *id, uint32_t minute, double activity) {
  unsigned char bytes[AU_RECORD_BYTES], hour[AU_RECORD_BYTES];
  record_of(minute, bytes);
  record_of(minute / 60, hour);
  const au_history_put what = {.minute = minute,
                               .minute_record = bytes,
                               .hour_record = hour,
                               .has_peaks = true,
                               .peaks = {(uint32_t)activity, (uint32_t)activity, minute / DAY},
                               .activity = activity};
  history_table_put(t, slice_of(id), &what);
}

typedef struct known {
  bool minute, hour;
  au_peaks peaks;
  uint64_t today, week;
} known;

static known know(const history_table *t, const char *id, uint32_t minute) {
  unsigned char m[AU_RECORD_BYTES], h[AU_RECORD_BYTES];
  const au_history_ask ask = {minute, 1, minute / 60, 1, minute / DAY};
  au_history_answer answer;
  history_table_get(t, slice_of(id), &ask, m, h, &answer);
  return (known){!is_none(m), !is_none(h), answer.peaks, answer.unique_today, answer.unique_week};
}

static history_table *table_of(size_t max_bytes) {
  history_table *t;
  assert_int_equal(history_table_create(seed, max_bytes, &t), AU_OK);
  return t;
}

static void an_unknown_customer_is_zeros(void **state) {
  (void)state;
  history_table *t = table_of(MB);
  known k = know(t, "shop", NOW);
  assert_false(k.minute || k.hour);
  assert_int_equal(k.peaks.ever + k.peaks.today + k.today + k.week, 0);
  assert_int_equal(history_table_customers(t), 0); /* a question creates nothing */
  history_table_free(t);
}

static void peaks_are_of_a_day(void **state) {
  (void)state;
  history_table *t = table_of(MB);
  uint32_t midnight = (NOW / DAY + 1) * DAY;
  keep(t, "shop", midnight - 2, 50);
  keep(t, "shop", midnight - 1, 20);
  assert_int_equal(know(t, "shop", NOW).peaks.today, 50);
  keep(t, "shop", midnight, 7);
  au_peaks peaks = know(t, "shop", midnight).peaks;
  assert_int_equal(peaks.ever, 50);
  assert_int_equal(peaks.today, 7);
  assert_int_equal(peaks.day, midnight / DAY);
  keep(t, "shop", midnight - 1, 30); /* late: yesterday's */
  assert_int_equal(know(t, "shop", midnight).peaks.today, 7);
  history_table_free(t);
}

static void sessions_are_of_a_day_and_a_week(void **state) {
  (void)state;
  history_table *t = table_of(MB);
  uint32_t today = NOW / DAY;
  for (uint32_t day = today - 9; day <= today; day++)
    for (uint64_t i = 0; i < 100; i++) {
      uint64_t n = (day - today + 9) * 50 + i; /* half of them come again the next day */
      history_table_seen(t, slice_of("shop"), siphash(seed.k0, seed.k1, 0, &n, sizeof n), day);
      history_table_seen(t, slice_of("shop"), siphash(seed.k0, seed.k1, 0, &n, sizeof n), day);
    }
  known k = know(t, "shop", NOW);
  assert_in_range(k.today, 98, 102);
  assert_in_range(k.week, 392, 408); /* 7 days: 6 x 50 + 100 */
  assert_in_range(know(t, "shop", NOW + DAY).week, 343, 357);
  assert_int_equal(know(t, "shop", NOW + DAY).today, 0);
  assert_int_equal(know(t, "shop", NOW + 8 * DAY).week, 0);
  history_table_free(t);
}

static void the_quietest_give_up_their_minutes(void **state) {
  (void)state;
  enum { CUSTOMERS = 60 };
  enum { BYTES = 200 * 1024 };
  history_table *t = table_of(BYTES);
  char id[16];
  for (uint32_t minute = NOW; minute < NOW + DAY; minute++)
    for (uint32_t i = 0; i < CUSTOMERS; i++) {
      snprintf(id, sizeof id, "shop-%u", i);
      keep(t, id, minute, 1 << i % 10);
      assert_true(history_table_bytes(t) <= BYTES - BYTES / 8); /* the rest is for holes */
    }
  unsigned quiet = 0, busy = 0;
  for (uint32_t i = 0; i < CUSTOMERS; i++) {
    snprintf(id, sizeof id, "shop-%u", i);
    known k = know(t, id, NOW + DAY - 1);
    assert_true(k.hour); /* nobody is without hours */
    assert_int_equal(k.minute,
                     !history_table_is_hours_only(t, id[0] ? slice_of(id) : slice_of("")));
    if (i % 10 < 3) quiet += k.minute;
    if (i % 10 > 6) busy += k.minute;
  }
  print_message("history_table: of 18 quiet and 18 busy ones %u and %u keep minutes\n", quiet,
                busy);
  assert_true(quiet < 4 && busy > 8);
  history_table_free(t);
}

static void more_customers_than_fit(void **state) {
  (void)state;
  history_table *t = table_of(64 * 1024);
  char id[16];
  for (uint32_t minute = NOW; minute < NOW + 10; minute++)
    for (uint32_t i = 0; i < 1000; i++) {
      snprintf(id, sizeof id, "shop-%u", i);
      keep(t, id, minute, i);
      uint64_t n = i * 1000 + minute;
      history_table_seen(t, slice_of(id), siphash(seed.k0, seed.k1, 0, &n, sizeof n), minute / DAY);
      assert_true(history_table_bytes(t) <= 64 * 1024);
    }
  assert_true(history_table_customers(t) > 50);
  assert_true(know(t, "shop-999", NOW + 9).hour); /* the busiest is there */
  history_table_free(t);
}

/* Sessions come before the first minute is over. */
static void a_new_customer_is_not_idle(void **state) {
  (void)state;
  history_table *t = table_of(MB);
  history_table_seen(t, slice_of("new"), 12345, NOW / DAY);
  for (uint32_t i = 0; i < 5; i++) keep(t, "shop", NOW + i, 5);
  assert_int_equal(know(t, "new", NOW).today, 1);
  history_table_free(t);
}

static void the_idle_are_forgotten(void **state) {
  (void)state;
  history_table *t = table_of(MB);
  keep(t, "gone", NOW, 5);
  size_t one = history_table_bytes(t);
  for (uint32_t minute = NOW; minute < NOW + 100 * DAY; minute += 30) keep(t, "shop", minute, 5);
  assert_int_equal(history_table_customers(t), 1);
  assert_int_equal(know(t, "gone", NOW).peaks.ever, 0);
  assert_true(history_table_bytes(t) > one);
  history_table_free(t);
}

#if !defined(__SANITIZE_ADDRESS__) /* whose allocator has another mallinfo: make history-memory */
enum { CUSTOMERS = 50, DAYS = 92 };

/* Numbers that are nowhere alike. */
static void a_minute_of_noise(uint32_t minute, uint64_t *state, unsigned char *out) {
  (void)minute;
  for (int i = 0; i < AU_RECORD_BYTES; i++) out[i] = (unsigned char)random_of(state);
}

typedef void (*minute_fn)(uint32_t minute, uint64_t *state, unsigned char *out);

/* Bytes that the process allocates for a customer in full; what the table says is as much. */
static size_t bytes_in_full(const char *name, minute_fn make, uint32_t sessions) {
  history_table *t = table_of((size_t)1024 * MB);
  char id[16];
  unsigned char minute_record[AU_RECORD_BYTES], hour_record[AU_RECORD_BYTES];
  uint64_t state = 1;
  size_t before = mallinfo2().uordblks;
  for (uint32_t minute = 0; minute < DAYS * DAY; minute += minute < (DAYS - 2) * DAY ? 60 : 1)
    for (uint32_t i = 0; i < CUSTOMERS; i++) {
      snprintf(id, sizeof id, "shop-%010u", i);
      make(minute, &state, minute_record);
      make(minute, &state, hour_record);
      const au_history_put what = {.minute = NOW + minute,
                                   .minute_record = minute_record,
                                   .hour_record = hour_record,
                                   .activity = 5};
      history_table_put(t, slice_of(id), &what);
      for (uint32_t n = 0; minute % DAY == 0 && n < sessions; n++) {
        uint64_t hash = (uint64_t)random_of(&state) << 32 | random_of(&state);
        history_table_seen(t, slice_of(id), hash, (NOW + minute) / DAY);
      }
    }
  size_t used = mallinfo2().uordblks - before, said = history_table_bytes(t);
  print_message("history_table: %s: a customer in full has %zu bytes, the table says %zu\n", name,
                used / CUSTOMERS, said / CUSTOMERS);
  assert_in_range(said, used * 97 / 100, used * 105 / 100);
  history_table_free(t);
  return used / CUSTOMERS;
}

/* What the table counts is what the process allocates. Small blocks that malloc keeps to give them
 * out again must be off, for it counts them as in use. */
static void bytes_are_those_of_the_process(void **state) {
  (void)state;
  assert_in_range(bytes_in_full("a shop", a_minute_of_a_shop, 0), 1, 25000);
  assert_in_range(bytes_in_full("100 sessions a day", a_minute_of_a_shop, 100), 1, 28000);
  assert_in_range(bytes_in_full("1,000 sessions a day", a_minute_of_a_shop, 1000), 1, 45000);
  assert_in_range(bytes_in_full("20,000 sessions a day", a_minute_of_a_shop, 20000), 1, 115000);
  assert_in_range(bytes_in_full("numbers nowhere alike", a_minute_of_noise, 0), 1, 50000);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_series_keeps_a_day_and_no_more),
    cmocka_unit_test(gaps_and_order),
    cmocka_unit_test(a_late_record_comes_into_its_block),
    cmocka_unit_test(blocks_that_are_over_are_packed),
    cmocka_unit_test(an_unknown_customer_is_zeros),
    cmocka_unit_test(peaks_are_of_a_day),
    cmocka_unit_test(sessions_are_of_a_day_and_a_week),
    cmocka_unit_test(the_quietest_give_up_their_minutes),
    cmocka_unit_test(more_customers_than_fit),
    cmocka_unit_test(a_new_customer_is_not_idle),
    cmocka_unit_test(the_idle_are_forgotten),
#if !defined(__SANITIZE_ADDRESS__)
    cmocka_unit_test(bytes_are_those_of_the_process),
#endif
  };
  return cmocka_run_group_tests_name("history_table", tests, NULL, NULL);
}

/* Fills the history in memory with the minutes of many customers, as a daemon would in so many
 * hours, and prints what that took: by the table's own word, and of this process. */
#include "adapters/memory/history/history_table.h"
#include "proc.h"
#include "services/history/record.h"
#include "utils/buffer.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  DAY = 24 * 60,
  BEGIN = 20000 * DAY,
  FINE_MINUTES = 26 * 60, /* the last ones; before, the end of each hour is enough */
  DAYS_OF_SESSIONS = 8,
  SESSIONS_MAX = 1000000,
  ID_BYTES = 32,
  LARGE_BYTES = 4096, /* as in the daemon: a mapping of its own for each larger block */
};

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % limit;
}

static uint64_t random_hash(void) {
  uint64_t high = random_below(UINT32_C(1) << 31), low = random_below(UINT32_C(1) << 31);
  return (high << 33) ^ (low << 11) ^ random_below(1 << 12);
}

static uint64_t resident_bytes(void) {
  uint64_t bytes;
  return proc_rss_bytes(getpid(), &bytes) == AU_OK ? bytes : 0;
}

/* A shop of 5 to 100 people, twice as many by day as by night, up and down from minute to minute.
 */
static record minute_of(uint32_t customer, uint32_t minute) {
  uint32_t people = 5 + customer % 96, of_day = minute % DAY;
  uint32_t wave = of_day < DAY / 2 ? of_day : DAY - of_day;
  uint32_t usual = people + people * wave / DAY, noise = 1 + usual / 4;
  uint32_t low = usual + random_below(noise), high = low + random_below(noise);
  return (record){.parts = 2,
                  .min = low,
                  .max = high,
                  .mean = (low + high) / 2.0,
                  .ema = usual + random_below(1000 * noise) / 1000.0};
}

static void add_minute(history_table *t, au_slice id, uint32_t customer, uint32_t minute) {
  unsigned char bytes[2][AU_RECORD_BYTES];
  record one = minute_of(customer, minute), hour = minute_of(customer, minute / 60 * 60);
  hour.parts = minute % 60 + 1;
  hour.mean += random_below(1000) / 1000.0;
  record_pack(&one, bytes[0]);
  record_pack(&hour, bytes[1]);
  const au_history_put what = {.minute = minute,
                               .minute_record = bytes[0],
                               .hour_record = bytes[1],
                               .has_peaks = true,
                               .peaks = {one.max, one.max, minute / DAY},
                               .activity = one.mean};
  history_table_put(t, id, &what);
}

/* Those of a day come over its hours. */
static void add_sessions(history_table *t, au_slice id, uint32_t minute, uint32_t step,
                         uint32_t sessions) {
  uint32_t before = (uint32_t)((uint64_t)sessions * (minute % DAY) / DAY);
  uint32_t after = (uint32_t)((uint64_t)sessions * (minute % DAY + step) / DAY);
  for (; before < after; before++) history_table_seen(t, id, random_hash(), minute / DAY);
}

static void fill(history_table *t, uint32_t customers, uint32_t minutes, uint32_t sessions) {
  char id[ID_BYTES];
  for (uint32_t at = 0, step; at < minutes; at += step) {
    step = minutes - at > FINE_MINUTES ? 60 : 1;
    bool has_sessions = minutes - at <= DAYS_OF_SESSIONS * DAY;
    for (uint32_t i = 0; i < customers; i++) {
      snprintf(id, sizeof id, "shop-%010u", i);
      add_minute(t, slice_of(id), i, BEGIN + at + step - 1);
      if (has_sessions) add_sessions(t, slice_of(id), BEGIN + at, step, sessions);
    }
  }
}

static uint32_t count_with_minutes(const history_table *t, uint32_t customers) {
  char id[ID_BYTES];
  uint32_t n = 0;
  for (uint32_t i = 0; i < customers; i++) {
    snprintf(id, sizeof id, "shop-%010u", i);
    n += !history_table_is_hours_only(t, slice_of(id));
  }
  return n;
}

static uint32_t number_of(const char *text, uint32_t max) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value > max) {
    fprintf(stderr, "fill-history: %s is no number up to %u\n", text, max);
    exit(2);
  }
  return (uint32_t)value;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fputs("Usage: fill-history CUSTOMERS HOURS SESSIONS-A-DAY MAX-MB\n", stderr);
    return 2;
  }
  uint32_t customers = number_of(argv[1], 1000000), hours = number_of(argv[2], 100 * 24);
  uint32_t sessions = number_of(argv[3], SESSIONS_MAX), max_mb = number_of(argv[4], 1 << 20);
  (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
  const map_seed seed = {1, 2};
  history_table *t;
  uint64_t before = resident_bytes();
  if (history_table_create(seed, (size_t)max_mb << 20, &t) != AU_OK) return 1;
  fill(t, customers, hours * 60, sessions);
  printf("{\"table_bytes\":%zu,\"resident_bytes\":%llu,\"customers\":%zu,\"with_minutes\":%u}\n",
         history_table_bytes(t), (unsigned long long)(resident_bytes() - before),
         history_table_customers(t), count_with_minutes(t, customers));
  history_table_free(t);
  return 0;
}

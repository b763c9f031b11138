/* Tests of the hash table: its hash, and its steps at every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const map_seed seed = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

typedef struct entry {
  map_node node;
  uint32_t key;
  bool in_map;
} entry;

static bool entry_eq(const map_node *node, const void *key) {
  return ((const entry *)node)->key == *(const uint32_t *)key;
}

static map *new_map(void) {
  map *m = NULL;
  assert_int_equal(map_create(seed, &m), AU_OK);
  return m;
}

/* How an entry is hashed: 0 makes all collide. */
static uint32_t hash_of(const map *m, uint32_t key, uint32_t mask) {
  return map_hash(m, &key, sizeof key, 0) & mask;
}

static entry *find(const map *m, uint32_t key, uint32_t mask) {
  return (entry *)map_find(m, hash_of(m, key, mask), entry_eq, &key);
}

static void insert(map *m, entry *e, uint32_t mask) {
  map_insert(m, &e->node, hash_of(m, e->key, mask));
  e->in_map = true;
}

static void remove_entry(map *m, entry *e) {
  map_remove(m, &e->node);
  e->in_map = false;
}

/* The vectors of the authors' reference (vectors.h): key 00..0f, message 00..n-1.
 * The first 8 bytes of the message are the salt; map_hash gives the low half. */
static void hash_is_the_published_siphash_2_4(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t bytes;
    uint32_t want;
  } cases[] = {
      {"8 bytes: the salt alone", 8, 0x9a932462},
      {"9 bytes", 9, 0x0ba9e4b0},
      {"15 bytes: the example of the paper", 15, 0x49be45e5},
      {"16 bytes: whole words", 16, 0x57c29bdb},
      {"20 bytes", 20, 0x1aa2ee98},
      {"63 bytes", 63, 0xeb064572},
  };
  map *m = new_map();
  unsigned char message[64];
  for (unsigned i = 0; i < sizeof message; i++) message[i] = (unsigned char)i;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint32_t got = map_hash(m, message + 8, cases[i].bytes - 8, 0x0706050403020100);
    if (got != cases[i].want) fail_msg("%s: %08x", cases[i].name, got);
  }
  map_free(m);
}

static void hash_depends_on_seed_salt_and_length(void **state) {
  (void)state;
  map *m = new_map(), *other = NULL;
  assert_int_equal(map_create((map_seed){1, 2}, &other), AU_OK);
  assert_int_not_equal(map_hash(m, "shop", 4, 0), map_hash(other, "shop", 4, 0));
  assert_int_not_equal(map_hash(m, "shop", 4, 0), map_hash(m, "shop", 4, 1));
  assert_int_not_equal(map_hash(m, "\0", 1, 0), map_hash(m, "\0\0", 2, 0));
  assert_int_equal(map_hash(m, NULL, 0, 5), map_hash(m, "", 0, 5));
  map_free(m);
  map_free(other);
}

static void an_empty_map(void **state) {
  (void)state;
  map *m = new_map();
  assert_int_equal(map_count(m), 0);
  assert_null(map_any(m));
  assert_null(find(m, 1, UINT32_MAX));
  map_free(m);
  map_free(NULL);
}

/* Up to `n` entries and down again; after each step some are looked up, among them
 * one in the buckets that are being moved and one that is not in the map. */
static void grow_and_shrink(uint32_t n, uint32_t mask) {
  map *m = new_map();
  entry *entries = calloc(n, sizeof *entries);
  assert_non_null(entries);
  for (uint32_t i = 0; i < n; i++) {
    entries[i].key = i;
    insert(m, &entries[i], mask);
    assert_int_equal(map_count(m), i + 1);
    uint32_t probes[] = {0, i, i / 2, (uint32_t)((uint64_t)i * 2654435761u % (i + 1))};
    for (size_t p = 0; p < sizeof probes / sizeof probes[0]; p++)
      assert_ptr_equal(find(m, probes[p], mask), &entries[probes[p]]);
    assert_null(find(m, i + 1, mask));
  }
  for (uint32_t i = 0; i < n; i++) assert_ptr_equal(find(m, i, mask), &entries[i]);
  for (uint32_t i = 0; i < n; i++) {
    remove_entry(m, &entries[i]);
    assert_int_equal(map_count(m), n - i - 1);
    assert_null(find(m, i, mask));
    if (i + 1 == n) break;
    uint32_t probes[] = {i + 1, n - 1, i + 1 + (n - i - 1) / 2};
    for (size_t p = 0; p < sizeof probes / sizeof probes[0]; p++)
      assert_ptr_equal(find(m, probes[p], mask), &entries[probes[p]]);
  }
  assert_null(map_any(m));
  map_free(m);
  free(entries);
}

static void grows_to_200000_and_back(void **state) {
  (void)state;
  grow_and_shrink(200000, UINT32_MAX);
}

static void a_flood_of_equal_hashes_is_slow_but_right(void **state) {
  (void)state;
  grow_and_shrink(1000, 0);
  grow_and_shrink(5000, 0x3f);
}

/* Entries come and go around the sizes where rehashes begin, against a flag each. */
static void random_walk_agrees_with_a_flag(void **state) {
  (void)state;
  enum { ENTRIES = 3000, STEPS = 300000 };
  unsigned random_seed = 20240611;
  printf("random walk: seed %u\n", random_seed);
  srand(random_seed);
  map *m = new_map();
  entry *entries = calloc(ENTRIES, sizeof *entries);
  assert_non_null(entries);
  for (uint32_t i = 0; i < ENTRIES; i++) entries[i].key = i;
  size_t count = 0, target = 0;
  for (int step = 0; step < STEPS; step++) {
    if (step % 5000 == 0) target = (size_t)rand() % 5 * ENTRIES / 4;
    entry *e = &entries[rand() % ENTRIES];
    if (count < target ? e->in_map : !e->in_map) {
      assert_ptr_equal(find(m, e->key, UINT32_MAX), e->in_map ? e : NULL);
    } else if (count < target) {
      insert(m, e, UINT32_MAX);
      count++;
    } else {
      remove_entry(m, e);
      count--;
    }
    assert_int_equal(map_count(m), count);
    if (step % 10000 == 0)
      for (uint32_t i = 0; i < ENTRIES; i++)
        assert_ptr_equal(find(m, i, UINT32_MAX), entries[i].in_map ? &entries[i] : NULL);
  }
  map_free(m);
  free(entries);
}

/* Begun at every size up to 3000, so that it meets each stage of a rehash. */
static void any_empties_the_map(void **state) {
  (void)state;
  enum { MOST = 3000 };
  entry *entries = calloc(MOST, sizeof *entries);
  assert_non_null(entries);
  for (uint32_t n = 1; n <= MOST; n += n < 100 ? 1 : 97) {
    map *m = new_map();
    for (uint32_t i = 0; i < n; i++) {
      entries[i].key = i;
      insert(m, &entries[i], UINT32_MAX);
    }
    size_t removed = 0;
    for (map_node *node; (node = map_any(m)); removed++) {
      assert_true(((entry *)node)->in_map);
      remove_entry(m, (entry *)node);
    }
    assert_int_equal(removed, n);
    assert_int_equal(map_count(m), 0);
    map_free(m);
  }
  free(entries);
}

/* ---- scans ---------------------------------------------------------------- */

enum { SCANNED = 3000 };

static unsigned scanned[2 * SCANNED];

static void on_scanned(void *arg, map_node *node) {
  (void)arg;
  scanned[((entry *)node)->key]++;
}

/* The table grows or shrinks to another size in the middle of a scan, as often as it can. */
static void a_scan_meets_all_that_stays(void **state) {
  (void)state;
  static const struct {
    const char *name;
    uint32_t stays, more; /* entries from the start, and ones that come or go meanwhile */
    bool come;
    unsigned every; /* steps of the scan, after which one comes or goes */
  } cases[] = {
      {"nothing changes", SCANNED, 0, true, 1},
      {"none", 0, 0, true, 1},
      {"one", 1, 0, true, 1},
      {"it grows", 100, SCANNED, true, 1},
      {"it grows slowly", 1000, 300, true, 5},
      {"it shrinks", 50, SCANNED, false, 1},
      {"it shrinks fast", 500, SCANNED, false, 0},
  };
  static entry entries[2 * SCANNED];
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    map *m = new_map();
    uint32_t all = cases[c].stays + cases[c].more, next = cases[c].stays;
    memset(scanned, 0, sizeof scanned);
    for (uint32_t i = 0; i < all; i++) {
      entries[i] = (entry){.key = i};
      if (i < cases[c].stays || !cases[c].come) insert(m, &entries[i], UINT32_MAX);
    }
    uint64_t cursor = 0;
    unsigned steps = 0;
    do {
      cursor = map_scan(m, cursor, on_scanned, NULL);
      unsigned n = cases[c].every == 0 ? 8 : ++steps % cases[c].every == 0;
      for (; n > 0 && next < all; n--, next++) {
        if (cases[c].come)
          insert(m, &entries[next], UINT32_MAX);
        else
          remove_entry(m, &entries[next]);
      }
    } while (cursor != 0);
    for (uint32_t i = 0; i < cases[c].stays; i++)
      if (scanned[i] == 0 || (cases[c].more == 0 && scanned[i] > 1))
        fail_msg("%s: %u was met %u times", cases[c].name, (unsigned)i, scanned[i]);
    map_free(m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_scan_meets_all_that_stays),
      cmocka_unit_test(hash_is_the_published_siphash_2_4),
      cmocka_unit_test(hash_depends_on_seed_salt_and_length),
      cmocka_unit_test(an_empty_map),
      cmocka_unit_test(grows_to_200000_and_back),
      cmocka_unit_test(a_flood_of_equal_hashes_is_slow_but_right),
      cmocka_unit_test(random_walk_agrees_with_a_flag),
      cmocka_unit_test(any_empties_the_map),
  };
  return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}

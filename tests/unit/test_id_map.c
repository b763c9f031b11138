/* Tests of the map of entries with ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utils/buffer.h"
#include "utils/id_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
  map_node node;
  unsigned value;
} entry;

static int set_up(void **state) {
  id_map *m = calloc(1, sizeof *m);
  *state = m;
  return !m || id_map_init(m, (map_seed){1, 2}, sizeof(entry)) != AU_OK;
}

static int tear_down(void **state) {
  id_map_free(*state);
  free(*state);
  return 0;
}

static au_slice numbered(char text[16], unsigned i) {
  snprintf(text, 16, "id-%u", i);
  return slice_of(text);
}

static void what_is_added_is_found_by_its_id(void **state) {
  id_map *m = *state;
  assert_null(id_map_find(m, slice_of("a")));
  entry *a = id_map_add(m, slice_of("a"));
  assert_non_null(a);
  assert_int_equal(a->value, 0);
  assert_ptr_equal(id_map_find(m, slice_of("a")), a);
  assert_null(id_map_find(m, slice_of("b")));
  assert_null(id_map_find(m, slice_of("aa")));
  assert_int_equal(id_map_count(m), 1);
}

static void the_id_is_a_copy(void **state) {
  id_map *m = *state;
  char text[] = "shop";
  entry *e = id_map_add(m, slice_of(text));
  text[0] = 'c';
  assert_true(slice_eq(id_map_id(e), slice_of("shop")));
  assert_ptr_equal(id_map_find(m, slice_of("shop")), e);
}

static void ids_are_any_bytes(void **state) {
  id_map *m = *state;
  char longest[ID_MAP_KEY_MAX + 1];
  memset(longest, 'x', sizeof longest);
  const au_slice ids[] = {{NULL, 0}, {"\0", 1}, {"\0\0", 2}, {longest, ID_MAP_KEY_MAX}};
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    entry *e = id_map_add(m, ids[i]);
    assert_non_null(e);
    e->value = (unsigned)i;
  }
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    const entry *e = id_map_find(m, ids[i]);
    assert_non_null(e);
    assert_int_equal(e->value, i);
    assert_true(slice_eq(id_map_id(e), ids[i]));
  }
  assert_null(id_map_add(m, (au_slice){longest, sizeof longest}));
}

static void what_is_taken_out_is_the_callers(void **state) {
  id_map *m = *state;
  entry *e = id_map_add(m, slice_of("a"));
  id_map_remove(m, e);
  assert_null(id_map_find(m, slice_of("a")));
  assert_true(slice_eq(id_map_id(e), slice_of("a")));
  free(e);
  assert_int_equal(id_map_count(m), 0);
  assert_null(id_map_any(m));
}

static void many_come_and_go(void **state) {
  id_map *m = *state;
  enum { MANY = 5000 };
  char text[16];
  for (unsigned i = 0; i < MANY; i++) {
    entry *e = id_map_add(m, numbered(text, i));
    assert_non_null(e);
    e->value = i;
  }
  for (unsigned i = 0; i < MANY; i += 2) id_map_drop(m, id_map_find(m, numbered(text, i)));
  assert_int_equal(id_map_count(m), MANY / 2);
  for (unsigned i = 0; i < MANY; i++) {
    const entry *e = id_map_find(m, numbered(text, i));
    assert_int_equal(e != NULL, i % 2);
    if (e) assert_int_equal(e->value, i);
  }
}

/* The sanitizer sees what would be left. */
static void free_takes_all_entries_along(void **state) {
  id_map *m = *state;
  char text[16];
  for (unsigned i = 0; i < 100; i++) assert_non_null(id_map_add(m, numbered(text, i)));
  id_map_free(m);
  id_map_free(m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(what_is_added_is_found_by_its_id),
      TEST(the_id_is_a_copy),
      TEST(ids_are_any_bytes),
      TEST(what_is_taken_out_is_the_callers),
      TEST(many_come_and_go),
      TEST(free_takes_all_entries_along),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

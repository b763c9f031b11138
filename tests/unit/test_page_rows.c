/* What daemons tell each other of pages, and what other programs may have written there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapters/fallback/page_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW(name, n, v) \
  { {name, sizeof name - 1}, n, v }

static page_sum *sum_create(void) {
  page_sum *sum = calloc(1, sizeof *sum);
  sum->rows = calloc(PAGE_ROWS_SUM_MAX, sizeof *sum->rows);
  return sum;
}

static void sum_free(page_sum *sum) {
  free(sum->rows);
  free(sum);
}

static void what_is_printed_is_read(void **state) {
  (void)state;
  au_page_count rows[] = {ROW("/a", 1, 0), ROW("/b c", 5, 2), ROW("/", 3, 3)};
  const au_breakdown own = {
      .pages = rows, .n = 3, .other = 7, .visible = 11, .hidden = UINT32_MAX - 1};
  buffer totals = {.max_bytes = PAGE_ROWS_TEXT_MAX}, text = {.max_bytes = PAGE_ROWS_TEXT_MAX};
  page_rows_print_totals(&totals, &own);
  page_rows_print(&text, &own, rows);
  assert_true(slice_eq(buffer_slice(&totals), slice_of("11 4294967294")));
  assert_true(slice_eq(buffer_slice(&text), slice_of("7\n5 2 /b c\n3 3 /\n1 0 /a\n")));
  page_sum *sum = sum_create();
  page_sum_add(sum, &own);
  page_sum_add_totals(sum, buffer_slice(&totals));
  page_sum_add_rows(sum, buffer_slice(&text));
  page_sum_end(sum);
  assert_int_equal(sum->total.visible, 22);
  assert_int_equal(sum->total.other, 14);
  assert_int_equal(sum->total.n, 3);
  assert_true(slice_eq(sum->total.pages[2].page, slice_of("/b c")));
  assert_int_equal(sum->total.pages[2].count, 10);
  assert_int_equal(sum->total.pages[2].visible, 4);
  sum_free(sum);
  buffer_free(&totals);
  buffer_free(&text);
}

/* Those with most sessions are told, and none is lost. */
static void what_does_not_fit_is_other(void **state) {
  (void)state;
  enum { N = AU_PAGE_NAMES_MAX };
  static char names[N][AU_PATH_MAX];
  static au_page_count rows[N];
  uint64_t all = 0;
  for (int i = 0; i < N; i++) {
    memset(names[i], 'x', AU_PATH_MAX);
    snprintf(names[i], AU_PATH_MAX, "/%d", i);
    names[i][strlen(names[i])] = '-';
    rows[i] = (au_page_count){{names[i], AU_PATH_MAX}, (uint32_t)(i * 7919 % N), 0};
    all += rows[i].count;
  }
  const au_breakdown own = {.pages = rows, .n = N};
  buffer text = {.max_bytes = PAGE_ROWS_TEXT_MAX};
  page_rows_print(&text, &own, rows);
  assert_false(text.failed);
  assert_true(text.len > PAGE_ROWS_TEXT_MAX / 2);
  page_sum *sum = sum_create();
  page_sum_add_rows(sum, buffer_slice(&text));
  page_sum_end(sum);
  uint64_t told = sum->total.other;
  for (size_t i = 0; i < sum->total.n; i++) {
    told += sum->total.pages[i].count;
    assert_true(sum->total.pages[i].count >= N - sum->total.n);
  }
  assert_int_equal(told, all);
  sum_free(sum);
  buffer_free(&text);
}

static void a_sum_of_many_daemons_is_bounded(void **state) {
  (void)state;
  static char texts[PAGE_ROWS_SUM_MAX][40];
  page_sum *sum = sum_create();
  for (int i = 0; i < PAGE_ROWS_SUM_MAX; i++) {
    snprintf(texts[i], sizeof texts[i], "0\n1 1 /%d\n2 0 /same\n", i);
    page_sum_add_rows(sum, slice_of(texts[i]));
  }
  page_sum_end(sum);
  assert_int_equal(sum->total.n, PAGE_ROWS_SUM_MAX / 2 + 1);
  assert_int_equal(sum->total.other, 3 * (PAGE_ROWS_SUM_MAX / 2));
  sum_free(sum);
}

static void odd_texts_count_what_can_be_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint32_t other;
    size_t n;
  } cases[] = {
      {"", 0, 0},
      {"\n", 0, 0},
      {"x\n1 1 /a\n", 0, 0},
      {"-1\n1 1 /a\n", 0, 0},
      {"4294967296\n1 1 /a\n", 0, 0},
      {"3", 3, 0},
      {"3\n1 1 \n", 3, 0},
      {"3\n1 1\n", 3, 0},
      {"3\n1 /a\n", 3, 0},
      {"3\n1 1 /a\n\n1 1 /b\n", 3, 1},
      {"3\n1 1 /a", 3, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    page_sum *sum = sum_create();
    page_sum_add_rows(sum, slice_of(cases[i].text));
    page_sum_end(sum);
    if (sum->total.other != cases[i].other || sum->total.n != cases[i].n)
      fail_msg("%s: %u, %zu", cases[i].text, sum->total.other, sum->total.n);
    sum_free(sum);
  }
  page_sum *sum = sum_create();
  for (const char **text = (const char *[]){"", "1", "1 ", "a 1", "1 -1", "1 99999999999", NULL};
       *text; text++)
    page_sum_add_totals(sum, slice_of(*text));
  assert_int_equal(sum->total.visible + sum->total.hidden, 0);
  sum_free(sum);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_printed_is_read),
      cmocka_unit_test(what_does_not_fit_is_other),
      cmocka_unit_test(a_sum_of_many_daemons_is_bounded),
      cmocka_unit_test(odd_texts_count_what_can_be_read),
  };
  return cmocka_run_group_tests_name("page_rows", tests, NULL, NULL);
}

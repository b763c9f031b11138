/* Rows of pages as text and back. */
#include "page_rows.h"

#include <inttypes.h>
#include <stdlib.h>

enum { COUNT_DIGITS_MAX = 10 };

void page_rows_print_totals(buffer *out, const au_breakdown *own) {
  buffer_append_format(out, "%" PRIu32 " %" PRIu32, own->visible, own->hidden);
}

static int by_count(const void *a, const void *b) {
  uint32_t x = ((const au_page_count *)a)->count, y = ((const au_page_count *)b)->count;
  return (x < y) - (x > y);
}

/* A row of the longest page and counts. */
enum { ROW_MAX = AU_PATH_MAX + 2 * (COUNT_DIGITS_MAX + 1) + 1 };

void page_rows_print(buffer *out, const au_breakdown *own, au_page_count *rows) {
  uint32_t other = own->other;
  size_t n = own->n, bytes = ROW_MAX, fit = 0;
  qsort(rows, n, sizeof *rows, by_count);
  while (fit < n && bytes + ROW_MAX <= PAGE_ROWS_TEXT_MAX)
    bytes += rows[fit++].page.len + ROW_MAX - AU_PATH_MAX;
  for (size_t i = fit; i < n; i++) other += rows[i].count;
  buffer_append_format(out, "%" PRIu32 "\n", other);
  for (size_t i = 0; i < fit; i++) {
    buffer_append_format(out, "%" PRIu32 " %" PRIu32 " ", rows[i].count, rows[i].visible);
    buffer_append_slice(out, rows[i].page);
    buffer_append_text(out, "\n");
  }
}

static bool take_number(au_slice *rest, char separator, uint32_t *out) {
  au_slice word;
  uint64_t number;
  if (!slice_next(rest, separator, &word) || !slice_digits(word, COUNT_DIGITS_MAX, &number) ||
      number > UINT32_MAX)
    return false;
  *out = (uint32_t)number;
  return true;
}

static void add_row(page_sum *sum, const au_page_count *row) {
  if (sum->n < PAGE_ROWS_SUM_MAX)
    sum->rows[sum->n++] = *row;
  else
    sum->total.other += row->count;
}

void page_sum_add(page_sum *sum, const au_breakdown *own) {
  sum->total.visible += own->visible;
  sum->total.hidden += own->hidden;
  if (!sum->rows) return;
  sum->total.other += own->other;
  for (size_t i = 0; i < own->n; i++) add_row(sum, &own->pages[i]);
}

void page_sum_add_totals(page_sum *sum, au_slice text) {
  uint32_t visible, hidden;
  if (!take_number(&text, ' ', &visible) || !take_number(&text, ' ', &hidden)) return;
  sum->total.visible += visible;
  sum->total.hidden += hidden;
}

void page_sum_add_rows(page_sum *sum, au_slice text) {
  uint32_t other;
  au_slice line;
  if (!take_number(&text, '\n', &other)) return;
  sum->total.other += other;
  while (slice_next(&text, '\n', &line)) {
    au_page_count row;
    if (!take_number(&line, ' ', &row.count) || !take_number(&line, ' ', &row.visible) ||
        line.len == 0 || line.len > AU_PATH_MAX)
      return;
    row.page = line;
    add_row(sum, &row);
  }
}

static int by_page(const void *a, const void *b) {
  return slice_compare(((const au_page_count *)a)->page, ((const au_page_count *)b)->page);
}

void page_sum_end(page_sum *sum) {
  au_page_count *rows = sum->rows;
  size_t n = 0;
  if (rows) qsort(rows, sum->n, sizeof *rows, by_page);
  for (size_t i = 0; rows && i < sum->n; i++) {
    if (n > 0 && slice_eq(rows[n - 1].page, rows[i].page)) {
      rows[n - 1].count += rows[i].count;
      rows[n - 1].visible += rows[i].visible;
    } else {
      rows[n++] = rows[i];
    }
  }
  sum->total.pages = rows;
  sum->total.n = sum->n = n;
}

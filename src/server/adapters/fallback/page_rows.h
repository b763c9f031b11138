/* What daemons tell each other of the pages of a customer, as text, and the sum of it. Pure: knows
 * neither the table nor the shared store.
 *
 * Totals are "visible hidden". Rows are the number of sessions whose page is none of them, then
 * "count visible page" for each page, a line each: a page has no control characters. */
#ifndef ADAPTERS_FALLBACK_PAGE_ROWS_H
#define ADAPTERS_FALLBACK_PAGE_ROWS_H

#include <active_users/store.h>

#include "utils/buffer.h"

enum {
  PAGE_ROWS_TEXT_MAX = 16000, /* bytes; what does not fit is counted as `other` */
  PAGE_ROWS_SUM_MAX = 8000,   /* rows of all daemons; likewise */
};

void page_rows_print_totals(buffer *out, const au_breakdown *own);

/* rows  of `own`; sorted by it, so that those with most sessions are told. */
void page_rows_print(buffer *out, const au_breakdown *own, au_page_count *rows);

/* The sum of what daemons tell. */
typedef struct page_sum {
  au_breakdown total;  /* its pages are `rows` once page_sum_end has run */
  au_page_count *rows; /* of PAGE_ROWS_SUM_MAX; NULL: pages are not asked for */
  size_t n;
} page_sum;

/* The pages of `own` and of texts are borrowed until the sum is read. */
void page_sum_add(page_sum *sum, const au_breakdown *own);
/* What another program wrote and is none of these texts counts nothing. */
void page_sum_add_totals(page_sum *sum, au_slice text);
void page_sum_add_rows(page_sum *sum, au_slice text);
/* Each page once. */
void page_sum_end(page_sum *sum);

#endif

/* Pages of what is in the presence table, for operators. Unlike a walk, a scan keeps nothing
 * between two pages. */
#ifndef ADAPTERS_PRESENCE_SCAN_H
#define ADAPTERS_PRESENCE_SCAN_H

#include "presence_table.h"

/* Answers at once with the page that `what` asks for. Looks at a bounded part of the table for
 * each, so a page may be empty. */
void presence_scan(const presence_table *table, const au_listing *what, int64_t now_ms,
                   au_page_fn cb, void *arg);

/* Answers as au_store.breakdown, before it returns; stale: as of au_breakdown. */
void presence_scan_pages(presence_table *t, au_slice customer_id, bool with_pages, bool stale,
                         int64_t now_ms, au_breakdown_fn cb, void *arg);

#endif

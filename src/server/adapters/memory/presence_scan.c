/* Scans of the presence table's maps. */
#include "presence_scan.h"

#include "presence_private.h"
#include "utils/buffer.h"

enum { SCAN_BUCKETS = 32 }; /* of one page: some 10 us with as many sessions */

typedef struct scan {
  au_slice customer_id; /* empty: any */
  int64_t now_ms;
  au_slice customers[AU_PAGE_MAX];
  au_live sessions[AU_PAGE_MAX];
  size_t n;
} scan;

static void take(scan *found, const presence_live *live) {
  int64_t ago_ms = found->now_ms - live->renewed_ms;
  found->sessions[found->n++] = (au_live){.beat = live->beat,
                                          .renewed_ago_ms = ago_ms > 0 ? ago_ms : 0,
                                          .left_ms = live->deadline_ms - found->now_ms};
}

/* Only in a table that could not grow for lack of memory more than a page meet in one bucket: the
 * last are left out then. */
static void on_session(void *arg, map_node *node) {
  scan *found = arg;
  const session *s = (const session *)node;
  if (found->n == AU_PAGE_MAX || s->deadline.at_ms <= found->now_ms) return;
  if (found->customer_id.len > 0 && !slice_eq(id_map_id(s->owner), found->customer_id)) return;
  presence_live live;
  presence_live_read(s, &live);
  take(found, &live);
}

static void on_customer(void *arg, map_node *node) {
  scan *found = arg;
  if (found->n < AU_PAGE_MAX) found->customers[found->n++] = id_map_id(node);
}

static void find_one(const presence_table *t, scan *found, const au_listing *what) {
  presence_live live;
  if (presence_table_find(t, what->customer_id, what->session_id, found->now_ms, &live))
    take(found, &live);
}

/* Half a page is left for what the last bucket may hold. */
static uint64_t scan_map(const map *m, uint64_t cursor, void (*fn)(void *arg, map_node *node),
                         scan *found) {
  for (int i = 0; i < SCAN_BUCKETS && found->n < AU_PAGE_MAX / 2; i++) {
    cursor = map_scan(m, cursor, fn, found);
    if (cursor == 0) break;
  }
  return cursor;
}

void presence_scan(const presence_table *t, const au_listing *what, int64_t now_ms, au_page_fn cb,
                   void *arg) {
  scan found;
  found.n = 0;
  found.now_ms = now_ms;
  found.customer_id = what->kind == AU_LIST_SESSIONS ? what->customer_id : (au_slice){"", 0};
  uint64_t next = 0;
  switch (what->kind) {
  case AU_LIST_CUSTOMERS:
    next = scan_map(t->customers.entries, what->cursor, on_customer, &found);
    break;
  case AU_LIST_SESSION: find_one(t, &found, what); break;
  default: next = scan_map(t->sessions, what->cursor, on_session, &found);
  }
  cb(AU_OK,
     &(au_page){
         .customers = found.customers, .sessions = found.sessions, .n = found.n, .next = next},
     arg);
}

void presence_scan_pages(presence_table *t, au_slice customer_id, bool with_pages, bool stale,
                         int64_t now_ms, au_breakdown_fn cb, void *arg) {
  au_page_count rows[AU_PAGE_NAMES_MAX];
  au_breakdown found;
  presence_table_breakdown(t, customer_id, now_ms, with_pages ? rows : NULL, &found);
  found.stale = stale;
  cb(AU_OK, &found, arg);
}

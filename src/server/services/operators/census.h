/* The customers by their counts, a page at a time: each page is a walk over all of them that keeps
 * the highest behind the end of the page before. Nothing is kept between pages, and a walk holds
 * nobody up. Knows no HTTP. */
#ifndef SERVICES_CENSUS_H
#define SERVICES_CENSUS_H

#include <active_users/store.h>

enum {
  CENSUS_ROWS_MAX = 100,
  CENSUS_WAITING_MAX = 16, /* walks that wait for the one under way */
};

typedef struct census_row {
  uint32_t count;
  double ema;
  bool stale;
  uint8_t id_len;
  char id[AU_ID_MAX];
} census_row;

/* What stands where the page before ended. */
typedef struct census_mark {
  uint32_t count;
  au_slice id; /* empty: from the top */
} census_mark;

/* Rows by falling count, then by id; borrowed for the call. `more`: there are others behind. */
typedef void (*census_fn)(au_status status, const census_row *rows, size_t n, bool more, void *arg);

typedef struct census census;

/* store is borrowed. Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status census_create(au_store *store, census **out);

/* search  what the ids have in them, whatever the case of letters; empty: all. Copied, at most
 *         AU_ID_MAX bytes.
 * max     rows, 1 to CENSUS_ROWS_MAX. Returns AU_OK, AU_EBUSY, AU_ENOMEM, and what the store
 * returns; then `cb` does not run. */
AU_MUST_CHECK au_status census_take(census *c, const census_mark *after, au_slice search,
                                    size_t max, census_fn cb, void *arg);

/* Once the store has stopped. NULL is fine. */
void census_free(census *c);

#endif

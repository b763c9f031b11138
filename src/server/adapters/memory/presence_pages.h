/* What the sessions of the presence table look at: for each customer its pages and how many
 * sessions look at each. Private to the table. Nothing is kept for a customer whose sessions say
 * nothing of their pages. */
#ifndef ADAPTERS_PRESENCE_PAGES_H
#define ADAPTERS_PRESENCE_PAGES_H

#include "presence_private.h"

/* Names of all customers together, some 32 MB; over it a new one is counted as `other`. */
enum { PRESENCE_PAGE_NAMES_MAX = 100000 };

/* A page that at least one session looks at. */
typedef struct page {
  map_node node; /* first: a node is cast to its page */
  customer *owner;
  struct page *prev, *next; /* of the same customer */
  uint32_t sessions;        /* of all visitors */
  uint32_t count, visible;  /* of people, as all counts below */
  uint16_t name_len;
  char name[];
} page;

/* What a customer's sessions say. */
typedef struct customer_pages {
  page *first;
  uint32_t names;
  uint32_t sessions; /* that say something, of all visitors */
  uint32_t other;    /* sessions with a page that got no name here */
  uint32_t visible, hidden;
} customer_pages;

/* Takes what a beat says of the page. forgets: what it does not say is not known any more. Without
 * memory what was known is kept. */
void presence_pages_take(presence_table *t, session *s, const au_beat *beat, bool forgets);

/* The session counts as another visitor from now on: only people are on a page. */
void presence_pages_set_visitor(presence_table *t, session *s, au_visitor visitor);

/* The session ends, or is another daemon's to count. */
void presence_pages_drop(presence_table *t, session *s);

/* As presence_table_breakdown; `owner` may be NULL. */
void presence_pages_list(const customer *owner, au_page_count *rows, au_breakdown *out);

static inline bool presence_pages_knows(const session *s) {
  return s->page || s->has_other_page || s->visibility != AU_VISIBILITY_UNKNOWN;
}

#endif

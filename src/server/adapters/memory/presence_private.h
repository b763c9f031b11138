/* The inside of the presence table, for its walks. Private to this folder. */
#ifndef ADAPTERS_PRESENCE_PRIVATE_H
#define ADAPTERS_PRESENCE_PRIVATE_H

#include "grace_queues.h"
#include "presence_session.h"
#include "presence_table.h"
#include "utils/id_map.h"

/* One customer. It waits for its next tick in one of two queues: `fresh` before
 * the first, `ticked` after it; there `waiting.at_ms` is when it came in, for
 * both queues have a lifetime of 0. */
struct customer {
  map_node node; /* first: the customer is an entry of an id_map */
  deadline waiting;
  deadline empty;               /* armed while it has no session */
  uint64_t number;              /* never used twice; salts the hashes of the sessions and pages */
  struct customer_pages *pages; /* NULL: no session says what it looks at */
  double ema;
  uint32_t sessions, reserved;
  uint32_t bots, pending; /* of the sessions */
  bool has_ema;
};

struct presence_table {
  presence_table_config config;
  id_map customers;
  map *sessions, *pages;
  deadline_queue renewed;       /* sessions, by their deadline */
  grace_queues shortened;       /* those that were shortened */
  deadline_queue fresh, ticked; /* customers, by their last tick */
  deadline_queue empty;         /* customers without sessions, by their last session */
  presence_walk *walks;         /* under way */
  session *asked;               /* the last one that was asked for: its touch comes next */
  uint64_t next_number;
  uint32_t reserved; /* sessions */
  /* Sessions that were touched before the day began are seen again; asked for after a while. */
  int64_t day_began_ms, day_asked_ms;
  int64_t now_ms; /* the latest that was passed in: the queues must never go back */
};

/* Adds a session to what it counts as; `by` is 1, or UINT32_MAX to take it off. */
static inline void customer_count_visitor(customer *c, uint8_t visitor, uint32_t by) {
  if (visitor == AU_VISITOR_BOT) c->bots += by;
  if (visitor == AU_VISITOR_PENDING) c->pending += by;
}

static inline uint32_t customer_people(const customer *c) {
  return c->sessions - c->bots - c->pending;
}
/* presence_pages.c: fills in what is known of the page; slices point into the table. */
void presence_pages_read(const session *s, au_beat *out);

static inline void presence_live_read(const session *s, presence_live *out) {
  session_read(s, &out->beat);
  out->beat.customer_id = id_map_id(s->owner);
  out->beat.source = s->source;
  presence_pages_read(s, &out->beat);
  out->renewed_ms = s->renewed_ms;
  out->deadline_ms = s->deadline.at_ms;
}

/* Takes a session off its queue; a walk that would meet it next goes on behind it. */
void presence_unqueue(presence_table *t, session *s);

#endif

/* The presence table: customers, their live sessions and their deadlines, in this
 * process. The memory store is this table behind au_store; the Redis store keeps
 * one of the sessions it has acknowledged. Synchronous; knows no loop.
 *
 * Every function that takes `now_ms` (monotonic, never going back) first ends the
 * sessions whose deadline has passed, at most PRESENCE_TABLE_SLICE of them, so
 * counts are exact except in the moments after more than that expired at once.
 * Touch, leave, shorten and count cost O(1); expiry costs O(expired).
 *
 * When there are as many customers as there may be, the one that has been without live
 * sessions for the longest makes room for a new one, and loses its EMA. */
#ifndef ADAPTERS_PRESENCE_TABLE_H
#define ADAPTERS_PRESENCE_TABLE_H

#include <active_users/store.h>

#include "utils/map.h"
#include "utils/time.h"

enum { PRESENCE_TABLE_SLICE = 2000 };

typedef struct presence_table presence_table;

/* They may not call the table. */
typedef struct presence_page_events {
  /* What a customer's sessions look at has changed. */
  void (*changed)(void *arg, au_slice customer_id);
  /* A session begins to say here what it looks at. */
  void (*seen)(void *arg, au_slice customer_id, au_slice session_id);
  void *arg;
} presence_page_events;

typedef struct presence_table_config {
  map_seed seed;
  int64_t ttl_ms;
  int64_t grace_ms;       /* the most that a shortened session has left */
  int64_t count_after_ms; /* as in au_config */
  uint32_t max_sessions, max_customers;
  bool keep_profile;   /* keep platform, user agent and leader flag of each session */
  bool keep_customers; /* keep a customer without sessions until presence_table_evict */
  /* Whether a customer is listed by presence_table_due; NULL: each is. May not call the table. */
  bool (*is_due)(void *arg, au_slice customer_id);
  /* Runs after a session began, left or expired; may not call the table. */
  void (*changed)(void *arg, au_slice customer_id);
  const au_clock *wall; /* says when a day (UTC) begins; NULL: there is one day */
  void *arg;
  /* Borrowed: what it has of sessions is reported, and their limit asked for; not `changed`. They
   * may not call the table. NULL: nobody wants to know. */
  const au_store_events *events;
  const presence_page_events *pages; /* borrowed; NULL: nobody wants to know */
} presence_table_config;

/* Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status presence_table_create(const presence_table_config *config,
                                              presence_table **out);
/* Ends what is left of its sessions for `session_ended`, and only for it. */
void presence_table_free(presence_table *table);

/* As au_store.touch. Returns AU_OK, AU_EFULL, AU_ENOMEM or AU_EINVAL (a word longer
 * than types.h allows, or an empty id); only AU_OK changed anything. */
AU_MUST_CHECK au_status presence_table_touch(presence_table *table, const au_beat *beat,
                                             au_touch_kind kind, int64_t now_ms);

/* The same for what the session was before: it counts as `beat` says, pending or not, and its
 * profile replaces what was stored. */
AU_MUST_CHECK au_status presence_table_take(presence_table *table, const au_beat *beat,
                                            int64_t now_ms);

/* Room for one more session of a customer, for a touch whose outcome is not known yet: others find
 * the table as full as it will be. */
typedef struct customer presence_reservation;

/* Returns AU_OK, AU_EFULL or AU_ENOMEM; *out goes to presence_table_release. */
AU_MUST_CHECK au_status presence_table_reserve(presence_table *table, au_slice customer_id,
                                               int64_t now_ms, presence_reservation **out);

/* Before the touch, or in place of it. */
void presence_table_release(presence_table *table, presence_reservation *reserved);

/* As au_store.leave; true when it ended the session. */
bool presence_table_leave(presence_table *table, const au_beat *beat, int64_t now_ms);

/* As au_store.shorten, to a grace of 0 to the configured one, which is rounded up to a 40th of
 * that; true when the deadline moved. */
bool presence_table_shorten(presence_table *table, const au_beat *beat, int64_t grace_ms,
                            int64_t now_ms);

/* Whether presence_table_shorten would move the deadline now. */
bool presence_table_shortens(const presence_table *table, const au_beat *beat, int64_t grace_ms,
                             int64_t now_ms);

/* Ends a session, whichever tab holds it; true when there was one. */
bool presence_table_drop(presence_table *table, au_slice customer_id, au_slice session_id);

/* What is known of a live session; the slices stay valid until the table changes. */
typedef struct presence_live {
  au_beat beat;        /* ids, platform, user agent, leader flag, page */
  int64_t renewed_ms;  /* its last touch */
  int64_t deadline_ms; /* when it ends */
} presence_live;

/* false when there is no such live session. */
bool presence_table_find(const presence_table *table, au_slice customer_id, au_slice session_id,
                         int64_t now_ms, presence_live *out);

/* Whether this tab holds a live session. */
bool presence_table_holds(const presence_table *table, au_slice customer_id, au_slice session_id,
                          au_slice tab_id, int64_t now_ms);

/* A walk over the sessions, from the youngest touch to the oldest, in which the table may
 * change: what is touched meanwhile is not met again, what is shortened may be, what ends is
 * not met. Embedded in whoever walks; its fields are the table's. */
typedef struct presence_walk {
  struct presence_walk *next;
  struct deadline *renewed, *shortened; /* the next to be met of each queue */
  unsigned queue;                       /* that `shortened` is in */
  bool is_in_shortened;
  int64_t since_ms;
} presence_walk;

/* Begins a walk over the sessions whose last touch was at `since_ms` or later. */
void presence_table_walk(presence_table *table, presence_walk *walk, int64_t since_ms);

/* The next one; false at the end, or when the walk has ended. */
bool presence_table_walk_next(presence_table *table, presence_walk *walk, int64_t now_ms,
                              presence_live *out);

/* Ends a walk, wherever it is; every walk is ended. */
void presence_table_walk_end(presence_table *table, presence_walk *walk);

/* Milliseconds since its last touch, -1 when there is no such live session. A touch that follows
 * does not search again.
 *
 * is_shortened  whether it was shortened since that touch; NULL: not asked for. */
int64_t presence_table_renewed_ago_ms(presence_table *table, au_slice customer_id,
                                      au_slice session_id, int64_t now_ms, bool *is_shortened);

/* Ends up to PRESENCE_TABLE_SLICE sessions whose time has come. Returns how many
 * milliseconds are left until there is more to do (0: at once), -1 when never. */
int64_t presence_table_expire(presence_table *table, int64_t now_ms);

/* Zeros for an unknown customer. */
void presence_table_sample(presence_table *table, au_slice customer_id, int64_t now_ms,
                           au_sample *out);

/* As au_store.breakdown. `rows` has room for AU_PAGE_NAMES_MAX, and its names are valid until the
 * table changes; NULL: pages are not asked for. */
void presence_table_breakdown(presence_table *table, au_slice customer_id, int64_t now_ms,
                              au_page_count *rows, au_breakdown *out);

typedef enum presence_moved {
  PRESENCE_MOVED_UNKNOWN, /* no page of such a session is counted here */
  PRESENCE_MOVED_AWAY,    /* it was, and is no more */
  PRESENCE_MOVED_BACK,    /* it was touched here since, and still is */
} presence_moved;

/* Another daemon counts the page of a session since `since_ms`. renewed_ms: of PRESENCE_MOVED_BACK,
 * when it was touched here. */
presence_moved presence_table_moved(presence_table *table, au_slice customer_id,
                                    au_slice session_id, int64_t since_ms, int64_t *renewed_ms);

/* As au_store.due: fills up to `max` ids, valid until the table changes, and
 * returns how many. Costs O(skip + max). */
size_t presence_table_due(presence_table *table, int64_t min_age_ms, int64_t now_ms, size_t skip,
                          au_slice *ids, size_t max);

/* Keeps the EMA and notes the time. An unknown customer is left unknown. */
void presence_table_save(presence_table *table, au_slice customer_id, double ema, int64_t now_ms);

/* Drops a customer without live sessions. */
void presence_table_evict(presence_table *table, au_slice customer_id, int64_t now_ms);

uint32_t presence_table_sessions(const presence_table *table);
/* Of one customer, without expiring any; 0 for an unknown one. */
uint32_t presence_table_sessions_of(const presence_table *table, au_slice customer_id);
uint32_t presence_table_customers(const presence_table *table);

#endif

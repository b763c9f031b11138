/* Sessions that were ended or shortened here while Redis could not be told, one each,
 * oldest first. Knows neither Redis nor the table. */
#ifndef ADAPTERS_REDIS_ENDINGS_H
#define ADAPTERS_REDIS_ENDINGS_H

#include <active_users/store.h>

#include "../utils/map.h"

typedef struct redis_endings redis_endings;

typedef enum redis_ending_kind { REDIS_ENDING_SHORTEN, REDIS_ENDING_LEAVE } redis_ending_kind;

/* When an operation began: on the monotonic clock, and its place among all of them. */
typedef struct redis_moment {
  int64_t ms;
  uint64_t number;
} redis_moment;

/* Room for the three ids of one; `who` points into `bytes`. */
typedef struct redis_ending {
  redis_ending_kind kind;
  redis_moment at;
  int64_t held_ms; /* when the tab renewed it last, monotonic; -1: not known to hold it */
  au_beat who;     /* customer, session and tab alone */
  char bytes[3 * AU_ID_MAX];
} redis_ending;

/* max          sessions at most.
 * lifetime_ms  after which Redis has ended the session by itself.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_endings_create(map_seed seed, size_t max, int64_t lifetime_ms,
                                             redis_endings **out);

/* NULL is fine. */
void redis_endings_free(redis_endings *e);

/* Notes one; the ids are valid ones; `held_ms` as in redis_ending. A younger one of the same
 * session takes the place of an older, but of a leave only another leave of the same tab does.
 * Returns AU_OK, AU_EBUSY (too many) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_endings_add(redis_endings *e, redis_ending_kind kind,
                                          const au_beat *beat, redis_moment at, int64_t held_ms);

/* Whether this tab has ended or shortened the session after `since`, and which of the two. */
bool redis_endings_find(const redis_endings *e, const au_beat *beat, redis_moment since,
                        redis_ending_kind *kind);

/* The session lives again. */
void redis_endings_remove(redis_endings *e, au_slice customer_id, au_slice session_id);

/* Takes out the oldest that is not too old to matter; false when there is none. */
bool redis_endings_take(redis_endings *e, int64_t now_ms, redis_ending *out);

size_t redis_endings_count(const redis_endings *e);

#endif

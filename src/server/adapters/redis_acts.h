/* What was done to sessions here and Redis was not told: one act each, in the order in which they
 * were noted. Knows neither Redis nor the table. */
#ifndef ADAPTERS_REDIS_ACTS_H
#define ADAPTERS_REDIS_ACTS_H

#include <active_users/store.h>

#include "../utils/map.h"

typedef struct redis_acts redis_acts;

typedef enum redis_act_kind { REDIS_ACT_TOUCH, REDIS_ACT_SHORTEN, REDIS_ACT_LEAVE } redis_act_kind;

/* When an operation began: on the monotonic clock, and its place among all of them. */
typedef struct redis_moment {
  int64_t ms;
  uint64_t number;
} redis_moment;

typedef struct redis_act {
  redis_act_kind kind;
  redis_moment at;
  int64_t held_ms; /* of an ending: when the tab renewed it last, monotonic; -1: not known to
                      hold it */
  au_beat who;     /* customer, session and tab alone; valid ids */
  char bytes[3 * AU_ID_MAX]; /* room for them, where the act owns them */
} redis_act;

/* A copy that owns its ids. */
void redis_act_copy(redis_act *to, const redis_act *from);

/* max          sessions at most.
 * lifetime_ms  after which an act does not matter: Redis has ended the session by itself.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_acts_create(map_seed seed, size_t max, int64_t lifetime_ms,
                                          redis_acts **out);

/* NULL is fine. */
void redis_acts_free(redis_acts *a);

/* Notes a copy. A younger act on the same session takes the place of an older one, but that of a
 * leave only another leave of the same tab does. Of acts of one tab the later `held_ms` is kept,
 * for who leaves twice holds nothing the second time.
 * Returns AU_OK, AU_EBUSY (too many) or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_acts_add(redis_acts *a, const redis_act *act);

/* Whether this tab has acted on the session after `since`, and how. */
bool redis_acts_find(const redis_acts *a, const au_beat *beat, redis_moment since,
                     redis_act_kind *kind);

/* Whether there is one on this session. */
bool redis_acts_has(const redis_acts *a, au_slice customer_id, au_slice session_id);

/* What was done to this session does not matter any more. */
void redis_acts_remove(redis_acts *a, au_slice customer_id, au_slice session_id);

/* Takes out the first that is not too old to matter, a copy that owns its ids; false when
 * there is none. */
bool redis_acts_take(redis_acts *a, int64_t now_ms, redis_act *out);

/* Drops what is too old to matter, up to `max` of the first ones. */
void redis_acts_expire(redis_acts *a, int64_t now_ms, size_t max);

size_t redis_acts_count(const redis_acts *a);

#endif

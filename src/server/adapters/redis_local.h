/* Signs of life that Redis cannot be told now: kept in the daemon's own table, acknowledged,
 * and owed to Redis: to the whole of it (redis_debts), or to one key (redis_retry). Knows no
 * commands. */
#ifndef ADAPTERS_REDIS_LOCAL_H
#define ADAPTERS_REDIS_LOCAL_H

#include <active_users/store.h>

#include "redis_acts.h"

struct redis_node;

/* As au_store.touch, leave and shorten. */
AU_MUST_CHECK au_status redis_local_touch(struct redis_node *n, const au_beat *beat,
                                          au_touch_kind kind, au_done_fn cb, void *arg);
AU_MUST_CHECK au_status redis_local_leave(struct redis_node *n, const au_beat *beat, au_done_fn cb,
                                          void *arg);
AU_MUST_CHECK au_status redis_local_shorten(struct redis_node *n, const au_beat *beat,
                                            au_done_fn cb, void *arg);

/* The same for an operation that Redis failed after it had begun; at once. Each returns
 * what the caller is to be told: AU_OK, AU_EFULL, AU_EBUSY or AU_ENOMEM. */
AU_MUST_CHECK au_status redis_local_touched(struct redis_node *n, const au_beat *beat,
                                            redis_moment began);
AU_MUST_CHECK au_status redis_local_left(struct redis_node *n, const au_beat *beat,
                                         redis_moment began);
AU_MUST_CHECK au_status redis_local_shortened(struct redis_node *n, const au_beat *beat,
                                              redis_moment began);

/* An ending that begins at `at`, as it is to be told; its ids are those of `beat`. */
redis_act redis_local_ending(const struct redis_node *n, redis_act_kind kind, const au_beat *beat,
                             redis_moment at);

/* Redis has answered a leave, by REDIS_LEAVE_…: the table forgets what is over there, whichever
 * tab it thought to hold it, and the leave is kept in case Redis loses it. True when the table had
 * the session. */
bool redis_local_answered(struct redis_node *n, const redis_act *leave, long long answer);

/* A session lives again, whatever is owed. */
void redis_local_revive(struct redis_node *n, const au_beat *beat);

/* The table takes over a touch that Redis knows; returns as redis_local_touched. */
AU_MUST_CHECK au_status redis_local_acknowledge(struct redis_node *n, const au_beat *beat,
                                                redis_moment began);

/* Whether a status is the word of a Redis that is lost or refuses. */
static inline bool redis_local_takes(au_status status) {
  return status == AU_ESTORE || status == AU_ETIMEDOUT;
}

#endif

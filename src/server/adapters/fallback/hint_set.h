/* Hints: writes to sessions that this daemon acknowledged and the shared store does not have. At
 * most one for each session, in queues that the caller keeps (one for each customer). Knows
 * neither the shared store nor the table. */
#ifndef ADAPTERS_FALLBACK_HINT_SET_H
#define ADAPTERS_FALLBACK_HINT_SET_H

#include <active_users/store.h>

#include "utils/deadline.h"
#include "utils/map.h"

typedef struct hint_set hint_set;

typedef enum hint_kind { HINT_TOUCH, HINT_SHORTEN, HINT_LEAVE } hint_kind;

/* When an operation began: the monotonic clock, and its number among all operations. */
typedef struct op_seq {
  int64_t at_ms;
  uint64_t seq;
} op_seq;

typedef struct hint {
  hint_kind kind;
  op_seq at;
  int64_t held_ms;  /* leave, shorten: when the tab renewed the session last, monotonic; -1: it is
                       not known to hold the session */
  int64_t grace_ms; /* shorten: what the session had left from then on */
  au_beat who;      /* customer, session and tab alone; valid ids */
  char bytes[3 * AU_ID_MAX]; /* capacity for them, where the hint owns them */
} hint;

/* A copy that owns its ids. */
void hint_copy(hint *to, const hint *from);

/* Embedded in whatever the hints belong to. Zero-initialised it is not usable: hint_queue_init. */
typedef struct hint_queue {
  deadline_queue entries;
} hint_queue;

void hint_queue_init(hint_queue *q);
bool hint_queue_is_empty(const hint_queue *q);

/* max          hints at most, in all queues.
 * lifetime_ms  after which a hint does not matter: the session has expired by itself.
 * Returns AU_OK or AU_ENOMEM. */
AU_MUST_CHECK au_status hint_set_create(map_seed seed, size_t max, int64_t lifetime_ms,
                                        hint_set **out);

/* Frees the hints too. NULL is fine. */
void hint_set_free(hint_set *s);

/* Adds a copy to a queue, of which there is one for a session. A newer hint replaces an older one
 * of the same session, but only another leave of the same tab replaces a leave, or that of the tab
 * that held the session when the other one was not known to. Of two hints of
 * one tab the later `held_ms` is kept, and of two that shorten the earlier end.
 *
 * Returns AU_OK, AU_EBUSY (too many) or AU_ENOMEM. */
AU_MUST_CHECK au_status hint_set_add(hint_set *s, hint_queue *q, const hint *h);

/* Whether the tab of `beat` wrote to the session after `since`. *out, set only then: what; its ids
 * are borrowed from the set until the next change of it. */
bool hint_set_find(const hint_set *s, const au_beat *beat, op_seq since, hint *out);

/* Drops the hint of a session. Returns the queue that had it, or NULL. */
hint_queue *hint_set_remove(hint_set *s, au_slice customer_id, au_slice session_id);

/* Takes the first hint of a queue that still matters, a copy that owns its ids; false when there
 * is none. */
bool hint_set_take(hint_set *s, hint_queue *q, int64_t now_ms, hint *out);

/* Drops the oldest hint of all if it does not matter any more. Returns its queue, or NULL. */
hint_queue *hint_set_expire(hint_set *s, int64_t now_ms);

size_t hint_set_count(const hint_set *s);

#endif

/* A queue of things that all live equally long. Because the lifetime is one
 * constant, the one armed last expires last: arming is O(1) at the tail,
 * expiring is O(expired) at the head, and there is nothing to sort. */
#ifndef UTILS_DEADLINE_H
#define UTILS_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* Embedded in the thing that expires. Zero-initialised means "not armed". */
typedef struct deadline {
  struct deadline *prev, *next;
  int64_t at_ms; /* on the clock that the queue's callers use */
} deadline;

typedef struct deadline_queue {
  deadline head; /* the sentinel of a ring */
  int64_t lifetime_ms;
} deadline_queue;

void deadline_queue_init(deadline_queue *queue, int64_t lifetime_ms);

/* Arms, or arms again, for `now_ms` + lifetime. `now_ms` must not go back between
 * calls on one queue. The deadline may move here from another queue. */
void deadline_arm(deadline_queue *queue, deadline *d, int64_t now_ms);

/* Takes it off its queue; fine when it is not armed. */
void deadline_cancel(deadline *d);

static inline bool deadline_armed(const deadline *d) {
  return d->next != 0;
}

/* Takes off and returns the first whose time has come (at_ms <= now_ms), or NULL. */
deadline *deadline_expire(deadline_queue *queue, int64_t now_ms);

/* The first in the queue without taking it off, or NULL. */
deadline *deadline_first(const deadline_queue *queue);

/* The one that expires next after `d`, which is in this queue; NULL behind the last. */
deadline *deadline_after(const deadline_queue *queue, const deadline *d);

/* The last in the queue, and the one before `d`, which is in this queue; NULL when none. */
deadline *deadline_last(const deadline_queue *queue);
deadline *deadline_before(const deadline_queue *queue, const deadline *d);

/* When the first expires, or -1 when the queue is empty. */
int64_t deadline_next_ms(const deadline_queue *queue);

#endif

/* Deadlines of several lifetimes in order, at O(1) each: a lifetime is rounded up to one of
 * GRACE_STEPS steps, and each step has a queue of its own. Knows no sessions and no clock. */
#ifndef ADAPTERS_GRACE_QUEUES_H
#define ADAPTERS_GRACE_QUEUES_H

#include "utils/deadline.h"

enum { GRACE_STEPS = 40 /* of the longest grace: 250 ms each of 10 s */ };

typedef struct grace_queues {
  deadline_queue queues[GRACE_STEPS + 1]; /* the first has a lifetime of 0 */
  int64_t step_ms;
  int64_t next_ms; /* nothing expires before it; INT64_MAX when all are empty */
} grace_queues;

/* max_ms  the longest grace, 0 or more; a longer one counts as this. */
void grace_queues_init(grace_queues *g, int64_t max_ms);

/* What a grace is rounded up to. */
int64_t grace_queues_lifetime_ms(const grace_queues *g, int64_t grace_ms);

/* As deadline_arm, for the rounded grace. deadline_cancel takes it off again. */
void grace_queues_arm(grace_queues *g, deadline *d, int64_t grace_ms, int64_t now_ms);

/* One whose time has come, without taking it off; NULL when there is none. */
deadline *grace_queues_due(grace_queues *g, int64_t now_ms);

/* When the first expires, or -1 when all are empty. */
int64_t grace_queues_next_ms(grace_queues *g);

/* A walk over all of them. A deadline that is armed anew for an earlier time is met again, and
 * none is missed. The last of the longest queue, NULL when all are empty; *at is the walk's. */
deadline *grace_queues_last(const grace_queues *g, unsigned *at);
/* The one after `d` in a walk, which is in the queue `at`; NULL at the end. */
deadline *grace_queues_before(const grace_queues *g, unsigned *at, const deadline *d);

#endif

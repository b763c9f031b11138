/* One queue for each step; must not know what expires. */
#include "grace_queues.h"

#include <stddef.h>

void grace_queues_init(grace_queues *g, int64_t max_ms) {
  g->step_ms = (max_ms + GRACE_STEPS - 1) / GRACE_STEPS;
  if (g->step_ms < 1) g->step_ms = 1;
  g->next_ms = INT64_MAX;
  for (unsigned i = 0; i <= GRACE_STEPS; i++) {
    int64_t lifetime_ms = i * g->step_ms;
    deadline_queue_init(&g->queues[i], lifetime_ms < max_ms ? lifetime_ms : max_ms);
  }
}

static unsigned queue_of(const grace_queues *g, int64_t grace_ms) {
  if (grace_ms <= 0) return 0;
  int64_t steps = (grace_ms + g->step_ms - 1) / g->step_ms;
  return steps < GRACE_STEPS ? (unsigned)steps : GRACE_STEPS;
}

int64_t grace_queues_lifetime_ms(const grace_queues *g, int64_t grace_ms) {
  return g->queues[queue_of(g, grace_ms)].lifetime_ms;
}

void grace_queues_arm(grace_queues *g, deadline *d, int64_t grace_ms, int64_t now_ms) {
  deadline_arm(&g->queues[queue_of(g, grace_ms)], d, now_ms);
  if (d->at_ms < g->next_ms) g->next_ms = d->at_ms;
}

static deadline *first_of_all(grace_queues *g) {
  deadline *earliest = NULL;
  for (unsigned i = 0; i <= GRACE_STEPS; i++) {
    deadline *d = deadline_first(&g->queues[i]);
    if (d && (!earliest || d->at_ms < earliest->at_ms)) earliest = d;
  }
  g->next_ms = earliest ? earliest->at_ms : INT64_MAX;
  return earliest;
}

deadline *grace_queues_due(grace_queues *g, int64_t now_ms) {
  if (g->next_ms > now_ms) return NULL; /* as nearly always: no queue is looked at */
  deadline *first = first_of_all(g);
  return first && first->at_ms <= now_ms ? first : NULL;
}

int64_t grace_queues_next_ms(grace_queues *g) {
  const deadline *first = first_of_all(g);
  return first ? first->at_ms : -1;
}

/* The last of the queue *at, or of the next shorter one that has any. */
static deadline *last_from(const grace_queues *g, unsigned *at) {
  for (;; --*at) {
    deadline *d = deadline_last(&g->queues[*at]);
    if (d || *at == 0) return d;
  }
}

deadline *grace_queues_last(const grace_queues *g, unsigned *at) {
  *at = GRACE_STEPS;
  return last_from(g, at);
}

deadline *grace_queues_before(const grace_queues *g, unsigned *at, const deadline *d) {
  deadline *before = deadline_before(&g->queues[*at], d);
  if (before || *at == 0) return before;
  --*at;
  return last_from(g, at);
}

/* A ring that is sorted by construction. */
#include "deadline.h"

#include <stddef.h>

void deadline_queue_init(deadline_queue *queue, int64_t lifetime_ms) {
  queue->head = (deadline){.prev = &queue->head, .next = &queue->head};
  queue->lifetime_ms = lifetime_ms;
}

void deadline_cancel(deadline *d) {
  if (!deadline_armed(d)) return;
  d->prev->next = d->next;
  d->next->prev = d->prev;
  d->prev = d->next = NULL;
}

void deadline_arm(deadline_queue *queue, deadline *d, int64_t now_ms) {
  deadline_cancel(d);
  d->at_ms = now_ms + queue->lifetime_ms;
  d->prev = queue->head.prev;
  d->next = &queue->head;
  d->prev->next = d->next->prev = d;
}

deadline *deadline_first(const deadline_queue *queue) {
  return deadline_after(queue, &queue->head);
}

deadline *deadline_after(const deadline_queue *queue, const deadline *d) {
  return d->next == &queue->head ? NULL : d->next;
}

deadline *deadline_last(const deadline_queue *queue) {
  return deadline_before(queue, &queue->head);
}

deadline *deadline_before(const deadline_queue *queue, const deadline *d) {
  return d->prev == &queue->head ? NULL : d->prev;
}

deadline *deadline_expire(deadline_queue *queue, int64_t now_ms) {
  deadline *first = deadline_first(queue);
  if (!first || first->at_ms > now_ms) return NULL;
  deadline_cancel(first);
  return first;
}

int64_t deadline_next_ms(const deadline_queue *queue) {
  const deadline *first = deadline_first(queue);
  return first ? first->at_ms : -1;
}

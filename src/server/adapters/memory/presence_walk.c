/* Walks over the sessions of the presence table, in which it may change. */
#include "presence_private.h"

void presence_unqueue(presence_table *t, session *s) {
  for (presence_walk *w = t->walks; w; w = w->next) {
    if (w->renewed == &s->deadline) w->renewed = deadline_before(&t->renewed, &s->deadline);
    if (w->shortened == &s->deadline)
      w->shortened = grace_queues_before(&t->shortened, &w->queue, &s->deadline);
  }
  deadline_cancel(&s->deadline);
}

void presence_table_walk(presence_table *t, presence_walk *walk, int64_t since_ms) {
  *walk = (presence_walk){
      .next = t->walks, .renewed = deadline_last(&t->renewed), .since_ms = since_ms};
  t->walks = walk;
}

void presence_table_walk_end(presence_table *t, presence_walk *walk) {
  for (presence_walk **at = &t->walks; *at; at = &(*at)->next) {
    if (*at != walk) continue;
    *at = walk->next;
    break;
  }
  *walk = (presence_walk){.is_in_shortened = true};
}

/* The queue of the renewed is in the order of touches, so it ends with the first that is too
 * old. The shortened ones come after that: one that is shortened meanwhile has been met. */
static session *walk_step(const presence_table *t, presence_walk *w) {
  if (w->renewed) {
    session *s = session_of(w->renewed);
    w->renewed = s->renewed_ms >= w->since_ms ? deadline_before(&t->renewed, &s->deadline) : NULL;
    return s;
  }
  if (!w->is_in_shortened) {
    w->is_in_shortened = true;
    w->shortened = grace_queues_last(&t->shortened, &w->queue);
  }
  if (!w->shortened) return NULL;
  session *s = session_of(w->shortened);
  w->shortened = grace_queues_before(&t->shortened, &w->queue, &s->deadline);
  return s;
}

bool presence_table_walk_next(presence_table *t, presence_walk *walk, int64_t now_ms,
                              presence_live *out) {
  for (session *s; (s = walk_step(t, walk)) != NULL;) {
    if (s->renewed_ms < walk->since_ms || s->deadline.at_ms <= now_ms) continue;
    presence_live_read(s, out);
    return true;
  }
  return false;
}

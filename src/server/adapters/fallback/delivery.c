/* One allocation for each write in flight, with a copy of the hint. */
#include "delivery.h"

#include "utils/buffer.h"

#include <stdlib.h>

typedef struct sent {
  const delivery *d;
  delivery_fn cb;
  void *arg;
  hint what;
} sent;

/* A server that serves all others has refused a key. */
static hint_outcome outcome_of(const sent *w, au_status status) {
  const shared_store_ops *ops = w->d->shared->ops;
  if (status == AU_OK) return HINT_DELIVERED;
  uint16_t slot = ops->slot_of(w->d->shared, w->what.who.customer_id);
  return ops->serves(w->d->shared, slot) ? HINT_REFUSED : HINT_UNREACHED;
}

static void on_done(au_status status, void *arg) {
  sent *w = arg;
  w->cb(outcome_of(w, status), &w->what, w->arg);
  free(w);
}

/* The shared store may have lost its data a moment ago and not say so yet: then it knows no session
 * at all, and one of another tab is to be restored. Had that tab left elsewhere, its leave would
 * have said so. */
static bool may_be_lost(const delivery *d, const au_beat *who, shared_leave outcome) {
  presence_live live;
  return outcome == SHARED_LEAVE_GONE &&
         presence_table_find(d->table, who->customer_id, who->session_id, clock_mono_ms(d->clock),
                             &live) &&
         !slice_eq(live.beat.tab_id, who->tab_id);
}

bool delivery_left(const delivery *d, const hint *leave, shared_leave outcome) {
  const au_beat *who = &leave->who;
  if (outcome == SHARED_LEAVE_OTHER || may_be_lost(d, who, outcome)) return false;
  bool dropped = presence_table_drop(d->table, who->customer_id, who->session_id);
  hint kept = *leave;
  if (kept.held_ms < 0 && outcome == SHARED_LEAVE_ENDED) kept.held_ms = kept.at.at_ms;
  hints_bury(d->hints, &kept);
  return dropped;
}

/* A touch that was answered before this was sent before it: the session is over. */
static void on_left(au_status status, shared_leave outcome, void *arg) {
  sent *w = arg;
  if (status == AU_OK) (void)delivery_left(w->d, &w->what, outcome);
  on_done(status, w);
}

static void on_shortened(au_status status, void *arg) {
  sent *w = arg;
  if (status == AU_OK) hints_bury(w->d->hints, &w->what);
  on_done(status, w);
}

static sent *sent_create(const delivery *d, const hint *what, delivery_fn cb, void *arg) {
  sent *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->d = d;
  w->cb = cb;
  w->arg = arg;
  hint_copy(&w->what, what);
  return w;
}

static au_status begun(sent *w, au_status status) {
  if (status != AU_OK) free(w);
  return status;
}

au_status delivery_session(const delivery *d, const presence_live *live, bool list, delivery_fn cb,
                           void *arg) {
  const hint touch = {.kind = HINT_TOUCH, .at = {.at_ms = live->renewed_ms}, .who = live->beat};
  sent *w = sent_create(d, &touch, cb, arg);
  if (!w) return AU_ENOMEM;
  const shared_session session = {&live->beat, live->renewed_ms, live->deadline_ms};
  return begun(w, d->shared->ops->restore_session(d->shared, &session, list, on_done, w));
}

static au_status deliver_leave(const delivery *d, const hint *what, delivery_fn cb, void *arg) {
  const shared_store_ops *ops = d->shared->ops;
  sent *w = sent_create(d, what, cb, arg);
  if (!w) return AU_ENOMEM;
  const shared_late_leave leave = {&w->what.who, what->at.at_ms, what->held_ms};
  return begun(w, what->kind == HINT_LEAVE
                      ? ops->restore_leave(d->shared, &leave, on_left, w)
                      : ops->restore_shorten(d->shared, &leave, what->grace_ms, on_shortened, w));
}

au_status delivery_hint(const delivery *d, const hint *what, delivery_fn cb, void *arg) {
  presence_live live;
  if (what->kind != HINT_TOUCH) return deliver_leave(d, what, cb, arg);
  if (!presence_table_find(d->table, what->who.customer_id, what->who.session_id,
                           clock_mono_ms(d->clock), &live))
    return AU_ECONFLICT;
  return delivery_session(d, &live, true, cb, arg);
}

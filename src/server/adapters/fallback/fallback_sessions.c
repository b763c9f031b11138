/* Sessions: touch, leave, shorten. Each goes to the shared store or to the table; the table follows
 * what the shared store acknowledges. What the shared store fails the table takes, with a note for
 * later: the slot is dirty, or, where one key alone refused, the customer has a hint. The note
 * always comes first: it may be refused, and the clock must not pass between the two. */
#include "adapters/memory/visitor.h"
#include "fallback_private.h"
#include "utils/buffer.h"
#include "utils/log.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

static bool has_valid_ids(const au_beat *beat) {
  return wire_valid_id(beat->customer_id) && wire_valid_id(beat->session_id) &&
         wire_valid_id(beat->tab_id);
}

static op_seq next_seq(fallback *f) {
  return (op_seq){fallback_now_ms(f), ++f->operations};
}

static bool table_find(const fallback *f, const au_beat *beat, presence_live *out) {
  return presence_table_find(f->table, beat->customer_id, beat->session_id, fallback_now_ms(f),
                             out);
}

/* ---- notes for later ------------------------------------------------------------- */

/* Where the slot is served one key was refused, or a server on the way there failed. */
static au_status note_touch(fallback *f, const au_beat *beat, op_seq at) {
  uint16_t slot = fallback_slot(f, beat->customer_id);
  if (f->shared->ops->serves(f->shared, slot))
    return hints_add(f->hints, &(hint){.kind = HINT_TOUCH, .at = at, .who = *beat}, true);
  sync_state_dirty(f->sync, slot, fallback_now_ms(f));
  return AU_OK;
}

/* A leave or a shortened session as it is delivered later. */
static hint leave_hint(const fallback *f, hint_kind kind, const au_beat *beat, op_seq at) {
  presence_live known;
  bool holds = table_find(f, beat, &known) && slice_eq(known.beat.tab_id, beat->tab_id);
  return (hint){.kind = kind, .at = at, .held_ms = holds ? known.renewed_ms : -1, .who = *beat};
}

/* Another tab may have taken the session over at another daemon, or by a touch that is in flight:
 * the shared store knows, once it can be asked. */
static au_status note_leave(fallback *f, hint_kind kind, const au_beat *beat, int64_t grace_ms,
                            op_seq at) {
  hint leave = leave_hint(f, kind, beat, at);
  leave.grace_ms = grace_ms;
  bool refused = fallback_route(f, fallback_slot(f, beat->customer_id)) == AU_OK;
  return hints_add(f->hints, &leave, refused);
}

au_status fallback_note_leave(fallback *f, const au_beat *beat) {
  return note_leave(f, HINT_LEAVE, beat, 0, next_seq(f));
}

/* ---- the table follows ------------------------------------------------------------- */

/* Whether the tab of a touch has ended or shortened its session since the touch began, and the
 * shared store does not have that yet, or had it first: the touch is over then. */
static bool ended_since(const fallback *f, const au_beat *beat, op_seq began, hint *how) {
  return hint_set_find(f->overtaking, beat, began, how) ||
         hints_has_ended(f->hints, beat, began, how);
}

/* What a hint that shortens a session has left of its grace. */
static int64_t left_of(const fallback *f, const hint *shortened) {
  int64_t left_ms = shortened->at.at_ms + shortened->grace_ms - fallback_now_ms(f);
  return left_ms > 0 ? left_ms : 0;
}

static void shorten_in_table(fallback *f, const au_beat *beat, int64_t grace_ms) {
  if (presence_table_shorten(f->table, beat, grace_ms, fallback_now_ms(f)))
    memory_store_expire(f->local);
}

/* Takes over a touch that was acknowledged. */
static au_status take_touch(fallback *f, const au_beat *beat, op_seq began) {
  hint how;
  bool has_ended = ended_since(f, beat, began, &how);
  if (has_ended && how.kind == HINT_LEAVE) return AU_OK;
  au_status status = presence_table_take(f->table, beat, fallback_now_ms(f));
  if (status != AU_OK) return status;
  memory_store_touched(f->local);
  if (has_ended)
    shorten_in_table(f, beat, left_of(f, &how));
  else
    hints_revive(f->hints, beat->customer_id, beat->session_id);
  return AU_OK;
}

/* ---- touch --------------------------------------------------------------------------- */

/* The bytes of a beat with the longest words. */
enum { BEAT_BYTES_MAX = sizeof((wire_beat *)NULL)->bytes };

typedef struct touch {
  fallback *f;
  struct touch *next; /* spare */
  au_done_fn cb;
  void *arg;
  op_seq began;
  presence_reservation *reserved; /* NULL: the session is in the table */
  au_touch_kind kind;
  au_visitor sent_by; /* before it was judged */
  bool asks_profile;
  bool is_overtaken; /* its tab has left before it was written: nothing was */
  au_beat who;
  char bytes[BEAT_BYTES_MAX]; /* of `who` */
} touch;

/* Zeroed but for `who`. */
static touch *touch_create(fallback *f) {
  touch *t = f->spares;
  if (t) {
    f->spares = t->next;
    f->spare_count--;
  } else if (!(t = malloc(sizeof *t))) {
    return NULL;
  }
  memset(t, 0, offsetof(touch, who));
  t->f = f;
  return t;
}

static void touch_free(touch *t) {
  fallback *f = t->f;
  if (f->spare_count == FALLBACK_SPARES) {
    free(t);
    return;
  }
  t->next = f->spares;
  f->spares = t;
  f->spare_count++;
}

void fallback_free_spares(fallback *f) {
  for (touch *t; (t = f->spares) != NULL;) {
    f->spares = t->next;
    free(t);
  }
}

/* Appends a slice to the bytes of a beat and points to the copy; false when too long. */
static bool keep(char **at, au_slice from, size_t max, au_slice *copy) {
  if (from.len > max) return false;
  if (from.len > 0) memcpy(*at, from.ptr, from.len);
  *copy = (au_slice){*at, from.len};
  *at += from.len;
  return true;
}

/* The ids of `beat` with the profile of `profile`, which may be the same. The page is the one that
 * `beat` gives, if it does. */
static au_beat merge_beats(const au_beat *beat, const au_beat *profile) {
  au_beat merged = *beat;
  merged.is_leader = profile->is_leader;
  merged.platform = profile->platform;
  merged.user_agent = profile->user_agent;
  if (beat->page.len == 0) merged.page = profile->page;
  if (beat->visibility == AU_VISIBILITY_UNKNOWN) merged.visibility = profile->visibility;
  return merged;
}

/* A copy whose words are in `bytes`, where those of `beat` are not. */
static bool keep_beat(au_beat *to, char *bytes, const au_beat *beat) {
  *to = *beat;
  return keep(&bytes, beat->customer_id, AU_ID_MAX, &to->customer_id) &&
         keep(&bytes, beat->session_id, AU_ID_MAX, &to->session_id) &&
         keep(&bytes, beat->tab_id, AU_ID_MAX, &to->tab_id) &&
         keep(&bytes, beat->platform, AU_PLATFORM_MAX, &to->platform) &&
         keep(&bytes, beat->user_agent, AU_USER_AGENT_MAX, &to->user_agent) &&
         keep(&bytes, beat->page, AU_PATH_MAX, &to->page);
}

/* What the session counts as from this touch on; `known` and `stored` may be NULL, and the table
 * goes before what is stored. */
static void judge(touch *t, const presence_live *known, const au_beat *stored) {
  int64_t since_ms = known ? fallback_now_ms(t->f) - known->renewed_ms : 0;
  t->who.visitor = t->sent_by;
  visitor_judge(&t->who, known ? &known->beat : stored, since_ms, t->f->config->count_after_ms);
}

/* What a touch of a session that was unknown here writes: a join may have come meanwhile; else
 * another daemon has seen the join, or this one before it was restarted. */
static const au_beat *resolve_profile(void *arg, const au_beat *stored) {
  touch *t = arg;
  presence_live known;
  hint how;
  t->is_overtaken = ended_since(t->f, &t->who, t->began, &how) && how.kind == HINT_LEAVE;
  if (t->is_overtaken) return NULL;
  char bytes[BEAT_BYTES_MAX];
  au_beat copy;
  bool is_known = table_find(t->f, &t->who, &known);
  const au_beat *profile = is_known ? &known.beat : stored;
  judge(t, is_known ? &known : NULL, stored);
  if (t->kind != AU_TOUCH_BEAT || !profile) return &t->who;
  const au_beat merged = merge_beats(&t->who, profile);
  if (keep_beat(&copy, bytes, &merged)) (void)keep_beat(&t->who, t->bytes, &copy);
  return &t->who;
}

/* The leave that came behind a touch was there first. Had it come second it would have ended the
 * session, whichever tab had it before the touch. */
static void leave_at_last(fallback *f, const touch *t) {
  const hint leave = {.kind = HINT_LEAVE,
                      .at = {fallback_now_ms(f), t->began.seq},
                      .held_ms = fallback_now_ms(f),
                      .who = t->who};
  if (hints_add(f->hints, &leave, false) != AU_OK)
    log_debug("fallback", "a leave behind a touch is dropped", LOG_NONE);
}

/* What shortened the session while the touch read its profile was undone by the touch. */
static void shorten_at_last(fallback *f, const touch *t) {
  hint how;
  if (!t->asks_profile || !hint_set_find(f->overtaking, &t->who, t->began, &how)) return;
  how.held_ms = fallback_now_ms(f);
  how.grace_ms = left_of(f, &how);
  how.at.at_ms = fallback_now_ms(f);
  if (how.kind == HINT_SHORTEN && hints_add(f->hints, &how, false) != AU_OK)
    log_debug("fallback", "a session that a touch overtook lives out its time", LOG_NONE);
}

/* The last of them drops the leaves that began meanwhile. */
static void end_profile_touch(fallback *f, const touch *t) {
  if (!t->asks_profile || --f->profile_touches > 0) return;
  while (hint_set_expire(f->overtaking, INT64_MAX)) {
  }
}

/* A leave, or what shortens a session, while touches read profiles. */
static void note_overtaking(fallback *f, const hint *what) {
  if (f->profile_touches > 0 && hint_set_add(f->overtaking, &f->overtaking_queue, what) != AU_OK)
    log_debug("fallback", "a leave is not noted for touches in flight", LOG_NONE);
}

/* Reports a changed count for a session that is in the table but was not in the index: it was lost,
 * and counts again. */
static void on_touched(au_status status, bool added, void *arg) {
  touch *t = arg;
  fallback *f = t->f;
  const au_beat *beat = &t->who;
  presence_live known;
  if (t->reserved) presence_table_release(f->table, t->reserved);
  bool acknowledged = status == AU_OK;
  bool counts_again = acknowledged && added && table_find(f, beat, &known);
  if (shared_store_failed(status)) {
    status = note_touch(f, beat, t->began);
    acknowledged = status == AU_OK;
  }
  if (acknowledged && t->is_overtaken)
    leave_at_last(f, t);
  else if (acknowledged)
    status = take_touch(f, beat, t->began);
  if (status == AU_OK) shorten_at_last(f, t);
  end_profile_touch(f, t);
  if (status == AU_OK && counts_again) memory_store_changed(f->local, beat->customer_id);
  f->in_flight--;
  t->cb(status, t->arg);
  touch_free(t);
}

static au_status touch_locally(fallback *f, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                               void *arg) {
  au_status status = note_touch(f, beat, next_seq(f));
  if (status == AU_OK) status = f->local->ops->touch(f->local, beat, kind, cb, arg);
  if (status == AU_OK) hints_revive(f->hints, beat->customer_id, beat->session_id);
  return status;
}

/* Begins a touch in the shared store, which is tried while a server can be reached at all: what it
 * takes need not be restored. */
static au_status touch_shared(fallback *f, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                              void *arg) {
  touch *t = touch_create(f);
  if (!t) return AU_ENOMEM;
  t->cb = cb;
  t->arg = arg;
  t->kind = kind;
  t->sent_by = beat->visitor;
  t->began = next_seq(f);
  presence_live known;
  bool is_known = table_find(f, beat, &known);
  au_beat who = is_known && kind == AU_TOUCH_BEAT ? merge_beats(beat, &known.beat) : *beat;
  /* A join says all of it, but not whether its session has shown life before. */
  t->asks_profile = !is_known && (kind == AU_TOUCH_BEAT || f->config->count_after_ms > 0);
  au_status status = keep_beat(&t->who, t->bytes, &who) ? AU_OK : AU_EINVAL;
  judge(t, is_known ? &known : NULL, NULL);
  if (status == AU_OK && !is_known)
    status = presence_table_reserve(f->table, beat->customer_id, fallback_now_ms(f), &t->reserved);
  if (status == AU_OK) {
    const shared_touch what = {
        .beat = &t->who,
        .is_new = !is_known,
        .asks_profile = t->asks_profile,
        .profile = resolve_profile,
        .touched = on_touched,
        .arg = t,
    };
    status = f->shared->ops->touch(f->shared, &what);
    if (status == AU_OK) {
      f->in_flight++;
      f->profile_touches += t->asks_profile;
      return AU_OK;
    }
    if (t->reserved) presence_table_release(f->table, t->reserved);
  }
  touch_free(t);
  return status;
}

au_status fallback_touch(au_store *store, const au_beat *beat, au_touch_kind kind, au_done_fn cb,
                         void *arg) {
  fallback *f = fallback_of(store);
  if (!has_valid_ids(beat)) return AU_EINVAL;
  au_status status = touch_shared(f, beat, kind, cb, arg);
  if (shared_store_failed(status)) return touch_locally(f, beat, kind, cb, arg);
  /* An older leave that is not delivered would come behind this touch. */
  if (status == AU_OK) {
    hints_revive(f->hints, beat->customer_id, beat->session_id);
    (void)hint_set_remove(f->overtaking, beat->customer_id, beat->session_id);
  }
  return status;
}

/* ---- leave and shorten ------------------------------------------------------------------ */

typedef struct leave_op {
  fallback *f;
  au_done_fn cb;
  void *arg;
  hint what; /* without `held_ms` */
} leave_op;

static leave_op *leave_op_create(fallback *f, hint_kind kind, const au_beat *beat, au_done_fn cb,
                                 void *arg) {
  leave_op *e = calloc(1, sizeof *e);
  if (!e) return NULL;
  e->f = f;
  e->cb = cb;
  e->arg = arg;
  hint_copy(&e->what, &(hint){.kind = kind, .at = next_seq(f), .who = *beat});
  return e;
}

static void leave_op_end(leave_op *e, au_status status) {
  e->f->in_flight--;
  e->cb(status, e->arg);
  free(e);
}

static au_status begun(leave_op *e, au_status status) {
  if (status == AU_OK)
    e->f->in_flight++;
  else
    free(e);
  return status;
}

/* The table reports the end of a session that it had; of others this does. */
static void on_left(au_status status, shared_leave outcome, void *arg) {
  leave_op *e = arg;
  fallback *f = e->f;
  const au_beat *beat = &e->what.who;
  if (status == AU_OK) {
    if (outcome == SHARED_LEAVE_ENDED) fallback_page_left(f, beat->customer_id, beat->session_id);
    const hint leave = leave_hint(f, HINT_LEAVE, beat, e->what.at);
    bool dropped = delivery_left(&f->delivery, &leave, outcome);
    if (!dropped && (outcome == SHARED_LEAVE_ENDED || outcome == SHARED_LEAVE_DROPPED))
      memory_store_changed(f->local, beat->customer_id);
  } else if (shared_store_failed(status)) {
    status = note_leave(f, HINT_LEAVE, beat, 0, e->what.at);
    if (status == AU_OK) (void)presence_table_leave(f->table, beat, fallback_now_ms(f));
  }
  leave_op_end(e, status);
}

static au_status leave_shared(fallback *f, const au_beat *beat, au_done_fn cb, void *arg) {
  leave_op *e = leave_op_create(f, HINT_LEAVE, beat, cb, arg);
  if (!e) return AU_ENOMEM;
  const hint leave = leave_hint(f, HINT_LEAVE, beat, e->what.at);
  note_overtaking(f, &leave);
  return begun(e, f->shared->ops->leave(f->shared, beat, on_left, e));
}

au_status fallback_leave(au_store *store, const au_beat *beat, au_done_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (!has_valid_ids(beat)) return AU_EINVAL;
  au_status status = fallback_route(f, fallback_slot(f, beat->customer_id));
  if (status == AU_OK) status = leave_shared(f, beat, cb, arg);
  if (!shared_store_failed(status)) return status;
  status = note_leave(f, HINT_LEAVE, beat, 0, next_seq(f));
  return status == AU_OK ? f->local->ops->leave(f->local, beat, cb, arg) : status;
}

/* What the shared store has shortened is kept like a leave: another daemon may bring it back. */
static void on_shortened(au_status status, bool shortened, void *arg) {
  leave_op *e = arg;
  fallback *f = e->f;
  const au_beat *beat = &e->what.who;
  if (status == AU_OK && shortened) {
    fallback_page_left(f, beat->customer_id, beat->session_id);
    hint kept = leave_hint(f, HINT_SHORTEN, beat, e->what.at);
    kept.grace_ms = e->what.grace_ms;
    hints_bury(f->hints, &kept);
  } else if (shared_store_failed(status)) {
    status = note_leave(f, HINT_SHORTEN, beat, e->what.grace_ms, e->what.at);
    shortened = status == AU_OK;
  }
  if (status == AU_OK && shortened) shorten_in_table(f, beat, e->what.grace_ms);
  leave_op_end(e, status);
}

/* renewed_ms  as of shared_store.shorten. */
static au_status shorten_shared(fallback *f, const au_beat *beat, int64_t renewed_ms,
                                int64_t grace_ms, au_done_fn cb, void *arg) {
  leave_op *e = leave_op_create(f, HINT_SHORTEN, beat, cb, arg);
  if (!e) return AU_ENOMEM;
  e->what.grace_ms = grace_ms;
  hint shortened = leave_hint(f, HINT_SHORTEN, beat, e->what.at);
  shortened.grace_ms = grace_ms;
  note_overtaking(f, &shortened);
  return begun(e, f->shared->ops->shorten(f->shared, beat, renewed_ms, grace_ms, on_shortened, e));
}

/* Whether this tab's session ends as soon anyway, which the shared store has then acknowledged: a
 * page that leaves closes its socket as well, and both would shorten. */
static bool ends_by_then(const fallback *f, const au_beat *beat, int64_t grace_ms) {
  presence_live known;
  return table_find(f, beat, &known) && slice_eq(known.beat.tab_id, beat->tab_id) &&
         !presence_table_shortens(f->table, beat, grace_ms, fallback_now_ms(f));
}

/* A disconnected tab may have a socket at another daemon by now: only what this daemon renewed last
 * is shortened, and what it does not know any more it has not renewed for a TTL. */
au_status fallback_shorten(au_store *store, const au_beat *beat, int64_t grace_ms,
                           au_shorten_reason why, au_done_fn cb, void *arg) {
  fallback *f = fallback_of(store);
  if (grace_ms < 0 || grace_ms > f->config->disconnect_grace_ms || !has_valid_ids(beat))
    return AU_EINVAL;
  int64_t renewed_ms = -1;
  if (why == AU_SHORTEN_DISCONNECTED) {
    presence_live known;
    bool is_known = table_find(f, beat, &known);
    if (!is_known && f->profile_touches == 0)
      return f->local->ops->shorten(f->local, beat, grace_ms, why, cb, arg);
    renewed_ms = is_known ? known.renewed_ms : 0;
  }
  au_status status = fallback_route(f, fallback_slot(f, beat->customer_id));
  bool in_sync = status == AU_OK;
  if (in_sync && why == AU_SHORTEN_DISCONNECTED && ends_by_then(f, beat, grace_ms))
    return f->local->ops->shorten(f->local, beat, grace_ms, why, cb, arg);
  if (in_sync) status = shorten_shared(f, beat, renewed_ms, grace_ms, cb, arg);
  if (!shared_store_failed(status)) return status;
  status = note_leave(f, HINT_SHORTEN, beat, grace_ms, next_seq(f));
  if (status != AU_OK) return status;
  return f->local->ops->shorten(f->local, beat, grace_ms, why, cb, arg);
}

/* Customers in the order of their ticks and sessions in the order of their touches: the queues are
 * made anew in the same order. */
#include "presence_image.h"

#include "presence_private.h"

#include <math.h>

/* ---- writing -------------------------------------------------------------------- */

static customer *customer_of(const deadline *waiting) {
  return (customer *)(void *)((char *)(uintptr_t)waiting - offsetof(customer, waiting));
}

static void save_customers(const deadline_queue *queue, int64_t now_ms, state_writer *w) {
  for (deadline *d = deadline_first(queue); d; d = deadline_after(queue, d)) {
    const customer *c = customer_of(d);
    state_put_slice(w, id_map_id(c));
    state_put_u32(w, c->has_ema);
    state_put_double(w, c->ema);
    state_put_i64(w, now_ms - d->at_ms);
  }
}

static void save_sessions(const deadline_queue *queue, int64_t now_ms, state_writer *w) {
  for (deadline *d = deadline_first(queue); d; d = deadline_after(queue, d)) {
    const session *s = session_of(d);
    state_put_slice(w, id_map_id(s->owner));
    state_put_slice(w, session_name(s));
    state_put_slice(w, session_tab(s));
    state_put_u32(w, s->visitor);
    state_put_i64(w, s->pending_ms);
    state_put_i64(w, now_ms - s->renewed_ms);
    state_put_i64(w, d->at_ms - now_ms);
  }
}

/* An empty id ends each list. */
static void end_list(state_writer *w) {
  state_put_slice(w, (au_slice){"", 0});
}

void presence_table_save_image(const presence_table *t, int64_t now_ms, state_writer *w) {
  save_customers(&t->ticked, now_ms, w);
  save_customers(&t->fresh, now_ms, w);
  end_list(w);
  save_sessions(&t->renewed, now_ms, w);
  end_list(w);
  for (size_t i = 0; i <= GRACE_STEPS; i++) save_sessions(&t->shortened.queues[i], now_ms, w);
  end_list(w);
}

/* ---- reading ----------------------------------------------------------------------- */

static bool load_customers(presence_table *t, int64_t now_ms, int64_t away_ms, state_reader *r,
                           uint64_t *left_out) {
  for (au_slice id; (id = state_get_slice(r)).len > 0;) {
    bool has_ema = state_get_u32(r) != 0;
    double ema = state_get_double(r);
    int64_t ago_ms = state_get_i64(r) + away_ms;
    if (r->failed || id.len > AU_ID_MAX || ago_ms < 0 || !isfinite(ema)) return false;
    presence_reservation *c;
    if (presence_table_reserve(t, id, now_ms - ago_ms, &c) != AU_OK) {
      ++*left_out;
      continue;
    }
    if (has_ema) presence_table_save(t, id, ema, now_ms - ago_ms);
    presence_table_release(t, c);
  }
  return !r->failed;
}

typedef struct loaded {
  au_beat beat;
  int64_t renewed_ms, left_ms;
} loaded;

/* false at the end of the list, or when it is none. */
static bool next_session(state_reader *r, int64_t now_ms, int64_t away_ms, loaded *out) {
  *out = (loaded){.beat = {.timestamp = NAN, .is_leader = true}};
  out->beat.customer_id = state_get_slice(r);
  if (out->beat.customer_id.len == 0) return false;
  out->beat.session_id = state_get_slice(r);
  out->beat.tab_id = state_get_slice(r);
  uint32_t visitor = state_get_u32(r);
  out->beat.visitor = visitor <= AU_VISITOR_PENDING ? (au_visitor)visitor : AU_VISITOR_PERSON;
  out->beat.pending_ms = state_get_i64(r);
  out->renewed_ms = now_ms - away_ms - state_get_i64(r);
  out->left_ms = state_get_i64(r) - away_ms;
  return !r->failed;
}

static void touch(presence_table *t, const loaded *s, uint64_t *left_out) {
  if (presence_table_take(t, &s->beat, s->renewed_ms) != AU_OK) ++*left_out;
}

/* The clock of the table never goes back; each list begins long ago. */
static void rewind_clock(presence_table *t) {
  t->now_ms = t->day_began_ms = t->day_asked_ms = INT64_MIN;
}

bool presence_table_load_image(presence_table *t, int64_t now_ms, int64_t away_ms, state_reader *r,
                               uint64_t *left_out) {
  if (!load_customers(t, now_ms, away_ms, r, left_out)) return false;
  loaded s;
  rewind_clock(t);
  while (next_session(r, now_ms, away_ms, &s))
    if (s.renewed_ms + t->config.ttl_ms > now_ms) touch(t, &s, left_out);
  if (r->failed) return false;
  /* They are touched now, for those before them were touched later than they; what a beat would
   * find of them is their deadline. */
  while (next_session(r, now_ms, away_ms, &s)) {
    if (s.left_ms <= 0) continue;
    s.renewed_ms = now_ms;
    touch(t, &s, left_out);
    int64_t grace_ms = s.left_ms < t->config.grace_ms ? s.left_ms : t->config.grace_ms;
    (void)presence_table_shorten(t, &s.beat, grace_ms, now_ms);
  }
  rewind_clock(t);
  return !r->failed;
}

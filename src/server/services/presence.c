/* Who is active: passes signs of life to the store and remembers which tabs have
 * sockets here. Must not know how a sign of life arrived or where it is kept. */
#include "presence.h"

#include "../utils/buffer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct presence {
  au_store *store;
  int64_t grace_ms;
  map *seats; /* of tabs with at least one socket */
};

struct presence_seat {
  map_node node;
  uint32_t sockets;
  uint8_t customer_len, session_len, tab_len;
  char ids[]; /* customer, session and tab, one behind the other */
};

au_status presence_create(au_store *store, int64_t grace_ms, map_seed seed, presence **out) {
  presence *p = calloc(1, sizeof *p);
  if (!p) return AU_ENOMEM;
  p->store = store;
  p->grace_ms = grace_ms;
  au_status status = map_create(seed, &p->seats);
  if (status != AU_OK) {
    free(p);
    return status;
  }
  *out = p;
  return AU_OK;
}

void presence_free(presence *p) {
  if (!p) return;
  map_free(p->seats);
  free(p);
}

au_status presence_join(presence *p, const au_beat *beat, au_done_fn cb, void *arg) {
  return p->store->ops->touch(p->store, beat, AU_TOUCH_JOIN, cb, arg);
}

au_status presence_beat(presence *p, const au_beat *beat, au_done_fn cb, void *arg) {
  return p->store->ops->touch(p->store, beat, AU_TOUCH_BEAT, cb, arg);
}

au_status presence_leave(presence *p, const au_beat *beat, au_done_fn cb, void *arg) {
  return p->store->ops->leave(p->store, beat, cb, arg);
}

au_status presence_sample(presence *p, au_slice customer_id, au_sample_fn cb, void *arg) {
  return p->store->ops->sample(p->store, customer_id, cb, arg);
}

bool presence_paced(const presence *p, const au_beat *beat) {
  return p->store->ops->renewed_ago_ms(p->store, beat->customer_id, beat->session_id) >=
         PRESENCE_PACED_MS;
}

/* ---- seats: which tabs have sockets here -------------------------------- */

/* One key for a tab: its three ids and their lengths, so that ("a","bc") and
 * ("ab","c") differ. */
static uint32_t seat_hash(const presence *p, const au_beat *beat) {
  uint64_t salt = (uint64_t)beat->customer_id.len << 16 | (uint64_t)beat->session_id.len << 8 |
                  (uint64_t)beat->tab_id.len;
  uint32_t hash = map_hash(p->seats, beat->customer_id.ptr, beat->customer_id.len, salt);
  hash = map_hash(p->seats, beat->session_id.ptr, beat->session_id.len, hash);
  return map_hash(p->seats, beat->tab_id.ptr, beat->tab_id.len, hash);
}

static bool seat_eq(const map_node *node, const void *key) {
  au_beat mine = presence_seat_beat((const presence_seat *)node);
  const au_beat *wanted = key;
  return slice_eq(mine.customer_id, wanted->customer_id) &&
         slice_eq(mine.session_id, wanted->session_id) && slice_eq(mine.tab_id, wanted->tab_id);
}

au_status presence_sit(presence *p, const au_beat *beat, presence_seat **out) {
  uint32_t hash = seat_hash(p, beat);
  presence_seat *seat = (presence_seat *)map_find(p->seats, hash, seat_eq, beat);
  if (!seat) {
    size_t bytes = beat->customer_id.len + beat->session_id.len + beat->tab_id.len;
    seat = calloc(1, sizeof *seat + bytes);
    if (!seat) return AU_ENOMEM;
    seat->customer_len = (uint8_t)beat->customer_id.len;
    seat->session_len = (uint8_t)beat->session_id.len;
    seat->tab_len = (uint8_t)beat->tab_id.len;
    char *at = seat->ids;
    memcpy(at, beat->customer_id.ptr, beat->customer_id.len);
    memcpy(at += beat->customer_id.len, beat->session_id.ptr, beat->session_id.len);
    memcpy(at + beat->session_id.len, beat->tab_id.ptr, beat->tab_id.len);
    map_insert(p->seats, &seat->node, hash);
  }
  seat->sockets++;
  *out = seat;
  return AU_OK;
}

au_beat presence_seat_beat(const presence_seat *seat) {
  const char *ids = seat->ids;
  return (au_beat){
      .customer_id = {ids, seat->customer_len},
      .session_id = {ids + seat->customer_len, seat->session_len},
      .tab_id = {ids + seat->customer_len + seat->session_len, seat->tab_len},
      .timestamp = NAN,
      .is_leader = true,
  };
}

/* Nobody waits for a session to be shortened, and when it fails the session just
 * lives out its TTL. */
static void on_shortened(au_status status, void *arg) {
  (void)status;
  (void)arg;
}

void presence_stand(presence *p, presence_seat *seat, bool vanished) {
  if (--seat->sockets > 0) return;
  if (vanished) {
    au_beat beat = presence_seat_beat(seat);
    au_status status = p->store->ops->shorten(p->store, &beat, p->grace_ms, on_shortened, NULL);
    (void)status; /* as in on_shortened */
  }
  map_remove(p->seats, &seat->node);
  free(seat);
}

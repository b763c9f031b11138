/* One time and one stage for each slot, and how many are not clean, so that a healthy beat asks
 * for one number. */
#include "sync_state.h"

#include <stdlib.h>

typedef enum stage { CLEAN, DIRTY, SYNCING, SETTLING } stage;

typedef struct slot_state {
  int64_t since_ms; /* unless CLEAN */
  uint8_t stage;
  bool settles;    /* before it is clean */
  bool was_synced; /* in the last round that ended */
} slot_state;

struct sync_state {
  uint32_t count;
  uint32_t unclean;
  uint32_t syncing, restoring_all; /* slots of the round */
  bool sends_hints;                /* the round does */
  slot_state slots[];
};

au_status sync_state_create(uint32_t slots, sync_state **out) {
  sync_state *s = calloc(1, sizeof *s + slots * sizeof s->slots[0]);
  if (!s) return AU_ENOMEM;
  s->count = slots;
  *out = s;
  return AU_OK;
}

void sync_state_free(sync_state *s) {
  free(s);
}

/* The only place that changes a stage. */
static void move(sync_state *s, slot_state *slot, stage to) {
  stage from = slot->stage;
  bool restores_all = slot->since_ms == SYNC_ALL_SESSIONS;
  if (from == SYNCING) {
    s->syncing--;
    s->restoring_all -= restores_all;
  }
  if (to == SYNCING) {
    s->syncing++;
    s->restoring_all += restores_all;
  }
  s->unclean += (to != CLEAN) - (from != CLEAN);
  slot->stage = (uint8_t)to;
}

bool sync_state_is_clean(const sync_state *s, uint16_t slot) {
  return s->unclean == 0 || s->slots[slot].stage == CLEAN;
}

bool sync_state_all_clean(const sync_state *s) {
  return s->unclean == 0;
}

bool sync_state_takes_hints(const sync_state *s, uint16_t slot) {
  stage at = s->slots[slot].stage;
  return at == CLEAN || at == SETTLING || (at == SYNCING && s->sends_hints);
}

void sync_state_dirty(sync_state *s, uint16_t slot, int64_t since_ms) {
  slot_state *at = &s->slots[slot];
  int64_t before_ms = at->stage == CLEAN || at->stage == SETTLING ? SYNC_NO_SESSIONS : at->since_ms;
  move(s, at, DIRTY);
  at->since_ms = since_ms < before_ms ? since_ms : before_ms;
}

void sync_state_data_lost(sync_state *s, uint16_t slot, bool settle) {
  sync_state_dirty(s, slot, SYNC_ALL_SESSIONS);
  s->slots[slot].settles |= settle;
}

bool sync_state_begin(sync_state *s, bool (*serves)(void *arg, uint16_t slot), void *arg,
                      int64_t *since_ms) {
  *since_ms = SYNC_NO_SESSIONS;
  if (s->unclean == 0) return false;
  s->sends_hints = false;
  for (uint32_t i = 0; i < s->count; i++) {
    slot_state *slot = &s->slots[i];
    if (slot->stage != DIRTY || !serves(arg, (uint16_t)i)) continue;
    move(s, slot, SYNCING);
    if (slot->since_ms < *since_ms) *since_ms = slot->since_ms;
  }
  return s->syncing > 0;
}

bool sync_state_is_syncing(const sync_state *s, uint16_t slot) {
  return s->slots[slot].stage == SYNCING;
}

int64_t sync_state_sends_since(const sync_state *s, uint16_t slot) {
  return sync_state_is_syncing(s, slot) ? s->slots[slot].since_ms : SYNC_NO_SESSIONS;
}

uint32_t sync_state_round(const sync_state *s) {
  return s->syncing;
}

bool sync_state_restores_all(const sync_state *s) {
  return s->restoring_all > 0;
}

void sync_state_sessions_sent(sync_state *s) {
  s->sends_hints = true;
}

bool sync_state_end(sync_state *s) {
  bool settle = false;
  for (uint32_t i = 0; i < s->count; i++) {
    slot_state *slot = &s->slots[i];
    slot->was_synced = slot->stage == SYNCING;
    if (!slot->was_synced) continue;
    settle = settle || slot->settles;
    move(s, slot, slot->settles ? SETTLING : CLEAN);
  }
  s->sends_hints = false;
  return settle;
}

void sync_state_settled(sync_state *s) {
  for (uint32_t i = 0; i < s->count; i++) {
    slot_state *slot = &s->slots[i];
    if (slot->stage != SETTLING) continue;
    move(s, slot, CLEAN);
    slot->settles = false;
    slot->was_synced = true;
  }
}

bool sync_state_was_synced(const sync_state *s, uint16_t slot) {
  return s->slots[slot].was_synced;
}

/* Customers in a ring, and who makes room. */
#include "history_private.h"

#include "utils/malloc_bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
  SLOT_BYTES = 16, /* of a customer in the map */
  MINUTES_OF_DAY = 24 * 60,
  HOLES_SHARE = 8, /* of the limit one part: malloc has holes where blocks of many sizes came and
                      went, 13 % of what is in use when 100,000 customers take turns for it */
  IDLE_DAYS = AU_HISTORY_HOURS / 24, /* until a customer is dropped */
};

/* ---- bytes -------------------------------------------------------------------------- */

/* Of a customer without anything. */
static size_t head_bytes(size_t id_len) {
  return malloc_bytes(sizeof(history_entry) + id_len) + SLOT_BYTES;
}

static size_t entry_bytes(const history_entry *e) {
  size_t bytes = head_bytes(id_map_id(e).len) + series_bytes(&e->minutes) + series_bytes(&e->hours);
  if (e->days_count > 0) bytes += malloc_bytes(e->days_count * sizeof *e->days);
  for (size_t i = 0; i < e->days_count; i++) bytes += hyperloglog_bytes(&e->days[i].sessions);
  return bytes;
}

void history_entry_count(history_table *t, history_entry *e) {
  size_t bytes = entry_bytes(e);
  t->bytes = t->bytes - e->bytes + bytes;
  e->bytes = bytes;
  bool has_minutes = series_blocks(&e->minutes) > 0;
  if (has_minutes && !e->has_minutes) t->with_minutes++;
  if (!has_minutes && e->has_minutes) t->with_minutes--;
  e->has_minutes = has_minutes;
}

/* ---- the ring ------------------------------------------------------------------------ */

/* Behind the hand: it comes to a new customer last. */
static void link_entry(history_table *t, history_entry *e) {
  if (!t->hand) {
    e->prev = e->next = t->hand = e;
  } else {
    e->next = t->hand;
    e->prev = t->hand->prev;
    e->prev->next = e->next->prev = e;
  }
}

static void free_days(history_entry *e) {
  for (size_t i = 0; i < e->days_count; i++) hyperloglog_free(&e->days[i].sessions);
  free(e->days);
  e->days = NULL;
  e->days_count = 0;
}

static void drop_entry(history_table *t, history_entry *e) {
  if (t->hand == e) t->hand = e->next == e ? NULL : e->next;
  e->prev->next = e->next;
  e->next->prev = e->prev;
  t->bytes -= e->bytes;
  if (e->has_minutes) t->with_minutes--;
  series_free(&e->minutes);
  series_free(&e->hours);
  free_days(e);
  id_map_drop(&t->entries, e);
}

/* Drops what is too old of the customer at the hand, who may not have come for long. */
static void expire_next(history_table *t) {
  history_entry *e = t->hand;
  if (!e) return;
  t->hand = e->next;
  if (t->now_minute - e->last_minute > IDLE_DAYS * MINUTES_OF_DAY &&
      t->now_minute > e->last_minute) {
    drop_entry(t, e);
    return;
  }
  series_expire(&e->minutes, &SERIES_MINUTES, t->now_minute);
  series_expire(&e->hours, &SERIES_HOURS, t->now_minute / 60);
  uint32_t today = t->now_minute / MINUTES_OF_DAY;
  for (size_t i = 0; i < e->days_count; i++)
    if (e->days[i].day + AU_HISTORY_UNIQUE_DAYS <= today) {
      hyperloglog_free(&e->days[i].sessions);
      e->days[i].day = 0;
    }
  history_entry_count(t, e);
}

/* ---- room ------------------------------------------------------------------------------ */

/* What a record may take from others. */
typedef enum claim {
  CLAIM_MINUTES, /* of those that are quieter, their minutes */
  CLAIM_ANY,     /* of anybody the minutes, then of the quietest the oldest day, then all */
} claim;

static bool is_quieter(const history_entry *a, const history_entry *b) {
  if (a->activity != b->activity) return a->activity < b->activity;
  return a->last_minute < b->last_minute;
}

/* The quietest of the next few, but for `who`; of those with minutes when `has_minutes`. */
static history_entry *quietest(history_table *t, const history_entry *who, bool has_minutes) {
  history_entry *found = NULL;
  for (int i = 0; i < HISTORY_TABLE_LOOKS && t->hand; i++) {
    history_entry *e = t->hand;
    t->hand = e->next;
    if (e == who || (has_minutes && series_blocks(&e->minutes) == 0)) continue;
    if (!found || is_quieter(e, found)) found = e;
  }
  return found;
}

static void drop_minutes(history_table *t, history_entry *e) {
  series_free(&e->minutes);
  e->is_hours_only = true;
  history_entry_count(t, e);
}

static void drop_oldest_day(history_table *t, history_entry *e) {
  if (series_blocks(&e->hours) <= 1) {
    drop_entry(t, e);
    return;
  }
  series_drop_oldest(&e->hours, &SERIES_HOURS);
  history_entry_count(t, e);
}

static bool fits(const history_table *t, size_t growth) {
  return t->bytes + growth <= t->max_bytes;
}

/* A customer without minutes is no victim here. */
static void take_minutes(history_table *t, const history_entry *who, size_t growth, claim c) {
  int rounds = c == CLAIM_ANY ? HISTORY_TABLE_ROUNDS : 1;
  while (!fits(t, growth) && t->with_minutes > 0 && rounds-- > 0) {
    history_entry *victim = quietest(t, who, true);
    if (victim && (c == CLAIM_ANY || victim->activity < who->activity / 2)) drop_minutes(t, victim);
  }
}

static void take_hours(history_table *t, const history_entry *who, size_t growth) {
  int rounds = HISTORY_TABLE_ROUNDS;
  while (!fits(t, growth) && rounds-- > 0) {
    history_entry *victim = quietest(t, who, false);
    if (victim) drop_oldest_day(t, victim);
  }
}

/* Whether `growth` more bytes fit, for a record of `who` (NULL: a customer that is not there yet).
 */
static bool make_room(history_table *t, const history_entry *who, size_t growth, claim c) {
  take_minutes(t, who, growth, c);
  if (c == CLAIM_ANY) take_hours(t, who, growth);
  return fits(t, growth);
}

/* ---- entries ----------------------------------------------------------------------------- */

history_entry *history_entry_of(history_table *t, au_slice id) {
  history_entry *e = id_map_find(&t->entries, id);
  if (e) return e;
  if (id.len == 0 || id.len > AU_ID_MAX) return NULL;
  if (!make_room(t, NULL, head_bytes(id.len), CLAIM_ANY)) return NULL;
  e = id_map_add(&t->entries, id);
  if (!e) return NULL;
  e->last_minute = t->now_minute;
  link_entry(t, e);
  history_entry_count(t, e);
  return e;
}

static au_status grow_days(history_entry *e) {
  uint8_t count = e->days_count == 0 ? 1 : (uint8_t)(e->days_count + 2);
  if (count > AU_HISTORY_UNIQUE_DAYS) count = AU_HISTORY_UNIQUE_DAYS;
  history_day *grown = realloc(e->days, count * sizeof *grown);
  if (!grown) return AU_ENOMEM;
  memset(grown + e->days_count, 0, (count - e->days_count) * sizeof *grown);
  e->days = grown;
  e->days_count = count;
  return AU_OK;
}

/* The place of an older day, once there are enough places. */
hyperloglog *history_entry_day(history_entry *e, uint32_t day) {
  history_day *oldest = NULL;
  for (size_t i = 0; i < e->days_count; i++) {
    history_day *d = &e->days[i];
    if (d->day == day) return &d->sessions;
    if (!oldest || d->day < oldest->day) oldest = d;
  }
  bool is_free = oldest && (oldest->day == 0 || oldest->day + AU_HISTORY_UNIQUE_DAYS <= day);
  if (!is_free && e->days_count < AU_HISTORY_UNIQUE_DAYS) {
    size_t at = e->days_count;
    if (grow_days(e) != AU_OK) return NULL;
    oldest = &e->days[at];
    is_free = true;
  }
  if (!is_free) return NULL;
  hyperloglog_free(&oldest->sessions);
  oldest->day = day;
  return &oldest->sessions;
}

/* ---- the table ----------------------------------------------------------------------------- */

au_status history_table_create(map_seed seed, size_t max_bytes, history_table **out) {
  history_table *t = calloc(1, sizeof *t);
  if (!t) return AU_ENOMEM;
  t->max_bytes = max_bytes - max_bytes / HOLES_SHARE;
  au_status status = id_map_init(&t->entries, seed, sizeof(history_entry));
  if (status != AU_OK) {
    free(t);
    return status;
  }
  *out = t;
  return AU_OK;
}

void history_table_free(history_table *t) {
  if (!t) return;
  while (t->hand) drop_entry(t, t->hand);
  id_map_free(&t->entries);
  free(t);
}

static void raise_peaks(au_peaks *kept, const au_peaks *with) {
  if (with->ever > kept->ever) kept->ever = with->ever;
  if (with->day < kept->day) return;
  if (with->day > kept->day || with->today > kept->today) kept->today = with->today;
  kept->day = with->day;
}

/* A record that has no room is left out: the minute of a customer that keeps hours alone from then
 * on. Once an hour it is tried whether it may keep minutes again. */
static void put_record(history_table *t, history_entry *e, series *s, const series_shape *shape,
                       uint32_t at, const unsigned char *record, claim c) {
  size_t growth = series_growth(s, shape, at);
  bool has_room = growth == 0 || make_room(t, e, growth, c);
  if (has_room && series_put(s, shape, at, record) == AU_OK) {
    history_entry_count(t, e);
  } else if (c == CLAIM_MINUTES) {
    drop_minutes(t, e);
  }
}

void history_table_put(history_table *t, au_slice customer_id, const au_history_put *put) {
  if (put->minute > t->now_minute) t->now_minute = put->minute;
  history_entry *e = history_entry_of(t, customer_id);
  if (!e) return;
  bool is_new_hour = put->minute / 60 != e->last_minute / 60;
  if (put->minute > e->last_minute) e->last_minute = put->minute;
  e->activity = (float)put->activity;
  if (put->has_peaks) raise_peaks(&e->peaks, &put->peaks);
  put_record(t, e, &e->hours, &SERIES_HOURS, put->minute / 60, put->hour_record, CLAIM_ANY);
  if (e->is_hours_only && is_new_hour) e->is_hours_only = false;
  if (!e->is_hours_only)
    put_record(t, e, &e->minutes, &SERIES_MINUTES, put->minute, put->minute_record, CLAIM_MINUTES);
  expire_next(t);
}

void history_table_seen(history_table *t, au_slice customer_id, uint64_t session_hash,
                        uint32_t day) {
  uint32_t midnight = day * MINUTES_OF_DAY;
  if (midnight > t->now_minute) t->now_minute = midnight;
  history_entry *e = history_entry_of(t, customer_id);
  if (!e) return;
  if (midnight > e->last_minute) e->last_minute = midnight;
  hyperloglog *sessions = history_entry_day(e, day);
  if (!sessions) return;
  history_entry_count(t, e);
  size_t growth = hyperloglog_growth(sessions);
  if (growth > 0 && !make_room(t, e, growth, CLAIM_ANY)) return;
  if (hyperloglog_add(sessions, session_hash) == AU_OK && growth > 0) history_entry_count(t, e);
}

static void count_sessions(const history_entry *e, uint32_t day, au_history_answer *out) {
  const hyperloglog *week[AU_HISTORY_UNIQUE_DAYS];
  size_t n = 0;
  for (size_t i = 0; i < e->days_count; i++) {
    const history_day *d = &e->days[i];
    if (d->day == 0 || d->day > day || d->day + AU_HISTORY_UNIQUE_DAYS <= day) continue;
    week[n++] = &d->sessions;
    const hyperloglog *today = &d->sessions;
    if (d->day == day) out->unique_today = hyperloglog_count(&today, 1);
  }
  out->unique_week = n > 0 ? hyperloglog_count(week, n) : 0;
}

void history_table_get(const history_table *t, au_slice customer_id, const au_history_ask *ask,
                       unsigned char *minutes, unsigned char *hours, au_history_answer *out) {
  static const series none;
  const history_entry *e = id_map_find(&t->entries, customer_id);
  *out = (au_history_answer){.minutes = minutes, .hours = hours};
  if (ask->minutes > 0)
    series_read(e ? &e->minutes : &none, &SERIES_MINUTES, ask->minute, ask->minutes, minutes);
  if (ask->hours > 0)
    series_read(e ? &e->hours : &none, &SERIES_HOURS, ask->hour, ask->hours, hours);
  if (!e) return;
  out->peaks = e->peaks;
  if (ask->unique_day > 0) count_sessions(e, ask->unique_day, out);
}

size_t history_table_bytes(const history_table *t) {
  return t->bytes;
}

size_t history_table_customers(const history_table *t) {
  return id_map_count(&t->entries);
}

bool history_table_is_hours_only(const history_table *t, au_slice customer_id) {
  const history_entry *e = id_map_find(&t->entries, customer_id);
  return e && e->is_hours_only;
}

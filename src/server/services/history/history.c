/* Customers that are ticked here, each with the minute and the hour that it is in. */
#include "history.h"

#include "record.h"
#include "utils/deadline.h"
#include "utils/id_map.h"

#include <stdlib.h>
#include <string.h>

enum {
  MS_PER_MINUTE = 60 * 1000,
  MINUTES_PER_HOUR = 60,
  EXPIRED_AT_TICK = 4,   /* customers that each tick of one gives up at most */
  BACKWARDS_MINUTES = 1, /* a clock that goes back by no more stays in its minute */
};

/* Whether the store was asked for the hour that is under way. */
typedef enum loading { LOADING_NOT_BEGUN, LOADING, LOADED } loading;

/* One customer. */
typedef struct current {
  map_node node; /* first */
  struct history *history;
  deadline idle;
  loading loading;
  bool is_dropped;      /* to be freed when its hour has come */
  bool has_peaks;       /* that the store lacks */
  uint32_t minute;      /* that `now` is of */
  uint32_t hour_minute; /* the first minute of `hour` */
  record now, hour;     /* `hour` without `now` */
  bool has_range;       /* of this minute; counts between two ticks are in it too */
  uint32_t low, high;
  au_peaks peaks;
} current;

struct history {
  history_config config;
  id_map customers; /* of current */
  deadline_queue idle;
  int64_t offset_ms; /* from this daemon's wall clock to that of the shared store */
  bool has_offset;
};

int64_t history_now_ms(const history *h) {
  return clock_wall_ms(h->config.clock) + (h->has_offset ? h->offset_ms : 0);
}

static uint32_t minute_now(const history *h) {
  int64_t now_ms = history_now_ms(h);
  return now_ms > 0 ? (uint32_t)(now_ms / MS_PER_MINUTE) : 0;
}

/* The sample's own time is on the clock of the shared store. */
static void learn_offset(history *h, const au_sample *sample) {
  if (!h->config.is_shared || sample->ticked_ms <= 0 || sample->elapsed_ms <= 0) return;
  h->offset_ms = sample->ticked_ms + sample->elapsed_ms - clock_wall_ms(h->config.clock);
  h->has_offset = true;
}

/* ---- peaks ---------------------------------------------------------------------------- */

static void raise_peaks(au_peaks *peaks, uint32_t count, uint32_t day, bool *changed) {
  bool is_new_day = day > peaks->day;
  if (!is_new_day && count <= peaks->today && count <= peaks->ever) return;
  if (count > peaks->ever) peaks->ever = count;
  if (is_new_day || count > peaks->today) peaks->today = count;
  if (is_new_day) peaks->day = day;
  *changed = true;
}

static void merge_peaks(au_peaks *into, const au_peaks *with) {
  bool changed;
  if (with->day > 0 && with->day >= into->day) raise_peaks(into, with->today, with->day, &changed);
  if (with->ever > into->ever) into->ever = with->ever;
}

/* ---- minutes and hours -------------------------------------------------------------------- */

static void put(history *h, const current *c, const record *minute, const record *hour) {
  unsigned char minute_record[AU_RECORD_BYTES], hour_record[AU_RECORD_BYTES];
  record_pack(minute, minute_record);
  record_pack(hour, hour_record);
  const au_history_put what = {
      .minute = c->minute,
      .minute_record = minute_record,
      .hour_record = hour_record,
      .has_peaks = c->has_peaks,
      .peaks = c->peaks,
      .activity = c->now.mean,
  };
  au_history_store *store = h->config.store;
  stats *counters = h->config.counters;
  store->ops->put(store, id_map_id(c), &what, &counters->history_failed);
  counters->history_minutes++;
  counters->history_bytes = store->ops->bytes(store);
}

/* The minute that is under way. */
static record minute_of(const current *c) {
  record minute = c->now;
  if (minute.parts == 0 || !c->has_range) return minute;
  if (c->low < minute.min) minute.min = c->low;
  if (c->high > minute.max) minute.max = c->high;
  return minute;
}

/* The hour with it. */
static record hour_of(const current *c) {
  record hour = c->hour, minute = minute_of(c);
  record_add(&hour, &minute, 1);
  return hour;
}

/* Gives the minute to the store, as far as it went. Without the hour that came before it the hour's
 * record would be wrong. */
static void keep_minute(history *h, current *c) {
  if (c->now.parts == 0 || c->loading != LOADED) return;
  record minute = minute_of(c), hour = hour_of(c);
  put(h, c, &minute, &hour);
  c->has_peaks = false;
}

static void enter_minute(history *h, current *c, uint32_t minute) {
  if (minute == c->minute) return;
  keep_minute(h, c);
  if (c->loading == LOADED) c->hour = hour_of(c);
  if (minute - c->hour_minute >= MINUTES_PER_HOUR || c->loading != LOADED) {
    c->hour = (record){0};
    c->hour_minute = minute - minute % MINUTES_PER_HOUR;
  }
  c->minute = minute;
  c->now = (record){0};
  c->has_range = false;
}

static void drop(history *h, current *c) {
  deadline_cancel(&c->idle);
  if (c->loading == LOADING) {
    c->is_dropped = true;
    id_map_remove(&h->customers, c); /* on_loaded frees it */
  } else {
    id_map_drop(&h->customers, c);
  }
}

/* ---- an hour that somebody has begun --------------------------------------------------------- */

/* The minutes of the hour are exact; where the store keeps hours alone, its record has to do. The
 * minute that is under way is gone on with, not counted twice. */
static void take_hour(current *c, const au_history_answer *answer) {
  record hour = {0};
  for (uint32_t i = 0; i < c->minute - c->hour_minute; i++) {
    record minute = record_unpack(answer->minutes + (size_t)i * AU_RECORD_BYTES);
    record_add(&hour, &minute, 1);
  }
  const unsigned char *last = answer->minutes;
  record begun = record_unpack(last + (size_t)(c->minute - c->hour_minute) * AU_RECORD_BYTES);
  if (hour.parts == 0 && begun.parts == 0) hour = record_unpack(answer->hours);
  record_add(&begun, &c->now, c->now.parts);
  c->now = begun;
  c->hour = hour;
  merge_peaks(&c->peaks, &answer->peaks);
}

/* What has come meanwhile stays as it is when the store fails: it is asked again at the next tick.
 */
static void on_loaded(au_status status, const au_history_answer *answer, void *arg) {
  current *c = arg;
  if (c->is_dropped) {
    free(c);
    return;
  }
  c->loading = status == AU_OK ? LOADED : LOADING_NOT_BEGUN;
  if (status == AU_OK) take_hour(c, answer);
}

static void load(history *h, current *c) {
  if (c->loading != LOADING_NOT_BEGUN) return;
  const au_history_ask ask = {.minute = c->hour_minute,
                              .minutes = MINUTES_PER_HOUR,
                              .hour = c->hour_minute / MINUTES_PER_HOUR,
                              .hours = 1};
  c->loading = LOADING;
  if (h->config.store->ops->get(h->config.store, id_map_id(c), &ask, on_loaded, c) != AU_OK)
    c->loading = LOADING_NOT_BEGUN;
}

/* ---- samples ------------------------------------------------------------------------------------
 */

static current *add(history *h, au_slice customer_id, uint32_t minute) {
  if (id_map_count(&h->customers) >= h->config.max_customers) return NULL;
  current *c = id_map_add(&h->customers, customer_id);
  if (!c) return NULL;
  c->history = h;
  c->minute = minute;
  c->hour_minute = minute - minute % MINUTES_PER_HOUR;
  return c;
}

/* The customer in the minute that it is now. One whose clock was set back begins anew. NULL: it has
 * no history. */
static current *current_of(history *h, au_slice customer_id, bool creates) {
  uint32_t minute = minute_now(h);
  current *c = id_map_find(&h->customers, customer_id);
  if (c && minute < c->minute && c->minute - minute <= BACKWARDS_MINUTES) minute = c->minute;
  if (c && minute < c->minute) {
    keep_minute(h, c);
    drop(h, c);
    c = NULL;
  }
  if (!c && creates) c = add(h, customer_id, minute);
  if (c && minute != c->minute && c->loading != LOADING) enter_minute(h, c, minute);
  return c;
}

static void note_range(current *c, uint32_t count, uint32_t day) {
  if (!c->has_range || count < c->low) c->low = count;
  if (!c->has_range || count > c->high) c->high = count;
  c->has_range = true;
  raise_peaks(&c->peaks, count, day, &c->has_peaks);
}

void history_tick(history *h, au_slice customer_id, const au_sample *sample, double ema) {
  if (sample->stale) return;
  learn_offset(h, sample);
  history_expire(h, EXPIRED_AT_TICK);
  current *c = current_of(h, customer_id, true);
  if (!c) return;
  load(h, c);
  const record one = {
      .parts = 1, .min = sample->count, .max = sample->count, .mean = sample->count, .ema = ema};
  record_add(&c->now, &one, 1);
  note_range(c, sample->count, history_day_of(history_now_ms(h)));
  deadline_arm(&h->idle, &c->idle, clock_mono_ms(h->config.clock));
}

/* Returns the customer, NULL when it has no history here. */
static current *note_change(history *h, au_slice customer_id, const au_sample *sample) {
  if (sample->stale) return id_map_find(&h->customers, customer_id);
  current *c = current_of(h, customer_id, !h->config.is_shared && sample->count > 0);
  if (!c) return NULL;
  load(h, c);
  note_range(c, sample->count, history_day_of(history_now_ms(h)));
  if (!deadline_armed(&c->idle)) deadline_arm(&h->idle, &c->idle, clock_mono_ms(h->config.clock));
  return c;
}

void history_change(history *h, au_slice customer_id, const au_sample *sample) {
  (void)note_change(h, customer_id, sample);
}

void history_seen(history *h, au_slice customer_id, au_slice session_id) {
  h->config.store->ops->seen(h->config.store, customer_id, session_id,
                             history_day_of(history_now_ms(h)),
                             &h->config.counters->history_failed);
}

/* ---- reading
 * ---------------------------------------------------------------------------------------- */

static au_peaks peaks_with(const history *h, const current *c, au_peaks peaks, uint32_t count) {
  bool changed;
  if (c) merge_peaks(&peaks, &c->peaks);
  raise_peaks(&peaks, count, history_day_of(history_now_ms(h)), &changed);
  return peaks;
}

au_peaks history_peaks_with(const history *h, au_slice customer_id, au_peaks peaks,
                            uint32_t count) {
  return peaks_with(h, id_map_find(&h->customers, customer_id), peaks, count);
}

typedef struct peaks_read {
  history *history;
  uint32_t count;
  history_peaks_fn cb;
  void *arg;
  uint8_t id_len;
  char id[AU_ID_MAX];
} peaks_read;

static void on_peaks(au_status status, const au_history_answer *answer, void *arg) {
  const peaks_read *read = arg;
  au_peaks stored = status == AU_OK ? answer->peaks : (au_peaks){0};
  au_peaks peaks =
      history_peaks_with(read->history, (au_slice){read->id, read->id_len}, stored, read->count);
  read->cb(&peaks, read->arg);
  free(arg);
}

/* Asks the store when this daemon does not have the peaks itself. */
static au_status read_peaks(history *h, au_slice customer_id, uint32_t count, history_peaks_fn cb,
                            void *arg) {
  const au_history_ask ask = {0};
  peaks_read *read = malloc(sizeof *read);
  if (!read) return AU_ENOMEM;
  *read = (peaks_read){
      .history = h, .count = count, .cb = cb, .arg = arg, .id_len = (uint8_t)customer_id.len};
  memcpy(read->id, customer_id.ptr, customer_id.len);
  au_status status = h->config.store->ops->get(h->config.store, customer_id, &ask, on_peaks, read);
  if (status != AU_OK) free(read);
  return status;
}

void history_peaks(history *h, au_slice customer_id, const au_sample *sample, history_peaks_fn cb,
                   void *arg) {
  const current *c = note_change(h, customer_id, sample);
  bool is_known = c && c->loading == LOADED;
  if (!is_known && read_peaks(h, customer_id, sample->count, cb, arg) == AU_OK) return;
  au_peaks peaks = peaks_with(h, c, (au_peaks){0}, sample->count);
  cb(&peaks, arg);
}

au_status history_get(history *h, au_slice customer_id, const au_history_ask *ask, au_history_fn cb,
                      void *arg) {
  return h->config.store->ops->get(h->config.store, customer_id, ask, cb, arg);
}

/* ---- life
 * ---------------------------------------------------------------------------------------------- */

static current *current_of_idle(deadline *idle) {
  return (current *)(void *)((char *)idle - offsetof(current, idle));
}

void history_expire(history *h, size_t max) {
  int64_t now_ms = clock_mono_ms(h->config.clock);
  for (deadline *d; max > 0 && (d = deadline_expire(&h->idle, now_ms)) != NULL; max--) {
    current *c = current_of_idle(d);
    keep_minute(h, c);
    drop(h, c);
  }
}

void history_flush(history *h) {
  for (deadline *d = deadline_first(&h->idle); d; d = deadline_after(&h->idle, d))
    keep_minute(h, current_of_idle(d));
}

au_status history_create(const history_config *config, history **out) {
  history *h = calloc(1, sizeof *h);
  if (!h) return AU_ENOMEM;
  h->config = *config;
  deadline_queue_init(&h->idle, 2 * config->interval_ms + MS_PER_MINUTE);
  if (id_map_init(&h->customers, config->seed, sizeof(current)) != AU_OK) {
    free(h);
    return AU_ENOMEM;
  }
  *out = h;
  return AU_OK;
}

void history_free(history *h) {
  if (!h) return;
  id_map_free(&h->customers);
  free(h);
}

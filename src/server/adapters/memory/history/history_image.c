/* Records are put again as if they came now, oldest first, so that the limit holds. */
#include "history_image.h"

#include "history_private.h"

#include <math.h>

/* ---- writing ------------------------------------------------------------------------- */

static void save_series(const series *s, const series_shape *shape, state_writer *w) {
  unsigned char records[AU_HISTORY_SLACK_MINUTES * AU_RECORD_BYTES];
  state_put_u32(w, (uint32_t)series_blocks(s));
  for (size_t i = 0; i < series_blocks(s); i++) {
    uint32_t number = series_block_number(s, i);
    series_read(s, shape, number * shape->per_block, shape->per_block, records);
    state_put_u32(w, number);
    state_put_bytes(w, records, (size_t)shape->per_block * AU_RECORD_BYTES);
  }
}

static void save_entry(const history_entry *e, state_writer *w) {
  state_put_slice(w, id_map_id(e));
  state_put_u32(w, e->peaks.ever);
  state_put_u32(w, e->peaks.today);
  state_put_u32(w, e->peaks.day);
  state_put_u32(w, e->is_hours_only);
  state_put_u32(w, e->last_minute);
  state_put_double(w, (double)e->activity);
  save_series(&e->hours, &SERIES_HOURS, w);
  save_series(&e->minutes, &SERIES_MINUTES, w);
  unsigned char image[HYPERLOGLOG_DENSE_BYTES];
  state_put_u32(w, e->days_count);
  for (size_t i = 0; i < e->days_count; i++) {
    state_put_u32(w, e->days[i].day);
    state_put_slice(w, hyperloglog_image(&e->days[i].sessions, image));
  }
}

void history_table_save_image(const history_table *t, state_writer *w) {
  state_put_u32(w, t->now_minute);
  const history_entry *e = t->hand;
  if (e) do {
      save_entry(e, w);
      e = e->next;
    } while (e != t->hand);
  state_put_slice(w, (au_slice){"", 0});
}

/* ---- reading ---------------------------------------------------------------------------- */

/* `keep` false: only read over it. */
static bool load_series(history_entry *e, series *s, const series_shape *shape, history_table *t,
                        bool keep, state_reader *r) {
  uint32_t blocks = state_get_u32(r);
  for (uint32_t i = 0; i < blocks && !r->failed; i++) {
    uint32_t first = state_get_u32(r) * shape->per_block;
    const unsigned char *records = state_get_bytes(r, (size_t)shape->per_block * AU_RECORD_BYTES);
    bool fits = keep && t->bytes + series_growth(s, shape, first) <= t->max_bytes;
    for (uint32_t k = 0; records && fits && k < shape->per_block; k++)
      if (series_put(s, shape, first + k, records + (size_t)k * AU_RECORD_BYTES) != AU_OK) break;
    if (e) history_entry_count(t, e);
  }
  return !r->failed;
}

static bool load_days(history_entry *e, history_table *t, state_reader *r) {
  uint32_t days = state_get_u32(r);
  for (uint32_t i = 0; i < days && !r->failed; i++) {
    uint32_t day = state_get_u32(r);
    au_slice image = state_get_slice(r);
    hyperloglog sessions;
    if (day == 0) continue;
    au_status status = hyperloglog_load(&sessions, image);
    if (status == AU_EINVAL) return false;
    bool fits = status == AU_OK && e && t->bytes + hyperloglog_bytes(&sessions) <= t->max_bytes;
    hyperloglog *kept = fits ? history_entry_day(e, day) : NULL;
    if (kept)
      *kept = sessions;
    else
      hyperloglog_free(&sessions);
    if (e) history_entry_count(t, e);
  }
  return !r->failed;
}

bool history_table_load_image(history_table *t, state_reader *r) {
  t->now_minute = state_get_u32(r);
  series none = {0};
  for (au_slice id; (id = state_get_slice(r)).len > 0;) {
    if (id.len > AU_ID_MAX) return false;
    history_entry *e = history_entry_of(t, id);
    au_peaks peaks = {0};
    peaks.ever = state_get_u32(r);
    peaks.today = state_get_u32(r);
    peaks.day = state_get_u32(r);
    bool is_hours_only = state_get_u32(r) != 0;
    uint32_t last_minute = state_get_u32(r);
    double activity = state_get_double(r);
    if (!isfinite(activity)) return false;
    if (e) {
      e->peaks = peaks;
      e->is_hours_only = is_hours_only;
      e->last_minute = last_minute;
      e->activity = (float)activity;
    }
    if (!load_series(e, e ? &e->hours : &none, &SERIES_HOURS, t, e != NULL, r) ||
        !load_series(e, e ? &e->minutes : &none, &SERIES_MINUTES, t, e != NULL, r) ||
        !load_days(e, t, r))
      return false;
  }
  return !r->failed;
}

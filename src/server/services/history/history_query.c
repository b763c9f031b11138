/* Ranges, steps and buckets. */
#include "history_query.h"

#include "record.h"

static const int64_t MAX_MS = 253402300800000; /* the year 10000 */

static int64_t floor_to(int64_t value, int64_t step) {
  return value / step * step;
}

static int64_t points_of(const history_range *r) {
  return (floor_to(r->to_ms - 1, r->step_ms) - floor_to(r->from_ms, r->step_ms)) / r->step_ms + 1;
}

/* Minutes when all of them are kept, else hours; coarser by whole ones until they fit. */
static int64_t default_step(const history_range *r, int64_t now_ms) {
  bool has_minutes = now_ms - r->from_ms <= (int64_t)AU_HISTORY_MINUTES * HISTORY_MINUTE_MS;
  int64_t unit_ms = has_minutes ? HISTORY_MINUTE_MS : HISTORY_HOUR_MS;
  history_range tried = {r->from_ms, r->to_ms, unit_ms};
  int64_t units = (points_of(&tried) + HISTORY_MAX_POINTS - 1) / HISTORY_MAX_POINTS;
  int64_t step_ms = unit_ms * units;
  return step_ms > HISTORY_HOUR_MS ? floor_to(step_ms + HISTORY_HOUR_MS - 1, HISTORY_HOUR_MS)
                                   : step_ms;
}

static const char *check_step(const history_range *r) {
  if (r->step_ms % HISTORY_MINUTE_MS != 0) return "step must be whole minutes, in milliseconds";
  if (r->step_ms > HISTORY_HOUR_MS && r->step_ms % HISTORY_HOUR_MS != 0)
    return "a step of more than an hour must be whole hours, in milliseconds";
  if (r->step_ms > (int64_t)HISTORY_MAX_STEP_DAYS * 24 * HISTORY_HOUR_MS)
    return "step must be at most 90 days, in milliseconds";
  if (points_of(r) > HISTORY_MAX_POINTS)
    return "step makes too many points of this range: at most 1500";
  return NULL;
}

const char *history_range_complete(history_range *r, int64_t now_ms, const char **field) {
  *field = "to";
  if (r->to_ms == 0) r->to_ms = now_ms;
  if (r->to_ms > MAX_MS) return "to must be milliseconds since the epoch";
  *field = "from";
  if (r->from_ms == 0)
    r->from_ms = r->to_ms > HISTORY_DEFAULT_RANGE_MS ? r->to_ms - HISTORY_DEFAULT_RANGE_MS : 1;
  if (r->from_ms >= r->to_ms) return "from must be before to";
  int64_t oldest_ms =
      floor_to(now_ms, HISTORY_HOUR_MS) - (int64_t)AU_HISTORY_HOURS * HISTORY_HOUR_MS;
  if (r->from_ms < oldest_ms && oldest_ms < r->to_ms) r->from_ms = oldest_ms;
  *field = "step";
  if (r->step_ms == 0) r->step_ms = default_step(r, now_ms);
  return check_step(r);
}

/* [*from, *from + returned) of the units that a range needs and that are kept. */
static uint32_t units_of(const history_range *r, int64_t now_ms, int64_t unit_ms, int64_t kept,
                         uint32_t *from) {
  int64_t newest = now_ms / unit_ms, oldest = newest - kept;
  int64_t first = floor_to(r->from_ms, r->step_ms) / unit_ms;
  int64_t end = (floor_to(r->to_ms - 1, r->step_ms) + r->step_ms) / unit_ms;
  if (first < oldest) first = oldest;
  if (end > newest + 1) end = newest + 1;
  if (first < 0) first = 0;
  *from = (uint32_t)first;
  return end > first ? (uint32_t)(end - first) : 0;
}

au_history_ask history_range_ask(const history_range *r, int64_t now_ms) {
  au_history_ask ask = {0};
  if (r->step_ms < HISTORY_HOUR_MS)
    ask.minutes = units_of(r, now_ms, HISTORY_MINUTE_MS, AU_HISTORY_MINUTES, &ask.minute);
  else
    ask.hours = units_of(r, now_ms, HISTORY_HOUR_MS, AU_HISTORY_HOURS, &ask.hour);
  return ask;
}

static void add_point(au_history_point *point, int64_t at_ms, const record *r) {
  *point = (au_history_point){at_ms, r->min, r->max, r->mean, r->ema};
}

size_t history_range_points(const history_range *r, const au_history_ask *ask,
                            const au_history_answer *answer, au_history_point *points) {
  bool by_minute = ask->minutes > 0;
  uint32_t from = by_minute ? ask->minute : ask->hour, n = by_minute ? ask->minutes : ask->hours;
  const unsigned char *records = by_minute ? answer->minutes : answer->hours;
  int64_t unit_ms = by_minute ? HISTORY_MINUTE_MS : HISTORY_HOUR_MS, bucket_ms = 0;
  record bucket = {0};
  size_t count = 0;
  for (uint32_t i = 0; i < n; i++) {
    record one = record_unpack(records + (size_t)i * AU_RECORD_BYTES);
    if (one.parts == 0) continue;
    int64_t at_ms = floor_to(((int64_t)from + i) * unit_ms, r->step_ms);
    if (at_ms != bucket_ms && bucket.parts > 0 && count < HISTORY_MAX_POINTS) {
      add_point(&points[count++], bucket_ms, &bucket);
      bucket = (record){0};
    }
    bucket_ms = at_ms;
    record_add(&bucket, &one, by_minute ? 1 : one.parts);
  }
  if (bucket.parts > 0) add_point(&points[count++], bucket_ms, &bucket);
  return count;
}

/* A range of the history as points of a chart. Pure: checks what was asked for, says which records
 * to read, and puts them into buckets. */
#ifndef SERVICES_HISTORY_QUERY_H
#define SERVICES_HISTORY_QUERY_H

#include <active_users/history.h>

enum {
  HISTORY_MAX_POINTS = 1500, /* of one answer: a day of minutes fits */
  HISTORY_DEFAULT_RANGE_MS = 3600 * 1000,
  HISTORY_MINUTE_MS = 60 * 1000,
  HISTORY_HOUR_MS = 3600 * 1000,
  HISTORY_MAX_STEP_DAYS = 90,
};

/* From `from_ms` (included) to `to_ms` (not), in buckets of `step_ms` that begin at multiples of
 * it. 0: not given. */
typedef struct history_range {
  int64_t from_ms, to_ms, step_ms;
} history_range;

/* Fills in what was not given: the last hour; minutes within a day, else hours, or a coarser step
 * when that would be too many. A beginning before all that is kept comes forward. Returns NULL, or
 * why the range is none: *field then names the parameter. Both are static. */
const char *history_range_complete(history_range *range, int64_t now_ms, const char **field);

/* Which records the points of a complete range are made of, without unique sessions. Records that
 * are no longer kept at `now_ms`, and those of the time to come, are not asked for. */
au_history_ask history_range_ask(const history_range *range, int64_t now_ms);

/* Makes the points; buckets without a record are left out. `points` has room for
 * HISTORY_MAX_POINTS + 1; returns how many there are. */
size_t history_range_points(const history_range *range, const au_history_ask *ask,
                            const au_history_answer *answer, au_history_point *points);

#endif

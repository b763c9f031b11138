/* The history of a customer as JSON and as CSV. Nothing here keeps state. */
#ifndef WIRE_HISTORY_H
#define WIRE_HISTORY_H

#include <active_users/history.h>

#include "utils/buffer.h"

enum { WIRE_HISTORY_MAX_BYTES = 160 * 1024 }; /* of one answer; the longest has 1,501 points */

typedef struct wire_history {
  au_slice customer_id;
  int64_t from_ms, to_ms, step_ms;
  au_peaks peaks;
  uint64_t unique_today, unique_week;
  const au_history_point *points;
  size_t count;
} wire_history;

/* {"customerId":…,"from":…,"to":…,"step":…,"peakToday":…,"peak":…,"uniqueToday":…,"unique7d":…,
 * "columns":["timestamp","min","mean","max","ema"],"points":[[…],…]}; mean and ema have at most 2
 * decimals. */
void wire_print_history(buffer *out, const wire_history *history);

/* The points alone, with a line of names, as in RFC 4180. */
void wire_print_history_csv(buffer *out, const wire_history *history);

#endif

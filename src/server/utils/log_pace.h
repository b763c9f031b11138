/* Paces a log line that may come often: the first at once, then how many came, once a minute. */
#ifndef UTILS_LOG_PACE_H
#define UTILS_LOG_PACE_H

#include <active_users/types.h>

enum { LOG_PACE_MS = 60000 };

/* Zero-initialised is one that has logged nothing. */
typedef struct log_pace {
  bool began;
  int64_t logged_at_ms;
  uint64_t count; /* since then */
} log_pace;

/* Counts one. Returns how many to tell of now, 0: say nothing. now_ms is the loop's clock. What
 * came since the last line and is followed by no other one is in the counters alone. */
static inline uint64_t log_pace_add(log_pace *p, int64_t now_ms) {
  p->count++;
  if (p->began && now_ms - p->logged_at_ms < LOG_PACE_MS) return 0;
  uint64_t count = p->count;
  p->began = true;
  p->logged_at_ms = now_ms;
  p->count = 0;
  return count;
}

#endif

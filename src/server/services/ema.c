/* The arithmetic of a tick. */
#include "ema.h"

#include <math.h>

/* An average below this says only that the customer has been empty for a long time. */
static const double FORGET_BELOW = 0.01;

double ema_step(double ema, double alpha, uint32_t count) {
  return alpha * count + (1.0 - alpha) * ema;
}

double ema_step_late(double ema, double alpha, uint32_t count, uint32_t intervals) {
  if (intervals <= 1) return ema_step(ema, alpha, count);
  /* 1 - (1 - alpha)^intervals, exact for the smallest alphas too */
  return ema_step(ema, -expm1(intervals * log1p(-alpha)), count);
}

uint32_t ema_intervals(int64_t elapsed_ms, int64_t interval_ms) {
  int64_t n = (elapsed_ms + interval_ms / 2) / interval_ms;
  if (n < 1) return 1;
  return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

bool ema_evictable(double ema, uint32_t count) {
  return count == 0 && ema < FORGET_BELOW;
}

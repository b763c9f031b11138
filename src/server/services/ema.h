/* The exponential moving average of a count. Pure arithmetic: no clock, no store.
 *
 * s' = alpha * x + (1 - alpha) * s  (Brown, "Exponential Smoothing for Predicting
 * Demand", 1956; also called an exponentially weighted moving average). */
#ifndef SERVICES_EMA_H
#define SERVICES_EMA_H

#include <stdbool.h>
#include <stdint.h>

/* One tick. alpha in (0, 1]. */
double ema_step(double ema, double alpha, uint32_t count);

/* A tick that covers `intervals` >= 1 of them: the weight of the newest count is
 * 1 - (1 - alpha)^intervals, as if each missed tick had seen this count. */
double ema_step_late(double ema, double alpha, uint32_t count, uint32_t intervals);

/* How many intervals a tick covers that comes `elapsed_ms` after the last one:
 * rounded to the nearest, at least 1. interval_ms > 0. */
uint32_t ema_intervals(int64_t elapsed_ms, int64_t interval_ms);

/* True for a customer without sessions whose average has decayed: the store drops it. */
bool ema_evictable(double ema, uint32_t count);

#endif

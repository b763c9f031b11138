// Checks metrics from outside: a page must not break because a proxy answers something else.
import type { ServerMetrics } from '../types.js';

export function isMetrics(value: unknown): value is ServerMetrics {
  const { count, ema, timestamp } = (value ?? {}) as ServerMetrics;
  return [count, ema, timestamp].every(Number.isFinite) && count >= 0;
}

// How long to wait before the next attempt, by what went wrong. Knows no transport.
import type { ActiveUsersError } from '../types.js';

const BASE_MS = 1000;
const CAP_MS = 30_000;
/** Somebody has to change something before it can work. */
const REFUSED_MS = 300_000;
/** A Retry-After that asks for more is a mistake. */
const LONGEST_MS = 3_600_000;

/** Full jitter: everybody was cut off at once and must not come back at once. random: in [0, 1). */
export function backoff(attempt: number, random: number): number {
  return random * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
}

/**
 * The wait that the server asked for, so that nothing here may cut it short; else undefined.
 * fresh: whether the next attempt brings another token.
 */
export function askedDelay(
  why: ActiveUsersError,
  fresh: boolean,
  random: number,
): number | undefined {
  const {
    closeCode,
    status,
    retryAfterMs = 0,
  } = why as {
    closeCode?: number;
    status?: number;
    retryAfterMs?: number;
  };
  // The close codes 4401 and 4403 are the statuses 401 and 403.
  const code = ((closeCode ?? status) as number) % 4000;
  if (code === 403 || (code === 401 && !fresh)) return REFUSED_MS;
  // Service restart: its registry entry asks for 5 to 30 seconds.
  if (code === 1012) return 5000 + random * 25_000;
  // Not at once, however short the row of failures is.
  if (code === 1008 || code === 1013) return (CAP_MS / 2) * (1 + random);
  if (retryAfterMs > 0) return Math.min(retryAfterMs, LONGEST_MS) + random * BASE_MS;
  return undefined;
}

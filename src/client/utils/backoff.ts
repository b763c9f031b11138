// How long to wait before the next attempt, by what went wrong. Knows no transport.
import type { ActiveUsersError } from '../types.js';

const BASE_MS = 1000;
const CAP_MS = 30_000;
/** Somebody has to change something before it can work. */
const REFUSED_MS = 300_000;

/**
 * attempt   attempts that have failed in a row before this one.
 * fresh     whether the next attempt brings another token.
 * random    a number in [0, 1): everybody was cut off at once and must not come back at once.
 */
export function retryDelay(
  why: ActiveUsersError,
  attempt: number,
  fresh: boolean,
  random: number,
): number {
  const status = why.code === 'closed' ? why.closeCode : why.code === 'http' ? why.status : 0;
  const jitter = random * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
  if (status === 4403 || status === 403) return REFUSED_MS;
  if ((status === 4401 || status === 401) && !fresh) return REFUSED_MS;
  // 1012, service restart: its registry entry asks for 5 to 30 seconds.
  if (status === 1012) return 5000 + random * 25_000;
  // 1008 and 1013: not at once, however short the row of failures is.
  if (status === 1008 || status === 1013) return CAP_MS / 2 + (random * CAP_MS) / 2;
  if (why.code === 'http' && why.retryAfterMs) return why.retryAfterMs + random * BASE_MS;
  return jitter;
}

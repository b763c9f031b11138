// What the leading tab tells the others, and what they believe of it: any script of the site may
// speak on the channel, and another tab may have another version.
import { idOf } from './config.js';
import type { Waits } from './connection/HybridConnectionManager.js';
import { isMetrics } from './metrics/check.js';
import type { ActiveUsersError, ConnectionMode, ServerMetrics } from './types.js';
import { textOf } from './utils/text.js';

export interface Shared {
  mode: ConnectionMode;
  sessionId: string | undefined;
  metrics: ServerMetrics | null;
  waits: Waits;
  /** What went wrong just now. */
  error: ActiveUsersError | undefined;
}

const MODES: ConnectionMode[] = ['websocket', 'sse', 'polling', 'offline'];
/** An hour is the most that a server is granted, and its jitter. */
const LONGEST_WAIT_MS = 3_700_000;

/** Of what claims to be Shared, the fields that are. */
export function believe(value: unknown): Shared {
  const told = value as { [K in keyof Shared]?: unknown };
  const given = Object(told.waits) as Record<string, unknown>;
  const waits: Waits = {};
  for (const mode of MODES) {
    const [until, ms] = Array.isArray(given[mode]) ? given[mode] : [];
    if (until > 0 && ms <= LONGEST_WAIT_MS) waits[mode] = [until, ms];
  }
  return {
    mode: MODES.find((mode) => mode === told.mode) ?? 'offline',
    sessionId: idOf(told.sessionId),
    metrics: isMetrics(told.metrics) ? told.metrics : null,
    waits,
    error: textOf(Object(told.error).message) ? (told.error as ActiveUsersError) : undefined,
  };
}

// When the next sign of life is due. Armed from the answer, so that a slow server is asked less often.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';

/** Visible, resume, pageshow and online often come together: they are one beat. */
export const COALESCE_MS = 1000;

export interface Heartbeat {
  /** The server has answered: the next beat is one interval away. */
  answered(): void;
  /** Something happened that wants a beat at once. */
  now(): void;
  stop(): void;
}

export function createHeartbeat(scope: Scope, interval: () => number, beat: () => void): Heartbeat {
  let last = -COALESCE_MS;
  const now = () => scope.performance.now();
  const send = () => {
    last = now();
    beat();
  };
  const timer = createTimer(scope, send);
  return {
    answered: () => timer.arm(interval()),
    now() {
      if (now() - last >= COALESCE_MS) send();
    },
    stop: timer.clear,
  };
}

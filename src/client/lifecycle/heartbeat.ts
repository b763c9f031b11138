// When the next sign of life is due. Armed from the answer, so that a slow server is asked less often.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';

/** Visible, resume, pageshow and online often come together: they are one beat. */
export const COALESCE_MS = 1000;

export interface Heartbeat {
  /** The server has answered: the next beat is one interval away. */
  answered(): void;
  /** Something happened that wants a beat at once, unless the server has just answered. */
  now(): void;
  /** The next beat is a second away. */
  soon(): void;
  stop(): void;
}

/** beat: told how long the server has been silent, in milliseconds. */
export function createHeartbeat(
  scope: Scope,
  interval: () => number,
  beat: (silence: number) => void,
): Heartbeat {
  let heard = 0;
  // The wall clock, since others stand still while a computer sleeps.
  const now = () => scope.Date.now();
  const timer = createTimer(scope, () => beat(now() - heard));
  return {
    answered() {
      heard = now();
      timer.arm(interval());
    },
    now() {
      if (now() - heard >= COALESCE_MS) beat(now() - heard);
    },
    soon: () => timer.arm(COALESCE_MS),
    stop: timer.clear,
  };
}

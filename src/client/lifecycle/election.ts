// Who leads among the tabs: two ways to stand, one interface. Must not know what leading means.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';

export interface Election {
  /** This tab stands; `onChange` tells when it wins and when it loses again. Never inside start(). */
  start(): void;
  /** Takes over, whoever leads: because nothing is heard of it, or because this tab is visible. */
  steal(): void;
  /** Stands no more; what it held goes to the next. No `onChange` after it. */
  stop(): void;
}

export type OnChange = (leads: boolean) => void;

/**
 * Web Locks: whoever holds the lock leads, and the browser gives it on when a tab dies. onRefused:
 * the browser has locks but not for this page (sandboxed frame, blocked storage).
 */
export function createLockElection(
  locks: LockManager,
  name: string,
  onChange: OnChange,
  onRefused: () => void,
): Election {
  let request: AbortController | undefined;
  let release: (() => void) | undefined;

  const stop = () => {
    request?.abort(); // waits in the queue no more
    release?.(); // holds it no more
    request = release = undefined;
  };

  const ask = (steal: boolean) => {
    stop();
    const mine = (request = new AbortController());
    locks
      .request(name, steal ? { steal } : { signal: mine.signal }, () => {
        if (request !== mine) return;
        const free = new Promise<void>((resolve) => (release = resolve));
        onChange(true);
        return free;
      })
      .catch(() => {
        if (request !== mine) return;
        if (!release) return onRefused();
        ask(false); // it was stolen
        onChange(false);
      });
  };

  return { start: () => ask(false), steal: () => ask(true), stop };
}

/** How long a leader has to answer a tab that stands; one that yields waits as long again. */
export const ELECTION_MS = 300;

export interface Vote extends Election {
  /** Another tab is there, and may stand as well: the lower id goes first. */
  heard(other: string): void;
}

/** A channel alone: whoever stands has said so on it, and leads if no leader answers (then: `stop`). */
export function createVote(scope: Scope, id: string, onChange: OnChange): Vote {
  const timer = createTimer(scope, () => onChange(true));
  const arm = (least: number) => timer.arm(ELECTION_MS * (least + scope.Math.random()));
  return {
    start: () => arm(1),
    steal() {
      timer.clear();
      onChange(true);
    },
    stop: timer.clear,
    heard(other) {
      if (timer.armed() && other < id) arm(2);
    },
  };
}

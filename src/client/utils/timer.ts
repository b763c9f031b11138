// One timer with one purpose. Whoever owns it clears it; none is ever left behind unnamed.
import type { Scope } from './scope.js';

/** Later than this, the page hung or the computer slept. */
const OVERDUE_MS = 1000;

export interface Timer {
  armed(): boolean;
  /** Runs once in `ms` milliseconds; an earlier appointment is forgotten. */
  arm(ms: number): void;
  clear(): void;
}

/** When it is overdue, what has happened meanwhile is heard first: another tab may lead now. */
export function createTimer(scope: Scope, run: () => void): Timer {
  let id: number | undefined;
  const clear = () => {
    scope.clearTimeout(id);
    id = undefined;
  };
  const arm = (ms: number) => {
    clear();
    const due = scope.Date.now() + ms;
    id = scope.setTimeout(() => {
      id = undefined;
      if (scope.Date.now() - due > OVERDUE_MS) arm(0);
      else run();
    }, ms);
  };
  return { armed: () => !!id, arm, clear };
}

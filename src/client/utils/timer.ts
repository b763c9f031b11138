// One timer with one purpose. Whoever owns it clears it; none is ever left behind unnamed.
import type { Scope } from './scope.js';

export interface Timer {
  armed(): boolean;
  /** Runs once in `ms` milliseconds; an earlier appointment is forgotten. */
  arm(ms: number): void;
  clear(): void;
}

export function createTimer(scope: Scope, run: () => void): Timer {
  let id: number | undefined;
  const clear = () => {
    scope.clearTimeout(id);
    id = undefined;
  };
  return {
    armed: () => id !== undefined,
    arm(ms) {
      clear();
      id = scope.setTimeout(() => {
        id = undefined;
        run();
      }, ms);
    },
    clear,
  };
}

// Passes the newest value on, at most once an animation frame and to a visible page only.
import type { Scope } from '../utils/scope.js';

export interface Sampler<T> {
  push(value: T): void;
  /** To be called when the page becomes visible, since a hidden one draws no frames. */
  flush(): void;
  /** For good: what is pushed afterwards goes nowhere. */
  stop(): void;
}

export function createSampler<T>(scope: Scope, deliver: (value: T) => void): Sampler<T> {
  let next: T | undefined;
  let frame: number | undefined;
  const flush = () => {
    if (next === undefined || frame !== undefined || scope.document.hidden) return;
    frame = scope.requestAnimationFrame(() => {
      const value = next as T;
      frame = next = undefined;
      deliver(value);
    });
  };
  return {
    push(value) {
      next = value;
      flush();
    },
    flush,
    stop() {
      scope.cancelAnimationFrame(frame ?? 0); // there is no frame 0
      frame = 0; // as if one were under way, so that no other is asked for
    },
  };
}

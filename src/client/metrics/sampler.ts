// Passes the newest value on, at most once an animation frame and to a visible page only.
import type { Scope } from '../utils/scope.js';

export interface Sampler<T> {
  push(value: T): void;
  /** To be called when the page becomes visible, since a hidden one draws no frames. */
  flush(): void;
  /** For good: what is pushed afterwards goes nowhere. */
  stop(): void;
}

export function createSampler<T extends object>(
  scope: Scope,
  deliver: (value: T) => void,
): Sampler<T> {
  let next: T | undefined;
  let frame: number | undefined;
  const flush = () => {
    if (!next || frame || scope.document.hidden) return;
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
      scope.cancelAnimationFrame(frame as number); // none is fine
      frame = -1; // as if one were under way, so that no other is asked for
    },
  };
}

// Passes the newest value on: at most once an animation frame while the page is visible, and at once
// while it is hidden, because a hidden page draws no frames.
import type { Scope } from '../utils/scope.js';

export interface Sampler<T> {
  push(value: T): void;
  /** To be called when the page becomes visible: the newest value that came meanwhile is passed on. */
  flush(): void;
  /** For good: later values are dropped. */
  stop(): void;
}

export function createSampler<T extends object>(
  scope: Scope,
  deliver: (value: T, hidden: boolean) => void,
): Sampler<T> {
  let next: T | undefined;
  let frame: number | undefined;
  const flush = () => {
    if (!next || frame || scope.document.hidden) return;
    frame = scope.requestAnimationFrame(() => {
      const value = next as T;
      frame = next = undefined;
      deliver(value, false);
    });
  };
  return {
    push(value) {
      next = value;
      if (scope.document.hidden && frame !== STOPPED) deliver(value, true);
      flush();
    },
    flush,
    stop() {
      scope.cancelAnimationFrame(frame as number); // none is fine
      frame = STOPPED;
    },
  };
}

/** No frame has this number. */
const STOPPED = -1;

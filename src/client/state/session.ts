// Who this browser is: one session id for all its tabs. Must not know how it is told to others.
import { ID } from '../config.js';
import { randomId } from '../utils/ids.js';
import type { Scope } from '../utils/scope.js';

export const STORAGE_KEY = 'active-users';
/** Idle longer than this, a person who comes back is a new session. */
export const IDLE_MS = 24 * 60 * 60 * 1000;

export interface Session {
  /** The id to use now. Asking for it is a sign of life. */
  use(): string;
  /** What the leading tab uses; kept for the day this tab leads, which is all there is without storage. */
  adopt(id: string): void;
  /** The last id used or adopted, without a sign of life. */
  current(): string | undefined;
  /** Whether the next page of this site will find it. */
  kept(): boolean;
}

/** Storage that is blocked or full costs nothing but memory. */
export function createSession(scope: Scope, persistent: boolean): Session {
  let id: string | undefined;
  let at = 0;
  let kept = false;
  return {
    use() {
      const now = scope.Date.now();
      kept = false;
      try {
        const last = JSON.parse(scope.localStorage.getItem(STORAGE_KEY) as string);
        // What this tab has heard or used since is newer than what another tab wrote before.
        if (persistent && ID.test(last.id) && last.at > at) ({ id, at } = last);
      } catch {
        // nothing there, not ours, or blocked
      }
      if (!id || now - at > IDLE_MS) id = randomId(scope);
      at = now;
      try {
        if (persistent) {
          scope.localStorage.setItem(STORAGE_KEY, JSON.stringify({ id, at }));
          kept = true;
        }
      } catch {
        // blocked or full
      }
      return id;
    },
    adopt(given) {
      id = given;
      at = scope.Date.now();
    },
    current: () => id,
    kept: () => kept,
  };
}

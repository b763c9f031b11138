// Who this browser is: one session id for all its tabs. Must not know how it is told to others.
import { idOf, type ResolvedConfig } from '../config.js';
import { randomId } from '../utils/ids.js';
import type { Scope } from '../utils/scope.js';

/** Of the item in localStorage, and of the cookie. */
export const STORAGE_KEY = 'active-users';
/** Idle longer than this, a person who comes back is a new session. */
export const IDLE_MS = 24 * 60 * 60 * 1000;

export interface Session {
  /** The id for a new connection; a new one after a day of silence. Counts as a sign of life. */
  use(): string;
  /** A sign of life by a connection that stands. */
  touch(): void;
  /** The id that the leading tab uses; without storage this tab has it from nowhere else. */
  adopt(id: string): void;
  /** The last id used or adopted, without a sign of life. */
  current(): string | undefined;
  /** Until when this browser polls because its WebSocket failed; 0 or in the past: it does not. */
  pollUntil(): number;
  setPollUntil(time: number): void;
}

/** Storage that is blocked or full costs nothing but memory. */
export function createSession(
  scope: Scope,
  { storage, sessionDomain }: Pick<ResolvedConfig, 'storage' | 'sessionDomain'>,
): Session {
  const persistent = storage === 'local';
  let id: string | undefined;
  let at = 0;
  let pollUntil = 0;

  const readCookie = () =>
    sessionDomain &&
    new RegExp(`(?:^|; )${STORAGE_KEY}=([^;]+)`)
      .exec(scope.document.cookie)
      ?.map(decodeURIComponent)[1];

  const read = () => {
    if (!persistent) return;
    try {
      const last = JSON.parse(readCookie() || (scope.localStorage.getItem(STORAGE_KEY) as string));
      pollUntil = +last.poll || 0;
      // What this tab has heard or used since is newer than what another tab wrote before.
      if (idOf(last.id) && last.at > at) [id, at] = [last.id, Math.min(last.at, scope.Date.now())];
    } catch {
      // nothing there, not ours, or blocked
    }
  };

  const write = () => {
    if (!persistent || !id) return;
    const text = JSON.stringify({ id, at, poll: pollUntil });
    try {
      if (sessionDomain)
        scope.document.cookie = `${STORAGE_KEY}=${encodeURIComponent(text)};domain=${sessionDomain};path=/;max-age=86400;samesite=lax`;
      scope.localStorage.setItem(STORAGE_KEY, text);
    } catch {
      // blocked or full
    }
  };

  const touch = () => {
    at = scope.Date.now();
    write();
  };

  return {
    use() {
      read();
      if (!id || scope.Date.now() - at > IDLE_MS) id = randomId(scope);
      touch();
      return id;
    },
    touch,
    adopt(given) {
      id = given;
      at = scope.Date.now();
    },
    current: () => id,
    pollUntil() {
      read();
      return pollUntil;
    },
    setPollUntil(time) {
      pollUntil = time;
      write();
    },
  };
}

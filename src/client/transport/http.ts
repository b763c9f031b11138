// Requests to the daemon. Knows its paths and headers, not when to call.
import type { ResolvedConfig } from '../config.js';
import type { ActiveUsersError } from '../types.js';
import type { Scope } from '../utils/scope.js';
import { textOf } from '../utils/text.js';
import type { Identity, Told } from './transport.js';

export interface Http {
  /** A message as text, with the time and what this tab looks at. */
  write(message: object): string;
  /**
   * A sign of life that brings the metrics back, or the metrics alone for a watcher: `why` it failed,
   * or what the server told. Never rejects.
   */
  beat(identity: Identity, signal: AbortSignal): Promise<{ why?: ActiveUsersError; told?: Told }>;
  /**
   * The person may be gone: the session ends in GRACE_MS unless another sign of life comes. Sent
   * while the page goes away, so nobody waits for the answer.
   */
  leave(identity: Identity): void;
}

/** The next page, or the next route, takes less than this to give its first sign of life. */
export const GRACE_MS = 2500;

export const NO_ANSWER: ActiveUsersError = { code: 'network', message: 'no answer' };

export function createHttp(
  scope: Scope,
  { apiUrl }: ResolvedConfig,
  look: () => object,
): Http {
  // Text goes as text/plain, and the token in it, so that other origins need no preflight and a
  // beacon has it too.
  const write = (message: object) =>
    JSON.stringify({ ...message, timestamp: scope.Date.now(), ...look() });

  const send = (path: string, init: RequestInit & { body?: string }) =>
    scope.fetch(apiUrl + path, {
      method: init.body && 'POST', // without a body it is GET
      credentials: 'omit',
      ...init,
    });

  return {
    write,

    async beat(identity, signal) {
      const { customerId, sessionId } = identity;
      let why = NO_ANSWER;
      try {
        const reply = await (sessionId
          ? send('/presence/beat?metrics=1', { body: write(identity), signal })
          : send('/metrics?customerId=' + encodeURIComponent(customerId), { signal })); // public
        const { ok, status, headers } = reply;
        const told = await reply.json().catch(() => null);
        if (ok && Object(told) === told) return { told };
        why = {
          code: 'http',
          message: textOf(told?.message) ?? `${apiUrl} answered with ${status}: is apiUrl right?`,
          status,
          // Seconds; a date is not worth its bytes, since the daemon sends none.
          retryAfterMs: +(headers.get('Retry-After') as string) * 1000 || undefined,
        };
      } catch {
        // `why` has the reason
      }
      return { why };
    },

    async leave(identity) {
      const path = '/presence/leave';
      const body = write({ ...identity, graceMs: GRACE_MS });
      try {
        if (!scope.navigator.sendBeacon?.(apiUrl + path, body))
          await send(path, { body, keepalive: true });
      } catch {
        // the session ends by itself
      }
    },
  };
}

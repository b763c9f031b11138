// Requests to the daemon. Knows its paths and headers, not when to call.
import type { ResolvedConfig } from '../config.js';
import type { ActiveUsersError } from '../types.js';
import type { Scope } from '../utils/scope.js';
import type { Identity } from './transport.js';

export interface Http {
  /**
   * A sign of life that brings the metrics back, or the metrics alone for a watcher: `why` it failed,
   * or what claims to be metrics. Never rejects.
   */
  beat(
    identity: Identity,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<{ why?: ActiveUsersError; metrics?: unknown }>;
  /** Sent while the page goes away: nobody waits for the answer. */
  leave(identity: Identity, token: string | undefined): void;
}

export function createHttp(scope: Scope, { apiUrl }: ResolvedConfig): Http {
  // Text goes as text/plain, so that other origins need no preflight.
  const bodyOf = (identity: Identity) =>
    JSON.stringify({ ...identity, timestamp: scope.Date.now() });

  const send = (path: string, token: string | undefined, init: RequestInit & { body?: string }) =>
    scope.fetch(apiUrl + path, {
      method: init.body && 'POST', // without a body it is GET
      headers: token ? { Authorization: 'Bearer ' + token } : {},
      credentials: 'omit',
      ...init,
    });

  return {
    async beat(identity, token, signal) {
      const { customerId, sessionId } = identity;
      let why: ActiveUsersError = { code: 'network', message: 'the server did not answer' };
      try {
        const reply = await (sessionId
          ? send('/presence/beat?metrics=1', token, { body: bodyOf(identity), signal })
          : send('/metrics?customerId=' + encodeURIComponent(customerId), token, { signal }));
        const { ok, status, headers } = reply;
        const told = await reply.json().catch(() => null);
        if (ok) return { metrics: sessionId ? told?.metrics : told };
        why = {
          code: 'http',
          message: String(told?.message ?? 'the server answered with ' + status),
          status,
          // Seconds; a date is not worth its bytes, since the daemon sends none.
          retryAfterMs: +(headers.get('Retry-After') as string) * 1000 || undefined,
        };
      } catch {
        // `why` has the reason
      }
      return { why };
    },

    async leave(identity, token) {
      const path = '/presence/leave';
      const body = bodyOf(identity);
      try {
        // A beacon cannot carry a token.
        if (token || !scope.navigator.sendBeacon?.(apiUrl + path, body))
          await send(path, token, { body, keepalive: true });
      } catch {
        // the session ends by itself
      }
    },
  };
}

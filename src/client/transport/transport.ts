// What the ways to the server have in common.
import type { ActiveUsersError } from '../types.js';

export interface TransportEvents {
  /** The server has taken us in. Once after each `open`. */
  ready(): void;
  /** It has answered a sign of life. */
  alive(): void;
  /** What claims to be metrics; undefined when it was no message at all. Not checked. */
  metrics(value: unknown): void;
  /** It is over, until the next `open`. */
  failed(why: ActiveUsersError): void;
}

/** Who asks. Without a session it only watches. */
export interface Identity {
  customerId: string;
  sessionId?: string;
  tabId?: string;
}

/** One way to reach the server. `open` may be called again after `close`. Has no timers: who opens it waits. */
export interface Transport {
  readonly mode: 'websocket' | 'polling';
  /** Events never fire inside open(). Throws when it cannot even be tried. */
  open(identity: Identity, token: string | undefined): void;
  /** A sign of life now; the answer comes as `alive` or `failed`. */
  beat(): void;
  /** Idempotent; no event after it. */
  close(): void;
}

// What the ways to the server have in common.
import type { ActiveUsersError } from '../types.js';

export interface TransportEvents {
  /** The server has answered a sign of life. The first time after `open`: it has taken us in. */
  alive(): void;
  /** What claims to be metrics; undefined when it was no message at all. Not checked. */
  metrics(value: unknown): void;
  /** The server complains, and it goes on. */
  error(why: ActiveUsersError): void;
  /** It is over: `close`, and then perhaps `open`. */
  failed(why: ActiveUsersError): void;
}

/** Who asks. Without a session it only watches. */
export interface Identity {
  customerId: string;
  sessionId?: string;
  tabId?: string;
}

/** One way to reach the server. Has no timers: who opens it waits. */
export interface Transport {
  readonly mode: 'websocket' | 'polling';
  /** To be called when it is closed. Events never fire inside. Throws when it cannot even be tried. */
  open(identity: Identity, token: string | undefined): void;
  /** A sign of life now; the answer comes as `alive` or `failed`. Not before the last one's. */
  beat(): void;
  /** Idempotent; no event after it. */
  close(): void;
}

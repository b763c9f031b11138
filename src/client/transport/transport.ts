// What the ways to the server have in common.
import type { ActiveUsersError } from '../types.js';

/** An answer of the server. Not checked. */
export interface Told {
  type?: unknown;
  message?: unknown;
  data?: unknown;
  metrics?: unknown;
  /** How long the token is valid. */
  tokenExpiresInMs?: unknown;
}

export interface TransportEvents {
  /**
   * The server has answered a sign of life with what it told. The first time after `open`: it has
   * taken us in.
   */
  alive(told: Told): void;
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
  token?: string | undefined;
  /** A program drives this browser: the daemon counts it apart from people. */
  webdriver?: boolean | undefined;
}

/** One way to reach the server. Has no timers: who opens it waits. */
export interface Transport {
  /** Polling's is `sse` while the stream beside it is open. */
  readonly mode: 'websocket' | 'sse' | 'polling';
  /** To be called when it is closed. Events never fire inside. Throws when it cannot even be tried. */
  open(identity: Identity): void;
  /**
   * A sign of life now; the answer comes as `alive` or `failed`. Not before the last one's. fresh:
   * the same with a fresh token.
   */
  beat(fresh?: Identity): void;
  /**
   * Idempotent; no event after it. `goes`: the person may be gone, and the server is told: the session
   * ends 2.5 s later (GRACE_MS in http.ts, and the daemon's own for a socket) unless another sign of
   * life comes.
   */
  close(goes?: boolean): void;
}

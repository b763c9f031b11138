// What a page sees: options, metrics, status, events, errors. Imports nothing, so that the
// rolled-up client.d.ts is this file and the classes.

/**
 * Options of `new ActiveUsersClient(config)`. Only `customerId` and `apiUrl` are required. A number
 * out of its range becomes the nearest in it.
 */
export interface ClientConfig {
  /** Whose visitors are counted: 1 to 128 characters of `A-Z a-z 0-9 . _ ~ @ = + / -`. */
  customerId: string;
  /** Base URL of the daemon, for example `https://presence.example` or `https://shop.example/presence`. */
  apiUrl: string;
  /** URL of the WebSocket. Default: `apiUrl` with `ws:` or `wss:` and the path `/ws/active-users`. */
  websocketUrl?: string | undefined;
  /** Says on the console what happens. Default false. */
  debug?: boolean | undefined;

  /** Period of signs of life while the page is visible, in milliseconds, 100 to a day. Default 30000. */
  foregroundHeartbeatInterval?: number | undefined;
  /** The same while it is hidden, if that is longer, in milliseconds, 100 to a day. Default 60000. */
  backgroundHeartbeatInterval?: number | undefined;
  /**
   * The daemon's `presence-ttl`, in milliseconds: a connection whose last answer is older than this,
   * as after a night's sleep, is made anew instead of asked. 100 to a day. Default 180000.
   */
  heartbeatTimeout?: number | undefined;

  /** Weight of the newest count in `smoothed`, (0, 1]. Default 0.2. */
  emaAlpha?: number | undefined;
  /** How many counts `smoothed` looks back on, 1 to 1000. Default 20. */
  emaWindowSize?: number | undefined;

  /** Period of polling while the page is visible, in milliseconds, 100 to a day. Default 30000. */
  pollingInterval?: number | undefined;
  /** Default true. */
  enableWebSocket?: boolean | undefined;
  /** Default true. */
  enablePolling?: boolean | undefined;

  /**
   * Where the session's id is kept: `local` is localStorage, anything else is memory only. Default
   * `local`.
   */
  storage?: 'local' | 'none' | undefined;
  /**
   * A domain at or above the page's, such as `owner.example`: its sites share one session, which is
   * kept in a first-party cookie of that domain as well. Default: none, and no cookie.
   */
  sessionDomain?: string | undefined;
  /** Watch the numbers without being counted, as a dashboard does. Default false. */
  watch?: boolean | undefined;
  /**
   * Tells the daemon the path of the page (never its query), also when a router changes it, and
   * whether the page is visible: `/metrics/pages` counts both. Default false.
   */
  trackPage?: boolean | undefined;
  /** Gives the token for a daemon that asks for one; called before each connection attempt. */
  getToken?: (() => string | Promise<string>) | undefined;
}

/** The numbers as the server last told them. Frozen, and another object only when there are others. */
export interface ServerMetrics {
  readonly customerId: string;
  /** When the server counted, milliseconds since the epoch. */
  readonly timestamp: number;
  /** People who are here now. */
  readonly count: number;
  /** Known bots that are here now, when there are any: they are not in `count`. */
  readonly bots?: number;
  /** The server's smoothed count, the same for everybody. */
  readonly ema: number;
  /** True while the server counts without its store. */
  readonly stale?: boolean;
}

export interface Metrics extends ServerMetrics {
  /** This page's own smoothing of `count`, for drawing only. */
  readonly smoothed: number;
}

/** `sse`: signs of life over HTTP, and the numbers by a stream of server-sent events. */
export type ConnectionMode = 'websocket' | 'sse' | 'polling' | 'offline';

/** Frozen, and another object only when something has changed. */
export interface ConnectionStatus {
  /** How the server is reached, by this tab or by the one that leads. */
  readonly mode: ConnectionMode;
  /** Whether this tab is the one that beats for all tabs. */
  readonly isLeader: boolean;
  /** Messages of the server that made no sense and were ignored. */
  readonly ignoredMessages: number;
}

/** What went wrong. The client goes on trying after every one of them. */
export type ActiveUsersError =
  /** The server could not be reached. */
  | { code: 'network'; message: string }
  /** It did not answer in time. */
  | { code: 'timeout'; message: string }
  /** It closed the WebSocket; `closeCode` is from RFC 6455 or, from 4000 on, the daemon's own. */
  | { code: 'closed'; message: string; closeCode: number }
  /** It said why it does not take us in (then `closeCode` is there), or what it did not understand. */
  | { code: 'server'; message: string; closeCode?: number }
  /** It answered with an HTTP error. */
  | { code: 'http'; message: string; status: number; retryAfterMs?: number }
  /** `getToken` failed. */
  | { code: 'token'; message: string }
  /** A callback of the page threw, or its promise was rejected. */
  | { code: 'callback'; message: string };

export type ActiveUsersEvent =
  | { type: 'metrics'; metrics: Metrics }
  | { type: 'status'; status: ConnectionStatus }
  | { type: 'error'; error: ActiveUsersError };

export type Listener = (event: ActiveUsersEvent) => void;

export interface InitOptions {
  /** Ends the client when it aborts, as `destroy()` does. */
  signal?: AbortSignal | undefined;
}

export interface ListenOptions {
  /**
   * Metrics also while the page is hidden, as they come, for example to put the count into its
   * title. Default false.
   */
  whileHidden?: boolean | undefined;
}

/** Takes a subscription back. Calling it twice is fine. */
export type Unsubscribe = () => void;

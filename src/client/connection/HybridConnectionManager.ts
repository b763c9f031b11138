// Keeps the leading tab connected: WebSocket first, polling when that fails, and when to try again.
// Must not know tabs or pages.
import type { ResolvedConfig } from '../config.js';
import { createHeartbeat } from '../lifecycle/heartbeat.js';
import type { Http } from '../transport/http.js';
import { createPolling } from '../transport/polling.js';
import type { Identity, Transport, TransportEvents } from '../transport/transport.js';
import { createWebSocket } from '../transport/websocket.js';
import type { ActiveUsersError, ConnectionMode } from '../types.js';
import { askedDelay, backoff } from '../utils/backoff.js';
import type { Scope } from '../utils/scope.js';
import { createTimer, type Timer } from '../utils/timer.js';

/** Failures of the WebSocket in a row, after which polling takes over. */
export const MAX_SOCKET_FAILURES = 3;
/** While polling works, the WebSocket is tried again this often. */
export const SOCKET_RETRY_MS = 180_000;
/** From an attempt to the answer, and from a ping to its pong: a half-open link says nothing. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Connected this long, earlier failures are forgotten. */
export const STABLE_MS = 10_000;

export interface ConnectionEvents {
  identity(): Identity;
  mode(mode: ConnectionMode): void;
  /** Not checked. */
  metrics(value: unknown): void;
  /** The server has answered a sign of life. */
  alive(): void;
  error(why: ActiveUsersError): void;
}

export interface HybridConnectionManager {
  /** The token of the last attempt, for the farewell. */
  token(): string | undefined;
  /** Time from one sign of life to the next, in milliseconds. */
  interval(): number;
  start(): void;
  stop(): void;
  /**
   * A sign of life now, or an attempt at once: the page was shown, or (`online`) the network came
   * back, so that the WebSocket may work where it did not.
   */
  wake(online?: boolean): void;
  /** A sign of life in a second: another tab may have given one by mistake until now. */
  soon(): void;
  /** The browser says that there is no network. It may be wrong, so a slow retry goes on. */
  offline(): void;
}

/**
 * Until when the server asked not to be called, by mode, of the wall clock. Outlives start and stop,
 * and is shared with the tab that leads next.
 */
export type Waits = Partial<Record<ConnectionMode, number>>;

const timedOut: ActiveUsersError = {
  code: 'timeout',
  message: 'the server did not answer',
};

/** One transport with its own row of failures. */
interface Lane {
  transport: Transport;
  /** Failures in a row. */
  failures: number;
  retry: Timer;
  /** Runs out when an answer does not come. */
  late: Timer;
  /** When the server took us in. */
  since: number;
  /** Stands for the attempt under way, so that a token that comes late is not used. */
  attempt: object | undefined;
}

export function createHybridConnectionManager(
  scope: Scope,
  config: ResolvedConfig,
  http: Http,
  waits: Waits,
  events: ConnectionEvents,
): HybridConnectionManager {
  const { getToken, backgroundHeartbeatInterval, foregroundHeartbeatInterval } = config;
  let token: string | undefined;
  /** The lane by which the server has taken us in. */
  let active: Lane | undefined;

  const interval = () => {
    const foreground =
      active && active === polling ? config.pollingInterval : foregroundHeartbeatInterval;
    return scope.document.hidden ? Math.max(backgroundHeartbeatInterval, foreground) : foreground;
  };
  const now = () => scope.Date.now();
  const heartbeat = createHeartbeat(scope, interval, (silence) => {
    if (!active || active.late.armed()) return; // the last one is not answered yet
    // The computer slept: the session is over at the server, and the link with it.
    if (silence > config.heartbeatTimeout) return failed(active, timedOut);
    active.late.arm(ANSWER_TIMEOUT_MS);
    active.transport.beat();
  });

  const createLane = (make: (events: TransportEvents) => Transport): Lane => {
    const lane: Lane = {
      failures: 0,
      since: 0,
      attempt: undefined,
      retry: createTimer(scope, () => open(lane)),
      late: createTimer(scope, () => failed(lane, timedOut)),
      transport: make({
        alive: () => alive(lane),
        metrics: events.metrics,
        error: events.error,
        failed: (why) => failed(lane, why),
      }),
    };
    return lane;
  };

  const rest = (lane: Lane) => {
    lane.retry.clear();
    lane.late.clear();
    lane.transport.close();
    lane.attempt = undefined;
  };

  const open = async (lane: Lane) => {
    rest(lane);
    const wait = (waits[lane.transport.mode] as number) - now();
    if (wait > 0) return lane.retry.arm(wait);
    const attempt = (lane.attempt = {});
    let code: 'token' | 'network' = 'token';
    lane.late.arm(ANSWER_TIMEOUT_MS);
    try {
      const given = await getToken?.();
      if (lane.attempt !== attempt) return;
      token = given;
      code = 'network'; // what it throws then is the page's CSP, or mixed content
      lane.transport.open(events.identity(), token);
    } catch (error) {
      if (lane.attempt === attempt) failed(lane, { code, message: String(error) });
    }
  };

  const alive = (lane: Lane) => {
    const before = active;
    active = lane;
    lane.late.clear();
    heartbeat.answered();
    events.alive();
    if (before === lane) return;
    lane.since = now();
    lane.attempt = undefined;
    if (lane === socket && polling) {
      rest(polling);
      polling.failures = 0;
    }
    // Somebody answers again after polling had failed too: it was the server, not the WebSocket.
    if (lane === polling && lane.failures && socket?.retry.armed()) open(socket);
    events.mode(lane.transport.mode);
  };

  const failed = (lane: Lane, why: ActiveUsersError) => {
    rest(lane);
    if (active === lane) {
      if (now() - lane.since >= STABLE_MS) lane.failures = 0;
      active = undefined;
      heartbeat.stop();
    }
    const random = scope.Math.random();
    const asked = askedDelay(why, !!getToken, random);
    let delay = asked ?? backoff(lane.failures, random);
    if (asked) waits[lane.transport.mode] = now() + asked;
    lane.failures++;
    if (lane === socket && polling && lane.failures >= MAX_SOCKET_FAILURES) {
      delay = Math.max(delay, SOCKET_RETRY_MS);
      if (!active && !polling.attempt && !polling.retry.armed()) open(polling);
    }
    lane.retry.arm(delay);
    if (!active) events.mode('offline');
    events.error(why);
  };

  const socket =
    config.enableWebSocket && scope.WebSocket
      ? createLane((on) => createWebSocket(scope, config.websocketUrl, on))
      : undefined;
  const polling =
    config.enablePolling || !socket ? createLane((on) => createPolling(http, on)) : undefined;
  const lanes = [socket, polling].filter(Boolean) as [Lane, Lane?];

  const stop = () => {
    active = undefined;
    heartbeat.stop();
    for (const lane of lanes as Lane[]) {
      rest(lane);
      lane.failures = 0;
    }
  };

  return {
    token: () => token,
    interval,
    start: () => void open(lanes[0]),
    stop,
    wake(online) {
      if (active) heartbeat.now();
      if (online || !active) for (const lane of lanes as Lane[]) if (lane.retry.armed()) open(lane);
    },
    soon: heartbeat.soon,
    offline() {
      stop();
      lanes[0].retry.arm(STABLE_MS);
      events.mode('offline');
    },
  };
}

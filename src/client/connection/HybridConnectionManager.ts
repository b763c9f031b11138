// Keeps the leading tab connected: WebSocket first, polling when that fails, and when to try again.
// Must not know tabs or pages.
import type { ResolvedConfig } from '../config.js';
import { createHeartbeat } from '../lifecycle/heartbeat.js';
import type { Http } from '../transport/http.js';
import { createPolling } from '../transport/polling.js';
import type { Identity, Transport, TransportEvents } from '../transport/transport.js';
import { createWebSocket } from '../transport/websocket.js';
import type { ActiveUsersError, ConnectionMode } from '../types.js';
import { retryDelay } from '../utils/backoff.js';
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
  /** The browser says that there is no network. It may be wrong, so a slow retry goes on. */
  offline(): void;
}

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
  /** When the server took us in, of the performance clock. */
  since: number;
  /** Stands for the attempt under way, so that a token that comes late is not used. */
  attempt: object | undefined;
  /** The server asked for the wait, so that nothing here may cut it short. */
  told: boolean;
}

export function createHybridConnectionManager(
  scope: Scope,
  config: ResolvedConfig,
  http: Http,
  events: ConnectionEvents,
): HybridConnectionManager {
  const { getToken, backgroundHeartbeatInterval, foregroundHeartbeatInterval } = config;
  let running = false;
  let token: string | undefined;
  /** The lane by which the server has taken us in. */
  let active: Lane | undefined;
  /** When it last answered. */
  let heard = 0;

  const interval = () => {
    const foreground =
      active && active === polling ? config.pollingInterval : foregroundHeartbeatInterval;
    return scope.document.hidden ? Math.max(backgroundHeartbeatInterval, foreground) : foreground;
  };
  const now = () => scope.performance.now();
  const heartbeat = createHeartbeat(scope, interval, () => {
    if (!active) return;
    // The computer slept: the session is over at the server, and the link with it.
    if (now() - heard > config.heartbeatTimeout) return failed(active, timedOut);
    // One that is under way keeps its deadline.
    if (!active.late.armed()) active.late.arm(ANSWER_TIMEOUT_MS);
    active.transport.beat();
  });

  const createLane = (make: (events: TransportEvents) => Transport): Lane => {
    const lane: Lane = {
      failures: 0,
      since: 0,
      attempt: undefined,
      told: false,
      retry: createTimer(scope, () => open(lane)),
      late: createTimer(scope, () => failed(lane, timedOut)),
      transport: make({
        ready: () => ready(lane),
        alive() {
          if (!running) return; // a callback of the page has ended it meanwhile
          lane.late.clear();
          heard = now();
          heartbeat.answered();
          events.alive();
        },
        metrics: events.metrics,
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
    lane.told = false;
  };

  const open = (lane: Lane) => {
    if (!running) return;
    rest(lane);
    const attempt = (lane.attempt = {});
    lane.late.arm(ANSWER_TIMEOUT_MS);
    const go = () => {
      try {
        lane.transport.open(events.identity(), token);
      } catch (error) {
        // The page's CSP, or mixed content.
        failed(lane, { code: 'network', message: String(error) });
      }
    };
    if (!getToken) return go();
    void new Promise<string>((resolve) => resolve(getToken())).then(
      (given) => {
        if (lane.attempt !== attempt) return;
        token = given;
        go();
      },
      (error) => {
        if (lane.attempt === attempt) failed(lane, { code: 'token', message: String(error) });
      },
    );
  };

  const ready = (lane: Lane) => {
    lane.attempt = undefined;
    active = lane;
    lane.since = now();
    if (lane === socket && polling) {
      rest(polling);
      polling.failures = 0;
    }
    // Somebody answers again after polling had failed too: it was the server, not the WebSocket.
    if (lane === polling && lane.failures && socket?.retry.armed() && !socket.told)
      socket.retry.arm(0);
    events.mode(lane.transport.mode);
  };

  const failed = (lane: Lane, why: ActiveUsersError) => {
    rest(lane);
    lane.told = why.code === 'http' || why.code === 'closed';
    if (active === lane) {
      if (now() - lane.since >= STABLE_MS) lane.failures = 0;
      active = undefined;
      heartbeat.stop();
    }
    let delay = retryDelay(why, lane.failures++, !!getToken, scope.Math.random());
    if (lane === socket && polling && lane.failures >= MAX_SOCKET_FAILURES) {
      delay = Math.max(delay, SOCKET_RETRY_MS);
      if (!active && !polling.attempt && !polling.retry.armed()) open(polling);
    }
    lane.retry.arm(delay);
    if (!active) events.mode('offline');
    events.error(why);
  };

  const socket =
    config.enableWebSocket && typeof scope.WebSocket === 'function'
      ? createLane((on) => createWebSocket(scope, config.websocketUrl, on))
      : undefined;
  const polling =
    config.enablePolling || !socket ? createLane((on) => createPolling(http, on)) : undefined;
  const first = (socket ?? polling) as Lane;
  const lanes = [socket, polling].filter(Boolean) as Lane[];

  const stop = () => {
    running = false;
    active = undefined;
    heartbeat.stop();
    for (const lane of lanes) {
      rest(lane);
      lane.failures = 0;
    }
  };

  return {
    token: () => token,
    interval,
    start() {
      if (running) return;
      running = true;
      open(first);
    },
    stop,
    wake(online) {
      if (active) heartbeat.now();
      if (online || !active)
        for (const lane of lanes) if (lane.retry.armed() && !lane.told) open(lane);
    },
    offline() {
      if (!running) return;
      stop();
      running = true;
      first.retry.arm(STABLE_MS);
      events.mode('offline');
    },
  };
}

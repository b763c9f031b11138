// Keeps the leading tab connected: the WebSocket, polling beside it where that is slow or blocked, and
// when to try again. Must not know tabs or pages.
import type { ResolvedConfig } from '../config.js';
import { createHeartbeat } from '../lifecycle/heartbeat.js';
import type { Http } from '../transport/http.js';
import { createPolling } from '../transport/sse.js';
import type { Identity, Told, Transport, TransportEvents } from '../transport/transport.js';
import { createWebSocket } from '../transport/websocket.js';
import type { ActiveUsersError, ConnectionMode } from '../types.js';
import { askedDelay, backoff } from '../utils/backoff.js';
import type { Scope } from '../utils/scope.js';
import { createTimer, type Timer } from '../utils/timer.js';

/** No hello for this long: a sign of life goes over HTTP, while the WebSocket is still tried. */
export const BESIDE_MS = 1500;
/** Failures of the WebSocket in a row, after which it is tried less often. */
export const MAX_SOCKET_FAILURES = 3;
/** While polling works, the WebSocket is tried again this often. */
export const SOCKET_RETRY_MS = 180_000;
/** From an attempt to the answer, and from a ping to its pong: a half-open link says nothing. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Of the interval, after which a socket beats. */
const EARLY = 0.9;
/** Of a token's time, after which it is replaced. */
const RENEW_AT = 0.8;
/** What timers can wait. */
const LONGEST_RENEWAL_MS = 86_400_000;
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
  /** Time from one sign of life to the next, in milliseconds. */
  interval(): number;
  start(): void;
  /** goes: the server is told that the person may be gone. */
  stop(goes?: boolean): void;
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
 * How long the server asked not to be called, by mode: until when, of the wall clock, and the wait in
 * milliseconds, because a clock may be set back. Outlives start and stop, and is shared with the tab
 * that leads next.
 */
export type Waits = Partial<Record<ConnectionMode, [until: number, ms: number]>>;

/** Kept for the next page of this site. */
export interface Memory {
  pollUntil(): number;
  setPollUntil(time: number): void;
}

/** Something is in the way of the WebSocket; the server itself has not refused. */
const BLOCKED = ['network', 'timeout', 'closed'];

const timedOut: ActiveUsersError = { code: 'timeout', message: 'no answer' };

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
  memory: Memory,
  events: ConnectionEvents,
): HybridConnectionManager {
  const { getToken, backgroundHeartbeatInterval, foregroundHeartbeatInterval } = config;
  /** The lane by which the server has taken us in. */
  let active: Lane | undefined;

  const interval = () => {
    const foreground =
      active && active === polling ? config.pollingInterval : foregroundHeartbeatInterval;
    return scope.document.hidden ? Math.max(backgroundHeartbeatInterval, foreground) : foreground;
  };
  const now = () => scope.Date.now();
  // A socket beats a little earlier: the server pings one that was silent for as long as the default.
  const due = () => (active === socket ? EARLY : 1) * interval();
  const heartbeat = createHeartbeat(scope, due, (silence) => {
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
        alive: (told) => alive(lane, told),
        metrics(value) {
          events.metrics(value);
          events.mode(lane.transport.mode);
        },
        error: events.error,
        failed: (why) => failed(lane, why),
      }),
    };
    return lane;
  };

  const rest = (lane: Lane, goes?: boolean) => {
    lane.retry.clear();
    lane.late.clear();
    lane.transport.close(goes);
    lane.attempt = undefined;
  };

  const renewal = createTimer(scope, () => active && attempt(active));

  /** Opens the transport with a fresh token, or gives one that stands a fresh token. */
  const attempt = async (lane: Lane) => {
    const mine = (lane.attempt = {});
    let code: 'token' | 'network' = 'token';
    lane.late.arm(ANSWER_TIMEOUT_MS);
    try {
      const token = await getToken?.();
      if (lane.attempt !== mine) return;
      code = 'network'; // what it throws then is the page's CSP, or mixed content
      const who = { ...events.identity(), token };
      if (lane === active) lane.transport.beat(who);
      else lane.transport.open(who);
    } catch (error) {
      if (lane.attempt === mine) failed(lane, { code, message: String(error) });
    }
  };

  const open = (lane: Lane) => {
    rest(lane);
    const asked = waits[lane.transport.mode];
    if (asked) {
      const wait = (asked[0] = Math.min(asked[0], now() + asked[1])) - now();
      if (wait > 0) return lane.retry.arm(wait);
    }
    if (lane === socket && !active) patience.arm(BESIDE_MS);
    attempt(lane);
  };

  const alive = (lane: Lane, told: Told) => {
    const before = active;
    active = lane;
    const left = told.tokenExpiresInMs as number;
    if (left > 0) renewal.arm(Math.min(left * RENEW_AT, LONGEST_RENEWAL_MS));
    lane.attempt = undefined;
    lane.late.clear();
    heartbeat.answered();
    events.alive();
    if (before === lane) return;
    lane.since = now();
    patience.clear();
    if (lane === socket && polling) {
      rest(polling);
      polling.failures = 0;
      if (memory.pollUntil()) memory.setPollUntil(0);
    }
    if (lane === polling && socket?.failures) {
      rememberPolling();
      // Polling had failed too, so it was the server, not the WebSocket.
      if (lane.failures && socket.retry.armed()) open(socket);
    }
    events.mode(lane.transport.mode);
  };

  /** The next page polls at once, and leaves the WebSocket alone for as long as this one would. */
  const rememberPolling = () => memory.setPollUntil(now() + SOCKET_RETRY_MS);

  const pollBeside = () => {
    if (polling && !active && !polling.attempt && !polling.retry.armed()) open(polling);
  };
  const patience = createTimer(scope, pollBeside);

  const failed = (lane: Lane, why: ActiveUsersError) => {
    rest(lane);
    const worked = active === lane;
    if (worked) {
      if (now() - lane.since >= STABLE_MS) lane.failures = 0;
      active = undefined;
      heartbeat.stop();
    }
    const random = scope.Math.random();
    const asked = askedDelay(why, !!getToken, random);
    let delay = asked ?? backoff(lane.failures, random);
    if (asked) waits[lane.transport.mode] = [now() + asked, asked];
    lane.failures++;
    if (lane === socket) {
      patience.clear();
      const blocked = !worked && !asked && BLOCKED.includes(why.code);
      const often = polling && lane.failures >= MAX_SOCKET_FAILURES;
      if (often) delay = Math.max(delay, SOCKET_RETRY_MS);
      if (blocked || often) pollBeside();
      if (blocked && active) rememberPolling();
    }
    // Polling was remembered from another page, and does not work in this network.
    else if (!active && socket && !socket.failures && socket.retry.armed()) open(socket);
    lane.retry.arm(delay);
    if (!active) events.mode('offline');
    events.error(why);
  };

  const socket =
    config.enableWebSocket && scope.WebSocket
      ? createLane((on) => createWebSocket(scope, config.websocketUrl, http.write, on))
      : undefined;
  const polling =
    config.enablePolling || !socket ? createLane((on) => createPolling(http, on, config, scope)) : undefined;
  const lanes = [socket, polling].filter(Boolean) as [Lane, Lane?];

  const stop = (goes?: boolean) => {
    active = undefined;
    heartbeat.stop();
    patience.clear();
    renewal.clear();
    for (const lane of lanes as Lane[]) {
      rest(lane, goes);
      lane.failures = 0;
    }
  };

  return {
    interval,
    start() {
      const wait = Math.min(memory.pollUntil() - now(), SOCKET_RETRY_MS);
      if (!(wait > 0) || !socket || !polling) return void open(lanes[0]);
      socket.retry.arm(wait);
      open(polling);
    },
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

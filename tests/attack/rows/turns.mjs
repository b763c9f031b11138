// Work in a turn of the loop: what many connections, or one, can make the daemon do before it
// serves the next.
import { eventually, startTarget, startTargetOnRedis, turnsSince } from '../kit/daemon.mjs';
import { runFlood, startFlood } from '../kit/flood.mjs';
import { whileHonest } from '../kit/honest.mjs';
import {
  auth,
  COUNT,
  frame,
  get,
  handshake,
  heavyJoin,
  join,
  PEER,
  ping,
  post,
  repeated,
  text,
} from '../kit/payloads.mjs';
import { OPCODE } from '../../integration/harness/socket.mjs';

const DRAIN_MS = 3_000;
const STOP_MS = DRAIN_MS + 2_000;
const SHORT_DRAIN_MS = 200;

/** An attack that does not come is no attack that was held. */
const attackers = (connected, least = 1) => ({
  what: 'attackers that connected',
  measured: connected,
  least,
});

async function turnChecks(daemon, before) {
  return [(await turnsSince(daemon, before)).check];
}

/** Floods a daemon for as long as honest people are watched. */
async function floodTurns(
  context,
  options,
  { daemon, port, attackMs, kind, stops, more = () => [] } = {},
) {
  const { t, short } = context;
  const target = daemon ?? (await startTarget(t, short ? { drain: SHORT_DRAIN_MS } : {}));
  const before = await target.samples();
  const cpuBefore = target.cpuMs();
  let took = 0;
  let flood;
  let connected = 0;
  const { result, checks } = await whileHonest(
    context,
    target,
    async (attackedFor) => {
      const begun = performance.now();
      flood = await startFlood(t, port?.(target) ?? target.httpPort, { seconds: 60, ...options });
      connected = await flood.ready();
      await attackedFor();
      took = performance.now() - begun;
      return stops ? undefined : flood.stop();
    },
    { attackMs, kind },
  );
  const cpu = (target.cpuMs() - cpuBefore) / took;
  checks.unshift(...(await turnChecks(target, before)), attackers(connected));
  if (stops) checks.push(...(await stopChecks(target, flood, short)));
  return [...checks, ...more(result, cpu, short)];
}

/** SIGTERM while the flood goes on. */
async function stopChecks(daemon, flood, short) {
  const begun = performance.now();
  daemon.signal('SIGTERM');
  const status = await daemon.exit().catch(() => ({ code: 'none in 20 s' }));
  const stopMs = performance.now() - begun;
  await flood.kill();
  const checks = [{ what: 'exit status of SIGTERM in the flood', measured: status.code, is: 0 }];
  if (!short) checks.push({ what: 'SIGTERM to exit', measured: stopMs, most: STOP_MS, unit: 'ms' });
  return checks;
}

async function earlyPings(context) {
  const { t, short } = context;
  const daemon = await startTarget(t);
  const before = await daemon.samples();
  const payload = join(handshake(), repeated(ping, 40_000));
  const connections = short ? 300 : 1_000;
  const report = await runFlood(t, daemon.httpPort, {
    connections,
    sources: 4,
    seconds: short ? 1 : 3,
    payload,
    next: 'hold',
    together: true,
  });
  const handshakes = { ...attackers(report.of(101), connections), what: 'handshakes' };
  return [...(await turnChecks(daemon, before)), handshakes];
}

/** What sockets may have answered: 10 messages a second and a burst of 20, and then closes. */
const MESSAGES_A_SOCKET = { perSecond: 10, burst: 20, closes: 5 };

async function onePinger(context) {
  const { t, short } = context;
  const daemon = await startTargetOnRedis(t);
  const before = await daemon.samples();
  const cpuBefore = daemon.cpuMs();
  const seconds = short ? 2 : 3;
  const report = await runFlood(t, daemon.wsPort, {
    connections: 1,
    seconds,
    first: join(handshake(), auth('shop', 'one')),
    payload: repeated(ping, 16_384),
    next: 'sent',
  });
  const cpu = (daemon.cpuMs() - cpuBefore) / (seconds * 1_000);
  const { of } = await turnsSince(daemon, before);
  const { perSecond, burst, closes } = MESSAGES_A_SOCKET;
  return [
    {
      what: 'messages to the socket',
      measured: of('au_websocket_messages_sent_total'),
      most: burst + perSecond * (seconds + 1) + closes + 2 + seconds,
      note: `${Math.round(report.bytesOut / 1024)} KiB sent`,
    },
    ...(short ? [] : [{ what: 'share of a core', measured: cpu, most: 0.15 }]),
  ];
}

const manyPingers = async (context) =>
  floodTurns(
    context,
    {
      connections: 100,
      first: join(handshake(), auth('shop', `s${COUNT}`)),
      payload: repeated(ping, 4_096),
      next: 'sent',
      reconnect: true,
    },
    {
      daemon: await startTargetOnRedis(context.t),
      kind: 'Redis',
      port: (daemon) => daemon.wsPort,
      more: (_, cpu, short) =>
        short ? [] : [{ what: 'share of a core', measured: cpu, info: true }],
    },
  );

/** All that was joined within a second is over within a second. */
async function expiry({ t, short }) {
  const daemon = await startTarget(t, {
    'presence-ttl': 2,
    'trusted-proxies': '127.0.0.0/8',
    'rate-customer': 0,
  });
  const before = await daemon.samples();
  const body = { customerId: 'shop', sessionId: `s${COUNT}`, tabId: 't' };
  const report = await runFlood(t, daemon.httpPort, {
    connections: 150,
    perConnection: 100,
    seconds: 10,
    payload: post('join', body, [`X-Forwarded-For: 203.0.113.${PEER}`]),
  });
  const gone = await eventually(async () => (await daemon.count('shop')) === 0);
  const { check } = await turnsSince(daemon, before);
  return [
    { what: 'sessions that ended', measured: gone ? report.of(200) : 0, least: 10_000 },
    check,
  ];
}

const simple = (options, more) => (context) =>
  floodTurns(context, { next: 'sent', reconnect: true, ...options() }, more);

const onSockets = { port: (daemon) => daemon.wsPort };

export const turns = [
  {
    name: 'joins',
    run: simple(() => ({ connections: 200, payload: heavyJoin('shop'), next: 'sent' }), {
      stops: true,
    }),
    what: '200 connections send 16 KiB joins',
    before: 'p99 5 s and longer, a turn of 7.3 s, SIGTERM takes 12 s',
  },
  {
    name: 'joins-spread',
    what: 'the same from 200 addresses with new ids',
    before: 'p99 1.7 s, a turn of 1.2 s',
    more: true,
    run: simple(() => ({ connections: 200, sources: 200, payload: heavyJoin('shop') })),
  },
  {
    name: 'early-pings',
    run: earlyPings,
    what: '1,000 handshakes with 40 KB of pings behind each',
    before: 'a turn of 2.8 s',
  },
  {
    name: 'pinger',
    run: onePinger,
    what: 'one socket pings as fast as it can, with Redis',
    before: 'a core full',
  },
  {
    name: 'pingers',
    run: manyPingers,
    what: '100 sockets ping as fast as they can, with Redis',
    before: 'p99 607 ms',
  },
  {
    name: 'tiny-requests',
    what: '50 connections pipeline tiny requests',
    before: 'p99 354 ms, a turn of 221 ms',
    more: true,
    brief: true,
    run: simple(() => ({
      connections: 50,
      payload: repeated('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 270_000),
    })),
  },
  {
    name: 'fragments',
    what: '50 sockets send messages in fragments of 1 byte',
    before: 'p99 107 ms, a turn of 101 ms',
    more: true,
    brief: true,
    run: simple(
      () => ({
        connections: 50,
        first: join(handshake(), auth('shop')),
        payload: join(
          frame(OPCODE.text, '{', { fin: false }),
          repeated(frame(OPCODE.continuation, ' ', { fin: false }), 7 * 4_000),
          frame(OPCODE.continuation, '}'),
        ),
      }),
      onSockets,
    ),
  },
  {
    name: 'empty-fragments',
    what: '50 sockets send a message of fragments of 0 bytes without an end',
    before: 'p99 252 ms, a turn of 168 ms',
    more: true,
    run: simple(
      () => ({
        connections: 50,
        first: join(handshake(), auth('shop'), frame(OPCODE.text, '', { fin: false })),
        payload: repeated(frame(OPCODE.continuation, '', { fin: false }), 60_000),
      }),
      onSockets,
    ),
  },
  {
    name: 'pongs',
    what: '50 sockets send pongs nobody asked for',
    before: 'p99 171 ms, a turn of 168 ms',
    more: true,
    brief: true,
    run: simple(
      () => ({
        connections: 50,
        first: join(handshake(), auth('shop')),
        payload: repeated(frame(OPCODE.pong, ''), 60_000),
      }),
      { ...onSockets, stops: true },
    ),
  },
  {
    name: 'control-pings',
    what: '50 sockets send WebSocket pings of 125 bytes',
    before: 'p99 57 ms, a turn of 63 ms',
    more: true,
    run: simple(
      () => ({
        connections: 50,
        first: join(handshake(), auth('shop')),
        payload: repeated(frame(OPCODE.ping, 'p'.repeat(125)), 60_000),
      }),
      onSockets,
    ),
  },
  {
    name: 'auths',
    what: '100 connections: handshake, auth, auth again until closed, anew',
    before: 'held',
    more: true,
    run: simple(
      () => ({
        connections: 100,
        payload: join(handshake(), repeated(auth('shop', `s${COUNT}`), 2_000)),
        next: 'close',
      }),
      onSockets,
    ),
  },
  {
    name: 'churn',
    what: '200 connections connect and reset, again and again',
    before: 'held',
    more: true,
    run: simple(() => ({ connections: 200, payload: 'G', perConnection: 1, reset: true })),
  },
  {
    name: 'upgrade-refusals',
    what: '100 connections ask for upgrades that are refused (404, 426)',
    before: 'p99 363 ms, a turn of 218 ms',
    more: true,
    brief: true,
    run: simple(() => ({
      connections: 100,
      payload: join(handshake({ path: '/no' }), handshake({ version: 12 })),
    })),
  },
  {
    name: 'long-heads',
    what: '100 connections send heads of 16 KiB, byte-sized header lines',
    before: 'p99 148 ms, a turn of 93 ms',
    more: true,
    run: simple(() => ({
      connections: 100,
      payload: get('/nothing', Array(2_600).fill('a: b')),
    })),
  },
  {
    name: 'deep-json',
    what: '100 connections send bodies of 16,000 brackets',
    before: 'held',
    more: true,
    run: simple(() => ({
      connections: 100,
      sources: 100,
      payload: post('join', `{"x":${'['.repeat(16_000)}`),
    })),
  },
  {
    name: 'small-joins',
    what: '200 connections of 200 addresses join without end (mostly 429)',
    before: 'p99 744 ms, a turn of 450 ms',
    more: true,
    brief: true,
    run: simple(() => ({
      connections: 200,
      sources: 200,
      payload: repeated(
        post('join', { customerId: 'shop', sessionId: `s${COUNT}`, tabId: 't' }),
        16_000,
      ),
    })),
  },
  {
    name: 'json-pings',
    what: '50 sockets send 4 KiB messages that are wrong',
    before: 'held',
    more: true,
    run: simple(
      () => ({
        connections: 50,
        first: join(handshake(), auth('shop')),
        payload: repeated(text({ type: 'x', x: Array(1_500).fill(1) }), 60_000),
      }),
      onSockets,
    ),
  },
  {
    name: 'oversize-bodies',
    what: '100 connections announce 1 GB and send it',
    before: 'p99 28 ms',
    more: true,
    run: simple(() => ({
      connections: 100,
      first: 'POST /presence/join HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n',
      payload: Buffer.alloc(65_536),
    })),
  },
  {
    name: 'oversize-messages',
    what: '100 sockets announce 1 GB and send it',
    before: 'held',
    more: true,
    run: simple(
      () => ({
        connections: 100,
        first: join(handshake(), auth('shop'), frame(OPCODE.text, '', { length: 1_000_000_000 })),
        payload: Buffer.alloc(65_536),
      }),
      onSockets,
    ),
  },
  {
    name: 'handshakes',
    what: '200 connections: handshake, auth, reset, anew',
    before: 'p99 29 ms',
    more: true,
    brief: true,
    run: simple(
      () => ({
        connections: 200,
        sources: 20,
        payload: join(handshake(), auth('shop', `s${COUNT}`)),
        next: 'answer',
        perConnection: 1,
        reset: true,
      }),
      { ...onSockets, stops: true },
    ),
  },
  {
    name: 'expiry',
    run: expiry,
    what: '15,000 sessions of 150 addresses end at once',
    before: 'held',
    more: true,
    brief: true,
  },
];

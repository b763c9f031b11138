// Waiting: for a head, a body, a message, an end. Each connection that is waited for has a
// deadline for the whole of it, and its descriptor comes back.
import { askMany, descriptors, eventually, startTarget } from '../kit/daemon.mjs';
import { startFlood } from '../kit/flood.mjs';
import { auth, frame, get, handshake, join, post, text } from '../kit/payloads.mjs';
import { sleep } from '../kit/scope.mjs';
import { OPCODE } from '../../integration/harness/socket.mjs';

const beatOf = (customerId, sessionId) => post('beat', { customerId, sessionId, tabId: 't' });

const SETTLE_MS = 200;
/** libwebsockets keeps a context for each 128 sockets that there were, with two descriptors in Debian 12 and three
 * in Debian 13, where each listens for routes. */
const LEFT_MOST = 24;

/** Hostile connections that the daemon is to end, with peers that keep their side open, and their descriptors with them. */
async function endsItself({ t, short }, { flood, options = {}, port = 'httpPort', withinMs }) {
  const daemon = await startTarget(t, { 'max-connections-ip': short ? 0 : undefined, ...options });
  await daemon.samples();
  const before = descriptors(daemon);
  const running = await startFlood(t, daemon[port], { seconds: 60, stubborn: true, ...flood });
  await running.ready();
  const people = await askMany(daemon.httpPort, 10, (i) => beatOf('honest', `p${i}`), 200);
  const left = () => descriptors(daemon) - before;
  // It is over when no more come: those that were still to be accepted get their whole time. How long it may
  // take is a figure of the table; a test, on a machine that does other things too, waits for what holds them.
  const areGone = async () => {
    if (left() > LEFT_MOST) return false;
    await sleep(SETTLE_MS);
    return left() <= LEFT_MOST;
  };
  await eventually(areGone, short ? undefined : withinMs);
  const measured = left();
  const report = await running.stop();
  return [
    {
      what: 'honest beats meanwhile',
      measured: people.got,
      is: 10,
      note: `longest ${people.longestMs.toFixed(0)} ms`,
    },
    {
      what: short ? 'descriptors left' : `descriptors left ${withinMs / 1000} s later`,
      measured,
      most: LEFT_MOST,
      note: `${report.mostOpen} opened`,
    },
  ];
}

const SLOW_MS = 2_000;
const HEADER_TIMEOUT = { 'header-timeout': SLOW_MS };
const WITHIN_MS = SLOW_MS + 2_500;

export const waits = [
  {
    name: 'half-open',
    what: '500 connections send half a request',
    before: 'held',
    more: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 500,
          payload: 'GET /health HTTP/1.1\r\nHost: a\r\nX: ',
          next: 'hold',
        },
        options: HEADER_TIMEOUT,
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'bytewise',
    what: '300 connections send a head byte by byte, 5 a second',
    before: 'held',
    more: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 300,
          payload: get('/health', ['X: '.padEnd(2_000, 'x')]),
          next: 'answer',
          writeBytes: 1,
          writesPerS: 5,
        },
        options: HEADER_TIMEOUT,
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'chunk-extensions',
    what: '100 connections send a chunk extension without an end',
    before: 'held',
    more: true,
    brief: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 100,
          first: 'POST /presence/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;',
          payload: 'a'.repeat(1_000),
          next: 'sent',
          writesPerS: 20,
        },
        options: HEADER_TIMEOUT,
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'trailers',
    what: '100 connections send trailers without an end',
    before: 'held',
    more: true,
    brief: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 100,
          first:
            'POST /presence/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n',
          payload: 'a: b\r\n'.repeat(100),
          next: 'sent',
          writesPerS: 20,
        },
        options: HEADER_TIMEOUT,
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'slow-bodies',
    what: '300 connections send a body a byte each 200 ms',
    before: 'held',
    more: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 300,
          first: 'POST /presence/join HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n',
          payload: ' '.repeat(900),
          next: 'hold',
          writeBytes: 1,
          writesPerS: 5,
        },
        options: HEADER_TIMEOUT,
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'silent-tcp',
    what: '800 connections that never send',
    before: 'held',
    more: true,
    run: (context) =>
      endsItself(context, {
        flood: { connections: 800, next: 'hold' },
        options: { 'idle-timeout': SLOW_MS, ...HEADER_TIMEOUT },
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'silent-sockets',
    what: '800 sockets that never authenticate',
    before: '799 of 800 stay after the close frame',
    more: true,
    brief: true,
    run: (context) =>
      endsItself(context, {
        flood: { connections: 800, payload: handshake(), next: 'hold' },
        options: { 'ws-auth-timeout': SLOW_MS },
        port: 'wsPort',
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'ping-before-auth',
    what: '300 sockets that ping and never authenticate',
    before: '299 of 300 stay after the close frame',
    more: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 300,
          first: handshake(),
          payload: text({ type: 'ping' }),
          next: 'sent',
          writesPerS: 2,
        },
        options: { 'ws-auth-timeout': SLOW_MS },
        port: 'wsPort',
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'half-handshakes',
    what: '300 connections send half a handshake to the WebSocket port',
    before: 'held',
    more: true,
    run: (context) =>
      endsItself(context, {
        flood: { connections: 300, payload: handshake().subarray(0, 60), next: 'hold' },
        options: HEADER_TIMEOUT,
        port: 'wsPort',
        withinMs: WITHIN_MS,
      }),
  },
  {
    name: 'never-closing',
    what: '300 sockets send a close frame and keep TCP open',
    before: 'held',
    more: true,
    brief: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 300,
          payload: join(handshake(), auth('shop'), frame(OPCODE.close, [3, 232])),
          next: 'hold',
          deaf: true,
        },
        port: 'wsPort',
        withinMs: 3_000,
      }),
  },
  {
    name: 'failed-not-closing',
    what: '300 sockets break the protocol and keep TCP open',
    before: 'held',
    more: true,
    brief: true,
    run: (context) =>
      endsItself(context, {
        flood: {
          connections: 300,
          payload: join(handshake(), auth('shop'), [0xf1, 0x80, 0, 0, 0, 0]),
          next: 'hold',
          deaf: true,
        },
        port: 'wsPort',
        withinMs: 3_000,
      }),
  },
  {
    name: 'bad-requests-open',
    what: '300 connections send a bad request and keep TCP open',
    before: 'held',
    more: true,
    brief: true,
    run: (context) =>
      endsItself(context, {
        flood: { connections: 300, payload: 'NONSENSE\r\n\r\n', next: 'hold', deaf: true },
        options: HEADER_TIMEOUT,
        withinMs: WITHIN_MS,
      }),
  },
];

// Bytes that one hostile connection costs, here and in the kernel, and whether they come back.
import { eventually, kernelBytes, startTarget } from '../kit/daemon.mjs';
import { startFlood } from '../kit/flood.mjs';
import { auth, frame, get, handshake, join, ping, post, repeated } from '../kit/payloads.mjs';
import { sleep } from '../kit/scope.mjs';
import { OPCODE } from '../../integration/harness/socket.mjs';

const HERE_KIB = 40;
const KERNEL_KIB = 128;
/** Of what the attack took, malloc and its arenas may keep so much. */
const KEPT_SHARE = 0.25;
const KEPT_LEAST_KIB = 8_192;

/** Holds `connections` of a kind open and weighs them. They come from several addresses. */
const held =
  (options, { port = 'httpPort', settleMs = 2_500 } = {}) =>
  async ({ t, short }) => {
    const daemon = await startTarget(t);
    await daemon.samples();
    const before = daemon.residentKb();
    const connections = short ? 200 : 1_000;
    const flood = await startFlood(t, daemon[port], {
      connections,
      sources: 4,
      seconds: 60,
      deaf: true,
      ...options,
    });
    const connected = await flood.ready();
    await sleep(short ? 1_000 : settleMs);
    const grown = daemon.residentKb() - before;
    const kernel = await kernelBytes(daemon[port]);
    const open = kernel.connections;
    await flood.kill();
    await eventually(async () => (await kernelBytes(daemon[port])).connections === 0);
    const most = Math.max(KEPT_LEAST_KIB, grown * KEPT_SHARE);
    await eventually(() => daemon.residentKb() - before <= most, short ? undefined : 3_000);
    const kept = daemon.residentKb() - before;
    const each = connections;
    const parts = `${(kernel.received / each / 1024).toFixed(0)} received, ${(kernel.queued / each / 1024).toFixed(0)} queued`;
    return [
      { what: 'attackers that connected', measured: connected, least: connections },
      {
        what: 'here, a connection',
        measured: grown / each,
        most: HERE_KIB,
        unit: 'KiB',
        note: `${open} of ${connections} open`,
      },
      {
        what: 'in the kernel, a connection',
        measured: kernel.total / each / 1024,
        most: KERNEL_KIB,
        unit: 'KiB',
        note: parts,
      },
      { what: 'kept when they are gone', measured: kept, most, unit: 'KiB', note: `of ${grown}` },
    ];
  };

const pipelined = (target) => ({ payload: repeated(get(target), 65_536), next: 'sent' });
const authed = join(handshake(), auth('shop'));

export const bytes = [
  {
    name: 'unread-assets',
    run: held(pipelined('/client.js')),
    what: '1,000 connections pipeline GET /client.js and read nothing',
    before: '137 KiB here, 450 in the kernel, RSS stays',
  },
  {
    name: 'unread-metrics',
    run: held(pipelined('/metrics')),
    what: 'the same with /metrics',
    before: '66 KiB here, 516 in the kernel, RSS stays',
    more: true,
  },
  {
    name: 'unread-errors',
    run: held(pipelined('/nothing')),
    what: 'the same with 404',
    before: '66 KiB here, 255 in the kernel, RSS stays',
    more: true,
  },
  {
    name: 'unread-joins',
    what: 'the same with joins',
    before: '62 KiB here, 254 in the kernel, RSS stays',
    more: true,
    run: held({
      payload: repeated(post('join', { customerId: 'shop', sessionId: 's', tabId: 't' }), 65_536),
      next: 'sent',
    }),
  },
  {
    name: 'unread-pongs',
    what: '1,000 sockets ping and read nothing',
    before: '172 KiB in the kernel',
    more: true,
    brief: true,
    run: held({ first: authed, payload: repeated(ping, 65_536), next: 'sent' }, { port: 'wsPort' }),
  },
  {
    name: 'unread-control-pongs',
    what: '1,000 sockets send WebSocket pings and read nothing',
    before: 'held',
    more: true,
    run: held(
      {
        first: authed,
        payload: repeated(frame(OPCODE.ping, 'p'.repeat(125)), 65_536),
        next: 'sent',
      },
      { port: 'wsPort' },
    ),
  },
  {
    name: 'held-bodies',
    what: '1,000 connections hold back the last byte of 16 KiB',
    before: '18 KiB here, RSS stays',
    more: true,
    brief: true,
    run: held(
      { payload: post('join', ' '.repeat(16_384)).subarray(0, -1), next: 'hold' },
      { settleMs: 1_500 },
    ),
  },
  {
    name: 'held-heads',
    what: '1,000 connections hold back the end of a head of 16 KiB',
    before: 'held',
    more: true,
    run: held(
      {
        payload: get('/health', Array(15).fill(`X: ${'x'.repeat(1_000)}`)).subarray(0, -2),
        next: 'hold',
      },
      { settleMs: 1_500 },
    ),
  },
  {
    name: 'held-messages',
    what: '1,000 sockets hold back the end of a message of 4 KiB',
    before: '7 KiB here, RSS stays',
    more: true,
    run: held(
      {
        payload: join(authed, frame(OPCODE.text, 'x'.repeat(4_000), { fin: false })),
        next: 'hold',
      },
      { port: 'wsPort', settleMs: 1_500 },
    ),
  },
  {
    name: 'held-sockets',
    what: '1,000 sockets that only watch',
    before: 'held',
    more: true,
    run: held({ payload: authed, next: 'hold' }, { port: 'wsPort', settleMs: 1_500 }),
  },
];

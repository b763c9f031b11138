// What other programs write into the same Redis, by mistake or on purpose.
import { eventually, startTargetOnRedis, turnsSince } from '../kit/daemon.mjs';
import { ping, auth } from '../kit/payloads.mjs';
import { sleep } from '../kit/scope.mjs';
import { defer } from '../../integration/harness/wait.mjs';
import { RawSocket, Socket } from '../../integration/harness/socket.mjs';

const TICK_MS = 500;

const person = (customerId, sessionId) =>
  JSON.stringify({
    customerId,
    sessionId,
    tabId: 't',
    timestamp: 1,
    isLeader: true,
    platform: '',
    userAgent: '',
    updatedAt: Date.now(),
  });

/** Customers whose people are deleted by hand: those that a round comes to last are among them. */
const EMPTIED = Array.from({ length: 30 }, (_, i) => `${'amtz'[i % 4]}-emptied-${i}`);
const WRITTEN = ['aaa', 'behind', 'shop', 'zzz'];

/**
 * Foreign content lies there: what other programs write and delete behind it is seen all the same.
 * Nobody's limit is the subject, and the asking costs more than one address may ask.
 */
const reconciled =
  (put) =>
  async ({ t, short }) => {
    const daemon = await startTargetOnRedis(t, {
      'ema-interval': TICK_MS,
      'rate-ip': 0,
      'rate-customer': 0,
    });
    const client = await daemon.redis.client();
    for (const customerId of [...EMPTIED, 'shop'])
      await daemon.must('join', { customerId, sessionId: 'ours', tabId: 't' });
    await put(client);
    const before = await daemon.samples();
    await sleep(short ? 1_200 : 3_000);
    for (const customer of WRITTEN)
      await client.call(
        'SET',
        `presence:${customer}:theirs`,
        person(customer, 'theirs'),
        'EX',
        120,
      );
    for (const customer of EMPTIED) await client.call('DEL', `presence:${customer}:ours`);
    const want = new Map([
      ...EMPTIED.map((name) => [name, 0]),
      ...WRITTEN.map((name) => [name, name === 'shop' ? 2 : 1]),
    ]);
    const reached = async () => {
      for (const [customer, count] of want)
        if ((await daemon.count(customer)) === count) want.delete(customer);
      return want.size === 0;
    };
    await eventually(reached);
    const { of, check } = await turnsSince(daemon, before);
    return [
      { what: 'links lost', measured: of('au_store_reconnects_total'), is: 0 },
      {
        what: 'customers not reconciled',
        measured: want.size,
        most: 0,
        note: [...want.keys()].slice(0, 3).join(', '),
      },
      check,
    ];
  };

/** The value of another program that is larger than the reader's buffer may be. */
const HUGE_BYTES = 17 << 20;

async function hugeValue(client) {
  await client.call('SET', 'presence:shop:huge', 'x'.repeat(HUGE_BYTES), 'EX', 120);
}

const longMember = (bytes) => async (client) => {
  await client.call('ZADD', 'au:idx:shop', Date.now() + 120_000, 'm'.repeat(bytes));
};

async function oddKeys(client) {
  const long = 'k'.repeat(100_000);
  await client.call('SET', `presence:${long}:${long}`, 'x', 'EX', 120);
  await client.call('SET', 'presence::', 'x', 'EX', 120);
  await client.call('SET', 'presence:shop', 'x', 'EX', 120);
  await client.call('SET', 'presence:shop:forever', person('shop', 'forever').replace('shop', 'x'));
  await client.call('LPUSH', 'presence:shop:list', 'x');
  await client.call('HSET', 'ema:other', 'a', 'b');
  await client.call('SET', 'au:idx:wrong', 'x');
  await client.call('ZADD', 'au:customers', 0, long, 1, 'wrong', 2, '', 'inf', 'later');
}

async function oddAverages(client) {
  for (const [i, value] of ['nan', 'inf', '-1', '1e400', 'x'.repeat(1 << 20), ''].entries()) {
    await client.call('SET', `ema:odd${i}`, value);
    await client.call('ZADD', 'au:customers', 0, `odd${i}`);
    await client.call('SET', `presence:odd${i}:p`, person(`odd${i}`, 'p'), 'EX', 120);
  }
}

/** Publishes as fast as Redis answers while a dashboard counts its frames. */
const published =
  (messageOf) =>
  async ({ t, short }) => {
    const daemon = await startTargetOnRedis(t);
    const client = await daemon.redis.client();
    await daemon.must('join', { customerId: 'shop', sessionId: 'ours', tabId: 't' });
    const socket = await Socket.join(t, daemon.wsPort, { customerId: 'shop' });
    const before = await daemon.samples();
    const first = socket.updates.length;
    const seconds = short ? 1.5 : 4;
    const until = performance.now() + seconds * 1_000;
    let sent = 0;
    while (performance.now() < until) {
      await Promise.all(
        Array.from({ length: 20 }, () =>
          client.call('PUBLISH', 'metrics:shop', messageOf((sent += 1))),
        ),
      );
    }
    const frames = socket.updates.length - first;
    const count = await daemon.count('shop');
    const { of, check } = await turnsSince(daemon, before);
    return [
      {
        what: 'frames to a socket',
        measured: frames,
        most: Math.ceil(seconds) + 1,
        note: `${sent} published`,
      },
      { what: 'links lost', measured: of('au_store_reconnects_total'), is: 0 },
      { what: 'count asked for', measured: count, is: 1 },
      check,
    ];
  };

const update = (fields) =>
  JSON.stringify({ customerId: 'shop', timestamp: Date.now(), count: 1, ema: 1, ...fields });

/** Redis stands still while a socket pings: nothing grows without a bound. */
async function frozenRedis({ t, short }) {
  const daemon = await startTargetOnRedis(t);
  const sockets = [];
  for (let i = 0; i < 20; i += 1)
    sockets.push(await RawSocket.open(t, daemon.wsPort, { early: auth('shop', `s${i}`) }));
  for (const socket of sockets) await socket.next('hello');
  const before = daemon.residentKb();
  defer(t, () => daemon.redis.thaw());
  daemon.redis.freeze();
  const until = performance.now() + (short ? 1_000 : 3_000);
  while (performance.now() < until) {
    for (const socket of sockets) socket.connection.send(Buffer.concat(Array(50).fill(ping)));
    await sleep(5);
  }
  const grown = daemon.residentKb() - before;
  daemon.redis.thaw();
  const back = await eventually(async () => (await daemon.get('/health')).json.status === 'ok');
  return [
    { what: 'memory grown meanwhile', measured: grown, most: 8_192, unit: 'KiB' },
    { what: 'well again', measured: back ? 1 : 0, is: 1 },
  ];
}

export const foreign = [
  {
    name: 'foreign-value',
    run: reconciled(hugeValue),
    what: 'a value of 17 MiB under one presence key',
    before: 'link of everybody lost each second',
  },
  {
    name: 'foreign-member',
    run: reconciled(longMember(70_000)),
    what: 'an index member of 70 KB',
    before: 'customers behind it never reconciled',
  },
  {
    name: 'foreign-member-huge',
    run: reconciled(longMember(17 << 20)),
    what: 'an index member of 17 MiB',
    before: 'link of everybody lost each second',
    more: true,
  },
  {
    name: 'foreign-keys',
    run: reconciled(oddKeys),
    what: 'keys of wrong names, types and lengths',
    before: 'held',
    more: true,
    brief: true,
  },
  {
    name: 'foreign-averages',
    run: reconciled(oddAverages),
    what: 'averages that are no numbers, or 1 MiB long',
    before: 'held',
    more: true,
    brief: true,
  },
  {
    name: 'foreign-pace',
    what: 'alternating ema on metrics:shop',
    before: '766 frames a second to each socket',
    run: published((i) => update({ ema: (i % 2) + 1 })),
  },
  {
    name: 'foreign-future',
    what: 'metrics of the far future, and of every second',
    before: '7,800 frames a second to each socket',
    more: true,
    brief: true,
    run: published((i) => update({ ema: (i % 7) + 1, timestamp: Date.now() + i * 60_000 })),
  },
  {
    name: 'foreign-messages',
    what: 'messages of 100 KB, half JSON, other ids',
    before: 'held',
    more: true,
    run: published(
      (i) =>
        [
          'x'.repeat(100_000),
          '{"count":',
          '[]',
          update({ customerId: 'else', count: 9 }),
          update({ count: -1 }),
        ][i % 5],
    ),
  },
  {
    name: 'frozen-redis',
    run: frozenRedis,
    what: '20 sockets ping while Redis stands still',
    before: 'held',
    more: true,
  },
];

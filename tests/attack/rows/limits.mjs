// What requests cost the one who sends them, and nobody else.
import { ask, askMany, startTarget, turnsSince } from '../kit/daemon.mjs';
import { runFlood, startFlood } from '../kit/flood.mjs';
import { whileHonest } from '../kit/honest.mjs';
import { auth, COUNT, get, handshake, join, PEER, post } from '../kit/payloads.mjs';
import { sleep } from '../kit/scope.mjs';
import { httpText } from '../../integration/harness/http.mjs';
import { RawSocket } from '../../integration/harness/socket.mjs';

/** Loopback pays no limit of the other paths, so attackers come through a proxy. */
const PROXY = { 'trusted-proxies': '127.0.0.0/8' };
const ATTACKER = ['X-Forwarded-For: 203.0.113.7'];

/** What one address may ask a minute of everything that is not presence or metrics of a customer. */
const OTHERS_A_MINUTE = 6_000;

/** 1,000 connections of one address ask for what pays no presence limit. */
const flooded = (payload) => async (context) => {
  const { t, short } = context;
  const daemon = await startTarget(t, PROXY);
  const before = await daemon.samples();
  const { result, checks } = await whileHonest(
    context,
    daemon,
    async (attackedFor) => {
      const connections = short ? 200 : 1_000;
      const flood = await startFlood(t, daemon.httpPort, {
        connections,
        seconds: 60,
        payload,
        reconnect: true,
      });
      await attackedFor();
      return flood.stop();
    },
    { attackMs: 3_000, forwarded: true },
  );
  const { check } = await turnsSince(daemon, before);
  const others = result.answers - result.of(429);
  return [
    {
      what: 'answers that are not 429',
      measured: others,
      most: OTHERS_A_MINUTE * 1.1,
      note: `of ${result.answers}, ${Math.round(result.bytesIn / 2 ** 20)} MiB`,
    },
    check,
    ...checks,
  ];
};

const READERS = 51;

async function customerPot({ t }) {
  const daemon = await startTarget(t, PROXY);
  const by = (number) => [`X-Forwarded-For: 198.51.100.${number}`];
  const person = (i) => ({ customerId: 'shop', sessionId: `p${i}`, tabId: 't' });
  const asked = (bytesOf) => askMany(daemon.httpPort, 20, bytesOf, 200);
  await asked((i) => post('join', person(i), by(i)));
  await runFlood(t, daemon.httpPort, {
    connections: READERS,
    perConnection: 100,
    seconds: 20,
    payload: get('/metrics?customerId=shop', [`X-Forwarded-For: 203.0.113.${PEER}`]),
  });
  const leaves = await asked((i) => post('leave', person(i), by(i)));
  const joins = await asked((i) => post('join', person(100 + i), by(50 + i)));
  const reads = await asked((i) => get('/metrics?customerId=shop', by(100 + i)));
  const dashboard = await RawSocket.open(t, daemon.wsPort, { early: auth('shop') });
  const shown = (await dashboard.next('metrics:update')).data.count;
  return [
    { what: 'joins accepted', measured: joins.got, is: 20 },
    { what: 'leaves accepted', measured: leaves.got, is: 20 },
    { what: 'count on a dashboard', measured: shown, is: 20 },
    {
      what: 'reads of others answered',
      measured: reads.got,
      info: true,
      note: 'they share the pot of reads',
    },
  ];
}

const LIMIT = 100;

/** Asks at the end of one window and at the beginning of the next; 60 s with fixed windows. */
async function windowEdge({ t }) {
  const daemon = await startTarget(t, { 'rate-ip': LIMIT });
  let asked = 0;
  const take = () =>
    ask(
      daemon.httpPort,
      post('join', { customerId: 'shop', sessionId: `s${(asked += 1)}`, tabId: 't' }),
    );
  const first = await take();
  const reset = Date.parse(first.response.headers['x-ratelimit-reset']);
  await sleep(Math.max(0, Math.min(60_000, reset - Date.now() - 1_300)));
  const until = Date.now() + 2_500;
  let allowed = 0;
  while (Date.now() < until && asked < 4 * LIMIT) {
    const { status } = await take();
    if (status === 200) allowed += 1;
    if (status === 429) await sleep(20);
  }
  return [
    {
      what: 'allowed in 2.5 s around the edge',
      measured: allowed,
      most: LIMIT * 1.1,
      note: `limit ${LIMIT} a minute`,
    },
  ];
}

/** A minute's limit while the people beat by their rules: nothing of theirs is refused. */
async function paidByOthers({ t, short }) {
  const daemon = await startTarget(t);
  const flood = await startFlood(t, daemon.httpPort, {
    connections: 20,
    seconds: 30,
    payload: post('join', { customerId: 'shop', sessionId: `s${COUNT}`, tabId: 't' }),
  });
  await sleep(short ? 500 : 1_500);
  const people = await askMany(
    daemon.httpPort,
    20,
    (i) => post('join', { customerId: 'shop', sessionId: `p${i}`, tabId: 't' }),
    200,
  );
  const report = await flood.stop();
  return [
    { what: 'joins of others accepted', measured: people.got, is: 20 },
    {
      what: 'joins of the attacker accepted',
      measured: report.of(200),
      most: LIMIT * 1.1,
      note: `of ${report.answers}`,
    },
  ];
}

/** 60 addresses exhaust what a customer may have in a minute: paced beats and leaves go on. */
async function viral({ t }) {
  const daemon = await startTarget(t, PROXY);
  const by = (number) => [`X-Forwarded-For: 198.51.100.${number}`];
  const person = (i) => ({ customerId: 'shop', sessionId: `p${i}`, tabId: 't' });
  await askMany(daemon.httpPort, 20, (i) => post('join', person(i), by(i)), 200);
  await runFlood(t, daemon.httpPort, {
    connections: 60,
    perConnection: 100,
    seconds: 20,
    payload: post('join', { customerId: 'shop', sessionId: `s${COUNT}`, tabId: 't' }, [
      `X-Forwarded-For: 203.0.113.${PEER}`,
    ]),
  });
  const leaves = await askMany(daemon.httpPort, 20, (i) => post('leave', person(i), by(i)), 200);
  const newcomers = await askMany(
    daemon.httpPort,
    20,
    (i) => post('beat', person(200 + i), by(100 + i)),
    200,
  );
  const socket = await RawSocket.open(t, daemon.wsPort, { early: auth('shop', 'late') });
  const hello = await socket.next('hello');
  return [
    { what: 'leaves accepted', measured: leaves.got, is: 20 },
    { what: 'new people by beat', measured: newcomers.got, is: 20 },
    { what: 'new people by socket', measured: hello.sessionId === 'late' ? 1 : 0, is: 1 },
  ];
}

/** Forged hops in front of the address that the proxy saw do not buy another pot. */
async function forged({ t }) {
  const daemon = await startTarget(t, PROXY);
  const report = await runFlood(t, daemon.httpPort, {
    connections: 5,
    perConnection: 100,
    seconds: 10,
    payload: post('join', { customerId: 'shop', sessionId: `s${COUNT}`, tabId: 't' }, [
      `X-Forwarded-For: 10.9.8.${PEER}, 203.0.113.7`,
    ]),
  });
  return [
    {
      what: 'joins accepted',
      measured: report.of(200),
      most: LIMIT * 1.1,
      note: `of ${report.answers}`,
    },
  ];
}

/** What a hostile peer makes the daemon write to its log. */
async function logged({ t, short }) {
  const daemon = await startTarget(t);
  const before = daemon.stderr.length;
  const report = await runFlood(t, daemon.httpPort, {
    connections: 50,
    seconds: short ? 1 : 2,
    reconnect: true,
    next: 'close',
    payload: 'NON\x01SENSE / HTTP/9.9\r\n\r\n',
  });
  await runFlood(t, daemon.wsPort, {
    connections: 50,
    seconds: short ? 1 : 2,
    reconnect: true,
    next: 'close',
    payload: join(handshake(), [0xf1, 0x80, 0, 0, 0, 0]),
  });
  const kib = (daemon.stderr.length - before) / 1024;
  return [
    {
      what: 'log written',
      measured: kib,
      most: 64,
      unit: 'KiB',
      note: `${report.connects} bad requests`,
    },
  ];
}

export const limits = [
  {
    name: 'window-edge',
    run: windowEdge,
    background: true,
    what: 'requests around the edge of a window at a limit of 100',
    before: '199 in 1.2 s',
  },
  {
    name: 'metrics-flood',
    run: flooded(get('/metrics', ATTACKER)),
    what: '1,000 connections ask /metrics',
    before: 'p99 551 ms, no limit',
  },
  {
    name: 'health-flood',
    run: flooded(get('/health', ATTACKER)),
    what: '1,000 connections ask /health',
    before: 'no limit',
  },
  {
    name: 'asset-flood',
    run: flooded(get('/client.js', ATTACKER)),
    what: '1,000 connections ask /client.js',
    before: 'no limit, 1.3 GB/s',
  },
  {
    name: 'missing-flood',
    run: flooded(get('/nothing', ATTACKER)),
    what: '1,000 connections ask what is not there',
    before: 'no limit',
  },
  {
    name: 'head-flood',
    run: flooded(Buffer.from(httpText('HEAD', '/client.js', { headers: ATTACKER }))),
    what: '1,000 connections send HEAD',
    before: 'no limit',
    more: true,
  },
  {
    name: 'options-flood',
    run: flooded(
      Buffer.from(
        httpText('OPTIONS', '/presence/join', {
          headers: [
            ...ATTACKER,
            'Origin: https://a.example',
            'Access-Control-Request-Method: POST',
            `Access-Control-Request-Headers: ${'x'.repeat(2_000)}`,
          ],
        }),
      ),
    ),
    what: '1,000 connections send preflights with long headers',
    before: 'no limit',
    more: true,
  },
  {
    name: 'reads-flood',
    run: flooded(get(`/metrics?customerId=c${COUNT}`, ATTACKER)),
    what: '1,000 connections read ever other customers',
    before: 'held',
    more: true,
  },
  {
    name: 'customer-pot',
    run: customerPot,
    what: '51 addresses read one customer 100 times each',
    before: 'joins, dashboards and leaves get 429 for 60 s',
  },
  {
    name: 'paid-by-others',
    run: paidByOthers,
    what: 'one address joins without end',
    before: 'held',
    more: true,
    brief: true,
  },
  {
    name: 'viral',
    run: viral,
    what: '60 addresses use up the joins of a customer',
    before: 'leaves and new people by beat get 429',
    more: true,
    brief: true,
  },
  {
    name: 'forged',
    run: forged,
    what: 'forged X-Forwarded-For before the true address',
    before: 'held',
    more: true,
    brief: true,
  },
  {
    name: 'logged',
    run: logged,
    what: 'bad requests and frames without end',
    before: 'held',
    more: true,
  },
];

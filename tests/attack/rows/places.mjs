// Places that one address can hold: sessions, customers, connections.
import { ask, askMany, descriptors, eventually, startTarget, turnsSince } from '../kit/daemon.mjs';
import { runFlood, startFlood } from '../kit/flood.mjs';
import { auth, COUNT, frame, get, handshake, join, post } from '../kit/payloads.mjs';
import { sleep } from '../kit/scope.mjs';
import { OPCODE } from '../../integration/harness/socket.mjs';

const graceMs = (short) => (short ? 1_000 : 2_000);

/** new-sessions-ip of one address: the burst and what a minute adds. */
const burstAnd = (seconds) => 1_000 + Math.ceil(10 * (seconds + 1));

const HEALTH = get('/health');

const beatOf = (customerId, sessionId) => post('beat', { customerId, sessionId, tabId: 't' });
const joinOf = (customerId, sessionId) => post('join', { customerId, sessionId, tabId: 't' });

/** Sessions of a hostile address while it goes on and when its grace is over. */
async function fakes({ t, short }, { flood, customers = false, port = 'wsPort' }) {
  const seconds = short ? 1 : 3;
  const grace = graceMs(short);
  const daemon = await startTarget(t, { 'disconnect-grace': grace });
  const report = await runFlood(t, daemon[port], {
    connections: 20,
    seconds,
    reconnect: true,
    ...flood,
  });
  const peak = (await daemon.samples()).get(customers ? 'au_customers' : 'au_sessions');
  const honest = await askMany(daemon.httpPort, 5, (i) => joinOf('honest', `p${i}`), 200);
  await eventually(
    async () => (await daemon.samples()).get('au_sessions') <= honest.got,
    short ? undefined : grace + 2_000,
  );
  const left = (await daemon.samples()).get('au_sessions') - honest.got;
  return [
    {
      what: customers ? 'customers of one address' : 'fake people of one address',
      measured: peak,
      most: burstAnd(seconds),
      note: `${report.connects} sockets in ${seconds} s`,
    },
    { what: 'fake people left after the grace', measured: left, most: 20 },
    { what: 'honest joins meanwhile', measured: honest.got, is: 5 },
  ];
}

const closedForFault = {
  payload: join(handshake(), auth('shop', `s${COUNT}`), frame(OPCODE.binary, 'x')),
  next: 'close',
};

/** A table full of customers who have nobody left makes room. */
async function fullOfCustomers(context) {
  const { t, short } = context;
  const grace = graceMs(short);
  const daemon = await startTarget(t, { 'disconnect-grace': grace, 'max-customers': 1_000 });
  const report = await runFlood(t, daemon.wsPort, {
    connections: 20,
    sources: 5,
    seconds: 20,
    maxPayloads: 1_100,
    reconnect: true,
    next: 'close',
    payload: join(handshake(), auth(`c${COUNT}`, 's'), frame(OPCODE.binary, 'x')),
  });
  await eventually(async () => (await daemon.samples()).get('au_sessions') === 0);
  const honest = await askMany(daemon.httpPort, 20, (i) => joinOf(`honest${i}`, 'p'), 200);
  return [
    {
      what: 'new customers that get in',
      measured: honest.got,
      is: 20,
      note: `${report.connects} fakes`,
    },
  ];
}

/** Beats of ever new people from one address, which cost no rate-ip. */
async function newByBeats({ t, short }) {
  const seconds = short ? 1 : 3;
  const daemon = await startTarget(t);
  const report = await runFlood(t, daemon.httpPort, {
    connections: 50,
    seconds,
    payload: beatOf('shop', `s${COUNT}`),
    reconnect: true,
  });
  const peak = (await daemon.samples()).get('au_sessions');
  const honest = await askMany(daemon.httpPort, 5, (i) => joinOf('honest', `p${i}`), 200);
  return [
    {
      what: 'people of one address',
      measured: peak,
      most: burstAnd(seconds),
      note: `${report.answers} beats`,
    },
    { what: 'honest joins meanwhile', measured: honest.got, is: 5 },
  ];
}

const SLOTS = 1_800;

/** More watchers than slots; others must get in all the same. */
async function watchers({ t, short }, { sources }) {
  const daemon = await startTarget(t, { 'max-connections': SLOTS });
  const flood = await startFlood(t, daemon.wsPort, {
    connections: 2_200,
    sources,
    seconds: 60,
    payload: join(handshake(), auth('shop')),
    next: 'hold',
    reconnect: true,
  });
  await sleep(short ? 1_500 : 2_500);
  const health = await askMany(daemon.httpPort, 5, () => HEALTH, 200);
  const people = await askMany(daemon.httpPort, 10, (i) => beatOf('honest', `p${i}`), 200, {
    first: 10,
  });
  const dashboards = await askMany(daemon.wsPort, 5, () => handshake(), 101, { first: 30 });
  const open = descriptors(daemon);
  const report = await flood.stop();
  return [
    {
      what: 'health answered',
      measured: health.got,
      is: 5,
      note: `longest ${health.longestMs.toFixed(0)} ms`,
    },
    {
      what: 'honest beats',
      measured: people.got,
      is: 10,
      note: `longest ${people.longestMs.toFixed(0)} ms`,
    },
    {
      what: 'honest sockets',
      measured: dashboards.got,
      is: 5,
      note: `${open} descriptors, ${report.mostOpen} hostile at most`,
    },
  ];
}

/** One session on many sockets: taken over each time, and never more than one person. */
async function oneOnMany({ t, short }) {
  const daemon = await startTarget(t);
  const before = await daemon.samples();
  const flood = await startFlood(t, daemon.wsPort, {
    connections: short ? 300 : 800,
    seconds: 30,
    payload: join(handshake(), auth('shop', 'one', `t${COUNT}`)),
    next: 'hold',
  });
  await flood.ready();
  await sleep(1_000);
  const count = await daemon.count('shop');
  const { check } = await turnsSince(daemon, before);
  await flood.stop();
  return [
    { what: 'people', measured: count, is: 1 },
    check,
  ];
}

/** Dashboards of customers that do not exist: no place in the table of customers. */
async function watchedCustomers({ t, short }) {
  const daemon = await startTarget(t, { 'max-customers': 500, 'max-connections-ip': 0 });
  const flood = await startFlood(t, daemon.wsPort, {
    connections: 800,
    seconds: 30,
    payload: join(handshake(), auth(`c${COUNT}`)),
    next: 'hold',
  });
  await flood.ready();
  await sleep(500);
  const honest = await askMany(daemon.httpPort, 5, (i) => joinOf(`honest${i}`, 'p'), 200);
  const customers = (await daemon.samples()).get('au_customers');
  await flood.stop();
  return [
    {
      what: 'new customers that get in',
      measured: honest.got,
      is: 5,
      note: `${customers} customers known`,
    },
  ];
}

/** A whole /64 is loopback's ::1 here: IPv6 has the same caps. */
async function overIpv6({ t, short }) {
  const daemon = await startTarget(t, { host: '::', 'max-connections': SLOTS });
  const flood = await startFlood(t, daemon.wsPort, {
    source: '::1',
    connections: 400,
    seconds: 30,
    payload: join(handshake(), auth('shop')),
    next: 'hold',
  });
  await flood.ready();
  await sleep(short ? 500 : 1_000);
  const open = (await daemon.samples()).get('au_websocket_sockets');
  const people = await askMany(daemon.httpPort, 5, (i) => beatOf('honest', `p${i}`), 200);
  await flood.stop();
  return [
    { what: 'sockets of one IPv6 address', measured: open, most: SLOTS * 0.05 },
    { what: 'honest beats over IPv4', measured: people.got, is: 5 },
  ];
}

/** Leaves for people of others, by guessed tabs: nobody goes. */
async function foreignLeaves({ t, short }) {
  const daemon = await startTarget(t);
  await ask(daemon.httpPort, joinOf('shop', 'victim'));
  await runFlood(t, daemon.httpPort, {
    connections: 20,
    sources: 20,
    seconds: short ? 1 : 2,
    payload: post('leave', { customerId: 'shop', sessionId: 'victim', tabId: `g${COUNT}` }),
  });
  return [{ what: 'victims still counted', measured: await daemon.count('shop'), is: 1 }];
}

export const places = [
  {
    name: 'fake-people',
    run: (context) => fakes(context, { flood: closedForFault }),
    what: 'handshake + auth + binary frame, repeated',
    before: '12,800 fake people a second, each for a whole TTL',
  },
  {
    name: 'fake-vanishing',
    what: 'handshake + auth, then reset, repeated',
    before: '1,160 people a second, for the grace',
    more: true,
    run: (context) =>
      fakes(context, {
        flood: {
          payload: join(handshake(), auth('shop', `s${COUNT}`)),
          next: 'answer',
          perConnection: 1,
          reset: true,
        },
      }),
  },
  {
    name: 'fake-closing',
    what: 'handshake + auth + close frame, repeated',
    before: '900 people a second, for the grace',
    more: true,
    brief: true,
    run: (context) =>
      fakes(context, {
        flood: {
          payload: join(handshake(), auth('shop', `s${COUNT}`), frame(OPCODE.close, [3, 232])),
          next: 'close',
        },
      }),
  },
  {
    name: 'fake-customers',
    what: 'the same with a new customer each time',
    before: '100,000 in 22 s',
    run: (context) =>
      fakes(context, {
        customers: true,
        flood: {
          payload: join(handshake(), auth(`c${COUNT}`, 's'), frame(OPCODE.binary, 'x')),
          next: 'close',
        },
      }),
  },
  {
    name: 'full-customers',
    run: fullOfCustomers,
    what: 'a table full of customers without people, then new ones',
    before: '503 for 787 s',
  },
  {
    name: 'new-by-beats',
    run: newByBeats,
    what: 'beats of ever new people from one address',
    before: 'held',
    more: true,
  },
  {
    name: 'watchers',
    run: (context) => watchers(context, { sources: 1 }),
    what: '2,200 watchers of one address at 1,800 slots',
    before: 'nobody connects, no /health',
  },
  {
    name: 'watchers-spread',
    run: (context) => watchers(context, { sources: 40 }),
    what: 'the same from 40 addresses',
    before: 'nobody connects, no /health',
    more: true,
    brief: true,
  },
  {
    name: 'watched-customers',
    run: watchedCustomers,
    what: '800 watchers of 800 customers that do not exist, at 500 places',
    before: 'held',
    more: true,
  },
  {
    name: 'one-on-many',
    run: oneOnMany,
    what: 'one session on 800 sockets, each another tab',
    before: 'held',
    more: true,
    brief: true,
  },
  {
    name: 'ipv6',
    run: overIpv6,
    what: '400 watchers of one IPv6 address at 1,800 slots',
    before: '400 sockets',
    more: true,
    brief: true,
  },
  {
    name: 'foreign-leaves',
    run: foreignLeaves,
    what: 'leaves of somebody else with guessed tabs',
    before: 'held',
    more: true,
  },
];

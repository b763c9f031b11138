// The goals, one row each: what is measured, against whom, and what it must reach. A figure comes
// from the module that `from` names, under the row's id.

/** Sizes. `quick` shows that everything works, not how fast it is. */
export const SCALES = {
  full: {
    rounds: 5,
    closeRounds: 21,
    requests: 60_000,
    slowRequests: 20_000,
    sessions: 1_000_000,
    customers: 100_000,
    fewSockets: 5_000,
    manySockets: 18_000,
    fanoutRounds: 3,
    fanouts: 3,
    stormSockets: 10_000,
    stormRounds: 3,
    memoryTickMs: 1_000,
    redisTickMs: 10_000,
    ticks: 2.5,
    starts: 9,
    crowdPeople: 10_000,
    crowdSeconds: 60,
    fullCustomers: 5_000,
    fullHours: 91 * 24,
    manyCustomers: 100_000,
    manyHours: 26,
    paints: 9,
  },
  quick: {
    rounds: 2,
    closeRounds: 2,
    requests: 4_000,
    slowRequests: 2_000,
    sessions: 20_000,
    customers: 1_000,
    fewSockets: 200,
    manySockets: 500,
    fanoutRounds: 1,
    fanouts: 1,
    stormSockets: 500,
    stormRounds: 1,
    memoryTickMs: 200,
    redisTickMs: 500,
    ticks: 2.5,
    starts: 3,
    crowdPeople: 200,
    crowdSeconds: 5,
    fullCustomers: 50,
    fullHours: 91 * 24,
    manyCustomers: 1_000,
    manyHours: 2,
    paints: 2,
  },
};

const n = (value) => value.toLocaleString('en-US');
const ratio = (max) => ({ of: 'ratio', max });
const ours = (max) => ({ of: 'ours', max });

export function rowsOf(s) {
  const cpu = (id, what, peer, goal) => ({ from: 'http', id, what, peer, unit: 'µs', goal });
  const fanout = (id, what, peer, unit, goal) => ({ from: 'fanout', id, what, peer, unit, goal });
  const tick = (id, what) => ({ from: 'ticks', id, what, peer: '', unit: 'ms', goal: ours(5) });
  const resident = (id, what, max) => ({ from: 'history', id, what, peer: '', unit: 'MB', goal: ours(max) });
  const people = `${n(s.crowdPeople)} people of one shop`;
  const crowd = (id, what, peer, unit, goal) => ({
    from: 'crowd',
    id,
    what: `${people}: ${what} a person-hour`,
    peer,
    unit,
    goal,
  });
  const stack = 'Fastify + ws + ioredis';
  const socketIo = 'socket.io + Redis adapter';
  const few = `fan-out to ${n(s.fewSockets)}`;
  const many = `fan-out to ${n(s.manySockets)}`;
  return [
    cpu('beat', 'beat, memory store, CPU', 'nginx `return 200`', ratio(1)),
    cpu('metrics', 'GET /metrics?customerId, CPU', 'nginx `return 200`', ratio(0.9)),
    cpu('redisBeat', 'beat, Redis store, CPU of the daemon', 'our memory store', ratio(1.35)),
    cpu('pageBeat', 'beat with a page and a history, CPU', 'without', ratio(1.03)),
    cpu('fastify', 'beat, Redis store, CPU of the daemon', 'Fastify + ioredis', ratio(0.25)),
    cpu('redisOwn', 'beat, CPU of Redis', 'redis-benchmark, SET + ZADD', ratio(1.3)),
    fanout('fewBare', `${few}, CPU a frame`, 'bare send loop', 'µs', ratio(1.15)),
    fanout('fewNchan', `${few}, CPU a frame`, 'Nchan', 'µs', ratio(0.75)),
    fanout('fewWs', `${few}, CPU a frame`, 'ws', 'µs', ratio(0.75)),
    fanout('fewStreams', `${few} streams, CPU an event`, 'our WebSocket frame', 'µs', ratio(1.15)),
    fanout('fewLast', `${few}, to the last socket`, 'bare send loop', 'ms', ratio(1.1)),
    fanout('manyBare', `${many}, CPU a frame`, 'bare send loop', 'µs', ratio(1.15)),
    fanout('manyNchan', `${many}, CPU a frame`, 'Nchan', 'µs', ratio(0.75)),
    fanout('manyWs', `${many}, CPU a frame`, 'ws', 'µs', ratio(0.75)),
    fanout('manyLast', `${many}, to the last socket`, 'bare send loop', 'ms', ratio(1.1)),
    fanout('idleNchan', 'an idle authenticated socket, memory', 'Nchan', 'B', ours(4000)),
    fanout('idleWs', 'an idle authenticated socket, memory', 'ws', 'B', ours(4000)),
    { from: 'memory', id: 'session', what: `a session of ${n(s.sessions)}, memory`, peer: '', unit: 'B', goal: ours(160) },
    {
      from: 'memory',
      id: 'join',
      what: `join and leave beside ${n(s.sessions)} sessions, CPU`,
      peer: 'beside 1,000',
      unit: 'µs',
      goal: ratio(1.5),
    },
    resident('historyFull', `history of ${n(s.fullCustomers)} customers in full, memory`, 250),
    resident('historyMany', `history of ${n(s.manyCustomers)} customers in ${s.manyHours} h, memory`, 268),
    { from: 'dashboard', id: 'paint', what: '/dashboard, first paint', peer: '', unit: 'ms', goal: ours(500) },
    tick('memorySessions', `tick, memory, ${n(s.sessions)} sessions: longest hold`),
    tick('memoryCustomers', `tick, memory, ${n(s.customers)} customers: longest hold`),
    tick('redisSessions', `tick, Redis, ${n(s.sessions)} sessions: longest hold`),
    tick('redisCustomers', `tick, Redis, ${n(s.customers)} customers: longest hold`),
    {
      from: 'ticks',
      id: 'count',
      what: `a count in Redis, customer of ${n(s.sessions)}`,
      peer: 'of 1,000, alone',
      unit: 'ms',
      goal: ours(1),
    },
    {
      from: 'storm',
      id: 'storm',
      what: `${n(s.stormSockets)} sockets at once, rate`,
      peer: 'bare accept loop',
      unit: '/s',
      goal: { of: 'ratio', min: 0.6 },
    },
    { from: 'storm', id: 'coming', what: 'others while they come, p99', peer: '', unit: 'ms', goal: ours(50) },
    { from: 'storm', id: 'leaving', what: 'others while all leave, p99', peer: '', unit: 'ms', goal: ours(50) },
    crowd('cpuMsReference', 'CPU', stack, 'ms', ratio(0.2)),
    crowd('cpuMsSocketIo', 'CPU', socketIo, 'ms', ratio(0.2)),
    crowd('kilobytesReference', 'on the wire', stack, 'kB', ratio(0.34)),
    crowd('kilobytesSocketIo', 'on the wire', socketIo, 'kB', ratio(0.34)),
    crowd('commandsReference', 'asked of Redis', stack, 'commands', ratio(2)),
    crowd('commandsSocketIo', 'asked of Redis', socketIo, 'commands', ratio(2)),
    crowd('framesReference', 'heard', stack, 'frames', ratio(1)),
    crowd('framesSocketIo', 'heard', socketIo, 'frames', ratio(1)),
    { from: 'startup', id: 'start', what: 'start to first answer', peer: '', unit: 'ms', goal: ours(50) },
  ];
}

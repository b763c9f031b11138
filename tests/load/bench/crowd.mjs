// What a crowd costs: the people of one shop for a minute and more, in the time they really take.
// CPU of the server and of Redis, bytes on the wire and commands of Redis, each for a person-hour.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { RedisClient } from '../../integration/harness/redis.mjs';
import { compare } from './figures.mjs';
import { cpuUs, LOAD, start, until } from './process.mjs';
import { startDaemonOnRedis, startReference, startSocketIo } from './servers.mjs';

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'crowd-people.mjs');

async function commandsOf(redis) {
  const client = await RedisClient.connect(redis.port);
  const text = await client.call('INFO', 'stats');
  client.socket.destroy();
  return Number(/total_commands_processed:(\d+)/.exec(text)[1]);
}

/** People that one process of node plays without being late; each process has an address of its own. */
const PEOPLE_A_PROCESS = 2500;

/** All the people of a shop; `ready` resolves when they are there, `measure` with what they saw. */
function peopleOf(server, protocol, { people, seconds, inProcess = PEOPLE_A_PROCESS }) {
  const parts = [];
  for (let first = 0; first < people; first += inProcess) {
    const count = Math.min(inProcess, people - first);
    const numbers = [first, count, people, seconds].map(String);
    const words = [script, protocol, server.http, server.ws, `127.0.1.${parts.length + 1}`, ...numbers];
    parts.push(start(process.execPath, words, { processor: LOAD }));
  }
  const all = (probe, timeoutMs) =>
    Promise.all(parts.map((part) => until(part, 'the crowd', () => probe(part.stdout), timeoutMs)));
  return {
    ready: () => all((said) => said.includes('ready'), Math.max(60_000, people * 30)),
    async measure() {
      for (const part of parts) part.write('go\n');
      const lines = await all((said) => /^\{.*\}$/m.exec(said)?.[0], (seconds + 60) * 1000);
      const totals = { bytes: 0, frames: 0, views: 0, errors: 0, why: '' };
      for (const said of lines.map((line) => JSON.parse(line))) {
        for (const what of ['bytes', 'frames', 'views', 'errors']) totals[what] += said[what];
        totals.why ||= said.why;
      }
      return totals;
    },
    stop: () => Promise.all(parts.map((part) => part.stop())),
  };
}

async function costOfPresent(server, present, { people, seconds }) {
  const [cpu, redisCpu] = [cpuUs(server.pid), cpuUs(server.redis.pid)];
  const commands = await commandsOf(server.redis);
  const totals = await present.measure();
  const hours = (people * seconds) / 3600;
  if (totals.errors > Math.max(20, 0.01 * people))
    throw new Error(`${totals.errors} errors, first ${totals.why}`);
  return {
    cpuMs: (cpuUs(server.pid) - cpu) / 1000 / hours,
    redisMs: (cpuUs(server.redis.pid) - redisCpu) / 1000 / hours,
    kilobytes: totals.bytes / 1000 / hours,
    frames: totals.frames / hours,
    commands: ((await commandsOf(server.redis)) - commands) / hours,
    views: totals.views / hours,
  };
}

/** `begun` is called when all are there. */
export async function costOf(server, protocol, size, begun = () => {}) {
  const present = peopleOf(server, protocol, size);
  try {
    await present.ready();
    begun();
    return await costOfPresent(server, present, size);
  } finally {
    await present.stop();
  }
}

export async function crowd({ scale, use, attempt, note }) {
  const size = { people: scale.crowdPeople, seconds: scale.crowdSeconds };
  const run = async (what, protocol, startIt) => {
    const server = await use(what, startIt);
    const cost = server && (await attempt(what, () => costOf(server, protocol, size)));
    await server?.stop();
    return cost;
  };
  const ours = await run('the daemon', 'ours', () => startDaemonOnRedis({ 'ema-interval': 30_000, 'max-connections-ip': 0 }));
  const peers = [
    ['Reference', await run('Fastify + ws + ioredis', 'reference', startReference)],
    ['SocketIo', await run('socket.io + Redis adapter', 'socketio', startSocketIo)],
  ];
  for (const [name, theirs] of peers)
    for (const what of ['cpuMs', 'kilobytes', 'commands', 'frames'])
      if (ours && theirs) note(`${what}${name}`, compare([ours[what]], [theirs[what]]));
}

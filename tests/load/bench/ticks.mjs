// How long a tick over a large table holds the loop, and what a count costs.
import { ask } from './ask.mjs';
import { compare, interleave } from './figures.mjs';
import { measure } from './load.mjs';
import { makeUrgent } from './process.mjs';
import { startDaemon, startDaemonOnRedis } from './servers.mjs';

const COUNTS = 2_000;

/** The daemon's own word on its longest hold, in ms; null when it has none. */
async function longestHold(daemon) {
  const answer = await ask(daemon.http, '/metrics');
  const line = /^au_loop_lag_max_seconds (\S+)$/m.exec(answer?.text ?? '');
  return line ? Number(line[1]) * 1000 : null;
}

/**
 * Some ticks, seen from outside too: the slowest of one /health a millisecond. Each is a bound: the
 * daemon's own word takes in the time before, what is seen takes in the machine's other work.
 */
async function watchTicks(daemon, tickMs, ticks) {
  const seconds = Math.max(1, Math.ceil((tickMs * ticks) / 1000));
  makeUrgent(daemon, ...(daemon.redis ? [daemon.redis] : []));
  const probe = { connections: 1, rate: 1000, duration: seconds };
  const seen = await measure('health', daemon.http, probe, { urgent: 1 });
  return Math.min((await longestHold(daemon)) ?? Infinity, seen.latency_max_ms);
}

function fill(daemon, sessions, customers) {
  return measure('join', daemon.http, { requests: sessions, sessions, customers, duration: 300 });
}

export async function ticks({ scale, use, note }) {
  const { sessions, customers } = scale;
  const held = async (id, name, startIt, tickMs, many) => {
    const daemon = await use(name, () => startIt({ 'ema-interval': tickMs, 'presence-ttl': 3600 }));
    if (!daemon) return null;
    await fill(daemon, many.sessions, many.customers);
    note(id, compare([await watchTicks(daemon, tickMs, scale.ticks)]));
    return daemon;
  };
  /* One at a time: a large table goes on ticking. */
  const heldAlone = async (...row) => (await held(...row))?.stop();
  const oneLarge = { sessions, customers: 1 };
  const manySmall = { sessions: customers, customers };
  const { memoryTickMs, redisTickMs } = scale;
  await heldAlone('memorySessions', 'the daemon', startDaemon, memoryTickMs, oneLarge);
  await heldAlone('memoryCustomers', 'the daemon', startDaemon, memoryTickMs, manySmall);
  await heldAlone('redisCustomers', 'the daemon on Redis', startDaemonOnRedis, redisTickMs, manySmall);
  const large = await held('redisSessions', 'the daemon on Redis', startDaemonOnRedis, redisTickMs, oneLarge);
  if (!large) return;

  const small = await use('the daemon on Redis', startDaemonOnRedis);
  await fill(small, 1_000, 1);
  const count = (daemon) =>
    measure('metrics', daemon.http, { connections: 1, requests: COUNTS, duration: 60 });
  const results = await interleave(scale.rounds, [() => count(large), () => count(small)]);
  const [atLarge, atSmall] = results.map((rounds) => rounds.map((r) => r.latency_p50_ms));
  note('count', compare(atLarge, atSmall));
}

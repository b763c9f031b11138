// The daemon under attack: its options are the default ones, and what it says of itself.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { promisify } from 'node:util';

import { DEFAULT_LIMITS, startDaemon } from '../../integration/harness/daemon.mjs';
import { parseResponse } from '../../integration/harness/http.mjs';
import { startRedis } from '../../integration/harness/redis.mjs';
import { PATIENCE_MS, waitFor } from '../../integration/harness/wait.mjs';
import { PRIORITY, setPriority } from './priority.mjs';

const run = promisify(execFile);

/** Takes away what the integration tests set, so that every option is the default one. */
const DEFAULTS = { ...DEFAULT_LIMITS, drain: undefined };

export async function startTarget(t, options = {}) {
  const daemon = await startDaemon(t, { ...DEFAULTS, ...options });
  setPriority(daemon.pid, PRIORITY.daemon);
  return daemon;
}

export async function startTargetOnRedis(t, options = {}) {
  const redis = await startRedis(t);
  const daemon = await startTarget(t, { 'redis-url': redis.url, ...options });
  daemon.redis = redis;
  setPriority(redis.pid, PRIORITY.daemon);
  await waitFor('Redis', async () => (await daemon.get('/health')).json.status === 'ok');
  return daemon;
}

/** A turn has a budget of 2 ms; what is served last in it may take some more. */
const LONGEST_TURN_MS = 50;

/** How long the daemon has been ready to run and was not, since it began: the turns that others
 * on this machine took from it are no turns of its own. */
const waitedMs = (daemon) =>
  Number(readFileSync(`/proc/${daemon.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;

/** Turns of the loop since `before`, as the daemon itself counts them; endless when it says nothing.
 * `check` is the row of the longest since it began. */
export async function turnsSince(daemon, before) {
  const after = await daemon.samples().catch(() => null);
  const of = (name) => (after === null ? Infinity : after.get(name) - before.get(name));
  const slow = of('au_loop_slow_turns_total');
  const check = {
    what: 'longest turn',
    measured: (after?.get('au_loop_lag_max_seconds') ?? Infinity) * 1000,
    most: LONGEST_TURN_MS + Math.ceil(waitedMs(daemon)),
    unit: 'ms',
    note: `${slow} over 5 ms`,
  };
  return { slow, check, of };
}

export const descriptors = (daemon) => readdirSync(`/proc/${daemon.pid}/fd`).length;

/** Kernel memory of the daemon's ends of its connections on a port, in bytes. */
export async function kernelBytes(port) {
  const filter = ['-tmnH', 'state', 'connected', `sport = :${port}`];
  const { stdout } = await run('ss', filter, { maxBuffer: 1 << 28 });
  let connections = 0;
  let received = 0;
  let queued = 0;
  for (const [, r, f, w] of stdout.matchAll(/skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+)/g)) {
    connections += 1;
    received += Number(r) + Number(f);
    queued += Number(w);
  }
  return { connections, received, queued, total: received + queued };
}

/** One request on a connection of its own from an address of its own: {status, ms, response}. */
export function ask(
  port,
  bytes,
  { source = '127.0.9.200', timeoutMs = 2_000, host = '127.0.0.1' } = {},
) {
  const begun = performance.now();
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const local = host === '127.0.0.1' ? { localAddress: source } : {};
    const socket = net.connect({ port, host, ...local });
    const done = (status, response) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status, response, ms: performance.now() - begun });
    };
    const timer = setTimeout(() => done('none'), timeoutMs);
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const parsed = parseResponse(received);
      if (parsed !== null) done(parsed.response.status, parsed.response);
    });
    socket.on('error', () => done('reset'));
    socket.on('close', () => done('closed'));
  });
}

/** After so many without an answer, nobody else is asked: each waits for seconds. */
const MISSES = 2;

/** How many of `count` askers, each from an address of its own, got `status`. */
export async function askMany(port, count, bytesOf, status, options = {}) {
  const { first = 0, ...rest } = options;
  const answers = [];
  let missed = 0;
  for (let i = 0; i < count && missed < MISSES; i += 1) {
    const source = `127.0.10.${1 + first + i}`;
    answers.push(await ask(port, bytesOf(i), { source, ...rest }));
    if (answers.at(-1).status === 'none') missed += 1;
  }
  const got = answers.filter((answer) => answer.status === status).length;
  return { got, longestMs: Math.max(...answers.map((answer) => answer.ms)), answers };
}

/** Until `probe` is true; false when it never was. */
export async function eventually(probe, timeoutMs = PATIENCE_MS) {
  try {
    await waitFor('it', probe, { timeoutMs, everyMs: 100 });
    return true;
  } catch {
    return false;
  }
}

// CPU of a request: the same bytes over the same number of connections to everybody.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { compare, interleave } from './figures.mjs';
import { measure } from './load.mjs';
import { command, cpuUs, Missing } from './process.mjs';
import { startDaemon, startDaemonOnRedis, startFastify, startNginx } from './servers.mjs';

const run = promisify(execFile);
const SESSIONS = 10_000;

/** What two writes of a beat cost Redis when a benchmark sends them, as many in one go as beats. */
async function cpuOfPair(redis, value, requests) {
  const program = command('redis-benchmark');
  const common = ['-p', redis.port, '-c', '1', '-P', '50', '-n', requests, '-r', SESSIONS, '-q'];
  const writes = [
    ['SET', 'presence:pair-0000000:s__rand_int__', value, 'EX', '180'],
    ['ZADD', 'au:idx:pair-0000000', '1__rand_int__', 's__rand_int__'],
  ];
  let sum = 0;
  for (const words of writes) {
    const before = cpuUs(redis.pid);
    await run(program, [...common, ...words].map(String));
    sum += (cpuUs(redis.pid) - before) / requests;
  }
  return sum;
}

export async function http({ scale, use, must, note }) {
  const memory = await must('the daemon', startDaemon);
  const nginx = await use('nginx `return 200`', startNginx);
  const redis = await use('the daemon on Redis', startDaemonOnRedis);
  const fastify = redis && (await use('Fastify + ioredis', () => startFastify(redis.redis)));

  const flags = { sessions: SESSIONS, connections: 50, duration: 120 };
  const cpu = async (mode, server, requests, more = {}) => {
    if (!server) return null;
    const pid = [server.pid, server.redis?.pid].filter(Boolean).join(',');
    return measure(mode, server.http, { ...flags, requests, pid, ...more });
  };
  for (const server of [memory, redis])
    if (server) await measure('join', server.http, { ...flags, requests: SESSIONS });

  const withPage = await must('the daemon', () => startDaemon({ 'ema-interval': 1000 }));
  await measure('join', withPage.http, { ...flags, requests: SESSIONS, page: '/cart' });

  const { requests, slowRequests } = scale;
  if (fastify) await cpu('beat', fastify, slowRequests); // until its compiler has seen everything
  const [ours, constant, onRedis, theirs] = await interleave(scale.rounds, [
    () => cpu('beat', memory, requests),
    () => cpu('beat', nginx, requests),
    () => cpu('beat', redis, requests),
    () => cpu('beat', fastify, slowRequests),
  ]);
  const [gets, constants] = await interleave(scale.rounds, [
    () => cpu('metrics', memory, requests),
    () => cpu('metrics', nginx, requests),
  ]);
  /* Few percent: many rounds, for what the machine does in one of them is more. */
  const [paged, plain] = await interleave(scale.closeRounds, [
    () => cpu('beat', withPage, requests, { page: '/cart' }),
    () => cpu('beat', memory, requests),
  ]);
  const of = (results, field = 'cpu_us_per_request') => results.map((result) => result[field]);
  note('pageBeat', compare(of(paged), of(plain)));
  if (nginx) {
    note('beat', compare(of(ours), of(constant)));
    note('metrics', compare(of(gets), of(constants)));
  }
  if (!redis) return;
  note('redisBeat', compare(of(onRedis), of(ours)));
  if (fastify) note('fastify', compare(of(onRedis), of(theirs)));

  const cli = await use('redis-benchmark, SET + ZADD', async () => command('redis-cli'));
  if (!cli) return;
  const key = 'presence:load-0000000:s-00000000';
  const { stdout: value } = await run(cli, ['-p', String(redis.redis.port), 'GET', key]);
  if (value.trim() === '') throw new Missing(`no ${key} in Redis to copy the size from`);
  const [beats, pairs] = await interleave(scale.rounds, [
    () => cpu('beat', redis, requests),
    () => cpuOfPair(redis.redis, value.trim(), requests),
  ]);
  note('redisOwn', compare(of(beats, 'cpu_us_per_request_2'), pairs));
}

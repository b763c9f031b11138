// Redis Sentinel for a test: real ones around a master and a replica, and one made up that names
// whatever a test wants.
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

import { Process } from './daemon.mjs';
import { RedisClient, redisProgram, startRedis } from './redis.mjs';
import { freePort } from './port.mjs';
import { defer, tempDir, waitFor } from './wait.mjs';

/** What the sentinels call the master. */
export const MASTER = 'main';

/** A sentinel's usual patience is for networks: these are for a test. */
const PACE = ['hello-period', 200, 'info-period', 200, 'ping-period', 200];

class Sentinel {
  #process = null;

  constructor(port, dir, lines) {
    this.port = port;
    this.file = path.join(dir, 'sentinel.conf');
    this.lines = [`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`, ...lines];
  }

  /** Starts it (again), knowing nothing but its configuration. */
  async start() {
    await writeFile(this.file, this.lines.map((line) => `${line}\n`).join(''));
    this.#process = new Process(redisProgram(), [this.file, '--sentinel']);
    // With a password set, NOAUTH is an answer too.
    const ping = () => this.call('PING').catch((error) => error.message.startsWith('NOAUTH'));
    await waitFor('a sentinel to answer', ping);
    await this.call('SENTINEL', 'DEBUG', ...PACE).catch(() => {}); // since Redis 7.0
  }

  async stop() {
    this.#process?.kill('SIGKILL');
    await this.#process?.exited;
    this.#process = null;
  }

  /** One question on a connection of its own. */
  async call(...args) {
    const client = await RedisClient.connect(this.port);
    try {
      return await client.call(...args);
    } finally {
      client.socket.destroy();
    }
  }

  /** What it knows of the master, as an object. */
  async master() {
    const flat = await this.call('SENTINEL', 'MASTER', MASTER);
    return Object.fromEntries(
      Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]),
    );
  }
}

/** `count` sentinels that watch `redis`; `start: false` only reserves their ports. */
export async function startSentinels(t, redis, { count = 3, start = true, lines = [] } = {}) {
  const sentinels = [];
  for (let i = 0; i < count; i += 1) {
    const sentinel = new Sentinel(await freePort(), await tempDir(t), [
      `sentinel monitor ${MASTER} 127.0.0.1 ${redis.port} ${Math.floor(count / 2) + 1}`,
      `sentinel down-after-milliseconds ${MASTER} 500`,
      `sentinel failover-timeout ${MASTER} 2000`,
      ...lines,
    ]);
    defer(t, () => sentinel.stop());
    if (start) await sentinel.start();
    sentinels.push(sentinel);
  }
  return sentinels;
}

export const sentinelUrl = (sentinels, name = MASTER) =>
  `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`;

/** A master, its replica and three sentinels that are ready for a failover. */
export async function startTrio(t) {
  const master = await startRedis(t);
  const replica = await startRedis(t, {
    options: ['--replicaof', '127.0.0.1', master.port, '--repl-diskless-sync-delay', 0],
  });
  const sentinels = await startSentinels(t, master);
  await waitFor('the replica to be in step', async () =>
    (await (await replica.client()).call('INFO', 'replication')).includes('master_link_status:up'),
  );
  for (const sentinel of sentinels) {
    await waitFor('the sentinels to know each other and the replica', async () => {
      const known = await sentinel.master();
      return known['num-other-sentinels'] === '2' && known['num-slaves'] === '1';
    });
  }
  return { master, replica, sentinels, url: sentinelUrl(sentinels) };
}

/** Answers every question for a master with the port that `names` has by then, unless `silent`. */
export async function fakeSentinel(t, names) {
  const fake = { names, silent: false, asked: 0 };
  const peers = new Set();
  const server = net.createServer((socket) => {
    peers.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => {
      const port = String(fake.names);
      fake.asked += 1;
      if (fake.silent) return;
      socket.write(`*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  defer(t, () => {
    peers.forEach((socket) => socket.destroy());
    server.close();
  });
  fake.port = server.address().port;
  return fake;
}

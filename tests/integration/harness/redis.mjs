// A real redis-server without persistence, and a client of a few lines: enough RESP to read what
// the daemon wrote, to write what another program would, and to listen.
import { spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';

import { freePort } from './port.mjs';
import { defer, Inbox, tempDir, waitFor, within } from './wait.mjs';

/** Reads one RESP2 value at `at`: [value, next position], or null when it is not whole yet. */
export function parseReply(bytes, at) {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return null;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(bytes[at])) {
    case '+':
      return [line, next];
    case '-':
      return [new Error(line), next];
    case ':':
      return [Number(line), next];
    case '$': {
      const length = Number(line);
      if (length < 0) return [null, next];
      if (bytes.length < next + length + 2) return null;
      return [bytes.toString('utf8', next, next + length), next + length + 2];
    }
    default: {
      let position = next;
      const items = [];
      for (let left = Number(line); left > 0; left -= 1) {
        const item = parseReply(bytes, position);
        if (item === null) return null;
        items.push(item[0]);
        position = item[1];
      }
      return [items, position];
    }
  }
}

/** The server's program: Valkey where a test file says so before it starts one. */
export const redisProgram = () => process.env.AU_REDIS_SERVER ?? 'redis-server';

export class RedisClient {
  /** What arrives without having been asked for: messages and MONITOR lines. */
  pushed = new Inbox();
  #pending = [];
  #unparsed = Buffer.alloc(0);

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#unparsed = Buffer.concat([this.#unparsed, chunk]);
      for (let reply; (reply = parseReply(this.#unparsed, 0)) !== null;) {
        this.#unparsed = this.#unparsed.subarray(reply[1]);
        const asker = this.#pending.shift();
        if (asker === undefined) this.pushed.put(reply[0]);
        else if (reply[0] instanceof Error) asker.reject(reply[0]);
        else asker.resolve(reply[0]);
      }
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      for (const asker of this.#pending.splice(0))
        asker.reject(new Error('Redis closed the connection'));
      this.pushed.end('Redis closed the connection');
    });
  }

  static async connect(port) {
    const socket = net.connect({ port, host: '127.0.0.1' });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RedisClient(socket);
  }

  call(...args) {
    const words = args.map(String);
    const answered = new Promise((resolve, reject) => this.#pending.push({ resolve, reject }));
    this.socket.write(
      `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
    );
    return within(`Redis to answer ${words[0]}`, answered);
  }

  /** Every key of the database; SCAN may name one twice. */
  async keys(pattern = '*') {
    const found = new Set();
    let cursor = '0';
    do {
      const [next, batch] = await this.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000);
      for (const key of batch) found.add(key);
      cursor = next;
    } while (cursor !== '0');
    return [...found].sort();
  }
}

class RedisServer {
  #t;
  #child = null;

  constructor(t, port, dir, options) {
    this.#t = t;
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.dir = dir;
    this.unixPath = path.join(dir, 'redis.sock');
    this.arguments = [
      '--port',
      port,
      '--bind',
      '127.0.0.1',
      '--unixsocket',
      this.unixPath,
      '--dir',
      dir,
    ];
    this.arguments.push('--save', '', '--appendonly', 'no', ...options);
  }

  /**
   * Starts it (again), with what is in its directory: nothing, unless a test saved something.
   * Returns false when the port was taken meanwhile. `loading` is an answer too when asked for.
   */
  async start({ loading = false } = {}) {
    const child = spawn(redisProgram(), this.arguments, { stdio: 'ignore' });
    const killAtExit = () => child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('close', () => process.removeListener('exit', killAtExit));
    this.#child = child;
    const up = await waitFor('redis-server to answer', async () => {
      if (child.exitCode !== null) return { up: false };
      const client = await RedisClient.connect(this.port);
      // With a password set, NOAUTH is an answer too.
      await client
        .call('PING')
        .catch((error) => {
          if (error.message.startsWith('NOAUTH')) return;
          if (!(loading && error.message.startsWith('LOADING'))) throw error;
        });
      client.socket.destroy();
      return { up: true };
    });
    return up.up;
  }

  get pid() {
    return this.#child?.pid;
  }

  /** As a crash: nothing is saved, connections are reset. */
  async crash() {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await within('redis-server to die', new Promise((resolve) => child.once('close', resolve)));
  }

  /** Stops answering without closing anything. */
  freeze() {
    this.#child.kill('SIGSTOP');
  }

  thaw() {
    this.#child.kill('SIGCONT');
  }

  async client() {
    const client = await RedisClient.connect(this.port);
    defer(this.#t, () => client.socket.destroy());
    return client;
  }
}

/**
 * A server that is there for one test. `start: false` reserves a port and starts nothing yet.
 * `options` may be a function, asked again when a port was taken.
 */
export async function startRedis(t, { options = [], start = true } = {}) {
  for (;;) {
    const words = typeof options === 'function' ? await options() : options;
    const server = new RedisServer(t, await freePort(), await tempDir(t), words);
    defer(t, () => server.crash());
    if (!start || (await server.start())) return server;
  }
}

// The way to Redis that can be cut, in a process of its own: the one that plays the people may be
// late by seconds, and Redis must not seem to be.
import net from 'node:net';
import { fileURLToPath } from 'node:url';

import { defer, Process, waitFor } from '../integration/harness.mjs';

/** `shut()` cuts all connections and refuses new ones until `open()`. */
export class WayToRedis {
  #process;
  #said = 0;

  static async start(t, redis) {
    const way = new WayToRedis();
    way.#process = new Process(process.execPath, [fileURLToPath(import.meta.url), String(redis.port)]);
    defer(t, () => way.#process.kill('SIGKILL'));
    way.url = `redis://127.0.0.1:${await way.#answer()}`;
    return way;
  }

  async #answer() {
    const lines = () => this.#process.stdout.split('\n').slice(0, -1);
    await waitFor('the way to Redis', () => lines().length > this.#said);
    return lines()[this.#said++];
  }

  #tell(word) {
    this.#process.child.stdin.write(`${word}\n`);
    return this.#answer();
  }

  shut() {
    return this.#tell('shut');
  }

  open() {
    return this.#tell('open');
  }
}

function serve(target) {
  const sockets = new Set();
  let port = 0;
  const server = net.createServer((socket) => {
    const other = net.connect(target, '127.0.0.1');
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => {}).on('close', () => sockets.delete(from) && to.destroy());
    }
  });
  const open = () =>
    server.listen(port, '127.0.0.1', () => {
      port = server.address().port;
      process.stdout.write(`${port}\n`);
    });
  const shut = () => {
    server.close(() => process.stdout.write('shut\n'));
    for (const socket of sockets) socket.destroy();
  };
  open();
  process.stdin.on('data', (words) => (String(words).trim() === 'shut' ? shut() : open()));
  process.stdin.on('end', () => process.exit(0));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(Number(process.argv[2]));

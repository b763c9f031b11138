// Ports for servers of a test or a benchmark. Nothing here knows what listens.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';

/** Whether a port of this machine can be bound now. */
async function isFree(port) {
  const server = net.createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/**
 * A port that was free a moment ago, below those that the kernel gives away by itself: else a
 * suite beside this one might be given it before whoever asks here has bound it, or while a
 * server that had it is away.
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(10_240, 32_768);
    if (await isFree(port)) return port;
  }
}

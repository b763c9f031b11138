// Listening sockets that a service manager holds and passes to one daemon after the other.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Process } from './daemon.mjs';
import { defer, tempDir, waitFor } from './wait.mjs';

const script = fileURLToPath(new URL('passed.py', import.meta.url));

/** {ports, prefix}: the prefix of a command that is to get the sockets. */
export async function holdSockets(t, count = 2) {
  const door = path.join(await tempDir(t), 'door');
  const holder = new Process('python3', [script, 'hold', door, count]);
  defer(t, async () => {
    holder.child.stdin.end();
    await holder.waitExit();
  });
  const line = await waitFor('sockets', () => /^(.*)\n/.exec(holder.stdout)?.[1]);
  return { ports: line.split(' ').map(Number), prefix: ['python3', script, 'give', door] };
}

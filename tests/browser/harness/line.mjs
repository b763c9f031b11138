// The network between the browsers and the daemon: it can be cut, and it can be slow.
import net from 'node:net';

import { defer } from '../../integration/harness.mjs';

/** {httpPort, cut(), hold(), restore()}: stands for the daemon on `port` where a page connects to it. */
export async function startLine(t, port) {
  const pairs = new Set();
  let state = 'open';
  const server = net.createServer((near) => {
    if (state === 'cut') return near.destroy();
    const far = net.connect(port, '127.0.0.1');
    const pair = [near, far];
    pairs.add(pair);
    for (const socket of pair) {
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        pairs.delete(pair);
        pair.forEach((it) => it.destroy());
      });
    }
    near.pipe(far);
    far.pipe(near);
    if (state === 'hold') pair.forEach((it) => it.pause());
  });
  const each = (act) => [...pairs].flat().forEach(act);
  const cut = () => {
    state = 'cut';
    each((socket) => socket.destroy());
  };
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  defer(t, () => {
    cut();
    server.close();
  });
  return {
    httpPort: server.address().port,
    /** Ends every connection, and makes no new one. */
    cut,
    /** Takes connections, and passes nothing on. */
    hold() {
      state = 'hold';
      each((socket) => socket.pause());
    },
    restore() {
      state = 'open';
      each((socket) => socket.resume());
    },
  };
}

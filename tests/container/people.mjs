// People behind the proxy: some hold a socket, some beat by request, one watches.
import https from 'node:https';
import WebSocket from 'ws';

const BEAT_MS = 12_000; // a paced beat costs no limit
const PING_MS = 10_000;
const HANDSHAKE_MS = 5_000; // nobody may answer at the address of a container that is gone
const AGAIN_MS = 300; // before a socket is tried anew; the SDK's first is like it

export class People {
  customerId = `shop-${process.pid}`;
  failed = [];
  seen = [];
  #stopped = false;
  #timers = new Set();
  #sockets = new Set();

  constructor(port, ca) {
    this.port = port;
    this.ca = ca;
    this.agent = new https.Agent({ keepAlive: true, maxSockets: 16, ca, servername: 'localhost' });
  }

  #every(ms, fn) {
    const timer = setInterval(fn, ms);
    this.#timers.add(timer);
  }

  request(method, path, body) {
    const text = body && JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = https.request(
        {
          host: '127.0.0.1', port: this.port, method, path, agent: this.agent,
          headers: text ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {},
        },
        (response) => {
          let answer = '';
          response.setEncoding('utf8');
          response.on('data', (piece) => (answer += piece));
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode, text: answer }));
        },
      );
      // A kept connection may end as it is used again: browsers then send the request once more.
      request.on('error', (error) =>
        request.reusedSocket ? resolve(this.request(method, path, body)) : reject(error),
      );
      request.end(text);
    });
  }

  /** True where it was acknowledged; where not it is remembered. */
  async #beat(ids) {
    try {
      const { status, text } = await this.request('POST', '/presence/beat', ids);
      if (status !== 200) this.failed.push(`${status} ${text}`);
    } catch (error) {
      this.failed.push(error.message);
    }
  }

  #socket(ids) {
    if (this.#stopped) return;
    const socket = new WebSocket(`wss://127.0.0.1:${this.port}/ws/active-users`, {
      ca: this.ca, servername: 'localhost', handshakeTimeout: HANDSHAKE_MS,
    });
    this.#sockets.add(socket);
    let pinging;
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'auth', customerId: this.customerId, ...ids }));
      pinging = setInterval(() => socket.send('{"type":"ping"}'), PING_MS);
    });
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (!ids && message.type === 'metrics:update')
        this.seen.push({ at: Date.now(), count: message.data.count, stale: message.data.stale === true });
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(pinging);
      this.#sockets.delete(socket);
      if (!this.#stopped) setTimeout(() => this.#socket(ids), AGAIN_MS);
    });
  }

  come(sockets, beaters) {
    this.size = sockets + beaters;
    for (let i = 0; i < sockets; i++) this.#socket({ sessionId: `socket-${i}`, tabId: 't' });
    for (let i = 0; i < beaters; i++) {
      const ids = { customerId: this.customerId, sessionId: `beater-${i}`, tabId: 't' };
      void this.#beat(ids);
      this.#every(BEAT_MS + i, () => this.#beat(ids));
    }
    this.#socket(undefined);
  }

  async metrics() {
    const { status, text } = await this.request('GET', `/metrics?customerId=${this.customerId}`);
    if (status !== 200) throw new Error(`metrics: ${status}`);
    return JSON.parse(text);
  }

  /** Sockets that are open now. */
  get open() {
    return [...this.#sockets].filter((socket) => socket.readyState === WebSocket.OPEN).length;
  }

  /** The largest share the watcher's number was off since `at`, stale ones apart. */
  worstSince(at) {
    const off = this.seen.filter((s) => s.at >= at).map(({ count }) => Math.abs(count - this.size) / this.size);
    return Math.max(0, ...off);
  }

  stop() {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.terminate();
    this.agent.destroy();
  }
}

// People of one customer who are there while one daemon hands over to the next, and the truth about
// them. Knows ports only: which daemon answers is none of their business.
import http from 'node:http';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import WebSocket from 'ws';

import { aBeat, WS_PATH } from '../integration/harness.mjs';

const PING_MS = 1000;
const BEAT_MS = 250;
const ASK_MS = 50;
/** The SDK's (src/client/utils/backoff.ts): a random part of this, doubled with each failure. */
export const BACKOFF_MS = 1000;

const { timeOrigin } = performance;
export const now = () => performance.now();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The number of people: at least `low` and at most `high` at any time since `at`. */
class Truth {
  steps = [{ at: 0, low: 0, high: 0 }];

  #step(low, high) {
    const last = this.steps.at(-1);
    this.steps.push({ at: now(), low: last.low + low, high: last.high + high });
  }

  /** Sent: from now on the person may be counted; acknowledged: must be. */
  async comes(acknowledged) {
    this.#step(0, 1);
    await acknowledged;
    this.#step(1, 0);
  }

  async goes(acknowledged) {
    this.#step(-1, 0);
    await acknowledged;
    this.#step(0, -1);
  }

  /** The lowest and highest number that was true between two times. */
  between(from, to) {
    let at = this.steps.length - 1;
    while (this.steps[at].at > to) at -= 1;
    let { low, high } = this.steps[at];
    for (; at >= 0; at -= 1) {
      low = Math.min(low, this.steps[at].low);
      high = Math.max(high, this.steps[at].high);
      if (this.steps[at].at <= from) break;
    }
    return { low, high };
  }
}

export class Crowd {
  truth = new Truth();
  /** Requests and handshakes that got no answer, or another one than they should. */
  failures = [];
  requests = 0;
  /** What was said of the count: {asked, at, count}. */
  answers = [];
  /** {at, count}: when the daemon says that it was. */
  frames = [];
  /** {closed, tried, back, code} for each socket that had to come back. */
  returns = [];
  open = 0;
  openings = [];
  #customerId = aBeat().customerId;
  #ports;
  #stopped = false;
  #running = [];
  #sockets = new Set();
  #agent = new http.Agent({ keepAlive: true });

  constructor([httpPort, wsPort]) {
    this.#ports = { http: httpPort, ws: wsPort };
  }

  get customerId() {
    return this.#customerId;
  }

  #fail(what, error) {
    if (!this.#stopped) this.failures.push(`${what}: ${error?.message ?? error}`);
  }

  #run(loop) {
    this.#running.push(loop.call(this));
  }

  // ---- requests ----------------------------------------------------------------

  #request(method, path, body, agent = this.#agent) {
    this.requests += 1;
    const bytes = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers = bytes ? { 'content-length': bytes.length } : {};
      const request = http.request(
        { host: '127.0.0.1', port: this.#ports.http, agent, method, path, headers },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part) => (text += part));
          response.once('error', reject);
          response.once('end', () => {
            if (response.statusCode === 200) resolve(JSON.parse(text));
            else reject(new Error(`${response.statusCode} ${text}`));
          });
        },
      );
      request.once('error', reject).end(bytes);
    });
  }

  async #must(action, beat) {
    try {
      return await this.#request('POST', `/presence/${action}`, beat);
    } catch (error) {
      this.#fail(action, error);
      return undefined;
    }
  }

  /** Comes, stays for some beats, goes, and comes again as somebody else. */
  async #visitor() {
    while (!this.#stopped) {
      const beat = aBeat({ customerId: this.#customerId });
      await this.truth.comes(this.#must('join', beat));
      for (let i = 0; i < 8 && !this.#stopped; i += 1) {
        await pause(BEAT_MS);
        await this.#must('beat', beat);
      }
      await this.truth.goes(this.#must('leave', beat));
    }
  }

  /** Asks for the count, each time on a new connection. */
  async #asker() {
    while (!this.#stopped) {
      const asked = now();
      try {
        const said = await this.#request('GET', `/metrics?customerId=${this.#customerId}`, undefined, false);
        this.answers.push({ asked, at: now(), count: said.count, ema: said.ema, peak: said.peak });
      } catch (error) {
        this.#fail('metrics', error);
      }
      await pause(ASK_MS);
    }
  }

  // ---- sockets -----------------------------------------------------------------

  #count(by) {
    this.open += by;
    this.openings.push({ at: now(), open: this.open });
  }

  /** Resolves once it is authenticated to {ended}, a promise of the close code; rejects on failure. */
  #connect(port, auth) {
    return new Promise((resolve, reject) => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}${WS_PATH}`);
      this.#sockets.add(ws);
      let ping, ended;
      ws.once('error', reject);
      ws.once('unexpected-response', (_, { statusCode }) => reject(new Error(`answered ${statusCode}`)));
      ws.once('open', () => ws.send(JSON.stringify({ type: 'auth', ...auth })));
      ws.on('message', (data) => {
        const message = JSON.parse(data);
        if (message.type === 'metrics:update')
          this.frames.push({ at: message.data.timestamp - timeOrigin, count: message.data.count });
        else if (message.type === 'error') this.#fail('socket', message.message);
        else if (message.type === 'hello') {
          this.#count(1);
          if (auth.sessionId) ping = setInterval(() => ws.send('{"type":"ping"}'), PING_MS);
          resolve({ ended: new Promise((over) => (ended = over)) });
        }
      });
      ws.once('close', (code) => {
        this.#sockets.delete(ws);
        clearInterval(ping);
        if (ended) this.#count(-1);
        ended?.(code);
        reject(new Error(`closed with ${code}`));
      });
    });
  }

  /** Somebody with a socket, who comes back whenever it is closed: as the SDK does. */
  async #holder(port, auth, first) {
    let connection = await this.#connect(port, auth);
    first();
    for (;;) {
      const code = await connection.ended;
      if (this.#stopped) return;
      const closed = now();
      for (let attempt = 0; ; attempt += 1) {
        await pause(Math.random() * BACKOFF_MS * 2 ** attempt);
        if (this.#stopped) return;
        const tried = now();
        this.requests += 1;
        try {
          connection = await this.#connect(port, auth);
          this.returns.push({ closed, tried, back: now(), code, attempt });
          break;
        } catch (error) {
          this.#fail('handshake', error);
        }
      }
    }
  }

  #hold(port, auth) {
    return new Promise((resolve, reject) => {
      this.#running.push(this.#holder(port, auth, resolve).catch(reject));
    });
  }

  /** `sockets` people with sockets, on both ports in turn; some watchers; `visitors` with requests. */
  async come({ sockets, watchers = 5, visitors = 20 }) {
    const ports = [this.#ports.http, this.#ports.ws];
    for (let at = 0; at < sockets; at += 100) {
      const some = Array.from({ length: Math.min(100, sockets - at) }, (_, i) =>
        this.truth.comes(this.#hold(ports[i % 2], aBeat({ customerId: this.#customerId }))),
      );
      await Promise.all(some);
    }
    for (let i = 0; i < watchers; i += 1)
      await this.#hold(ports[i % 2], { customerId: this.#customerId });
    for (let i = 0; i < visitors; i += 1) this.#run(this.#visitor);
    this.#run(this.#asker);
  }

  async stop() {
    this.#stopped = true;
    for (const ws of this.#sockets) ws.terminate();
    await Promise.all(this.#running);
    this.#agent.destroy();
  }
}

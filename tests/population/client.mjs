// One browser: an address, its tabs, their requests and sockets; it keeps the truth about its
// person. Nothing here knows a script.
import http from 'node:http';
import WebSocket from 'ws';

import { WS_PATH } from '../integration/harness/socket.mjs';
import { TOO_LATE_MS } from './lateness.mjs';
import { Person } from './person.mjs';

/** A pong comes before its beat is stored: with others, and through a busy Redis. */
const PONG_LAG_MS = 1500;

/** The SDK's close code of a page that goes. */
const PAGE_GONE = 4001;

export class Browser {
  tab = 0;
  #agents = new Map();

  constructor(crowd, name, { customerId, from }) {
    this.crowd = crowd;
    this.person = new Person(name);
    this.customerId = customerId;
    this.sessionId = `session-${name}`;
    this.from = from;
  }

  get ids() {
    return { customerId: this.customerId, sessionId: this.sessionId, tabId: `tab-${this.tab}` };
  }

  /** Any daemon: a balancer decides. */
  #daemon() {
    const { daemons } = this.crowd;
    return daemons[Math.floor(this.crowd.random() * daemons.length)];
  }

  #agent(daemon) {
    if (!this.#agents.has(daemon))
      this.#agents.set(
        daemon,
        new http.Agent({ keepAlive: true, maxSockets: 1, localAddress: this.from }),
      );
    return this.#agents.get(daemon);
  }

  post(action, body, daemon = this.#daemon()) {
    const text = JSON.stringify(body);
    const begunAt = Date.now();
    const isOurs = () => this.crowd.lateness.since(begunAt) >= TOO_LATE_MS;
    return new Promise((resolve, reject) => {
      const request = http.request(
        {
          host: '127.0.0.1',
          port: daemon.httpPort,
          method: 'POST',
          path: `/presence/${action}`,
          agent: this.#agent(daemon),
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        },
        (response) => {
          let answer = '';
          response.setEncoding('utf8');
          response.on('data', (piece) => (answer += piece));
          response.on('end', () => {
            if (response.statusCode === 408 && isOurs()) {
              resolve(this.post(action, body, daemon));
              return;
            }
            this.crowd.count(action, response.statusCode);
            if (response.statusCode === 200) resolve(JSON.parse(answer));
            else reject(new Error(`${action}: ${response.statusCode} ${answer}`));
          });
          response.on('error', reject);
        },
      );
      // A kept connection may end as it is used again: browsers then send the request once more. So
      // may one that this process opened and had no time to use.
      request.on('error', (error) =>
        request.reusedSocket || isOurs()
          ? resolve(this.post(action, body, daemon))
          : reject(new Error(`${action}, after ${Date.now() - begunAt} ms: ${error.message}`)),
      );
      request.end(text);
    });
  }

  /** A join or a beat; with `metrics` the answer is a surface too. */
  async live(action = 'beat', { metrics = false } = {}) {
    const sentAt = Date.now();
    this.person.sending(sentAt);
    const answer = await this.post(metrics ? `${action}?metrics=1` : action, this.ids);
    this.person.renewed(sentAt, this.crowd.ttlMs);
    if (answer.metrics) this.crowd.see('beat', answer.metrics.count, sentAt, this.customerId);
  }

  async leave(ids = this.ids) {
    this.person.going(Date.now(), Infinity);
    await this.post('leave', ids);
    this.person.gone();
  }

  /** As a page that goes: it may be back within the grace. */
  async go(graceMs) {
    const sentAt = Date.now();
    const { ids } = this;
    this.person.going(sentAt + graceMs, Infinity);
    await this.post('leave', { ...ids, graceMs });
    this.person.going(sentAt + graceMs, Date.now() + graceMs);
  }

  /** A socket of the tab of now; resolves with it when hello has come. */
  open({ attempts = 20 } = {}) {
    const sentAt = Date.now();
    this.person.sending(sentAt);
    const ws = new WebSocket(`ws://127.0.0.1:${this.#daemon().wsPort}${WS_PATH}`, {
      localAddress: this.from,
    });
    const { ids } = this;
    return new Promise((resolve, reject) => {
      ws.on('open', () => ws.send(JSON.stringify({ type: 'auth', ...ids })));
      ws.on('message', (data) => {
        const message = JSON.parse(data);
        if (message.type === 'pong')
          this.person.answered(ws.pingedAt, this.crowd.ttlMs, PONG_LAG_MS);
        if (message.type !== 'hello') return;
        this.person.renewed(sentAt, this.crowd.ttlMs);
        ws.beats = setInterval(() => this.#ping(ws), this.crowd.beatMs);
        resolve(ws);
      });
      ws.on('error', (error) => reject(error));
      ws.on('close', (code) => {
        clearInterval(ws.beats);
        reject(new Error(`socket closed with ${code}`));
      });
    }).catch((error) => {
      if (attempts === 0 || this.crowd.isOver) throw error;
      return this.open({ attempts: attempts - 1 });
    });
  }

  #ping(ws) {
    if (ws.readyState !== WebSocket.OPEN) return;
    ws.pingedAt = Date.now();
    ws.send('{"type":"ping"}');
  }

  /** Ends the last socket of this person without a word; a clean close is the same to the count. */
  vanish(ws, { clean = false } = {}) {
    const now = Date.now();
    clearInterval(ws.beats);
    ws.removeAllListeners('message');
    ws.on('error', () => {});
    this.person.going(now + this.crowd.graceMs, now + this.crowd.graceMs);
    if (clean) ws.close();
    else ws.terminate();
  }

  /** As a page with a socket that goes: the close says so, as the SDK's does. */
  async goWith(ws, graceMs) {
    const sentAt = Date.now();
    clearInterval(ws.beats);
    ws.removeAllListeners('message');
    ws.on('error', () => {});
    this.person.going(sentAt + graceMs, Infinity);
    await new Promise((resolve) => {
      ws.once('close', resolve);
      ws.close(PAGE_GONE);
    });
    this.person.going(sentAt + graceMs, Date.now() + graceMs);
  }

  /** Its goodbye has said when it is over; the end of the socket is no later. */
  vanishAfterGoodbye(ws) {
    this.drop(ws);
  }

  /**
   * Ends one of several without a word. Where the others are at another daemon, the session has its
   * grace until one of them beats.
   */
  dropTab(ws) {
    this.person.going(Date.now() + this.crowd.graceMs, Infinity);
    this.drop(ws);
  }

  drop(ws) {
    clearInterval(ws.beats);
    ws.removeAllListeners('message');
    ws.on('error', () => {});
    ws.terminate();
  }

  close() {
    for (const agent of this.#agents.values()) agent.destroy();
  }
}

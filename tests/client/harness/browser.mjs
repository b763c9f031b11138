// A browser with tabs: what they share (storage, locks, channels) and what each has of its own.
// A tab's `scope` stands for its window; everything a client leaves behind in it can be counted.
import { webcrypto } from 'node:crypto';
import { setMaxListeners } from 'node:events';

import { Clock, settle } from './clock.mjs';
import { FakeServer, LATENCY_MS } from './server.mjs';

setMaxListeners(0); // a signal may have as many listeners as it likes

/** Counts listeners, also those that end by a signal. */
class Target extends EventTarget {
  #present = new Set();
  types = new Set();

  get listeners() {
    return this.#present.size;
  }

  addEventListener(type, run, options = {}) {
    this.#present.add(run);
    this.types.add(type);
    options.signal?.addEventListener('abort', () => this.#present.delete(run));
    super.addEventListener(type, run, options);
  }

  removeEventListener(type, run, options) {
    this.#present.delete(run);
    super.removeEventListener(type, run, options);
  }

  fire(type, fields = {}) {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

/** Web Locks, exclusive ones only. */
class Locks {
  held = new Map();
  queue = [];

  request(tab, name, options, callback) {
    return new Promise((resolve, reject) => {
      const entry = { tab, name, callback, resolve, reject };
      options.signal?.addEventListener('abort', () => {
        const at = this.queue.indexOf(entry);
        if (at < 0) return;
        this.queue.splice(at, 1);
        reject(options.signal.reason);
      });
      if (options.steal) {
        const before = this.held.get(name);
        this.held.delete(name);
        const tell = () => before?.reject(new DOMException('stolen', 'AbortError'));
        if (before?.tab.frozen) before.tab.onThaw.push(tell);
        else tell();
        this.queue.unshift(entry);
      } else this.queue.push(entry);
      queueMicrotask(() => this.grant());
    });
  }

  grant() {
    for (const entry of [...this.queue]) {
      if (this.held.has(entry.name)) continue;
      this.queue.splice(this.queue.indexOf(entry), 1);
      this.held.set(entry.name, entry);
      const release = (settleWith) => (value) => {
        if (this.held.get(entry.name) === entry) this.held.delete(entry.name);
        settleWith(value);
        this.grant();
      };
      // A frozen tab is given the lock and does nothing with it.
      const run = () =>
        Promise.resolve(entry.callback({})).then(release(entry.resolve), release(entry.reject));
      if (entry.tab.frozen) entry.tab.onThaw.push(run);
      else void run();
    }
  }

  of(tab) {
    return [...this.held.values(), ...this.queue].filter((entry) => entry.tab === tab).length;
  }

  /** The browser's part when a tab dies. */
  drop(tab) {
    this.queue = this.queue.filter((entry) => entry.tab !== tab);
    for (const [name, entry] of this.held) if (entry.tab === tab) this.held.delete(name);
    this.grant();
  }
}

export class Tab {
  frozen = false;
  gone = false;
  onThaw = [];
  sockets = new Set();
  channels = new Set();
  frames = new Map();
  beacons = [];

  constructor(
    browser,
    { hidden = false, locks = true, channel = true, storage = true, prerendering } = {},
  ) {
    const tab = this;
    const { clock, server } = browser;
    this.browser = browser;
    this.document = Object.assign(new Target(), { hidden, prerendering });
    let lastFrame = 0;
    this.scope = Object.assign(new Target(), {
      location: { origin: 'https://shop.test' },
      navigation: new Target(),
      document: this.document,
      Date: { now: () => clock.now },
      Math: { random: () => browser.random() },
      crypto: { getRandomValues: (a) => webcrypto.getRandomValues(a) },
      setTimeout: (run, ms) => clock.set(tab, run, ms),
      clearTimeout: (id) => clock.clear(id),
      requestAnimationFrame: (run) => {
        tab.frames.set(++lastFrame, run);
        return lastFrame;
      },
      cancelAnimationFrame: (id) => tab.frames.delete(id),
      fetch: server.fetchFor(),
      WebSocket: server.socketFor(tab),
      navigator: {
        locks:
          locks && browser.secure
            ? { request: (name, options, run) => browser.locks.request(tab, name, options, run) }
            : undefined,
        sendBeacon: (url, body) => {
          tab.beacons.push({ url, body: JSON.parse(body) });
          clock.set(null, () => server.answer('POST', url, body, {}), LATENCY_MS);
          return true;
        },
      },
    });
    this.scope.BroadcastChannel = channel
      ? class {
          constructor(name) {
            Object.assign(this, { name, tab, onmessage: null });
            tab.channels.add(this);
            browser.channels.add(this);
          }
          postMessage(data) {
            const text = JSON.stringify(data);
            for (const other of browser.channels)
              if (other !== this && other.name === this.name) other.receive(text);
          }
          receive(text) {
            const run = () =>
              tab.channels.has(this) && this.onmessage?.({ data: JSON.parse(text) });
            const arrive = () => (tab.frozen ? tab.onThaw.push(run) : run());
            if (tab.frozen) arrive();
            else if (browser.channelMs) browser.clock.set(tab, arrive, browser.channelMs);
            else setImmediate(arrive);
          }
          close() {
            tab.channels.delete(this);
            browser.channels.delete(this);
          }
        }
      : undefined;
    Object.defineProperty(this.scope, 'localStorage', {
      get() {
        if (!storage) throw new DOMException('denied', 'SecurityError');
        return browser.storage;
      },
    });
  }

  /** Draws what is due; a hidden page draws nothing. */
  frame() {
    if (this.document.hidden) return;
    const due = [...this.frames.values()];
    this.frames.clear();
    for (const run of due) run();
  }

  setHidden(hidden) {
    this.document.hidden = hidden;
    this.document.fire('visibilitychange');
  }

  /** No code runs any more, and the page is not told: a crashed or suspended process. */
  stall() {
    this.frozen = true;
  }

  /** ms: first the timers that are overdue, and what others said meanwhile so much later. */
  thaw(ms) {
    this.frozen = false;
    const due = this.onThaw.splice(0);
    if (ms === undefined) for (const run of due) run();
    else this.browser.clock.set(this, () => due.forEach((run) => run()), ms);
  }

  /** The page goes: pagehide, then the browser takes everything away. */
  close() {
    this.scope.fire('pagehide', { persisted: false });
    this.crash();
  }

  crash() {
    this.gone = true;
    this.browser.clock.clearOwner(this);
    for (const channel of [...this.channels]) channel.close();
    for (const socket of [...this.sockets]) socket.close();
    this.browser.locks.drop(this);
  }

  /** What a client has left behind, by kind. */
  leftovers() {
    return {
      timers: this.browser.clock.count(this),
      listeners:
        this.scope.listeners + this.document.listeners + (this.scope.navigation?.listeners ?? 0),
      channels: this.channels.size,
      locks: this.browser.locks.of(this),
      sockets: this.sockets.size,
      frames: this.frames.size,
    };
  }
}

export const NOTHING_LEFT = {
  timers: 0,
  listeners: 0,
  channels: 0,
  locks: 0,
  sockets: 0,
  frames: 0,
};

export class Browser {
  clock;
  server;
  locks = new Locks();
  channels = new Set();
  random = () => 0.5;
  /** How long a word takes from tab to tab. */
  channelMs = 0;

  constructor({ secure = true, clock = new Clock(), server = new FakeServer(clock) } = {}) {
    this.secure = secure;
    this.clock = clock;
    this.server = server;
    const items = new Map();
    this.storage = {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, String(value)),
    };
  }

  tab(options) {
    return new Tab(this, options);
  }
}

export { settle };

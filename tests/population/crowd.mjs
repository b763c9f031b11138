// A population: people of every kind at some daemons, and each surface compared with the truth
// every second.

import { freshId, Socket, waitFor } from '../integration/harness.mjs';
import { Browser } from './client.mjs';
import { LATE_MS, Lateness } from './lateness.mjs';
import { truthBetween } from './person.mjs';
import { SCRIPTS } from './scripts.mjs';

const SECOND_MS = 1000;
/** The scripts' own times go with beats so far apart. */
const BEAT_MS = 1800;
/** How old a number may be that was not asked for just now: a frame waits for its turn. */
export const FRAME_LAG_MS = 2500;
const TICK_LAG_MS = 4500;
/** So many wrong ones in a row are no accident. */
const SUSTAINED = 3;

/** What one surface said, beside the truth. */
class Surface {
  checks = 0;
  skipped = 0;
  wrong = 0;
  sustained = 0;
  worst = 0;
  examples = [];
  #inARow = 0;

  check(said, { least, most }) {
    const off = said < least ? least - said : Math.max(0, said - most);
    this.checks += 1;
    if (off > 0) {
      this.wrong += 1;
      if (this.examples.length < 5) this.examples.push(`${said}, not ${least} to ${most}`);
    }
    const share = off / Math.max(1, least);
    this.worst = Math.max(this.worst, share);
    this.#inARow = share > 0.01 ? this.#inARow + 1 : 0;
    if (this.#inARow >= SUSTAINED) this.sustained += 1;
  }
}

export class Crowd {
  customerId = freshId('crowd');
  pageGraceMs = 2500;
  people = [];
  answers = new Map();
  surfaces = new Map();
  isOver = false;
  /** While a fault is under way nothing is compared: there is no one truth. */
  isFaulty = false;
  lateness = new Lateness();
  #t;
  #seed = 1;
  #waiting = new Set();

  constructor(t, daemons, { ttlMs, graceMs, beatMs }) {
    Object.assign(this, { daemons, ttlMs, graceMs, beatMs });
    this.#t = t;
  }

  /** The same lives in each run; mulberry32. */
  random() {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let z = this.#seed;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  }

  wait(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** What people do on a page takes the longer, the longer it is from beat to beat. */
  pause(ms) {
    return this.wait((ms * this.beatMs) / BEAT_MS);
  }

  count(action, status) {
    const key = `${action} ${status}`;
    this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
  }

  /** A surface said a number that was asked for at `from`, or that may be as old as that. */
  see(name, said, from, customerId = this.customerId) {
    if (customerId !== this.customerId || this.isFaulty) return;
    if (!this.surfaces.has(name)) this.surfaces.set(name, new Surface());
    const surface = this.surfaces.get(name);
    if (this.lateness.since(from) >= LATE_MS) surface.skipped += 1;
    else surface.check(said, truthBetween(this.people, from, Date.now()));
  }

  /** One place after the other, as long as the population lives. */
  async #lives(kind, index) {
    await this.pause(this.random() * 2000);
    for (let life = 0; !this.isOver; life += 1) {
      const name = `${kind}-${index}-${life}`;
      const from = `127.${10 + (index >> 8)}.${index & 255}.${1 + (life % 250)}`;
      const browser = new Browser(this, name, { customerId: this.customerId, from });
      this.people.push(browser.person);
      await SCRIPTS[kind](browser, this);
      browser.close();
      await this.pause(this.random() * 1000);
    }
  }

  /** What a daemon answers when it is asked: seldom enough for the default limits. */
  async #ask(daemon, i) {
    const answer = await daemon.request('GET', `/metrics?customerId=${this.customerId}`, {
      from: `127.9.9.${i + 1}`,
    });
    return answer.json.count;
  }

  /** Every surface once. */
  async #look(watchers) {
    await Promise.all(
      this.daemons.map(async (daemon, i) => {
        const sentAt = Date.now();
        this.see('GET /metrics', await this.#ask(daemon, i), sentAt);
      }),
    );
    for (const watcher of watchers)
      if (watcher.updates.length > 0)
        this.see('frames', watcher.updates.at(-1).count, Date.now() - FRAME_LAG_MS);
    const samples = await Promise.all(
      this.daemons.map((daemon) => daemon.request('GET', '/metrics', { from: '127.9.9.9' })),
    );
    const people = samples.map(({ text }) => Number(/^au_people (\d+)$/m.exec(text)[1]));
    this.see(
      'au_people',
      people.reduce((sum, n) => sum + n, 0),
      Date.now() - TICK_LAG_MS,
    );
  }

  /** `kinds`: how many of each. `faults` is run meanwhile. */
  async run({ kinds, seconds, faults = null }) {
    const watchers = [];
    for (const daemon of this.daemons)
      watchers.push(await Socket.join(this.#t, daemon.wsPort, { customerId: this.customerId }));
    const lives = [];
    let index = 0;
    for (const [kind, count] of Object.entries(kinds))
      for (let i = 0; i < count; i += 1) lives.push(this.#lives(kind, (index += 1)));
    const all = Promise.all(lives);
    all.catch(() => {}); // told below
    const until = Date.now() + seconds * SECOND_MS;
    const fault = faults?.(this);
    try {
      while (Date.now() < until) {
        const began = Date.now();
        const look = this.#look(watchers).catch((error) => {
          if (this.lateness.since(began) < LATE_MS) throw error;
        });
        await Promise.race([look, all]);
        await this.wait(Math.max(0, SECOND_MS - (Date.now() - began)));
      }
      await fault;
    } finally {
      this.isOver = true; // also when it failed: the next scene has the machine for itself
    }
    await all;
    await this.#noGhosts(watchers);
    this.lateness.stop();
  }

  /** Everybody is gone, on every surface. */
  async #noGhosts(watchers) {
    for (const [i, daemon] of this.daemons.entries())
      await waitFor('nobody to count', async () => (await this.#ask(daemon, i)) === 0, {
        everyMs: SECOND_MS,
      });
    for (const watcher of watchers)
      await waitFor('the last frame to say 0', () => watcher.updates.at(-1).count === 0);
    for (const daemon of this.daemons)
      await waitFor('nobody in the daemon', async () => {
        return (await daemon.samples()).get('au_sessions') === 0;
      });
  }

  table() {
    const rows = [...this.surfaces].map(
      ([name, { checks, skipped, wrong, worst, sustained, examples }]) =>
        `${name}: ${checks} checks, ${wrong} wrong, worst ${(100 * worst).toFixed(1)} %, ` +
        `${sustained} sustained, ${skipped} not judged ${examples.join('; ')}`,
    );
    return [...rows, `this process was late by ${this.lateness.worst} ms at the most`];
  }
}


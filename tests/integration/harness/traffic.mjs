// Many people at several daemons, and the truth about them: what was acknowledged.
import assert from 'node:assert/strict';

import { aBeat } from './daemon.mjs';
import { presenceText } from './http.mjs';
import { waitFor } from './wait.mjs';

/** Joins one after the other on one connection, which is much faster than a request each. */
export async function joinMany(t, daemon, beats) {
  const connection = await daemon.connect(t);
  for (let at = 0; at < beats.length; at += 500) {
    const part = beats.slice(at, at + 500);
    connection.send(part.map((beat) => presenceText('join', beat)).join(''));
    for (let i = 0; i < part.length; i += 1)
      assert.equal((await connection.response()).status, 200);
  }
  connection.close();
}

export const many = (count, customerId) =>
  Array.from({ length: count }, () => aBeat({ customerId }));

/**
 * People of one customer who come, stay and leave, each at any of the daemons, as fast as they are
 * answered, until `stop`. Every answer has to be 200; `live` are those who were told that they are.
 */
export class Traffic {
  live = new Map();
  gone = new Map();
  #daemons;
  #customerId;
  #stopped = false;
  #running;

  constructor(daemons, customerId, people = 6) {
    this.#daemons = daemons;
    this.#customerId = customerId;
    this.#running = Promise.all(Array.from({ length: people }, () => this.#live()));
    this.#running.catch(() => {}); // `stop` tells
  }

  #anyDaemon() {
    return this.#daemons[Math.floor(Math.random() * this.#daemons.length)];
  }

  /** One person: the next request only after the last answer, as a browser tab does. */
  async #live() {
    const mine = [];
    while (!this.#stopped) {
      const dice = Math.random();
      if (mine.length === 0 || dice < 0.4) {
        const beat = aBeat({ customerId: this.#customerId });
        await this.#anyDaemon().must('join', beat);
        this.live.set(beat.sessionId, beat);
        mine.push(beat);
      } else {
        const [beat] = mine.splice(Math.floor(Math.random() * mine.length), 1);
        if (dice < 0.8) {
          await this.#anyDaemon().must('beat', beat);
          mine.push(beat);
        } else {
          await this.#anyDaemon().must('leave', beat);
          this.live.delete(beat.sessionId);
          this.gone.set(beat.sessionId, beat);
        }
      }
    }
  }

  /** Until so many more have come. */
  async grow(by) {
    const want = this.live.size + this.gone.size + by;
    await waitFor('traffic', () => this.live.size + this.gone.size >= want);
  }

  async stop() {
    this.#stopped = true;
    await this.#running;
  }
}

/** Until every daemon has the right count and says so without reserve. */
export const waitTruth = (daemons, customerId, count) =>
  Promise.all(
    daemons.map((daemon) =>
      waitFor(`${count} people of ${customerId}`, async () => {
        const said = await daemon.metrics(customerId);
        if (said.count === count && said.stale === undefined) return true;
        throw new Error(`said ${said.count}${said.stale ? ', stale' : ''}`);
      }),
    ),
  );

/** Redis has the keys of exactly these people. */
export async function assertKeys(redis, customerId, live) {
  const keys = await redis.keys(`presence:${customerId}:*`);
  const there = new Set(keys.map((key) => key.split(':')[2]));
  const missing = [...live.keys()].filter((id) => !there.has(id));
  const tooMany = [...there].filter((id) => !live.has(id));
  assert.deepEqual({ missing, tooMany }, { missing: [], tooMany: [] });
}

// Time that moves only when a test says so. Promises run between any two timers.

/** Lets everything that is ready run: promises, and what they start. No time passes. */
export async function settle() {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
}

export class Clock {
  now = 1_790_000_000_000;
  #timers = new Map();
  #lastId = 0;

  /** owner: whose timer it is, so that a tab can be frozen, closed or found clean. */
  set(owner, run, ms = 0) {
    const id = ++this.#lastId;
    this.#timers.set(id, { owner, run, at: this.now + Math.max(0, ms), id });
    return id;
  }

  clear(id) {
    this.#timers.delete(id);
  }

  clearOwner(owner) {
    for (const [id, timer] of this.#timers) if (timer.owner === owner) this.#timers.delete(id);
  }

  count(owner) {
    return [...this.#timers.values()].filter((timer) => timer.owner === owner).length;
  }

  #next(limit) {
    let first;
    for (const timer of this.#timers.values()) {
      if (timer.owner?.frozen || timer.at > limit) continue;
      if (!first || timer.at < first.at || (timer.at === first.at && timer.id < first.id))
        first = timer;
    }
    return first;
  }

  /** Somebody sets the wall clock; timers know nothing of it. */
  shift(ms) {
    this.now += ms;
    for (const timer of this.#timers.values()) timer.at += ms;
  }

  async advance(ms) {
    const end = this.now + ms;
    await settle();
    for (let timer; (timer = this.#next(end));) {
      this.#timers.delete(timer.id);
      this.now = Math.max(this.now, timer.at);
      timer.run();
      await settle();
    }
    this.now = end;
    await settle();
  }

  /** Advances in steps until `probe` holds, and says how long that took. */
  async until(what, probe, { limitMs = 600_000, stepMs = 50 } = {}) {
    const start = this.now;
    await settle();
    while (!probe()) {
      if (this.now - start >= limitMs) throw new Error(`${what}: not within ${limitMs} ms`);
      await this.advance(stepMs);
    }
    return this.now - start;
  }
}

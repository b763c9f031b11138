// Suites, clean-up and waiting. Nothing here knows the daemon.
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

/** How long any condition may take: generous, because a sanitised daemon on a busy machine is slow. */
export const PATIENCE_MS = 20_000;

/**
 * A file's tests, run a few at a time because most of them wait for timers of the daemon.
 * `define` gets a function to declare tests with and the context that shared processes belong to.
 */
export function suite(name, define, { concurrency = 4, timeoutMs = 300_000 } = {}) {
  test(name, { concurrency }, async (context) => {
    const running = [];
    const declare = (title, fn) => {
      const done = context.test(title, { timeout: timeoutMs }, fn);
      running.push(done);
      return done;
    };
    await define(declare, context);
    await Promise.all(running);
  });
}

const cleanups = new WeakMap();

/** Runs `fn` when the test is over, last registered first; every one runs, and any error fails the test. */
export function defer(t, fn) {
  if (!cleanups.has(t)) {
    const stack = [];
    cleanups.set(t, stack);
    t.after(async () => {
      const errors = [];
      for (const cleanup of stack.reverse()) {
        try {
          await cleanup();
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
    });
  }
  cleanups.get(t).push(fn);
}

/** Polls until `probe` gives something truthy, and returns that. An error counts as "not yet". */
export async function waitFor(what, probe, { timeoutMs = PATIENCE_MS, everyMs = 20 } = {}) {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    let last;
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > giveUpAt) {
      throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${last?.message ?? String(last)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** `promise`, or an error that names what did not happen. */
export async function within(what, promise, timeoutMs = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeoutMs} ms for ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Things that arrive on their own: `all` keeps every one, `next` takes them out. */
export class Inbox {
  all = [];
  #unread = [];
  #waiting = [];
  #ended = null;

  put(item) {
    this.all.push(item);
    const at = this.#waiting.findIndex((waiter) => waiter.match(item));
    if (at < 0) this.#unread.push(item);
    else this.#waiting.splice(at, 1)[0].resolve(item);
  }

  /** Nothing more will come; whoever waits gets an error with `reason`. */
  end(reason) {
    this.#ended ??= reason;
    for (const waiter of this.#waiting.splice(0))
      waiter.reject(new Error(`${waiter.what}: ${reason}`));
  }

  /** Takes out the first item that matches, waiting for it if need be. Others stay. */
  next(what = 'an item', match = () => true, timeoutMs = PATIENCE_MS) {
    const at = this.#unread.findIndex(match);
    if (at >= 0) return Promise.resolve(this.#unread.splice(at, 1)[0]);
    if (this.#ended !== null) return Promise.reject(new Error(`${what}: ${this.#ended}`));
    const waiter = { what, match };
    const arrived = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
    this.#waiting.push(waiter);
    return within(what, arrived, timeoutMs).finally(() => {
      const left = this.#waiting.indexOf(waiter);
      if (left >= 0) this.#waiting.splice(left, 1);
    });
  }
}

let lastId = 0;

/** An id no other test uses, so that tests may share a daemon. */
export function freshId(prefix = 'shop') {
  lastId += 1;
  return `${prefix}-${process.pid}-${lastId}`;
}

/** A directory that is gone when the test is over. */
export async function tempDir(t) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'active-users-'));
  defer(t, () => rm(dir, { recursive: true, force: true }));
  return dir;
}

// People who beat as the SDK does, in a process of their own: what they feel is measured from
// when a beat was due, so that a daemon that stands still cannot hide it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { defer, within } from '../../integration/harness/wait.mjs';
import { PRIORITY, setPriority } from './priority.mjs';
import { sleep } from './scope.mjs';

/** The timers and the loop of the people themselves: what is quieter than that counts as that. */
const RESOLUTION_MS = 2;

/** The kernel notes how long a thread has run at its ticks, of 4 ms on most machines. */
const TICK_MS = 5;

/** On a busy machine answers come late; in the short form they are only counted. */
const SHORT = { addresses: 20, lateMs: 10_000 };

const QUIET_MS = 3_000;
const LIMIT_MS = 50;
const RATIO = 10;

class Honest {
  #child;
  #messages = [];
  #waiting = null;

  constructor(child) {
    this.#child = child;
    child.on('message', (message) => {
      if (this.#waiting) this.#waiting(message);
      else this.#messages.push(message);
      this.#waiting = null;
    });
  }

  #next(what) {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return within(what, new Promise((resolve) => (this.#waiting = resolve)));
  }

  /** Until the first beat was answered. */
  ready() {
    return this.#next('the honest people to begin');
  }

  /** Beats due from now on count for phase `name`; returns after `ms`. */
  async phase(name, ms) {
    this.#child.send({ phase: name });
    await sleep(ms);
  }

  /** Ends the beats: for each phase {count, p50, p99, max, work, taken, status}. `work` is
   * the p99 of how long the daemon ran meanwhile, `taken` how long others held its core or ours. */
  async stop() {
    this.#child.send({ stop: true });
    return this.#next('the honest people to report');
  }

  kill() {
    this.#child.kill('SIGKILL');
  }
}

/**
 * `addresses` peers from 127.0.9.1 on with ten people each. They have a kept connection each and
 * one of their people beats a second, so that each person beats every ten seconds and more.
 * `lateMs` after the end of the phases, what is not answered counts as unanswered.
 */
export async function startHonest(
  t,
  port,
  { addresses = 100, customerId = 'honest', forwarded = false, lateMs = 500, pid } = {},
) {
  const program = fileURLToPath(new URL('honest_process.mjs', import.meta.url));
  const options = JSON.stringify({ port, pid, addresses, customerId, forwarded, lateMs });
  const child = fork(program, [options], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const honest = new Honest(child);
  defer(t, () => honest.kill());
  await honest.ready();
  setPriority(child.pid, PRIORITY.people);
  return honest;
}

/** What people feel of a daemon of a kind that nobody attacks, measured once. */
const quiet = new Map();

/**
 * Has people beat in quiet and then during `attack`: the checks of what they felt of a daemon.
 */
export async function whileHonest(
  context,
  daemon,
  attack,
  { attackMs = 3_000, kind = 'memory', ...options } = {},
) {
  const { t, short } = context;
  const people = { ...options, ...(short && SHORT), pid: daemon.pid };
  const honest = await startHonest(t, daemon.httpPort, people);
  await honest.phase('quiet', short || quiet.has(kind) ? 300 : QUIET_MS);
  const result = await attack(() => honest.phase('attack', short ? 1_000 : attackMs));
  await honest.phase('after', 0);
  const phases = await honest.stop();
  if (!quiet.has(kind)) quiet.set(kind, phases.quiet);
  phases.quiet = quiet.get(kind);
  return { result, checks: feltChecks(phases, short), phases };
}

const bound = (before, resolution) => Math.min(LIMIT_MS, RATIO * Math.max(before, resolution));

/** Wall-clock figures are for `make attack`; a test of the suite only counts answers. */
export function feltChecks({ quiet: before, attack }, short) {
  const refused = attack.count - (attack.status[200] ?? 0);
  const checks = [
    {
      what: 'honest beats refused or unanswered',
      measured: attack.count > 0 ? refused : Infinity,
      most: 0,
      note: refused === 0 ? '' : JSON.stringify(attack.status),
    },
  ];
  if (short) return checks;
  return [
    {
      what: 'honest p99, in time that the daemon ran',
      measured: attack.work,
      most: bound(before.work, TICK_MS),
      unit: 'ms',
      note: `quiet ${before.work.toFixed(1)} ms`,
    },
    {
      what: 'honest p99, by the clock',
      measured: attack.p99,
      most: bound(before.p99, RESOLUTION_MS) + attack.taken,
      unit: 'ms',
      note: `quiet ${before.p99.toFixed(1)} ms, longest ${attack.max.toFixed(0)} ms, others took ${attack.taken.toFixed(0)} ms`,
    },
    ...checks,
  ];
}

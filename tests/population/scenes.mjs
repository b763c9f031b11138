// The scenes of a population: stores, daemons, faults. The short form and the long one run the
// same, with other numbers.
import assert from 'node:assert/strict';

import {
  DEFAULT_LIMITS,
  startDaemon,
  startRedis,
  waitDegraded,
  waitWhole,
} from '../integration/harness.mjs';
import { Crowd } from './crowd.mjs';
import { SCRIPTS } from './scripts.mjs';
import { WayToRedis } from './way-to-redis.mjs';

const OPTIONS = {
  ...DEFAULT_LIMITS,
  // A minute of these people has 16 beats each and not two, and none is far enough from the last to be
  // free. What a customer's limit does to people as they are, the office shows.
  'rate-customer': 0,
  'ema-interval': 1000,
};
export const FAST = { ttlMs: 6000, graceMs: 3000, beatMs: 1800 };
/** For many people, since one process is all of them. */
export const SLOW = { ttlMs: 30_000, graceMs: 3000, beatMs: 9000 };

/** Each kind in equal parts. */
const kindsOf = (people) =>
  Object.fromEntries(
    Object.keys(SCRIPTS).map((kind, _, all) => [kind, Math.ceil(people / all.length)]),
  );

/** Redis goes and comes back while people come and go. */
const redisGoes = (ways) => async (crowd) => {
  await crowd.wait(4000);
  crowd.isFaulty = true;
  for (const way of ways) await way.shut();
  for (const daemon of crowd.daemons) await waitDegraded(daemon);
  await crowd.wait(1500);
  for (const way of ways) await way.open();
  for (const daemon of crowd.daemons) await waitWhole(daemon);
  await crowd.wait(crowd.ttlMs); // who left meanwhile by way of another daemon
  crowd.isFaulty = false;
};

/** A scene: its store, its daemons, and whether Redis goes. */
export const SCENES = [
  { name: 'memory, one daemon', store: 'memory', daemons: 1 },
  { name: 'Redis, one daemon', store: 'redis', daemons: 1 },
  { name: 'Redis, two daemons', store: 'redis', daemons: 2 },
  { name: 'Redis, two daemons, Redis goes and comes back', store: 'redis', daemons: 2, faults: true },
];

export async function play(t, scene, { people, seconds, times = FAST }) {
  const daemons = [];
  const ways = [];
  const redis = scene.store === 'redis' ? await startRedis(t) : null;
  for (let i = 0; i < scene.daemons; i += 1) {
    if (scene.faults) ways.push(await WayToRedis.start(t, redis));
    const url = redis ? { 'redis-url': (ways[i] ?? redis).url } : {};
    daemons.push(
      await startDaemon(t, {
        ...OPTIONS,
        'presence-ttl': times.ttlMs / 1000,
        'disconnect-grace': times.graceMs,
        ...url,
      }),
    );
  }
  if (redis) for (const daemon of daemons) await waitWhole(daemon);
  const crowd = new Crowd(t, daemons, times);
  await crowd.run({
    kinds: kindsOf(people),
    seconds,
    faults: scene.faults ? redisGoes(ways) : null,
  });
  return crowd;
}

/** The bounds: nothing wrong where a number is asked for, nothing wrong for long elsewhere. */
export function judge(crowd, { faults = false } = {}) {
  const table = crowd.table().join('\n');
  for (const [name, surface] of crowd.surfaces) {
    assert.ok(surface.checks > 0, `${name} was never compared\n${table}`);
    assert.equal(surface.sustained, 0, `${name} was wrong for long\n${table}`);
  }
  if (!faults) assert.equal(crowd.surfaces.get('GET /metrics').wrong, 0, table);
  for (const answer of crowd.answers.keys()) assert.match(answer, / 200$/);
}

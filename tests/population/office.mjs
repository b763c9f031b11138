// An office of 500 behind one address, on default limits: it arrives, it reloads, it goes home.
import assert from 'node:assert/strict';

import { DEFAULT_LIMITS, Socket, startOn, waitFor } from '../integration/harness.mjs';
import { Browser } from './client.mjs';
import { Crowd, FRAME_LAG_MS } from './crowd.mjs';

const OFFICE = '127.0.0.77';
const SIZE = 500;

/** One process opens its connections before it sends on any; 500 machines do not wait for each other. */
const AT_ONCE = 200;

async function forAll(people, act) {
  const left = people.values();
  const next = async () => {
    for (const one of left) await act(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/** Does it for all of them, and says how long it took until `done`. */
async function timed(people, act, done) {
  const began = Date.now();
  await forAll(people, act);
  await done();
  return Date.now() - began;
}

/**
 * Returns how long each part took, in ms: `gone` is from the last one's leave until GET /metrics has
 * nobody. Nobody may be refused, and nobody may be missed.
 */
export async function office(t, store, { sockets }) {
  // Of which the address may have 900.
  const daemon = await startOn(store, t, { ...DEFAULT_LIMITS, 'max-connections': 18_000 });
  const crowd = new Crowd(t, [daemon], { ttlMs: 180_000, graceMs: 10_000, beatMs: 30_000 });
  const { customerId } = crowd;
  const watcher = await Socket.join(t, daemon.wsPort, { customerId }, { from: '127.0.0.78' });
  const heard = (count) => () =>
    waitFor(`everybody to hear ${count}`, () => watcher.updates.at(-1)?.count === count);
  const people = Array.from(
    { length: SIZE },
    (_, i) => new Browser(crowd, `office-${i}`, { customerId, from: OFFICE }),
  );
  crowd.people = people.map(({ person }) => person);
  // Each frame is compared when it comes: a machine may be too slow to reload within the grace.
  watcher.ws.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.type === 'metrics:update')
      crowd.see('frames', message.data.count, Date.now() - FRAME_LAG_MS);
  });
  const open = new Map();
  const come = async (browser) => {
    if (sockets) open.set(browser, await browser.open({ attempts: 0 }));
    else await browser.live();
  };
  const go = async (browser) => {
    if (sockets) await browser.goWith(open.get(browser), crowd.pageGraceMs);
    else await browser.go(crowd.pageGraceMs);
  };

  const arrived = await timed(people, come, heard(SIZE));
  const reloaded = await timed(
    people,
    async (browser) => {
      await go(browser);
      browser.tab += 1;
      await come(browser);
    },
    async () => crowd.see('GET /metrics', (await daemon.metrics(customerId)).count, Date.now()),
  );
  await forAll(people, go);
  const leftAt = Date.now();
  const isEmpty = async () => (await daemon.count(customerId)) === 0;
  // Less often than the limit of reads allows.
  await waitFor('everybody to be gone', isEmpty, { everyMs: 100 });
  const gone = Date.now() - leftAt;
  await heard(0)();
  const { wrong, examples } = crowd.surfaces.get('frames');
  assert.equal(wrong, 0, examples.join('; '));
  assert.equal(crowd.surfaces.get('GET /metrics').wrong, 0);
  for (const answer of crowd.answers.keys()) assert.match(answer, / 200$/);
  for (const browser of people) browser.close();
  return { arrived, reloaded, gone };
}

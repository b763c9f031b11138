// Going is not leaving (contract §3, POST /presence/leave with graceMs): a page that goes says so,
// and whoever is back in time was never away.
import assert from 'node:assert/strict';

import {
  aBeat,
  assertBadRequest,
  freshId,
  keyOf,
  Socket,
  startDaemon,
  startOn,
  startRedis,
  STORES,
  suite,
  waitFor,
  waitReady,
  waitWhole,
} from './harness.mjs';

/** Longer than a few requests take on a busy machine. */
const GRACE_MS = 2000;
/** Two tabs of one person. */
const tabsOf = (beat) => [beat, { ...beat, tabId: 'tab-2' }];
const counts = (watcher) => watcher.updates.map(({ count }) => count);

/** A watcher that has heard the first count. */
async function watch(t, daemon, customerId, count) {
  const watcher = await Socket.join(t, daemon.wsPort, { customerId });
  await watcher.update((data) => data.count === count);
  return watcher;
}

suite('leaving with a grace', async (test) => {
  for (const store of STORES) {
    test(`${store}: who is back within the grace was never away`, async (t) => {
      const daemon = await startOn(store, t);
      const [page, next] = tabsOf(aBeat());
      await daemon.must('join', page);
      await daemon.must('join', aBeat({ customerId: page.customerId }));
      const watcher = await watch(t, daemon, page.customerId, 2);
      for (let i = 0; i < 3; i += 1) {
        await daemon.must('leave', { ...page, graceMs: 10_000 });
        await daemon.must('join', next);
        await daemon.must('leave', { ...next, graceMs: 10_000 });
        await daemon.must('join', page);
      }
      // One more person is heard of behind all that: nothing else was.
      await daemon.must('join', aBeat({ customerId: page.customerId }));
      await watcher.update((data) => data.count === 3);
      assert.deepEqual([...new Set(counts(watcher))], [2, 3]);
    });

    test(`${store}: who is not back is gone when the grace is over, and heard to be`, async (t) => {
      const daemon = await startOn(store, t);
      const beat = aBeat();
      await daemon.must('join', beat);
      const watcher = await watch(t, daemon, beat.customerId, 1);
      const leftAt = Date.now();
      await daemon.must('leave', { ...beat, graceMs: GRACE_MS });
      assert.equal(await daemon.count(beat.customerId), 1);
      await watcher.update((data) => data.count === 0);
      assert.ok(Date.now() - leftAt >= GRACE_MS - 50, `${Date.now() - leftAt} ms`);
      assert.equal(await daemon.count(beat.customerId), 0);
      if (store === 'redis') {
        const redis = await daemon.redis.client();
        await waitFor('the key to go', async () => !(await redis.call('EXISTS', keyOf(beat))));
      }
    });

    test(`${store}: a grace only brings the end forward, whatever its order`, async (t) => {
      const daemon = await startOn(store, t, { 'presence-ttl': 60 });
      const beats = [aBeat()];
      for (let i = 0; i < 3; i += 1) beats.push(aBeat({ customerId: beats[0].customerId }));
      for (const beat of beats) await daemon.must('join', beat);
      await daemon.must('leave', { ...beats[0], graceMs: 10_000 });
      await daemon.must('leave', { ...beats[1], graceMs: GRACE_MS });
      await daemon.must('leave', { ...beats[1], graceMs: 10_000 }); // not back
      await daemon.must('leave', { ...beats[2], graceMs: 0 });
      assert.equal(await daemon.count(beats[0].customerId), 3);
      await daemon.waitCount(beats[0].customerId, 2);
      await daemon.must('beat', beats[0]);
      await daemon.must('leave', { ...beats[0], tabId: 'another', graceMs: 0 }); // holds nothing
      assert.equal(await daemon.count(beats[0].customerId), 2);
    });

    test(`${store}: a longer grace than the daemon has is the daemon's`, async (t) => {
      // A page leaves by beacon and never sees the answer, so it could not ask for less.
      const daemon = await startOn(store, t, { 'disconnect-grace': GRACE_MS });
      const beat = aBeat();
      await daemon.must('join', beat);
      await daemon.must('leave', { ...beat, graceMs: 10 * GRACE_MS });
      assert.equal(await daemon.count(beat.customerId), 1);
      await daemon.waitCount(beat.customerId, 0);
    });

    test(`${store}: a socket closed with 1001 or 4001 is a page that went, and has a page's grace`, async (t) => {
      const daemon = await startOn(store, t, { 'disconnect-grace': 120_000 });
      const beats = [aBeat()];
      for (let i = 0; i < 4; i += 1) beats.push(aBeat({ customerId: beats[0].customerId }));
      const { customerId } = beats[0];
      const watcher = await watch(t, daemon, customerId, 0);
      const sockets = [];
      for (const beat of beats) sockets.push(await Socket.join(t, daemon.wsPort, beat));
      await watcher.update((data) => data.count === 5);
      sockets[4].ws.close(4001); // as the SDK says it, because a page may not say 1001
      sockets[0].ws.close(1001);
      sockets[1].ws.close(1001, 'gone'); // and is back on its next page
      sockets[2].ws.close(1000);
      sockets[3].ws.close(); // without a code
      await waitFor('the closes to be answered', () => sockets.every(({ closed }) => closed));
      assert.deepEqual(
        sockets.map(({ closed }) => closed.code),
        [1001, 1001, 1000, 1005, 4001],
      );
      await Socket.join(t, daemon.wsPort, { ...beats[1], tabId: 'next-page' });
      // Behind the 5: there may have been a 3 on the way up.
      await waitFor('3', () => counts(watcher).lastIndexOf(3) > counts(watcher).indexOf(5));
      assert.equal(await daemon.count(customerId), 3);
      const since5 = counts(watcher).slice(counts(watcher).indexOf(5));
      assert.equal(Math.min(...since5), 3, since5.join());
    });

    test(`${store}: tabs that all go at once are gone after the grace of a page`, async (t) => {
      const daemon = await startOn(store, t, { 'disconnect-grace': 120_000, 'rate-ip': 1e6 });
      const customerId = freshId('shop');
      const people = Array.from({ length: 20 }, () => aBeat({ customerId }));
      const sockets = [];
      for (const beat of people)
        for (const tabId of ['tab-1', 'tab-2', 'tab-3']) {
          const tab = { ...beat, tabId };
          sockets.push({ beat: tab, socket: await Socket.join(t, daemon.wsPort, tab) });
        }
      assert.equal(await daemon.count(customerId), people.length);
      // Leaves arrive before, between and behind the ends of the sockets; of every third person the
      // browser loses them.
      await Promise.all(
        sockets.map(async ({ beat, socket }, at) => {
          const leaves = people.findIndex(({ sessionId }) => sessionId === beat.sessionId) % 3;
          const left = leaves === 2 ? null : daemon.must('leave', { ...beat, graceMs: 2500 });
          if (leaves === 1 && at % 2) await left;
          socket.ws.close(1001);
          await left;
        }),
      );
      await daemon.waitCount(customerId, 0);
    });

    test(`${store}: another open socket takes the session over`, async (t) => {
      const daemon = await startOn(store, t, { 'disconnect-grace': 300 });
      const [first, second] = tabsOf(aBeat());
      const { customerId } = first;
      const watcher = await watch(t, daemon, customerId, 0);
      await Socket.join(t, daemon.wsPort, second);
      const holder = await Socket.join(t, daemon.wsPort, first);
      await watcher.update((data) => data.count === 1);
      holder.terminate(); // its tab held the session
      await daemon.must('join', first); // takes it back without a socket
      await daemon.must('leave', first);
      await daemon.must('join', first);
      await daemon.must('leave', { ...first, graceMs: 100 });
      const other = aBeat({ customerId });
      await daemon.must('join', other);
      await watcher.update((data) => data.count === 2);
      await daemon.must('leave', { ...other, graceMs: 300 }); // as long as anything here may last
      await watcher.update((data) => data.count === 1);
      assert.deepEqual([...new Set(counts(watcher))], [0, 1, 2]);
    });
  }

  test('a grace that is none is refused, and only where it means something', async (t) => {
    const daemon = await startDaemon(t, { 'disconnect-grace': 5000 });
    const beat = aBeat();
    for (const graceMs of [-1, 2500.5, '2500', true, [1], {}]) {
      const answer = await daemon.post('leave', { ...beat, graceMs });
      assertBadRequest(answer, 'graceMs');
      assert.equal(
        answer.json.message,
        'graceMs must be a whole number of milliseconds, 0 or more',
      );
    }
    for (const graceMs of [5000, 0, null]) await daemon.must('leave', { ...beat, graceMs });
    for (const action of ['join', 'beat']) await daemon.must(action, { ...beat, graceMs: 'junk' });
  });

  test('a leave is free as long as it moves the end', async (t) => {
    const daemon = await startDaemon(t, {
      'rate-ip': 10,
      'new-sessions-ip': undefined,
      'disconnect-grace': 120_000,
    });
    const beat = aBeat();
    await daemon.must('beat', beat); // costs a new session
    const remaining = async (graceMs) => {
      const answer = await daemon.post('leave', { ...beat, graceMs });
      return answer.status === 429 ? 429 : answer.status;
    };
    // 40 steps of the grace can each be moved to once.
    for (let graceMs = 120_000; graceMs >= 3000; graceMs -= 3000)
      assert.equal(await remaining(graceMs), 200, `${graceMs} ms`);
    const repeats = [];
    for (let i = 0; i < 11; i += 1) repeats.push(await remaining(120_000));
    assert.deepEqual(repeats, [...Array(10).fill(200), 429]);
  });

  test('who reloads right away comes back at the price of a new session, not of a beat', async (t) => {
    const daemon = await startDaemon(t, { 'rate-ip': 3, 'new-sessions-ip': undefined });
    const page = aBeat();
    await daemon.must('beat', page);
    for (let i = 0; i < 30; i += 1) {
      await daemon.must('leave', { ...page, graceMs: 2500 });
      page.tabId = `tab-${i + 2}`;
      await daemon.must('beat', page);
    }
    // A beat that brings nobody back is one of rate-ip, as ever.
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await daemon.post('beat', page)).status);
    assert.deepEqual(statuses, [200, 200, 200, 429]);
  });

  test('what was shortened while Redis was away ends after its own grace', async (t) => {
    const redis = await startRedis(t);
    const daemon = await startDaemon(t, { 'redis-url': redis.url, 'presence-ttl': 120 });
    await waitReady(daemon);
    const customerId = freshId('shop');
    const [stays, goes] = [aBeat({ customerId }), aBeat({ customerId })];
    for (const beat of [stays, goes]) await daemon.must('join', beat);
    redis.freeze();
    await waitFor('the daemon to notice', async () => {
      return (await daemon.get('/health')).json.status === 'degraded';
    });
    await daemon.must('leave', { ...goes, graceMs: GRACE_MS });
    redis.thaw();
    await waitWhole(daemon);
    await daemon.waitCount(customerId, 1);
    const client = await redis.client();
    await waitFor('its key to go', async () => !(await client.call('EXISTS', keyOf(goes))));
    assert.equal(await client.call('EXISTS', keyOf(stays)), 1);
  });
});

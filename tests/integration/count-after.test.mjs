// With count-after-ms a session counts once it has shown life twice, so far apart (contract §2), on
// both stores.
import assert from 'node:assert/strict';

import {
  aBeat,
  freshId,
  keyOf,
  Socket,
  startDaemon,
  startOn,
  startRedis,
  STORES,
  suite,
  waitDegraded,
  waitFor,
  waitReady,
  waitWhole,
} from './harness.mjs';

const AFTER = { 'count-after-ms': 400, 'count-bots': undefined };
const GOOGLE = {
  'content-type': 'application/json',
  'user-agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)',
};

/** Shows life until it counts: how long that took since `began`, by this clock. */
async function beatUntil(daemon, beat, count, began) {
  await waitFor(
    `${count} of ${beat.customerId}`,
    async () => {
      await daemon.must('beat', beat);
      return (await daemon.count(beat.customerId)) === count;
    },
    { everyMs: 30 },
  );
  return performance.now() - began;
}

/** The daemon's time of a turn may be older than ours by a turn. */
const assertNotBefore = (tookMs, afterMs = AFTER['count-after-ms']) =>
  assert.ok(tookMs >= afterMs - 50, `counted after ${tookMs} ms`);

for (const store of STORES)
  suite(`count-after-ms on ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared, AFTER);

    for (const first of ['join', 'beat'])
      test(`a ${first}, then beats: it counts when they are far enough apart, not before`, async () => {
        const beat = aBeat();
        const began = performance.now();
        await daemon.must(first, beat);
        assert.equal(await daemon.count(beat.customerId), 0);
        assertNotBefore(await beatUntil(daemon, beat, 1, began));
        await daemon.must('join', beat);
        assert.equal(await daemon.count(beat.customerId), 1, 'it has counted, so it counts');
      });

    test('one sign of life never counts, and ends with the TTL', async (t) => {
      const quick = await startOn(store, t, { ...AFTER, 'presence-ttl': 1, 'ema-interval': 100 });
      const beat = aBeat();
      await quick.must('join', beat);
      const seen = [];
      await waitFor('the session to end', async () => {
        seen.push(await quick.count(beat.customerId));
        return (await quick.get('/health')).json.sessions === 0;
      });
      assert.deepEqual([...new Set(seen)], [0]);
      await quick.must('join', beat);
      assert.equal(await quick.count(beat.customerId), 0, 'it begins anew');
    });

    test('the count changes at once, and subscribers hear of it', async (t) => {
      const eager = await startOn(store, t, { ...AFTER, 'update-interval': 100 });
      const customerId = freshId();
      const watcher = await Socket.join(t, eager.wsPort, { customerId });
      const person = await Socket.join(t, eager.wsPort, aBeat({ customerId }));
      const heard = () => watcher.updates.some(({ count }) => count === 1);
      await waitFor(
        'the ping to count',
        () => {
          person.send({ type: 'ping' });
          return heard();
        },
        { everyMs: 150 },
      );
      assert.equal(watcher.updates[0].count, 0);
    });

    test('a leave ends what does not count yet', async () => {
      const beat = aBeat();
      await daemon.must('join', beat);
      await daemon.must('leave', beat);
      assertNotBefore(await beatUntil(daemon, beat, 1, performance.now()));
    });

    test('it is in no average, peak or number of people until it counts', async (t) => {
      const quick = await startOn(store, t, { 'count-after-ms': 60_000, 'ema-interval': 100 });
      const beat = aBeat();
      await quick.must('join', beat);
      await waitFor('some ticks', async () => (await quick.samples()).get('au_ticks_total') > 5);
      const { count, ema, peak } = await quick.metrics(beat.customerId);
      assert.deepEqual([count, ema, peak], [0, 0, 0]);
      const history = await quick.get(`/metrics/history?customerId=${beat.customerId}`);
      assert.equal(history.json.uniqueToday ?? 0, 0, history.text);
      const samples = await quick.samples();
      assert.ok(samples.get('au_tick_customers_total') <= samples.get('au_ticks_total'));
      assert.equal(samples.get('au_people'), 0);
      assert.equal((await quick.get('/health')).json.sessions, 1, 'its record is there');
    });

    test('it costs its address a session', async (t) => {
      const few = await startOn(store, t, { ...AFTER, 'max-sessions-ip': 1 });
      const customerId = freshId();
      await few.must('join', aBeat({ customerId }));
      assert.equal((await few.post('beat', aBeat({ customerId }))).status, 429);
    });

    test('a bot is one at once, and begins anew as a person', async () => {
      const beat = aBeat();
      await daemon.post('join', beat, GOOGLE);
      assert.deepEqual((await daemon.metrics(beat.customerId)).bots, 1);
      const began = performance.now();
      assertNotBefore(await beatUntil(daemon, beat, 1, began));
      assert.equal((await daemon.metrics(beat.customerId)).bots, undefined);
    });
  });

const waitRedisTime = (client, timeMs) =>
  waitFor('the time to pass', async () => {
    const [s, us] = await client.call('TIME');
    return s * 1000 + us / 1000 > timeMs;
  });

suite('count-after-ms on several daemons', async (test) => {
  const start = async (t, options = {}) => {
    const redis = await startRedis(t);
    const daemons = [];
    for (let i = 0; i < 2; i += 1)
      daemons.push(
        await startDaemon(t, { 'redis-url': redis.url, 'ema-interval': 200, ...AFTER, ...options }),
      );
    await Promise.all(daemons.map(waitReady));
    return { redis, daemons };
  };

  for (const second of ['join', 'beat'])
    test(`the first sign of life at one, the second, a ${second}, at another`, async (t) => {
      const { redis, daemons } = await start(t);
      const [a, b] = daemons;
      const beat = aBeat();
      await a.must('join', beat);
      const client = await redis.client();
      const record = async () => JSON.parse(await client.call('GET', keyOf(beat)));
      const { pendingSince, updatedAt } = await record();
      assert.equal(pendingSince, updatedAt);
      await waitRedisTime(client, pendingSince + 2 * AFTER['count-after-ms']);
      assert.equal(await b.count(beat.customerId), 0);
      await b.must(second, beat);
      for (const daemon of daemons) await daemon.waitCount(beat.customerId, 1);
      assert.ok(!('pendingSince' in (await record())));
      await a.must('beat', beat);
      for (const daemon of daemons) await daemon.waitCount(beat.customerId, 1);
    });

  test('two signs of life at two daemons, too close: it stays pending since the first', async (t) => {
    const { redis, daemons } = await start(t, { 'count-after-ms': 3_600_000 });
    const beat = aBeat();
    const client = await redis.client();
    const since = async () => JSON.parse(await client.call('GET', keyOf(beat))).pendingSince;
    await daemons[0].must('join', beat);
    const first = await since();
    await waitRedisTime(client, first + 2500);
    for (const action of ['beat', 'join', 'beat']) await daemons[1].must(action, beat);
    // Each daemon has Redis's clock to within a round trip.
    assert.ok(Math.abs((await since()) - first) <= 1000, `${await since()} is not ${first}`);
    assert.equal(await daemons[0].count(beat.customerId), 0);
  });

  test('Redis that comes back empty gets what is pending as pending', async (t) => {
    const { redis, daemons } = await start(t, { 'count-after-ms': 1500 });
    const customerId = freshId();
    const beats = Array.from({ length: 4 }, () => aBeat({ customerId }));
    const began = performance.now();
    for (const beat of beats) await daemons[0].must('join', beat);
    await redis.crash();
    await Promise.all(daemons.map(waitDegraded));
    await redis.start();
    await Promise.all(daemons.map(waitWhole));
    const client = await redis.client();
    for (const beat of beats)
      assert.ok(JSON.parse(await client.call('GET', keyOf(beat))).pendingSince > 0);
    // The second sign of life comes by way of the other daemon.
    assertNotBefore(await beatUntil(daemons[1], beats[0], 1, began), 1500);
    for (const daemon of daemons) await daemon.waitCount(customerId, 1);
  });

  test('while Redis is away it counts by the daemon, and in Redis afterwards', async (t) => {
    const { redis, daemons } = await start(t);
    const beat = aBeat();
    const began = performance.now();
    await daemons[0].must('join', beat);
    await redis.crash();
    await waitDegraded(daemons[0]);
    await beatUntil(daemons[0], beat, 1, began);
    await redis.start();
    await Promise.all(daemons.map(waitWhole));
    for (const daemon of daemons) await daemon.waitCount(beat.customerId, 1);
  });

  test('the scan leaves it pending, and puts back what the index lacks', async (t) => {
    const { redis, daemons } = await start(t, { 'count-after-ms': 60_000 });
    const beat = aBeat();
    await daemons[0].must('join', beat);
    const client = await redis.client();
    const index = `au:idx:${beat.customerId}`;
    assert.ok(Number(await client.call('ZSCORE', index, beat.sessionId)) < -1e15);
    await client.call('DEL', index);
    const back = await waitFor('the scan', () => client.call('ZSCORE', index, beat.sessionId));
    assert.ok(Number(back) < -1e15, back);
    assert.equal(await daemons[1].count(beat.customerId), 0);
  });
});

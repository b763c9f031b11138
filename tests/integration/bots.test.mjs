// Known bots are answered as everybody, and counted apart from people (contract §3), on both stores.
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

const GOOGLE =
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/125.0.0.0 Safari/537.36';
const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36';
/** As it is by default, and not in other suites. */
const APART = { 'count-bots': undefined };
const as = (userAgent) => ({ 'content-type': 'application/json', 'user-agent': userAgent });

async function must(daemon, action, beat, userAgent = CHROME) {
  const answer = await daemon.post(action, beat, as(userAgent));
  assert.deepEqual(
    [answer.status, answer.json.success],
    [200, true],
    `${action} of ${userAgent}: ${answer.text}`,
  );
  return answer.json;
}

async function bothOf(daemon, customerId) {
  const { count, bots = 0 } = await daemon.metrics(customerId);
  return { count, bots };
}

const waitBoth = (daemon, customerId, count, bots) =>
  waitFor(`${count} people and ${bots} bots of ${customerId}`, async () => {
    const both = await bothOf(daemon, customerId);
    return both.count === count && both.bots === bots;
  });

const assertBoth = async (daemon, customerId, count, bots) =>
  assert.deepEqual(await bothOf(daemon, customerId), { count, bots });

/** Each way to say that a session is a bot's: a sign of life that does. */
const WAYS = {
  'a join, by its header': (daemon, beat) => must(daemon, 'join', beat, GOOGLE),
  'a join, by its field userAgent': (daemon, beat) =>
    must(daemon, 'join', { ...beat, userAgent: GOOGLE }),
  'a join, by its field webdriver': (daemon, beat) =>
    must(daemon, 'join', { ...beat, webdriver: true }),
  'a beat, by its header': (daemon, beat) => must(daemon, 'beat', beat, GOOGLE),
  'a beat, by its field webdriver': (daemon, beat) =>
    must(daemon, 'beat', { ...beat, webdriver: true }),
  'a socket, by the header of its handshake': (daemon, beat, t) =>
    Socket.join(t, daemon.wsPort, beat, { headers: { 'user-agent': GOOGLE } }),
  'a socket, by its auth': (daemon, beat, t) =>
    Socket.join(t, daemon.wsPort, { ...beat, webdriver: true }),
};

for (const store of STORES)
  suite(`bots on ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared, APART);

    for (const [way, say] of Object.entries(WAYS))
      test(`${way}: answered as everybody, and counted apart`, async (t) => {
        const customerId = freshId();
        await must(daemon, 'join', aBeat({ customerId }));
        await say(daemon, aBeat({ customerId }), t);
        await assertBoth(daemon, customerId, 1, 1);
      });

    test('bots and people from one address', async (t) => {
      const customerId = freshId();
      for (let i = 0; i < 3; i += 1) await must(daemon, 'beat', aBeat({ customerId }), GOOGLE);
      for (let i = 0; i < 2; i += 1) await must(daemon, 'join', aBeat({ customerId }));
      await Socket.join(t, daemon.wsPort, aBeat({ customerId }), {
        headers: { 'user-agent': CHROME },
      });
      await assertBoth(daemon, customerId, 3, 3);
    });

    test('programs that only fetch may speak for people', async () => {
      const customerId = freshId();
      for (const agent of ['curl/8.5.0', 'okhttp/4.12.0', 'node', 'Go-http-client/1.1', ''])
        await must(daemon, 'join', aBeat({ customerId }), agent);
      await assertBoth(daemon, customerId, 5, 0);
    });

    test('what is no flag is refused, and null is none', async () => {
      const beat = aBeat();
      const answer = await daemon.post('join', { ...beat, webdriver: 'yes' });
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.json.field, 'webdriver');
      await daemon.must('join', { ...beat, webdriver: null });
      await assertBoth(daemon, beat.customerId, 1, 0);
    });

    test('a session is what its last sign of life says', async () => {
      const beat = aBeat();
      const { customerId } = beat;
      for (const action of ['join', 'beat', 'join', 'beat']) {
        await must(daemon, action, beat, GOOGLE);
        await assertBoth(daemon, customerId, 0, 1);
        await must(daemon, action, beat, CHROME);
        await assertBoth(daemon, customerId, 1, 0);
      }
      await must(daemon, 'leave', beat, GOOGLE);
      await assertBoth(daemon, customerId, 0, 0);
    });

    test('a ping may say that a program drives the page', async (t) => {
      const quick = await startOn(store, t, { ...APART, 'presence-ttl': 4 });
      const beat = aBeat();
      const socket = await Socket.join(t, quick.wsPort, beat);
      await assertBoth(quick, beat.customerId, 1, 0);
      const asked = async () => {
        socket.send({ type: 'ping', webdriver: true });
        await socket.next('pong');
        return (await bothOf(quick, beat.customerId)).bots === 1;
      };
      await waitFor('the ping to count', asked, { everyMs: 200 });
      await assertBoth(quick, beat.customerId, 0, 1);
      socket.send({ type: 'ping', webdriver: 1 });
      assert.match((await socket.next('error')).message, /webdriver/);
    });

    test('subscribers see bots come, and are told of none', async (t) => {
      const customerId = freshId();
      const watcher = await Socket.join(t, daemon.wsPort, { customerId });
      assert.ok(!('bots' in (await watcher.update())));
      await must(daemon, 'join', aBeat({ customerId }), GOOGLE);
      assert.equal((await watcher.update(({ bots }) => bots === 1)).count, 0);
    });

    test('they end with their TTL, by a leave and after a grace', async (t) => {
      const quick = await startOn(store, t, { ...APART, 'presence-ttl': 2, 'ema-interval': 200 });
      const customerId = freshId();
      const beat = aBeat({ customerId });
      await must(quick, 'join', beat, GOOGLE);
      await must(quick, 'leave', beat, GOOGLE);
      await assertBoth(quick, customerId, 0, 0);
      await must(quick, 'join', aBeat({ customerId }), GOOGLE);
      await waitBoth(quick, customerId, 0, 1);
      await waitBoth(quick, customerId, 0, 0);
      const slow = await startOn(store, t, { ...APART, 'disconnect-grace': 300 });
      await must(slow, 'join', beat, GOOGLE);
      await must(slow, 'leave', { ...beat, graceMs: 300 }, GOOGLE);
      await waitBoth(slow, customerId, 0, 0);
    });

    test('they are in no average, peak or number of people, and have a gauge', async (t) => {
      const quick = await startOn(store, t, { ...APART, 'ema-interval': 100 });
      const customerId = freshId();
      await must(quick, 'join', aBeat({ customerId }));
      for (let i = 0; i < 4; i += 1) await must(quick, 'join', aBeat({ customerId }), GOOGLE);
      await waitFor('the gauges', async () => {
        const samples = await quick.samples();
        return samples.get('au_bots') === 4 && samples.get('au_people') === 1;
      });
      const metrics = await quick.metrics(customerId);
      assert.deepEqual(
        [metrics.count, metrics.bots, metrics.ema, metrics.peak, metrics.peakToday],
        [1, 4, 1, 1, 1],
      );
      const history = await quick.get(`/metrics/history?customerId=${customerId}`);
      assert.equal(history.json.uniqueToday, 1, history.text);
    });

    test('a customer of bots alone is ticked once an interval, not again and again', async (t) => {
      const quick = await startOn(store, t, { ...APART, 'ema-interval': 200 });
      const customerId = freshId();
      await must(quick, 'join', aBeat({ customerId }), GOOGLE);
      await waitFor('some ticks', async () => (await quick.samples()).get('au_ticks_total') > 5);
      const { 'au_ticks_total': ticks, 'au_tick_customers_total': ticked } = Object.fromEntries(
        await quick.samples(),
      );
      assert.ok(ticked <= ticks, `${ticked} customers in ${ticks} ticks`);
      await assertBoth(quick, customerId, 0, 1);
    });

    test('they pay the limits of their address', async (t) => {
      const few = await startOn(store, t, { ...APART, 'max-sessions-ip': 2 });
      const customerId = freshId();
      await must(few, 'beat', aBeat({ customerId }), GOOGLE);
      await must(few, 'beat', aBeat({ customerId }));
      const answer = await few.post('beat', aBeat({ customerId }), as(GOOGLE));
      assert.equal(answer.status, 429, answer.text);
    });

    test('with count-bots they are people', async (t) => {
      const all = await startOn(store, t, { 'count-bots': true });
      const customerId = freshId();
      for (const say of Object.values(WAYS)) await say(all, aBeat({ customerId }), t);
      await assertBoth(all, customerId, Object.keys(WAYS).length, 0);
    });
  });

suite('bots on several daemons', async (test) => {
  const start = async (t, options = {}) => {
    const redis = await startRedis(t);
    const daemons = [];
    for (let i = 0; i < 2; i += 1)
      daemons.push(
        await startDaemon(t, { 'redis-url': redis.url, ...APART, 'ema-interval': 300, ...options }),
      );
    await Promise.all(daemons.map(waitReady));
    return { redis, daemons };
  };

  test('one counts what the other was told, and a session counts once', async (t) => {
    const { daemons } = await start(t);
    const [a, b] = daemons;
    const beat = aBeat();
    const { customerId } = beat;
    await must(a, 'join', aBeat({ customerId }));
    for (const [first, second] of [
      [GOOGLE, CHROME],
      [CHROME, GOOGLE],
    ]) {
      await must(a, 'join', beat, first);
      await must(b, 'beat', beat, second);
      const bots = second === GOOGLE ? 1 : 0;
      for (const daemon of daemons) await assertBoth(daemon, customerId, 2 - bots, bots);
      await must(b, 'join', beat, first);
      for (const daemon of daemons) await assertBoth(daemon, customerId, 1 + bots, 1 - bots);
    }
  });

  test('a beat of a person sends Redis no more commands than it did', async (t) => {
    const { redis, daemons } = await start(t, { 'ema-interval': 3_600_000 });
    const beat = aBeat();
    await must(daemons[0], 'join', beat);
    const client = await redis.client();
    const seen = await redis.client();
    await seen.call('MONITOR');
    await must(daemons[0], 'beat', beat);
    await client.call('ECHO', 'over');
    const lines = [];
    for (;;) {
      const line = await seen.pushed.next('a line of MONITOR', () => true);
      if (/"over"/i.test(line)) break;
      if (line.includes(beat.sessionId)) lines.push(/\] "(\w+)"/.exec(line)[1]);
    }
    assert.deepEqual(lines, ['SET', 'ZADD']);
  });

  test('Redis that comes back empty gets bots as bots', async (t) => {
    const { redis, daemons } = await start(t);
    const customerId = freshId();
    const beats = Array.from({ length: 6 }, () => aBeat({ customerId }));
    for (const [i, beat] of beats.entries())
      await must(daemons[i % 2], 'join', beat, i < 4 ? GOOGLE : CHROME);
    for (const daemon of daemons) await assertBoth(daemon, customerId, 2, 4);
    await redis.crash();
    await Promise.all(daemons.map(waitDegraded));
    for (const daemon of daemons) await assertBoth(daemon, customerId, 2, 4);
    // Away from Redis one becomes a person, and a person a bot, where the other was.
    await must(daemons[0], 'beat', beats[0], CHROME);
    await must(daemons[0], 'beat', aBeat({ customerId }), GOOGLE);
    await must(daemons[1], 'beat', beats[5], GOOGLE);
    await redis.start();
    await Promise.all(daemons.map(waitWhole));
    for (const daemon of daemons) await waitBoth(daemon, customerId, 2, 5);
  });

  test('the scan leaves them as they are, and indexes what is missing as it was', async (t) => {
    const { redis, daemons } = await start(t);
    const customerId = freshId();
    for (let i = 0; i < 5; i += 1)
      await must(daemons[0], 'join', aBeat({ customerId }), i < 3 ? GOOGLE : CHROME);
    const client = await redis.client();
    await client.call('DEL', `au:idx:${customerId}`);
    for (const daemon of daemons) await waitBoth(daemon, customerId, 2, 3);
    const scores = await client.call('ZRANGE', `au:idx:${customerId}`, 0, -1, 'WITHSCORES');
    assert.equal(scores.filter((score, i) => i % 2 && Number(score) < 0).length, 3);
  });

  test('the scan drops a bot whose key was deleted, and a tick what has ended', async (t) => {
    const { redis, daemons } = await start(t, { 'presence-ttl': 2 });
    const customerId = freshId();
    const beats = Array.from({ length: 4 }, () => aBeat({ customerId }));
    for (const [i, beat] of beats.entries())
      await must(daemons[0], 'join', beat, i < 3 ? GOOGLE : CHROME);
    const client = await redis.client();
    await client.call('DEL', keyOf(beats[0]));
    await waitBoth(daemons[1], customerId, 1, 2);
    const members = () => client.call('ZRANGE', `au:idx:${customerId}`, 0, -1);
    await waitFor('the index to be empty', async () => {
      await must(daemons[0], 'beat', beats[3], CHROME); // so that the customer stays
      return (await members()).join() === beats[3].sessionId;
    });
    await assertBoth(daemons[1], customerId, 1, 0);
  });

  test('operators see who is a bot', async (t) => {
    const { daemons } = await start(t);
    const beat = aBeat();
    await must(daemons[0], 'join', beat, GOOGLE);
    for (const daemon of daemons) {
      const answer = await daemon.get(`/admin/sessions/${beat.customerId}/${beat.sessionId}`);
      assert.equal(answer.json.session?.bot, true, answer.text);
    }
  });
});

// The link to Redis is cut at every place of every operation: what was acknowledged counts once.
import assert from 'node:assert/strict';

import {
  aBeat,
  assertKeys,
  CUTS,
  freshId,
  Proxy,
  startDaemon,
  startRedis,
  suite,
  waitFor,
  waitReady,
  waitTruth,
} from './harness.mjs';

/** `before` makes the session what it is when the operation comes; `lives` is what it is then. */
const OPERATIONS = {
  'a first join': { action: 'join', lives: true },
  'a join of a live session': { before: ['join'], action: 'join', lives: true },
  'a beat': { before: ['join'], action: 'beat', lives: true },
  'a beat of an unknown session': { elsewhere: ['join'], action: 'beat', lives: true },
  'a leave': { before: ['join'], action: 'leave', lives: false },
  'a leave of an unknown session': { elsewhere: ['join'], action: 'leave', lives: false },
};

/** Daemons take what is closer together for the same moment. */
const outlastClocks = () => {
  const began = Date.now();
  return waitFor('the clocks to differ', () => Date.now() - began > 100);
};

suite(
  'the link to Redis is cut',
  async (test) => {
    const start = async (t, options) => {
      const redis = await startRedis(t);
      const proxy = await Proxy.start(t, redis);
      const daemon = await startDaemon(t, { 'redis-url': proxy.url, ...options });
      const other = await startDaemon(t, { 'redis-url': redis.url });
      await waitReady(daemon);
      await waitReady(other);
      return { client: await redis.client(), proxy, daemon, other };
    };

    for (const [what, { before = [], elsewhere = [], action, lives }] of Object.entries(OPERATIONS)) {
      test(`at each command of ${what}`, async (t) => {
        const { client, proxy, daemon, other } = await start(t);
        /** Returns the commands it took. */
        const play = async (cut, skip) => {
          const beat = aBeat({ customerId: freshId() });
          for (const first of elsewhere) await other.must(first, beat);
          for (const first of before) await daemon.must(first, beat);
          proxy.heard = [];
          // Not those of a count or of the history, which may come at any time.
          const isOfIt = (words) =>
            (words[0] !== 'PFADD' && words.some((word) => word.includes(beat.sessionId))) ||
            (words[2] === 'NX' && words.includes(beat.customerId));
          if (cut) proxy.cutAt(cut, isOfIt, skip);
          await daemon.must(action, beat);
          const commands = proxy.heard.filter(isOfIt);
          if (cut) await proxy.waitCut();
          await waitTruth([daemon, other], beat.customerId, lives ? 1 : 0);
          await assertKeys(client, beat.customerId, new Map(lives ? [[beat.sessionId]] : []));
          return commands;
        };
        const commands = await play();
        assert.ok(commands.length > 0);
        for (const cut of Object.values(CUTS))
          for (let skip = 0; skip < commands.length; skip += 1) await play(cut, skip);
      });
    }

    test('at each command of a tick', async (t) => {
      const { client, proxy, daemon, other } = await start(t, { 'ema-interval': 100 });
      const customerId = freshId();
      /** What follows the lease, which comes with the list of those who are due; the scan of keys
       * goes on beside it. */
      const ofTick = () => {
        let begun = false;
        return (words) => {
          begun ||= words.includes('au:lease');
          const names = ['ZCOUNT', 'GETRANGE', 'EVAL', 'ZADD', 'PUBLISH'];
          return begun && names.includes(words[0]) && words.some((word) => word.includes(customerId));
        };
      };
      // One session: a tick may come between two joins, and its sample would be 1.
      const beat = aBeat({ customerId });
      await daemon.must('join', beat);
      for (const cut of Object.values(CUTS)) {
        for (let skip = 0; skip < 7; skip += 1) {
          proxy.cutAt(cut, ofTick(), skip);
          await proxy.waitCut();
          await waitTruth([daemon, other], customerId, 1);
        }
      }
      await assertKeys(client, customerId, new Map([[beat.sessionId, beat]]));
      // On a slow machine every tick so far may have been cut before it was saved.
      const average = await waitFor('an average', () => client.call('GET', `ema:${customerId}`));
      assert.equal(average, '1', 'every sample was 1');
    });

    test('a leave ends its session although Redis answers slowly after the cut', async (t) => {
      const { client, proxy, daemon, other } = await start(t);
      const beat = aBeat();
      await daemon.must('join', beat);
      proxy.answerDelayMs = 500; // no estimate of Redis's clock can be better
      proxy.cutAt(CUTS['before the command'], (words) => words.includes(beat.sessionId));
      await daemon.must('leave', beat);
      await proxy.waitCut();
      await waitTruth([daemon, other], beat.customerId, 0);
      await assertKeys(client, beat.customerId, new Map());
    });

    test('a session that another daemon has renewed meanwhile is its own, and lives as long', async (t) => {
      const { client, proxy, daemon, other } = await start(t, { 'presence-ttl': 60 });
      const beat = aBeat();
      proxy.shut();
      await daemon.must('join', beat);
      await other.must('beat', { ...beat, tabId: 'tab-2' }); // which gives it 180 s
      proxy.open();
      await waitTruth([daemon, other], beat.customerId, 1);
      const key = `presence:${beat.customerId}:${beat.sessionId}`;
      assert.equal(JSON.parse(await client.call('GET', key)).tabId, 'tab-2');
      assert.ok((await client.call('TTL', key)) > 100);
    });

    test('a session that has left at another daemon meanwhile stays away', async (t) => {
      const { client, proxy, daemon, other } = await start(t);
      const customerId = freshId();
      const [untouched, touched, back] = [1, 2, 3].map(() => aBeat({ customerId }));
      for (const beat of [untouched, touched, back]) await daemon.must('join', beat);
      proxy.shut();
      for (const beat of [touched, back]) await daemon.must('beat', beat);
      for (const beat of [untouched, touched, back]) await other.must('leave', beat);
      await outlastClocks();
      await daemon.must('join', back); // after its leave
      proxy.open();
      await waitTruth([daemon, other], customerId, 1);
      await assertKeys(client, customerId, new Map([[back.sessionId, back]]));
    });

    test('a leave here does not end what came back at another daemon', async (t) => {
      const { client, proxy, daemon, other } = await start(t);
      const beat = aBeat();
      await daemon.must('join', beat);
      proxy.shut();
      await daemon.must('leave', beat);
      await outlastClocks();
      await other.must('join', beat);
      proxy.open();
      await waitTruth([daemon, other], beat.customerId, 1);
      await assertKeys(client, beat.customerId, new Map([[beat.sessionId, beat]]));
    });

    test('a beat, a leave and a beat again, all sent before Redis is lost', async (t) => {
      const { client, proxy, daemon, other } = await start(t);
      const customerId = freshId();
      const [stays, leaves] = [aBeat({ customerId }), aBeat({ customerId })];
      for (const beat of [stays, leaves]) await daemon.must('join', beat);
      proxy.cutAt(CUTS['before the command'], () => true);
      await Promise.all([
        ...['beat', 'leave', 'join'].map((action) => daemon.must(action, stays)),
        ...['leave', 'join', 'leave'].map((action) => daemon.must(action, leaves)),
      ]);
      await waitTruth([daemon], customerId, await daemon.count(customerId));
      // Connections of their own have no order; then each has the last word in turn.
      await daemon.must('join', stays);
      await daemon.must('leave', leaves);
      await waitTruth([daemon, other], customerId, 1);
      await assertKeys(client, customerId, new Map([[stays.sessionId, stays]]));
    });
  },
  { concurrency: 4 },
);

// Several daemons on one Redis behave as one (contract §1, §5).
import assert from 'node:assert/strict';

import {
  aBeat,
  freshId,
  Socket,
  startDaemon,
  startRedis,
  suite,
  waitFor,
  waitReady,
} from './harness.mjs';

suite('two daemons on one Redis', async (test, shared) => {
  const redis = await startRedis(shared);
  const flags = { 'redis-url': redis.url, 'ema-interval': 100 };
  const [one, two] = [await startDaemon(shared, flags), await startDaemon(shared, flags)];
  await waitReady(one);
  await waitReady(two);

  test('their counts agree at once', async () => {
    const customerId = freshId();
    const beats = Array.from({ length: 10 }, () => aBeat({ customerId }));
    for (const [i, beat] of beats.entries()) await (i % 2 === 0 ? one : two).must('join', beat);
    assert.equal(await one.count(customerId), 10);
    assert.equal(await two.count(customerId), 10);
    await one.must('leave', beats[1]);
    assert.equal(await two.count(customerId), 9, 'a session of the other may be ended');
  });

  test('one session that beats at both is one session', async () => {
    const beat = aBeat();
    for (const daemon of [one, two, one]) await daemon.must('beat', beat);
    assert.equal(await one.count(beat.customerId), 1);
    assert.equal(await two.count(beat.customerId), 1);
  });

  test('a take-over at the other counts here', async () => {
    const beat = aBeat();
    await one.must('join', beat);
    await two.must('beat', { ...beat, tabId: 'tab-2' });
    await one.must('leave', beat);
    assert.equal(await one.count(beat.customerId), 1);
    await one.must('leave', { ...beat, tabId: 'tab-2' });
    assert.equal(await two.count(beat.customerId), 0);
  });

  test('a session that the other renews does not expire here', async (t) => {
    const short = { ...flags, 'presence-ttl': 1 };
    const [first, second] = [await startDaemon(t, short), await startDaemon(t, short)];
    await waitReady(first);
    await waitReady(second);
    const beat = aBeat();
    await first.must('join', beat);
    const began = Date.now();
    await waitFor('two TTLs under beats at the other', async () => {
      await second.must('beat', beat);
      assert.equal(await first.count(beat.customerId), 1);
      return Date.now() - began > 2500;
    });
    await first.waitCount(beat.customerId, 0);
  });

  test('a socket at one hears of joins and leaves at the other', async (t) => {
    const customerId = freshId();
    const watcher = await Socket.join(t, two.wsPort, { customerId });
    const beat = aBeat({ customerId });
    await one.must('join', beat);
    await watcher.update((data) => data.count === 1);
    await one.must('leave', beat);
    await watcher.update((data) => data.count === 0);
  });

  test('a socket that moves to the other daemon keeps its session', async (t) => {
    const grace = { ...flags, 'disconnect-grace': 300 };
    const [first, second] = [await startDaemon(t, grace), await startDaemon(t, grace)];
    await waitReady(first);
    await waitReady(second);
    const customerId = freshId();
    const [moving, control] = [aBeat({ customerId }), aBeat({ customerId })];
    const before = await Socket.join(t, first.wsPort, moving);
    const vanishing = await Socket.join(t, first.wsPort, control);
    before.terminate();
    vanishing.terminate();
    await waitFor(
      'the sockets to be gone',
      async () => (await first.samples()).get('au_websocket_sockets') === 0,
    );
    await Socket.join(t, second.wsPort, moving);
    await first.waitCount(customerId, 1);
    await first.must('leave', control);
    assert.equal(await second.count(customerId), 1);
  });
});

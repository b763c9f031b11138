// What a Redis refuses in part: one key, one command, one channel (contract §7).
import assert from 'node:assert/strict';

import {
  aBeat,
  freshId,
  keyOf,
  Socket,
  startOn,
  suite,
  waitDegraded,
  waitFor,
  waitWhole,
} from './harness.mjs';

const refusalsOf = async (daemon) => (await daemon.samples()).get('au_store_errors_total{kind="refused"}');

/** What the daemon said of refusals, in order. */
const said = (daemon) =>
  daemon.log
    .filter(({ event }) => ['refused', 'subscription refused', 'accepts again'].includes(event))
    .map(({ event, reason }) => (reason ? `${event}: ${reason}` : event));

suite('a Redis that refuses in part', async (test) => {
  test('a key of the wrong type is the trouble of its customer alone', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 200 });
    const redis = await daemon.redis.client();
    const beat = aBeat({ customerId: 'broken' });
    await daemon.must('join', beat);
    await redis.call('SET', 'au:idx:broken', 'x');
    await daemon.must('join', aBeat({ customerId: 'sound' }));
    const refusals = await refusalsOf(daemon);
    await waitFor(
      'ticks to meet it',
      async () => (await refusalsOf(daemon)) >= refusals + 10,
    );
    const [broken, sound] = [await daemon.metrics('broken'), await daemon.metrics('sound')];
    assert.deepEqual([broken.count, broken.stale], [1, true]);
    assert.deepEqual([sound.count, sound.stale], [1, undefined]);
    await daemon.must('leave', beat);
    assert.equal((await daemon.get('/health')).json.reason, 'a key has the wrong type');
    await redis.call('DEL', 'au:idx:broken');
    await waitFor('the leave', async () => (await redis.call('EXISTS', keyOf(beat))) === 0);
    await waitWhole(daemon);
    assert.equal(await daemon.count('broken'), 0);
    assert.deepEqual(said(daemon), ['refused: a key has the wrong type', 'accepts again']);
  });

  for (const [command, what] of [
    ['eval', 'scripts'],
    ['zadd', 'indexes'],
    ['publish', 'messages'],
  ]) {
    test(`${what} that are not permitted are one state, and it ends`, async (t) => {
      const daemon = await startOn('redis', t, { 'ema-interval': 100 });
      const redis = await daemon.redis.client();
      const beat = aBeat({ customerId: 'shop' });
      await daemon.must('join', beat);
      await redis.call('ACL', 'SETUSER', 'default', `-${command}`);
      await waitDegraded(daemon);
      const refusals = await refusalsOf(daemon);
      await waitFor('a few more', async () => {
        assert.equal((await daemon.get('/health')).json.status, 'degraded');
        await daemon.must('beat', beat);
        assert.equal(await daemon.count('shop'), 1);
        return (await refusalsOf(daemon)) >= refusals + 3;
      });
      await daemon.must('leave', beat);
      await redis.call('ACL', 'SETUSER', 'default', `+${command}`);
      await waitWhole(daemon);
      assert.equal(await daemon.count('shop'), 0);
      assert.deepEqual(said(daemon), [
        'refused: redis does not permit a command or key',
        'accepts again',
      ]);
    });
  }

  test('a subscription that is refused is counted, and said once', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 100 });
    const redis = await daemon.redis.client();
    const refusals = await refusalsOf(daemon);
    await redis.call('ACL', 'SETUSER', 'default', 'resetchannels', '&metrics:open');
    await Socket.join(t, daemon.wsPort, { customerId: 'open' });
    const watcher = await Socket.join(t, daemon.wsPort, { customerId: 'shut' });
    await waitFor('two refusals', async () => {
      await Socket.join(t, daemon.wsPort, { customerId: freshId() });
      return (await refusalsOf(daemon)) >= refusals + 2;
    });
    const { status, reason } = (await daemon.get('/health')).json;
    assert.deepEqual([status, reason], ['degraded', 'redis does not permit a command or key']);
    await daemon.must('join', aBeat({ customerId: 'shut' }));
    await watcher.update((data) => data.count === 1); // what this daemon sees it hears
    await redis.call('ACL', 'SETUSER', 'default', 'allchannels');
    await waitWhole(daemon);
    assert.ok(said(daemon).includes('subscription refused: redis does not permit a command or key'));
    assert.equal(said(daemon).filter((line) => line.startsWith('subscription')).length, 1);
  });
});

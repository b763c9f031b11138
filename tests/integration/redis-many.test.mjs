// Three daemons on one Redis: one of them ticks, all of them tell the same (contract §5).
import assert from 'node:assert/strict';

import {
  aBeat,
  fakeTime,
  fakeWallClock,
  freshId,
  keyOf,
  Socket,
  startDaemon,
  startRedis,
  suite,
  Ticks,
  waitFor,
  waitReady,
} from './harness.mjs';

const ALPHA = 0.2;

/** Three daemons, five people of one customer and a watch on its ticks. */
async function threeDaemons(t, interval, { flags = {}, env = [] } = {}) {
  const redis = await startRedis(t);
  const options = {
    'redis-url': redis.url,
    'ema-interval': interval,
    'ema-alpha': ALPHA,
    ...flags,
  };
  const daemons = [];
  for (let i = 0; i < 3; i += 1) daemons.push(await startDaemon(t, options, env[i]));
  await Promise.all(daemons.map(waitReady));
  const customerId = freshId();
  const ticks = await Ticks.of(redis, customerId);
  const join = async (n, daemon) => {
    for (let i = 0; i < n; i += 1) await daemon.must('join', aBeat({ customerId }));
  };
  const sockets = [];
  for (const daemon of daemons)
    sockets.push(await Socket.join(t, daemon.wsPort, { customerId }));
  await join(1, daemons[0]);
  await waitFor('the first tick', () => ticks.past.length > 0);
  await join(4, daemons[1]);
  return { redis, daemons, customerId, ticks, sockets, join, interval, alpha: ALPHA };
}

const moreTicks = (ticks, n) => {
  const goal = ticks.past.length + n;
  return waitFor(`${n} more ticks`, () => ticks.past.length >= goal);
};

/** The daemon that ticks now: the only one that counts customers as ticked. On a busy machine the lease may change
 * hands meanwhile; then it is asked again. */
function holderOf({ daemons, ticks }) {
  const ticked = () =>
    Promise.all(
      daemons.map(async (daemon) => (await daemon.samples()).get('au_tick_customers_total')),
    );
  return waitFor('one daemon to tick', async () => {
    const before = await ticked();
    await moreTicks(ticks, 2);
    const after = await ticked();
    const holders = daemons.filter((_, i) => after[i] > before[i]);
    assert.equal(holders.length, 1, `ticked by ${holders.length} daemons`);
    return holders[0];
  });
}

/** Each socket heard each of these ticks once, unless a newer message overtook it. */
function assertHeard(sockets, ticks, from) {
  for (const [i, socket] of sockets.entries()) {
    const heard = socket.updates.map(({ timestamp, count, ema }) => `${timestamp} ${count} ${ema}`);
    for (const tick of ticks.past.slice(from, -2)) {
      const of = ({ data }) => `${data.timestamp} ${data.count} ${data.ema}`;
      const times = heard.filter((one) => tick.messages.some((message) => of(message) === one));
      assert.ok(times.length > 0, `socket ${i} did not hear the tick of ${tick.at}`);
      assert.equal(new Set(times).size, times.length, `socket ${i} heard a message twice`);
    }
  }
}

/** Messages of a daemon that speaks itself although one was published: it was on its way to it. */
const MAY_BE_LATE = 2;

/**
 * And nothing that was not published, but for the answer to auth, which comes first. A daemon that
 * hears nothing for longer than an interval (on a machine that stands still, say) speaks itself.
 */
function assertNothingElse(sockets, { published }, interval) {
  const known = new Set(
    published.map(({ data: { timestamp, count, ema } }) => `${timestamp} ${count} ${ema}`),
  );
  for (const [i, socket] of sockets.entries()) {
    const others = socket.updates.slice(1).filter(({ timestamp, count, ema }) => {
      if (known.has(`${timestamp} ${count} ${ema}`)) return false;
      const before = published.map(({ data }) => data.timestamp).filter((at) => at <= timestamp);
      return timestamp - Math.max(0, ...before) <= interval;
    });
    const said = others.map(({ timestamp, count, ema }) => `${count} and ${ema} at ${timestamp}`);
    assert.ok(said.length <= MAY_BE_LATE, `socket ${i} heard ${said}, which nobody published`);
  }
}

suite(
  'three daemons on one Redis',
  async (test) => {
    test('one ticks, and the sockets of all hear the same', async (t) => {
      const many = await threeDaemons(t, 500);
      const { ticks, sockets, redis } = many;
      await waitFor('all sockets to hear of five', () =>
        sockets.every((socket) => socket.updates.some(({ count }) => count === 5)),
      );
      const from = ticks.past.length;
      await holderOf(many);
      await moreTicks(ticks, 10);
      ticks.assertOne(many);
      assertHeard(sockets, ticks, from);
      assertNothingElse(sockets, ticks, many.interval);
      const client = await redis.client();
      const left = await client.call('PTTL', 'au:lease');
      assert.ok(left > 0 && left <= 750, `a lease of ${left} ms`);
    });

    test('a killed holder is replaced within one lease', async (t) => {
      const many = await threeDaemons(t, 1000);
      const { ticks, daemons, sockets } = many;
      for (let round = 0; round < 2; round += 1) {
        const holder = await holderOf(many);
        holder.signal('SIGKILL');
        await holder.exit();
        const killedAfter = ticks.all.length;
        const i = daemons.indexOf(holder);
        daemons.splice(i, 1);
        sockets.splice(i, 1);
        await moreTicks(ticks, 3);
        // The lease is an interval and a half. What is above it is the machine's.
        const gaps = ticks.past.slice(1).map((tick, k) => tick.at - ticks.past[k].at);
        assert.ok(
          Math.max(...gaps.slice(killedAfter - 2)) < 3000,
          `between ticks: ${gaps.join(' ')} ms`,
        );
      }
      ticks.assertOne(many, { mayMiss: 2 });
      assertNothingElse(sockets, ticks, many.interval);
    });

    test('the average is that of a single run, whatever the counts', async (t) => {
      const many = await threeDaemons(t, 200);
      const { ticks, daemons, join, customerId, redis } = many;
      for (let i = 0; i < 12; i += 1) {
        await join(1 + (i % 3), daemons[i % 3]);
        await moreTicks(ticks, 1);
      }
      ticks.assertOne(many);
      const client = await redis.client();
      const kept = Number(await client.call('GET', `ema:${customerId}`));
      assert.ok(ticks.all.some((tick) => tick.ema === kept));
    });

    test('a holder that was stopped for longer than a lease ticks nobody twice', async (t) => {
      const many = await threeDaemons(t, 300);
      const { ticks, daemons, redis } = many;
      const client = await redis.client();
      for (let round = 0; round < 3; round += 1) {
        const lease = () => client.call('GET', 'au:lease');
        // On a busy machine the lease may change hands before the holder is stopped.
        const [before, holder, name] = [await lease(), await holderOf(many), await lease()];
        holder.signal('SIGSTOP');
        if (before === name)
          await waitFor('another to take over', async () => ![null, name].includes(await lease()));
        await moreTicks(ticks, 3);
        holder.signal('SIGCONT');
        await waitReady(holder);
        await moreTicks(ticks, 5);
        assert.ok(daemons.includes(await holderOf(many)));
      }
      ticks.assertOne(many, { mayMiss: 3 });
    });

    test('a change at one reaches a socket at another between ticks', async (t) => {
      const redis = await startRedis(t);
      const flags = { 'redis-url': redis.url };
      const [one, two, three] = [
        await startDaemon(t, flags),
        await startDaemon(t, flags),
        await startDaemon(t, flags),
      ];
      await Promise.all([one, two, three].map(waitReady));
      const customerId = freshId();
      const watchers = [
        await Socket.join(t, two.wsPort, { customerId }),
        await Socket.join(t, three.wsPort, { customerId }),
      ];
      const client = await redis.client();
      await waitFor('both to listen', async () => {
        const [, n] = await client.call('PUBSUB', 'NUMSUB', `metrics:${customerId}`);
        return n === 2;
      });
      for (let count = 1; count <= 3; count += 1) {
        await one.must('join', aBeat({ customerId }));
        for (const watcher of watchers) await watcher.update((data) => data.count === count);
      }
    });

    test('a dashboard of an empty customer hears every tick at each of them', async (t) => {
      const many = await threeDaemons(t, 300);
      const { daemons, ticks } = many;
      const nobody = { customerId: freshId('empty') };
      const sockets = [];
      for (const daemon of daemons) sockets.push(await Socket.join(t, daemon.wsPort, nobody));
      await waitFor('five frames for each', () =>
        sockets.every((socket) => socket.updates.length >= 6),
      );
      for (const socket of sockets)
        for (const { count, ema } of socket.updates) assert.deepEqual([count, ema], [0, 0]);
      await moreTicks(ticks, 1);
      ticks.assertOne(many);
    });

    test('daemons whose clocks are ten minutes off agree', async (t) => {
      const many = await threeDaemons(t, 300, {
        flags: { 'presence-ttl': 2 },
        env: [
          fakeWallClock('+600s'),
          fakeTime('-600s'), // the monotonic clock as well
          {},
        ],
      });
      const { daemons, ticks, customerId, redis } = many;
      const client = await redis.client();
      const now = async () => {
        const [seconds, micros] = await client.call('TIME');
        return Number(seconds) * 1000 + Number(micros) / 1000;
      };
      const shift = Date.now() - (await daemons[0].metrics(customerId)).timestamp;
      assert.ok(Math.abs(shift + 600_000) < 60_000, `its clock is ${-shift} ms ahead`);
      // Each writes deadlines on Redis's clock, whatever its own says.
      for (const daemon of daemons) {
        const beat = aBeat({ customerId });
        const began = await now();
        await daemon.must('join', beat);
        const score = Number(await client.call('ZSCORE', `au:idx:${customerId}`, beat.sessionId));
        const left = await client.call('PTTL', keyOf(beat));
        const end = (await now()) + left;
        assert.ok(score >= began + 2000 - 1000, `deadline ${score - began} ms after the join`);
        assert.ok(score <= end + 100, `deadline ${score - end} ms after the end of the key`);
      }
      const beat = aBeat({ customerId });
      for (let i = 0; i < 3; i += 1) {
        for (const daemon of daemons) await daemon.must('beat', beat);
        await moreTicks(ticks, 1);
        const counts = await Promise.all(daemons.map((daemon) => daemon.count(customerId)));
        assert.ok(counts.every((count) => count >= 1));
      }
      const holder = await holderOf(many);
      holder.signal('SIGKILL');
      await holder.exit();
      daemons.splice(daemons.indexOf(holder), 1);
      await moreTicks(ticks, 2);
      ticks.assertOne(many, { mayMiss: 1 });
      // It ends for all of them alike.
      for (const daemon of daemons) await daemon.waitCount(customerId, 0);
    });
  },
  { concurrency: 2 },
);

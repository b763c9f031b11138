// Several daemons lose their one Redis, or its data, in the middle of traffic: what was acknowledged
// counts in the end, nobody is missing and nobody counts twice (contract §7).
import assert from 'node:assert/strict';

import {
  aBeat,
  assertKeys,
  freshId,
  keyOf,
  joinMany,
  many,
  Proxy,
  Socket,
  startDaemon,
  startRedis,
  suite,
  Traffic,
  waitDegraded,
  waitFor,
  waitReady,
  waitTruth,
  waitWhole,
} from './harness.mjs';

const byId = (beats) => new Map(beats.map((beat) => [beat.sessionId, beat]));

async function startMany(t, count, { redis = {}, ...options } = {}) {
  const server = await startRedis(t, { options: redis.options });
  const daemons = [];
  for (let i = 0; i < count; i += 1)
    daemons.push(await startDaemon(t, { 'redis-url': server.url, ...options }));
  await Promise.all(daemons.map(waitReady));
  return { redis: server, daemons, client: await server.client() };
}

/** Brings the trouble while people come and go, and holds the counts against what they were told. */
async function underTraffic(t, { redis, daemons }, trouble) {
  const customerId = freshId();
  const traffic = new Traffic(daemons, customerId);
  await traffic.grow(60);
  await trouble(traffic);
  await traffic.grow(60);
  await traffic.stop();
  await waitTruth(daemons, customerId, traffic.live.size);
  await assertKeys(await redis.client(), customerId, traffic.live);
  // What settles late would show now.
  await waitTruth(daemons, customerId, traffic.live.size);
}

const crash = async (redis, daemons, traffic) => {
  await redis.crash();
  await traffic.grow(60);
  await Promise.all(daemons.map(waitDegraded));
};

const TROUBLES = {
  'killed, and started empty': async ({ redis, daemons }, traffic) => {
    await crash(redis, daemons, traffic);
    assert.ok(await redis.start());
  },
  'killed, and started with an old snapshot': async ({ redis, daemons, client }, traffic) => {
    await client.call('SAVE');
    await traffic.grow(60);
    await crash(redis, daemons, traffic);
    assert.ok(await redis.start());
  },
  'killed, and started with what it had appended': async ({ redis, daemons, client }, traffic) => {
    await client.call('CONFIG', 'SET', 'appendonly', 'yes');
    redis.arguments.push('--appendonly', 'yes');
    await traffic.grow(60);
    await crash(redis, daemons, traffic);
    assert.ok(await redis.start());
  },
  'killed twice, the second time while it is told': async ({ redis, daemons }, traffic) => {
    for (let i = 0; i < 2; i += 1) {
      await crash(redis, daemons, traffic);
      assert.ok(await redis.start());
    }
  },
  'stopped for longer than a command may take': async ({ redis, daemons }, traffic) => {
    redis.freeze();
    await Promise.all(daemons.map(waitDegraded));
    await traffic.grow(30);
    redis.thaw();
  },
  'made to drop every link, again and again': async ({ client }, traffic) => {
    for (let i = 0; i < 5; i += 1) {
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await traffic.grow(10);
    }
  },
  'emptied by FLUSHALL': async ({ daemons, client }, traffic) => {
    await client.call('FLUSHALL');
    await waitFor('all to have found out', () =>
      daemons.every((daemon) => daemon.log.some((line) => line.event.includes('lost its data'))),
    );
    await traffic.grow(20);
  },
  'out of memory': async ({ daemons, client }, traffic) => {
    await client.call('CONFIG', 'SET', 'maxmemory', 1);
    await Promise.all(daemons.map(waitDegraded));
    await traffic.grow(60);
    await client.call('CONFIG', 'SET', 'maxmemory', 0);
  },
  'out of memory again while it is told': async ({ daemons, client }, traffic) => {
    for (let i = 0; i < 2; i += 1) {
      await client.call('CONFIG', 'SET', 'maxmemory', 1);
      await Promise.all(daemons.map(waitDegraded));
      await traffic.grow(30);
      await client.call('CONFIG', 'SET', 'maxmemory', 0);
      await waitFor('one to be told', async () =>
        daemons.some((daemon) => daemon.log.some((line) => line.event === 'accepts again')),
      );
    }
  },
  'made to want a password for a while': async ({ daemons, client }, traffic) => {
    await client.call('CONFIG', 'SET', 'requirepass', 'secret');
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await Promise.all(daemons.map(waitDegraded));
    await traffic.grow(60);
    await client.call('CONFIG', 'SET', 'requirepass', '');
  },
  'a replica for a while': async ({ daemons, client }, traffic) => {
    await client.call('REPLICAOF', '127.0.0.1', 1);
    await Promise.all(daemons.map(waitDegraded));
    await traffic.grow(60);
    await client.call('REPLICAOF', 'NO', 'ONE');
  },
};

suite(
  'Redis is lost under traffic',
  async (test) => {
    for (const [what, trouble] of Object.entries(TROUBLES)) {
      test(`it is ${what}`, async (t) => {
        const all = await startMany(t, 3);
        await underTraffic(t, all, (traffic) => trouble(all, traffic));
      });
    }
  },
  { concurrency: 2 },
);

suite(
  'Redis is lost',
  async (test) => {
    test('averages go on from their value', async (t) => {
      const { redis, daemons, client } = await startMany(t, 3);
      const customerId = freshId();
      for (const daemon of daemons) await daemon.must('join', aBeat({ customerId }));
      const [seconds] = await client.call('TIME');
      const ticked = Number(seconds) * 1000 - 5000;
      await client.call('SET', `ema:${customerId}`, '12.345678901');
      await client.call('SET', `au:tick:${customerId}`, ticked);
      await client.call('ZADD', 'au:customers', ticked, customerId);
      for (const daemon of daemons) assert.equal((await daemon.metrics(customerId)).ema, 12.3457);
      await redis.crash();
      await Promise.all(daemons.map(waitDegraded));
      assert.ok(await redis.start());
      await waitTruth(daemons, customerId, 3);
      const again = await redis.client();
      const ema = Number(await again.call('GET', `ema:${customerId}`));
      assert.ok(Math.abs(ema - 12.345678901) < 1e-9, `${ema}`);
      assert.equal(Number(await again.call('GET', `au:tick:${customerId}`)), ticked);
    });

    test('who left at one daemon is not brought back by another', async (t) => {
      const { redis, daemons } = await startMany(t, 2);
      const [first, second] = daemons;
      const customerId = freshId();
      const [before, meanwhile, stays] = many(3, customerId);
      for (const beat of [before, meanwhile, stays]) await first.must('join', beat);
      await second.must('leave', before);
      await redis.crash();
      await Promise.all(daemons.map(waitDegraded));
      await second.must('leave', meanwhile);
      assert.ok(await redis.start());
      await waitTruth(daemons, customerId, 1);
      await assertKeys(await redis.client(), customerId, byId([stays]));
    });

    test('who left comes back by joining again', async (t) => {
      const { redis, daemons } = await startMany(t, 2);
      const customerId = freshId();
      const beats = many(2, customerId);
      for (const beat of beats) await daemons[0].must('join', beat);
      await daemons[0].must('leave', beats[0]);
      await daemons[0].must('join', beats[0]);
      await redis.crash();
      await daemons[0].must('leave', beats[1]);
      await daemons[0].must('join', beats[1]);
      assert.ok(await redis.start());
      await waitTruth(daemons, customerId, 2);
      await assertKeys(await redis.client(), customerId, byId(beats));
    });

    test('what is said without reserve is right, by a daemon without sessions too', async (t) => {
      const { redis, daemons } = await startMany(t, 3);
      const customerId = freshId();
      const beats = many(300, customerId);
      await joinMany(t, daemons[0], beats.slice(0, 100));
      await joinMany(t, daemons[1], beats.slice(100));
      await waitTruth(daemons, customerId, beats.length);
      const said = { firmly: new Set(), stale: new Set() };
      let watching = true;
      const watched = daemons.map(async (daemon) => {
        while (watching) {
          const { count, stale } = await daemon.metrics(customerId);
          said[stale ? 'stale' : 'firmly'].add(count);
        }
      });
      await redis.crash();
      await Promise.all(daemons.map(waitDegraded));
      assert.ok(await redis.start());
      await Promise.all(daemons.map(waitWhole));
      watching = false;
      await Promise.all(watched);
      assert.deepEqual([...said.firmly], [beats.length]);
      assert.deepEqual([...said.stale], [beats.length], 'and so is the last known count');
    });

    test('for longer than a session lives: nobody is resurrected', async (t) => {
      const { redis, daemons, client } = await startMany(t, 2, { 'presence-ttl': 1 });
      const customerId = freshId();
      for (const beat of many(20, customerId)) await daemons[0].must('join', beat);
      await client.call('SAVE');
      await redis.crash();
      for (const beat of many(20, customerId)) await daemons[1].must('join', beat);
      await daemons[0].waitCount(customerId, 0);
      await daemons[1].waitCount(customerId, 0);
      assert.ok(await redis.start());
      await waitTruth(daemons, customerId, 0);
      assert.deepEqual(await (await redis.client()).keys('presence:*'), []);
    });

    test('sockets stay, count, and hear what is stale until it is not', async (t) => {
      const { redis, daemons } = await startMany(t, 1, { 'presence-ttl': 2 });
      const who = aBeat();
      const socket = await Socket.join(t, daemons[0].wsPort, who);
      await redis.crash();
      await waitDegraded(daemons[0]);
      const began = Date.now();
      await waitFor('two lives of a session', async () => {
        socket.send({ type: 'ping', timestamp: Date.now() });
        await socket.next('pong');
        assert.equal(await daemons[0].count(who.customerId), 1);
        return Date.now() - began > 4000;
      });
      await daemons[0].must('join', aBeat({ customerId: who.customerId }));
      await socket.update((data) => data.count === 2 && data.stale);
      assert.ok(await redis.start());
      const pings = setInterval(() => socket.send({ type: 'ping', timestamp: 1 }), 200);
      t.after(() => clearInterval(pings));
      await socket.update((data) => data.count >= 1 && !data.stale && data.timestamp > began + 4000);
      assert.equal(socket.closed, null);
      assert.equal(await (await redis.client()).call('EXISTS', keyOf(who)), 1);
    });

    test('a socket that vanishes meanwhile is gone after the grace, one that moved is not', async (t) => {
      const redis = await startRedis(t);
      const proxy = await Proxy.start(t, redis);
      const options = { 'disconnect-grace': 500 };
      const cutOff = await startDaemon(t, { 'redis-url': proxy.url, ...options });
      const other = await startDaemon(t, { 'redis-url': redis.url, ...options });
      await Promise.all([cutOff, other].map(waitReady));
      const customerId = freshId();
      const [vanishes, moves] = many(2, customerId);
      const sockets = [];
      for (const who of [vanishes, moves])
        sockets.push(await Socket.join(t, cutOff.wsPort, who));
      proxy.shut();
      await waitDegraded(cutOff);
      for (const socket of sockets) socket.terminate();
      await waitFor(
        'the sockets to be gone',
        async () => (await cutOff.samples()).get('au_websocket_sockets') === 0,
      );
      const began = Date.now();
      await waitFor('the clocks to differ', () => Date.now() - began > 100);
      await Socket.join(t, other.wsPort, moves);
      proxy.open();
      await waitTruth([cutOff, other], customerId, 1);
      const client = await redis.client();
      await waitFor(
        'its key to end, which may outlast its count by a round trip',
        async () => (await client.call('EXISTS', keyOf(vanishes))) === 0,
      );
      await assertKeys(client, customerId, byId([moves]));
      assert.ok((await client.call('TTL', keyOf(moves))) > 100);
    });

    test('again and again while 5,000 sessions are on their way back', async (t) => {
      const redis = await startRedis(t);
      const proxy = await Proxy.start(t, redis);
      const daemon = await startDaemon(t, { 'redis-url': proxy.url });
      await waitReady(daemon);
      const customerId = freshId();
      const beats = many(5000, customerId);
      await joinMany(t, daemon, beats);
      await redis.crash();
      await waitDegraded(daemon);
      await redis.start();
      const client = await redis.client();
      const isReplay = (words) => words[0] === 'EVAL' && words[4].includes(customerId);
      for (let i = 1; i <= 4; i += 1) {
        const [left] = beats.splice(i, 1);
        await daemon.must('leave', left);
        proxy.cutAt({ execute: i % 2 === 0, show: () => 2 }, isReplay, 900 * i);
        await proxy.waitCut();
      }
      await waitTruth([daemon], customerId, beats.length);
      await assertKeys(client, customerId, byId(beats));
    });

    for (const [what, meanwhile] of Object.entries({
      'while Redis is lost': async () => {},
      'while Redis is told': async (redis) => {
        await redis.start();
        const client = await redis.client();
        await waitFor('the first sessions', async () => (await client.call('DBSIZE')) > 10);
      },
      'while Redis stands still': async (redis, daemon) => {
        await redis.start();
        await waitWhole(daemon);
        redis.freeze();
        daemon.post('join', aBeat()).catch(() => {}); // it may be cut off
      },
    })) {
      test(`a daemon that is stopped ${what} ends well`, async (t) => {
        const { redis, daemons } = await startMany(t, 1);
        await joinMany(t, daemons[0], many(5000, freshId()));
        await redis.crash();
        await waitDegraded(daemons[0]);
        await meanwhile(redis, daemons[0]);
        await daemons[0].stop();
      });
    }

    test('10,000 sessions of three daemons are all back', async (t) => {
      const { redis, daemons } = await startMany(t, 3);
      const customerId = freshId();
      const beats = many(10_000, customerId);
      await Promise.all(
        daemons.map((daemon, i) => joinMany(t, daemon, beats.filter((_, j) => j % 3 === i))),
      );
      await waitTruth(daemons, customerId, beats.length);
      await redis.crash();
      await Promise.all(daemons.map(waitDegraded));
      const said = await Promise.all(daemons.map((daemon) => daemon.metrics(customerId)));
      for (const { count, stale } of said) assert.deepEqual([count, stale], [10_000, true]);
      assert.ok(await redis.start());
      const began = Date.now();
      await waitTruth(daemons, customerId, beats.length);
      t.diagnostic(`right after ${Date.now() - began} ms`);
      await assertKeys(await redis.client(), customerId, byId(beats));
    });
  },
  { concurrency: 3 },
);

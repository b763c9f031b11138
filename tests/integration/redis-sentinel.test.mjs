// The daemon follows the master that the sentinels name (contract §2, §7).
import assert from 'node:assert/strict';

import {
  fakeSentinel,
  MASTER,
  sentinelUrl,
  startSentinels,
  startTrio,
} from './harness/sentinel.mjs';
import {
  aBeat,
  freePort,
  freshId,
  keyOf,
  Socket,
  startDaemon,
  startRedis,
  suite,
  waitFor,
  waitReady,
  waitWhole,
} from './harness.mjs';

const LINKS = ['active-users', 'active-users-pubsub'];

/** The masters that a link of the daemon found, in order. */
const found = (daemon, link = LINKS[0]) =>
  daemon.log
    .filter((line) => line.event === 'master found' && line.link === link)
    .map((line) => line.port);

const waitFound = (daemon, port) =>
  waitFor(`both links to find ${port}`, () =>
    LINKS.every((link) => found(daemon, link).at(-1) === port),
  );

/** Joins until the answer is 200 and the session is in the Redis at hand. */
async function joinsIn(daemon, redis, customerId) {
  const client = await redis.client();
  const beat = aBeat({ customerId });
  await waitFor(
    'a join to be in the new master',
    async () =>
      (await daemon.post('join', beat)).status === 200 &&
      (await client.call('EXISTS', keyOf(beat))),
  );
}

/** A daemon with twenty sessions that the replica has too, and a socket that hears of them. */
async function busyDaemon(t, trio) {
  const daemon = await startDaemon(t, { 'redis-url': trio.url, 'ema-interval': 200 });
  await waitReady(daemon);
  await waitFound(daemon, trio.master.port);
  const customerId = freshId();
  const watcher = await Socket.join(t, daemon.wsPort, { customerId });
  for (let i = 0; i < 20; i += 1) await daemon.must('join', aBeat({ customerId }));
  await watcher.update((data) => data.count === 20);
  const replica = await trio.replica.client();
  await waitFor('the replica to have them', async () => {
    assert.equal((await replica.keys(`presence:${customerId}:*`)).length, 20);
    return (await replica.call('ZCARD', `au:idx:${customerId}`)) === 20;
  });
  return { daemon, customerId, watcher };
}

/** The busy daemon finds the promoted `redis`, where nobody was lost and new ones are counted. */
async function goesOnAt(redis, { daemon, customerId, watcher }) {
  await waitFound(daemon, redis.port);
  await waitWhole(daemon);
  assert.equal(await daemon.count(customerId), 20);
  await joinsIn(daemon, redis, customerId);
  assert.equal(await daemon.count(customerId), 21);
  await watcher.update((data) => data.count === 21);
}

suite('with sentinels', async (test) => {
  test('a master that dies: the daemon goes on at the promoted replica, nobody is lost', async (t) => {
    const trio = await startTrio(t);
    const busy = await busyDaemon(t, trio);
    await trio.master.crash();
    await goesOnAt(trio.replica, busy);
    assert.deepEqual(found(busy.daemon), [trio.master.port, trio.replica.port]);
  });

  test('a planned failover: the daemon goes on at the new master', async (t) => {
    const trio = await startTrio(t);
    const busy = await busyDaemon(t, trio);
    await waitFor('a failover to begin', () =>
      trio.sentinels[0].call('SENTINEL', 'FAILOVER', MASTER),
    );
    await goesOnAt(trio.replica, busy);
  });

  test('a master that was demoted by hand: READONLY sends the daemon to the sentinels again', async (t) => {
    const [first, second] = [await startRedis(t), await startRedis(t)];
    const sentinel = await fakeSentinel(t, first.port);
    const daemon = await startDaemon(t, { 'redis-url': sentinelUrl([sentinel]) });
    await waitReady(daemon);
    await joinsIn(daemon, first, freshId());
    sentinel.names = second.port;
    const client = await first.client();
    await client.call('REPLICAOF', '127.0.0.1', second.port);
    await joinsIn(daemon, second, freshId());
    await waitWhole(daemon);
    assert.deepEqual(found(daemon), [first.port, second.port]);
  });

  test('a master that was replaced and does not know it: the sentinels are asked now and then', async (t) => {
    const [first, second] = [await startRedis(t), await startRedis(t)];
    const sentinel = await fakeSentinel(t, first.port);
    const daemon = await startDaemon(t, { 'redis-url': sentinelUrl([sentinel]) });
    await waitWhole(daemon);
    const beat = aBeat();
    await daemon.must('join', beat);
    sentinel.silent = true; // nobody knows better: the daemon stays where it is
    const asked = sentinel.asked;
    await waitFor('both links to ask', () => sentinel.asked >= asked + 2);
    assert.equal((await daemon.get('/health')).json.status, 'ok');
    sentinel.silent = false;
    sentinel.names = second.port;
    await waitFound(daemon, second.port);
    await waitWhole(daemon);
    const client = await second.client();
    assert.equal(await client.call('EXISTS', keyOf(beat)), 1);
    assert.deepEqual(found(daemon), [first.port, second.port]);
  });

  test('a sentinel that names a replica is not believed, and the next one is asked', async (t) => {
    const master = await startRedis(t);
    const replica = await startRedis(t, { options: ['--replicaof', '127.0.0.1', master.port] });
    const stale = await fakeSentinel(t, replica.port);
    const right = await fakeSentinel(t, master.port);
    const daemon = await startDaemon(t, { 'redis-url': sentinelUrl([stale, right]) });
    await waitReady(daemon);
    await joinsIn(daemon, master, freshId());
    assert.deepEqual(found(daemon), [replica.port, master.port]);
    const reasons = daemon.log.filter((line) => line.event === 'connection failed' && line.link === LINKS[0]);
    assert.deepEqual(
      reasons.map((line) => line.reason),
      ['the server that Sentinel named is not a master'],
    );
  });

  test('while every sentinel names a replica, the daemon waits; then it goes on', async (t) => {
    const master = await startRedis(t);
    const replica = await startRedis(t, { options: ['--replicaof', '127.0.0.1', master.port] });
    const sentinel = await fakeSentinel(t, replica.port);
    const daemon = await startDaemon(t, { 'redis-url': sentinelUrl([sentinel]) });
    await waitFor('a few more questions', () => sentinel.asked >= 6);
    const { status } = await waitFor('the reason', async () => {
      const { json } = await daemon.get('/health');
      return json.reason === 'the server that Sentinel named is not a master' && json;
    });
    assert.equal(status, 'degraded');
    await (await replica.client()).call('REPLICAOF', 'NO', 'ONE');
    await waitWhole(daemon);
    await joinsIn(daemon, replica, freshId());
  });

  test('sentinels that are not there are passed over', async (t) => {
    const master = await startRedis(t);
    const gone = [{ port: await freePort() }, { port: await freePort() }];
    const sentinel = await fakeSentinel(t, master.port);
    const daemon = await startDaemon(t, { 'redis-url': sentinelUrl([...gone, sentinel]) });
    await waitReady(daemon);
    assert.ok(!daemon.log.some((line) => line.event === 'connection failed'), daemon.stderr);
  });

  /**
   * What may be wrong with a URL that is well formed. Each sets the scene and returns the URL, the
   * reason that /health gives, and, where it can be mended, how.
   */
  const wrong = {
    'a port where nothing listens': async (t) => {
      const redis = await startRedis(t, { start: false });
      return {
        url: redis.url,
        reason: 'redis cannot be reached',
        mend: () => redis.start(),
      };
    },
    'a host that no network leads to': async () => ({
      url: 'redis://192.0.2.1', // set aside for documentation
      reason: 'redis cannot be reached',
    }),
    'a host without a name': async () => ({
      url: 'redis://no.such.host.invalid',
      reason: 'redis cannot be reached',
    }),
    'a wrong password': async (t) => {
      const redis = await startRedis(t, { options: ['--requirepass', 'right'] });
      return {
        url: `redis://:hunter2@127.0.0.1:${redis.port}`,
        reason: 'redis refuses the user or password',
        mend: async () => {
          const client = await redis.client();
          await client.call('AUTH', 'right');
          await client.call('CONFIG', 'SET', 'requirepass', 'hunter2');
        },
      };
    },
    'no password': async (t) => {
      const redis = await startRedis(t, { options: ['--requirepass', 'right'] });
      return {
        url: redis.url,
        reason: 'redis wants a password',
        mend: async () => {
          const client = await redis.client();
          await client.call('AUTH', 'right');
          await client.call('CONFIG', 'SET', 'requirepass', '');
        },
      };
    },
    'a database that is not there': async (t) => ({
      url: `${(await startRedis(t)).url}/99`,
      reason: 'redis does not have the database of the URL',
    }),
    'sentinels that are all down': async (t) => {
      const sentinels = await startSentinels(t, await startRedis(t), { count: 2, start: false });
      return {
        url: sentinelUrl(sentinels),
        reason: 'no sentinel can be reached',
        mend: () => Promise.all(sentinels.map((sentinel) => sentinel.start())),
      };
    },
    'a plain Redis for a sentinel': async (t) => ({
      url: sentinelUrl([await startRedis(t)]),
      reason: 'a host of the URL is no sentinel: write redis:// for a plain redis',
    }),
    'a master that the sentinels do not know': async (t) => {
      const redis = await startRedis(t);
      const sentinels = await startSentinels(t, redis, { count: 1 });
      return {
        url: sentinelUrl([...sentinels, { port: await freePort() }], 'other'),
        reason: 'the sentinels do not know the master of the URL',
        mend: () => sentinels[0].call('SENTINEL', 'MONITOR', 'other', '127.0.0.1', redis.port, 1),
      };
    },
    'sentinels that want a password': async (t) => ({
      url: sentinelUrl(
        await startSentinels(t, await startRedis(t), { count: 1, lines: ['requirepass x'] }),
      ),
      reason: 'the sentinels want a password, which is not supported',
    }),
  };
  for (const [what, set] of Object.entries(wrong)) {
    test(`${what}: degraded, the reason, one line of each link, and it keeps trying`, async (t) => {
      const { url, reason, mend } = await set(t);
      const daemon = await startDaemon(t, { 'redis-url': url, 'log-level': 'debug' });
      await waitFor('the reason', async () => {
        const health = (await daemon.get('/health')).json;
        assert.equal(health.status, 'degraded');
        return health.reason === reason;
      });
      await waitFor('both links to say so', () =>
        LINKS.every((link) =>
          daemon.log.some((line) => line.event === 'connection failed' && line.link === link),
        ),
      );
      if (mend) {
        await mend();
        await waitWhole(daemon);
        await daemon.must('join', aBeat());
      }
      const warnings = daemon.log.filter(
        (line) => line.component !== 'main' && ['warn', 'error'].includes(line.level),
      );
      assert.deepEqual(
        warnings.map((line) => line.reason),
        [reason, reason],
        daemon.stderr,
      );
      assert.deepEqual(warnings.map((line) => line.link).sort(), LINKS);
      assert.ok(!daemon.stderr.includes('hunter2'), daemon.stderr);
    });
  }
});

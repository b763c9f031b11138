// A Redis Cluster: customers are spread over its masters, and one node's trouble is that of its
// own customers (contract §2, §5, §7).
import assert from 'node:assert/strict';

import {
  aBeat,
  beginMove,
  endMove,
  freshId,
  info,
  moveKey,
  moveKeys,
  slotOf,
  Socket,
  startCluster,
  startDaemon,
  startRedis,
  suite,
  taggedKeyOf,
  waitDegraded,
  waitFor,
  waitReady,
  waitWhole,
} from './harness.mjs';

/** A daemon subscribes at one node, whichever that is. */
const subscribers = async (node, customerId) =>
  (await node.ask.call('PUBSUB', 'NUMSUB', `metrics:${customerId}`))[1];
const isSubscribed = async (cluster, customerId) => {
  for (const node of cluster.masters) if ((await subscribers(node, customerId)) > 0) return true;
  return false;
};

const health = async (daemon) => (await daemon.get('/health')).json;

suite('a cluster of three masters', async (test, shared) => {
  const cluster = await startCluster(shared);
  const flags = { 'redis-url': cluster.url, 'ema-interval': 200 };
  const [one, two] = [await startDaemon(shared, flags), await startDaemon(shared, flags)];
  for (const daemon of [one, two]) await waitWhole(daemon);

  test('customers are spread by their slots, and all are counted', async () => {
    const prefix = freshId('spread');
    const customers = Array.from({ length: 300 }, (_, i) => `${prefix}-${i}`);
    const used = new Set();
    await Promise.all(
      customers.map(async (customerId, i) => {
        const beats = Array.from({ length: 1 + (i % 3) }, () => aBeat({ customerId }));
        for (const beat of beats) await (i % 2 === 0 ? one : two).must('join', beat);
        const master = cluster.masterOf(customerId);
        used.add(master);
        for (const beat of beats)
          assert.equal(await master.ask.call('EXISTS', taggedKeyOf(beat)), 1, customerId);
        assert.equal(await master.ask.call('ZCARD', `au:idx:{${customerId}}`), beats.length);
        for (const daemon of [one, two])
          assert.equal(await daemon.count(customerId), beats.length, customerId);
      }),
    );
    assert.equal(used.size, 3);
  });

  test('leave ends a session of every node', async () => {
    for (const master of cluster.masters) {
      const [customerId] = cluster.customersOf(master, 1, freshId('leave'));
      const beats = [aBeat({ customerId }), aBeat({ customerId })];
      for (const beat of beats) await one.must('join', beat);
      await two.must('leave', beats[0]);
      assert.equal(await one.count(customerId), 1);
    }
  });

  test('customers of every node are ticked, and forgotten when they are empty', async () => {
    for (const master of cluster.masters) {
      const [customerId] = cluster.customersOf(master, 1, freshId('tick'));
      const beat = aBeat({ customerId });
      await one.must('join', beat);
      // Until its first tick GET /metrics gives the count.
      await waitFor('a tick', () => master.ask.call('GET', `ema:{${customerId}}`));
      await one.must('leave', beat);
      await waitFor(
        'no key to be left but tombstones and the history',
        async () =>
          (await master.ask.keys(`*{${customerId}}*`)).every((key) => /^au:(left|min|hour|uniq|peak):/.test(key)),
        { timeoutMs: 60_000 },
      );
      for (const { ask } of cluster.masters)
        for (const list of await ask.keys('au:customers:*'))
          assert.equal(await ask.call('ZSCORE', list, customerId), null);
    }
  });

  test('a change reaches a socket at another daemon, on every node', async (t) => {
    for (const master of cluster.masters) {
      const [customerId] = cluster.customersOf(master, 1, freshId('socket'));
      const watcher = await Socket.join(t, two.wsPort, { customerId });
      await waitFor('the subscription', () => isSubscribed(cluster, customerId));
      const beat = aBeat({ customerId });
      await one.must('join', beat);
      await watcher.update((data) => data.count === 1);
    }
  });

  test('a key of another program counts, and one deleted by hand does not', async () => {
    for (const master of cluster.masters) {
      const [customerId] = cluster.customersOf(master, 1, freshId('foreign'));
      const beat = aBeat({ customerId });
      await master.ask.call('SET', taggedKeyOf(beat), JSON.stringify(beat), 'EX', 60);
      await one.waitCount(customerId, 1);
      await master.ask.call('DEL', taggedKeyOf(beat));
      await one.waitCount(customerId, 0);
    }
  });
});

suite('slots that move', async (test, shared) => {
  const cluster = await startCluster(shared);
  const daemon = await startDaemon(shared, { 'redis-url': cluster.url, 'ema-interval': 200 });
  await waitWhole(daemon);

  test('nothing is lost while a slot moves under beats', async () => {
    const [from, to] = cluster.masters;
    const [customerId] = cluster.customersOf(from, 1, freshId('moving'));
    const slot = slotOf(customerId);
    const beats = Array.from({ length: 20 }, () => aBeat({ customerId }));
    for (const beat of beats) await daemon.must('join', beat);
    const beatAll = async () => {
      for (const beat of beats) await daemon.must('beat', beat);
      const late = aBeat({ customerId });
      await daemon.must('join', late);
      beats.push(late);
      assert.equal(await daemon.count(customerId), beats.length);
    };
    await beginMove(slot, from, to);
    await beatAll(); // keys are still there; what is new is asked for at the other node
    assert.equal(await from.ask.call('EXISTS', taggedKeyOf(beats.at(-1))).catch(() => 0), 0);
    await moveKeys(slot, from, to);
    await beatAll(); // all of it by ASK
    await moveKeys(slot, from, to);
    await endMove(slot, to, cluster.nodes);
    await beatAll(); // by MOVED
    assert.equal(await to.ask.call('ZCARD', `au:idx:{${customerId}}`), beats.length);
    await beatAll();
    await daemon.must('leave', beats[0]);
    assert.equal(await daemon.count(customerId), beats.length - 1);
    await waitWhole(daemon); // a command with two keys of a slot half moved is refused for a moment
  });

  test('a leave while only some of its keys have moved is not forgotten', async () => {
    const [from, to] = cluster.masters;
    const [customerId] = cluster.customersOf(from, 1, freshId('half'));
    const slot = slotOf(customerId);
    const [goes, stays] = [aBeat({ customerId }), aBeat({ customerId })];
    for (const beat of [goes, stays]) await daemon.must('join', beat);
    await beginMove(slot, from, to);
    await moveKey(`au:idx:{${customerId}}`, from, to);
    await daemon.must('leave', goes); // about two keys: TRYAGAIN
    const { status, reason } = await health(daemon);
    assert.deepEqual([status, reason], ['degraded', 'a key is being moved between nodes']);
    assert.equal(await from.ask.call('EXISTS', taggedKeyOf(goes)), 1);
    await moveKeys(slot, from, to);
    await endMove(slot, to, cluster.nodes);
    await daemon.waitCount(customerId, 1);
    assert.equal(await to.ask.call('EXISTS', taggedKeyOf(goes)), 0);
    assert.equal(await to.ask.call('EXISTS', taggedKeyOf(stays)), 1);
    await waitWhole(daemon);
  });

  test('a listener hears its customer wherever it is served', async (t) => {
    const [from, , to] = cluster.masters;
    const [customerId] = cluster.customersOf(from, 1, freshId('heard'));
    const slot = slotOf(customerId);
    const watcher = await Socket.join(t, daemon.wsPort, { customerId });
    await waitFor('the subscription', () => isSubscribed(cluster, customerId));
    await endMove(slot, to, cluster.nodes);
    await daemon.must('join', aBeat({ customerId }));
    await watcher.update((data) => data.count === 1);
    await daemon.must('join', aBeat({ customerId }));
    await watcher.update((data) => data.count === 2);
  });
}, { concurrency: 1 });

suite('a node that is lost', async (test, shared) => {
  const cluster = await startCluster(shared);
  const daemon = await startDaemon(shared, { 'redis-url': cluster.url, 'ema-interval': 500 });
  await waitWhole(daemon);
  const [first, second, third] = cluster.masters;
  const customerAt = (master) => cluster.customersOf(master, 1, freshId('lost'))[0];

  /** Joins of customers of the other nodes are acknowledged, counted and stored meanwhile. */
  async function othersAreServed() {
    for (const master of [second, third]) {
      const beat = aBeat({ customerId: customerAt(master) });
      await daemon.must('join', beat);
      assert.equal(await daemon.count(beat.customerId), 1);
      assert.equal(await master.ask.call('EXISTS', taggedKeyOf(beat)), 1);
      await waitFor('a tick', () => master.ask.call('GET', `ema:{${beat.customerId}}`));
    }
  }

  test('frozen: the others are served, its own when it thaws', async () => {
    const own = aBeat({ customerId: customerAt(first) });
    await daemon.must('join', own);
    first.freeze();
    await othersAreServed(); // at once, before anybody has noticed
    await daemon.post('beat', own); // whatever the answer, it is not waited for forever
    await waitFor('the lost node to be named', async () =>
      (await health(daemon)).reason?.startsWith('1 of 3 nodes lost'),
    );
    assert.equal((await daemon.get('/ready')).status, 200);
    await othersAreServed();
    first.thaw();
    await waitWhole(daemon);
    await daemon.must('beat', own);
    await daemon.waitCount(own.customerId, 1);
  });

  test('killed: the others go on, and it counts again when it is back, though empty', async () => {
    const own = aBeat({ customerId: customerAt(first) });
    await daemon.must('join', own);
    await first.crash();
    await waitDegraded(daemon);
    await othersAreServed();
    assert.ok(await first.start());
    first.ask = await first.client();
    await waitFor('its customer to be there again', async () => {
      await daemon.must('beat', own); // a node that comes back refuses writes for two seconds
      return (await first.ask.call('EXISTS', taggedKeyOf(own))) === 1;
    });
    await waitWhole(daemon);
    await daemon.waitCount(own.customerId, 1);
    await othersAreServed();
  });
}, { concurrency: 1 });

suite('the node that a daemon subscribes at', async (test, shared) => {
  const cluster = await startCluster(shared, { masters: 4, canIsolate: true });
  const flags = { 'redis-url': cluster.url, 'ema-interval': 60_000 };
  const [one, two] = [await startDaemon(shared, flags), await startDaemon(shared, flags)];
  for (const daemon of [one, two]) await waitWhole(daemon);
  const lost = [];

  async function holderOf(customerId) {
    for (const node of cluster.masters)
      if (!lost.includes(node) && (await subscribers(node, customerId)) > 0) return node;
    return undefined;
  }

  /** The customer's own server is another one than that of the subscription. */
  async function watchedElsewhere(t, name) {
    const prefix = freshId(name);
    const probe = `${prefix}-probe`;
    await Socket.join(t, two.wsPort, { customerId: probe });
    await waitFor('a subscription', () => holderOf(probe));
    const holder = await holderOf(probe);
    const other = cluster.masters.find((node) => node !== holder && !lost.includes(node));
    const [customerId] = cluster.customersOf(other, 1, prefix);
    const watcher = await Socket.join(t, two.wsPort, { customerId });
    await waitFor('the subscription', async () => (await holderOf(customerId)) === holder);
    return { holder, customerId, watcher };
  }

  async function isHeardAgain(t, { holder, customerId, watcher }, began) {
    lost.push(holder);
    await waitFor('a subscription elsewhere', () => holderOf(customerId));
    await one.must('join', aBeat({ customerId }));
    await watcher.update((data) => data.count === 2);
    t.diagnostic(`heard again after ${Date.now() - began} ms`);
  }

  test('is cut off from the others, though it answers: changes are heard again', async (t) => {
    const watched = await watchedElsewhere(t, 'apart');
    await one.must('join', aBeat({ customerId: watched.customerId }));
    await watched.watcher.update((data) => data.count === 1);
    cluster.isolate(watched.holder);
    await waitFor('the node to know that it is alone', async () =>
      (await info(watched.holder)).cluster_state === 'fail',
    );
    assert.equal(await watched.holder.ask.call('PING'), 'PONG');
    await isHeardAgain(t, watched, Date.now());
  });

  test('is killed: changes are heard again', async (t) => {
    const watched = await watchedElsewhere(t, 'killed');
    await one.must('join', aBeat({ customerId: watched.customerId }));
    await watched.watcher.update((data) => data.count === 1);
    await watched.holder.crash();
    await isHeardAgain(t, watched, Date.now());
  });
}, { concurrency: 1 });

suite('a replica', async (test, shared) => {
  const cluster = await startCluster(shared, { replicas: 1 });
  const daemon = await startDaemon(shared, { 'redis-url': cluster.url, 'ema-interval': 500 });
  await waitWhole(daemon);

  test('takes over, and the daemon follows', async (t) => {
    const replica = cluster.nodes.at(-1);
    const customers = cluster.customersOf(cluster.masters[0], 10, freshId('failover'));
    const watcher = await Socket.join(t, daemon.wsPort, { customerId: customers[0] });
    const beats = customers.map((customerId) => aBeat({ customerId }));
    for (const beat of beats) await daemon.must('join', beat);
    await replica.ask.call('READONLY');
    await waitFor('replication', async () => (await replica.ask.call('DBSIZE')) >= 20);
    await cluster.masters[0].crash();
    await waitDegraded(daemon);
    const [gone] = beats.splice(1, 1); // what happens meanwhile is told to the successor
    await daemon.must('leave', gone);
    const late = aBeat({ customerId: cluster.customersOf(cluster.masters[0], 1, 'late')[0] });
    await daemon.must('join', late);
    await waitFor('the replica to be a master', async () =>
      (await replica.ask.call('ROLE'))[0] === 'master',
    );
    await waitWhole(daemon);
    assert.equal(await replica.ask.call('EXISTS', taggedKeyOf(late)), 1);
    assert.equal(await replica.ask.call('EXISTS', taggedKeyOf(gone)), 0);
    assert.equal(await daemon.count(gone.customerId), 0);
    for (const beat of beats) {
      assert.equal(await daemon.count(beat.customerId), 1);
      await daemon.must('beat', beat);
      assert.equal(await replica.ask.call('EXISTS', taggedKeyOf(beat)), 1);
    }
    await daemon.must('join', aBeat({ customerId: customers[0] }));
    await watcher.update((data) => data.count === 2);
  });
});

suite('a replica that lags', async (test, shared) => {
  const cluster = await startCluster(shared, { replicas: 1 });
  const daemon = await startDaemon(shared, { 'redis-url': cluster.url, 'ema-interval': 500 });
  await waitWhole(daemon);

  test('takes over, and is told what it had not heard of', async () => {
    const [master, replica] = [cluster.masters[0], cluster.nodes.at(-1)];
    const [customerId] = cluster.customersOf(master, 1, freshId('lag'));
    const [goes, stays, late] = ['goes', 'stays', 'late'].map((sessionId) =>
      aBeat({ customerId, sessionId }),
    );
    for (const beat of [goes, stays]) await daemon.must('join', beat);
    await replica.ask.call('READONLY');
    const isThere = (beat) => replica.ask.call('EXISTS', taggedKeyOf(beat));
    await waitFor('replication', async () => (await isThere(goes)) + (await isThere(stays)) === 2);
    replica.freeze();
    await master.ask.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await waitFor('the master to be alone', async () =>
      (await master.ask.call('INFO', 'replication')).includes('connected_slaves:0'),
    );
    await daemon.must('leave', goes);
    await daemon.must('join', late);
    await master.crash(); // and nobody comes or goes while it is away
    replica.thaw();
    await waitFor('the replica to be a master', async () =>
      (await replica.ask.call('ROLE'))[0] === 'master',
    );
    await waitFor('all to be told', async () => (await isThere(late)) && !(await isThere(goes)));
    await waitWhole(daemon);
    assert.equal(await daemon.count(customerId), 2);
  });
});

suite('the wrong kind of URL', async (test) => {
  test('redis+cluster:// at a single Redis says so, and goes on', async (t) => {
    const redis = await startRedis(t);
    const url = `redis+cluster://127.0.0.1:${redis.port}`;
    const daemon = await startDaemon(t, { 'redis-url': url });
    await waitFor('the reason', async () =>
      (await health(daemon)).reason?.includes('no cluster: use redis://'),
    );
    assert.equal((await health(daemon)).status, 'degraded');
    const said = () => daemon.log.filter((line) => line.event === 'no map');
    assert.equal(said().length, 1);
  });

  test('redis:// at a node of a cluster says so', async (t) => {
    const cluster = await startCluster(t, { masters: 2 });
    const daemon = await startDaemon(t, { 'redis-url': cluster.masters[0].url });
    await waitReady(daemon);
    const [customerId] = cluster.customersOf(cluster.masters[1], 1, freshId('plain'));
    await waitFor('the reason', async () => {
      await daemon.post('join', aBeat({ customerId }));
      return (await health(daemon)).reason?.includes('use redis+cluster://');
    });
  });
});

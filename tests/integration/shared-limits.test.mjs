// Limits of several daemons on one Redis: what is spent at one counts at all, a second later.
import assert from 'node:assert/strict';

import {
  aBeat,
  freshId,
  startCluster,
  startDaemon,
  startRedis,
  suite,
  waitFor,
  waitWhole,
} from './harness.mjs';

const LIMIT = 100;

const startThree = async (t, redis, options = {}, env = {}) => {
  const daemons = [];
  for (let i = 0; i < 3; i += 1) {
    const daemon = await startDaemon(t, { 'redis-url': redis.url, ...options }, env);
    await waitWhole(daemon);
    await waitFor(
      'the names of addresses',
      async () => (await daemon.get('/admin/addresses/::1')).status === 200,
    );
    daemons.push(daemon);
  }
  return daemons;
};

/** Requests until one is 429; how many were let through. `everyMs` apart. */
const exhaust = async (ask, everyMs = 0) => {
  let allowed = 0;
  await waitFor(
    'a 429',
    async () => {
      const { status } = await ask();
      if (status === 429) return true;
      assert.equal(status, 200);
      allowed += 1;
      return false;
    },
    { everyMs: everyMs || 1 },
  );
  return allowed;
};

const join = (daemon, from, beat) =>
  daemon.request('POST', '/presence/join', {
    from,
    body: beat,
    headers: { 'content-type': 'application/json' },
  });

/** What all daemons have told of budgets that begin so. */
const told = async (clients, prefix) => {
  let sum = 0;
  for (const client of clients)
    for (const key of await client.keys('au:spent*')) {
      assert.ok((await client.call('PTTL', key)) > 0, 'every key has an end');
      const pairs = await client.call('HGETALL', key);
      for (let i = 0; i < pairs.length; i += 2)
        if (pairs[i].startsWith(prefix)) sum += Number(pairs[i + 1]);
    }
  return sum;
};

suite('shared limits: one Redis, three daemons', async (test, shared) => {
  const redis = await startRedis(shared);
  const client = await redis.client();
  const daemons = await startThree(shared, redis, { 'rate-ip': LIMIT, 'rate-customer': LIMIT });
  const [a, ...others] = daemons;

  // One daemon lets LIMIT through. Each other lets through what comes before its first exchange,
  // which is a second away at most: at five requests a second that is far from LIMIT.
  const overshoot = async (ask) => {
    assert.equal(await exhaust(() => ask(a)), LIMIT);
    for (const daemon of others) {
      const allowed = await exhaust(() => ask(daemon), 200);
      assert.ok(allowed >= 1 && allowed <= LIMIT / 2, `${allowed} of ${LIMIT}`);
    }
  };

  test('joins of an address', async () => {
    await overshoot((daemon) => join(daemon, '127.0.4.1', aBeat()));
    assert.ok((await told([client], 'a:')) >= LIMIT);
  });

  test('reads of an address', () =>
    overshoot((daemon) =>
      daemon.request('GET', `/metrics?customerId=${freshId('c')}`, { from: '127.0.4.2' }),
    ));

  test('joins and reads of a customer, which do not use up one another', async () => {
    const customerId = freshId('shop');
    let n = 0;
    const from = () => `127.0.5.${1 + (n++ % 250)}`; // no address comes near its limit
    await overshoot((daemon) => join(daemon, from(), aBeat({ customerId })));
    await overshoot((daemon) =>
      daemon.request('GET', `/metrics?customerId=${customerId}`, { from: from() }),
    );
    assert.ok((await told([client], `P:${customerId}`)) >= LIMIT);
    assert.ok((await told([client], `R:${customerId}`)) >= LIMIT);
  });

  test('another address and another customer are not touched', async () => {
    for (const daemon of daemons) {
      assert.equal((await join(daemon, '127.0.4.9', aBeat())).status, 200);
    }
  });

  test('what all three get at once: each lets LIMIT through at the most', async () => {
    const from = '127.0.4.3';
    const allowed = await Promise.all(
      daemons.map((daemon) => exhaust(() => join(daemon, from, aBeat()))),
    );
    const sum = allowed.reduce((x, y) => x + y);
    assert.ok(sum >= LIMIT && sum <= 3 * LIMIT, `${sum}`);
  });

  test('beats and sockets that begin sessions', async (t) => {
    const own = await startRedis(t);
    const ownClient = await own.client();
    const [one, two] = await startThree(t, own, { 'new-sessions-ip': 1 });
    const from = '127.0.4.4';
    const beat = (daemon) =>
      daemon.request('POST', '/presence/beat', {
        from,
        body: aBeat(),
        headers: { 'content-type': 'application/json' },
      });
    const first = await exhaust(() => beat(one)); // the burst
    assert.ok(first >= 1000);
    await waitFor('all of it to be told', async () => (await told([ownClient], 'c:')) >= first);
    const second = await exhaust(() => beat(two), 200);
    assert.ok(second >= 1 && second < first / 2, `${second}`);
  });
});

suite('shared limits: Cluster', async (test, shared) => {
  const cluster = await startCluster(shared);
  const [a, b] = await startThree(shared, cluster, { 'rate-customer': LIMIT });

  test('customers of all nodes share their limits', async () => {
    for (const node of cluster.masters) {
      const [customerId] = cluster.customersOf(node, 1, freshId('shop'));
      assert.equal(await exhaust(() => join(a, '127.0.0.2', aBeat({ customerId }))), LIMIT);
      const allowed = await exhaust(() => join(b, '127.0.0.2', aBeat({ customerId })), 200);
      assert.ok(allowed <= LIMIT / 2, `${allowed}`);
    }
  });
});

suite('shared limits: without Redis, and with strict privacy', async (test) => {
  test('a lost Redis: each daemon goes by what is spent at itself', async (t) => {
    const redis = await startRedis(t);
    const daemons = await startThree(t, redis, { 'rate-ip': LIMIT });
    await redis.crash();
    for (const daemon of daemons)
      assert.equal(await exhaust(() => join(daemon, '127.0.6.1', aBeat())), LIMIT);
    await redis.start();
    for (const daemon of daemons) await waitWhole(daemon);
    assert.equal(await exhaust(() => join(daemons[0], '127.0.6.2', aBeat())), LIMIT);
    assert.ok((await exhaust(() => join(daemons[1], '127.0.6.2', aBeat()), 200)) <= LIMIT / 2);
  });

  test('strict: addresses are not shared, customers are', async (t) => {
    const redis = await startRedis(t);
    const client = await redis.client();
    const options = { privacy: 'strict', 'rate-ip': LIMIT, 'rate-customer': LIMIT };
    const daemons = await startThree(t, redis, options, { AU_PRIVACY_KEY: '0123456789abcdef' });
    for (const daemon of daemons)
      assert.equal(await exhaust(() => join(daemon, '127.0.6.3', aBeat())), LIMIT);
    await waitFor('what was spent', async () => (await told([client], 'P:')) === 3 * LIMIT);
    for (const pot of ['a:', 'b:', 'c:']) assert.equal(await told([client], pot), 0);
  });
});

// What operators read and undo under /admin/: the same on both stores, and for several daemons.
import assert from 'node:assert/strict';

import {
  aBeat,
  assertBadRequest,
  assertError,
  freshId,
  keyOf,
  Socket,
  startCluster,
  startDaemon,
  startOn,
  startRedis,
  STORES,
  suite,
  waitFor,
  waitWhole,
} from './harness.mjs';

const HONEST = '127.0.0.2';
const FAKER = '127.0.0.3';

const admin = async (daemon, method, path, body) => {
  const answer = await daemon.request(method, `/admin/${path}`, {
    body,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
  });
  return answer;
};

const must = async (daemon, method, path, body) => {
  const answer = await admin(daemon, method, path, body);
  assert.equal(answer.status, 200, `${method} ${path}: ${answer.text}`);
  assert.equal(answer.headers['cache-control'], 'no-store');
  return answer.json;
};

/** Until an address has its hash: the secret comes from Redis. */
const waitNames = (daemon) =>
  waitFor('the secret', async () => (await admin(daemon, 'GET', 'addresses/::1')).status === 200);

const join = async (daemon, from, beat) => {
  const answer = await daemon.request('POST', '/presence/join', {
    from,
    body: beat,
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(answer.status, 200, answer.text);
};

/** So many sessions of an address, some at a time. */
const crowd = async (daemon, from, customerId, n) => {
  for (let at = 0; at < n; at += 100)
    await Promise.all(
      Array.from({ length: Math.min(100, n - at) }, (_, i) =>
        join(daemon, from, aBeat({ customerId, sessionId: `${from}-${at + i}` })),
      ),
    );
};

/** All pages of something. */
const pages = async (daemon, path, next, rowsOf) => {
  const all = [];
  let after = null;
  do {
    const query = after === null ? '' : `${path.includes('?') ? '&' : '?'}${next}=${after}`;
    const page = await must(daemon, 'GET', path + query);
    all.push(rowsOf(page));
    after = page.next === null ? null : encodeURIComponent(page.next);
  } while (after !== null);
  return all;
};

for (const store of STORES)
  suite(`admin: ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared, { 'ema-interval': 3600_000 });
    await waitNames(daemon);

    test('customers by their counts, page by page', async (t) => {
      const own = await startOn(store, t, { 'ema-interval': 3600_000 });
      const counts = { a: 3, 'b/b': 1, 'c.~@=+-_': 2, d: 1, e: 1 };
      for (const [customerId, n] of Object.entries(counts)) await crowd(own, HONEST, customerId, n);
      const want = [
        ['a', 3],
        ['c.~@=+-_', 2],
        ['b/b', 1],
        ['d', 1],
        ['e', 1],
      ];
      const rows = (page) => page.customers.map(({ customerId, count }) => [customerId, count]);
      for (const limit of [1, 2, 5, 100]) {
        const found = await pages(own, `customers?limit=${limit}`, 'after', rows);
        assert.deepEqual(found.flat(), want);
        assert.ok(found.every((page) => page.length <= limit));
      }
      const [first] = (await must(own, 'GET', 'customers?limit=1')).customers;
      assert.equal(first.ema, 3);
    });

    test('the sessions of a customer, page by page, with the hash of their address', async () => {
      const customerId = freshId('shop');
      await crowd(daemon, HONEST, customerId, 350);
      await join(daemon, FAKER, aBeat({ customerId, sessionId: 'odd/one', tabId: 'tab' }));
      const found = await pages(daemon, `customers/${customerId}`, 'cursor', (page) => {
        assert.equal(page.count, 351);
        return page.sessions;
      });
      assert.ok(found.length >= 3, 'it takes pages');
      const byId = new Map(found.flat().map((session) => [session.sessionId, session]));
      assert.equal(byId.size, 351);
      const odd = byId.get('odd/one');
      assert.equal(odd.tabId, 'tab');
      assert.equal(odd.isLeader, true);
      assert.ok(Math.abs(odd.renewedAt - Date.now()) < 60_000);
      assert.ok(odd.expiresAt > odd.renewedAt);
      assert.match(odd.address, /^[0-9a-f]{16}$/);
      const addresses = new Set(found.flat().map((session) => session.address));
      assert.equal(addresses.size, 2);
      assert.equal((await must(daemon, 'GET', `addresses/${FAKER}`)).id, odd.address);

      const one = await must(daemon, 'GET', `sessions/${customerId}/odd%2Fone`);
      assert.equal(one.customerId, customerId);
      assert.equal(one.session.address, odd.address);
      assert.ok(!JSON.stringify(one).includes(FAKER));
      assertError(await admin(daemon, 'GET', `sessions/${customerId}/none`), 404, 'Not Found');
    });

    test('a customer nobody knows has no sessions', async () => {
      const page = await must(daemon, 'GET', 'customers/nobody');
      assert.deepEqual(page, { customerId: 'nobody', count: 0, sessions: [], next: null });
      assert.deepEqual(await must(daemon, 'DELETE', 'customers/nobody'), { success: true, ended: 0 });
    });

    test('a session is ended whichever tab holds it, and comes back with its beat', async () => {
      const beat = aBeat({ sessionId: 'a/b' });
      const other = { ...beat, sessionId: 'other' };
      await join(daemon, HONEST, beat);
      await join(daemon, HONEST, other);
      const path = `customers/${beat.customerId}/sessions/a%2Fb`;
      assert.deepEqual(await must(daemon, 'DELETE', path), { success: true, ended: 1 });
      assert.equal(await daemon.count(beat.customerId), 1);
      assert.deepEqual(await must(daemon, 'DELETE', path), { success: true, ended: 0 });
      await daemon.must('beat', beat);
      assert.equal(await daemon.count(beat.customerId), 2);
    });

    test('a customer is ended, and its average with it; another stays', async () => {
      const customerId = freshId('shop');
      const other = aBeat();
      await crowd(daemon, HONEST, customerId, 300);
      await join(daemon, HONEST, other);
      const path = `customers/${encodeURIComponent(customerId)}`;
      assert.deepEqual(await must(daemon, 'DELETE', path), { success: true, ended: 300 });
      const { count, ema } = await daemon.metrics(customerId);
      assert.deepEqual([count, ema], [0, 0]);
      assert.equal(await daemon.count(other.customerId), 1);
    });

    test('an average is forgotten with its customer', async (t) => {
      const own = await startOn(store, t, { 'ema-interval': 100 });
      const beat = aBeat();
      await join(own, HONEST, beat);
      await waitFor('a tick', async () => (await own.samples()).get('au_tick_customers_total') > 0);
      await must(own, 'DELETE', `customers/${beat.customerId}`);
      assert.equal((await own.metrics(beat.customerId)).ema, 0);
    });

    test('an address is blocked until it is not', async () => {
      const beat = aBeat();
      const { id, until } = await must(daemon, 'POST', 'blocks', { address: FAKER, seconds: 100 });
      assert.ok(Math.abs(until - Date.now() - 100_000) < 60_000);
      assert.equal((await must(daemon, 'GET', `addresses/${id}`)).blockedUntil > Date.now(), true);
      const refused = await daemon.request('POST', '/presence/join', { from: FAKER, body: beat });
      assertError(refused, 403, 'Forbidden');
      assert.ok(Number(refused.headers['retry-after']) >= 1);
      for (const target of ['/', '/metrics?customerId=a', '/nothing'])
        assertError(await daemon.request('GET', target, { from: FAKER }), 403, 'Forbidden');
      const health = await daemon.request('GET', '/health', { from: FAKER });
      assert.equal(health.status, 200, 'a balancer is not locked out');
      await join(daemon, HONEST, beat);

      const listed = (await must(daemon, 'GET', 'blocks')).blocks.map((block) => block.id);
      assert.ok(listed.includes(id));
      assert.deepEqual(await must(daemon, 'DELETE', `blocks/${id}`), { success: true });
      await join(daemon, FAKER, beat);
      assertError(await admin(daemon, 'DELETE', `blocks/${id}`), 404, 'Not Found');
    });

    test('a socket of a blocked address is closed with its next message', async (t) => {
      const beat = aBeat();
      const address = '127.0.0.4';
      const socket = await Socket.join(t, daemon.wsPort, beat, { from: address });
      await must(daemon, 'POST', 'blocks', { address, seconds: 100 });
      socket.send({ type: 'ping' });
      assert.equal((await socket.waitClose()).code, 1008);
      assert.match((await daemon.get('/metrics')).text, /^au_blocked_requests_total [1-9]/m);
    });

    test('a silent socket of a blocked address is closed when it would be pinged', async (t) => {
      const quick = await startOn(store, t, { 'ws-ping-interval': 300 });
      const address = '127.0.0.5';
      const watcher = await Socket.join(t, quick.wsPort, { customerId: freshId() }, { from: address });
      await watcher.update();
      await waitNames(quick);
      await must(quick, 'POST', 'blocks', { address, seconds: 100 });
      assert.equal((await watcher.waitClose()).code, 1008);
    });

    test('a block ends by itself', async () => {
      const address = '127.0.0.5';
      await must(daemon, 'POST', 'blocks', { address, seconds: 1 });
      await waitFor('the end of the block', async () => {
        const answer = await daemon.request('GET', '/metrics?customerId=a', { from: address });
        return answer.status === 200;
      });
      const { blocks } = await must(daemon, 'GET', 'blocks');
      const { id } = await must(daemon, 'GET', `addresses/${address}`);
      assert.ok(!blocks.some((block) => block.id === id));
    });

    for (const [method, path, status, allow] of [
      ['GET', 'nothing', 404],
      ['GET', '', 404],
      ['GET', 'customers/', 404],
      ['GET', 'customers/a/sessions', 404],
      ['GET', 'customers/a/sessions/b/c', 404],
      ['POST', 'customers', 405, 'GET, HEAD'],
      ['PUT', 'customers/a', 405, 'GET, HEAD, DELETE'],
      ['GET', 'customers/a/sessions/b', 405, 'DELETE'],
      ['DELETE', 'blocks', 405, 'GET, HEAD, POST'],
      ['DELETE', 'sessions/a/b', 405, 'GET, HEAD'],
    ])
      test(`${method} /admin/${path}: ${status}`, async () => {
        const answer = await admin(daemon, method, path);
        assert.equal(answer.status, status, answer.text);
        if (allow) assert.equal(answer.headers.allow, allow);
      });

    for (const [method, path, field] of [
      ['GET', 'customers/a%20b', 'customerId'],
      ['DELETE', 'customers/a%3Ab', 'customerId'],
      ['DELETE', 'customers/%00', 'customerId'],
      ['DELETE', 'customers/*', 'customerId'],
      ['DELETE', 'customers/a/sessions/b%0A', 'sessionId'],
      ['DELETE', 'customers/%7Ba%7D/sessions/b', 'customerId'],
      ['GET', 'sessions/a/%C3%A4', 'sessionId'],
      ['GET', 'customers/%', undefined],
      ['GET', 'customers/%2', undefined],
      ['GET', 'customers/%zz', undefined],
      ['DELETE', `customers/${'a'.repeat(129)}`, undefined],
      ['DELETE', 'addresses/localhost/sessions', 'address'],
      ['DELETE', 'addresses/0123456789ABCDEF/sessions', 'address'],
      ['DELETE', 'blocks/1', 'address'],
      ['GET', 'addresses/127.0.0.1%2F8', 'address'],
      ['GET', 'customers?limit=0', 'limit'],
      ['GET', 'customers?limit=101', 'limit'],
      ['GET', 'customers?limit=x', 'limit'],
      ['GET', 'customers?after=1', 'after'],
      ['GET', 'customers?after=1:a%20b', 'after'],
      ['GET', 'customers?after=99999999999:a', 'after'],
      ['GET', 'customers/a?cursor=-1', 'cursor'],
      ['GET', 'customers/a?cursor=1&cursor=2', 'cursor'],
    ])
      test(`${method} /admin/${path.slice(0, 60)}: 400`, async () => {
        assertBadRequest(await admin(daemon, method, path), field);
      });

    for (const [name, body, field] of [
      ['nothing', {}, 'hash'],
      ['both', { address: '127.0.0.9', hash: '0123456789abcdef', seconds: 1 }, 'hash'],
      ['no time', { address: '127.0.0.9' }, 'seconds'],
      ['no seconds', { address: '127.0.0.9', seconds: 0 }, 'seconds'],
      ['half a second', { address: '127.0.0.9', seconds: 0.5 }, 'seconds'],
      ['for ever', { address: '127.0.0.9', seconds: 1e9 }, 'seconds'],
      ['text', { address: '127.0.0.9', seconds: '1' }, 'seconds'],
      ['a name', { address: 'localhost', seconds: 1 }, 'address'],
      ['a network', { address: '10.0.0.0/8', seconds: 1 }, 'address'],
      ['a long one', { address: '1'.repeat(100), seconds: 1 }, 'address'],
      ['an odd hash', { hash: 'xyz', seconds: 1 }, 'hash'],
      ['no object', '[]', undefined],
      ['a field twice', '{"seconds":1,"seconds":2}', 'seconds'],
    ])
      test(`POST /admin/blocks with ${name}: 400`, async () => {
        assertBadRequest(await admin(daemon, 'POST', 'blocks', body), field);
      });

    test('a block comes as JSON, which no page can send without being asked', async () => {
      const answer = await daemon.request('POST', '/admin/blocks', {
        body: { address: '127.0.0.9', seconds: 1 },
        headers: { 'content-type': 'text/plain' },
      });
      assertError(answer, 415, 'Unsupported Media Type');
    });

    test('every request that was let in is counted', async () => {
      const before = (await daemon.samples()).get('au_operators_requests_total');
      await admin(daemon, 'GET', 'nothing');
      await must(daemon, 'GET', 'blocks');
      assert.ok((await daemon.samples()).get('au_operators_requests_total') >= before + 2);
    });
  });

suite('admin: an attack is undone', async (test) => {
  const FAKES = 5000;
  const PEOPLE = 200;

  test('memory: 5,000 fake people of one address go in one call, honest people stay', async (t) => {
    const daemon = await startDaemon(t);
    const customerId = freshId('shop');
    await crowd(daemon, HONEST, customerId, PEOPLE);
    await crowd(daemon, FAKER, customerId, FAKES);
    assert.equal(await daemon.count(customerId), FAKES + PEOPLE);
    const { id } = await must(daemon, 'POST', 'blocks', { address: FAKER, seconds: 600 });
    const answer = await must(daemon, 'DELETE', `addresses/${id}/sessions`);
    assert.deepEqual(answer, { success: true, ended: FAKES });
    assert.equal(await daemon.count(customerId), PEOPLE);
    assert.equal((await daemon.samples()).get('au_sessions_undone_total'), FAKES);
  });

  test('redis, two daemons: the same, whoever got the joins and whoever is asked', async (t) => {
    const redis = await startRedis(t);
    const client = await redis.client();
    const options = { 'redis-url': redis.url };
    const daemons = [await startDaemon(t, options), await startDaemon(t, options)];
    for (const daemon of daemons) {
      await waitWhole(daemon);
      await waitNames(daemon);
    }
    const customerId = freshId('shop');
    await crowd(daemons[0], HONEST, customerId, PEOPLE);
    await Promise.all(
      daemons.map((daemon, i) =>
        crowd(daemon, FAKER, customerId, FAKES / 2).then(() =>
          crowd(daemon, `127.0.1.${i + 1}`, customerId, 10),
        ),
      ),
    );
    // The same ids came by way of both daemons: each session is one.
    assert.equal(await daemons[0].count(customerId), FAKES / 2 + PEOPLE + 20);
    const { id } = await must(daemons[1], 'POST', 'blocks', { address: FAKER, seconds: 600 });
    await must(daemons[1], 'DELETE', `addresses/${id}/sessions`);
    await daemons[0].waitCount(customerId, PEOPLE + 20);
    const refused = () =>
      daemons[0].request('POST', '/presence/join', { from: FAKER, body: aBeat({ customerId }) });
    await waitFor('the block at the other daemon', async () => (await refused()).status === 403);
    await waitFor('the tables of both', async () => {
      const health = await Promise.all(daemons.map((each) => each.get('/health')));
      return health[0].json.sessions + health[1].json.sessions === PEOPLE + 20;
    });
    assert.equal(await client.call('ZCARD', `au:idx:${customerId}`), PEOPLE + 20);
  });
});

suite('admin: several daemons on one Redis', async (test, shared) => {
  const redis = await startRedis(shared);
  const client = await redis.client();
  const options = { 'redis-url': redis.url };
  const [a, b] = [await startDaemon(shared, options), await startDaemon(shared, options)];
  for (const daemon of [a, b]) {
    await waitWhole(daemon);
    await waitNames(daemon);
  }

  const hashOf = async (daemon, address) => (await must(daemon, 'GET', `addresses/${address}`)).id;
  const isBlocked = async (daemon, from) =>
    (await daemon.request('GET', '/metrics?customerId=a', { from })).status === 403;

  test('an address has the same hash at all of them, and after a restart', async (t) => {
    const hash = await hashOf(a, '127.0.0.2');
    assert.equal(await hashOf(b, '127.0.0.2'), hash);
    const c = await startDaemon(t, options);
    await waitWhole(c);
    await waitNames(c);
    assert.equal(await hashOf(c, '127.0.0.2'), hash);
    assert.notEqual(await hashOf(c, '127.0.0.3'), hash);
  });

  test('a block holds at all of them, is lifted at all, and outlives a restart', async (t) => {
    const from = '127.0.2.1';
    const { id } = await must(a, 'POST', 'blocks', { address: from, seconds: 600 });
    await waitFor('the block', () => isBlocked(b, from));
    const c = await startDaemon(t, options);
    await waitFor('the block', () => isBlocked(c, from));
    await must(b, 'DELETE', `blocks/${id}`);
    await waitFor('its end', async () => !(await isBlocked(a, from)) && !(await isBlocked(c, from)));
  });

  test('a customer and a session that one daemon has go by way of another', async () => {
    const beat = aBeat();
    await join(a, HONEST, beat);
    await join(b, HONEST, { ...beat, sessionId: 'second' });
    await join(b, HONEST, { ...beat, sessionId: 'third' });
    assert.deepEqual(
      await must(b, 'DELETE', `customers/${beat.customerId}/sessions/${beat.sessionId}`),
      { success: true, ended: 1 },
    );
    assert.equal(await a.count(beat.customerId), 2);
    assert.equal(await client.call('EXISTS', keyOf(beat)), 0);
    assert.equal((await must(a, 'DELETE', `customers/${beat.customerId}`)).ended, 2);
    assert.equal(await b.count(beat.customerId), 0);
  });

  test('what is written by another program is listed and ended too', async () => {
    const beat = aBeat();
    await join(a, HONEST, beat);
    const foreign = { ...beat, sessionId: 'foreign' };
    await client.call('SET', keyOf(foreign), '{"tabId":"x","userAgent":"other"}', 'EX', '100');
    await client.call('ZADD', `au:idx:${beat.customerId}`, String(Date.now() + 90_000), 'foreign');
    const page = await must(a, 'GET', `customers/${beat.customerId}`);
    assert.equal(page.sessions.find((each) => each.sessionId === 'foreign').address, null);
    assert.equal((await must(b, 'DELETE', `customers/${beat.customerId}`)).ended, 2);
  });
});

suite('admin: Redis Cluster', async (test, shared) => {
  const cluster = await startCluster(shared);
  const options = { 'redis-url': cluster.url };
  const [a, b] = [await startDaemon(shared, options), await startDaemon(shared, options)];
  for (const daemon of [a, b]) {
    await waitWhole(daemon);
    await waitNames(daemon);
  }

  test('customers of all nodes are listed, ended and blocked', async () => {
    const customers = cluster.masters.flatMap((node) => cluster.customersOf(node, 2, freshId('c')));
    for (const [i, customerId] of customers.entries()) await crowd(a, HONEST, customerId, i + 1);
    const found = await pages(b, 'customers?limit=2', 'after', (page) => page.customers);
    assert.deepEqual(
      found.flat().map(({ customerId, count }) => [customerId, count]),
      customers.map((customerId, i) => [customerId, i + 1]).reverse(),
    );
    const last = customers.at(-1);
    assert.equal((await must(b, 'DELETE', `customers/${last}`)).ended, customers.length);
    assert.equal(await a.count(last), 0);
    const { id } = await must(b, 'POST', 'blocks', { address: HONEST, seconds: 60 });
    await must(b, 'DELETE', `addresses/${id}/sessions`);
    for (const customerId of customers) await b.waitCount(customerId, 0);
    const refused = () => a.request('GET', '/metrics?customerId=a', { from: HONEST });
    await waitFor('the block', async () => (await refused()).status === 403);
  });
});

suite('admin: Redis is lost', async (test) => {
  test('blocks hold and are made; both reach the others when it is back, empty', async (t) => {
    const redis = await startRedis(t);
    const options = { 'redis-url': redis.url };
    const [a, b] = [await startDaemon(t, options), await startDaemon(t, options)];
    const isBlocked = async (daemon, from) =>
      (await daemon.request('GET', '/metrics?customerId=a', { from })).status === 403;
    for (const daemon of [a, b]) {
      await waitWhole(daemon);
      await waitNames(daemon);
    }
    await must(a, 'POST', 'blocks', { address: '127.0.3.1', seconds: 600 });
    await waitFor('the block', () => isBlocked(b, '127.0.3.1'));
    const beat = aBeat();
    await join(a, FAKER, beat);
    await redis.crash();
    await must(a, 'POST', 'blocks', { address: '127.0.3.2', seconds: 600 });
    assert.equal((await must(a, 'DELETE', `addresses/${FAKER}/sessions`)).ended, 1);
    assert.ok(await isBlocked(a, '127.0.3.1'));
    await redis.start();
    await waitFor('both blocks at the other', async () =>
      (await isBlocked(b, '127.0.3.1')) && (await isBlocked(b, '127.0.3.2')));
    await waitWhole(a);
    assert.equal(await b.count(beat.customerId), 0);
  });

  test('without a word from Redis an address has no hash yet: 503', async (t) => {
    const daemon = await startDaemon(t, { 'redis-url': 'redis://127.0.0.1:1' });
    for (const [method, path, body] of [
      ['POST', 'blocks', { address: '127.0.0.1', seconds: 1 }],
      ['GET', 'addresses/127.0.0.1'],
    ])
      assertError(await admin(daemon, method, path, body), 503, 'Service Unavailable');
    assert.deepEqual(await must(daemon, 'GET', 'blocks'), { blocks: [] });
  });
});

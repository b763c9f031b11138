// What people look at: the breakdown by page and who has the page in front of them, on both stores
// and with several daemons.
import assert from 'node:assert/strict';

import {
  aBeat,
  assertBadRequest,
  DEFAULT_LIMITS,
  freshId,
  Socket,
  startCluster,
  startDaemon,
  startOn,
  startRedis,
  STORES,
  suite,
  waitDegraded,
  waitFor,
  waitWhole,
} from './harness.mjs';

const pagesOf = async (daemon, customerId) => {
  const answer = await daemon.get(`/metrics/pages?customerId=${customerId}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};

/** The breakdown without what changes by itself. */
const brief = ({ count, visible, hidden, pages, other }) => ({
  count,
  visible,
  hidden,
  pages: Object.fromEntries(pages.map((row) => [row.page, [row.count, row.visible]])),
  other,
});

const waitPages = (what, daemon, customerId, expected) =>
  waitFor(what, async () => {
    const found = brief(await pagesOf(daemon, customerId));
    try {
      assert.deepEqual(found, expected);
      return true;
    } catch {
      return false;
    }
  });

for (const store of STORES)
  suite(`pages: ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared);
    const start = (options) => startOn(store, shared, options);

    test('counts sessions by page, the fullest first, and those that are visible', async () => {
      const customerId = freshId();
      const join = (more) => daemon.must('join', aBeat({ customerId, ...more }));
      await join({ page: '/b', visible: true });
      await join({ page: '/b', visible: false });
      await join({ page: '/c', visible: true });
      await join({ page: '/a' });
      await join({ visible: false });
      await join({});
      const { timestamp, ...answer } = await pagesOf(daemon, customerId);
      assert.ok(Math.abs(timestamp - Date.now()) < 60_000);
      assert.deepEqual(answer, {
        customerId,
        count: 6,
        visible: 2,
        hidden: 2,
        pages: [
          { page: '/b', count: 2, visible: 1 },
          { page: '/a', count: 1, visible: 0 },
          { page: '/c', count: 1, visible: 1 },
        ],
        other: 0,
      });
      assert.equal((await daemon.metrics(customerId)).visible, 2);
    });

    test('a session has one page: its last sign of life tells it', async (t) => {
      const beat = aBeat();
      const { customerId } = beat;
      const is = (pages, visible, hidden) =>
        waitPages(JSON.stringify(pages), daemon, customerId, {
          count: 1,
          visible,
          hidden,
          pages,
          other: 0,
        });
      await daemon.must('join', { ...beat, page: '/one', visible: true });
      await is({ '/one': [1, 1] }, 1, 0);
      await daemon.must('beat', { ...beat, page: '/two' });
      await is({ '/two': [1, 1] }, 1, 0);
      await daemon.must('beat', { ...beat, visible: false });
      await is({ '/two': [1, 0] }, 0, 1);
      await daemon.must('beat', beat);
      await is({ '/two': [1, 0] }, 0, 1);
      const socket = await Socket.join(t, daemon.wsPort, { ...beat, page: '/three' });
      await is({ '/three': [1, 0] }, 0, 1);
      // A ping right behind the last sign of life is stored all the same when it tells of another page.
      socket.send({ type: 'ping', page: '/four', visible: true });
      await is({ '/four': [1, 1] }, 1, 0);
      socket.send({ type: 'ping', page: '/five?not=this', visible: true });
      await is({ '/five': [1, 1] }, 1, 0);
      await daemon.must('join', beat); // a page that says nothing of itself
      await is({}, 0, 0);
      assert.equal((await daemon.metrics(customerId)).visible, undefined, 'is not known');
    });

    test('a page that is told while the one before is being stored', async (t) => {
      const own = await startOn(store, t);
      const beat = aBeat();
      await Socket.join(t, own.wsPort, { ...beat, page: '/one' });
      const page = await Socket.open(t, own.wsPort);
      own.redis?.freeze();
      page.send({ type: 'auth', ...beat, tabId: 'next', page: '/two' });
      await page.next('hello');
      page.send({ type: 'ping', page: '/three', visible: true });
      await page.next('pong');
      own.redis?.thaw();
      const pages = { '/three': [1, 1] };
      const wanted = { count: 1, visible: 1, hidden: 0, pages, other: 0 };
      await waitPages('the last page', own, beat.customerId, wanted);
    });

    test('who leaves or expires is on no page any more', async () => {
      const short = await start({ 'presence-ttl': 1 });
      const customerId = freshId();
      const [leaves, expires] = [aBeat({ customerId }), aBeat({ customerId })];
      await short.must('join', { ...leaves, page: '/a', visible: true });
      await short.must('leave', leaves);
      const nobody = { count: 0, visible: 0, hidden: 0, pages: {}, other: 0 };
      await waitPages('the one that left', short, customerId, nobody);
      await short.must('join', { ...expires, page: '/b', visible: true });
      await waitPages('the one that expired', short, customerId, nobody);
    });

    test('query and fragment are cut, and what is longer than 256 bytes', async () => {
      const customerId = freshId();
      const long = `/${'é'.repeat(200)}`;
      for (const page of ['/cart?id=7#top', '/cart#top', '/cart', long])
        await daemon.must('join', aBeat({ customerId, page }));
      const { pages } = await pagesOf(daemon, customerId);
      assert.deepEqual(
        pages.map((row) => [row.page, row.count]),
        [
          ['/cart', 3],
          [`/${'é'.repeat(127)}`, 1],
        ],
      );
    });

    test('one page that is asked for', async () => {
      const customerId = freshId();
      for (const page of ['/a b', '/a b', '/c'])
        await daemon.must('join', aBeat({ customerId, page }));
      const ask = async (page) =>
        (await daemon.get(`/metrics?customerId=${customerId}&page=${encodeURIComponent(page)}`)).json;
      const { count, page, pageCount } = await ask('/a b?x=1');
      assert.deepEqual({ count, page, pageCount }, { count: 3, page: '/a b', pageCount: 2 });
      assert.equal((await ask('/nowhere')).pageCount, 0);
      for (const bad of ['', 'a', 'https://shop.example/a', '/a\u0001', '/a\u0085'])
        assertBadRequest(
          await daemon.get(`/metrics?customerId=${customerId}&page=${encodeURIComponent(bad)}`),
          'page',
        );
      for (const bad of ['%ff', '%2Fa%ff', '%2Fa%00', '%2Fa%', '/a&page=/b', `/${'a'.repeat(1100)}`])
        assertBadRequest(
          await daemon.get(`/metrics?customerId=${customerId}&page=${bad}`),
          'page',
        );
    });

    test('a page that is none, or a visible that is none: 400, and nothing changes', async (t) => {
      const beat = aBeat();
      await daemon.must('join', { ...beat, page: '/here' });
      const socket = await Socket.join(t, daemon.wsPort, beat);
      for (const [field, value] of [
        ['page', ''],
        ['page', 'here'],
        ['page', '?q'],
        ['page', 7],
        ['page', '/a\nb'],
        ['page', '/a\u007f'],
        ['page', '/a\u0085b'],
        ['visible', 'yes'],
        ['visible', 1],
      ]) {
        assertBadRequest(await daemon.post('beat', { ...beat, [field]: value }), field);
        assertBadRequest(await daemon.post('join', { ...beat, [field]: value }), field);
      }
      for (const [field, value] of [['page', 'here'], ['page', '/a\nb'], ['visible', 1]]) {
        socket.send({ type: 'ping', [field]: value });
        assert.match((await socket.next('error')).message, new RegExp(`^${field} must be`));
      }
      assert.deepEqual(brief(await pagesOf(daemon, beat.customerId)).pages, { '/here': [1, 0] });
      await daemon.must('beat', { ...beat, page: null, visible: null }); // absent
    });

    test('HTML in a name is text', async () => {
      const customerId = freshId();
      const page = '/<img src=x onerror="alert(1)">\\';
      await daemon.must('join', aBeat({ customerId, page }));
      const answer = await daemon.get(`/metrics/pages?customerId=${customerId}`);
      assert.equal(answer.json.pages[0].page, page);
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    });

    test('an unknown customer has zeros; a customer that is none is a 400', async () => {
      const { timestamp: _, ...answer } = await pagesOf(daemon, freshId());
      assert.deepEqual(brief(answer), { count: 0, visible: 0, hidden: 0, pages: {}, other: 0 });
      assertBadRequest(await daemon.get('/metrics/pages'), 'customerId');
      assertBadRequest(await daemon.get('/metrics/pages?customerId=a%20b'), 'customerId');
      const posted = await daemon.request('POST', '/metrics/pages?customerId=a', { body: {} });
      assert.equal(posted.status, 405);
    });

    test('pays as any other read, and says so', async () => {
      const limited = await start({ ...DEFAULT_LIMITS, 'rate-ip': 0, 'rate-customer': 2 });
      const customerId = freshId();
      const ask = () =>
        limited.request('GET', `/metrics/pages?customerId=${customerId}`, {
          headers: { origin: 'https://shop.example' },
        });
      const first = await ask();
      assert.equal(first.headers['x-ratelimit-remaining'], '1');
      assert.equal(first.headers['access-control-allow-origin'], '*');
      assert.equal((await limited.get(`/metrics?customerId=${customerId}`)).status, 200);
      const blocked = await ask();
      assert.equal(blocked.status, 429);
      assert.equal(blocked.json.blockedBy, 'customer');
    });

    test('10,000 names of one customer: 1,000 have a name, the rest is other', async () => {
      const customerId = freshId();
      const shout = async (from, to) => {
        for (let i = from; i < to; i += 1)
          await daemon.must('join', aBeat({ customerId, page: `/page/${i}`, visible: true }));
      };
      const sessions = 1100;
      await Promise.all(
        Array.from({ length: 10 }, (_, i) => shout((i * sessions) / 10, ((i + 1) * sessions) / 10)),
      );
      const { count, visible, pages, other } = await pagesOf(daemon, customerId);
      assert.deepEqual([count, visible, pages.length], [sessions, sessions, 20]);
      assert.equal(pages.reduce((sum, row) => sum + row.count, 0) + other, sessions);
      // One that changes its page 10,000 times has one page.
      const restless = aBeat();
      await daemon.must('join', restless);
      const names = Array.from({ length: 10_000 }, (_, i) => `/other/${i}`);
      while (names.length > 0)
        await Promise.all(
          names.splice(0, 50).map((page) => daemon.must('beat', { ...restless, page })),
        );
      const last = await pagesOf(daemon, restless.customerId);
      assert.deepEqual([last.pages.length, last.pages[0].count, last.other], [1, 1, 0]);
    });

    test('the session says its page to operators', async () => {
      const beat = aBeat();
      await daemon.must('join', { ...beat, page: '/here', visible: true });
      const path = `/admin/sessions/${beat.customerId}/${beat.sessionId}`;
      const { session } = (await daemon.get(path)).json;
      assert.deepEqual([session.page, session.visible], ['/here', true]);
    });
  });

const startTwo = async (t, redis, options = {}, env = {}) => {
  const daemons = [];
  for (let i = 0; i < 2; i += 1) {
    daemons.push(await startDaemon(t, { 'redis-url': redis.url, ...options }, env));
    await waitWhole(daemons[i]);
  }
  return daemons;
};

/** Both daemons say the same, sooner or later: what one shares reaches the other within 2 s. */
const waitBoth = async (what, daemons, customerId, expected) => {
  for (const daemon of daemons) await waitPages(what, daemon, customerId, expected);
};

const visibleOnly = (count, pages, other = 0) => ({
  count,
  visible: count,
  hidden: 0,
  pages,
  other,
});

const several = (name, startServer) =>
  suite(`pages: two daemons, ${name}`, async (test, shared) => {
    const server = await startServer(shared);
    const daemons = await startTwo(shared, server);
    const [a, b] = daemons;

    test('sums what both count', async () => {
      const customerId = freshId();
      const join = (daemon, page) => daemon.must('join', aBeat({ customerId, page, visible: true }));
      await join(a, '/x');
      await join(a, '/y');
      await join(b, '/x');
      const all = visibleOnly(3, { '/x': [2, 2], '/y': [1, 1] });
      await waitBoth('the sum', daemons, customerId, all);
      for (const daemon of daemons) assert.equal((await daemon.metrics(customerId)).visible, 3);
    });

    test('a session that moves between daemons is counted once', async () => {
      const customerId = freshId();
      const beats = Array.from({ length: 20 }, () => aBeat({ customerId, page: '/a', visible: true }));
      for (let round = 0; round < 3; round += 1)
        for (const daemon of daemons)
          for (const beat of beats) await daemon.must('beat', beat);
      await waitBoth('20 people', daemons, customerId, visibleOnly(20, { '/a': [20, 20] }));
      for (const beat of beats) await a.must('beat', { ...beat, page: '/b' });
      await waitBoth('all on the other page', daemons, customerId, visibleOnly(20, { '/b': [20, 20] }));
    });

    test('who leaves by way of the other daemon is on no page', async () => {
      const customerId = freshId();
      const [gone, fades, stays] = Array.from({ length: 3 }, () =>
        aBeat({ customerId, page: '/a', visible: true }),
      );
      await a.must('join', gone);
      await a.must('join', fades);
      await b.must('join', stays);
      await waitBoth('all three', daemons, customerId, visibleOnly(3, { '/a': [3, 3] }));
      await b.must('leave', gone);
      await b.must('leave', { ...fades, graceMs: 500 });
      await waitBoth('the one', daemons, customerId, visibleOnly(1, { '/a': [1, 1] }));
      await b.must('leave', stays);
      await waitBoth('nobody', daemons, customerId, visibleOnly(0, {}));
    });
  });

several('one Redis', startRedis);
several('Cluster', startCluster);

suite('pages: what is in Redis', async (test, shared) => {
  const redis = await startRedis(shared);
  const client = await redis.client();
  const daemon = await startDaemon(shared, { 'redis-url': redis.url });
  await waitWhole(daemon);

  const calls = async (command) => {
    const stats = await client.call('INFO', 'commandstats');
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  };

  test('a beat that tells its page costs Redis what any beat costs', async () => {
    const beat = aBeat({ page: '/a', visible: true });
    await daemon.must('join', beat);
    const commands = ['set', 'zadd', 'hset', 'publish', 'eval', 'evalsha'];
    const count = async () => Object.fromEntries(
      await Promise.all(commands.map(async (name) => [name, await calls(name)])),
    );
    await waitFor('the join to be shared', async () => (await calls('hset')) >= 2);
    const before = await count();
    for (let i = 0; i < 300; i += 1) await daemon.must('beat', beat);
    const after = await count();
    // And what comes by the clock: ticks, refreshes, moves.
    for (const [name, ofBeats] of Object.entries({ set: 300, zadd: 300 })) before[name] += ofBeats;
    for (const name of commands) {
      const more = after[name] - before[name];
      assert.ok(more >= 0 && more <= 20, `${name}: ${more} more`);
    }
  });

  test('nothing is kept for a customer whose sessions say nothing', async () => {
    const customerId = freshId();
    const marker = aBeat({ page: '/a' });
    await daemon.must('join', aBeat({ customerId }));
    await daemon.must('join', marker);
    await waitFor('the other to be shared', async () =>
      (await client.keys(`au:pages:${marker.customerId}`)).length === 1);
    assert.deepEqual(await client.keys(`au:pages:${customerId}`), []);
    assert.deepEqual(await client.keys(`au:visible:${customerId}`), []);
    for (const key of [`au:pages:${marker.customerId}`, `au:visible:${marker.customerId}`])
      assert.ok((await client.call('PTTL', key)) > 0, 'every key has an end');
  });

  test('the record of the session tells its page', async () => {
    const beat = aBeat({ page: '/a"b', visible: false });
    await daemon.must('join', beat);
    const key = `presence:${beat.customerId}:${beat.sessionId}`;
    const stored = async () => JSON.parse(await client.call('GET', key));
    const { page, visible } = await stored();
    assert.deepEqual([page, visible], ['/a"b', false]);
    await daemon.must('beat', { ...beat, page: undefined, visible: undefined });
    assert.equal((await stored()).page, '/a"b', 'a beat without one keeps it');
  });

  test('what a daemon shared that is gone counts no more, nor what another program wrote', async () => {
    const beat = aBeat({ page: '/a', visible: true });
    const { customerId } = beat;
    await daemon.must('join', beat);
    const own = visibleOnly(1, { '/a': [1, 1] });
    const [seconds] = await client.call('TIME');
    const [pages, visible] = [`au:pages:${customerId}`, `au:visible:${customerId}`];
    const now = Number(seconds) * 1000;
    await client.call('HSET', pages, 'gone', `${now - 60_000}\n0\n5 5 /a\n`, 'odd', 'what?');
    await client.call('HSET', visible, 'gone', `${now - 60_000}\n5 0`, 'odd', `${now}\nx`);
    await waitPages('own ones', daemon, customerId, own);
    await client.call('HSET', pages, 'there', `${now}\n7\n2 1 /a\n3 0 /b\n1 1 /c\n-1 x\n1 1 /d\n`);
    await client.call('HSET', visible, 'there', `${now}\n2 4`);
    await waitPages('those of both', daemon, customerId, {
      count: 1,
      visible: 3,
      hidden: 4,
      pages: { '/a': [3, 2], '/b': [3, 0], '/c': [1, 1] },
      other: 7,
    });
    for (const key of [pages, visible]) {
      await client.call('DEL', key);
      await client.call('SET', key, 'a string');
    }
    await waitPages('own ones again', daemon, customerId, own);
    assert.equal((await daemon.get('/health')).json.status, 'ok');
  });

  test('odd words on the channel of the daemons are ignored', async () => {
    const beat = aBeat({ page: '/a', visible: true });
    await daemon.must('join', beat);
    const { customerId, sessionId } = beat;
    const [seconds] = await client.call('TIME');
    const later = Number(seconds) * 1000 + 60_000;
    for (const text of ['', 'x', 'x\n', `x\n${customerId}\n`, `x\n${customerId} ${sessionId} soon\n`,
      `x\n${customerId} ${sessionId} ${'9'.repeat(30)}\n`, `x\n${'a'.repeat(3900)} b 1\n`])
      assert.ok((await client.call('PUBLISH', 'au:daemons', text)) >= 1);
    assert.deepEqual(brief(await pagesOf(daemon, customerId)).pages, { '/a': [1, 1] });
    await client.call('PUBLISH', 'au:daemons', `x\n${customerId} ${sessionId} ${later}\n`);
    await waitPages('the one that moved', daemon, customerId, {
      count: 1, visible: 0, hidden: 0, pages: {}, other: 0,
    });
  });

  test('without Redis the daemon goes on with its own numbers', async (t) => {
    const lost = await startRedis(t);
    const [a, b] = await startTwo(t, lost);
    const customerId = freshId();
    await a.must('join', aBeat({ customerId, page: '/a', visible: true }));
    await b.must('join', aBeat({ customerId, page: '/b', visible: true }));
    await waitPages('both', a, customerId, visibleOnly(2, { '/a': [1, 1], '/b': [1, 1] }));
    await lost.crash();
    await waitDegraded(a);
    await a.must('join', aBeat({ customerId, page: '/a', visible: false }));
    const answer = await pagesOf(a, customerId);
    assert.equal(answer.stale, true);
    assert.deepEqual(brief(answer).pages, { '/a': [2, 1] });
    await lost.start();
    await waitWhole(a);
    await waitWhole(b);
    await waitPages('all again', a, customerId, {
      count: 3, visible: 2, hidden: 1, pages: { '/a': [2, 1], '/b': [1, 1] }, other: 0,
    });
  });

  test('strict privacy: pages are counted, and no session has one', async (t) => {
    const own = await startRedis(t);
    const ownClient = await own.client();
    const strict = await startDaemon(t, { 'redis-url': own.url, privacy: 'strict' }, {
      AU_PRIVACY_KEY: 'a-key-of-all-daemons-0123',
    });
    await waitWhole(strict);
    const beat = aBeat({ page: '/secret', visible: true });
    const { customerId } = beat;
    await strict.must('join', beat);
    await waitPages('it', strict, customerId, visibleOnly(1, { '/secret': [1, 1] }));
    for (const key of await ownClient.keys('presence:*'))
      assert.ok(!(await ownClient.call('GET', key)).includes('secret'));
    const { sessions } = (await strict.get(`/admin/customers/${customerId}`)).json;
    assert.deepEqual([sessions.length, sessions[0].page, sessions[0].visible], [1, undefined, undefined]);
  });
});

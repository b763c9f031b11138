// The history of a customer: charts, peaks and unique sessions, on both stores.
import assert from 'node:assert/strict';

import {
  aBeat,
  assertBadRequest,
  DEFAULT_LIMITS,
  fakeWallClock,
  freshId,
  startDaemon,
  startOn,
  startRedis,
  STORES,
  suite,
  waitDegraded,
  waitFor,
  waitReady,
} from './harness.mjs';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const COLUMNS = ['timestamp', 'min', 'mean', 'max', 'ema'];

async function historyOf(daemon, customerId, query = '') {
  const answer = await daemon.get(`/metrics/history?customerId=${customerId}${query}`);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.columns, COLUMNS);
  return answer.json;
}

async function join(daemon, customerId, n) {
  const beats = Array.from({ length: n }, () => aBeat({ customerId }));
  for (const beat of beats) await daemon.must('join', beat);
  return beats;
}

/** Until customers were ticked that are there now. */
async function tickOf(daemon) {
  const ticked = async () => (await daemon.samples()).get('au_tick_customers_total');
  const before = await ticked();
  await waitFor('a tick', async () => (await ticked()) > before + 1);
}

/** Lines of a CSV as arrays of numbers, after its names. */
function csvOf(text) {
  const [names, ...rows] = text.trimEnd().split('\r\n');
  assert.equal(names, COLUMNS.join(','));
  return rows.map((row) => row.split(',').map(Number));
}

suite('history in a daemon whose wall clock runs 60 times as fast', async (test, shared) => {
  const fast = () =>
    startDaemon(shared, { 'ema-interval': 50, 'ema-alpha': 0.5 }, fakeWallClock('+0 x60'));

  test('minutes have the lowest, mean, highest and smoothed count', async () => {
    const daemon = await fast();
    const customerId = freshId();
    const beats = await join(daemon, customerId, 4);
    const three = await waitFor('three minutes', async () => {
      const history = await historyOf(daemon, customerId);
      return history.points.length >= 3 && history;
    });
    for (const [timestamp, min, mean, max, ema] of three.points) {
      assert.equal(timestamp % MINUTE, 0);
      assert.ok(min <= mean && mean <= max && max <= 4, JSON.stringify(three.points));
      assert.ok(ema > 0 && ema <= 4);
    }
    assert.deepEqual(three.points.at(-1).slice(1), [4, 4, 4, 4]);
    assert.deepEqual([three.step, three.peak, three.peakToday], [MINUTE, 4, 4]);
    assert.deepEqual([three.uniqueToday, three.unique7d], [4, 4]);
    for (const beat of beats.slice(1)) await daemon.must('leave', beat);
    const fallen = await waitFor('a minute with one', async () => {
      const history = await historyOf(daemon, customerId);
      return history.points.at(-1)[3] === 1 && history;
    });
    assert.ok(
      fallen.points.some(([, min, , max]) => min === 1 && max === 4),
      'and one in between',
    );
    assert.deepEqual([fallen.peak, fallen.uniqueToday], [4, 4]);
    const { count, peak, peakToday } = await daemon.metrics(customerId);
    assert.deepEqual([count, peak, peakToday], [1, 4, 4]);
  });

  test('hours and coarser steps are made of the same minutes', async () => {
    const daemon = await fast();
    const customerId = freshId();
    await join(daemon, customerId, 2);
    await waitFor('five minutes', async () => (await historyOf(daemon, customerId)).points.length >= 5);
    const to = Date.now() + 24 * HOUR; // its clock is ahead of ours
    const range = `&from=${to - 48 * HOUR}&to=${to}`;
    const hours = await historyOf(daemon, customerId, `${range}&step=${HOUR}`);
    const days = await historyOf(daemon, customerId, `${range}&step=${24 * HOUR}`);
    for (const { points, step } of [hours, days]) {
      assert.ok(points.length >= 1 && points.length <= 2);
      for (const [timestamp, , , max] of points) assert.deepEqual([timestamp % step, max], [0, 2]);
    }
  });

  test('CSV has the same points', async () => {
    const daemon = await fast();
    const customerId = freshId();
    await join(daemon, customerId, 3);
    const { from, points } = await waitFor('two minutes', async () => {
      const history = await historyOf(daemon, customerId);
      return history.points.length >= 2 && history;
    });
    const target = `/metrics/history?customerId=${customerId}&from=${from}&to=${points.at(-1)[0] + 1}`;
    const csv = await daemon.get(target, { accept: 'text/html, Text/CSV;q=0.9' });
    assert.equal(csv.status, 200);
    assert.equal(csv.headers['content-type'], 'text/csv; charset=utf-8');
    assert.equal(csv.headers.vary, 'Accept');
    assert.deepEqual(csvOf(csv.text), points);
    const json = await daemon.get(target, { accept: '*/*' });
    assert.equal(json.headers['content-type'], 'application/json');
    assert.equal(json.headers.vary, 'Accept');
    assert.deepEqual(json.json.points, points);
  });
});

for (const store of STORES) {
  suite(`GET /metrics/history on ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared, { 'ema-interval': 50, ...DEFAULT_LIMITS });

    test('an unknown customer has zeros and no points, and stays unknown', async () => {
      const customerId = freshId('nobody');
      const history = await historyOf(daemon, customerId);
      assert.deepEqual(history.points, []);
      const { peak, peakToday, uniqueToday, unique7d } = history;
      assert.deepEqual([peak, peakToday, uniqueToday, unique7d], [0, 0, 0, 0]);
      assert.equal(history.customerId, customerId);
      assert.equal(history.to - history.from, HOUR);
      assert.deepEqual((await daemon.metrics(customerId)).peak, 0);
    });

    const now = Date.now();
    for (const [query, field] of [
      ['', 'customerId'],
      ['customerId=', 'customerId'],
      ['customerId=a:b', 'customerId'],
      ['customerId=a&customerId=b', 'customerId'],
      ['customerId=a&from=yesterday', 'from'],
      ['customerId=a&from=-1', 'from'],
      ['customerId=a&from=0', 'from'],
      ['customerId=a&from=1e12', 'from'],
      ['customerId=a&from=1&from=2', 'from'],
      ['customerId=a&from=%zz', 'from'],
      ['customerId=a&from=9999999999999999', 'from'],
      [`customerId=a&from=${now}&to=${now}`, 'from'],
      [`customerId=a&from=${now + HOUR}`, 'from'],
      ['customerId=a&to=now', 'to'],
      ['customerId=a&to=', 'to'],
      ['customerId=a&to=999999999999999', 'to'],
      ['customerId=a&step=minute', 'step'],
      ['customerId=a&step=0', 'step'],
      ['customerId=a&step=1000', 'step'],
      ['customerId=a&step=5400000', 'step'],
      [`customerId=a&from=${now - 30 * HOUR}&step=60000`, 'step'],
    ])
      test(`400 names ${field}: ${query}`, async () => {
        const answer = await daemon.request('GET', `/metrics/history?${query}`, {
          from: '127.0.0.9',
        });
        assertBadRequest(answer, field);
      });

    test('it is a read: limits are shown, pages may ask, and only GET and HEAD are allowed', async () => {
      const target = `/metrics/history?customerId=${freshId()}`;
      const answer = await daemon.get(target, { origin: 'https://shop.example' });
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['x-ratelimit-limit'], '5000');
      assert.equal(answer.headers['cache-control'], 'no-store');
      const head = await daemon.request('HEAD', target);
      assert.deepEqual([head.status, head.text], [200, '']);
      assert.equal(head.headers['content-type'], 'application/json');
      const post = await daemon.request('POST', target, { body: '{}' });
      assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD, OPTIONS']);
    });

    test('one address may ask a hundred times a minute', async () => {
      const target = `/metrics/history?customerId=${freshId()}`;
      const statuses = [];
      for (let i = 0; i < 102; i += 1)
        statuses.push((await daemon.request('GET', target, { from: '127.0.0.7' })).status);
      assert.equal(statuses.filter((status) => status === 200).length, 100);
      assert.equal(statuses.at(-1), 429);
    });

    test('the peak is seen at once, and stays when people leave', async () => {
      const customerId = freshId();
      const beats = await join(daemon, customerId, 3);
      assert.equal((await daemon.metrics(customerId)).peak, 3);
      await tickOf(daemon);
      for (const beat of beats) await daemon.must('leave', beat);
      assert.equal((await daemon.metrics(customerId)).count, 0);
      const { peak, peakToday } = await daemon.metrics(customerId);
      assert.deepEqual([peak, peakToday], [3, 3]);
      const history = await historyOf(daemon, customerId);
      assert.deepEqual([history.peak, history.uniqueToday, history.unique7d], [3, 3, 3]);
    });
  });
}

suite('history in Redis', (test) => {
  test('a daemon that stops leaves it to the others, and to the next', async (t) => {
    const redis = await startRedis(t);
    const options = { 'redis-url': redis.url, 'ema-interval': 100 };
    const one = await startDaemon(t, options);
    await waitReady(one);
    const customerId = freshId();
    await join(one, customerId, 3);
    await tickOf(one);
    const other = await startDaemon(t, options);
    await waitReady(other);
    await other.must('join', aBeat({ customerId }));
    await waitFor('a tick with all', async () => (await one.metrics(customerId)).ema > 3);
    one.signal('SIGTERM'); // keeps the minute that is under way
    assert.deepEqual(await one.exit(), { code: 0, signal: null });
    const kept = await waitFor('its minute', async () => {
      const history = await historyOf(other, customerId);
      return history.points.length > 0 && history;
    });
    assert.deepEqual([kept.points.at(-1)[3], kept.peak, kept.uniqueToday], [4, 4, 4]);
    const next = await startDaemon(t, options);
    await waitReady(next);
    const read = await historyOf(next, customerId);
    assert.deepEqual([read.peak, read.peakToday, read.unique7d], [4, 4, 4]);
    const client = await redis.client();
    for (const key of (await client.call('KEYS', 'au:*')).filter((name) => name.includes(customerId)))
      if (/^au:(min|hour|uniq|peak):/.test(key))
        assert.ok((await client.call('TTL', key)) > 86400, key);
  });

  test('while Redis is away there is no history, and the count goes on', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 100 });
    const customerId = freshId();
    await join(daemon, customerId, 2);
    await waitFor('a tick', async () => (await daemon.metrics(customerId)).ema > 0);
    await daemon.redis.crash();
    await waitDegraded(daemon);
    const answer = await daemon.get(`/metrics/history?customerId=${customerId}`);
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '2']);
    const { count, peak, stale } = await daemon.metrics(customerId);
    assert.deepEqual([count, stale], [2, true]);
    assert.ok(peak >= 2);
  });

  test('a user without the permission has no history, and one line says so', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 100 });
    const redis = await daemon.redis.client();
    await redis.call('ACL', 'SETUSER', 'default', '-pfadd');
    await join(daemon, freshId(), 5);
    await waitFor('refusals', async () => (await daemon.samples()).get('au_history_failed_total') >= 5);
    await daemon.assertHealthy();
    assert.equal((await daemon.get('/health')).json.status, 'ok');
    const lines = daemon.log.filter(({ event }) => event === 'history refused');
    assert.equal(lines.length, 1);
    assert.equal(lines[0].reason, 'redis does not permit a command or key');
  });
});

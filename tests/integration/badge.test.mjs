// Badges: GET /badge/{customerId}.svg and .json.
import assert from 'node:assert/strict';

import {
  aBeat,
  assertBadRequest,
  assertError,
  freshId,
  startDaemon,
  startOn,
  STORES,
  suite,
  waitDegraded,
} from './harness.mjs';

for (const store of STORES) {
  suite(`badges, ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared);

    test('the count, as an image and for shields', async () => {
      const who = aBeat();
      await daemon.must('join', who);
      await daemon.must('join', aBeat({ customerId: who.customerId }));
      const image = await daemon.get(`/badge/${who.customerId}.svg?label=here`);
      assert.equal(image.status, 200);
      assert.equal(image.headers['content-type'], 'image/svg+xml; charset=utf-8');
      assert.match(image.text, /^<svg .*<title>here: 2<\/title>.*<\/svg>$/);
      const endpoint = await daemon.get(`/badge/${who.customerId}.json`);
      assert.equal(endpoint.headers['content-type'], 'application/json');
      assert.equal(endpoint.json.schemaVersion, 1);
      assert.equal(endpoint.json.label, 'active users');
      assert.equal(endpoint.json.message, String(await daemon.count(who.customerId)));
    });

    test('is kept for 10 s, and has a tag that changes with it', async () => {
      const who = aBeat();
      const target = `/badge/${who.customerId}.svg`;
      const first = await daemon.get(target);
      assert.equal(first.headers['cache-control'], 'public, max-age=10');
      const tag = first.headers.etag;
      for (const known of [tag, `W/${tag}`]) {
        const same = await daemon.get(target, { 'If-None-Match': known });
        assert.equal(same.status, 304);
        assert.equal(same.text, '');
        assert.equal(same.headers.etag, tag);
      }
      await daemon.must('join', who);
      const other = await daemon.get(target, { 'If-None-Match': tag });
      assert.equal(other.status, 200);
      assert.notEqual(other.headers.etag, tag);
    });
  });
}

suite('requests for badges', async (test, shared) => {
  const daemon = await startDaemon(shared, { 'allowed-origins': 'https://shop.example' });

  test('what is wrong is 400 that names the parameter', async () => {
    const wrong = {
      label: ['%0a', 'x'.repeat(65), '%ff', 'a&label=b'],
      color: ['javascript', '%23', 'ab'],
      labelColor: ['%22onload=%22x'],
      style: ['round'],
    };
    for (const [name, values] of Object.entries(wrong))
      for (const value of values)
        assertBadRequest(await daemon.get(`/badge/shop.svg?${name}=${value}`), name);
    for (const id of ['', 'a%20b', 'a%3ab', 'x'.repeat(129), '%', '%3Cb%3E'])
      assertBadRequest(await daemon.get(`/badge/${id}.json`), 'customerId');
  });

  test('ids of every kind, as they are or escaped', async () => {
    for (const id of ['a.b', 'a/b', 'a.svg', 'a%2Fb', '%61~%40=%2B'])
      assert.equal((await daemon.get(`/badge/${id}.svg`)).status, 200, id);
  });

  test('another end is 404, another method 405, another origin 403', async () => {
    assertError(await daemon.get('/badge/shop.png'), 404, 'Not Found');
    assertError(await daemon.get('/badge/'), 404, 'Not Found');
    assertError(await daemon.request('POST', '/badge/shop.svg'), 405, 'Method Not Allowed');
    const origin = (name) => daemon.get('/badge/shop.json', { Origin: name });
    assertError(await origin('https://evil.example'), 403, 'Forbidden');
    const answer = await origin('https://shop.example');
    assert.equal(answer.headers['access-control-allow-origin'], 'https://shop.example');
  });

  test('an unknown customer has 0, and is not made by being asked for', async () => {
    const before = (await daemon.get('/health')).json.customers;
    assert.equal((await daemon.get(`/badge/${freshId()}.json`)).json.message, '0');
    assert.equal((await daemon.get('/health')).json.customers, before);
  });
});

suite('badges at their limits', async (test) => {
  test('a badge is a read: 429 over the limit', async (t) => {
    const daemon = await startDaemon(t, { 'rate-ip': 3, 'rate-customer': 1000 });
    const target = `/badge/shop.svg`;
    const ask = () => daemon.request('GET', target, { from: '127.0.0.8' });
    for (let i = 0; i < 3; i++) {
      const answer = await ask();
      assert.equal(answer.status, 200);
      assert.ok('x-ratelimit-limit' in answer.headers);
    }
    assert.equal((await ask()).status, 429);
  });

  test('a lost Redis shows', async (t) => {
    const daemon = await startOn('redis', t);
    const who = aBeat();
    await daemon.must('join', who);
    await daemon.redis.crash();
    await waitDegraded(daemon);
    const { json } = await daemon.get(`/badge/${who.customerId}.json`);
    assert.equal(json.message, '1 (stale)');
    assert.equal(json.color, '#9f9f9f');
  });
});

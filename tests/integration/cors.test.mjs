// Origins (contract §2 allowed-origins, §3): who may read, and which headers say so.
import assert from 'node:assert/strict';

import { aBeat, assertError, httpText, startDaemon, suite } from './harness.mjs';

suite('CORS', async (test, shared) => {
  const open = await startDaemon(shared);
  const listed = await startDaemon(shared, {
    'allowed-origins': 'https://shop.example,http://localhost:8080',
  });
  const preflight = (daemon, origin, target = '/presence/join') =>
    daemon.request('OPTIONS', target, {
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
  const corsHeaders = (answer) =>
    Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));

  test('by default every origin is allowed, on every path', async () => {
    for (const target of ['/presence/join', '/metrics?customerId=a', '/anything']) {
      const answer = await preflight(open, 'https://any.example', target);
      assert.equal(answer.status, 204);
      assert.equal(answer.text, '');
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.match(answer.headers['access-control-allow-methods'], /\bPOST\b/);
      assert.match(answer.headers['access-control-allow-headers'], /content-type/i);
    }
  });

  test('a preflight allows whatever headers it asks for', async () => {
    const ask = async (headers) => {
      const answer = await open.request('OPTIONS', '/presence/beat', {
        headers: { origin: 'https://any.example', 'access-control-request-headers': headers },
      });
      assert.equal(answer.status, 204);
      return answer.headers['access-control-allow-headers'];
    };
    for (const tracing of ['baggage,content-type,sentry-trace', 'traceparent, x-b3_~.!'])
      assert.equal(await ask(tracing), tracing);
    for (const odd of ['a: b', 'a;b', '"x"', '<script>', 'x'.repeat(3000), ''])
      assert.equal(await ask(odd), 'Content-Type, Authorization', odd);
  });

  test('OPTIONS * is answered too', async (t) => {
    const connection = await open.connect(t);
    connection.send(httpText('OPTIONS', '*'));
    assert.equal((await connection.response()).status, 204);
  });

  test('an origin of the list is echoed, with Vary', async () => {
    for (const origin of ['https://shop.example', 'http://localhost:8080']) {
      const answer = await preflight(listed, origin);
      assert.equal(answer.status, 204);
      assert.equal(answer.headers['access-control-allow-origin'], origin);
      assert.match(answer.headers.vary, /origin/i);
      const join = await listed.post('join', aBeat(), { origin });
      assert.equal(join.status, 200);
      assert.equal(join.headers['access-control-allow-origin'], origin);
    }
  });

  test('errors carry the CORS headers too', async () => {
    const origin = 'https://shop.example';
    const errors = [
      await listed.post('join', '{', { origin }),
      await listed.get('/nothing', { origin }),
      await listed.get('/presence/join', { origin }),
      await listed.post('join', JSON.stringify({ x: 'y'.repeat(17_000) }), { origin }),
    ];
    assert.deepEqual(
      errors.map((answer) => answer.status),
      [400, 404, 405, 413],
    );
    for (const answer of errors)
      assert.equal(answer.headers['access-control-allow-origin'], origin);
    assert.equal(
      (await open.post('join', '{', { origin })).headers['access-control-allow-origin'],
      '*',
    );
  });

  const strangers = [
    'https://evil.example',
    'http://shop.example',
    'https://shop.example:444',
    'https://shop.example.evil.example',
    'https://evil-shop.example',
    'https://www.shop.example',
    'https://shop.example@evil.example',
    'https://shop.exampl',
    'null',
    '*',
  ];
  for (const origin of strangers) {
    test(`the origin ${origin} is refused: no CORS headers, and requests are 403`, async () => {
      const options = await preflight(listed, origin);
      assert.deepEqual(corsHeaders(options), []);
      const beat = aBeat();
      const join = await listed.post('join', beat, { origin });
      assertError(join, 403, 'Forbidden');
      assert.equal(join.headers['access-control-allow-origin'], undefined);
      assertError(
        await listed.get(`/metrics?customerId=${beat.customerId}`, { origin }),
        403,
        'Forbidden',
      );
      assert.equal(await listed.count(beat.customerId), 0, 'a refused join stores nothing');
    });
  }

  test('health and the exposition are for no page: no CORS headers, whatever the origin', async () => {
    for (const daemon of [open, listed])
      for (const origin of ['https://shop.example', 'https://evil.example'])
        for (const target of ['/health', '/ready', '/metrics']) {
          const answer = await daemon.get(target, { origin });
          assert.equal(answer.status, 200, target);
          assert.deepEqual(corsHeaders(answer), [], target);
        }
    const read = await listed.get('/metrics?customerId=a', { origin: 'https://shop.example' });
    assert.equal(read.headers['access-control-allow-origin'], 'https://shop.example');
  });

  test('what is made for one request is kept by no cache and read as nothing else', async (t) => {
    const beat = aBeat();
    const answers = [
      await open.post('join', beat),
      await open.post('beat', beat),
      await open.post('leave', beat),
      await open.post('join', '{'),
      await open.get('/metrics?customerId=a'),
      await open.get('/metrics?customerId='),
      await open.get('/metrics'),
      await open.get('/health'),
      await open.get('/ready'),
      await open.get('/none'),
      await open.get('/presence/join'),
      await preflight(open, 'https://any.example'),
      await listed.post('join', beat, { origin: 'https://evil.example' }),
    ];
    const connection = await open.connect(t);
    connection.send('GET / HTTP/1.1\r\n\r\n');
    answers.push(await connection.response());
    for (const answer of answers) {
      assert.equal(answer.headers['cache-control'], 'no-store', `${answer.status} ${answer.text}`);
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    }
    const asset = await open.get('/client.js');
    assert.notEqual(asset.headers['cache-control'], 'no-store');
  });

  test('a request without Origin comes from no browser and is served', async () => {
    assert.equal((await listed.post('join', aBeat())).status, 200);
  });
});

// Paths, methods and sizes (contract §3), and the pages that are not about presence.
import assert from 'node:assert/strict';

import {
  aBeat,
  assertError,
  freshId,
  httpText,
  startDaemon,
  startOn,
  STORES,
  suite,
} from './harness.mjs';

suite('routes', async (test, shared) => {
  const daemon = await startDaemon(shared);

  const wrongMethods = [
    ['GET', '/presence/join', ['POST']],
    ['PUT', '/presence/beat', ['POST']],
    ['DELETE', '/presence/leave', ['POST']],
    ['POST', '/metrics?customerId=a', ['GET', 'HEAD']],
    ['POST', '/metrics', ['GET', 'HEAD']],
    ['DELETE', '/health', ['GET', 'HEAD']],
    ['POST', '/ready', ['GET', 'HEAD']],
    ['TRACE', '/health', ['GET', 'HEAD']],
    ['PATCH', '/presence/join', ['POST']],
  ];
  for (const [method, target, allowed] of wrongMethods) {
    test(`${method} ${target}: 405 with Allow`, async () => {
      const answer = await daemon.request(method, target);
      assertError(answer, 405, 'Method Not Allowed');
      const named = answer.headers.allow.split(', ');
      for (const name of allowed) assert.ok(named.includes(name), answer.headers.allow);
      assert.ok(!named.includes(method), answer.headers.allow);
    });
  }

  for (const target of [
    '/presence',
    '/presence/',
    '/presence/join/',
    '/presence/joins',
    '/Health',
    '/health/',
    '//health',
    '/metrics/x',
    '/%00',
    '/..%2fhealth',
  ]) {
    test(`${target}: 404`, async () => {
      assertError(await daemon.get(target), 404, 'Not Found');
      assertError(await daemon.request('POST', target, { body: '{}' }), 404, 'Not Found');
    });
  }

  test('HEAD is answered as GET without the body', async (t) => {
    for (const target of ['/health', '/ready', '/metrics?customerId=a']) {
      const connection = await daemon.connect(t);
      connection.send(
        httpText('GET', target) + httpText('HEAD', target) + httpText('HEAD', target),
      );
      const get = await connection.response();
      assert.equal(get.status, 200);
      for (let i = 0; i < 2; i += 1) {
        const head = await connection.response({ ofHead: true });
        assert.equal(head.status, 200);
        assert.equal(head.headers['content-type'], get.headers['content-type']);
        assert.equal(head.headers['content-length'], get.headers['content-length']);
      }
    }
  });

  test('HEAD of an unknown path is 404 without a body', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(httpText('HEAD', '/nothing') + httpText('GET', '/health'));
    assert.equal((await connection.response({ ofHead: true })).status, 404);
    assert.equal((await connection.response()).status, 200);
  });

  test('/health and /ready say so, also with a query', async () => {
    for (const target of ['/health', '/health?probe=1']) {
      const answer = await daemon.get(target);
      assert.equal(answer.status, 200);
      assert.match(answer.headers['content-type'], /^application\/json/);
      assert.equal(answer.json.status, 'ok');
    }
    assert.equal((await daemon.get('/ready')).status, 200);
  });

  test('GET /metrics without a query is a Prometheus exposition', async () => {
    await daemon.must('join', aBeat());
    const answer = await daemon.get('/metrics');
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^text\/plain/);
    assert.ok(answer.text.endsWith('\n'), 'the last line is ended');
    const help = new Set();
    const types = new Map();
    const seen = new Set();
    for (const line of answer.text.slice(0, -1).split('\n')) {
      const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
      if (comment !== null) {
        const [, kind, name, rest] = comment;
        if (kind === 'HELP') {
          assert.ok(!help.has(name), `HELP of ${name} once`);
          help.add(name);
        } else {
          assert.ok(!types.has(name), `TYPE of ${name} once`);
          assert.match(rest, /^(counter|gauge|histogram|summary)$/);
          types.set(name, rest);
        }
        continue;
      }
      const sample =
        /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_]\w*="[^"\\\n]*"(,[a-zA-Z_]\w*="[^"\\\n]*")*\})? (-?[0-9.e+-]+)$/.exec(
          line,
        );
      assert.ok(sample, `not a sample: ${line}`);
      const family = types.has(sample[1])
        ? sample[1]
        : sample[1].replace(/_(bucket|sum|count)$/, '');
      assert.ok(types.has(family) && help.has(family), `${sample[1]} has HELP and TYPE before it`);
      if (types.get(family) === 'counter') assert.match(family, /_total$/);
      assert.ok(!seen.has(line.slice(0, line.lastIndexOf(' '))), `${line} once`);
      seen.add(line.slice(0, line.lastIndexOf(' ')));
    }
    const samples = await daemon.samples();
    assert.equal(samples.get('au_presence_joins_total'), 1);
    assert.ok(samples.get('au_http_requests_total') >= 2);
  });

  test('413 for a body over 16 KiB, announced or in chunks, and the join in it is not executed', async (t) => {
    const beat = aBeat();
    const tooLong = JSON.stringify({ ...beat, filler: 'x'.repeat(16 * 1024) });
    const chunked = `Transfer-Encoding: chunked\r\n\r\n${tooLong.length.toString(16)}\r\n${tooLong}\r\n0\r\n\r\n`;
    const piecemeal = tooLong
      .match(/.{1,1000}/g)
      .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
      .join('');
    const bodies = {
      announced: `Content-Length: ${tooLong.length}\r\n\r\n${tooLong}`,
      'announced and never sent': 'Content-Length: 1000000000\r\n\r\n',
      'one large chunk': chunked,
      'a large chunk announced and never sent': 'Transfer-Encoding: chunked\r\n\r\nfffffff\r\n',
      'many chunks': `Transfer-Encoding: chunked\r\n\r\n${piecemeal}0\r\n\r\n`,
    };
    for (const [what, rest] of Object.entries(bodies)) {
      const connection = await daemon.connect(t);
      connection.send(`POST /presence/join HTTP/1.1\r\nHost: a\r\n${rest}`);
      const answer = await connection.response();
      assert.equal(answer.status, 413, what);
      assertError(answer, 413, answer.json.error);
    }
    assert.equal(await daemon.count(beat.customerId), 0);
    await daemon.assertHealthy();
  });

  test('411 for a POST without a length', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(httpText('POST', '/presence/join') + httpText('GET', '/health'));
    assertError(await connection.response(), 411, 'Length Required');
    assert.equal((await connection.response()).status, 200, 'the connection stays usable');
  });

  test('414 for a target over 4 KiB, and 4 KiB are read', async (t) => {
    const target = (length) => '/metrics?customerId=a&x='.padEnd(length, 'y');
    const fits = await daemon.connect(t);
    fits.send(httpText('GET', target(4096)));
    assert.equal((await fits.response()).status, 200);
    for (const length of [4097, 7000, 100_000]) {
      const connection = await daemon.connect(t);
      connection.send(httpText('GET', target(length)));
      const answer = await connection.response();
      assertError(answer, 414, answer.json.error);
    }
    await daemon.assertHealthy();
  });

  test('431 for a head over max-head, and nearly as much is read', async (t) => {
    const fits = await daemon.connect(t);
    fits.send(httpText('GET', '/health', { headers: [`X-Filler: ${'y'.repeat(16_000)}`] }));
    assert.equal((await fits.response()).status, 200);
    const heads = {
      'one long header': [`X-Filler: ${'y'.repeat(17_000)}`],
      'very many headers': Array.from({ length: 2000 }, (_, i) => `X-${i}: y`),
      'a header name that never ends': ['y'.repeat(100_000)],
    };
    for (const [what, headers] of Object.entries(heads)) {
      const connection = await daemon.connect(t);
      connection.send(httpText('GET', '/health', { headers }));
      const answer = await connection.response();
      assert.equal(answer.status, 431, what);
      assertError(answer, 431, answer.json.error);
    }
    await daemon.assertHealthy();
    const small = await startDaemon(t, { 'max-head': 2000 });
    for (const [bytes, status] of [
      [1800, 200],
      [2000, 431],
    ]) {
      const answer = await small.get('/health', { 'x-filler': 'y'.repeat(bytes) });
      assert.equal(answer.status, status, `${bytes} bytes`);
    }
  });

  test('a page with 10 kB of cookies gets its script and its number', async () => {
    const cookie = Array.from({ length: 100 }, (_, i) => `c${i}=${'v'.repeat(95)}`).join('; ');
    for (const target of ['/client.js', '/metrics?customerId=shop'])
      assert.equal((await daemon.get(target, { cookie })).status, 200, target);
    assert.equal((await daemon.post('join', aBeat(), { cookie })).status, 200);
  });
});

suite('limits of the tables', async (test) => {
  for (const store of STORES) {
    test(`a new session over max-sessions is 503 with Retry-After on ${store}; known ones go on`, async (t) => {
      const daemon = await startOn(store, t, { 'max-sessions': 3 });
      const customerId = freshId();
      const beats = [1, 2, 3].map((i) => aBeat({ customerId, sessionId: `s${i}` }));
      for (const beat of beats) await daemon.must('join', beat);
      const refused = await daemon.post('join', aBeat({ customerId }));
      assertError(refused, 503, 'Service Unavailable');
      assert.match(refused.headers['retry-after'], /^[1-9]\d*$/);
      for (const beat of beats) await daemon.must('beat', beat);
      assert.equal(await daemon.count(customerId), 3);
      await daemon.must('leave', beats[0]);
      await daemon.must('join', aBeat({ customerId }));
      assert.equal(await daemon.count(customerId), 3);
    });
  }

  test('a new customer over max-customers is 503; known ones go on', async (t) => {
    const daemon = await startDaemon(t, { 'max-customers': 2 });
    const [one, two, three] = [aBeat(), aBeat(), aBeat()];
    await daemon.must('join', one);
    await daemon.must('join', two);
    assertError(await daemon.post('join', three), 503, 'Service Unavailable');
    await daemon.must('join', aBeat({ customerId: one.customerId }));
    assert.equal(await daemon.count(one.customerId), 2);
    assert.equal(await daemon.count(three.customerId), 0);
  });
});

// Server-sent events: GET /metrics/stream (contract §3).
import assert from 'node:assert/strict';

import {
  aBeat,
  assertBadRequest,
  assertError,
  EventStream,
  freshId,
  HEALTH,
  httpText,
  run,
  Socket,
  startDaemon,
  startOn,
  STORES,
  streamOf,
  suite,
  waitFor,
} from './harness.mjs';

for (const store of STORES) {
  suite(`streams, ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared, { 'ema-interval': 300, 'update-interval': 100 });

    test('the metrics of now at once, then each change and tick', async (t) => {
      const who = aBeat();
      await daemon.must('join', who);
      const stream = await EventStream.open(t, daemon, who.customerId);
      assert.equal(stream.headers['content-type'], 'text/event-stream');
      assert.equal(stream.headers['cache-control'], 'no-store');
      assert.equal(stream.headers['x-accel-buffering'], 'no');
      assert.equal(stream.headers['content-length'], undefined);
      const first = await stream.update();
      assert.deepEqual(Object.keys(first), ['timestamp', 'count', 'ema', 'customerId']);
      assert.equal(first.count, 1);
      assert.equal(first.customerId, who.customerId);
      await daemon.must('join', aBeat({ customerId: who.customerId }));
      await stream.update(({ count }) => count === 2);
      await stream.update(({ count, ema }) => count === 2 && ema > 1.5); // ticks
      for (const { id, data } of stream.inbox.all) assert.equal(id, String(data.timestamp));
    });

    test('a stream and a socket get the same frames', async (t) => {
      const who = aBeat();
      const stream = await EventStream.open(t, daemon, who.customerId);
      const socket = await Socket.join(t, daemon.httpPort, { customerId: who.customerId });
      await stream.update();
      await socket.update();
      await daemon.must('join', who);
      let last = await stream.update(({ count }) => count === 1);
      for (let i = 0; i < 4; i++) last = await stream.update();
      await socket.update(({ timestamp }) => timestamp === last.timestamp);
      const published = ({ timestamp, count }) => count > 0 && timestamp <= last.timestamp;
      const seen = socket.updates.filter(published);
      assert.ok(seen.length > 2);
      assert.deepEqual(stream.updates.filter(published), seen);
    });

    test('whoever comes back gets the newest at once, and nothing of what it missed', async (t) => {
      const who = aBeat();
      const stream = await EventStream.open(t, daemon, who.customerId);
      const { id } = await stream.inbox.next();
      stream.close();
      await daemon.must('join', who);
      await daemon.must('join', aBeat({ customerId: who.customerId }));
      for (const last of [id, '0', 'no number', '9'.repeat(400)]) {
        const back = await EventStream.open(t, daemon, who.customerId, {
          headers: { 'Last-Event-ID': last },
        });
        assert.equal((await back.update()).count, 2);
        back.close();
      }
    });

    test('one that is cut in the middle leaves nothing behind', async (t) => {
      const open = async () => (await daemon.samples()).get('au_streams');
      const before = await open();
      const cut = await Promise.all(
        Array.from({ length: 20 }, () => EventStream.open(t, daemon, freshId())),
      );
      for (const stream of cut) stream.response.socket.resetAndDestroy();
      await waitFor('the streams to be gone', async () => (await open()) <= before);
    });

    test('curl -N shows it line by line', async () => {
      const url = `http://127.0.0.1:${daemon.httpPort}${streamOf(freshId())}`;
      const { code, stdout } = await run('curl', ['-sN', '--max-time', '2', url]);
      assert.equal(code, 28); // it was still open
      assert.match(stdout, /^retry: \d+\n\nid: \d+\ndata: \{.*"count":0,.*\}\n\n/);
    });

    test('an unknown customer has zeros', async (t) => {
      const customerId = freshId();
      const stream = await EventStream.open(t, daemon, customerId);
      const { timestamp, ...zeros } = await stream.update();
      assert.deepEqual(zeros, { count: 0, ema: 0, customerId });
    });
  });
}

suite('requests for streams', async (test, shared) => {
  const daemon = await startDaemon(shared, { 'allowed-origins': 'https://shop.example' });

  test('HEAD has the same head and no stream', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(httpText('HEAD', streamOf('a')));
    const answer = await connection.response({ ofHead: true });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'text/event-stream');
    assert.equal(answer.headers['content-length'], undefined);
    assert.equal((await connection.end()).length, 0);
  });

  test('a bad customer is 400 that names it', async () => {
    for (const query of ['', '?customer=a', '?customerId=', '?customerId=a%20b', '?customerId=a&customerId=b'])
      assertBadRequest(await daemon.get('/metrics/stream' + query), 'customerId');
  });

  test('methods and origins as elsewhere', async (t) => {
    const answer = await daemon.request('POST', streamOf('a'));
    assertError(answer, 405, 'Method Not Allowed');
    const refused = await daemon.get(streamOf('a'), { Origin: 'https://evil.example' });
    assertError(refused, 403, 'Forbidden');
    const headers = { Origin: 'https://shop.example' };
    const stream = await EventStream.open(t, daemon, 'a', { headers });
    assert.equal(stream.headers['access-control-allow-origin'], 'https://shop.example');
  });

  test('not at the WebSocket port', async () => {
    const answer = await daemon.request('GET', streamOf('a'), { port: daemon.wsPort });
    assertError(answer, 404, 'Not Found');
  });

  test('bytes behind the request end it, and nothing is answered', async (t) => {
    for (const early of [true, false]) {
      const connection = await daemon.connect(t);
      connection.send(httpText('GET', streamOf('a')) + (early ? HEALTH : ''));
      if (!early) {
        await waitFor('the head', () => connection.received.includes('retry:'));
        connection.send(HEALTH);
        const bytes = await connection.end();
        assert.equal(bytes.toString('latin1').split('HTTP/1.1').length, 2);
      } else {
        await waitFor('the stream', () => connection.received.includes('"count":0'));
        assert.equal(connection.received.toString('latin1').split('HTTP/1.1').length, 2);
        connection.close();
      }
    }
  });

  test('requests before it on the connection are answered first', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(HEALTH + HEALTH + httpText('GET', streamOf('a')));
    assert.equal((await connection.response()).status, 200);
    assert.equal((await connection.response()).status, 200);
    await waitFor('the stream', () => connection.received.includes('"count":0'));
  });
});

suite('limits of streams', async (test) => {
  test('a stream is a read, and counts as a connection of its address', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections-ip': 3, 'rate-ip': 5 });
    const from = '127.0.0.9';
    const open = [];
    for (let i = 0; i < 3; i++) open.push(await EventStream.open(t, daemon, 'a', { from }));
    await assert.rejects(EventStream.open(t, daemon, 'a', { from })); // closed unread
    open[0].close();
    await waitFor('a free place', async () => {
      open[0] = await EventStream.open(t, daemon, 'a', { from }).catch(() => null);
      return open[0] !== null;
    });
    open[1].close();
    const blocked = await waitFor('the limit of reads', () =>
      EventStream.open(t, daemon, 'a', { from }).then(
        (stream) => void stream.close(),
        (error) => error.status && error,
      ),
    );
    assert.equal(blocked.status, 429);
    assert.match(blocked.headers['retry-after'], /^[1-9]\d*$/);
  });

  test('behind a trusted proxy it counts for its client', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections-ip': 2, 'trusted-proxies': '127.0.0.0/8' });
    const headers = { 'X-Forwarded-For': '192.0.2.1' };
    const open = [];
    for (let i = 0; i < 2; i++) open.push(await EventStream.open(t, daemon, 'a', { headers }));
    await assert.rejects(EventStream.open(t, daemon, 'a', { headers }), { status: 429 });
    await EventStream.open(t, daemon, 'a', { headers: { 'X-Forwarded-For': '192.0.2.2' } });
    open[0].close();
    await waitFor('its place to be free', () =>
      EventStream.open(t, daemon, 'a', { headers }).catch(() => null),
    );
  });

  test('when all slots are taken a stream makes room', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections': 10 });
    const streams = [];
    for (let i = 0; i < 10; i++) streams.push(await EventStream.open(t, daemon, 'a'));
    await daemon.must('join', aBeat());
    await waitFor('one to end', () => streams.some((stream) => stream.ended));
  });
});

suite('streams over time', async (test) => {
  test('a comment keeps a silent one open', async (t) => {
    const daemon = await startDaemon(t, { 'ema-interval': 3600000, 'idle-timeout': 5000 });
    const stream = await EventStream.open(t, daemon, 'a');
    await waitFor('a comment', () => stream.comments > 0);
    assert.equal(stream.updates.length, 1);
  });

  test('one of a blocked address ends at its next comment', async (t) => {
    const daemon = await startDaemon(t);
    const from = '127.0.0.8';
    const [blocked, other] = [
      await EventStream.open(t, daemon, 'a', { from }),
      await EventStream.open(t, daemon, 'a'),
    ];
    const body = { address: from, seconds: 100 };
    const headers = { 'content-type': 'application/json' };
    assert.equal((await daemon.request('POST', '/admin/blocks', { body, headers })).status, 200);
    await waitFor('its end', () => blocked.ended, { timeoutMs: 60_000 });
    assert.equal(other.ended, false);
  });

  test('a stop ends them over the drain, each with its own time to come back', async (t) => {
    const daemon = await startDaemon(t, { drain: 800 });
    const streams = [];
    for (let i = 0; i < 20; i++) streams.push(await EventStream.open(t, daemon, 'a'));
    await Promise.all(streams.map((stream) => stream.update()));
    const retries = new Set(streams.map(({ retry }) => retry));
    assert.equal(retries.size, 20);
    for (const retry of retries) assert.ok(retry >= 2000 && retry < 5000, String(retry));
    const ends = [];
    for (const stream of streams) stream.ending.then(() => ends.push(performance.now()));
    daemon.signal('SIGTERM');
    assert.deepEqual(await daemon.exit(), { code: 0, signal: null });
    await waitFor('all to end', () => ends.length === 20);
    assert.ok(ends.at(-1) - ends[0] > 300, `ended within ${ends.at(-1) - ends[0]} ms`);
  });
});

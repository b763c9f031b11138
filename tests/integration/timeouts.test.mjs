// Slow, silent and too many clients (contract §2 header-timeout and max-connections, §3).
import assert from 'node:assert/strict';

import {
  aBeat,
  FREE_AT_ONCE,
  HEALTH,
  httpText,
  presenceText,
  RawConnection,
  startDaemon,
  suite,
  waitFor,
} from './harness.mjs';

suite(
  'time-outs',
  async (test, shared) => {
    const daemon = await startDaemon(shared, { 'header-timeout': 1000, 'idle-timeout': 1000 });

    /** Sends a byte every 30 ms until the connection ends, and says how long that took. */
    async function trickle(connection, text) {
      const began = Date.now();
      let at = 0;
      await waitFor(
        'the server to lose patience',
        () => {
          if (!connection.ended) connection.send(text[at++ % text.length]);
          return connection.ended;
        },
        { everyMs: 30, timeoutMs: 10_000 },
      );
      return Date.now() - began;
    }

    async function assertTimedOut(connection) {
      const answer = await connection.response();
      assert.equal(answer.status, 408);
      assert.equal(answer.headers.connection, 'close');
      assert.equal(typeof answer.json.message, 'string');
      assert.equal((await connection.end()).length, 0);
    }

    test('a head that stops half-way: 408', async (t) => {
      const connection = await daemon.connect(t);
      connection.send('GET /health HTTP/1.1\r\nHost: a\r\n');
      await assertTimedOut(connection);
    });

    test('the deadline is for the whole head: bytes that keep coming do not move it', async (t) => {
      const connection = await daemon.connect(t);
      connection.send('GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ');
      const lasted = await trickle(connection, 'a');
      assert.ok(lasted >= 900, `lasted ${lasted} ms`);
      assert.equal(connection.tryResponse()?.status, 408);
    });

    test('a body that stops half-way: 408, and nothing is stored', async (t) => {
      const beat = aBeat();
      const connection = await daemon.connect(t);
      connection.send(presenceText('join', beat).slice(0, -1));
      await assertTimedOut(connection);
      assert.equal(await daemon.count(beat.customerId), 0);
    });

    test('the deadline is for the whole body: bytes that keep coming do not move it', async (t) => {
      const connection = await daemon.connect(t);
      connection.send('POST /presence/join HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n');
      const lasted = await trickle(connection, '{"a":1}');
      assert.ok(lasted >= 900, `lasted ${lasted} ms`);
      assert.equal(connection.tryResponse()?.status, 408);
    });

    test('chunks that keep coming do not move it either', async (t) => {
      const connection = await daemon.connect(t);
      connection.send(
        'POST /presence/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      await trickle(connection, '1\r\na\r\n');
      assert.equal(connection.tryResponse()?.status, 408);
    });

    test('an idle connection is closed without a word', async (t) => {
      const fresh = await daemon.connect(t);
      const used = await daemon.connect(t);
      used.send(HEALTH);
      assert.equal((await used.response()).status, 200);
      assert.equal((await fresh.end()).length, 0);
      assert.equal((await used.end()).length, 0);
    });

    test('500 peers that say nothing or half of something: the others are served, and all are gone in the end', async (t) => {
      const openConnections = async () => (await daemon.samples()).get('au_http_connections');
      const halves = [
        '',
        'G',
        'GET /health HTTP/1.1\r\nHost:',
        presenceText('join', aBeat()).slice(0, -1),
      ];
      const silent = await Promise.all(Array.from({ length: 500 }, () => daemon.connect(t)));
      silent.forEach((connection, i) => connection.send(halves[i % halves.length]));
      await daemon.assertHealthy();
      await Promise.all(silent.map((connection) => connection.end()));
      await waitFor('the connections to be given back', async () => (await openConnections()) <= 5);
    });
  },
  { concurrency: 3 },
);

suite('half a head where proxies are trusted', async (test) => {
  test('a peer that is none of them gets its 408, and one that is gets it too', async (t) => {
    const daemon = await startDaemon(t, {
      'trusted-proxies': '127.0.0.1',
      'header-timeout': 200,
    });
    for (const from of ['127.0.0.1', '127.0.0.2']) {
      const connection = await daemon.connect(t, daemon.httpPort, { from });
      connection.send('GET /health HT');
      assert.equal((await connection.response()).status, 408, from);
    }
    await daemon.assertHealthy();
  });
});

suite('limits of connections', async (test) => {
  test('above max-connections the fifth is told so, health is answered, and a free slot is taken', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections': 4 });
    const four = [];
    for (let i = 0; i < 4; i += 1) {
      const connection = await daemon.connect(t);
      connection.send(HEALTH);
      assert.equal((await connection.response()).status, 200);
      four.push(connection);
    }
    const ask = async (text) => {
      const connection = await daemon.connect(t);
      connection.send(text);
      const response = await connection.response();
      connection.close();
      return response;
    };
    const fifth = await ask(httpText('GET', '/metrics?customerId=shop'));
    assert.equal(fifth.status, 503);
    assert.equal(fifth.headers.connection, 'close');
    assert.match(fifth.headers['retry-after'], /^[1-9]\d*$/);
    for (const path of ['/health', '/ready']) assert.equal((await ask(httpText('GET', path))).status, 200);
    four[1].send(HEALTH); // nobody was dropped for them
    assert.equal((await four[1].response()).status, 200);
    four[0].close();
    await waitFor(
      'the free slot to be taken',
      async () => (await ask(httpText('GET', '/metrics?customerId=shop'))).status === 200,
    );
    four.slice(1).forEach((connection) => connection.close());
    await waitFor('room for others', async () => (await daemon.get('/health')).status === 200);
  });

  test('out of descriptors accepting pauses without spinning, and goes on: nobody is dropped', async (t) => {
    const daemon = await startDaemon(t, {}, {}, ['prlimit', '--nofile=48:48']);
    const connections = [];
    for (let i = 0; i < 80; i += 1) {
      const connection = await daemon.connect(t);
      connection.send(HEALTH);
      connections.push(connection);
    }
    const served = new Set();
    const look = () => {
      for (const connection of connections) if (connection.tryResponse()) served.add(connection);
      return served;
    };
    await waitFor('the first to be served', () => look().size >= 10);
    const cpuBefore = daemon.cpuMs();
    const began = Date.now();
    await waitFor('a moment of pause', () => Date.now() - began > 500);
    assert.ok(daemon.cpuMs() - cpuBefore < 250, 'it waits, it does not spin');
    assert.ok(look().size < 48, `${served.size} served with 48 descriptors`);
    assert.ok(
      connections.every((connection) => !connection.ended),
      'nobody was dropped',
    );
    await waitFor('each to be served when others have gone', () => {
      for (const connection of look()) connection.close();
      return served.size === connections.length;
    });
    await daemon.assertHealthy();
  });

  test('a client that does not read is not read from, and gets all of its answers in the end', async (t) => {
    const daemon = await startDaemon(t, {}, FREE_AT_ONCE);
    const total = 8000;
    const connection = await daemon.connect(t);
    connection.socket.pause();
    const answered = async () => (await daemon.samples()).get('au_http_requests_total');
    const residentBefore = daemon.residentKb();
    connection.send(httpText('GET', '/metrics').repeat(total));
    let last = -1;
    await waitFor(
      'the daemon to stop answering',
      async () => {
        const now = (await answered()) - last;
        last += now;
        return last > 20 && now <= 1; // one is the question itself
      },
      { everyMs: 200 },
    );
    assert.ok(last < total, `${last} of ${total} were answered to a client that reads nothing`);
    const grown = daemon.residentKb() - residentBefore;
    assert.ok(grown < 20_000, `memory grew by ${grown} kB`);
    await daemon.assertHealthy();
    let read = 0;
    connection.socket.resume();
    await waitFor('all answers', () => {
      while (connection.tryResponse()) read += 1;
      return read === total;
    });
  });

  test('a client that never reads and goes away leaves nothing behind', async (t) => {
    const daemon = await startDaemon(t, { 'idle-timeout': 300, 'header-timeout': 300 });
    const connection = await RawConnection.open(t, daemon.httpPort);
    connection.socket.pause();
    connection.send(httpText('GET', '/metrics').repeat(5000));
    await waitFor(
      'answers to pile up',
      async () => (await daemon.samples()).get('au_http_requests_total') > 20,
    );
    connection.socket.resetAndDestroy();
    await waitFor(
      'its connection to be gone',
      async () => (await daemon.samples()).get('au_http_connections') <= 1,
    );
  });
});

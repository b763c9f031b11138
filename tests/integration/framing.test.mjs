// HTTP framing on raw sockets (contract §3): keep-alive, pipelining, chunks, 100-continue.
import assert from 'node:assert/strict';

import {
  aBeat,
  chunksOf,
  freshId,
  HEALTH,
  httpText,
  metricsText,
  presenceText,
  startDaemon,
  startOn,
  STORES,
  suite,
} from './harness.mjs';

const chunkedText = (beat, { size = 1000, head = '', end = '0\r\n\r\n' } = {}) =>
  `POST /presence/join HTTP/1.1\r\nHost: a\r\n${head}Transfer-Encoding: chunked\r\n\r\n${chunksOf(JSON.stringify(beat), size)}${end}`;

suite('connections', async (test, shared) => {
  const daemon = await startDaemon(shared);

  test('a connection is kept for request after request', async (t) => {
    const connection = await daemon.connect(t);
    const beat = aBeat();
    for (let i = 0; i < 20; i += 1) {
      connection.send(presenceText('beat', beat));
      const answer = await connection.response();
      assert.equal(answer.status, 200);
      assert.equal(answer.text, '{"success":true}');
      assert.notEqual(answer.headers.connection, 'close');
    }
    assert.equal(connection.ended, false);
  });

  test('Connection: close is answered and obeyed', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(httpText('GET', '/health', { headers: ['Connection: close'] }) + HEALTH);
    const answer = await connection.response();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.connection, 'close');
    assert.equal((await connection.end()).length, 0, 'what follows is not answered');
  });

  test('Connection is a list in any letters', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(httpText('GET', '/health', { headers: ['connection: x-foo, CLOSE'] }));
    assert.equal((await connection.response()).status, 200);
    await connection.end();
  });

  test('HTTP/1.0 needs no Host and is closed after its answer', async (t) => {
    const connection = await daemon.connect(t);
    connection.send('GET /health HTTP/1.0\r\n\r\n');
    const answer = await connection.response();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['transfer-encoding'], undefined);
    assert.equal((await connection.end()).length, 0);
  });

  test('HTTP/1.0 with a body of a known length is served', async (t) => {
    const connection = await daemon.connect(t);
    const beat = aBeat();
    connection.send(presenceText('join', beat).replace('HTTP/1.1', 'HTTP/1.0'));
    assert.equal((await connection.response()).status, 200);
    assert.equal(await daemon.count(beat.customerId), 1);
  });

  test('a request may come cut in two at any byte', async (t) => {
    const connection = await daemon.connect(t);
    const beat = aBeat();
    const text = presenceText('beat', beat);
    for (let cut = 1; cut < text.length; cut += 1) {
      connection.send(text.slice(0, cut));
      await new Promise(setImmediate);
      connection.send(text.slice(cut));
      assert.equal((await connection.response()).status, 200, `cut at ${cut}`);
    }
    assert.equal(await daemon.count(beat.customerId), 1);
  });

  test('a request may come byte by byte', async (t) => {
    const connection = await daemon.connect(t);
    const beat = aBeat();
    await connection.sendBytewise(presenceText('join', beat));
    assert.equal((await connection.response()).status, 200);
    assert.equal(await daemon.count(beat.customerId), 1);
  });

  test('header names are case-insensitive and values may be padded', async (t) => {
    const connection = await daemon.connect(t);
    const body = JSON.stringify(aBeat());
    connection.send(
      `POST /presence/join HTTP/1.1\r\nhOsT:\t a \r\ncontent-LENGTH: \t${body.length} \r\n\r\n${body}`,
    );
    assert.equal((await connection.response()).status, 200);
  });

  test('a target in absolute form is served', async (t) => {
    const connection = await daemon.connect(t);
    const beat = aBeat();
    connection.send(
      presenceText('join', beat).replace('/presence/join', 'http://localhost/presence/join'),
    );
    assert.equal((await connection.response()).status, 200);
    connection.send(httpText('GET', `http://localhost:1/metrics?customerId=${beat.customerId}`));
    assert.equal((await connection.response()).json.count, 1);
  });

  test('an offer to upgrade to something else is ignored', async (t) => {
    const connection = await daemon.connect(t);
    const upgrade = [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
    ];
    connection.send(httpText('GET', '/health', { headers: upgrade }) + HEALTH);
    assert.equal((await connection.response()).status, 200);
    assert.equal((await connection.response()).status, 200);
  });

  test('the body of a GET is read and not taken for a request', async (t) => {
    const connection = await daemon.connect(t);
    const beat = aBeat();
    connection.send(
      httpText('GET', '/health', { body: presenceText('join', beat) }) +
        metricsText(beat.customerId),
    );
    assert.equal((await connection.response()).json.status, 'ok');
    assert.equal((await connection.response()).json.count, 0);
  });

  test('a client that goes away in the middle harms nobody', async (t) => {
    const text = presenceText('join', aBeat());
    for (const part of [0, 10, text.indexOf('\r\n\r\n') + 4, text.length - 1, text.length]) {
      const connection = await daemon.connect(t);
      connection.send(text.slice(0, part));
      await new Promise(setImmediate);
      connection.socket.resetAndDestroy();
    }
    await daemon.assertHealthy();
  });

  test('a client that shuts its sending side still gets its answers', async (t) => {
    const connection = await daemon.connect(t);
    connection.socket.end(HEALTH + HEALTH);
    assert.equal((await connection.response()).status, 200);
    assert.equal((await connection.response()).status, 200);
    assert.equal((await connection.end()).length, 0);
  });
});

for (const store of STORES) {
  suite(`pipelining on ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared);

    test('50 requests in one write are answered in their order', async (t) => {
      const connection = await daemon.connect(t);
      const customers = Array.from({ length: 50 }, () => freshId());
      connection.send(customers.map(metricsText).join(''));
      for (const customerId of customers)
        assert.equal((await connection.response()).json.customerId, customerId);
    });

    test('each pipelined request sees what the ones before it did', async (t) => {
      const connection = await daemon.connect(t);
      const customerId = freshId();
      const beats = Array.from({ length: 25 }, (_, i) => aBeat({ customerId, sessionId: `s${i}` }));
      connection.send(
        beats.map((beat) => presenceText('join', beat) + metricsText(customerId)).join(''),
      );
      for (let i = 1; i <= beats.length; i += 1) {
        assert.equal((await connection.response()).text, '{"success":true}');
        assert.equal((await connection.response()).json.count, i);
      }
    });

    test('good and bad ones are mixed without losing the order', async (t) => {
      const connection = await daemon.connect(t);
      const requests = [
        [presenceText('join', aBeat()), 200],
        [httpText('GET', '/nothing'), 404],
        [httpText('GET', '/presence/join'), 405],
        [presenceText('join', { customerId: 'a' }), 400],
        [httpText('OPTIONS', '/presence/join'), 204],
        [httpText('POST', '/presence/beat', { body: '{' }), 400],
        [HEALTH, 200],
      ];
      const many = [...requests, ...requests, ...requests];
      connection.send(many.map(([text]) => text).join(''));
      const statuses = [];
      for (let i = 0; i < many.length; i += 1) statuses.push((await connection.response()).status);
      assert.deepEqual(
        statuses,
        many.map(([, status]) => status),
      );
    });
  });
}

suite('bodies in chunks', async (test, shared) => {
  const daemon = await startDaemon(shared);

  for (const size of [1, 7, 1000]) {
    test(`chunks of ${size} make a body`, async (t) => {
      const connection = await daemon.connect(t);
      const beat = aBeat();
      connection.send(chunkedText(beat, { size }) + HEALTH);
      assert.equal((await connection.response()).status, 200);
      assert.equal((await connection.response()).json.status, 'ok');
      assert.equal(await daemon.count(beat.customerId), 1);
    });
  }

  test('chunks may come byte by byte', async (t) => {
    const connection = await daemon.connect(t);
    const beat = aBeat();
    await connection.sendBytewise(chunkedText(beat, { size: 3 }));
    assert.equal((await connection.response()).status, 200);
    assert.equal(await daemon.count(beat.customerId), 1);
  });

  test('sizes are hexadecimal in either case and may have leading zeros', async (t) => {
    const connection = await daemon.connect(t);
    const body = JSON.stringify(
      aBeat({ filler: 'x'.repeat(170 - JSON.stringify(aBeat({ filler: '' })).length) }),
    );
    const [a, b] = [body.slice(0, 0x1a), body.slice(0x1a)];
    const text = `001A\r\n${a}\r\n${b.length.toString(16).toUpperCase()}\r\n${b}\r\n000\r\n\r\n`;
    connection.send(
      `POST /presence/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${text}`,
    );
    assert.equal((await connection.response()).status, 200);
  });

  test('the coding is named in any letters', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(
      chunkedText(aBeat()).replace('Transfer-Encoding: chunked', 'transfer-encoding: Chunked'),
    );
    assert.equal((await connection.response()).status, 200);
  });

  // RFC 9112 allows both; a server may also refuse them. Either way it must not lose the framing.
  const optional = {
    'a chunk extension': (beat) =>
      chunkedText(beat).replace(/\r\n\r\n([0-9a-f]+)\r\n/, '\r\n\r\n$1;a=b\r\n'),
    trailers: (beat) => chunkedText(beat, { end: '0\r\nX-Sum: 1\r\n\r\n' }),
  };
  for (const [what, text] of Object.entries(optional)) {
    test(`${what}: taken, or refused with one 400 and a close`, async (t) => {
      const connection = await daemon.connect(t);
      const beat = aBeat();
      connection.send(text(beat) + HEALTH);
      const answer = await connection.response();
      if (answer.status === 200) {
        assert.equal((await connection.response()).json.status, 'ok');
      } else {
        assert.equal(answer.status, 400);
        assert.equal(answer.headers.connection, 'close');
        assert.equal((await connection.end()).length, 0);
      }
      assert.equal(await daemon.count(beat.customerId), answer.status === 200 ? 1 : 0);
    });
  }
});

suite('Expect: 100-continue', async (test, shared) => {
  const daemon = await startDaemon(shared);
  const headOf = (length) =>
    `POST /presence/join HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;

  test('the client is told to go on, then answered', async (t) => {
    const connection = await daemon.connect(t);
    const body = JSON.stringify(aBeat());
    connection.send(headOf(body.length));
    const go = await connection.response();
    assert.equal(go.status, 100);
    assert.deepEqual(go.headers, {});
    connection.send(body);
    assert.equal((await connection.response()).status, 200);
    connection.send(HEALTH);
    assert.equal((await connection.response()).status, 200, 'the connection stays usable');
  });

  test('with chunks as well', async (t) => {
    const connection = await daemon.connect(t);
    const text = chunkedText(aBeat(), { head: 'Expect: 100-Continue\r\n' });
    const headEnd = text.indexOf('\r\n\r\n') + 4;
    connection.send(text.slice(0, headEnd));
    assert.equal((await connection.response()).status, 100);
    connection.send(text.slice(headEnd));
    assert.equal((await connection.response()).status, 200);
  });

  test('a client that does not wait gets one final answer', async (t) => {
    const connection = await daemon.connect(t);
    const body = JSON.stringify(aBeat());
    connection.send(headOf(body.length) + body + HEALTH);
    let answer = await connection.response();
    if (answer.status === 100) answer = await connection.response();
    assert.equal(answer.status, 200);
    assert.equal((await connection.response()).json.status, 'ok');
  });

  test('too large a body gets 413 and no 100', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(headOf(16 * 1024 + 1));
    assert.equal((await connection.response()).status, 413);
  });

  test('a refusal keeps the connection in step, whether it asks for the body or not', async (t) => {
    for (const [target, status] of [
      ['/nothing', 404],
      ['/health', 405],
    ]) {
      const connection = await daemon.connect(t);
      connection.send(headOf(10).replace('/presence/join', target));
      let answer = await connection.response();
      if (answer.status === 100) {
        connection.send('0123456789');
        answer = await connection.response();
        assert.notEqual(answer.headers.connection, 'close');
        connection.send(HEALTH);
        assert.equal((await connection.response()).json.status, 'ok');
      }
      assert.equal(answer.status, status);
    }
  });
});

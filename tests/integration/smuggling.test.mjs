// What is one request and what is not (contract §3, hazards "HTTP and llhttp"). A message that two
// readers could cut differently is refused, and nothing after it runs.
import assert from 'node:assert/strict';

import {
  aBeat,
  chunksOf,
  HEALTH,
  httpText,
  presenceText,
  startDaemon,
  suite,
  waitFor,
} from './harness.mjs';

suite('messages that could be read in two ways', async (test, shared) => {
  const daemon = await startDaemon(shared);

  /** Each is built around a join that must never run, and is followed by one more. */
  const post = (headers, body) =>
    `POST /presence/join HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;
  const chunked = (body) => post('Transfer-Encoding: chunked', body);
  const sized = (value, body) => post(`Content-Length: ${value}`, body);
  const get = (headers) => `GET /health HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`;

  const ambiguous = {
    'Content-Length and Transfer-Encoding': [
      (body) =>
        post(`Content-Length: ${body.length}\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${body}`),
    ],
    'Transfer-Encoding and Content-Length': [
      (body) =>
        post(`Transfer-Encoding: chunked\r\nContent-Length: ${body.length}`, `0\r\n\r\n${body}`),
    ],
    'Content-Length and Transfer-Encoding: identity': [
      (body) => post(`Content-Length: ${body.length}\r\nTransfer-Encoding: identity`, body),
      400,
      501,
    ],
    'two different lengths': [
      (body) => post(`Content-Length: 0\r\nContent-Length: ${body.length}`, body),
    ],
    'two equal lengths': [
      (body) => post(`Content-Length: ${body.length}\r\nContent-Length: ${body.length}`, body),
    ],
    'two Transfer-Encodings': [
      (body) =>
        post(
          'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
          chunksOf(body, 99) + '0\r\n\r\n',
        ),
    ],
    'chunked, then identity': [
      (body) =>
        post(
          'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
          chunksOf(body, 99) + '0\r\n\r\n',
        ),
      400,
      501,
    ],
    'Transfer-Encoding: gzip': [(body) => post('Transfer-Encoding: gzip', body), 501],
    'Transfer-Encoding: xchunked': [
      (body) => post('Transfer-Encoding: xchunked', chunksOf(body, 99) + '0\r\n\r\n'),
      501,
    ],
    'Transfer-Encoding: gzip, chunked': [
      (body) => post('Transfer-Encoding: gzip, chunked', chunksOf(body, 99) + '0\r\n\r\n'),
      501,
    ],
    'Transfer-Encoding: chunked, gzip': [
      (body) => post('Transfer-Encoding: chunked, gzip', chunksOf(body, 99) + '0\r\n\r\n'),
      400,
      501,
    ],
    'Transfer-Encoding: chunked, chunked': [
      (body) => post('Transfer-Encoding: chunked, chunked', chunksOf(body, 99) + '0\r\n\r\n'),
    ],
    'Transfer-Encoding: "chunked"': [
      (body) => post('Transfer-Encoding: "chunked"', chunksOf(body, 99) + '0\r\n\r\n'),
      400,
      501,
    ],
    'an empty Transfer-Encoding': [(body) => post('Transfer-Encoding:', body), 400, 501],
    'Transfer-Encoding with a vertical tab': [
      (body) => post('Transfer-Encoding: \x0bchunked', chunksOf(body, 99) + '0\r\n\r\n'),
      400,
      501,
    ],
    'Transfer-Encoding in HTTP/1.0': [
      (body) => chunked(`${chunksOf(body, 99)}0\r\n\r\n`).replace('HTTP/1.1', 'HTTP/1.0'),
    ],
    'a space before the colon of Transfer-Encoding': [
      (body) => post('Transfer-Encoding : chunked', chunksOf(body, 99) + '0\r\n\r\n'),
    ],
    'a space before the colon of Content-Length': [
      (body) => post(`Content-Length : ${body.length}`, body),
    ],
    'a tab before a colon': [() => get('X-Foo\t: a')],
    'a space in a header name': [() => get('X Foo: a')],
    'a header name with brackets': [() => get('X(Foo): a')],
    'a header name beyond ASCII': [() => get('X-F\xf6o: a')],
    'a header without a name': [() => get(': a')],
    'a header line without a colon': [() => get('X-Foo')],
    'a first header line that begins with a space': [
      () => 'GET /health HTTP/1.1\r\n Host: a\r\n\r\n',
    ],
    'a folded line': [() => get('X-Foo: a\r\n b')],
    'a line folded with a tab': [() => get('X-Foo: a\r\n\tb')],
    'a fold that hides a length': [
      (body) => post(`X-Foo: a\r\n Content-Length: ${body.length}`, body),
    ],
    'a bare CR in a header value': [() => get('X-Foo: a\rb')],
    'a bare CR that would end a header': [
      (body) => post('X-Foo: a\rTransfer-Encoding: chunked', chunksOf(body, 99) + '0\r\n\r\n'),
    ],
    'a CR before the CRLF': [() => get('X-Foo: a\r')],
    'a bare CR in the request line': [() => 'GET /health\rHTTP/1.1\r\nHost: a\r\n\r\n'],
    'a CR as the end of a line': [() => 'GET /health HTTP/1.1\rHost: a\r\r'],
    'a bare LF as the end of the request line': [() => 'GET /health HTTP/1.1\nHost: a\r\n\r\n'],
    'a bare LF as the end of a header': [() => get('X-Foo: a\nX-Bar: b')],
    'a bare LF as the end of the head': [() => 'GET /health HTTP/1.1\r\nHost: a\r\n\n'],
    'bare LFs everywhere': [() => 'GET /health HTTP/1.1\nHost: a\n\n'],
    'CRLF CR X as the end of the head': [(body) => `GET /health HTTP/1.1\r\nHost: a\r\n\rX${body}`],
    'a NUL in a header value': [() => get('X-Foo: a\0b')],
    'a NUL in a header name': [() => get('X-F\0oo: a')],
    'a NUL in the target': [() => 'GET /hea\0lth HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a control character in a header value': [() => get('X-Foo: a\x01b')],
    'DEL in a header value': [() => get('X-Foo: a\x7fb')],
    'Content-Length: +5': [(body) => sized(`+${body.length}`, body)],
    'Content-Length: -1': [(body) => sized('-1', body)],
    'Content-Length: 5,5': [(body) => sized(`${body.length},${body.length}`, body)],
    'Content-Length: 5, 5': [(body) => sized(`${body.length}, ${body.length}`, body)],
    'Content-Length: 5 5': [(body) => sized(`${body.length} ${body.length}`, body)],
    'Content-Length in hexadecimal': [(body) => sized(`0x${body.length.toString(16)}`, body)],
    'Content-Length: 1e2': [(body) => sized('1e2', body)],
    'Content-Length: 5.0': [(body) => sized(`${body.length}.0`, body)],
    'Content-Length: abc': [(body) => sized('abc', body)],
    'an empty Content-Length': [(body) => sized('', body)],
    'Content-Length beyond 64 bits': [(body) => sized('18446744073709551617', body), 400, 413],
    'a chunk size that is no number': [(body) => chunked(`g\r\n${body}\r\n0\r\n\r\n`)],
    'an empty chunk size': [(body) => chunked(`\r\n${body}\r\n0\r\n\r\n`)],
    'a chunk size with a sign': [
      (body) => chunked(`+${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    ],
    'a negative chunk size': [(body) => chunked(`-1\r\n${body}\r\n0\r\n\r\n`)],
    'a chunk size with 0x': [
      (body) => chunked(`0x${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    ],
    'a chunk size with a space before it': [
      (body) => chunked(` ${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    ],
    'a chunk size beyond 64 bits': [
      (body) => chunked(`1${'0'.repeat(15)}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
      400,
      413,
    ],
    'a chunk size ended by a bare LF': [
      (body) => chunked(`${body.length.toString(16)}\n${body}\r\n0\r\n\r\n`),
    ],
    'a chunk size ended by a bare CR': [
      (body) => chunked(`${body.length.toString(16)}\r${body}\r\n0\r\n\r\n`),
    ],
    'a chunk extension with a bare LF': [
      (body) => chunked(`${body.length.toString(16)};a\nb\r\n${body}\r\n0\r\n\r\n`),
    ],
    'a chunk longer than its size': [
      (body) => chunked(`${(body.length - 2).toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    ],
    'a chunk without its line end': [
      (body) => chunked(`${body.length.toString(16)}\r\n${body}0\r\n\r\n`),
    ],
    'a chunk ended by a bare LF': [
      (body) => chunked(`${body.length.toString(16)}\r\n${body}\n0\r\n\r\n`),
    ],
    'a last chunk ended by a bare LF': [(body) => chunked(`${chunksOf(body, 99)}0\n\n`)],
    'a chunk extension of 20 kB': [
      (body) =>
        chunked(`${body.length.toString(16)};a=${'b'.repeat(20_000)}\r\n${body}\r\n0\r\n\r\n`),
      400,
      413,
      431,
    ],
    'trailers of 20 kB': [
      (body) => chunked(`${chunksOf(body, 99)}0\r\nX-Sum: ${'b'.repeat(20_000)}\r\n\r\n`),
      400,
      413,
      431,
    ],
    'a request line without a target': [() => 'GET HTTP/1.1\r\nHost: a\r\n\r\n'],
    'two spaces in the request line': [() => 'GET  /health HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a space in the target': [() => 'GET /hea lth HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a tab in the request line': [() => 'GET\t/health HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a space before the method': [() => ' GET /health HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a target that is no path': [() => 'GET health HTTP/1.1\r\nHost: a\r\n\r\n'],
    'no version (HTTP/0.9)': [() => 'GET /health\r\n\r\n'],
    'HTTP/0.9': [() => 'GET /health HTTP/0.9\r\nHost: a\r\n\r\n', 400, 505],
    'HTTP/1.2': [() => 'GET /health HTTP/1.2\r\nHost: a\r\n\r\n', 505],
    'HTTP/2.0': [() => 'GET /health HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    'HTTP/3.0': [() => 'GET /health HTTP/3.0\r\nHost: a\r\n\r\n', 400, 505],
    'HTTP/1.10': [() => 'GET /health HTTP/1.10\r\nHost: a\r\n\r\n', 400, 505],
    'HTTP/1': [() => 'GET /health HTTP/1\r\nHost: a\r\n\r\n'],
    'http/1.1': [() => 'GET /health http/1.1\r\nHost: a\r\n\r\n'],
    'the preface of HTTP/2': [() => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 505],
    'RTSP/1.0': [() => 'OPTIONS /health RTSP/1.0\r\nHost: a\r\n\r\n'],
    'ICE/1.0': [() => 'SOURCE /health ICE/1.0\r\nHost: a\r\n\r\n'],
    'no HTTP at all': [() => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS hello\r\n\r\n'],
  };
  for (const [what, [build, ...statuses]] of Object.entries(ambiguous)) {
    const expected = statuses.length > 0 ? statuses : [400];
    test(`${what}: one ${expected.join(' or ')}, a close, and nothing after it runs`, async (t) => {
      const beat = aBeat();
      const connection = await daemon.connect(t);
      connection.send(build(JSON.stringify(beat)) + presenceText('join', beat));
      const answer = await connection.response();
      assert.ok(expected.includes(answer.status), `answered ${answer.status} ${answer.text}`);
      assert.equal(answer.headers.connection, 'close');
      assert.equal(typeof answer.json.error, 'string');
      assert.equal(typeof answer.json.message, 'string');
      assert.equal((await connection.end()).toString('latin1'), '', 'one answer only');
      assert.equal(await daemon.count(beat.customerId), 0, 'nothing was executed');
      await daemon.assertHealthy();
    });
  }

  test('a framing error ends a pipeline where it stands: what came before it is answered', async (t) => {
    const [before, after] = [aBeat(), aBeat()];
    const connection = await daemon.connect(t);
    connection.send(
      presenceText('join', before) + HEALTH + get('X-Foo: a\nb') + presenceText('join', after),
    );
    const statuses = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await connection.response()).status);
    assert.deepEqual(statuses, [200, 200, 400]);
    assert.equal((await connection.end()).length, 0);
    assert.equal(await daemon.count(before.customerId), 1);
    assert.equal(await daemon.count(after.customerId), 0);
  });

  const foreignMethods = [
    'QUERY',
    'SOURCE',
    'M-SEARCH',
    'PROPFIND',
    'DESCRIBE',
    'FOO',
    'get',
    'G\xc9T',
  ];
  for (const method of foreignMethods) {
    test(`the method ${method} is refused`, async (t) => {
      const connection = await daemon.connect(t);
      connection.send(`${method} /health HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
      const answer = await connection.response();
      assert.ok([400, 405, 501].includes(answer.status), `answered ${answer.status}`);
      if (answer.status === 405) assert.match(answer.headers.allow, /GET/);
      await daemon.assertHealthy();
    });
  }

  test('CONNECT opens no tunnel', async (t) => {
    const beat = aBeat();
    const connection = await daemon.connect(t);
    connection.send(`CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n`);
    const answer = await connection.response();
    assert.ok(answer.status >= 400 && answer.status <= 501, `answered ${answer.status}`);
    assert.equal(await daemon.count(beat.customerId), 0);
  });

  for (const [what, hosts] of [
    ['without Host', ''],
    ['with two Hosts', 'Host: a\r\nHost: b\r\n'],
    ['with two equal Hosts', 'Host: a\r\nHost: a\r\n'],
  ]) {
    test(`HTTP/1.1 ${what}: 400, and the request is not executed`, async (t) => {
      const beat = aBeat();
      const body = JSON.stringify(beat);
      const connection = await daemon.connect(t);
      connection.send(
        `POST /presence/join HTTP/1.1\r\n${hosts}Content-Length: ${body.length}\r\n\r\n${body}`,
      );
      const answer = await connection.response();
      assert.equal(answer.status, 400);
      assert.equal(answer.json.error, 'Bad Request');
      assert.equal(await daemon.count(beat.customerId), 0);
    });
  }
});

suite('after an error on a whole request the connection stays usable', async (test, shared) => {
  const daemon = await startDaemon(shared, { 'allowed-origins': 'https://shop.example' });
  const smuggled = aBeat();
  const inner = presenceText('join', smuggled);
  const whole = {
    'bad JSON': [httpText('POST', '/presence/join', { body: '{' }), 400],
    'a missing field': [httpText('POST', '/presence/join', { body: '{}' }), 400],
    'a bad query': [httpText('GET', '/metrics?customerId='), 400],
    'a refused origin': [
      httpText('POST', '/presence/join', {
        headers: ['Origin: https://evil.example'],
        body: inner,
      }),
      403,
    ],
    'an unknown path with a request for a body': [
      httpText('POST', '/nothing', { body: inner }),
      404,
    ],
    'an unknown path with a body in chunks': [
      `POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunksOf(inner, 50)}0\r\n\r\n`,
      404,
    ],
    'a wrong method with a request for a body': [
      httpText('PUT', '/presence/join', { body: inner }),
      405,
    ],
    'no length': [httpText('POST', '/presence/join'), 411],
  };
  for (const [what, [text, status]] of Object.entries(whole)) {
    test(`${what}: ${status}, then the next request is answered`, async (t) => {
      const connection = await daemon.connect(t);
      for (let i = 0; i < 3; i += 1) {
        connection.send(text);
        const answer = await connection.response();
        assert.equal(answer.status, status);
        assert.notEqual(answer.headers.connection, 'close');
      }
      connection.send(text + HEALTH);
      assert.equal((await connection.response()).status, status);
      assert.equal((await connection.response()).json.status, 'ok');
      assert.equal(await daemon.count(smuggled.customerId), 0, 'a body is no request');
    });
  }

  test('the body of a request that is too large is never taken for requests', async (t) => {
    const connection = await daemon.connect(t);
    connection.send(httpText('POST', '/presence/join', { body: inner.repeat(100) }) + HEALTH);
    assert.equal((await connection.response()).status, 413);
    await waitFor(
      'the next answer or the end',
      () => connection.ended || connection.tryResponse()?.json.status === 'ok',
    );
    assert.equal(await daemon.count(smuggled.customerId), 0);
  });
});

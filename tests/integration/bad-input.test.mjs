// What is refused: each answer of presence and metrics shows its limit, each kind of bad input has
// its counter, and whoever sends nothing else pays for it.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import {
  aBeat,
  DEFAULT_LIMITS,
  HEALTH,
  httpText,
  presenceText,
  Socket,
  startDaemon,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

const OTHER_PER_MIN = 6000;
const LONG_ID = 'x'.repeat(200);
const JSON_TYPE = 'Content-Type: application/json';
const shown = ['limit', 'remaining', 'reset'].map((word) => `x-ratelimit-${word}`);

async function ask(t, daemon, text, options) {
  const connection = await daemon.connect(t);
  connection.send(text);
  return connection.response(options);
}

/** A PROXY header of version 2 that names an IPv4 client; `version` makes another of it. */
function proxyHeader(address, version = 0x21) {
  const rest = Buffer.from([version, 0x11, 0, 12, ...address.split('.').map(Number), 127, 0, 0, 1, 18, 103, 0, 80]);
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), rest]);
}

suite('limits on every answer', async (test) => {
  const beat = () => presenceText('beat', aBeat());
  const post = (headers, body) => httpText('POST', '/presence/beat', { headers, body });
  /** Rows of [what is asked, the status, options of the daemon, what is sent before]. */
  const answers = [
    ['a beat', beat(), 200],
    ['a path of presence that is none', httpText('POST', '/presence/none', { body: '{}' }), 404],
    ['a wrong method', httpText('GET', '/presence/join'), 405],
    ['a wrong method of metrics', httpText('POST', '/metrics?customerId=a', { body: '' }), 405],
    ['a preflight', httpText('OPTIONS', '/presence/beat', { headers: ['Origin: https://a.example'] }), 204],
    ['a refused origin', presenceText('beat', aBeat(), ['Origin: https://b.example']), 403, { 'allowed-origins': 'https://a.example' }],
    ['a wrong content type', post(['Content-Type: image/png'], '{}'), 415],
    ['no length', httpText('POST', '/presence/beat', { headers: [JSON_TYPE] }), 411],
    ['no JSON', post([JSON_TYPE], '{'), 400],
    ['a field that is missing', post([JSON_TYPE], '{}'), 400],
    ['a field that is odd', presenceText('beat', aBeat({ tabId: LONG_ID })), 400],
    ['a body that is too large', post([JSON_TYPE], 'x'.repeat(20_000)), 413],
    ['two lengths', post([JSON_TYPE, 'Content-Length: 1'], '{}'), 400],
    ['a body that does not come', httpText('POST', '/presence/beat', { headers: ['Content-Length: 9'] }), 408, { 'header-timeout': 100 }],
    ['an address with too many sessions', beat(), 429, { 'max-sessions-ip': 1 }, beat()],
    ['an address with too many customers', beat(), 429, { 'max-customers': 2, 'max-sessions-ip': 10 }, beat()],
    ['an address over its limit', presenceText('join', aBeat()), 429, { 'rate-ip': 1 }, presenceText('join', aBeat())],
    ['a large body of such an address', presenceText('beat', aBeat({ x: 'x'.repeat(2000) })), 429, { 'rate-ip': 1 }, presenceText('join', aBeat())],
    ['a full table', beat(), 503, { 'max-sessions': 1 }, beat()],
    ['a customer', httpText('GET', '/metrics?customerId=a'), 200],
    ['a customer that is none', httpText('GET', '/metrics?customerId=%00'), 400],
    ['a query without a customer', httpText('GET', '/metrics?a=b'), 400],
    ['a reader over its limit', httpText('GET', '/metrics?customerId=a'), 429, { 'rate-ip': 1 }, httpText('GET', '/metrics?customerId=a')],
  ];
  for (const [name, text, status, options = {}, before] of answers)
    test(`${name}: ${status}`, async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 100, 'rate-customer': 50, ...options });
      if (before) assert.equal((await ask(t, daemon, before)).status, 200);
      const answer = await ask(t, daemon, text);
      assert.equal(answer.status, status, answer.text);
      for (const header of shown) assert.ok(header in answer.headers, `${header}: ${Object.keys(answer.headers)}`);
      const remaining = Number(answer.headers['x-ratelimit-remaining']);
      assert.ok(status === 429 ? remaining === 0 : remaining > 0, `remaining ${remaining}`);
    });

  test('where all connections are taken: 503', async (t) => {
    const daemon = await startDaemon(t, { 'rate-ip': 100, 'max-connections': 1 });
    await Socket.join(t, daemon.wsPort, aBeat());
    const answer = await ask(t, daemon, presenceText('beat', aBeat()));
    assert.equal(answer.status, 503, answer.text);
    for (const header of shown) assert.ok(header in answer.headers, header);
  });

  for (const target of ['/health', '/metrics', '/none'])
    test(`none on ${target}`, async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 100 });
      const { headers } = await ask(t, daemon, httpText('GET', target));
      for (const header of shown) assert.ok(!(header in headers), header);
    });
});

suite('counters of bad input', async (test) => {
  const bad = (text, status) => async (t, daemon) =>
    assert.equal((await ask(t, daemon, text)).status, status);
  const upgrade = (lines) =>
    httpText('GET', '/ws/active-users', { headers: ['Connection: Upgrade', 'Upgrade: websocket', ...lines] });
  const say = (message) => async (t, daemon) => {
    const socket = await Socket.open(t, daemon.wsPort);
    socket.send(message);
    await socket.next('error');
  };
  /** Each is counted once, under this name and no other. */
  const kinds = [
    ['au_http_malformed_total', 'a bare line feed', bad('GET / HTTP/1.1\nHost: a\r\n\r\n', 400)],
    ['au_http_malformed_total', 'another protocol', bad('GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505)],
    ['au_http_malformed_total', 'two Hosts', bad(httpText('GET', '/', { headers: ['Host: a', 'Host: b'] }), 400)],
    ['au_http_malformed_total', 'an unknown coding', bad(httpText('POST', '/presence/beat', { headers: ['Transfer-Encoding: gzip'] }), 501)],
    ['au_http_too_large_total', 'a long target', bad(httpText('GET', `/${'x'.repeat(5000)}`), 414)],
    ['au_http_too_large_total', 'a large head', bad(httpText('GET', '/', { headers: [`A: ${'x'.repeat(17_000)}`] }), 431)],
    ['au_http_too_large_total', 'a large body', bad(httpText('POST', '/presence/beat', { body: 'x'.repeat(17_000) }), 413)],
    ['au_http_timeouts_total', 'half a head', bad('GET / HTTP/1.1\r\n', 408)],
    ['au_http_timeouts_total', 'half a body', bad('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n', 408)],
    ['au_http_invalid_total', 'no JSON', bad(httpText('POST', '/presence/leave', { body: '[' }), 400)],
    ['au_http_invalid_total', 'an odd id', bad(presenceText('join', aBeat({ sessionId: 'a b' })), 400)],
    ['au_http_invalid_total', 'a customer that is none', bad(httpText('GET', '/metrics?customerId='), 400)],
    ['au_origins_refused_total', 'another origin', bad(presenceText('beat', aBeat(), ['Origin: https://b.example']), 403)],
    ['au_websocket_handshakes_refused_total', 'no key', bad(upgrade(['Sec-WebSocket-Version: 13']), 400)],
    ['au_websocket_handshakes_refused_total', 'another version', bad(upgrade(['Sec-WebSocket-Version: 8', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']), 426)],
    ['au_websocket_errors_total', 'no JSON in a message', say('{')],
    ['au_websocket_errors_total', 'an unknown message', say({ type: 'nothing' })],
    ['au_websocket_protocol_errors_total', 'a binary frame', async (t, daemon) => {
      const socket = await Socket.open(t, daemon.wsPort);
      socket.send(Buffer.from('{}'));
      assert.equal((await socket.closing).code, 1003);
    }],
    ['au_websocket_too_large_total', 'a message over 4 KiB', async (t, daemon) => {
      const socket = await Socket.open(t, daemon.wsPort);
      socket.send('x'.repeat(5000));
      assert.equal((await socket.closing).code, 1009);
    }],
    ['au_proxy_headers_malformed_total', 'a PROXY header of another version', async (t, daemon) => {
      const connection = await daemon.connect(t);
      connection.send(proxyHeader('192.0.2.1', 0x31));
      await connection.end();
      await waitFor('a line', () => daemon.log.some((line) => line.level === 'debug' && /PROXY header/.test(line.event)));
    }],
    ['au_forwarded_disagreements_total', 'two headers with two clients', bad(httpText('GET', '/none', { headers: ['X-Forwarded-For: 192.0.2.1', 'Forwarded: for=192.0.2.2'] }), 404)],
  ];
  const names = [...new Set(kinds.map(([name]) => name))];
  for (const [name, kind, send] of kinds)
    test(`${kind}: ${name}`, async (t) => {
      const daemon = await startDaemon(t, {
        'allowed-origins': 'https://a.example',
        'header-timeout': 200,
        'log-level': 'debug',
        'trusted-proxies': '127.0.0.1',
      });
      await send(t, daemon);
      const samples = await daemon.samples();
      for (const other of names) assert.equal(samples.get(other), other === name ? 1 : 0, other);
    });
});

suite('who sends nothing but nonsense', async (test) => {
  test('is refused once its address is over the limit of everything else', async (t) => {
    const daemon = await startDaemon(t, { ...DEFAULT_LIMITS, 'trusted-proxies': '127.0.0.1' });
    const nonsense = async (address) => {
      const connection = await daemon.connect(t);
      connection.send(Buffer.concat([proxyHeader(address), Buffer.from('GET / HTTP/1.1\nHost: a\r\n\r\n')]));
      return connection.response();
    };
    assert.equal((await nonsense('192.0.2.1')).status, 400);
    const connection = await daemon.connect(t);
    connection.send(proxyHeader('192.0.2.1'));
    for (let sent = 1; sent < OTHER_PER_MIN; sent += 1) connection.send(HEALTH);
    for (let sent = 1; sent < OTHER_PER_MIN; sent += 1)
      assert.equal((await connection.response()).status, 200, `request ${sent}`);
    const refused = await nonsense('192.0.2.1');
    assert.equal(refused.status, 429, refused.text);
    assert.equal(refused.headers.connection, 'close');
    assert.equal(refused.headers['x-ratelimit-limit'], String(OTHER_PER_MIN));
    assert.equal((await nonsense('192.0.2.2')).status, 400, 'another address');
    assert.equal((await daemon.samples()).get('au_rate_limited_other_total'), 1);
  });

  test('a proxy whose two headers disagree is told of once', async (t) => {
    const daemon = await startDaemon(t, { 'trusted-proxies': '127.0.0.1' });
    const says = (lines) => ask(t, daemon, httpText('GET', '/none', { headers: lines }));
    const warned = () => daemon.log.filter((line) => /Forwarded/.test(line.event));
    for (const lines of [
      ['X-Forwarded-For: 192.0.2.1'],
      ['Forwarded: for=192.0.2.2'],
      ['X-Forwarded-For: 192.0.2.1', 'Forwarded: for=192.0.2.1'],
      ['X-Forwarded-For: 198.51.100.1, 192.0.2.1', 'Forwarded: for=198.51.100.2, for=192.0.2.1'],
    ])
      await says(lines);
    for (let i = 0; i < 3; i += 1)
      await says([`X-Forwarded-For: 192.0.2.${i}`, 'Forwarded: for=203.0.113.1']);
    assert.equal((await daemon.samples()).get('au_forwarded_disagreements_total'), 3);
    assert.deepEqual(
      warned().map(({ level, believed, requests }) => [level, believed, requests]),
      [['warn', 'X-Forwarded-For', 1]],
    );
    assert.ok(!daemon.stderr.includes('192.0.2.'), 'addresses are for debug');
  });
});

suite('a secret in a file after SIGHUP', async (test) => {
  test('that others may read now is told of; an argument is not told of again', async (t) => {
    const config = path.join(await tempDir(t), 'config');
    writeFileSync(config, 'redis-url = redis://:hunter2@127.0.0.1:1\n');
    chmodSync(config, 0o600);
    const daemon = await startDaemon(t, { config });
    const told = () => daemon.log.filter((line) => line.level === 'warn' && line.setting === 'redis-url');
    const reload = async (times) => {
      daemon.signal('SIGHUP');
      const done = () => daemon.log.filter((line) => line.event === 'reloaded').length === times;
      await waitFor('the reload', done);
      await daemon.get('/health'); // what the reload logs behind that line is there, too
    };
    await reload(1);
    assert.deepEqual(told(), []);
    chmodSync(config, 0o644);
    await reload(2);
    await waitFor('a warning', () => told().length === 1);
    assert.equal(told()[0].from, config);
  });
});

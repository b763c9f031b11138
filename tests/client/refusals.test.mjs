// A server that answers, but not as one would like: close codes, tokens, limits, nonsense.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser } from './harness/browser.mjs';
import { startIn } from './harness/sdk.mjs';

const auths = (server) => server.said.filter(({ message }) => message.type === 'auth');
const beats = (server) => server.requests.filter(({ path }) => path.startsWith('/presence/beat'));

async function started(config, faults = {}) {
  const browser = new Browser();
  Object.assign(browser.server.faults, faults);
  const tab = browser.tab();
  const it = await startIn(tab, config);
  return { browser, tab, it, ...browser };
}

for (const [code, low, high] of [
  [1012, 5_000, 30_000],
  [1008, 15_000, 30_000],
  [1013, 15_000, 30_000],
  [4403, 300_000, 300_100],
])
  test(`close code ${code} is respected, also when the page is shown meanwhile`, async () => {
    const { clock, server, tab, it } = await started();
    server.closeAll(code);
    assert.deepEqual(it.of('error').at(-1).error.closeCode, code);
    await clock.advance(low - 100 - 1);
    tab.setHidden(true);
    tab.setHidden(false);
    await clock.advance(50);
    assert.equal(server.sockets.length, 1);
    await clock.advance(high - low + 200);
    assert.equal(server.sockets.length, 2);
  });

test('4401: a fresh token is asked for, and used', async () => {
  const tokens = ['stale', 'fresh'];
  const asked = [];
  const getToken = async () => {
    asked.push(1);
    return tokens[Math.min(asked.length, tokens.length) - 1];
  };
  const { it, clock, server } = await started({ getToken }, { token: 'fresh' });
  await clock.until('connected', () => it.mode === 'websocket', { limitMs: 3_000 });
  assert.deepEqual(
    auths(server).map(({ message }) => message.token),
    ['stale', 'fresh'],
  );
  assert.equal(it.of('error')[0].error.closeCode, 4401);
});

test('the token of polling goes into the body, and is renewed after 401', async () => {
  let n = 0;
  const { it, clock, server } = await started(
    { getToken: () => `t${++n}`, enableWebSocket: false },
    { token: 't2' },
  );
  await clock.until('polling', () => it.mode === 'polling', { limitMs: 3_000 });
  assert.deepEqual(
    beats(server).map(({ body }) => body.token),
    ['t1', 't2'],
  );
});

for (const enableWebSocket of [true, false])
  test(`a fresh token is asked for before the old one ends, WebSocket: ${enableWebSocket}`, async () => {
    let n = 0;
    const { it, clock, server } = await started(
      { getToken: () => `t${++n}`, enableWebSocket },
      { expires: 100_000 },
    );
    const tokens = () =>
      enableWebSocket
        ? auths(server).map(({ message }) => message.token)
        : [...new Set(beats(server).map(({ body }) => body.token))];
    await clock.advance(79_000);
    assert.deepEqual(tokens(), ['t1']);
    await clock.advance(enableWebSocket ? 2_000 : 20_500); // polling renews by what is left
    assert.deepEqual(tokens(), ['t1', 't2']);
    assert.equal(server.sockets.length, enableWebSocket ? 1 : 0, 'the same socket');
    assert.equal(it.of('error').length, 0);
    const modes = it.of('status').map(({ status }) => status.mode);
    assert.equal(modes.lastIndexOf('offline') < modes.length - 1, true, String(modes));
    assert.equal(modes.filter((mode) => mode !== 'offline').length, 1, String(modes));
  });

test('a token that lives for a year is not asked for again', async () => {
  let n = 0;
  const { clock } = await started({ getToken: () => `t${++n}` }, { expires: 31_536_000_000 });
  await clock.advance(3_600_000);
  assert.equal(n, 1);
});

test('getToken that throws, rejects or never answers is an error and tried again', async () => {
  for (const bad of [
    () => {
      throw new Error('no');
    },
    () => Promise.reject(new Error('no')),
    () => new Promise(() => {}),
  ]) {
    let broken = true;
    const { it, clock } = await started({ getToken: () => (broken ? bad() : 'ok') });
    await clock.until('an error', () => it.of('error').length > 0, { limitMs: 11_000 });
    broken = false;
    await clock.until('connected', () => it.mode === 'websocket', { limitMs: 40_000 });
  }
});

test('429 and 503: Retry-After is waited for', async () => {
  for (const status of [429, 503]) {
    const { it, clock, server } = await started(
      { enableWebSocket: false },
      { http: { status, retryAfter: '45' } },
    );
    assert.deepEqual(it.of('error')[0].error, {
      code: 'http',
      message: `http://api.test:3001 answered with ${status}: is apiUrl right?`,
      status,
      retryAfterMs: 45_000,
    });
    server.faults.http = undefined;
    await clock.advance(44_500);
    assert.equal(beats(server).length, 1);
    await clock.advance(2_000);
    assert.equal(it.mode, 'polling');
  }
});

test('the server’s own words reach onError with an HTTP error', async () => {
  const { it } = await started(
    { enableWebSocket: false },
    { http: { status: 400, body: { error: 'Bad Request', message: 'customerId is required' } } },
  );
  const { code, message, status } = it.of('error')[0].error;
  assert.deepEqual([code, message, status], ['http', 'customerId is required', 400]);
});

test('a Retry-After that is a date, or nonsense, is none', async () => {
  for (const retryAfter of ['Wed, 21 Oct 2026 07:28:00 GMT', 'soon', '', '-']) {
    const { it, clock, server } = await started(
      { enableWebSocket: false },
      { http: { status: 503, retryAfter } },
    );
    assert.equal(it.of('error')[0].error.retryAfterMs, undefined, retryAfter);
    server.faults.http = undefined;
    await clock.until('polling', () => it.mode === 'polling', { limitMs: 2_000 });
  }
});

test('an error after hello is told, and the socket stays', async () => {
  const { it, clock, server } = await started();
  server.push({ type: 'error', message: 'unknown type' });
  await clock.advance(50);
  assert.deepEqual(it.of('error')[0].error, { code: 'server', message: 'unknown type' });
  assert.equal(it.mode, 'websocket');
  assert.equal(it.client.getConnectionStatus().ignoredMessages, 0);
});

test('an error instead of hello is a failed attempt, with the close code if there is one', async () => {
  for (const [close, closeCode, low, high] of [
    [undefined, 1005, 0, 1_000], // the server leaves it to the client to close
    [1013, 1013, 15_000, 30_000],
    [4403, 4403, 300_000, 300_100],
  ]) {
    const { it, clock, server } = await started(
      {},
      { refusal: { message: 'store is full', close } },
    );
    assert.deepEqual(
      it.of('error').map(({ error }) => error),
      [{ code: 'server', message: 'store is full', closeCode }],
    );
    await it.ready;
    assert.equal(it.mode, 'offline');
    assert.equal(server.open.length, 0);
    server.faults.refusal = undefined;
    const took = await clock.until('the next', () => it.mode === 'websocket', {
      limitMs: high + 50,
    });
    assert.ok(took >= low - 200, `${took} ms`);
  }
});

test('what the server asked to wait outlives going offline and online', async () => {
  for (const [config, faults, offend, low] of [
    [{}, {}, ({ server }) => server.closeAll(4403), 300_000],
    [{ enableWebSocket: false }, { http: { status: 429, retryAfter: '45' } }, () => {}, 45_000],
  ]) {
    const { browser, clock, server, tab } = await started(config, faults);
    offend(browser);
    server.faults.http = undefined;
    const before = server.sockets.length + server.requests.length;
    for (let i = 0; i < 5; i++) {
      tab.scope.fire('offline');
      await clock.advance(500);
      tab.scope.fire('online');
      await clock.advance(500);
    }
    await clock.advance(low - 5_000 - 500);
    assert.equal(server.sockets.length + server.requests.length, before);
    await clock.advance(2_000);
    assert.ok(server.sockets.length + server.requests.length > before);
  }
});

test('a back-off of the client’s own is cut short when the page is shown', async () => {
  const { it, clock, server, tab, browser } = await started({}, { refuse: true });
  browser.random = () => 0.99;
  await clock.until('a long wait', () => it.of('error').length === 4, { limitMs: 60_000 });
  server.faults.refuse = false;
  tab.setHidden(true);
  tab.setHidden(false);
  await clock.until('connected', () => it.mode !== 'offline', { limitMs: 100 });
});

test('a slow answer counts as none after 10 s', async () => {
  const { it, clock } = await started({ enableWebSocket: false }, { halfOpen: true });
  await clock.advance(9_800);
  assert.equal(it.of('error').length, 0);
  await clock.advance(200);
  assert.equal(it.of('error')[0].error.code, 'timeout');
});

test('messages that make no sense are ignored and counted; later types are not', async () => {
  const { it, clock, server } = await started();
  const bad = [
    '',
    '{',
    'null',
    '[]',
    '5',
    '{"type":5}',
    '{"type":"metrics:update"}',
    '{"type":"metrics:update","data":{"count":"1"}}',
  ];
  for (const text of bad) server.push(text);
  server.push({ type: 'a:later:kind' });
  await clock.advance(50);
  assert.equal(it.client.getConnectionStatus().ignoredMessages, bad.length);
  assert.equal(it.mode, 'websocket');
  assert.equal(it.count, 1);
});

test('an answer in HTML (a proxy, another server) is an error that names the address, and polling goes on', async () => {
  const { it, clock, server } = await started({ enableWebSocket: false }, { html: true });
  assert.equal(it.mode, 'offline', 'nobody was counted');
  const { code, message, status } = it.of('error')[0].error;
  assert.deepEqual([code, status], ['http', 200]);
  assert.match(message, /http:\/\/api\.test:3001 answered with 200.*is apiUrl right/);
  server.faults.html = false;
  await clock.advance(1_100);
  assert.equal(it.count, 1);
});

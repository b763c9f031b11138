// A network that lets only some ways through: everybody is counted within 2 s, on every page.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, settle } from './harness/browser.mjs';
import { clientIn, startIn } from './harness/sdk.mjs';

const LIMIT_MS = 2_000;
const counted = (browser) =>
  browser.clock.until('counted', () => browser.server.count === 1, { limitMs: LIMIT_MS });

const BLOCKED = {
  'a proxy that swallows the upgrade': { silentSocket: true },
  'WebSocket refused': { noSocket: true },
  'WebSocket forbidden by the page': { blocked: true },
  'a socket that opens and says nothing': { mute: true, silentSocket: true },
};

for (const [name, faults] of Object.entries(BLOCKED))
  test(`${name}: counted within 2 s, and at once on the next pages`, async () => {
    const browser = new Browser();
    Object.assign(browser.server.faults, faults);
    let tab = browser.tab();
    await startIn(tab);
    await counted(browser);
    await browser.clock.advance(15_000); // the first attempt has failed by then
    const attempts = browser.server.sockets.length;
    for (let i = 0; i < 5; i++) {
      tab.close();
      await browser.clock.advance(3_000);
      assert.equal(browser.server.count, 0);
      tab = browser.tab();
      const it = await startIn(tab);
      assert.equal(browser.server.count, 1, 'within 100 ms');
      assert.equal(it.mode, 'polling');
      await browser.clock.advance(12_000);
    }
    assert.equal(browser.server.sockets.length, attempts, 'the WebSocket has a rest');
  });

test('a WebSocket that is only slow takes over from polling, and nothing is remembered', async () => {
  const browser = new Browser();
  browser.server.faults.silentSocket = true;
  const it = await startIn(browser.tab());
  await browser.clock.until('polling', () => it.mode === 'polling', { limitMs: LIMIT_MS });
  browser.server.faults.silentSocket = false;
  browser.server.sockets[0].open();
  await browser.clock.advance(50);
  assert.equal(it.mode, 'websocket');
  const next = await startIn(browser.tab());
  assert.equal(next.mode, 'websocket');
  assert.ok(!JSON.parse(browser.storage.getItem('active-users')).poll);
});

test('the WebSocket works again after its rest, and the next page begins with it', async () => {
  const browser = new Browser();
  browser.server.faults.noSocket = true;
  let tab = browser.tab();
  await startIn(tab);
  await browser.clock.advance(15_000);
  tab.close();
  browser.server.faults.noSocket = false;
  tab = browser.tab();
  const it = await startIn(tab);
  assert.equal(it.mode, 'polling');
  await browser.clock.until('the socket', () => it.mode === 'websocket', { limitMs: 185_000 });
  tab.close();
  const requests = browser.server.requests.length;
  await startIn(browser.tab());
  await browser.clock.advance(5_000);
  assert.equal(browser.server.requests.length, requests, 'no beat, and no leave');
});

test('polling was remembered, and does not work in this network: the WebSocket is tried at once', async () => {
  const browser = new Browser();
  browser.server.faults.noSocket = true;
  const tab = browser.tab();
  await startIn(tab);
  await browser.clock.advance(15_000);
  tab.close();
  await browser.clock.advance(3_000);
  browser.server.faults.noSocket = false;
  browser.server.faults.http = { status: 500 };
  await startIn(browser.tab());
  await counted(browser);
});

test('a server that was asked and refused is not gone around over HTTP', async () => {
  for (const [what, provoke] of [
    ['a refusal', (server) => (server.faults.refusal = { message: 'full', close: 1013 })],
    ['a token', (server) => (server.faults.token = 'x')],
  ]) {
    const browser = new Browser();
    provoke(browser.server);
    await startIn(browser.tab());
    await browser.clock.advance(10_000);
    assert.equal(browser.server.attempts, 0, what);
  }
});

const DAY = 86_400_000;
for (const [name, jump] of [
  ['back by a day', -DAY],
  ['forward by an hour', 3_600_000],
])
  test(`the clock is set ${name}: still one person, and no wait is longer than it was`, async () => {
    const browser = new Browser();
    const tab = browser.tab();
    const it = await startIn(tab);
    browser.server.closeAll(1013);
    await browser.clock.advance(1_000);
    browser.clock.shift(jump);
    tab.setHidden(true);
    tab.setHidden(false);
    await browser.clock.until('back', () => it.mode === 'websocket', { limitMs: 31_000 });
    browser.clock.shift(jump);
    await browser.clock.advance(120_000);
    assert.equal(it.mode, 'websocket');
    tab.close();
    await startIn(browser.tab());
    await browser.clock.advance(3_000);
    assert.equal(browser.server.count, 1);
  });

test('junk in storage: a visitor is counted', async () => {
  for (const junk of [
    '{"id":["a"],"at":1790000000001}',
    '{"id":"ok","at":1e999}',
    '{"id":"ok","at":-1,"poll":1e300}',
    '{"id":"ok","at":1e300,"poll":"soon"}',
    '{"id":{"toString":1},"at":5}',
    '5',
    'null',
  ]) {
    const browser = new Browser();
    browser.storage.setItem('active-users', junk);
    const it = await startIn(browser.tab());
    await counted(browser);
    const [key] = browser.server.sessions.keys();
    assert.match(key, /^shop\/(ok|\d+-\d+-\d+-\d+)$/, junk);
    await browser.clock.until('the socket', () => it.mode === 'websocket', { limitMs: 185_000 });
  }
});

test('junk on the channel: nobody stops, and nobody believes it', async () => {
  const browser = new Browser();
  const tabs = [browser.tab(), browser.tab()];
  const its = [await startIn(tabs[0]), await startIn(tabs[1])];
  const { name } = [...browser.channels][0];
  const channel = new (browser.tab().scope.BroadcastChannel)(name);
  const lead = { t: 'lead', id: '0', term: 1e9, every: 30_000, hidden: false, call: true };
  for (const junk of [
    { ...lead, term: 'x', shared: {} },
    { ...lead, every: 1e300, shared: {} },
    { ...lead, every: 'x', shared: {} },
    { ...lead, every: null, shared: 5 },
  ])
    channel.postMessage(junk);
  await browser.clock.advance(100);
  assert.deepEqual([its[0].leads, its[1].leads], [true, false]);
  for (const shared of [
    5,
    'x',
    [],
    { mode: 'x', sessionId: 5, holder: {}, metrics: 'x', waits: 5, error: 5 },
    { mode: {}, sessionId: ['a'], metrics: { count: -1, ema: 0, timestamp: 0 }, error: { message: {} } },
    { waits: { websocket: [1e300, 1e300], polling: 'never' } },
    { waits: { websocket: [1e300, 'x'] } },
  ])
    channel.postMessage({ ...lead, shared });
  await browser.clock.advance(100);
  for (const it of its) {
    assert.ok(['websocket', 'offline'].includes(it.mode));
    assert.equal(it.count, 1);
    assert.deepEqual(it.of('error'), []);
  }
  await browser.clock.until('a leader', () => its.filter((it) => it.leads).length === 1);
  await browser.clock.until('the socket', () => its[0].mode === 'websocket', { limitMs: 31_000 });
  assert.equal(browser.server.count, 1);
});

test('answers of a foreign server reach neither the window nor the count', async () => {
  const browser = new Browser();
  const it = await startIn(browser.tab());
  for (const junk of [
    '{"type":"error","message":{"toString":1}}',
    '{"type":"error"}',
    '{"type":"metrics:update","data":{"count":-1,"ema":0,"timestamp":1}}',
    '{"type":"metrics:update","data":{"count":1e999,"ema":0,"timestamp":1}}',
    '{"type":["hello"]}',
    '"hello"',
  ])
    browser.server.push(junk);
  await browser.clock.advance(100);
  assert.equal(it.count, 1);
  assert.equal(it.mode, 'websocket');
  for (const body of [{ message: { toString: 1 } }, { message: null }, [], 'x', 5]) {
    const other = new Browser();
    other.server.faults.http = { status: 404, body };
    const polling = await startIn(other.tab(), { enableWebSocket: false });
    const [{ error }] = polling.of('error');
    assert.deepEqual([error.code, error.status, typeof error.message], ['http', 404, 'string']);
    assert.match(error.message, /http:\/\/api\.test:3001/);
  }
});

/** The streams of a tab: `refuses` says whether the next one is closed for good. */
function streamsIn(tab, refuses = () => false) {
  const streams = [];
  tab.scope.EventSource = class EventSource {
    static OPEN = 1;
    static CLOSED = 2;
    readyState = 0;
    constructor(url) {
      this.url = url;
      streams.push(this);
      tab.browser.clock.set(
        tab,
        () => {
          if (this.readyState === 0) this.readyState = refuses() ? 2 : 1;
        },
        5,
      );
    }
    close() {
      this.readyState = 2;
    }
  };
  return streams;
}

test('where it polls a stream brings what changes in between, and the mode is sse', async () => {
  const browser = new Browser();
  browser.server.faults.noSocket = true;
  const tab = browser.tab();
  let refused = 1;
  const streams = streamsIn(tab, () => refused-- > 0);
  const it = await startIn(tab);
  await browser.clock.until('polling', () => it.mode === 'polling', { limitMs: LIMIT_MS });
  await browser.clock.advance(25_000);
  assert.equal(streams.length, 1, 'one that is refused is tried again behind the next answer only');
  await browser.clock.until('the stream', () => streams.length === 2, { limitMs: 35_000 });
  assert.equal(streams[1].url, 'http://api.test:3001/metrics/stream?customerId=shop');
  await browser.clock.advance(50);
  streams[1].onmessage({ data: JSON.stringify({ ...browser.server.metrics('shop'), count: 7 }) });
  streams[1].onmessage({ data: 'junk' });
  assert.equal(it.client.getMetrics().count, 7);
  assert.equal(it.mode, 'sse');
  it.client.destroy();
  await settle();
  assert.equal(streams[1].readyState, 2);
  assert.equal(tab.beacons.length, 1);
});

test('a cookie only where a session domain is set: one session for the sites of one owner', async () => {
  const jar = new Map();
  const site = (host, options) => {
    const browser = new Browser();
    const tab = browser.tab();
    tab.scope.location = { hostname: host, protocol: 'https:' };
    Object.defineProperty(tab.document, 'cookie', {
      get: () => [...jar].map(([key, value]) => `${key}=${value}`).join('; '),
      set(text) {
        assert.match(text, /;domain=owner\.example;path=\/;max-age=86400;samesite=lax(;secure)?$/);
        const [, key, value] = /^([^=]+)=([^;]*)/.exec(text);
        jar.set(key, value);
      },
    });
    return startIn(tab, options).then((it) => ({ it, sent: browser.server.said[0]?.message }));
  };
  const alone = await site('shop.owner.example', {});
  assert.equal(jar.size, 0);
  jar.set('x-active-users', 'other');
  const shop = await site('shop.owner.example', { sessionDomain: 'owner.example' });
  const blog = await site('owner.example', { sessionDomain: 'owner.example' });
  assert.equal(shop.sent.sessionId, blog.sent.sessionId);
  assert.notEqual(shop.sent.sessionId, alone.sent.sessionId);
  jar.set('active-users', '%');
  assert.ok((await site('owner.example', { sessionDomain: 'owner.example' })).sent.sessionId);
  const tab = new Browser().tab();
  tab.scope.location = { hostname: 'evilowner.example' };
  await assert.rejects(
    clientIn(tab, { sessionDomain: 'owner.example' }).client.init(),
    /sessionDomain must be evilowner\.example or above/,
  );
});

test('whileHidden: the metrics as they come, and not twice when the page is shown', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const it = await startIn(tab);
  tab.frame();
  const [all, seen] = [[], []];
  it.client.onMetrics(({ ema }) => all.push(ema), { whileHidden: true });
  it.client.onMetrics(({ ema }) => seen.push(ema));
  await browser.clock.advance(10);
  tab.setHidden(true);
  for (const ema of [1, 2]) {
    browser.server.ema = ema;
    browser.server.update();
    await browser.clock.advance(20);
  }
  assert.deepEqual([all, seen], [[0, 1, 2], [0]]);
  tab.setHidden(false);
  tab.frame();
  assert.deepEqual([all, seen], [
    [0, 1, 2],
    [0, 2],
  ]);
});

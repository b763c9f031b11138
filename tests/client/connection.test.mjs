// One tab and a server with faults: what is sent when, and what happens when nothing comes back.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser } from './harness/browser.mjs';
import { startIn } from './harness/sdk.mjs';

const pings = (server) => server.said.filter(({ message }) => message.type === 'ping');
const auths = (server) => server.said.filter(({ message }) => message.type === 'auth');
const beats = (server) => server.requests.filter(({ path }) => path.startsWith('/presence/beat'));

async function started(config, faults = {}) {
  const browser = new Browser();
  Object.assign(browser.server.faults, faults);
  const tab = browser.tab();
  const it = await startIn(tab, config);
  return { browser, tab, it, ...browser };
}

test('auth, hello, metrics: init() resolves and getMetrics() has them', async () => {
  const { it, server } = await started();
  await it.ready;
  assert.equal(it.mode, 'websocket');
  assert.equal(it.count, 1);
  const [{ message }] = auths(server);
  assert.deepEqual(Object.keys(message).sort(), ['customerId', 'sessionId', 'tabId', 'timestamp', 'type']);
  assert.equal(server.sockets[0].url, 'ws://api.test:3001/ws/active-users');
  assert.deepEqual(server.requests, [], 'no HTTP while the socket is open');
  assert.equal(it.client.init(), it.client.init());
});

test('pings come a little before 30 s after the last answer, and before 60 s when hidden', async () => {
  const { clock, server, tab } = await started();
  await clock.advance(26_000);
  assert.equal(pings(server).length, 0);
  await clock.advance(1_100);
  assert.equal(pings(server).length, 1);
  tab.setHidden(true);
  await clock.advance(27_000); // the one that was armed before
  const before = pings(server).length;
  await clock.advance(52_000);
  assert.equal(pings(server).length, before);
  await clock.advance(2_100);
  assert.equal(pings(server).length, before + 1);
});

test('visible, resume, online and pageshow together are one beat', async () => {
  const { clock, server, tab } = await started();
  await clock.advance(5_000);
  tab.setHidden(true);
  tab.setHidden(false);
  tab.scope.fire('online');
  tab.document.fire('resume');
  tab.scope.fire('pageshow', { persisted: true });
  await clock.advance(50);
  assert.equal(pings(server).length, 1);
  tab.document.fire('resume'); // it has just been answered
  await clock.advance(50);
  assert.equal(pings(server).length, 1);
  await clock.advance(2_000);
  tab.setHidden(true);
  tab.setHidden(false);
  await clock.advance(50);
  assert.equal(pings(server).length, 2);
});

test('a half-open link is noticed by the missing pong, and replaced', async () => {
  const { clock, server, it } = await started();
  server.faults.mute = true;
  await clock.advance(27_100);
  assert.equal(it.mode, 'websocket');
  await clock.advance(10_200);
  assert.equal(it.mode, 'offline');
  assert.equal(it.of('error').at(-1).error.code, 'timeout');
  server.faults.mute = false;
  await clock.until('a new socket', () => it.mode === 'websocket', { limitMs: 3_000 });
  assert.equal(server.open.length, 1);
});

test('a server that accepts and says nothing: both ways time out, and it goes on', async () => {
  const { clock, server, it } = await started({}, { halfOpen: true });
  await clock.until('three sockets', () => server.sockets.length === 3);
  assert.ok(server.attempts >= 2);
  assert.equal(it.mode, 'offline');
  assert.ok(it.of('error').every(({ error }) => error.code === 'timeout'));
  server.faults.halfOpen = false;
  await clock.until('back', () => it.mode !== 'offline', { limitMs: 40_000 });
  await clock.until('the socket', () => it.mode === 'websocket', { limitMs: 200_000 });
});

test('init() resolves after the first failure, and the client goes on', async () => {
  const { it, clock, server } = await started({}, { refuse: true });
  await it.ready;
  assert.equal(it.client.getMetrics(), null);
  assert.equal(it.mode, 'offline');
  assert.deepEqual(it.of('error')[0].error.code, 'network');
  server.faults.refuse = false;
  await clock.until('connected', () => it.mode === 'websocket', { limitMs: 40_000 });
});

test('init() resolves after 5 s when nothing at all happens', async () => {
  const { it, clock } = await started({}, { halfOpen: true });
  let resolved = false;
  it.ready.then(() => (resolved = true));
  await clock.advance(4_800);
  assert.equal(resolved, false);
  await clock.advance(200);
  assert.equal(resolved, true);
});

test('WebSocket refused: polling at once, with metrics in each answer', async () => {
  const { it, clock, server } = await started({}, { noSocket: true });
  assert.equal(it.mode, 'polling');
  assert.equal(server.sockets.length, 1);
  assert.equal(it.count, 1);
  const first = beats(server).length;
  assert.match(beats(server)[0].path, /\?metrics=1$/);
  await clock.advance(30_100);
  assert.equal(beats(server).length, first + 1);
});

test('while polling the WebSocket is tried again every 3 minutes, and taken when it works', async () => {
  const { it, clock, server } = await started({}, { noSocket: true });
  await clock.until('three attempts', () => server.sockets.length === 3, { limitMs: 10_000 });
  await clock.advance(170_000);
  assert.equal(server.sockets.length, 3);
  await clock.advance(15_000);
  assert.equal(server.sockets.length, 4);
  assert.equal(it.mode, 'polling', 'a failed try does not end the polling');
  server.faults.noSocket = false;
  await clock.until('the socket', () => it.mode === 'websocket', { limitMs: 185_000 });
  const before = beats(server).length;
  await clock.advance(120_000);
  assert.equal(beats(server).length, before, 'polling has ended');
});

test('a page that may not open sockets at all polls', async () => {
  const { it, clock } = await started({}, { blocked: true });
  await clock.until('polling', () => it.mode === 'polling', { limitMs: 10_000 });
});

test('enableWebSocket: false polls at once; enablePolling: false never polls', async () => {
  const polling = await started({ enableWebSocket: false });
  assert.equal(polling.it.mode, 'polling');
  assert.equal(polling.server.sockets.length, 0);
  const socket = await started({ enablePolling: false }, { noSocket: true });
  await socket.clock.advance(200_000);
  assert.equal(socket.server.requests.length, 0);
  assert.ok(socket.server.sockets.length > 5);
});

test('daemon restart: polling fails too, and the WebSocket is tried as soon as somebody answers', async () => {
  const { it, clock, server } = await started();
  server.faults.refuse = true;
  server.closeAll(1001);
  await clock.advance(60_000);
  assert.equal(it.mode, 'offline');
  assert.equal(server.sockets.length, 3);
  server.faults.refuse = false;
  const took = await clock.until('connected', () => it.mode === 'websocket', { limitMs: 40_000 });
  assert.ok(took <= 31_000, `${took} ms`);
});

test('full jitter: ten browsers cut off at once come back at ten times', async () => {
  const times = [];
  for (let i = 0; i < 10; i++) {
    const browser = new Browser();
    browser.random = () => i / 10;
    const it = await startIn(browser.tab());
    browser.server.closeAll(1001);
    const before = browser.server.sockets.length;
    times.push(await browser.clock.until('retry', () => browser.server.sockets.length > before));
    void it;
  }
  assert.equal(new Set(times).size, 10, times.join());
  assert.ok(Math.max(...times) <= 1_000);
});

test('back-off grows while it fails, and starts anew after 10 s of stability', async () => {
  const { clock, server, it } = await started({ enablePolling: false });
  const gapAfterClose = async () => {
    const before = server.sockets.length;
    server.closeAll(1001);
    return clock.until('retry', () => server.sockets.length > before, { stepMs: 10 });
  };
  const unstable = [];
  for (let i = 0; i < 4; i++) {
    unstable.push(await gapAfterClose());
    await clock.until('connected', () => it.mode === 'websocket');
  }
  assert.ok(unstable[3] > unstable[1] && unstable[1] > unstable[0], unstable.join());
  await clock.advance(10_100);
  assert.ok((await gapAfterClose()) <= 510);
});

test('offline and online: nothing is sent meanwhile, and it comes back at once', async () => {
  const { it, clock, server, tab } = await started();
  server.faults.refuse = true;
  tab.scope.fire('offline');
  assert.equal(it.mode, 'offline');
  assert.equal(server.open.length, 0);
  await clock.advance(5_000);
  assert.equal(server.sockets.length, 1);
  server.faults.refuse = false;
  tab.scope.fire('online');
  await clock.advance(50);
  assert.equal(it.mode, 'websocket');
});

test('a browser that wrongly says offline is not believed for long', async () => {
  const { it, clock, tab } = await started();
  tab.scope.fire('offline');
  await clock.advance(10_100);
  assert.equal(it.mode, 'websocket');
});

test('a computer that slept longer than heartbeatTimeout reconnects instead of pinging', async () => {
  const { clock, server, tab, it } = await started();
  clock.now += 200_000;
  tab.setHidden(true);
  tab.setHidden(false);
  await clock.advance(600);
  assert.equal(server.sockets.length, 2);
  assert.equal(pings(server).length, 0);
  assert.equal(it.mode, 'websocket');
});

test('a watcher is told and not counted, on the socket and when polling', async () => {
  for (const enableWebSocket of [true, false]) {
    const { it, server, tab } = await started({ watch: true, enableWebSocket });
    assert.equal(it.count, 0);
    assert.equal(server.count, 0);
    if (enableWebSocket)
      assert.deepEqual(Object.keys(auths(server)[0].message).sort(), ['customerId', 'timestamp', 'type']);
    else assert.deepEqual(server.requests[0].path, '/metrics?customerId=shop');
    tab.close();
    assert.deepEqual(tab.beacons, []);
  }
});

test('the server stops and starts 50 times: one socket, no pile of timers', async () => {
  const { clock, server, tab, it } = await started();
  for (let i = 0; i < 50; i++) {
    server.closeAll(1001);
    await clock.advance(i * 37);
  }
  await clock.until('connected', () => it.mode === 'websocket', { limitMs: 200_000 });
  await clock.advance(20_000);
  assert.equal(server.open.length, 1);
  assert.ok(tab.leftovers().timers <= 8, JSON.stringify(tab.leftovers()));
});

test('polling that waits for its time ends when the WebSocket is there', async () => {
  const { it, clock, server } = await started({}, { noSocket: true });
  server.faults.http = { status: 429, retryAfter: '400' };
  await clock.until('polling refused', () =>
    it.of('error').some(({ error }) => error.status === 429),
  );
  const before = beats(server).length;
  server.faults.noSocket = server.faults.http = undefined;
  await clock.until('the socket', () => it.mode === 'websocket', { limitMs: 200_000 });
  await clock.advance(400_000);
  assert.equal(it.mode, 'websocket');
  assert.equal(beats(server).length, before);
});

test('polling has one request under way, however often it is woken', async () => {
  const { clock, server, tab } = await started({ enableWebSocket: false });
  server.faults.halfOpen = true;
  await clock.advance(30_100);
  const before = server.attempts;
  await clock.advance(2_000);
  tab.setHidden(true);
  tab.setHidden(false);
  await clock.advance(50);
  assert.equal(server.attempts, before);
});

test('a token that comes after the end opens nothing', async () => {
  let give;
  const { it, clock, server } = await started({
    getToken: () => new Promise((resolve) => (give = resolve)),
  });
  it.client.destroy();
  give('late');
  await clock.advance(1_000);
  assert.equal(server.sockets.length + server.attempts, 0);
});

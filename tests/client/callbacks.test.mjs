// What a page hears, and when.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, settle } from './harness/browser.mjs';
import { clientIn, startIn } from './harness/sdk.mjs';

test('callbacks: metrics once a frame, status on change, unsubscribe, and the last metrics for latecomers', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const it = await startIn(tab);
  tab.frame();
  const got = [];
  const unsubscribe = it.client.onMetrics((metrics) => got.push(metrics));
  assert.deepEqual(got, [], 'not inside the call');
  await settle();
  assert.equal(got.length, 1);
  for (let i = 0; i < 5; i++) browser.server.update();
  await browser.clock.advance(50);
  assert.equal(got.length, 1);
  tab.frame();
  assert.equal(got.length, 2);
  assert.deepEqual(Object.keys(got[1]).sort(), [
    'count',
    'customerId',
    'ema',
    'smoothed',
    'timestamp',
  ]);
  unsubscribe();
  unsubscribe();
  browser.server.update();
  await browser.clock.advance(50);
  tab.frame();
  assert.equal(got.length, 2);
  assert.deepEqual(
    it.of('status').map(({ status }) => [status.mode, status.isLeader]),
    [
      ['offline', true],
      ['websocket', true],
    ],
  );
});

test('smoothing is for drawing: emaAlpha changes smoothed and leaves ema', async () => {
  const browser = new Browser();
  const it = await startIn(browser.tab(), { emaAlpha: 0.5 });
  browser.server.ema = 7.25;
  for (const id of ['b', 'c']) browser.server.sessions.set(id, {});
  await browser.clock.advance(10);
  browser.server.update();
  await browser.clock.advance(50);
  const { count, ema, smoothed } = it.client.getMetrics();
  assert.deepEqual({ count, ema, smoothed }, { count: 3, ema: 7.25, smoothed: 2 });
});

test('a callback that throws disturbs neither the page nor the others', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const it = clientIn(tab);
  const logged = [];
  const { error } = console;
  console.error = (...args) => logged.push(args);
  try {
    it.client.onMetrics(() => {
      throw new Error('mine');
    });
    it.client.onError(() => {
      throw new Error('also mine');
    });
    const got = [];
    it.client.onMetrics((metrics) => got.push(metrics));
    const ready = it.client.init();
    await browser.clock.advance(100);
    tab.frame();
    await ready;
    assert.equal(got.length, 1);
    assert.deepEqual(it.of('error')[0].error, { code: 'callback', message: 'Error: mine' });
    assert.equal(logged.length, 2);
  } finally {
    console.error = error;
  }
});

test('a callback whose promise is rejected disturbs nobody either', async () => {
  const browser = new Browser();
  const it = clientIn(browser.tab());
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  const { error } = console;
  console.error = () => {};
  process.on('unhandledRejection', note);
  try {
    it.client.onStatus(async () => {
      throw new Error('mine');
    });
    it.client.onError(async () => {
      throw new Error('also mine');
    });
    void it.client.init();
    await browser.clock.advance(100);
    assert.deepEqual(unhandled, []);
    assert.deepEqual(it.of('error')[0].error, { code: 'callback', message: 'Error: mine' });
  } finally {
    console.error = error;
    process.off('unhandledRejection', note);
  }
});

test('what a page is handed is frozen, and another object only when it has changed', async () => {
  const browser = new Browser();
  const it = await startIn(browser.tab());
  const { client } = it;
  const [status, metrics] = [client.getConnectionStatus(), client.getMetrics()];
  assert.throws(() => (status.mode = 'polling'), TypeError);
  assert.throws(() => (metrics.count = 1000), TypeError);
  assert.equal(client.getConnectionStatus(), status);
  assert.equal(client.getMetrics(), metrics);
  browser.server.push('nonsense');
  browser.server.push({
    type: 'metrics:update',
    data: { ...browser.server.metrics('shop'), stale: true },
  });
  await browser.clock.advance(50);
  assert.equal(status.ignoredMessages, 0);
  assert.equal(client.getConnectionStatus().ignoredMessages, 1);
  assert.equal(metrics.stale, undefined);
  assert.equal(client.getMetrics().stale, true, 'handed on as it came');
});

test('debug says what happens, and is silent otherwise', async () => {
  const said = [];
  const { debug } = console;
  console.debug = (...args) => said.push(args.join(' '));
  try {
    await startIn(new Browser().tab());
    assert.deepEqual(said, []);
    await startIn(new Browser().tab(), { debug: true });
    assert.deepEqual(said, ['active-users: shop leads', 'active-users: shop websocket']);
  } finally {
    console.debug = debug;
  }
});

test('a hidden page hears nothing, and the newest once it is shown', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const it = await startIn(tab);
  tab.frame();
  tab.setHidden(true);
  const heard = it.of('metrics').length;
  for (const ema of [1, 2, 3]) {
    browser.server.ema = ema;
    browser.server.update();
    await browser.clock.advance(20);
    tab.frame();
  }
  assert.equal(it.of('metrics').length, heard);
  assert.equal(it.client.getMetrics().ema, 3, 'known all the same');
  tab.setHidden(false);
  tab.frame();
  const got = it.of('metrics').slice(heard);
  assert.deepEqual(
    got.map(({ metrics }) => metrics.ema),
    [3],
  );
});

test('a callback may subscribe and unsubscribe: nobody is told twice, or after the end', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const it = await startIn(tab);
  tab.frame();
  const inner = [];
  let calls = 0;
  const off = it.client.onStatus(() => {
    calls++;
    off();
    for (let i = 0; i < 3; i++) it.client.onStatus(({ mode }) => inner.push(mode));
  });
  browser.server.closeAll(1001);
  assert.equal(calls, 1);
  assert.deepEqual(inner, [], 'they hear the next event');
  await browser.clock.advance(2_000);
  assert.deepEqual(inner, ['websocket', 'websocket', 'websocket']);
});

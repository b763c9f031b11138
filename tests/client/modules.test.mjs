// Modules that decide alone: smoothing, back-off, session, sampler.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser } from './harness/browser.mjs';
import { load } from './harness/sdk.mjs';

const { createEma } = await load('modules/metrics/ema.js');
const { isMetrics } = await load('modules/metrics/check.js');
const { createSampler } = await load('modules/metrics/sampler.js');
const { askedDelay, backoff } = await load('modules/utils/backoff.js');
const { createSession, STORAGE_KEY, IDLE_MS } = await load('modules/state/session.js');
const { randomId } = await load('modules/utils/ids.js');

const LOCAL = { storage: 'local' };
const RANDOM = /^\d+-\d+-\d+-\d+$/;

const EMA = [
  ['the first is taken as it is', 0.2, 20, [40], 40],
  ["the reference's example", 0.2, 20, [40, 42], 40.4],
  ['alpha 1 follows', 1, 20, [3, 9, 4], 4],
  ['a window forgets', 0.5, 2, [1000, 10, 20], 15],
  ['a window of one', 0.2, 1, [1, 2, 7], 7],
];
for (const [name, alpha, size, values, expected] of EMA)
  test(`ema: ${name}`, () => {
    const ema = createEma(alpha, size);
    assert.ok(Math.abs(values.map(ema).at(-1) - expected) < 1e-9);
  });

const BACKOFF = [
  ['first, no luck', 0, 0.999, 999],
  ['reaches down to 0', 5, 0, 0],
  ['doubles', 3, 0.5, 4000],
  ['is capped', 40, 0.999, 29970],
];
for (const [name, attempt, random, expected] of BACKOFF)
  test(`full jitter: ${name}`, () => assert.equal(backoff(attempt, random), expected));

const closed = (closeCode) => ({ code: 'closed', message: '', closeCode });
const http = (status, retryAfterMs) => ({ code: 'http', message: '', status, retryAfterMs });
const ASKED = [
  ['no answer', { code: 'network', message: '' }, false, 0.5, undefined],
  ['1001 is an ordinary end', closed(1001), false, 0.5, undefined],
  ['1012 waits 5 to 30 s', closed(1012), false, 0, 5000],
  ['1012 waits 5 to 30 s, late', closed(1012), false, 0.5, 17500],
  ['1008 waits', closed(1008), false, 0, 15000],
  ['1013 waits', closed(1013), false, 0.5, 22500],
  ['a refusal waits as its close code says', { ...closed(1013), code: 'server' }, false, 0, 15000],
  ['4403 waits for somebody', closed(4403), true, 0.5, 300000],
  ['403 too', http(403), true, 0.5, 300000],
  ['4401 without another token', closed(4401), false, 0.5, 300000],
  ['401 too', http(401), false, 0.5, 300000],
  ['4401 with another token', closed(4401), true, 0.5, undefined],
  ['401 with another token', http(401), true, 0.5, undefined],
  ['Retry-After is a floor', http(429, 45000), false, 0.5, 45500],
  ['503 with Retry-After', http(503, 2000), false, 0, 2000],
  ['503 without', http(503), false, 0.5, undefined],
  ['a Retry-After in the past', http(503, -5000), false, 0.5, undefined],
  ['a Retry-After of a year', http(503, 31_536_000_000), false, 0, 3_600_000],
];
for (const [name, why, fresh, random, expected] of ASKED)
  test(`asked to wait: ${name}`, () => assert.equal(askedDelay(why, fresh, random), expected));

const METRICS = [
  ['whole', { count: 1, ema: 0.5, timestamp: 3, customerId: 'a' }, true],
  ['zero', { count: 0, ema: 0, timestamp: 1 }, true],
  ['nothing', undefined, false],
  ['null', null, false],
  ['text', 'x', false],
  ['no count', { ema: 1, timestamp: 1 }, false],
  ['numbers as text', { count: '1', ema: 1, timestamp: 1 }, false],
  ['null for a number', { count: 1, ema: null, timestamp: 1 }, false],
];
for (const [name, value, expected] of METRICS)
  test(`metrics check: ${name}`, () => assert.equal(isMetrics(value), expected));

test('session: one id for all tabs, kept in localStorage', () => {
  const browser = new Browser();
  const id = createSession(browser.tab().scope, LOCAL).use();
  assert.match(id, RANDOM);
  assert.equal(createSession(browser.tab().scope, LOCAL).use(), id);
});

test('session: renewed after 24 h idle, not before', async () => {
  const browser = new Browser();
  const first = createSession(browser.tab().scope, LOCAL).use();
  browser.clock.now += IDLE_MS;
  assert.equal(createSession(browser.tab().scope, LOCAL).use(), first);
  browser.clock.now += IDLE_MS + 1;
  assert.notEqual(createSession(browser.tab().scope, LOCAL).use(), first);
});

test('session: a tab that slept a day renews too, also in memory', () => {
  for (const persistent of [true, false]) {
    const browser = new Browser();
    const session = createSession(browser.tab().scope, { storage: persistent ? 'local' : 'none' });
    const first = session.use();
    browser.clock.now += IDLE_MS + 1;
    assert.notEqual(session.use(), first);
  }
});

for (const [name, options, persistent] of [
  ['blocked storage', { storage: false }, true],
  ["storage: 'none'", {}, false],
])
  test(`session: ${name} is memory only`, () => {
    const browser = new Browser();
    const session = createSession(browser.tab(options).scope, { storage: persistent ? 'local' : 'none' });
    assert.equal(session.use(), session.use());
    assert.equal(browser.storage.getItem(STORAGE_KEY), null);
  });

test('session: what is in storage and is no id is replaced', () => {
  for (const text of ['', 'null', '{', '{"id":"a b","at":1790000000000}', '{"id":5}', '[]']) {
    const browser = new Browser();
    browser.storage.setItem(STORAGE_KEY, text);
    assert.match(createSession(browser.tab().scope, LOCAL).use(), RANDOM, text);
  }
});

test('ids: 128 random bits, also on plain http, in letters that the daemon takes', () => {
  for (const secure of [true, false]) {
    const { scope } = new Browser({ secure }).tab();
    assert.match(randomId(scope), RANDOM);
    assert.notEqual(randomId(scope), randomId(scope));
  }
});

test('sampler: at most one a frame, the newest; while hidden each at once, as such; the newest when shown', () => {
  const tab = new Browser().tab();
  const got = [];
  const sampler = createSampler(tab.scope, ({ n }, hidden) => got.push(hidden ? -n : n));
  for (const n of [1, 2, 3]) sampler.push({ n });
  assert.deepEqual(got, []);
  tab.frame();
  assert.deepEqual(got, [3]);
  tab.frame();
  assert.deepEqual(got, [3]);
  tab.document.hidden = true;
  sampler.push({ n: 4 });
  sampler.push({ n: 5 });
  assert.equal(tab.frames.size, 0);
  tab.document.hidden = false;
  sampler.flush();
  tab.frame();
  assert.deepEqual(got, [3, -4, -5, 5]);
  sampler.push({ n: 6 });
  sampler.stop();
  tab.frame();
  tab.document.hidden = true;
  sampler.push({ n: 7 });
  assert.deepEqual(got, [3, -4, -5, 5]);
});

test('timer: one that is overdue lets first happen what else is due', async () => {
  const { createTimer } = await load('modules/utils/timer.js');
  const browser = new Browser();
  const { scope } = browser.tab();
  const order = [];
  const timer = createTimer(scope, () => order.push('timer'));
  timer.arm(100);
  browser.clock.now += 5_000; // a page that hung
  scope.setTimeout(() => order.push('message'), 0);
  await browser.clock.advance(0);
  assert.deepEqual(order, ['message', 'timer']);
  timer.arm(100);
  browser.clock.now += 600; // no more than a busy page
  scope.setTimeout(() => order.push('later'), 0);
  await browser.clock.advance(0);
  assert.deepEqual(order.slice(2), ['timer', 'later']);
});

test('session: what the leader said is newer than what storage still shows', async () => {
  const browser = new Browser();
  const stale = createSession(browser.tab().scope, LOCAL).use();
  await browser.clock.advance(1000);
  const session = createSession(browser.tab().scope, LOCAL);
  session.adopt('from-the-leader');
  assert.equal(session.use(), 'from-the-leader');
  assert.notEqual(stale, 'from-the-leader');
});

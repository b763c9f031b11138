// trackPage: which page it is and whether somebody sees it, told once for all tabs and without a storm.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, NOTHING_LEFT, settle } from './harness/browser.mjs';
import { clientIn, load, startIn } from './harness/sdk.mjs';

await load('track.mjs'); // so that the client's own import takes no time

const TRACKED = { trackPage: true };

/** What signs of life have told, oldest first, as "page visible"; what was told before is left out. */
const toldIn = ({ server }) =>
  [
    ...server.said.map(({ message, at }) => ({ ...message, at })),
    ...server.requests.filter(({ body }) => body).map(({ body, at }) => ({ ...body, at })),
  ]
    .filter(({ page }) => page !== undefined)
    .sort((a, b) => a.at - b.at)
    .map(({ page, visible }) => `${page} ${visible}`);

const news = (told) => told.filter((text, i) => text !== told[i - 1]);

async function open(browser, path, options = {}, config = TRACKED) {
  const tab = browser.tab(options);
  tab.scope.location.pathname = path;
  if (options.navigation === false) tab.scope.navigation = undefined;
  const it = await startIn(tab, config);
  for (let i = 0; i < 5; i++) await settle();
  await browser.clock.advance(2000);
  return { ...it, tab };
}

const go = (tab, path, type = 'currententrychange') => {
  tab.scope.location.pathname = path;
  (type === 'popstate' ? tab.scope : tab.scope.navigation)?.fire(type);
};

for (const [way, faults] of [
  ['websocket', {}],
  ['polling', { noSocket: true }],
]) {
  test(`${way}: the page is told within 2 s, and with every sign of life`, async () => {
    const browser = new Browser();
    Object.assign(browser.server.faults, faults);
    await open(browser, '/a');
    assert.deepEqual(news(toldIn(browser)), ['/a true']);
    const before = toldIn(browser).length;
    await browser.clock.advance(60_000);
    assert.ok(toldIn(browser).length >= before + 2);
    assert.deepEqual(news(toldIn(browser)), ['/a true']);
  });

  test(`${way}: a router is followed, once when it is restless`, async () => {
    const browser = new Browser();
    Object.assign(browser.server.faults, faults);
    const { tab } = await open(browser, '/a');
    go(tab, '/b');
    await browser.clock.advance(2000);
    assert.deepEqual(news(toldIn(browser)), ['/a true', '/b true']);
    const before = toldIn(browser).length;
    for (let i = 0; i < 20; i++) {
      go(tab, `/c/${i}`);
      await browser.clock.advance(20);
    }
    await browser.clock.advance(3000);
    assert.equal(toldIn(browser).at(-1), '/c/19 true');
    assert.ok(toldIn(browser).length - before <= 2, `${toldIn(browser).length - before} messages`);
  });
}

test('a router that never rests does not hold up signs of life', async () => {
  const browser = new Browser();
  const { tab } = await open(browser, '/a');
  const before = browser.server.said.length;
  for (let i = 0; i < 300; i++) {
    go(tab, `/${i}`);
    await browser.clock.advance(400);
  }
  const beats = browser.server.said.length - before;
  assert.ok(beats >= 4 && beats <= 121, `${beats} in two minutes`);
});

test('an entry with another query is the same page', async () => {
  const browser = new Browser();
  const { tab } = await open(browser, '/a');
  const before = toldIn(browser).length;
  go(tab, '/a');
  await browser.clock.advance(5000);
  assert.equal(toldIn(browser).length, before);
});

test('without the Navigation API: popstate, and a look each second while visible', async () => {
  const browser = new Browser();
  const { tab } = await open(browser, '/a', { navigation: false });
  go(tab, '/b', 'popstate');
  await browser.clock.advance(1100);
  assert.deepEqual(news(toldIn(browser)), ['/a true', '/b true']);
  tab.scope.location.pathname = '/c'; // pushState, which fires nothing
  await browser.clock.advance(2300);
  assert.deepEqual(news(toldIn(browser)), ['/a true', '/b true', '/c true']);
});

test('hidden is told once it lasts, and visible at once', async () => {
  const browser = new Browser();
  const { tab } = await open(browser, '/a');
  const before = toldIn(browser).length;
  for (let i = 0; i < 10; i++) {
    tab.setHidden(true);
    await browser.clock.advance(30);
    tab.setHidden(false);
    await browser.clock.advance(30);
  }
  await browser.clock.advance(3000);
  assert.deepEqual(news(toldIn(browser)), ['/a true']);
  assert.ok(toldIn(browser).length - before <= 2, 'no storm');
  tab.setHidden(true);
  await browser.clock.advance(3000);
  assert.deepEqual(news(toldIn(browser)), ['/a true', '/a false']);
  tab.setHidden(false);
  await browser.clock.advance(100);
  assert.deepEqual(news(toldIn(browser)), ['/a true', '/a false', '/a true']);
});

for (const locks of [true, false])
  test(`${locks ? 'with locks' : 'without locks'}: the tab that is looked at tells, and none says hidden for it`, async () => {
    const browser = new Browser();
    const a = await open(browser, '/a', { locks });
    const b = await open(browser, '/b', { locks, hidden: true });
    assert.deepEqual(news(toldIn(browser)), ['/a true']);
    a.tab.setHidden(true);
    await browser.clock.advance(200);
    b.tab.setHidden(false);
    await browser.clock.advance(5000);
    assert.deepEqual(news(toldIn(browser)), ['/a true', '/b true']);
    go(a.tab, '/elsewhere'); // of the tab in the background
    await browser.clock.advance(5000);
    assert.deepEqual(news(toldIn(browser)), ['/a true', '/b true']);
    b.tab.setHidden(true);
    await browser.clock.advance(5000);
    assert.deepEqual(news(toldIn(browser)), ['/a true', '/b true', '/b false']);
  });

test('a beat that is not answered yet is followed by another', async () => {
  const browser = new Browser();
  const { tab } = await open(browser, '/a');
  browser.server.faults.mute = true;
  tab.document.fire('visibilitychange'); // a ping that waits for its pong
  await browser.clock.advance(100);
  go(tab, '/b');
  await browser.clock.advance(2000);
  browser.server.faults.mute = false;
  for (const socket of browser.server.open) socket.deliver({ type: 'pong', timestamp: 1 });
  await browser.clock.advance(8000);
  assert.equal(toldIn(browser).at(-1), '/b true');
});

test('nothing is left behind, and nothing of the page was changed', async () => {
  for (const navigation of [true, false]) {
    const browser = new Browser();
    const history = Object.freeze({ pushState() {}, replaceState() {} });
    const tab = browser.tab();
    tab.scope.history = history;
    tab.scope.location.pathname = '/a';
    if (!navigation) tab.scope.navigation = undefined;
    const { client } = await startIn(tab, TRACKED);
    for (let i = 0; i < 5; i++) await settle();
    await browser.clock.advance(2500);
    go(tab, '/b');
    client.destroy();
    await settle();
    const { sockets, ...left } = tab.leftovers();
    const { sockets: _, ...nothing } = NOTHING_LEFT;
    assert.deepEqual(left, nothing);
  }
});

test('a client that ends while the part is loaded leaves nothing behind', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  tab.scope.location.pathname = '/a';
  const { client } = clientIn(tab, TRACKED);
  client.init();
  client.destroy();
  await browser.clock.advance(3000);
  assert.equal(tab.leftovers().timers, 0);
});

test('without trackPage nothing is told, and the part is not there', async () => {
  const browser = new Browser();
  await open(browser, '/a', {}, {});
  await browser.clock.advance(60_000);
  assert.deepEqual(toldIn(browser), []);
});

test('a page that is rendered ahead tells nothing until it is shown', async () => {
  const browser = new Browser();
  const { tab } = await open(browser, '/a', { prerendering: true });
  await browser.clock.advance(60_000);
  assert.deepEqual([browser.server.attempts, browser.server.sockets.length], [0, 0]);
  tab.document.prerendering = false;
  tab.document.fire('prerenderingchange');
  for (let i = 0; i < 5; i++) await settle();
  await browser.clock.advance(3000);
  assert.deepEqual(news(toldIn(browser)), ['/a true']);
});

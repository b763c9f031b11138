// A client in its page: how it comes and goes, and what stays behind (nothing).
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, NOTHING_LEFT, settle } from './harness/browser.mjs';
import { ActiveUsersClient, clientIn, CONFIG, startIn } from './harness/sdk.mjs';

/** Longer than the time that a page has to come back after it has gone. */
const GRACE_MS = 2_600;

test('destroy() leaves no timer, listener, lock, channel, socket or frame, in any state', async () => {
  const states = {
    'before init': async () => {},
    connected: (it, browser) => browser.clock.advance(100),
    connecting: () => settle(),
    'as a follower': (it, browser) => browser.clock.advance(100),
    polling: (it, browser) => browser.clock.advance(20_000),
    'while it waits to try again': (it, browser) => browser.clock.advance(700),
    frozen: async (it, browser, tab) => {
      await browser.clock.advance(100);
      tab.document.fire('freeze');
    },
    prerendering: () => settle(),
  };
  for (const [name, reach] of Object.entries(states)) {
    for (const secure of [true, false]) {
      const browser = new Browser({ secure });
      if (name === 'as a follower') await startIn(browser.tab());
      if (name === 'polling') browser.server.faults.noSocket = true;
      if (name.startsWith('while')) browser.server.faults.refuse = true;
      const tab = browser.tab({ prerendering: name === 'prerendering' });
      const it = clientIn(tab);
      const ready = name === 'before init' ? undefined : it.client.init();
      await reach(it, browser, tab);
      it.client.destroy();
      it.client.destroy();
      await settle();
      await browser.clock.advance(50);
      assert.deepEqual(tab.leftovers(), NOTHING_LEFT, `${name}, ${secure ? 'locks' : 'channel'}`);
      await ready; // never left hanging
    }
  }
});

test('destroy() from a callback leaves as little, and leaves the daemon', async () => {
  const when = {
    leads: (status) => status.isLeader,
    'is connected': (status) => status.mode === 'websocket',
    polls: (status) => status.mode === 'polling',
  };
  for (const [name, reached] of Object.entries(when)) {
    const browser = new Browser();
    if (name === 'polls') browser.server.faults.noSocket = true;
    const tab = browser.tab();
    const it = clientIn(tab);
    let destroyed = false;
    it.client.onStatus((status) => {
      if (destroyed || !reached(status)) return;
      destroyed = true;
      it.client.destroy();
    });
    const ready = it.client.init();
    await browser.clock.advance(20_000);
    assert.ok(destroyed, name);
    await browser.clock.advance(120_000);
    assert.deepEqual(tab.leftovers(), NOTHING_LEFT, name);
    assert.equal(browser.server.count, 0, name);
    await ready;
  }
});

test('destroy() of the only tab leaves; of one of two it hands over', async () => {
  const browser = new Browser();
  const one = await startIn(browser.tab());
  const two = await startIn(browser.tab());
  one.client.destroy();
  await browser.clock.advance(100);
  assert.equal(browser.server.count, 1);
  assert.equal(two.leads, true);
  two.client.destroy();
  await browser.clock.advance(GRACE_MS);
  assert.equal(browser.server.count, 0);
  assert.deepEqual(one.client.getConnectionStatus(), {
    mode: 'offline',
    isLeader: false,
    ignoredMessages: 0,
  });
});

test('nothing is heard after destroy(), and init() says so', async () => {
  const browser = new Browser();
  const it = await startIn(browser.tab());
  it.client.destroy();
  const heard = it.events.length;
  browser.server.update();
  await browser.clock.advance(1_000);
  assert.equal(it.events.length, heard);
  const fresh = new ActiveUsersClient(CONFIG, browser.tab().scope);
  fresh.destroy();
  await assert.rejects(fresh.init(), /destroyed/);
});

test('AbortSignal: aborted before, during and after init()', async () => {
  const browser = new Browser();
  const before = clientIn(browser.tab());
  await assert.rejects(before.client.init({ signal: AbortSignal.abort() }), { name: 'AbortError' });

  const tab = browser.tab();
  const during = clientIn(tab);
  const controller = new AbortController();
  const ready = during.client.init({ signal: controller.signal });
  await settle();
  controller.abort();
  await assert.rejects(ready, { name: 'AbortError' });
  await browser.clock.advance(50);
  assert.deepEqual(tab.leftovers(), NOTHING_LEFT);

  const later = browser.tab();
  const third = clientIn(later);
  const last = new AbortController();
  const done = third.client.init({ signal: last.signal });
  await browser.clock.advance(100);
  await done;
  last.abort();
  await browser.clock.advance(GRACE_MS);
  assert.deepEqual(later.leftovers(), NOTHING_LEFT);
  assert.equal(browser.server.count, 0);
});

/** A browser in which nobody gets a WebSocket. */
function pollingBrowser() {
  const browser = new Browser();
  browser.server.faults.noSocket = true;
  return browser;
}

/** A client that polls, in `tab`. */
async function pollIn(browser, tab, config) {
  const it = await startIn(tab, config);
  await browser.clock.until('polling', () => it.mode === 'polling', { limitMs: 5_000 });
  return it;
}

test('a page that goes says so in the close of its socket, and sends no request', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  await startIn(tab);
  tab.close();
  assert.deepEqual(
    browser.server.sockets.map(({ closeCode }) => closeCode),
    [4001],
  );
  await browser.clock.advance(GRACE_MS);
  assert.equal(browser.server.count, 0);
  assert.deepEqual([tab.beacons, browser.server.requests], [[], []]);
});

test('one that polls says goodbye with a beacon, which has the token', async () => {
  const browser = pollingBrowser();
  const tab = browser.tab();
  await pollIn(browser, tab);
  tab.close();
  assert.equal(tab.beacons[0].url, 'http://api.test:3001/presence/leave');
  assert.deepEqual(Object.keys(tab.beacons[0].body).sort(), [
    'customerId',
    'graceMs',
    'sessionId',
    'tabId',
    'timestamp',
  ]);
  assert.equal(tab.beacons[0].body.graceMs, 2500);
  await browser.clock.advance(GRACE_MS);
  assert.equal(browser.server.count, 0);

  const other = pollingBrowser();
  const second = other.tab();
  await pollIn(other, second, { getToken: () => 'secret' });
  second.close();
  assert.equal(second.beacons[0].body.token, 'secret');
  await other.clock.advance(GRACE_MS);
  assert.equal(other.server.count, 0);
});

test('a beacon that the browser refuses, or throws at, becomes a fetch', async () => {
  for (const sendBeacon of [
    () => false,
    undefined,
    () => {
      throw new Error('blocked');
    },
  ]) {
    const browser = pollingBrowser();
    const tab = browser.tab();
    await pollIn(browser, tab);
    tab.scope.navigator.sendBeacon = sendBeacon;
    tab.close();
    await browser.clock.advance(GRACE_MS);
    if (typeof sendBeacon !== 'function' || !/throw/.test(String(sendBeacon)))
      assert.equal(browser.server.count, 0);
  }
});

test('a page that goes before its first beat is answered leaves all the same', async () => {
  const browser = pollingBrowser();
  const tab = browser.tab();
  await startIn(tab, { enableWebSocket: false });
  tab.close();
  assert.equal(tab.beacons.length, 1);
  await browser.clock.advance(GRACE_MS);
  assert.equal(browser.server.count, 0);
});

test('back/forward cache: nothing is held while the page is kept, and back in time it never was away', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const it = await startIn(tab);
  tab.frame();
  tab.scope.fire('pagehide', { persisted: true });
  await settle();
  assert.deepEqual({ ...tab.leftovers(), listeners: 0 }, NOTHING_LEFT);
  assert.equal(browser.server.sockets[0].closeCode, 4001);
  assert.equal(it.mode, 'offline');
  await browser.clock.advance(2_000);
  assert.equal(browser.server.count, 1);
  tab.scope.fire('pageshow', { persisted: true });
  await browser.clock.advance(50);
  assert.equal(it.mode, 'websocket');
  await browser.clock.advance(GRACE_MS);
  assert.equal(browser.server.count, 1);
  tab.scope.fire('pagehide', { persisted: true });
  await browser.clock.advance(GRACE_MS);
  assert.equal(browser.server.count, 0, 'who stays away is gone');
  tab.scope.fire('pageshow', { persisted: true });
  await browser.clock.advance(50);
  assert.equal(browser.server.count, 1);
});

test('robbed of the lead, a client that is destroyed in that moment stands no more', async () => {
  const browser = new Browser();
  const [one, two] = [browser.tab(), browser.tab()];
  const first = await startIn(one);
  await startIn(two);
  first.client.onStatus(({ isLeader }) => isLeader || first.client.destroy());
  one.setHidden(true);
  await browser.clock.advance(2_000);
  assert.deepEqual(one.leftovers(), NOTHING_LEFT);
});

test('no unload and no beforeunload listener', async () => {
  const tab = new Browser().tab();
  await startIn(tab);
  const types = [...tab.scope.types, ...tab.document.types];
  assert.ok(types.includes('pagehide'));
  assert.ok(!types.some((type) => /unload/.test(type)), types.join());
});

test('a page that is only rendered ahead is not counted until it is shown', async () => {
  const browser = new Browser();
  const tab = browser.tab({ prerendering: true });
  const it = await startIn(tab);
  await browser.clock.advance(2_000);
  assert.equal(browser.server.count, 0);
  tab.document.prerendering = false;
  tab.document.fire('prerenderingchange');
  await browser.clock.advance(100);
  assert.equal(it.mode, 'websocket');
});

test('a whole life in a page without a single exception: everything blocked', async () => {
  const browser = new Browser({ secure: false });
  browser.server.faults.blocked = browser.server.faults.refuse = true;
  const tab = browser.tab({ storage: false, channel: false });
  const it = await startIn(tab);
  await browser.clock.advance(300_000);
  tab.setHidden(true);
  tab.setHidden(false);
  it.client.destroy();
  await settle();
  assert.equal(it.mode, 'offline');
  assert.deepEqual(tab.leftovers(), NOTHING_LEFT);
});

test('one of two clients of a page is destroyed: the other goes on, nobody leaves', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const one = await startIn(tab);
  const two = await startIn(tab);
  one.client.destroy();
  await browser.clock.advance(100);
  assert.equal(browser.server.count, 1);
  assert.deepEqual(tab.beacons, []);
  assert.equal(two.leads, true);
});

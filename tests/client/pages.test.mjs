// Going is not leaving: pages that follow each other, and the clients of one page that know each other.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, NOTHING_LEFT, settle } from './harness/browser.mjs';
import { clientIn, startIn } from './harness/sdk.mjs';

/** Steps until `ms` are over, and says which counts a watcher would have seen. */
async function countsIn(browser, ms) {
  const seen = [browser.server.count];
  for (let t = 0; t < ms; t += 50) {
    await browser.clock.advance(50);
    if (browser.server.count !== seen.at(-1)) seen.push(browser.server.count);
  }
  return seen;
}

/** Ways to the next page, each as the browser does it. */
const MOVES = {
  'a page view': (browser, tab) => {
    tab.close();
  },
  'a page view, the old page kept for going back': (browser, tab) => {
    tab.scope.fire('pagehide', { persisted: true });
  },
  'Firefox: the socket is closed before pagehide': async (browser, tab) => {
    for (const socket of [...tab.sockets]) socket.shut(1001);
    await browser.clock.advance(100);
    tab.close();
  },
};

for (const [name, move] of Object.entries(MOVES))
  for (const [way, options, faults] of [
    ['websocket', { secure: true }, {}],
    ['plain http', { secure: false }, {}],
    ['polling', { secure: true }, { noSocket: true }],
  ])
    test(`${name}, ${way}: twenty times, and a watcher hears no change`, async () => {
      const browser = new Browser(options);
      Object.assign(browser.server.faults, faults);
      let tab = browser.tab();
      await startIn(tab);
      await browser.clock.until('the first', () => browser.server.count === 1);
      const seen = new Set();
      for (let i = 0; i < 20; i++) {
        await move(browser, tab);
        for (const count of await countsIn(browser, 1_500)) seen.add(count);
        tab = browser.tab();
        clientIn(tab).client.init();
        for (const count of await countsIn(browser, 3_000)) seen.add(count);
      }
      assert.deepEqual([...seen], [1]);
      tab.close();
      assert.deepEqual(await countsIn(browser, 3_000), [1, 0], 'a real close is seen within 3 s');
    });

test('a route that takes the hook out and puts it in again, later or at once: no change', async () => {
  for (const gap of [undefined, 0, 300]) {
    const browser = new Browser();
    const tab = browser.tab();
    let it = await startIn(tab);
    for (let i = 0; i < 10; i++) {
      it.client.destroy();
      if (gap !== undefined) assert.deepEqual(await countsIn(browser, gap), [1]);
      it = clientIn(tab);
      void it.client.init();
      assert.deepEqual(await countsIn(browser, 3_000), [1], `${gap}`);
    }
    assert.equal(browser.server.open.length, 1);
    if (gap === undefined) assert.equal(browser.server.sockets.length, 1, 'the same socket');
  }
});

test('StrictMode and ten toggles in one tick: one client, one socket', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  let it = await startIn(tab);
  for (let i = 0; i < 10; i++) {
    it.client.destroy();
    it = clientIn(tab);
    void it.client.init();
    await settle();
  }
  await browser.clock.advance(1_000);
  assert.equal(browser.server.sockets.length, 1);
  assert.equal(tab.channels.size, 1);
  assert.equal(it.mode, 'websocket');
  assert.deepEqual(tab.beacons, []);
});

test('two clients of one page with the same options: one socket, both hear, and each its own end', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  const [one, two] = [await startIn(tab), await startIn(tab)];
  assert.equal(browser.server.sockets.length, 1);
  assert.equal(tab.channels.size, 1);
  assert.equal(one.leads && two.leads, true);
  await two.ready;
  tab.frame();
  assert.equal(two.of('metrics').length, 1);
  assert.deepEqual(two.of('status')[0].status.mode, 'websocket', 'a late one is told how it stands');
  one.client.destroy();
  const heard = one.events.length;
  browser.server.ema = 3;
  browser.server.update();
  await browser.clock.advance(50);
  tab.frame();
  assert.equal(one.events.length, heard);
  assert.equal(one.mode, 'offline');
  assert.equal(two.of('metrics').at(-1).metrics.ema, 3);
  assert.equal(browser.server.count, 1);
  assert.deepEqual(tab.beacons, []);
});

for (const [name, config] of [
  ['the same options', {}],
  ['other options', { emaAlpha: 0.5 }],
])
  test(`two clients of one page, ${name}: both destroyed in one tick, the person goes`, async () => {
    for (const secure of [true, false]) {
      const browser = new Browser({ secure });
      const tab = browser.tab();
      const one = await startIn(tab);
      const two = await startIn(tab, config);
      await browser.clock.advance(2_000);
      assert.equal(browser.server.open.length, 1);
      one.client.destroy();
      two.client.destroy();
      await settle();
      assert.deepEqual(tab.leftovers(), NOTHING_LEFT);
      assert.deepEqual(await countsIn(browser, 3_000), [1, 0]);
    }
  });

test('two clients of one page with other options go together when the page goes', async () => {
  for (const secure of [true, false]) {
    const browser = new Browser({ secure });
    const tab = browser.tab();
    await startIn(tab);
    await startIn(tab, { emaAlpha: 0.5 });
    await browser.clock.advance(2_000);
    tab.close();
    assert.deepEqual(await countsIn(browser, 3_000), [1, 0]);
  }
});

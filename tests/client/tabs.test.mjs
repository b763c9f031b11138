// Many tabs of one browser: one leads, all know, and somebody always follows. Three ways to agree:
// locks with a channel, a channel alone, and neither.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, settle } from './harness/browser.mjs';
import { clientIn, startIn } from './harness/sdk.mjs';

const WAYS = [
  ['locks', { secure: true }],
  ['channel', { secure: false }],
];

async function open(browser, n, { config, ...options } = {}) {
  const tabs = [];
  for (let i = 0; i < n; i++) {
    const tab = browser.tab(options);
    const it = clientIn(tab, config);
    it.tab = tab;
    it.ready = it.client.init();
    tabs.push(it);
  }
  await browser.clock.advance(2_000);
  return tabs;
}

const alive = (tabs) => tabs.filter((it) => !it.tab.gone);
const leaders = (tabs) => alive(tabs).filter((it) => it.leads && !it.tab.frozen);
const theLeader = (tabs) => {
  const found = leaders(tabs);
  assert.equal(found.length, 1, `${found.length} leaders`);
  return found[0];
};

/** Two tabs, the first of which led and stalled, and the second of which leads now. */
async function stalled(options) {
  const browser = new Browser(options);
  const tabs = await open(browser, 2);
  const [first, second] = theLeader(tabs) === tabs[0] ? tabs : [...tabs].reverse();
  first.tab.stall();
  await browser.clock.until('another', () => second.leads);
  await browser.clock.advance(5_000);
  return { browser, tabs, first, second };
}

function assertOne(browser, tabs) {
  theLeader(tabs);
  assert.equal(browser.server.open.length, 1, 'one socket');
  assert.equal(browser.server.count, 1, 'one session');
}

for (const [way, options] of WAYS) {
  test(`${way}: 12 tabs at once are one leader, one socket, one session, and all have the metrics`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 12);
    assertOne(browser, tabs);
    assert.equal(browser.server.sockets.length, 1, 'no socket more was ever opened');
    for (const it of tabs) {
      assert.equal(it.count, 1);
      assert.equal(it.mode, 'websocket');
      await it.ready;
    }
    browser.server.ema = 0.5;
    browser.server.update();
    await browser.clock.advance(20);
    for (const it of tabs) assert.equal(it.client.getMetrics().ema, 0.5);
    assert.equal(new Set(browser.server.said.map(({ message }) => message.tabId)).size, 1);
  });

  test(`${way}: the leader closes: another goes on with the same session, and no count moves`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 3);
    const first = theLeader(tabs);
    const [session] = browser.server.sessions.keys();
    first.tab.close();
    for (let ms = 0; ms < 5_000; ms += 50) {
      await browser.clock.advance(50);
      assert.equal(browser.server.count, 1, `${ms} ms later`);
    }
    assertOne(browser, tabs);
    assert.deepEqual([...browser.server.sessions.keys()], [session]);
  });

  test(`${way}: tabs close one after another: nobody is there behind the last one`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 4);
    for (const it of [...tabs]) {
      it.tab.close();
      await browser.clock.advance(3_000);
      const left = alive(tabs).length;
      assert.equal(browser.server.count, left ? 1 : 0, `${left} tabs left`);
    }
  });

  // A window that closes. Whether the others hear of it before they go, and in which order they do,
  // is the browser's choice.
  for (const [order, sorted] of [
    ['the leader first', (leader, others) => [leader, ...others]],
    ['the leader last', (leader, others) => [...others, leader]],
  ])
    for (const hears of [true, false])
      for (const noSocket of [false, true])
        test(`${way}: all tabs close in one moment, ${order}, ${hears ? '' : 'un'}heard, ${noSocket ? 'polling' : 'sockets'}: gone in 3 s`, async () => {
          const browser = new Browser(options);
          browser.server.faults.noSocket = noSocket;
          const tabs = await open(browser, 3);
          await browser.clock.advance(2_000);
          assert.equal(browser.server.count, 1);
          const first = theLeader(tabs);
          for (const it of sorted(first, tabs.filter((other) => other !== first))) {
            it.tab.close();
            if (hears) await settle();
          }
          await browser.clock.advance(3_000);
          assert.equal(browser.server.count, 0);
        });

  test(`${way}: the leader crashes without a word`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 3);
    theLeader(tabs).tab.crash();
    const took = await browser.clock.until('a leader', () => leaders(tabs).length === 1);
    assert.ok(took <= 60_000, `${took} ms`);
    await browser.clock.advance(1_000);
    assertOne(browser, tabs);
  });

  test(`${way}: a tab that crashed is forgotten, so that the last one knows it is the last`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 3);
    const first = theLeader(tabs);
    for (const it of tabs) if (it !== first) it.tab.crash();
    await browser.clock.advance(65_000);
    first.tab.close();
    await browser.clock.advance(3_000);
    assert.equal(browser.server.count, 0);
  });

  test(`${way}: a leader that stalls is replaced within two heartbeats, and steps down when it wakes`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 5);
    const first = theLeader(tabs);
    first.tab.stall();
    const took = await browser.clock.until('another', () => leaders(tabs).length === 1);
    assert.ok(took <= 60_000, `${took} ms`);
    await browser.clock.advance(3_000);
    assert.equal(leaders(tabs).length, 1, 'not all of them at once');
    first.tab.thaw();
    await browser.clock.advance(3_000);
    assert.equal(first.leads, false);
    assert.equal(first.mode, 'websocket');
    assertOne(browser, tabs);
  });

  test(`${way}: a leader that stalled hears that another leads before it beats again`, async () => {
    const { browser, first } = await stalled(options);
    const before = browser.server.said.length;
    first.tab.thaw(0);
    await browser.clock.advance(10);
    const said = browser.server.said.slice(before);
    assert.deepEqual(
      said.filter(({ socket }) => socket.tab === first.tab),
      [],
    );
    assert.equal(first.leads, false);
  });

  test(`${way}: a leader that stalled and did beat again: the new one makes it good in a second`, async () => {
    const { browser, tabs, first, second } = await stalled(options);
    first.tab.thaw(50); // it hears too late
    await browser.clock.advance(100);
    const holder = () => [...browser.server.sessions.values()][0].tabId;
    const idOf = (it) =>
      browser.server.said.find(({ socket, message }) => socket.tab === it.tab && message.tabId)
        .message.tabId;
    assert.equal(holder(), idOf(first));
    const took = await browser.clock.until('the session', () => holder() === idOf(second));
    assert.ok(took <= 1_100, `${took} ms`);
    assertOne(browser, tabs);
  });

  test(`${way}: what the server asked to wait is kept by the next leader`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 2);
    const first = theLeader(tabs);
    browser.server.closeAll(4403);
    await browser.clock.advance(20_000);
    first.tab.close();
    await browser.clock.advance(275_000);
    assert.equal(leaders(tabs).length, 1);
    assert.equal(browser.server.sockets.length, 1, 'not before its time');
    await browser.clock.advance(10_000);
    assertOne(browser, alive(tabs));
  });

  test(`${way}: what goes wrong is told in every tab, and init() waits for it in none`, async () => {
    const browser = new Browser(options);
    browser.server.faults.refuse = true;
    const tabs = await open(browser, 3);
    for (const it of tabs) {
      assert.ok(it.of('error').length > 0);
      assert.equal(it.of('error')[0].error.code, 'network');
      await it.ready;
    }
    const heard = tabs.map((it) => it.of('error').length);
    assert.equal(new Set(heard).size, 1, `each of them once: ${heard}`);
  });

  test(`${way}: two daemons for one customer are two leaders`, async () => {
    const browser = new Browser(options);
    const here = await open(browser, 2);
    const there = await open(browser, 2, { config: { apiUrl: 'http://other.test' } });
    theLeader(here);
    theLeader(there);
  });

  test(`${way}: a new tab whose leader is stalled does not wait for two heartbeats`, async () => {
    const browser = new Browser(options);
    const [first] = await open(browser, 1);
    first.tab.stall();
    const [second] = await open(browser, 1);
    await browser.clock.until('the second to lead', () => second.leads, { limitMs: 10_000 });
  });

  test(`${way}: a hidden leader hands over to a visible tab, and not to a hidden one`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 2);
    const [hiddenTab] = await open(browser, 1, { hidden: true });
    tabs.push(hiddenTab);
    const first = theLeader(tabs);
    first.tab.setHidden(true);
    await browser.clock.advance(800);
    assert.equal(first.leads, true, 'flipping through tabs moves no socket');
    await browser.clock.advance(1_000);
    const next = theLeader(tabs);
    assert.notEqual(next, first);
    assert.equal(next.tab.document.hidden, false);
    assertOne(browser, tabs);
    next.tab.setHidden(true);
    await browser.clock.advance(5_000);
    assert.equal(theLeader(tabs), next, 'no visible tab, so it stays');
    hiddenTab.tab.setHidden(false);
    await browser.clock.advance(2_000);
    assert.equal(theLeader(tabs), hiddenTab);
    assertOne(browser, tabs);
  });

  test(`${way}: a leader that is shown again in time keeps its place`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 2);
    const first = theLeader(tabs);
    first.tab.setHidden(true);
    await browser.clock.advance(500);
    first.tab.setHidden(false);
    await browser.clock.advance(5_000);
    assert.equal(theLeader(tabs), first);
    assert.equal(browser.server.sockets.length, 1);
  });

  test(`${way}: freeze and resume: handed over at once, and no leave`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 2);
    const first = theLeader(tabs);
    first.tab.document.fire('freeze');
    first.tab.stall();
    await browser.clock.advance(2_000);
    assert.notEqual(theLeader(tabs), first);
    assertOne(browser, tabs);
    first.tab.thaw();
    first.tab.document.fire('resume');
    await browser.clock.advance(2_000);
    assert.equal(first.mode, 'websocket');
    assertOne(browser, tabs);
    assert.deepEqual(first.tab.beacons, []);
  });

  test(`${way}: the daemon is away for ten minutes: the leader stays, nobody fights for it`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 3);
    const first = theLeader(tabs);
    browser.server.faults.refuse = true;
    browser.server.closeAll(1001);
    await browser.clock.advance(600_000);
    assert.equal(theLeader(tabs), first);
    const led = tabs.filter((it) => it.of('status').some(({ status }) => status.isLeader));
    assert.deepEqual(led, [first], 'no other ever led');
    for (const it of tabs) assert.equal(it.mode, 'offline');
    browser.server.faults.refuse = false;
    await browser.clock.until('all', () => tabs.every((it) => it.mode === 'websocket'), {
      limitMs: 60_000,
    });
  });

  test(`${way}: the server has nothing to say for minutes: the leader still speaks`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 3);
    const first = theLeader(tabs);
    browser.server.closeAll(4403);
    await browser.clock.advance(290_000);
    const led = tabs.filter((it) => it.of('status').some(({ status }) => status.isLeader));
    assert.deepEqual(led, [first], 'no other ever led');
  });

  test(`${way}: a duplicated tab is another tab of the same person`, async () => {
    const browser = new Browser(options);
    const [first] = await open(browser, 1);
    const [second] = await open(browser, 1);
    assertOne(browser, [first, second]);
    first.tab.close();
    await browser.clock.advance(1_500);
    const tabIds = new Set(browser.server.said.map(({ message }) => message.tabId).filter(Boolean));
    assert.equal(tabIds.size, 2);
    assert.equal(browser.server.count, 1);
  });

  test(`${way}: storage blocked: the session is shared over the channel, count 1`, async () => {
    const browser = new Browser(options);
    const tabs = await open(browser, 3, { storage: false });
    assertOne(browser, tabs);
    theLeader(tabs).tab.close();
    await browser.clock.advance(1_500);
    assertOne(browser, tabs);
  });

  test(`${way}: two customers in one browser are two leaders`, async () => {
    const browser = new Browser(options);
    const shop = await open(browser, 2);
    const other = await open(browser, 2, { config: { customerId: 'other' } });
    theLeader(shop);
    theLeader(other);
    assert.equal(browser.server.open.length, 2);
  });

  test(`${way}: 200 random closings, hidings and openings: one leader in the end, every time`, async () => {
    let seed = 42;
    const random = () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32;
    const browser = new Browser(options);
    browser.random = random;
    let tabs = await open(browser, 3);
    for (let i = 0; i < 200; i++) {
      const it = tabs[Math.floor(random() * tabs.length)];
      const what = random();
      if (what < 0.3 && tabs.length > 1) it.tab.close();
      else if (what < 0.4 && tabs.length > 1) it.tab.crash();
      else if (what < 0.7) it.tab.setHidden(!it.tab.document.hidden);
      else if (tabs.length < 8) tabs.push(...(await open(browser, 1, { hidden: random() < 0.5 })));
      tabs = alive(tabs);
      await browser.clock.advance(random() * 3_000);
      if (i % 20 === 19) {
        await browser.clock.advance(125_000); // two heartbeats of a hidden leader
        assert.equal(leaders(tabs).length, 1, `after ${i + 1} steps`);
        assert.equal(browser.server.open.length, 1);
        assert.equal(browser.server.count, 1);
      }
    }
  });
}

test('tabs that stand in one moment and hear of each other late: one leads, and no other ever did', async () => {
  const browser = new Browser({ secure: false });
  browser.channelMs = 50;
  const tabs = await open(browser, 5);
  assertOne(browser, tabs);
  assert.equal(browser.server.sockets.length, 1);
});

test('a follower that is told there is no network leaves it to the leader', async () => {
  const browser = new Browser();
  const tabs = await open(browser, 2);
  const follower = tabs.find((it) => !it.leads);
  follower.tab.scope.fire('offline');
  await browser.clock.advance(15_000);
  assert.equal(follower.mode, 'websocket');
  assert.equal(browser.server.sockets.length, 1);
});

test('two leaders of a channel that was cut in two: the older term gives way', async () => {
  const browser = new Browser({ secure: false });
  const [first] = await open(browser, 1);
  const [second] = await open(browser, 1);
  first.tab.stall();
  await browser.clock.advance(60_000); // the second leads with a later term
  assert.equal(second.leads, true);
  first.tab.thaw();
  await browser.clock.advance(100);
  assert.equal(first.leads, false);
  assert.equal(second.leads, true);
});

test('locks that the browser refuses to this page: the channel decides', async () => {
  const browser = new Browser();
  browser.locks.request = () => Promise.reject(new DOMException('no', 'SecurityError'));
  const tabs = await open(browser, 3);
  assertOne(browser, tabs);
});

test('neither locks nor channel: each tab beats, and the server counts one session', async () => {
  const browser = new Browser({ secure: false });
  const tabs = await open(browser, 3, { channel: false });
  assert.equal(leaders(tabs).length, 3);
  assert.equal(browser.server.open.length, 3);
  assert.equal(browser.server.count, 1);
});

test('storage without a channel: nobody knows who is last, so nobody ends the session of others', async () => {
  const browser = new Browser({ secure: false });
  const [one, two] = await open(browser, 2, { channel: false });
  two.tab.close();
  await browser.clock.advance(100);
  assert.equal(browser.server.count, 1);
  one.tab.close();
  await browser.clock.advance(5_000);
  assert.deepEqual([...one.tab.beacons, ...two.tab.beacons], []);
  assert.deepEqual(
    browser.server.sockets.map(({ closeCode }) => closeCode),
    [1005, 1005],
  );
});

test('junk on the channel is ignored', async () => {
  const browser = new Browser();
  const tabs = await open(browser, 2);
  const { name } = [...browser.channels][0];
  const channel = new (browser.tab().scope.BroadcastChannel)(name);
  for (const junk of [null, 5, 'x', {}, { t: 'lead' }, { t: 'x', id: 'y' }, { id: 5, t: 'hi' }])
    channel.postMessage(junk);
  await browser.clock.advance(100);
  assertOne(browser, tabs);
});

test('watchers and visitors of one page elect apart', async () => {
  const browser = new Browser();
  const visitors = await open(browser, 2);
  const watchers = await open(browser, 2, { config: { watch: true } });
  theLeader(visitors);
  theLeader(watchers);
  assert.equal(browser.server.count, 1);
  for (const it of watchers) assert.equal(it.count, 1);
});

test('a follower that joins later has the metrics at once', async () => {
  const browser = new Browser();
  await open(browser, 1);
  const late = await startIn(browser.tab());
  assert.equal(late.count, 1);
  assert.equal(late.leads, false);
});

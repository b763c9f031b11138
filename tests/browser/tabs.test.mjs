// Many tabs of one browser against the real daemon: one leader, one socket, one person.
import assert from 'node:assert/strict';

import { defer, freshId, Socket, startDaemon, waitFor } from '../integration/harness.mjs';
import { inEngines } from './harness/engines.mjs';
import {
  openSockets,
  openTab,
  person,
  sampleCount,
  shown,
  status,
  waitLeader,
  waitShown,
  watch,
  watchCount,
} from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

inEngines(
  'tabs',
  async (declare, { engine, browser, shared }) => {
    const others = [];
    const test = (...words) => {
      const done = declare(...words);
      others.push(done);
      return done;
    };
    const site = await startSite(shared);
    const insecure = await startSite(shared, engine.insecureHost);
    const FAST = { foregroundHeartbeatInterval: 1000, backgroundHeartbeatInterval: 1000 };

    const begin = async (t, options) => {
      const daemon = await startDaemon(t, {
        'presence-ttl': 30,
        'disconnect-grace': 2000,
        ...options,
      });
      const someone = await person(t, browser);
      const customerId = freshId();
      return { daemon, someone, customerId, config: { customerId, ...FAST } };
    };

    for (const [name, where] of [
      ['https or localhost', site],
      ['plain http, where there are no locks', insecure],
    ]) {
      test(`12 tabs at once on ${name}: one leader, one socket, count 1, all show it`, async (t) => {
        const { daemon, someone, customerId, config } = await begin(t);
        const seen = await watchCount(t, Socket, daemon, customerId);
        const url = where.url('/', { daemon, config });
        const pages = await Promise.all(Array.from({ length: 12 }, () => openTab(t, someone, url)));
        assert.equal(await pages[0].evaluate(() => isSecureContext), where === site);
        await Promise.all(pages.map((page) => waitShown(page, 1)));
        await waitLeader(pages);
        assert.equal(await daemon.count(customerId), 1);
        assert.equal(await openSockets(daemon), 2, 'the leader and the watching test');
        assert.ok(Math.max(...seen.counts) <= 1, `never more than one: ${seen.counts}`);
        for (const page of pages) assert.equal((await status(page)).mode, 'websocket');
        const stored = await pages[3].evaluate(() => JSON.parse(localStorage['active-users']).id);
        assert.match(stored, /^\d+-\d+-\d+-\d+$/);
      });

      test(`the leader closes on ${name}: the next goes on, the person stays counted`, async (t) => {
        const { daemon, someone, customerId, config } = await begin(t);
        const url = where.url('/', { daemon, config });
        const pages = [];
        for (let i = 0; i < 3; i++) pages.push(await openTab(t, someone, url));
        const leader = await waitLeader(pages);
        await daemon.waitCount(customerId, 1);
        const seen = await watchCount(t, Socket, daemon, customerId);
        await leader.close();
        const left = pages.filter((page) => page !== leader);
        await waitLeader(left);
        await waitFor('the new socket', async () => (await openSockets(daemon)) === 2);
        assert.equal(await daemon.count(customerId), 1);
        assert.deepEqual(
          seen.counts.filter((count) => count !== 1),
          [],
        );
        // And the last one leaves.
        await left[0].close();
        await waitLeader([left[1]]);
        await left[1].close();
        await daemon.waitCount(customerId, 0);
      });
    }

    test('a duplicated tab: its own tab id, the same person', async (t) => {
      const { daemon, someone, customerId, config } = await begin(t);
      const page = await openTab(t, someone, site.url('/', { daemon, config }));
      await waitShown(page, 1);
      await page.evaluate(() => {
        const button = document.createElement('button');
        button.textContent = 'duplicate';
        button.onclick = () => window.open(location.href);
        document.body.append(button);
      });
      const copy = await someone.opened(() => page.click('button'));
      watch(t, copy);
      await waitShown(copy, 1);
      await waitLeader([page, copy]);
      assert.equal(await daemon.count(customerId), 1);
      assert.equal(await openSockets(daemon), 1);
    });

    test('two profiles are two people; one that closes is gone within a second', async (t) => {
      const { daemon, someone, customerId, config } = await begin(t);
      const url = site.url('/', { daemon, config });
      const one = await openTab(t, someone, url);
      const other = await person(t, browser);
      const two = await openTab(t, other, url);
      await Promise.all([waitShown(one, 2), waitShown(two, 2)]);
      assert.equal(await daemon.count(customerId), 2);
      await two.close();
      await waitShown(one, 1);
      assert.equal(await daemon.count(customerId), 1);
    });

    test('storage blocked: the tabs are one person all the same', async (t) => {
      const { daemon, someone, customerId, config } = await begin(t);
      const before = `Object.defineProperty(window, 'localStorage', {
      get() { throw new DOMException('denied', 'SecurityError'); },
    });`;
      const url = site.url('/', { daemon, config, before });
      const pages = [await openTab(t, someone, url), await openTab(t, someone, url)];
      await Promise.all(pages.map((page) => waitShown(page, 1)));
      assert.equal(await daemon.count(customerId), 1);
      const leader = await waitLeader(pages);
      await leader.close();
      await waitLeader(pages.filter((page) => page !== leader));
      assert.equal(await daemon.count(customerId), 1);
    });

    test('a frame without an origin: no storage, no locks, and still counted', async (t) => {
      const { daemon, someone, customerId, config } = await begin(t);
      const page = await openTab(t, someone, site.url('/sandbox', { daemon, config }));
      const frame = await page.frame();
      await waitFor('the count in the frame', async () => (await shown(frame)) === '1');
      assert.equal(await daemon.count(customerId), 1);
      assert.deepEqual(await frame.evaluate(() => window.failures), []);
    });

    /** A tab in front of the others of its window. */
    const openInFront = async (t, window, url) => {
      const tab = await window.open();
      watch(t, tab);
      await tab.goto(url);
      await waitFor('the client of the tab', () => tab.evaluate('!!window.client'));
      return tab;
    };
    const oneWindow = async (t) => {
      const window = await browser.window(t);
      defer(t, () => window.close());
      return window;
    };

    test(
      'hide the leader: a visible tab takes over, one socket, count 1',
      { needs: ['hide'] },
      async (t) => {
        const { daemon, customerId, config } = await begin(t);
        const url = site.url('/', { daemon, config });
        const window = await oneWindow(t);
        const one = await openInFront(t, window, url);
        await waitFor('one to lead', async () => (await status(one)).isLeader);
        const two = await openInFront(t, window, url);
        assert.equal(await one.evaluate('document.hidden'), true);
        await waitFor('two to lead', async () => (await status(two)).isLeader);
        assert.equal((await status(one)).isLeader, false);
        await one.show();
        await waitFor('one to lead again', async () => (await status(one)).isLeader);
        await waitFor('one socket', async () => (await openSockets(daemon)) === 1);
        assert.equal(await daemon.count(customerId), 1);
        await one.close();
        await two.close();
        await daemon.waitCount(customerId, 0);
      },
    );

    test(
      'freeze the leader: it hands over, and follows when it is active again',
      { needs: ['freeze'] },
      async (t) => {
        const { daemon, customerId, config } = await begin(t);
        const url = site.url('/', { daemon, config });
        const window = await oneWindow(t);
        const one = await openInFront(t, window, url);
        const two = await openInFront(t, window, url);
        await one.show();
        await waitFor('one to lead', async () => (await status(one)).isLeader);
        await daemon.waitCount(customerId, 1);
        const seen = await watchCount(t, Socket, daemon, customerId);
        await two.show(); // Chromium freezes hidden tabs only
        await one.freeze();
        await waitFor('two to lead', async () => (await status(two)).isLeader);
        await waitFor('its socket', async () => (await openSockets(daemon)) === 2);
        await one.resume();
        await waitFor('one to follow', async () => (await status(one)).mode === 'websocket');
        assert.equal((await status(one)).isLeader, false);
        assert.equal(await daemon.count(customerId), 1);
        assert.deepEqual(
          seen.counts.filter((count) => count !== 1),
          [],
        );
        await one.close();
        await two.close();
      },
    );

    // Pages of one site share a few processes, and one that hangs stops those it shares its process
    // with: these come when the pages of the others are gone.
    await Promise.all(others);

    await test(
      'a leader whose page hangs is replaced',
      { needs: ['hang'] },
      async (t) => {
        const { daemon, someone, customerId, config } = await begin(t);
        const url = site.url('/', { daemon, config });
        const pages = [await openTab(t, someone, url)];
        const leader = await waitLeader(pages);
        const follower = await openTab(t, someone, url);
        await waitShown(follower, 1);
        const wake = await site.hang(leader);
        await waitFor('the follower to lead', async () => (await status(follower)).isLeader);
        wake();
        await waitLeader([leader, follower]);
        assert.equal((await status(leader)).isLeader, false, 'it steps down when it wakes');
        await waitFor('one socket', async () => (await openSockets(daemon)) === 1);
        assert.equal(await daemon.count(customerId), 1);
      },
    );

    await test(
      'a leader that hangs and wakes: counted all the time, though beats are three graces apart',
      { needs: ['hang'] },
      async (t) => {
        const beat = 6000;
        const { daemon, someone, customerId } = await begin(t, { 'disconnect-grace': beat / 3 });
        const config = {
          customerId,
          foregroundHeartbeatInterval: beat,
          backgroundHeartbeatInterval: beat,
        };
        const url = site.url('/', { daemon, config });
        const leader = await openTab(t, someone, url);
        await waitShown(leader, 1);
        const follower = await openTab(t, someone, url);
        await waitShown(follower, 1);
        const seen = sampleCount(t, daemon, customerId);
        const wake = await site.hang(leader);
        await waitFor('the follower to lead', async () => (await status(follower)).isLeader);
        wake(); // its own beat is long overdue
        await waitFor('the old leader to follow', async () => !(await status(leader)).isLeader);
        // Whatever the old one did, the session would be over by now if the new one did not know.
        const woken = Date.now();
        await waitFor('the grace to be over', () => Date.now() - woken > beat / 3 + 500);
        assert.deepEqual(await seen.stop(), [1]);
        assert.equal(await openSockets(daemon), 1);
      },
    );
  },
  { concurrency: 2 },
);

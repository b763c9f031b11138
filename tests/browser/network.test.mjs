// What the network and the daemon do to a page: away, back, half there.
import assert from 'node:assert/strict';

import { freePort, freshId, Socket, startDaemon, suite, waitFor } from '../integration/harness.mjs';
import {
  launch,
  openSockets,
  openTab,
  person,
  sampleCount,
  status,
  waitMode,
  waitShown,
  watchCount,
} from './harness/chromium.mjs';
import { startSite } from './harness/site.mjs';

suite(
  'network in Chromium',
  async (test, shared) => {
    const browser = await launch(shared);
    const site = await startSite(shared);

    const begin = async (t, options, config = {}) => {
      const daemon = await startDaemon(t, { 'presence-ttl': 30, ...options });
      const context = await person(t, browser);
      const customerId = freshId();
      return {
        daemon,
        context,
        customerId,
        url: site.url('/', { daemon, config: { customerId, ...config } }),
      };
    };

    test('back/forward cache: kept, counted out, and counted again when it is back', async (t) => {
      const { daemon, context, customerId, url } = await begin(t, { 'disconnect-grace': 300 });
      const page = await openTab(t, context, url);
      await waitShown(page, 1);
      await page.goto(site.url('/plain', { daemon }));
      await daemon.waitCount(customerId, 0);
      assert.equal(await openSockets(daemon), 0);
      await page.goBack({ waitUntil: 'commit' });
      await waitFor('the kept page', () => page.evaluate(() => shows.includes(true)));
      await waitMode(page, 'websocket');
      assert.equal(await daemon.count(customerId), 1);
    });

    test('reload 20 times: never more than one, and one in the end', async (t) => {
      const { daemon, context, customerId, url } = await begin(t);
      const page = await openTab(t, context, url);
      await waitShown(page, 1);
      const seen = await watchCount(t, Socket, daemon, customerId);
      for (let i = 0; i < 20; i++) {
        await page.reload();
        await waitShown(page, 1);
        assert.equal(await daemon.count(customerId), 1, `after ${i + 1} reloads`);
      }
      assert.ok(Math.max(1, ...seen.counts) === 1, `${seen.counts}`);
    });

    test('the page reloads itself and goes on to another, 20 times: one all the time', async (t) => {
      const { daemon, context, customerId, url } = await begin(t);
      const page = await openTab(t, context, url);
      await waitShown(page, 1);
      const seen = sampleCount(t, daemon, customerId);
      for (let i = 0; i < 20; i++) {
        const loaded = page.waitForEvent('load');
        await page.evaluate(
          (next) => {
            if (next) location.href = next;
            else location.reload();
          },
          i % 2 ? `${url}&page=${i}` : '',
        );
        await loaded;
        await waitShown(page, 1);
      }
      assert.deepEqual(await seen.stop(), [1]);
      await page.close({ runBeforeUnload: true });
      await daemon.waitCount(customerId, 0); // long before the grace of 10 s is over
    });

    test('offline and online', async (t) => {
      const { daemon, context, customerId, url } = await begin(t, { 'disconnect-grace': 300 });
      const page = await openTab(t, context, url);
      await waitMode(page, 'websocket');
      await context.setOffline(true);
      await waitMode(page, 'offline');
      await daemon.waitCount(customerId, 0);
      await context.setOffline(false);
      await waitMode(page, 'websocket');
      assert.equal(await daemon.count(customerId), 1);
    });

    test('no WebSocket: polling takes over, and the count is right for two people', async (t) => {
      const { daemon, context, customerId, url } = await begin(
        t,
        { 'enable-websocket': false },
        { pollingInterval: 500 },
      );
      const one = await openTab(t, context, url);
      await waitMode(one, 'polling');
      await waitShown(one, 1);
      const other = await person(t, browser);
      const two = await openTab(t, other, url);
      await Promise.all([waitShown(one, 2), waitShown(two, 2)]);
      assert.equal(await daemon.count(customerId), 2);
      await two.close({ runBeforeUnload: true });
      await waitShown(one, 1);
      assert.equal(await daemon.count(customerId), 1);
    });

    test('a page whose policy forbids sockets polls, and never breaks', async (t) => {
      const { daemon, context, customerId } = await begin(t);
      const api = `http://127.0.0.1:${daemon.httpPort}`;
      const page = await openTab(
        t,
        context,
        site.url('/', {
          daemon,
          config: {
            customerId,
            pollingInterval: 500,
            websocketUrl: `ws://127.0.0.1:${daemon.wsPort}/ws/active-users`,
          },
          csp: `script-src 'unsafe-inline' ${api}; connect-src ${api}`,
        }),
      );
      await waitMode(page, 'polling');
      assert.equal(await daemon.count(customerId), 1);
    });

    test('the daemon restarts: everybody is back, and counted once', async (t) => {
      const port = await freePort();
      const first = await startDaemon(t, { 'http-port': port });
      const customerId = freshId();
      const url = site.url('/', { daemon: first, config: { customerId } });
      const pages = [];
      for (let i = 0; i < 2; i++) pages.push(await openTab(t, await person(t, browser), url));
      await Promise.all(pages.map((page) => waitShown(page, 2)));
      await first.stop();
      await Promise.all(pages.map((page) => waitMode(page, 'offline')));
      const second = await startDaemon(t, { 'http-port': port });
      await Promise.all(pages.map((page) => waitMode(page, 'websocket')));
      await second.waitCount(customerId, 2);
      await Promise.all(pages.map((page) => waitShown(page, 2)));
    });

    test('nothing listens: init() resolves, onError tells, the page goes on, and it connects later', async (t) => {
      const port = await freePort();
      const nobody = { httpPort: port };
      const helper = await startDaemon(t); // serves the script only
      const customerId = freshId();
      const context = await person(t, browser);
      const sdk = `http://127.0.0.1:${helper.httpPort}`;
      const page = await openTab(
        t,
        context,
        site.url('/', { daemon: nobody, config: { customerId }, sdk }),
      );
      await waitFor('init()', () => page.evaluate(() => window.inited === true));
      assert.equal((await status(page)).mode, 'offline');
      assert.equal(await page.evaluate(() => lastError.code), 'network');
      const daemon = await startDaemon(t, { 'http-port': port });
      await waitMode(page, 'websocket');
      assert.equal(await daemon.count(customerId), 1);
    });

    test('429: Retry-After is readable from another origin and respected', async (t) => {
      const { context, url } = await begin(
        t,
        { 'rate-ip': 1, 'enable-websocket': false },
        { enableWebSocket: false },
      );
      const page = await openTab(t, context, url); // its beat uses the one request up
      await waitMode(page, 'polling');
      const second = await openTab(t, await person(t, browser), url);
      await waitFor('the error', () => second.evaluate(() => window.lastError?.status === 429));
      assert.ok((await second.evaluate(() => lastError.retryAfterMs)) >= 1000);
    });

    test('a daemon that is full says so: its words and its close code are told, and it is asked later', async (t) => {
      const { daemon, context, customerId, url } = await begin(t, { 'max-sessions': 1 });
      const first = await openTab(t, context, url);
      await waitShown(first, 1);
      const second = await openTab(t, await person(t, browser), url);
      await waitFor('the error', () => second.evaluate(() => window.lastError?.code === 'server'));
      const { message, closeCode } = await second.evaluate(() => lastError);
      assert.equal(closeCode, 1013);
      assert.ok(message.length > 0 && message !== 'undefined', message);
      assert.equal((await status(second)).mode, 'offline');
      assert.equal(await daemon.count(customerId), 1);
    });

    test('wrong options: init() rejects with what to fix', async (t) => {
      const { daemon, context } = await begin(t);
      for (const [config, message] of [
        [{}, /customerId must be/],
        [{ customerId: 'a', apiUrl: 'nowhere' }, /apiUrl must be a URL/],
      ]) {
        const page = await openTab(t, context, site.url('/', { daemon, config }));
        const said = await waitFor('the rejection', () => page.evaluate(() => window.initError));
        assert.match(said, message);
      }
    });
  },
  { concurrency: 1 },
);

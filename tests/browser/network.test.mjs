// What the network and the daemon do to a page: away, back, half there.
import assert from 'node:assert/strict';

import { freePort, freshId, Socket, startDaemon, waitFor } from '../integration/harness.mjs';
import { inEngines } from './harness/engines.mjs';
import { startLine } from './harness/line.mjs';
import {
  moves,
  openSockets,
  openTab,
  person,
  sampleCount,
  status,
  waitMode,
  waitShown,
  watchCount,
} from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

inEngines('network', async (test, { browser, shared }) => {
  const site = await startSite(shared);

  const begin = async (t, options, config = {}) => {
    const daemon = await startDaemon(t, { 'presence-ttl': 30, ...options });
    const someone = await person(t, browser);
    const customerId = freshId();
    return {
      daemon,
      someone,
      customerId,
      url: site.url('/', { daemon, config: { customerId, ...config } }),
    };
  };

  test(
    'back/forward cache: kept, counted out, and counted again when it is back',
    { needs: ['bfcache'] },
    async (t) => {
      const { daemon, someone, customerId, url } = await begin(t, { 'disconnect-grace': 300 });
      const page = await openTab(t, someone, url);
      await waitShown(page, 1);
      await page.goto(site.url('/plain', { daemon }));
      await daemon.waitCount(customerId, 0);
      assert.equal(await openSockets(daemon), 0);
      await page.back();
      await waitFor('the kept page', () => page.evaluate(() => shows.includes(true)));
      await waitMode(page, 'websocket');
      assert.equal(await daemon.count(customerId), 1);
    },
  );

  test('reload 10 times: never more than one, and one in the end', async (t) => {
    const { daemon, someone, customerId, url } = await begin(t);
    const page = await openTab(t, someone, url);
    await waitShown(page, 1);
    const seen = await watchCount(t, Socket, daemon, customerId);
    for (let i = 0; i < 10; i++) {
      await page.reload();
      await waitShown(page, 1);
      assert.equal(await daemon.count(customerId), 1, `after ${i + 1} reloads`);
    }
    assert.ok(Math.max(1, ...seen.counts) === 1, `${seen.counts}`);
  });

  test('the page reloads itself and goes on to another, 10 times: one all the time', async (t) => {
    const { daemon, someone, customerId, url } = await begin(t);
    const page = await openTab(t, someone, url);
    await waitShown(page, 1);
    const seen = sampleCount(t, daemon, customerId);
    for (let i = 0; i < 10; i++) {
      const next = i % 2 ? `${url}&page=${i}` : '';
      await moves(page, () =>
        page.evaluate((next) => {
          if (next) location.href = next;
          else location.reload();
        }, next),
      );
      await waitShown(page, 1);
    }
    assert.deepEqual(await seen.stop(), [1]);
    await page.close();
    await daemon.waitCount(customerId, 0); // long before the grace of 10 s is over
  });

  test('the network goes and comes back', async (t) => {
    const { daemon, someone, customerId } = await begin(t, { 'disconnect-grace': 300 });
    const line = await startLine(t, daemon.httpPort);
    const config = { customerId };
    const page = await openTab(t, someone, site.url('/', { daemon: line, config }));
    await waitMode(page, 'websocket');
    line.cut();
    await page.evaluate(() => void dispatchEvent(new Event('offline')));
    await waitMode(page, 'offline');
    await daemon.waitCount(customerId, 0);
    line.restore();
    await page.evaluate(() => void dispatchEvent(new Event('online')));
    await waitMode(page, 'websocket');
    assert.equal(await daemon.count(customerId), 1);
  });

  test('no WebSocket: polling takes over, and the count is right for two people', async (t) => {
    const { daemon, someone, customerId, url } = await begin(
      t,
      { 'enable-websocket': false, 'presence-ttl': 5 }, // of the one who goes, if its leave is lost
      { pollingInterval: 500 },
    );
    const one = await openTab(t, someone, url);
    await waitMode(one, 'polling');
    await waitShown(one, 1);
    const other = await person(t, browser);
    const two = await openTab(t, other, url);
    await Promise.all([waitShown(one, 2), waitShown(two, 2)]);
    assert.equal(await daemon.count(customerId), 2);
    await two.close();
    await waitShown(one, 1);
    assert.equal(await daemon.count(customerId), 1);
  });

  test('no WebSocket: the script has a stream, and sees changes between its beats', async (t) => {
    const { daemon, someone, customerId, url } = await begin(t, { 'enable-websocket': false });
    const script = url.replace('/?', '/stream?');
    const page = await openTab(t, someone, script);
    await waitMode(page, 'sse'); // beats come every 30 s: what is seen now comes by the stream
    await waitShown(page, 1);
    assert.equal((await daemon.samples()).get('au_streams'), 1);
    const other = { customerId, sessionId: freshId('session'), tabId: 'other' };
    await daemon.must('join', other);
    await waitShown(page, 2);
    await daemon.must('leave', other);
    await waitShown(page, 1);
    await page.evaluate(() => client.destroy());
    await waitFor('its end', async () => (await daemon.samples()).get('au_streams') === 0);
  });

  test('a daemon that restarts has its streams again', async (t) => {
    const port = await freePort();
    const options = { 'http-port': port, 'enable-websocket': false };
    const daemon = await startDaemon(t, options);
    const customerId = freshId();
    const page = await openTab(
      t,
      await person(t, browser),
      site.url('/stream', {
        daemon,
        config: { customerId, pollingInterval: 500, foregroundHeartbeatInterval: 500 },
      }),
    );
    await waitMode(page, 'sse');
    await daemon.stop();
    await waitMode(page, 'offline');
    const next = await startDaemon(t, options);
    await waitMode(page, 'sse');
    await next.waitCount(customerId, 1);
  });

  test('a page whose policy forbids sockets polls, and never breaks', async (t) => {
    const { daemon, someone, customerId } = await begin(t);
    const api = `http://127.0.0.1:${daemon.httpPort}`;
    const page = await openTab(
      t,
      someone,
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
    const someone = await person(t, browser);
    const sdk = `http://127.0.0.1:${helper.httpPort}`;
    const page = await openTab(
      t,
      someone,
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
    const { someone, url } = await begin(
      t,
      { 'max-sessions-ip': 1, 'enable-websocket': false },
      { enableWebSocket: false },
    );
    const page = await openTab(t, someone, url); // its session is the one that the address may have
    await waitMode(page, 'polling');
    const second = await openTab(t, await person(t, browser), url);
    await waitFor('the error', () => second.evaluate(() => window.lastError?.status === 429));
    assert.ok((await second.evaluate(() => lastError.retryAfterMs)) >= 1000);
  });

  test('a daemon that is full says so: its words are told, and it is asked later', async (t) => {
    const { daemon, someone, customerId, url } = await begin(t, { 'max-sessions': 1 });
    const first = await openTab(t, someone, url);
    await waitShown(first, 1);
    const second = await openTab(t, await person(t, browser), url);
    await waitFor('the error', () => second.evaluate(() => window.lastError?.code === 'server'));
    const { message } = await second.evaluate(() => lastError);
    assert.ok(message.length > 0 && message !== 'undefined', message);
    assert.equal((await status(second)).mode, 'offline');
    assert.equal(await daemon.count(customerId), 1);
  });

  test(
    'a daemon that is full closes with 1013, and that is told',
    { needs: ['close 1013'] },
    async (t) => {
      const { someone, url } = await begin(t, { 'max-sessions': 1 });
      await waitShown(await openTab(t, someone, url), 1);
      const second = await openTab(t, await person(t, browser), url);
      await waitFor('the code', () => second.evaluate(() => window.lastError?.closeCode === 1013));
    },
  );

  test('wrong options: init() rejects with what to fix', async (t) => {
    const { daemon, someone } = await begin(t);
    for (const [config, message] of [
      [{}, /customerId must be/],
      [{ customerId: 'a', apiUrl: 'nowhere' }, /apiUrl must be a URL/],
    ]) {
      const page = await openTab(t, someone, site.url('/', { daemon, config }));
      const said = await waitFor('the rejection', () => page.evaluate(() => window.initError));
      assert.match(said, message);
    }
  });
});

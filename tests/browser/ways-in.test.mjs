// The ways to put the SDK on a page: the reference's snippet, the script tag, the element, the demo.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freshId, startDaemon, suite, waitFor, within } from '../integration/harness.mjs';
import { launch, openTab, person, waitShown, watch } from './harness/chromium.mjs';
import { startSite } from './harness/site.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

suite(
  'ways in, in Chromium',
  async (test, shared) => {
    const browser = await launch(shared);
    const site = await startSite(shared);
    const daemon = await startDaemon(shared, { 'presence-ttl': 30 });
    const api = `http://127.0.0.1:${daemon.httpPort}`;

    test("the reference's snippet runs as it is written, from /client.mjs", async (t) => {
      // Only the two ports are this test's; an import map gives the module its name.
      const snippet = (await readFile(path.join(here, 'reference-snippet.mjs'), 'utf8'))
        .replace('localhost:3001', `127.0.0.1:${daemon.httpPort}`)
        .replace('localhost:3003', `127.0.0.1:${daemon.wsPort}`);
      const map = { imports: { './modules/active_users/client': `${api}/client.mjs` } };
      const context = await person(t, browser);
      const said = [];
      context.on('console', (message) => said.push(message.text()));
      const page = await openTab(
        t,
        context,
        site.url('/markup', {
          daemon,
          markup: `<span id="active-count"></span>
            <script type="importmap">${JSON.stringify(map)}</script>
            <script type="module">${snippet}</script>`,
        }),
      );
      await waitFor('the count', async () => (await page.textContent('#active-count')) === '1');
      assert.equal(await daemon.count('shop123'), 1);
      for (const line of ['Active users: 1', 'Connection mode: websocket', 'Is leader: true'])
        assert.ok(said.includes(line), `${line} is not in ${JSON.stringify(said)}`);
    });

    test('a script tag alone counts, and fills its target', async (t) => {
      const customerId = freshId();
      const page = await openTab(
        t,
        await person(t, browser),
        site.url('/script', { daemon, config: { customerId } }),
      );
      await waitShown(page, 1);
      assert.equal(await daemon.count(customerId), 1);
      assert.equal(
        await page.evaluate(() => ActiveUsers.client.getConnectionStatus().isLeader),
        true,
      );
      await page.evaluate(() => ActiveUsers.client.destroy());
      await daemon.waitCount(customerId, 0);
    });

    test('a storage that is not local, be it by mistake, stores nothing', async (t) => {
      const customerId = freshId();
      const page = await openTab(
        t,
        await person(t, browser),
        site.url('/markup', {
          daemon,
          markup: `<script src="${api}/client.js" data-customer="${customerId}" data-target="#out"
              data-storage="nonee"></script>
            <active-users customer="${customerId}" storage="none"></active-users>`,
        }),
      );
      await waitShown(page, 1);
      await page.locator('active-users [part~=count]').waitFor();
      assert.equal(await page.evaluate(() => localStorage.length), 0);
      assert.equal(await daemon.count(customerId), 1);
    });

    test('the element: its text until connected, then the number; announced politely; gone when removed', async (t) => {
      const customerId = freshId();
      const context = await person(t, browser);
      await context.clock.install();
      let go;
      const gate = new Promise((resolve) => (go = resolve));
      await context.routeWebSocket(/ws\/active-users/, async (route) => {
        await gate;
        route.connectToServer();
      });
      const page = await openTab(
        t,
        context,
        site.url('/element', { daemon, config: { customerId } }),
      );
      const text = () =>
        page.evaluate(() => {
          const slot = document.querySelector('active-users').shadowRoot.querySelector('slot');
          return slot ? slot.assignedNodes()[0].textContent : null;
        });
      assert.equal(await text(), 'counting…');
      go();
      const inside = page.locator('active-users [part~=text]');
      await waitFor('the number', async () => (await inside.textContent()) === '1 person here');
      // What a screen reader has: the words at once, and then not each second.
      const spoken = page.locator('active-users [role=status]');
      assert.equal(await spoken.textContent(), '1 person here');
      const base = page.locator('active-users [part~=base]');
      assert.equal(await base.getAttribute('aria-hidden'), 'true');
      assert.equal(await daemon.count(customerId), 1);

      const other = await openTab(
        t,
        await person(t, browser),
        site.url('/element', { daemon, config: { customerId } }),
      );
      await waitFor('two', async () => (await inside.textContent()) === '2 people here');
      assert.equal(await spoken.textContent(), '1 person here');
      await page.clock.fastForward(31_000);
      await waitFor('the news', async () => (await spoken.textContent()) === '2 people here');
      await page.evaluate(() => {
        const element = document.querySelector('active-users');
        element.setAttribute('label', 'Leute hier');
        // A second element of the same customer is the same client.
        document.body.append(element.cloneNode());
      });
      await waitFor(
        'the words',
        async () =>
          (await page.locator('active-users').nth(1).locator('[part~=count]').textContent()) ===
          '2',
      );
      assert.equal(await inside.first().textContent(), '2 Leute hier');
      assert.equal(await daemon.count(customerId), 2);
      await page.evaluate(() =>
        document.querySelectorAll('active-users').forEach((it) => it.remove()),
      );
      await daemon.waitCount(customerId, 1);
      await other.close({ runBeforeUnload: true });
    });

    test('the element can be styled by its parts, and needs nothing from the page’s policy but the daemon', async (t) => {
      const customerId = freshId();
      const page = await openTab(
        t,
        await person(t, browser),
        site.url('/markup', {
          daemon,
          csp: `default-src 'none'; script-src ${api} 'unsafe-inline'; connect-src ${api} ws://127.0.0.1:${daemon.httpPort}; style-src 'unsafe-inline'`,
          markup: `<style>active-users::part(count) { color: rgb(1, 2, 3); }</style>
            <script src="${api}/client.js"></script><active-users customer="${customerId}"></active-users>`,
        }),
      );
      const count = page.locator('active-users [part~=count]');
      await count.waitFor();
      assert.equal(await count.evaluate((it) => getComputedStyle(it).color), 'rgb(1, 2, 3)');
      assert.equal(
        await page
          .locator('active-users [part~=base]')
          .evaluate((it) => getComputedStyle(it).display),
        'inline-flex',
      );
    });

    test('a script without a source names no daemon: said on the console, nothing breaks', async (t) => {
      const context = await person(t, browser);
      const said = [];
      context.on('console', (message) => said.push(message.text()));
      const script = (
        await readFile(path.join(here, '../../build/client/client.js'), 'utf8')
      ).trim();
      const page = await context.newPage();
      watch(t, page);
      await page.setContent(`<p>a page</p><script data-customer="a">${script}</script>`);
      await waitFor('the message', () => said.some((line) => /apiUrl must be/.test(line)));
      assert.equal(await page.evaluate(() => typeof ActiveUsers.ActiveUsersClient), 'function');
    });

    test('an element with an empty customer says so on the console and keeps its text', async (t) => {
      const context = await person(t, browser);
      const said = [];
      context.on('console', (message) => said.push(message.text()));
      const page = await openTab(
        t,
        context,
        site.url('/markup', {
          daemon,
          markup: `<script src="${api}/client.js"></script><active-users customer="">nobody</active-users>`,
        }),
      );
      await waitFor('the message', () => said.some((line) => /customerId must be/.test(line)));
      const showsText = () =>
        page.evaluate(
          () => document.querySelector('active-users').shadowRoot.querySelector('slot') !== null,
        );
      const setCustomer = (id) =>
        page.evaluate(
          (id) => document.querySelector('active-users').setAttribute('customer', id),
          id,
        );
      assert.equal(await showsText(), true);
      await setCustomer(freshId());
      await waitFor('a number', async () => !(await showsText()));
      await setCustomer('');
      assert.equal(await showsText(), true, "another customer's number does not stay");
    });

    test('the demo page in two contexts: 2 within a second, and 1 within a second of closing one', async (t) => {
      const customerId = freshId('demo');
      const url = `${api}/?customer=${customerId}`;
      const violations = [];
      const open = async () => {
        const context = await person(t, browser);
        context.on('console', (message) => {
          if (/Content Security Policy|error/i.test(message.text()))
            violations.push(message.text());
        });
        const page = await openTab(t, context, url);
        return page;
      };
      const text = (page) => page.textContent('#count');
      const one = await open();
      await waitFor('1', async () => (await text(one)) === '1');
      const two = await open();
      const since = Date.now();
      await within(
        '2 on both pages',
        Promise.all([one, two].map((page) => waitFor('2', async () => (await text(page)) === '2'))),
      );
      const up = Date.now() - since;
      // The daemon tells a customer's changes at most once a second; this one is to stand alone.
      await waitFor('a second without a change', () => Date.now() - since > up + 1000);
      const gone = Date.now();
      await two.close({ runBeforeUnload: true });
      await waitFor('1 again', async () => (await text(one)) === '1');
      const down = Date.now() - gone;
      assert.equal(await daemon.count(customerId), 1);
      assert.ok(up < 1000 && down < 1000, `up ${up} ms, down ${down} ms`);
      t.diagnostic(`2 after ${up} ms, 1 after ${down} ms`);
      assert.deepEqual(violations, []);
    });
  },
  { concurrency: 1 },
);

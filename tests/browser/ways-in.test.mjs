// The ways to put the SDK on a page: the reference's snippet, the script tag, the element, the demo.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freshId, startDaemon, waitFor, within } from '../integration/harness.mjs';
import { inEngines } from './harness/engines.mjs';
import { startLine } from './harness/line.mjs';
import { openTab, person, textOf, waitShown } from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** What is due in exactly 30 s is due when `ring()` is called. */
const BELL = `
  const due = new Map();
  const { setTimeout: set, clearTimeout: clear } = window;
  window.setTimeout = (fn, ms, ...args) => {
    if (ms !== 30_000) return set(fn, ms, ...args);
    const id = set(() => {}, 0);
    due.set(id, () => fn(...args));
    return id;
  };
  window.clearTimeout = (id) => (due.delete(id), clear(id));
  window.ring = () => {
    const ready = [...due.values()];
    due.clear();
    for (const fn of ready) fn();
  };`;

/** What a part of an element says; `spoken` is what screen readers have. */
const inside = (page, part, nth = 0) =>
  page.evaluate(
    (part, nth) => {
      const root = document.querySelectorAll('active-users')[nth].shadowRoot;
      return root.querySelector(part === 'spoken' ? '[role=status]' : `[part~=${part}]`)
        .textContent;
    },
    part,
    nth,
  );

const hiddenFromReaders = (page) =>
  page.evaluate(() =>
    document
      .querySelector('active-users')
      .shadowRoot.querySelector('[part~=base]')
      .getAttribute('aria-hidden'),
  );

const waitSaid = (page, words) =>
  waitFor(`${words} on the console`, async () =>
    (await page.evaluate('said')).some((line) => words.test(line)),
  );

inEngines('ways in', async (test, { browser, shared }) => {
  const site = await startSite(shared);
  const daemon = await startDaemon(shared, { 'presence-ttl': 30 });
  const api = `http://127.0.0.1:${daemon.httpPort}`;

  test("the reference's snippet runs as it is written, from /client.mjs", async (t) => {
    // Only the two ports are this test's; an import map gives the module its name.
    const snippet = (await readFile(path.join(here, 'reference-snippet.mjs'), 'utf8'))
      .replace('localhost:3001', `127.0.0.1:${daemon.httpPort}`)
      .replace('localhost:3003', `127.0.0.1:${daemon.wsPort}`);
    const map = { imports: { './modules/active_users/client': `${api}/client.mjs` } };
    const someone = await person(t, browser);
    const page = await openTab(
      t,
      someone,
      site.url('/markup', {
        daemon,
        markup: `<span id="active-count"></span>
          <script type="importmap">${JSON.stringify(map)}</script>
          <script type="module">${snippet}</script>`,
      }),
    );
    await waitFor('the count', async () => (await textOf(page, '#active-count')) === '1');
    assert.equal(await daemon.count('shop123'), 1);
    const said = await page.evaluate('said');
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
    await waitFor('the number', async () => (await inside(page, 'count')) === '1');
    assert.equal(await page.evaluate(() => localStorage.length), 0);
    assert.equal(await daemon.count(customerId), 1);
  });

  test('the element: its text until connected, then the number; announced politely; gone when removed', async (t) => {
    const customerId = freshId();
    const someone = await person(t, browser);
    const line = await startLine(t, daemon.httpPort);
    line.hold();
    const config = { customerId };
    const url = site.url('/markup', {
      daemon,
      before: BELL,
      markup: `<script src="${api}/client.js"></script>
        <active-users customer="${customerId}" api-url="http://127.0.0.1:${line.httpPort}">counting…</active-users>`,
    });
    const page = await openTab(t, someone, url);
    const text = () =>
      page.evaluate(() => {
        const slot = document.querySelector('active-users').shadowRoot.querySelector('slot');
        return slot ? slot.assignedNodes()[0].textContent : null;
      });
    assert.equal(await text(), 'counting…');
    line.restore();
    await waitFor('the number', async () => (await inside(page, 'text')) === '1 person here');
    // What a screen reader has: the words at once, and then not each second.
    const spoken = () => inside(page, 'spoken');
    assert.equal(await spoken(), '1 person here');
    assert.equal(await hiddenFromReaders(page), 'true');
    assert.equal(await daemon.count(customerId), 1);

    const other = await openTab(
      t,
      await person(t, browser),
      site.url('/element', { daemon, config }),
    );
    await waitFor('two', async () => (await inside(page, 'text')) === '2 people here');
    assert.equal(await spoken(), '1 person here');
    await page.evaluate('ring()');
    await waitFor('the news', async () => (await spoken()) === '2 people here');
    await page.evaluate(() => {
      const element = document.querySelector('active-users');
      element.setAttribute('label', 'Leute hier');
      // A second element of the same customer is the same client.
      document.body.append(element.cloneNode());
    });
    await waitFor('the words', async () => (await inside(page, 'count', 1)) === '2');
    assert.equal(await inside(page, 'text'), '2 Leute hier');
    assert.equal(await daemon.count(customerId), 2);
    await page.evaluate(() =>
      document.querySelectorAll('active-users').forEach((it) => it.remove()),
    );
    await daemon.waitCount(customerId, 1);
    await other.close();
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
    const style = (part, property) =>
      page.evaluate(
        (part, property) => {
          const root = document.querySelector('active-users').shadowRoot;
          return getComputedStyle(root.querySelector(`[part~=${part}]`))[property];
        },
        part,
        property,
      );
    await waitFor('the number', async () => (await inside(page, 'count')) === '1');
    assert.equal(await style('count', 'color'), 'rgb(1, 2, 3)');
    assert.equal(await style('base', 'display'), 'inline-flex');
  });

  test('a script without a source names no daemon: said on the console, nothing breaks', async (t) => {
    const page = await openTab(t, await person(t, browser), site.url('/inlined', { daemon }));
    await waitSaid(page, /apiUrl must be/);
    assert.equal(await page.evaluate(() => typeof ActiveUsers.ActiveUsersClient), 'function');
  });

  test('an element with an empty customer says so on the console and keeps its text', async (t) => {
    const someone = await person(t, browser);
    const page = await openTab(
      t,
      someone,
      site.url('/markup', {
        daemon,
        markup: `<script src="${api}/client.js"></script><active-users customer="">nobody</active-users>`,
      }),
    );
    await waitSaid(page, /customerId must be/);
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

  test('the demo page in two profiles: 2, and 1 again when one closes', async (t) => {
    const customerId = freshId('demo');
    const url = `${api}/?customer=${customerId}`;
    const open = async () => openTab(t, await person(t, browser), url);
    const text = (page) => textOf(page, '#count');
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
    await two.close();
    await waitFor('1 again', async () => (await text(one)) === '1');
    const down = Date.now() - gone;
    assert.equal(await daemon.count(customerId), 1);
    t.diagnostic(`2 after ${up} ms, 1 after ${down} ms`);
  });

  test('the demo page breaks no policy of its own', { needs: ['console'] }, async (t) => {
    const url = `${api}/?customer=${freshId('demo')}`;
    const page = await openTab(t, await person(t, browser), url);
    await waitFor('1', async () => (await textOf(page, '#count')) === '1');
    const wrong = page.messages.filter((it) => /Content Security Policy|error/i.test(it));
    assert.deepEqual(wrong, []);
  });
});

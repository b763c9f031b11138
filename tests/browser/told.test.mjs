// The script tag and the element where something is missing, late, moved or elsewhere.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freshId, startDaemon, waitFor } from '../integration/harness.mjs';
import { inEngines } from './harness/engines.mjs';
import { openSockets, openTab, person, textOf } from './harness/pages.mjs';
import { startProxy } from './harness/proxy.mjs';
import { kept } from './harness/site.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const SCRIPT = path.join(here, '../../build/client/client.js');

const isVisible = (page, selector) =>
  page.evaluate((it) => document.querySelector(it).getClientRects().length > 0, selector);

/** Waits for what the first element of ours has inside. */
const waitPart = (page, part) =>
  waitFor(`the part ${part}`, () =>
    page.evaluate((part) => {
      const root = document.querySelector('active-users').shadowRoot;
      return root?.querySelector(`[part~=${part}]`) != null;
    }, part),
  );

inEngines('told, not silent', async (test, { browser, shared }) => {
  const daemon = await startDaemon(shared, { 'presence-ttl': 30 });
  const api = `http://127.0.0.1:${daemon.httpPort}`;
  const script = (await readFile(SCRIPT, 'utf8')).trim();

  /** A page of a person of its own at that address, and what it says on the console. */
  const openAt = async (t, url) => {
    const page = await openTab(t, await person(t, browser), url);
    const said = () => page.evaluate('window.said ?? []');
    const hear = (pattern) =>
      waitFor(`the console to say ${pattern}`, async () =>
        (await said()).some((line) => pattern.test(line)),
      );
    const waitText = (selector, wanted) =>
      waitFor(`${selector} to be ${wanted}`, async () => (await textOf(page, selector)) === wanted);
    return { page, said, hear, waitText };
  };
  const open = async (t, markup) =>
    openAt(t, (await startProxy(t, daemon, '/presence', { '/': kept(markup) })) + '/');

  test('under a path of the shop’s own host: script, element and module talk to that path', async (t) => {
    const own = await startDaemon(t, { 'presence-ttl': 30 });
    const customerId = freshId();
    const origin = await startProxy(t, own, '/presence', {
      '/': kept(`<span id=n></span><active-users customer="${customerId}"></active-users>
        <script src="/presence/client.js" data-customer="${customerId}" data-target="#n"></script>`),
    });
    const { page, waitText } = await openAt(t, origin + '/');
    await waitText('#n', '1');
    assert.equal(
      await page.evaluate(() => ActiveUsers.client.getConnectionStatus().mode),
      'websocket',
    );
    await waitPart(page, 'count');
    assert.equal(await own.count(customerId), 1);
    assert.equal(await openSockets(own), 1, 'the tag and the element share a socket');
    const demo = await openAt(t, `${origin}/presence/?customer=${customerId}`);
    await demo.waitText('#count', '2');
  });

  test('plural, and a wrapper that the first number reveals', async (t) => {
    const customerId = freshId();
    const markup = (lang, more) => `<div lang="${lang}"><p id=w hidden><b id=n></b></p></div>
      <script src="${api}/client.js" data-customer="${customerId}" data-target="#n" data-show="#w" ${more}></script>`;
    const english = await open(
      t,
      markup('en', 'data-one="person is here" data-other="people are here"'),
    );
    await english.waitText('#n', '1 person is here');
    assert.equal(await isVisible(english.page, '#w'), true);
    const polish = await open(
      t,
      markup(
        'pl',
        'data-one="jest {count} osoba" data-few="są {count} osoby" data-other="jest {count} osób"',
      ),
    );
    await polish.waitText('#n', 'są 2 osoby');
    await english.waitText('#n', '2 people are here');
  });

  test('a wrapper stays hidden while there is no number', async (t) => {
    const { page, hear } = await open(
      t,
      `<p id=w hidden><b id=n></b> here</p><script src="${api}/client.js" data-customer="a"
        data-target="#n" data-show="#w" data-api-url="http://127.0.0.1:1"></script>`,
    );
    await hear(/no number from http:\/\/127\.0\.0\.1:1.*data-api-url/);
    assert.equal(await isVisible(page, '#w'), false);
  });

  test('late targets are found when they appear, also ones that are drawn anew', async (t) => {
    const customerId = freshId();
    const { page, waitText } = await open(
      t,
      `<div id=app></div><script src="${api}/client.js" data-customer="${customerId}" data-target=".n"></script>`,
    );
    await waitFor('the number', () => page.evaluate(() => !!ActiveUsers.client.getMetrics()));
    for (let i = 0; i < 3; i++) {
      await page.evaluate(
        () => void (document.getElementById('app').innerHTML = '<b class=n>…</b>'),
      );
      await waitText('.n', '1');
    }
    const none = await open(
      t,
      `<script src="${api}/client.js" data-customer="${customerId}" data-target="#typo" async></script>`,
    );
    await none.hear(/no element matches data-target="#typo"/);
  });

  const SILENT = {
    'attributes stripped': [
      () => `<script src="${api}/client.js"></script>`,
      /counts nobody yet: the script tag has no data-customer/,
    ],
    'an empty customer, as from a template': [
      () => `<script src="${api}/client.js" data-customer=""></script>`,
      /customerId must be.*mend data-customer/,
    ],
    inlined: [
      () => `<script data-customer="a">${script}</script>`,
      /apiUrl must be.*add data-api-url/,
    ],
    'loaded by a loader that names nothing': [
      () =>
        `<script>fetch('${api}/client.js').then((r) => r.text()).then((code) => (0, eval)(code))</script>`,
      /does not find its own tag.*data-customer.*data-api-url/,
    ],
    'a selector that is none': [
      () => `<script src="${api}/client.js" data-customer="a" data-target="#1a"></script>`,
      /data-target="#1a".*is no selector/,
    ],
  };
  for (const [name, [markup, pattern]] of Object.entries(SILENT))
    test(`${name}: said once, with the attribute to add`, async (t) => {
      const { said, hear } = await open(t, markup());
      await hear(pattern);
      const lines = await said();
      assert.equal(lines.filter((line) => pattern.test(line)).length, 1, lines.join('\n'));
    });

  test('copied to a cache of the shop: the wrong address is named, and the attribute', async (t) => {
    const tag = (more) =>
      `<b id=n></b><script src="/cache/a1b2.js" data-customer="shop" data-target="#n" ${more}></script>`;
    const origin = await startProxy(t, daemon, '/presence', {
      '/': kept(tag('')),
      '/mended': kept(tag(`data-api-url="/presence"`)),
      '/cache/a1b2.js': { type: 'text/javascript', body: script },
    });
    const { hear } = await openAt(t, origin + '/');
    await hear(new RegExp(`no number from ${origin}/cache/: .*404.*add data-api-url`));
    const mended = await openAt(t, origin + '/mended');
    await mended.waitText('#n', '1');
  });

  for (const [name, markup] of [
    ['as a module', (tag) => `<script type="module" src="${api}/client.js" ${tag}></script>`],
    [
      'combined with other scripts, the tag kept as data',
      (tag) =>
        `<script type="text/plain" data-api-url="${api}" ${tag}></script><script>(function(){${script}})()</script>`,
    ],
  ])
    test(`${name}: it finds the tag, and runs`, async (t) => {
      const customerId = freshId();
      const html = `<b id=n></b>` + markup(`data-customer="${customerId}" data-target="#n"`);
      const { page, waitText } = await open(t, html);
      await waitText('#n', '1');
      assert.equal(await page.evaluate(() => typeof ActiveUsers.ActiveUsersClient), 'function');
      assert.equal(await daemon.count(customerId), 1);
    });

  test('twenty visits that run the same tag again, as Turbo does: one client, one socket', async (t) => {
    const own = await startDaemon(t, { 'presence-ttl': 30 });
    const src = `http://127.0.0.1:${own.httpPort}/client.js`;
    const [first, second] = [freshId(), freshId()];
    const { page, waitText } = await open(
      t,
      `<b id=n></b><script src="${src}" data-customer="${first}" data-target="#n"></script>`,
    );
    await waitText('#n', '1');
    const visit = (customer) =>
      page.evaluate(
        async (src, customer) => {
          const body = document.createElement('body');
          body.innerHTML = '<b id=n>…</b>';
          document.documentElement.replaceChild(body, document.body);
          const script = Object.assign(document.createElement('script'), { src });
          Object.assign(script.dataset, { customer, target: '#n' });
          const loaded = new Promise((resolve) => (script.onload = resolve));
          body.append(script);
          await loaded;
        },
        src,
        customer,
      );
    for (let i = 0; i < 20; i++) await visit(first);
    await waitText('#n', '1');
    assert.equal(await openSockets(own), 1);
    assert.equal(await own.count(first), 1);
    await visit(second);
    await waitText('#n', '1');
    await own.waitCount(first, 0);
    assert.equal(await own.count(second), 1);
  });

  test('the element tells its state: connecting, online, offline', async (t) => {
    const own = await startDaemon(t, { 'presence-ttl': 30 });
    const customerId = freshId();
    const { page } = await open(
      t,
      `<script src="http://127.0.0.1:${own.httpPort}/client.js"></script><active-users customer="${customerId}">…</active-users>`,
    );
    const state = () => page.evaluate(() => document.querySelector('active-users').state);
    await waitFor('online', async () => (await state()) === 'online');
    await waitPart(page, 'online');
    await own.stop();
    await waitFor('offline', async () => (await state()) === 'offline');
    await waitPart(page, 'offline');
    const text = await page.evaluate(
      () =>
        document.querySelector('active-users').shadowRoot.querySelector('[part~=text]').textContent,
    );
    assert.match(text, /^1 person/);
  });

  test('an element in a frame’s document, and one that moves between documents', async (t) => {
    const customerId = freshId();
    const { page } = await open(
      t,
      `<script src="${api}/client.js"></script><iframe></iframe><active-users customer="${customerId}"></active-users>`,
    );
    await waitPart(page, 'count');
    const shown = await page.evaluate(async (customer) => {
      const inside = document.querySelector('iframe').contentDocument;
      const made = document.createElement('active-users');
      made.setAttribute('customer', customer);
      inside.body.append(made, document.querySelector('active-users'));
      await new Promise((resolve) => setTimeout(resolve, 300));
      return [...inside.querySelectorAll('active-users')].map(
        (it) => getComputedStyle(it.shadowRoot.querySelector('[part~=base]')).display,
      );
    }, customerId);
    assert.deepEqual(shown, ['inline-flex', 'inline-flex']);
    assert.equal(await daemon.count(customerId), 1);
  });

  test('a page view of a person in a frame whose window is gone reaches nobody', async (t) => {
    const { page } = await open(t, `<script src="${api}/client.js"></script>`);
    await page.evaluate(async (apiUrl) => {
      const frame = document.body.appendChild(document.createElement('iframe'));
      const client = new ActiveUsers.ActiveUsersClient(
        { customerId: 'a', apiUrl },
        frame.contentWindow,
      );
      const ready = client.init();
      frame.remove();
      await Promise.race([
        ready.catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, 500)),
      ]);
      client.destroy();
    }, api);
  });
});

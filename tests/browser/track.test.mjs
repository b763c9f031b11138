// trackPage in real browsers: routes, reloads, page views, tabs that are shown and hidden, and pages
// that are only rendered ahead.
import assert from 'node:assert/strict';

import { defer, freshId, startDaemon, waitFor } from '../integration/harness.mjs';
import { inEngines } from './harness/engines.mjs';
import { moves, openTab, person, sampleCount, waitMode, waitShown, watch } from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

const pagesOf = async (daemon, customerId) => {
  const { json } = await daemon.get(`/metrics/pages?customerId=${customerId}`);
  return {
    count: json.count,
    visible: json.visible,
    hidden: json.hidden,
    pages: json.pages.map(({ page, count }) => `${page} ${count}`).join(', '),
  };
};

/** The pages and their counts, as one line. */
const waitPages = (daemon, customerId, pages, more = {}) =>
  waitFor(`the pages ${pages}`, async () => {
    const found = await pagesOf(daemon, customerId);
    return found.pages === pages && Object.entries(more).every(([name, n]) => found[name] === n);
  });

inEngines('trackPage', async (test, { browser, shared }) => {
  const site = await startSite(shared);
  const daemon = await startDaemon(shared);
  const tracked = (customerId, more) => ({ daemon, config: { customerId, trackPage: true, ...more } });

  test('the module: a first page, a route, back, a reload and another page', async (t) => {
    const customerId = freshId();
    const page = await openTab(t, await person(t, browser), site.url('/', tracked(customerId)));
    await waitPages(daemon, customerId, '/ 1', { count: 1, visible: 1 });
    const sampled = sampleCount(t, daemon, customerId);
    await page.evaluate(() => history.pushState(null, '', '/cart/7?secret=1' + '#top'));
    await waitPages(daemon, customerId, '/cart/7 1', { count: 1, visible: 1 });
    await page.evaluate(() => history.replaceState(null, '', '/checkout?step=2'));
    await waitPages(daemon, customerId, '/checkout 1');
    await page.evaluate(() => history.back());
    await waitPages(daemon, customerId, '/ 1');
    await moves(page, () => page.reload());
    await waitShown(page, 1);
    await waitPages(daemon, customerId, '/ 1', { count: 1 });
    await moves(page, () =>
      page.goto(site.url('/stream', tracked(customerId))),
    );
    await waitPages(daemon, customerId, '/stream 1', { count: 1 });
    assert.deepEqual(await sampled.stop(), [1], 'nobody went meanwhile');
  });

  test('the script tag with data-track-page, and what the page has of its own', async (t) => {
    const customerId = freshId();
    const api = `http://127.0.0.1:${daemon.httpPort}`;
    const before = 'window.own = [history.pushState, history.replaceState];';
    const page = await openTab(
      t,
      await person(t, browser),
      site.url('/markup', {
        daemon,
        before,
        markup: `<script src="${api}/client.js" data-customer="${customerId}" data-target="#out"
          data-track-page></script>`,
      }),
    );
    await waitPages(daemon, customerId, '/markup 1', { visible: 1 });
    await page.evaluate(() => history.pushState(null, '', '/next'));
    await waitPages(daemon, customerId, '/next 1');
    assert.ok(
      await page.evaluate(
        () => own[0] === history.pushState && own[1] === history.replaceState,
      ),
      'no global is patched',
    );
    await page.evaluate(() => ActiveUsers.client.destroy());
    await waitPages(daemon, customerId, '', { count: 0 });
  });

  test('polling tells it too, and two people are on two pages', async (t) => {
    const customerId = freshId();
    const options = { enableWebSocket: false };
    const one = await openTab(
      t,
      await person(t, browser),
      site.url('/', tracked(customerId, options)),
    );
    await openTab(t, await person(t, browser), site.url('/stream', tracked(customerId)));
    await waitPages(daemon, customerId, '/ 1, /stream 1', { count: 2, visible: 2 });
    await one.evaluate(() => history.pushState(null, '', '/stream'));
    await waitPages(daemon, customerId, '/stream 2');
  });

  test(
    'two tabs of a window: the one that is seen tells, and hidden is told once none is',
    { needs: ['hide'] },
    async (t) => {
      const customerId = freshId();
      const window = await browser.window(t);
      defer(t, () => window.close());
      const openInFront = async (path) => {
        const tab = await window.open();
        watch(t, tab);
        await tab.goto(site.url(path, tracked(customerId)));
        await waitFor('the client of the tab', () => tab.evaluate('!!window.client'));
        return tab;
      };
      const one = await openInFront('/');
      await waitPages(daemon, customerId, '/ 1', { count: 1, visible: 1, hidden: 0 });
      await openInFront('/stream');
      await waitPages(daemon, customerId, '/stream 1', { count: 1, visible: 1, hidden: 0 });
      await one.show();
      await waitPages(daemon, customerId, '/ 1', { count: 1, visible: 1, hidden: 0 });
      const other = await window.open(); // a page without a client hides both
      await other.goto(site.url('/plain', { daemon }));
      await waitPages(daemon, customerId, '/ 1', { count: 1, visible: 0, hidden: 1 });
    },
  );

  // Chromium renders nothing ahead in a page that is driven from outside, so these two drive
  // themselves, and a third page of the same site reads what they have noted.
  test(
    'a page that is rendered ahead is no person until it is shown',
    { needs: ['prerender'] },
    async (t) => {
      const customerId = freshId();
      const api = `http://127.0.0.1:${daemon.httpPort}`;
      const window = await browser.window(t);
      defer(t, () => window.close());
      // Without locks and channels, which Chromium holds back itself until a page is shown.
      const before = `
        Object.defineProperty(navigator, 'locks', { value: undefined });
        window.BroadcastChannel = undefined;
        addEventListener('load', () => { localStorage.ahead = document.prerendering; });
        document.addEventListener('prerenderingchange', () => { localStorage.shown = true; });`;
      const next = site.url('/', { ...tracked(customerId), before });
      const rules = { prerender: [{ source: 'list', urls: [next], eagerness: 'immediate' }] };
      const markup = `<script type="speculationrules">${JSON.stringify(rules)}</script>
        <script>
          const ask = () => fetch('${api}/metrics?customerId=${customerId}').then((it) => it.json());
          const look = async () => {
            if (!localStorage.ahead) return setTimeout(look, 50);
            // Longer than a client without a socket waits before it polls.
            const [counts, until] = [new Set(), Date.now() + 3000];
            while (Date.now() < until) counts.add((await ask()).count);
            localStorage.counts = [...counts];
            while (!localStorage.go) await ask();
            location.href = ${JSON.stringify(next)};
          };
          look();
        </script>`;
      const reader = await window.open();
      await reader.goto(site.url('/plain', { daemon }));
      const noted = (name) => reader.evaluate(`localStorage[${JSON.stringify(name)}] ?? ''`);
      await window.openUndriven(site.url('/markup', { daemon, markup }));
      await waitFor('the page to be rendered ahead', async () => (await noted('counts')) !== '');
      assert.equal(await noted('ahead'), 'true');
      assert.equal(await noted('counts'), '0');
      await reader.evaluate('void (localStorage.go = true)');
      await waitPages(daemon, customerId, '/ 1', { count: 1, visible: 1 });
      assert.equal(await noted('shown'), 'true', 'it is the page that was rendered ahead');
    },
  );

  test('without trackPage nothing is told', async (t) => {
    const customerId = freshId();
    const page = await openTab(t, await person(t, browser), site.url('/', { daemon, config: { customerId } }));
    await waitShown(page, 1);
    await waitMode(page, 'websocket');
    const found = await pagesOf(daemon, customerId);
    assert.deepEqual(found, { count: 1, visible: 0, hidden: 0, pages: '' });
  });
});

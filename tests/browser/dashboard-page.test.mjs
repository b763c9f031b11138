// What only Chromium's driver lets a test see of the dashboard: what its policy forbids from the first
// byte on, and what axe finds in each size and colour.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { freshId, startDaemon, suite, waitFor } from '../integration/harness.mjs';
import { engine } from './harness/chromium.mjs';
import { join, urlOf, waitShown, waitText } from './harness/dashboard.mjs';
import { person } from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

const TOKEN = 'a-token-of-operators-0123';
const require = createRequire(import.meta.url);

/** A tab that keeps what its policy forbids, from its first byte on. */
async function openKept(t, browser, url) {
  const page = await (await person(t, browser)).open();
  await page.page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (it) => violations.push(it.blockedURI));
  });
  await page.goto(url);
  return page;
}

suite('the dashboard, by its policy and to those who do not see it', async (test, shared) => {
  const daemon = await startDaemon(shared);
  const browser = await engine.launch(shared);

  test('nothing breaks its policy, and nothing is asked of anybody else', async (t) => {
    const customerId = freshId();
    await join(daemon, customerId, 2);
    for (const query of [`?customerId=${customerId}`, '']) {
      const page = await openKept(t, browser, urlOf(daemon, query));
      await waitShown(page, 'service-card');
      if (query) await page.page.mouse.move(500, 500);
      assert.deepEqual(await page.evaluate('violations'), []);
      const asked = await page.evaluate(() =>
        performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin),
      );
      assert.ok(asked.length > 0);
      assert.deepEqual([...new Set(asked)], [`http://127.0.0.1:${daemon.httpPort}`]);
      // The policy stands: a script that was not built in does not run.
      await page.evaluate(() => {
        const script = document.createElement('script');
        script.textContent = 'window.hacked = 1';
        document.body.append(script);
      });
      assert.deepEqual(await page.evaluate('[typeof window.hacked, ...violations]'), ['undefined', 'inline']);
    }
  });

  test('a page that may not read of a customer has no frame of it either', async (t) => {
    const site = await startSite(t);
    const closed = await startDaemon(t, { 'allowed-origins': 'https://a.example' });
    const opened = await startDaemon(t, { 'allowed-origins': site.origin });
    for (const [daemon, query, shown] of [
      [opened, '?customerId=a', true],
      [opened, '', false],
      [closed, '?customerId=a', false],
    ]) {
      const page = await (await person(t, browser)).open();
      const answered = page.page.waitForResponse(/dashboard/);
      const markup = `<iframe src="${urlOf(daemon, query)}"></iframe>`;
      await page.goto(site.url('/markup', { daemon, markup }));
      await (await answered).finished();
      const frame = await page.frame();
      const count = () => frame.evaluate(() => document.getElementById('count') !== null);
      if (shown) await waitFor('the page in the frame', count);
      else assert.equal(await count(), false, query);
    }
  });

  test('all of it with keys alone', async (t) => {
    const own = await startDaemon(t);
    await join(own, 'acme', 3);
    await join(own, 'shop', 1);
    const page = await (await person(t, browser)).open();
    const { keyboard } = page.page;
    /** Presses Tab until the focus is there, and says whether it shows. */
    const tabTo = async (selector) => {
      for (let presses = 0; presses < 60; presses++) {
        await keyboard.press('Tab');
        const isThere = (it) => document.activeElement.matches(it);
        if (!(await page.evaluate(isThere, selector))) continue;
        const outline = await page.evaluate(() => {
          // A radio button is drawn by the label behind it.
          const drawn = [document.activeElement, document.activeElement.nextElementSibling];
          return drawn.some((it) => it && getComputedStyle(it).outlineStyle !== 'none');
        });
        assert.ok(outline, `the focus shows at ${selector}`);
        return;
      }
      assert.fail(`no Tab leads to ${selector}`);
    };
    await page.goto(urlOf(own));
    await waitText(page, '#customers-body tr:first-child a', 'acme');
    await tabTo('#search');
    await keyboard.type('sho');
    await waitText(page, '#customers-body tr:first-child a', 'shop');
    await keyboard.press('Control+A');
    await keyboard.press('Delete');
    await waitText(page, '#customers-body tr:first-child a', 'acme');
    await tabTo('[data-key=customerId] button');
    await keyboard.press('Space');
    await keyboard.press('Enter');
    await waitText(page, '#customers-body tr:first-child a', 'shop');
    await tabTo('#customers-body a[href$="acme"]');
    await keyboard.press('Enter');
    await waitText(page, '#customer', 'acme');
    await tabTo('.ranges input');
    await keyboard.press('ArrowRight');
    await waitFor('another time of the chart', () => page.evaluate('/range=(day|week|5min)/.test(location.href)'));
    await tabTo('#table summary');
    await keyboard.press('Enter');
    await waitFor('the table', () => page.evaluate(() => document.getElementById('table').open));
    await tabTo('#all');
    await keyboard.press('Enter');
    await waitText(page, '#customers-body tr:first-child a', 'acme');
  });

  test('axe finds nothing to mend, in light and dark, wide and narrow', async (t) => {
    const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
    const customerId = freshId();
    await join(daemon, customerId, 2);
    const closed = await startDaemon(t, { 'admin-token': TOKEN });
    const page = await (await person(t, browser)).open();
    for (const url of [urlOf(daemon, `?customerId=${customerId}`), urlOf(daemon), urlOf(closed)])
      for (const colorScheme of ['light', 'dark'])
        for (const width of [360, 1920]) {
          await page.page.emulateMedia({ colorScheme });
          await page.page.setViewportSize({ width, height: 800 });
          await page.goto(url);
          await waitText(page, '#store-status', 'ok');
          await waitFor('a heading', () => page.evaluate(
            () => [...document.querySelectorAll('h1')].some((it) => it.checkVisibility()),
          ));
          if (url.includes('customerId')) await waitText(page, '#peak', '2');
          await page.evaluate(() => document.getElementById('table').setAttribute('open', ''));
          await page.evaluate(axe);
          const found = await page.evaluate(async () =>
            (await window.axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`),
          );
          assert.deepEqual(found, [], `${url}, ${colorScheme}, ${width} px`);
          const beyond = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
          assert.ok(beyond <= 0, `${url} is ${beyond} px too wide at ${width} px`);
        }
  });
});

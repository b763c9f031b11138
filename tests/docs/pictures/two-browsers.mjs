// Makes docs/images/two-browsers.png from real windows: a shop's page in one Chromium, then in two.
//   node tests/docs/pictures/two-browsers.mjs, after `make`
import { chromium } from 'playwright-core';
import http from 'node:http';
import test from 'node:test';

import { defer, startDaemon, waitFor } from '../../integration/harness.mjs';
import { inRoot } from '../kit/pages.mjs';

const SHOP = (port, dark) => `<!doctype html><meta charset="utf-8"><title>My shop</title><style>
  body { margin: 0; font: 17px/1.5 'DejaVu Sans', sans-serif; background: ${dark ? '#15181d' : '#fff'}; color: ${dark ? '#eef1f5' : '#171a1f'}; }
  header { padding: 14px 22px; font-weight: 600; border-bottom: 1px solid ${dark ? '#2a3039' : '#dfe3e8'}; }
  main { padding: 20px 22px; } .line { height: 11px; border-radius: 5px; background: ${dark ? '#2a3039' : '#eceff3'}; margin: 11px 0; }
</style><header>my-shop.example</header><main><div class="line" style="width:88%"></div><div class="line" style="width:63%"></div>
<script src="http://127.0.0.1:${port}/client.js" async></script>
<p><active-users customer="my-shop" label="people are here" label-one="person is here">counting…</active-users></p></main>`;

/** The windows side by side, each with a frame and words above it. */
const SHEET = (shots) => `<!doctype html><style>
  body { margin: 0; padding: 18px; display: flex; gap: 18px; background: #f6f7f9; font: 14px 'DejaVu Sans', sans-serif; color: #565d68; width: max-content; }
  figure { margin: 0; } figcaption { margin-bottom: 8px; }
  .window { border: 1px solid #c9cfd7; border-radius: 9px; overflow: hidden; background: #e6e9ee; }
  .bar { height: 24px; display: flex; gap: 6px; align-items: center; padding-left: 10px; } .bar i { width: 10px; height: 10px; border-radius: 5px; background: #b4bbc5; }
  img { display: block; width: 300px; }
</style>${shots.map(([words, png]) => `<figure><figcaption>${words}</figcaption><div class="window"><div class="bar"><i></i><i></i><i></i></div><img src="data:image/png;base64,${png.toString('base64')}"></div></figure>`).join('')}`;

test('two browsers', async (t) => {
  const daemon = await startDaemon(t);
  const server = http.createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(SHOP(daemon.httpPort, request.url === '/dark'));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  defer(t, () => server.close());
  const shop = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  defer(t, () => browser.close());
  const person = async (path = '/') => {
    const context = await browser.newContext({ viewport: { width: 300, height: 190 }, deviceScaleFactor: 1.5 });
    const page = await context.newPage();
    await page.goto(shop + path);
    return page;
  };
  const shows = (page, text) => waitFor(text, async () => (await page.locator('active-users').evaluate((e) => e.shadowRoot.textContent)).includes(text));
  const first = await person();
  await shows(first, '1');
  const alone = await first.screenshot();
  const second = await person('/dark');
  await Promise.all([shows(first, '2'), shows(second, '2')]);
  const shots = [['One browser …', alone], ['… a second one opens', await first.screenshot()], ['the page in the second one', await second.screenshot()]];
  const sheet = await browser.newPage({ viewport: { width: 1000, height: 300 }, deviceScaleFactor: 1.5 });
  await sheet.setContent(SHEET(shots));
  const box = await sheet.locator('body').boundingBox();
  await sheet.screenshot({ path: inRoot('docs/images/two-browsers.png'), clip: box });
});

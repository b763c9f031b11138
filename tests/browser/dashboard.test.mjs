// The dashboard against the real daemon: what it shows is what the daemon says, it counts nobody, and
// it says when it does not know.
import assert from 'node:assert/strict';

import {
  aBeat,
  fakeWallClock,
  freePort,
  freshId,
  startDaemon,
  waitFor,
} from '../integration/harness.mjs';
import { cellsOf, isShown, join, typeInto, urlOf, waitShown, waitText } from './harness/dashboard.mjs';
import { inEngines } from './harness/engines.mjs';
import { openTab, person, textOf } from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

const TOKEN = 'a-token-of-operators-0123';

const idsOf = async (page) => (await cellsOf(page, '#customers-body')).map(([id]) => id);

inEngines('the dashboard', async (test, { browser, shared }) => {
  const daemon = await startDaemon(shared, { 'update-interval': 100 });
  const open = async (t, url) => openTab(t, await person(t, browser), url);

  test('the number follows those who come and go, and the page is none of them', async (t) => {
    const customerId = freshId();
    const beats = await join(daemon, customerId, 3);
    const page = await open(t, urlOf(daemon, `?customerId=${customerId}`));
    await waitText(page, '#count', '3');
    await waitText(page, '#state-words', 'Live');
    assert.equal(await textOf(page, '#customer'), customerId);
    await join(daemon, customerId, 2);
    await waitText(page, '#count', '5');
    for (const beat of beats) await daemon.must('leave', beat);
    await waitText(page, '#count', '2');
    for (const id of ['peak', 'peak-today', 'unique-today', 'unique-week'])
      await waitText(page, `#${id}`, '5');
    assert.match(await page.evaluate('document.title'), /^2 – /);
    assert.equal(await daemon.count(customerId), 2, 'who looks is not counted');
  });

  test('a number is spoken, and not each second', async (t) => {
    const customerId = freshId();
    await join(daemon, customerId, 1);
    const page = await open(t, urlOf(daemon, `?customerId=${customerId}`));
    await waitText(page, '#spoken', '1 person here');
    await page.evaluate(() => {
      window.spoken = 0;
      const seen = () => (window.spoken += 1);
      new MutationObserver(seen).observe(document.getElementById('spoken'), { childList: true });
    });
    for (let n = 2; n <= 6; n++) {
      await join(daemon, customerId, 1);
      await waitText(page, '#count', String(n));
    }
    assert.ok((await page.evaluate('spoken')) <= 1, 'five changes are one word at most');
    assert.equal(
      await page.evaluate(() => document.getElementById('count').closest('[aria-live]')),
      null,
    );
  });

  test('chart and table are the history of the daemon', async (t) => {
    // A minute in a second.
    const fast = await startDaemon(
      t,
      { 'ema-interval': 100, 'ema-alpha': 0.3, 'update-interval': 100 },
      fakeWallClock('+0 x60'),
    );
    const customerId = freshId();
    const historyOf = async () =>
      (await fast.get(`/metrics/history?customerId=${customerId}&step=60000`)).json;
    const beats = [];
    for (let n = 0; (await historyOf()).points.length < 8; n++) {
      if (n % 3 < 2) beats.push(...(await join(fast, customerId, 2)));
      else await fast.must('leave', beats.pop());
    }
    const page = await open(t, urlOf(fast, `?customerId=${customerId}&range=hour`));
    await page.evaluate(() => document.getElementById('table').setAttribute('open', ''));
    const rows = await waitFor('the table', async () => {
      const cells = await cellsOf(page, '#table-body');
      return cells.length >= 5 && cells;
    }).catch(async (error) => {
      const said = await page.evaluate('document.querySelector("main").innerText');
      throw new Error(`${error.message}; the page says ${said}`);
    });
    const points = new Map((await historyOf()).points.map(([at, ...values]) => [at, values]));
    const text = (value, digits) =>
      value.toLocaleString('en-US', { maximumFractionDigits: digits });
    let compared = 0;
    for (const [time, ...values] of rows) {
      const point = points.get(Date.parse(time));
      if (!point) continue; // older than an hour by now
      const [min, mean, max, ema] = point;
      assert.deepEqual(values, [text(min, 0), text(mean, 1), text(max, 0), text(ema, 1)], time);
      compared += 1;
    }
    assert.ok(compared >= 5, `${compared} of ${rows.length} points were compared`);
    const means = new Set(rows.map(([, , mean]) => mean));
    // The chart says under the pointer what it draws there.
    const readouts = await page.evaluate(() => {
      const over = document.querySelector('.u-over');
      const { left, top, width, height } = over.getBoundingClientRect();
      const said = new Set();
      over.dispatchEvent(new MouseEvent('mouseenter', { clientX: left, clientY: top }));
      for (let x = 0; x < width; x += 2) {
        const at = { clientX: left + x, clientY: top + height / 2, bubbles: true };
        over.dispatchEvent(new MouseEvent('mousemove', at));
        said.add(document.getElementById('readout').textContent);
      }
      return [...said];
    });
    const drawn = readouts.map((it) => /: ([\d.,]+)(?: \(\d+ to \d+\))?, smoothed/.exec(it)?.[1]);
    for (const mean of means) assert.ok(drawn.includes(mean), `${mean} is in the chart: ${readouts}`);
    assert.match(
      await page.evaluate(() => document.getElementById('chart').getAttribute('aria-label')),
      /^Chart of the last hour: between \d+ and \d+\.$/,
    );
    // Bytes of a load: as it was, and with the longest chart, a week of hours.
    const loaded = await page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .filter(({ initiatorType }) => initiatorType === 'fetch')
        .map(({ name, encodedBodySize }) => [name.replace(/.*\/|\?.*/g, ''), encodedBodySize]),
    );
    const sizes = new Map(loaded);
    const ofPoint = sizes.get('history') / rows.length; // with its share of the rest, so too much
    const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    const most = bytes - sizes.get('history') + 168 * ofPoint;
    t.diagnostic(`${bytes} bytes of JSON, ${Math.round(most)} at most: ${[...sizes]}`);
    assert.ok(sizes.get('history') > 300 && sizes.get('health') > 100, 'they are measured');
    assert.ok(most < 20_000, `${most} bytes`);
  });

  test('another time of the chart, kept in the address', async (t) => {
    const customerId = freshId();
    await join(daemon, customerId, 1);
    const page = await open(t, urlOf(daemon, `?customerId=${customerId}&range=week`));
    await waitText(page, '#count', '1');
    const chosen = () => page.evaluate(() => document.querySelector('.ranges :checked').id);
    assert.equal(await chosen(), 'range-week');
    await page.click('#range-day');
    await waitFor('the address', async () => (await page.evaluate('location.search')).endsWith('range=day'));
    await page.reload();
    await waitText(page, '#count', '1');
    assert.equal(await chosen(), 'range-day');
  });

  test('an unknown customer has zeros, and stays unknown', async (t) => {
    const own = await startDaemon(t);
    const page = await open(t, urlOf(own, `?customerId=${freshId()}`));
    await waitText(page, '#count', '0');
    for (const id of ['peak', 'peak-today', 'unique-today', 'unique-week'])
      await waitText(page, `#${id}`, '0');
    assert.equal((await own.get('/health')).json.customers, 0);
  });

  test('an id with HTML in it is text, and the daemon’s refusal is told', async (t) => {
    const id = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
    const page = await open(t, urlOf(daemon, `?customerId=${encodeURIComponent(id)}`));
    await waitText(page, '#state-words', /^Refused: customerId must be/);
    assert.equal(await textOf(page, '#customer'), id);
    assert.equal(await page.evaluate('document.images.length'), 0);
    assert.equal(await page.evaluate('typeof window.hacked'), 'undefined');
  });

  test('pages: the most visited first, their names as text; hidden where the daemon has none', async (t) => {
    const customerId = freshId();
    const names = ['/<img src=x onerror=hacked=1>', '/<img src=x onerror=hacked=1>', '/"&amp;\''];
    for (const page of names) await daemon.must('join', aBeat({ customerId, page }));
    const { status } = await daemon.get(`/metrics/pages?customerId=${customerId}`);
    const page = await open(t, urlOf(daemon, `?customerId=${customerId}`));
    await waitText(page, '#count', '3');
    if (status === 404) {
      await waitText(page, '#peak', '3'); // the history was read, and so was this
      assert.equal(await isShown(page, 'pages-card'), false);
    } else {
      await waitShown(page, 'pages-card');
      const rows = await cellsOf(page, '#pages-body');
      assert.deepEqual(rows.map(([name, n]) => [name, n]), [[names[0], '2'], [names[2], '1']]);
      assert.equal(await page.evaluate('document.images.length'), 0);
    }
  });

  test('a daemon that goes is said to be offline; when it is back so is the number', async (t) => {
    const port = await freePort();
    const first = await startDaemon(t, { 'http-port': port });
    const customerId = freshId();
    await join(first, customerId, 4);
    const page = await open(t, urlOf(first, `?customerId=${customerId}`));
    await waitText(page, '#state-words', 'Live');
    first.signal('SIGKILL');
    await first.exit();
    await waitText(page, '#state-words', /^Offline, last number of \d/);
    assert.equal(await textOf(page, '#count'), '4', 'the last number stays');
    const second = await startDaemon(t, { 'http-port': port });
    await join(second, customerId, 2);
    await waitText(page, '#state-words', 'Live');
    await waitText(page, '#count', '2');
  });

  test('in a frame of another site it is one customer, and nothing for operators', async (t) => {
    const site = await startSite(t);
    const customerId = freshId();
    await join(daemon, customerId, 2);
    const markup = `<iframe src="${urlOf(daemon, `?customerId=${customerId}`)}"></iframe>`;
    const page = await open(t, site.url('/markup', { daemon, markup }));
    const frame = await page.frame();
    await waitFor('the number in the frame', () =>
      frame.evaluate(() => document.getElementById('count')?.textContent === '2'),
    );
    for (const id of ['all', 'service-card', 'sign-in'])
      assert.equal(
        await frame.evaluate((id) => document.getElementById(id).checkVisibility(), id),
        false,
        id,
      );
  });

  test('a badge on a page of another site', async (t) => {
    const site = await startSite(t);
    const customerId = freshId();
    await join(daemon, customerId, 2);
    const markup = `<img src="http://127.0.0.1:${daemon.httpPort}/badge/${customerId}.svg">`;
    const page = await open(t, site.url('/markup', { daemon, markup }));
    await waitFor('the badge', () => page.evaluate('document.images[0].naturalHeight === 20'));
  });

  test('operators: the list in any order, searched, and a click away from each customer', async (t) => {
    const own = await startDaemon(t);
    for (const [customerId, n] of [['shop-10', 2], ['acme', 3], ['shop-2', 1]])
      await join(own, customerId, n);
    const page = await open(t, urlOf(own));
    const waitIds = (...ids) =>
      waitFor(`the order ${ids}`, async () => String(await idsOf(page)) === String(ids));
    const sorts = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('#customers [data-key]')].map((it) => it.ariaSort).join(),
      );
    await waitIds('acme', 'shop-10', 'shop-2');
    assert.equal(await sorts(), 'none,descending,none,none');
    await page.click('[data-key=customerId] button');
    await waitIds('acme', 'shop-2', 'shop-10');
    assert.equal(await sorts(), 'ascending,none,none,none');
    await page.click('[data-key=customerId] button');
    await waitIds('shop-10', 'shop-2', 'acme');
    assert.equal(await sorts(), 'descending,none,none,none');
    await typeInto(page, 'search', 'SHOP');
    await waitIds('shop-10', 'shop-2');
    await typeInto(page, 'search', 'no such');
    await waitText(page, '#customers-error', /search must be a part of an id/);
    await typeInto(page, 'search', 'none');
    await waitText(page, '#customers-note', '0 customers with “none”.');
    await typeInto(page, 'search', '');
    await waitIds('shop-10', 'shop-2', 'acme');
    await page.click('#customers-body a[href$="acme"]');
    await waitText(page, '#customer', 'acme');
    await waitText(page, '#count', '3');
    await waitShown(page, 'service-card');
    await page.click('#all');
    await waitIds('acme', 'shop-10', 'shop-2');
  });

  test('operators: of more than a page the largest first, the others on demand, all of them searched', async (t) => {
    const own = await startDaemon(t);
    for (let i = 0; i < 120; i++) await join(own, `shop-${i}`, i < 100 ? 2 : 1);
    const page = await open(t, urlOf(own));
    await waitText(page, '#customers-note', /^The 100 customers with the highest count; there are more/);
    assert.ok(!(await idsOf(page)).includes('shop-119'));
    await typeInto(page, 'search', 'p-119');
    await waitText(page, '#customers-note', '1 customer with “p-119”.');
    await typeInto(page, 'search', '');
    await waitText(page, '#customers-note', /^The 100/);
    await page.click('#more');
    await waitText(page, '#customers-note', '120 customers.');
    assert.equal(new Set(await idsOf(page)).size, 120);
    assert.equal(await isShown(page, 'more'), false);
  });

  test('operators: with a token, which stays in the tab and never in an address', async (t) => {
    const own = await startDaemon(t, { 'admin-token': TOKEN });
    await join(own, 'acme', 1);
    const page = await open(t, urlOf(own));
    await waitShown(page, 'sign-in');
    const signIn = async (text) => {
      await typeInto(page, 'token', text);
      await page.click('#sign-in-form button');
    };
    await signIn('short');
    await waitText(page, '#sign-in-error', /^An admin token is 16 to 512/);
    await signIn(TOKEN.replace('0', '1'));
    await waitText(page, '#sign-in-error', 'This is not the admin token.');
    assert.equal(await page.evaluate('sessionStorage.length'), 0, 'a wrong one is not kept');
    await signIn(TOKEN);
    await waitFor('the list', async () => String(await idsOf(page)) === 'acme');
    const places = await page.evaluate(() => ({
      session: JSON.stringify(sessionStorage),
      local: JSON.stringify(localStorage),
      cookies: document.cookie,
      address: location.href,
      asked: performance.getEntriesByType('resource').map(({ name }) => name),
    }));
    assert.ok(places.session.includes(TOKEN));
    for (const place of ['local', 'cookies', 'address', 'asked'])
      assert.ok(!String(places[place]).includes(TOKEN), place);
    const health = await own.request('GET', '/metrics', { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.match(health.text, /^au_operators_refused_total 1$/m, 'the wrong one alone');
    await page.click('#sign-out');
    await waitShown(page, 'sign-in');
    assert.equal(await page.evaluate('sessionStorage.length'), 0);
    assert.equal(await isShown(page, 'customers-view'), false);
  });

  test('operators: with a port of their own the list is there, and the public page says so', async (t) => {
    const own = await startDaemon(t, { 'admin-port': 0, 'update-interval': 100 });
    await join(own, 'acme', 2);
    const outside = await open(t, urlOf(own));
    await waitShown(outside, 'sign-in');
    await typeInto(outside, 'token', TOKEN);
    await outside.click('#sign-in-form button');
    await waitText(outside, '#sign-in-error', /at the admin port/);
    const inside = await open(t, urlOf(own, '', own.adminPort));
    await waitFor('the list', async () => String(await idsOf(inside)) === 'acme');
    await inside.click('#customers-body a');
    await waitText(inside, '#state-words', 'Asks every few seconds');
    await waitText(inside, '#count', '2');
    await join(own, 'acme', 1);
    await waitText(inside, '#count', '3');
  });
});

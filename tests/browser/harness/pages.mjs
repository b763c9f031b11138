// What the cases say about pages, in any engine.
import assert from 'node:assert/strict';

import { defer, waitFor } from '../../integration/harness.mjs';

/** A browser profile of its own: another person. */
export async function person(t, browser) {
  const person = await browser.person();
  defer(t, () => person.close());
  return person;
}

/** Opens a page. Errors that reach its window fail the test at its end. */
export async function openTab(t, person, url) {
  const page = await person.open();
  watch(t, page);
  await page.goto(url);
  return page;
}

/** Errors are those the engine tells of, and those the site's pages keep of themselves. */
export function watch(t, page) {
  let closed = false;
  const close = page.close.bind(page);
  const look = async () => {
    const kept = await page.evaluate('window.failures ?? []').catch(() => []);
    assert.deepEqual([...page.errors, ...kept], [], 'nothing may reach the page');
  };
  page.close = async () => {
    closed = true;
    await look();
    await close();
  };
  defer(t, () => (closed || page.gone ? undefined : look()));
}

export const status = (page) => page.evaluate(() => window.client?.getConnectionStatus());
export const shown = (page) => page.evaluate(() => document.getElementById('out').textContent);
export const textOf = (page, selector) =>
  page.evaluate((it) => document.querySelector(it).textContent, selector);

export const waitShown = (page, text) =>
  waitFor(`the page to show ${text}`, async () => (await shown(page)) === String(text));

/** Who polls has a stream soon after, and says so. */
const IS_MODE = { polling: ['polling', 'sse'] };

export const waitMode = (page, mode) =>
  waitFor(`mode ${mode}`, async () => (IS_MODE[mode] ?? [mode]).includes((await status(page))?.mode));

/** Does what makes the page load anew, or another one, and waits for that. */
export async function moves(page, act) {
  await page.evaluate(() => void (window.stale = true));
  await act();
  await waitFor('the other document', () =>
    page.evaluate(() => !window.stale && document.readyState === 'complete'),
  );
}

/** Exactly one of the pages leads: returns it. */
export async function waitLeader(pages) {
  let leader;
  await waitFor('exactly one leader', async () => {
    const all = await Promise.all(pages.map(status));
    const leading = all.map((it) => it?.isLeader).flatMap((leads, i) => (leads ? [i] : []));
    leader = pages[leading[0]];
    return leading.length === 1;
  });
  return leader;
}

export async function openSockets(daemon) {
  return (await daemon.samples()).get('au_websocket_sockets');
}

/** Everything the daemon says of a customer's count from now on, oldest first. */
export async function watchCount(t, Socket, daemon, customerId) {
  const socket = await Socket.join(t, daemon.httpPort, { customerId });
  await socket.next('metrics:update');
  return {
    get counts() {
      return socket.updates.map(({ count }) => count);
    },
  };
}

/** Asks the daemon for a customer's count without a pause; `stop()` gives the counts it has seen. */
export function sampleCount(t, daemon, customerId) {
  const seen = new Set();
  let stopped = false;
  const done = (async () => {
    while (!stopped) seen.add(await daemon.count(customerId));
  })();
  const stop = async () => {
    stopped = true;
    await done;
    return [...seen];
  };
  defer(t, stop);
  return { stop };
}

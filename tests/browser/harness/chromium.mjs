// Debian's Chromium, by Playwright: contexts are people, pages are tabs.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

import { defer, waitFor } from '../../integration/harness.mjs';

export const EXECUTABLE = process.env.AU_CHROMIUM ?? '/usr/bin/chromium';
export const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
  // A name that is no secure context, for shops on plain http.
  '--host-resolver-rules=MAP shop.test 127.0.0.1',
];

export async function launch(t) {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: FLAGS,
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
  defer(t, () => browser.close());
  return browser;
}

/** A browser profile of its own: another person. */
export async function person(t, browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(20_000);
  defer(t, () => context.close());
  return context;
}

/** Opens a tab. Errors that reach its window fail the test at its end. */
export async function openTab(t, context, url) {
  const page = await context.newPage();
  watch(t, page);
  await page.goto(url);
  return page;
}

export function watch(t, page) {
  const failures = [];
  page.on('pageerror', (error) => failures.push(String(error)));
  defer(t, () => assert.deepEqual(failures, [], 'nothing may reach the page'));
}

export const status = (page) => page.evaluate(() => window.client?.getConnectionStatus());
export const shown = (page) => page.evaluate(() => document.getElementById('out').textContent);

export const waitShown = (page, text) =>
  waitFor(`the page to show ${text}`, async () => (await shown(page)) === String(text));

export const waitMode = (page, mode) =>
  waitFor(`mode ${mode}`, async () => (await status(page))?.mode === mode);

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

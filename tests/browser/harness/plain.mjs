// Chromium as it is, for cases that look at what one page shows and says.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

import { defer } from '../../integration/harness.mjs';

const EXECUTABLE = process.env.AU_CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];

/**
 * `open(t, url)`: a page of a person of its own, and what it says on the console. More flags of the
 * browser, and options of each person's context.
 */
export async function launchPlain(t, { flags = [], context: options = {} } = {}) {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: [...FLAGS, ...flags],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
  defer(t, () => browser.close());
  return {
    async open(t, url) {
      const context = await browser.newContext(options);
      context.setDefaultTimeout(20_000);
      defer(t, () => context.close());
      const [said, failures] = [[], []];
      context.on('console', (message) => said.push(message.text()));
      const page = await context.newPage();
      page.on('pageerror', (error) => failures.push(String(error)));
      defer(t, () => assert.deepEqual(failures, [], 'nothing may reach the page'));
      await page.goto(url);
      return { page, said };
    },
  };
}

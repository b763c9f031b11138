// How long a person waits for the first paint of the dashboard, in a browser that has never seen it.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';

import { compare } from './figures.mjs';
import { measure } from './load.mjs';
import { Missing } from './process.mjs';
import { startDaemon } from './servers.mjs';

const PROGRAM = process.env.AU_CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
const PEOPLE = 100;

async function launch() {
  if (!existsSync(PROGRAM)) throw new Missing('chromium is not installed');
  try {
    const { chromium } = createRequire(import.meta.url)('playwright-core');
    return await chromium.launch({ executablePath: PROGRAM, args: FLAGS });
  } catch (error) {
    throw new Missing(`playwright-core is not installed (${error.message.split('\n')[0]})`);
  }
}

/** Milliseconds from the begin of the navigation, by the browser's own clock. */
async function firstPaint(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  const isPainted = () => performance.getEntriesByName('first-paint')[0]?.startTime;
  const ms = await (await page.waitForFunction(isPainted)).jsonValue();
  await context.close();
  return ms;
}

export async function dashboard({ scale, must, use, note }) {
  const daemon = await must('the daemon', startDaemon);
  await measure('join', daemon.http, { requests: PEOPLE, sessions: PEOPLE, duration: 60 });
  const browser = await use('Chromium', async () => {
    const launched = await launch();
    return { browser: launched, stop: () => launched.close() };
  });
  if (!browser) return;
  const url = `http://${daemon.http}/dashboard?customerId=load-0000000`;
  const paints = [];
  for (let i = 0; i < scale.paints; i++) paints.push(await firstPaint(browser.browser, url));
  note('paint', compare(paints));
}

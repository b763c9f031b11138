// Things a visitor does, and what a watcher sees of each: the whole sequence of counts, not its
// end, because people watch all of it.
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import { defer, freshId, startDaemon, waitFor } from '../integration/harness.mjs';
import { inEngines, LOSES_LEAVES } from './harness/engines.mjs';
import { moves, openTab, person, waitMode, waitShown } from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

/** Longer than a page that goes asks for (2.5 s), so short that what is missed then shows here. */
const GRACE_MS = 3000;

/** The daemon's default: whoever is gone before it is over has said so. */
const LONG_GRACE_MS = 10_000;

const SETTLED_MS = GRACE_MS + 1000;

/** An act that takes longer than that may outlast the grace of a page: the machine is too slow to judge. */
const PROMPT_MS = 1500;
const MAX_TRIES = 6;
const LOOK_EVERY_MS = 10;

const hrefOf = (page) => page.evaluate('location.href');

/** Goes through the history; a page that was kept comes back without being loaded. */
async function travels(page, act, href, mode) {
  await act();
  await waitFor('the other page', async () => (await hrefOf(page)) === href);
  await waitMode(page, mode);
}

const follow = (page) => moves(page, () => page.click('a'));

/**
 * One act each: `want` is what a watcher sees, beginning with what was so before. `prepare` gets the
 * first tab, where there is one, and what it returns goes to `act`. `pollingDiffers` is `differs` of
 * inEngines, for a visitor who polls.
 */
const ACTS = [
  { name: 'first visit', want: [0, 1], noTab: true, act: ({ open }) => open() },
  {
    name: 'the reload button',
    want: [1],
    act: ({ page }) => moves(page, () => page.reload()),
  },
  { name: 'a link', want: [1], act: ({ page }) => follow(page) },
  {
    name: 'back',
    want: [1],
    async prepare({ page }) {
      const href = await hrefOf(page);
      await follow(page);
      return href;
    },
    act: ({ page, mode }, href) => travels(page, () => page.back(), href, mode),
  },
  {
    name: 'forward',
    want: [1],
    async prepare({ page, mode }) {
      const first = await hrefOf(page);
      await follow(page);
      const second = await hrefOf(page);
      await travels(page, () => page.back(), first, mode);
      return second;
    },
    act: ({ page, mode }, href) => travels(page, () => page.forward(), href, mode),
  },
  { name: 'a second tab', want: [1], act: ({ open }) => open() },
  {
    name: 'closing one of two tabs',
    want: [1],
    prepare: ({ open }) => open(),
    act: ({ page }) => page.close(),
  },
  {
    name: 'closing the last tab',
    want: [1, 0],
    graceMs: LONG_GRACE_MS,
    pollingDiffers: { firefox: LOSES_LEAVES },
    act: ({ page }) => page.close(),
  },
  {
    name: 'closing both of two tabs at once',
    want: [1, 0],
    graceMs: LONG_GRACE_MS,
    pollingDiffers: { firefox: LOSES_LEAVES },
    prepare: ({ open }) => open(),
    act: ({ page }, other) => Promise.all([page.close(), other.close()]),
  },
  {
    name: 'a route of a single-page application that unmounts the hook and mounts it again',
    want: [1],
    act: ({ page }) =>
      page.evaluate(async () => {
        for (const waitMs of [0, 100, 200]) {
          client.destroy();
          history.pushState({}, '', `#${waitMs}`);
          await new Promise((resolve) => setTimeout(resolve, waitMs));
          start();
          await client.init();
        }
      }),
  },
  {
    name: 'the tab crashes',
    want: [1, 0],
    crashes: true,
    async act({ page }) {
      page.gone = true;
      await page.crash();
    },
  },
];

/**
 * The counts from now on, each as often as it changed. Asked for all the time, because frames come at
 * most once a second and a visitor who is away for less is to be seen as well.
 */
function watchSequence(t, daemon, customerId) {
  let counts = [];
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      const count = await daemon.count(customerId);
      if (count !== counts.at(-1)) counts.push(count);
      await setTimeout(LOOK_EVERY_MS);
    }
  })();
  defer(t, async () => {
    stopped = true;
    await done;
  });
  return {
    counts: () => counts,
    last: () => counts.at(-1),
    forget: () => (counts = counts.slice(-1)),
  };
}

/** What comes late has come when the grace of whoever goes now is over. */
const settled = (since = Date.now()) =>
  waitFor('the grace to be over', () => Date.now() > since + SETTLED_MS);

inEngines(
  'what a watcher sees of',
  async (test, { browser, shared, engine }) => {
    const site = await startSite(shared);
    const run = (mode, { name, want, graceMs = GRACE_MS, pollingDiffers, noTab, prepare, act }) => {
      const title = mode === 'websocket' ? name : `${name}, ${mode}`;
      const differs = mode === 'polling' ? pollingDiffers : undefined;
      return test(title, { differs }, async (t) => {
        for (let tries = 1; ; tries++) {
          const { took, counts } = await once(t);
          if (isDeepStrictEqual(counts, want)) return;
          if (took < PROMPT_MS || tries === MAX_TRIES) assert.deepEqual(counts, want);
          t.diagnostic(`took ${took} ms and ended in ${counts}: once more`);
        }

        async function once(t) {
          const daemon = await startDaemon(t, { 'presence-ttl': 30, 'disconnect-grace': graceMs });
          const customerId = freshId();
          const config = { customerId, enableWebSocket: mode === 'websocket' };
          const url = site.url('/', { daemon, config });
          const someone = await person(t, browser);
          const open = async () => {
            const page = await openTab(t, someone, url);
            await waitShown(page, 1);
            return page;
          };
          const seen = watchSequence(t, daemon, customerId);
          const page = noTab ? undefined : await open();
          const prepared = await prepare?.({ page, open, mode });
          if (prepare) await settled();
          await waitFor('the count to begin with', () => seen.last() === want[0]);
          seen.forget();
          const began = Date.now();
          await act({ page, open, mode }, prepared);
          const took = Date.now() - began;
          await settled();
          if (process.env.AU_SEQUENCES) t.diagnostic(`${engine.name}: ${title}: ${seen.counts()}`);
          return { took, counts: [...seen.counts()] };
        }
      });
    };
    const quiet = ACTS.filter(({ crashes }) => !crashes);
    await Promise.all([
      ...quiet.map((it) => run('websocket', it)),
      ...quiet.map((it) => run('polling', it)),
    ]);
    // A crash may take the pages of others along. Who polls and crashes is there for one TTL.
    await Promise.all(ACTS.filter(({ crashes }) => crashes).map((it) => run('websocket', it)));
  },
  // AU_ACTS_AT_ONCE=2 for a machine that is busy; AU_SEQUENCES=1 prints what was seen.
  { concurrency: Number(process.env.AU_ACTS_AT_ONCE) || 6 },
);

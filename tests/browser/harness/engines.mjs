// The engines the SDK is tried in, and how a case runs in each of them. What the cases use of a
// browser is this small interface; chromium.mjs, firefox.mjs and webkit.mjs fill it:
//
//   engine   { name, label, programs, cannot: {need: reason}, insecureHost, launch(t) -> browser }
//   browser  { version, person(t) -> person, window(t) -> person }
//   person   { open() -> page, opened(act) -> the page that act opens, close() }
//   page     { goto(url), evaluate(fn, ...args), click(selector), reload(), back(), forward(),
//              close(), crash(), frame() -> {evaluate}, errors: [], messages: [] (of the console) }
//            of `window` only: show(), freeze(), resume()
//
// A person is a profile of its own, and all of its pages are visible; the pages of `window` are tabs
// of one window, of which the last one opened or shown hides the others. `back` and `forward` return
// before the page is there. The network is cut beside the browser: see line.mjs.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from '../../integration/harness.mjs';
import * as chromium from './chromium.mjs';
import * as firefox from './firefox.mjs';
import * as webkit from './webkit.mjs';

export const ENGINES = [chromium, firefox, webkit].map(({ engine }) => engine);

/** Seen with beacons and with kept-alive requests, of pages that do nothing else as well. */
export const LOSES_LEAVES =
  'Firefox at times loses what a closing page sends; the session then ends by disconnect-grace, or by its TTL';

/** AU_ENGINES=firefox,webkit narrows a run down. */
export function chosenEngines(wanted = process.env.AU_ENGINES) {
  if (!wanted) return ENGINES;
  const names = wanted.split(',');
  const unknown = names.filter((name) => !ENGINES.some((engine) => engine.name === name));
  assert.deepEqual(unknown, [], `engines are ${ENGINES.map(({ name }) => name)}`);
  return ENGINES.filter(({ name }) => names.includes(name));
}

/** Most cases wait for timers, and each has people of its own. */
const CONCURRENCY = 3;

/**
 * Runs a file's cases in one engine after the other. `define(test, {engine, browser, shared})`
 * declares them: `test(name, fn)`, or `test(name, {needs: ['freeze']}, fn)` for what not every engine
 * can do: its `cannot` has the reason, which goes into the matrix in place of a result. A case with
 * `{differs: {firefox: why}}` is known not to hold there, or not always: it runs, and may fail.
 */
export function inEngines(title, define, { concurrency = CONCURRENCY } = {}) {
  for (const engine of chosenEngines()) {
    suite(
      `${title} in ${engine.label}`,
      async (declare, shared) => {
        const results = { engine: engine.name, title, version: null, cases: [] };
        const missing = engine.programs.find((it) => !existsSync(it));
        assert.ok(!missing, `${engine.label} is not here (${missing}): "make deps" installs it`);
        const browser = await engine.launch(shared);
        results.version = browser.version;
        const running = [];
        const test = (name, options, fn = options) => {
          const entry = { name, result: 'fails' };
          results.cases.push(entry);
          const need = options.needs?.find((it) => engine.cannot[it]);
          if (need) {
            Object.assign(entry, { result: 'not possible', reason: engine.cannot[need] });
            return shared.diagnostic(`not possible: ${name}: ${entry.reason}`);
          }
          const why = options.differs?.[engine.name];
          const whole = async (t) => {
            if (why) {
              const error = await fn(t).catch((error) => error);
              t.diagnostic(
                error ? `differs: ${why}: ${error.message}` : `held this time, though ${why}`,
              );
              Object.assign(entry, { result: 'differs', reason: why });
            } else {
              await fn(t);
              entry.result = 'yes';
            }
          };
          const done = declare(name, whole);
          running.push(done);
          return done;
        };
        await define(test, { engine, browser, shared });
        await Promise.all(running);
        await keep(results);
      },
      { concurrency },
    );
  }
}

/** Leaves the results where matrix.mjs finds them, if this run is to have a matrix. */
async function keep(results) {
  const folder = process.env.AU_RESULTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  const file = `${results.title.replaceAll(' ', '-')}.${results.engine}.json`;
  await writeFile(path.join(folder, file), JSON.stringify(results, null, 1));
}

// `make bench`: every row of bench/rows.mjs, measured here and now, ours beside its peer.
// BENCH=quick is small and writes nothing; in full it writes docs/explanation/benchmarks.md and its plot.
import { fileURLToPath } from 'node:url';
import path from 'node:path';

import { crowd } from './bench/crowd.mjs';
import { dashboard } from './bench/dashboard.mjs';
import { fanout } from './bench/fanout.mjs';
import { history } from './bench/history.mjs';
import { http } from './bench/http.mjs';
import { memory } from './bench/memory.mjs';
import { writePage } from './bench/page.mjs';
import { Missing } from './bench/process.mjs';
import { rowsOf, SCALES } from './bench/rows.mjs';
import { startup } from './bench/startup.mjs';
import { storm } from './bench/storm.mjs';
import { printTable } from './bench/table.mjs';
import { ticks } from './bench/ticks.mjs';

const scenarios = { startup, http, fanout, memory, storm, ticks, crowd, history, dashboard };
const name = process.env.BENCH || 'full';
const only = process.env.ROWS ? process.env.ROWS.split(',') : null;
const scale = SCALES[name];
if (!scale || only?.some((word) => !(word in scenarios))) {
  console.error(`bench: BENCH is quick or full, ROWS a list of ${Object.keys(scenarios).join(', ')}`);
  process.exit(2);
}

const showsProgress = process.stderr.isTTY && !process.env.CI;
const progress = (text) => showsProgress && process.stderr.write(`\r${text}\x1b[K`);

/**
 * Runs one scenario; whatever it starts with use() is stopped behind it. What is missing or fails is
 * remembered under its name, which is the peer's in the rows, or else under the scenario's.
 */
async function run(scenario, measured) {
  const servers = [];
  const failed = (what, error) => {
    measured.reasons.set(what, error.message);
    measured.broken ||= !(error instanceof Missing);
    return null;
  };
  const attempt = (what, work) => work().catch((error) => failed(what, error));
  const use = (what, startIt) =>
    attempt(what, async () => {
      progress(`bench: ${scenario}: starting ${what}`);
      const server = await startIt();
      if (server.stop) servers.push(server);
      progress(`bench: ${scenario}`);
      return server;
    });
  const must = async (what, startIt) => {
    const server = await use(what, startIt);
    if (!server) throw new Missing(measured.reasons.get(what));
    return server;
  };
  const note = (id, figure) => {
    measured.figures.set(id, figure);
    progress(`bench: ${scenario}: ${measured.figures.size} rows`);
  };
  await attempt(scenario, () => scenarios[scenario]({ scale, use, must, attempt, note }));
  await Promise.all(servers.map((server) => server.stop()));
}

const measured = { figures: new Map(), reasons: new Map(), broken: false };
const begun = performance.now();
for (const scenario of only ?? Object.keys(scenarios)) await run(scenario, measured);
progress('');

const rows = rowsOf(scale)
  .filter((row) => !only || only.includes(row.from))
  .map((row) => ({
    ...row,
    figure: measured.figures.get(row.id) ?? null,
    reason:
      measured.reasons.get(row.peer) ??
      measured.reasons.get(row.from) ??
      ([...measured.reasons.values()].join('; ') || 'no figure'),
  }));
const seconds = (performance.now() - begun) / 1000;
printTable(rows, { name, seconds });
if (name === 'full' && !only) {
  const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../docs/explanation');
  await writePage(folder, rows, seconds);
}
process.exitCode = measured.broken ? 1 : 0;

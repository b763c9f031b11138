// The same with many sockets, in every order and with ports that each daemon binds for itself.
// SOCKETS=2000; WRITE=1 puts the plot into docs/howto/upgrade.svg and the figures into upgrade.md.
import { readFile, writeFile } from 'node:fs/promises';

import { STORES, suite } from '../integration/harness.mjs';
import { plot } from './plot.mjs';
import { judge, ofAnswers, ofFrames, upgrade } from './scene.mjs';

const sockets = Number(process.env.SOCKETS ?? 2000);
const docs = new URL('../../docs/howto/', import.meta.url);
const MARKS = ['<!-- figures: written by make test-upgrade WRITE=1 -->\n', '<!-- end of figures -->'];
const KINDS = [
  { order: 'overlap', name: 'next one first' },
  { order: 'restart', name: 'one after the other' },
  { order: 'overlap', shared: true, name: 'next one first, --reuse-port' },
];

const percent = (share) => `${(share * 100).toFixed(2)} %`;
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

function sceneOf(title, { crowd, began, gone, over }) {
  const s = (ms) => (ms - began) / 1000;
  return {
    title,
    gone: s(gone),
    end: s(over),
    truth: crowd.truth.steps.map(({ at, low }) => ({ at: s(at), value: low })),
    open: crowd.openings.map(({ at, open }) => ({ at: s(at), value: open })),
    answers: crowd.answers.map(({ asked, at, count }) => ({ asked: s(asked), at: s(at), count })),
  };
}

/** Of one upgrade: what was asked, what failed, how long people waited, how wrong the count was. */
function rowOf(title, { crowd, began }) {
  const longest = (all, of) => Math.max(...all.map(of));
  return [
    title,
    `${crowd.requests}`,
    `${crowd.failures.length}`,
    seconds(longest(crowd.answers, ({ asked, at }) => at - asked)),
    seconds(longest(crowd.returns, ({ closed, back }) => back - closed)),
    seconds(longest(crowd.returns, ({ back }) => back - began)),
    percent(ofAnswers(crowd).off),
    percent(ofFrames(crowd).off),
  ];
}

const HEAD = [
  ...['', 'requests and handshakes', 'failed', 'longest wait for a count'],
  ...['a socket is away, at most', 'all are back after'],
  ...['count off, asked', 'count off, watched'],
];

const table = (rows) =>
  [HEAD, HEAD.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`).join('');

async function write(rows, scenes) {
  await writeFile(new URL('upgrade.svg', docs), plot(scenes));
  const page = new URL('upgrade.md', docs);
  const text = await readFile(page, 'utf8');
  const [from, to] = [text.indexOf(MARKS[0]) + MARKS[0].length, text.indexOf(MARKS[1])];
  await writeFile(page, text.slice(0, from) + table(rows) + text.slice(to));
}

suite(
  `upgrade with ${sockets} sockets`,
  async (test) => {
    const [rows, scenes] = [[], []];
    const done = [];
    for (const store of STORES)
      for (const { name, order, shared } of KINDS)
        done.push(
          test(`${store}, ${name}`, async (t) => {
            const scene = await upgrade(t, { store, order, shared, sockets });
            const title = `${store}, ${name}`;
            rows.push(rowOf(title, scene));
            if (!shared) scenes.push(sceneOf(title, scene));
            judge(scene, sockets);
          }),
        );
    await Promise.all(done);
    process.stdout.write(table(rows));
    if (process.env.WRITE) await write(rows, scenes);
  },
  { concurrency: 1, timeoutMs: 300_000 },
);

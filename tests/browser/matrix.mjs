// The matrix of docs/explanation/sdk-internals.md: which case passes in which engine, from the results of the last run.
// With --write it is put there, else the page has to have it already.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { chosenEngines, ENGINES } from './harness/engines.mjs';

const PAGE = new URL('../../docs/explanation/sdk-internals.md', import.meta.url);
const BEGIN = '<!-- written by the browser suite: make docs -->\n';
const END = '<!-- end of what is written -->';
const BLOCK = new RegExp(`(?<=${BEGIN})[^]*?(?=${END})`);

const NOT_RUN = 'not run';

/** What a run has left: [{engine, title, version, cases: [{name, result, reason}]}]. */
export function readResults(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')));
}

/** Markdown. Reasons are footnotes, each of them once. */
export function matrixOf(results, engines = ENGINES) {
  const reasons = [];
  const cell = (title, name, engine) => {
    const file = results.find((it) => it.title === title && it.engine === engine.name);
    const entry = file?.cases.find((it) => it.name === name);
    if (!entry?.reason) return entry?.result ?? NOT_RUN;
    if (!reasons.includes(entry.reason)) reasons.push(entry.reason);
    return `${entry.result} (${reasons.indexOf(entry.reason) + 1})`;
  };
  const version = ({ name, label }) => {
    const known = results.find((it) => it.engine === name && it.version)?.version;
    return known
      ? `${label} ${known
          .split('.')
          .slice(0, name === 'webkit' ? 2 : 1)
          .join('.')}`
      : label;
  };
  const row = (cells) => `| ${cells.join(' | ')} |\n`;
  let text = row(['', ...engines.map(version)]) + row(Array(engines.length + 1).fill('---'));
  for (const title of new Set(results.map((it) => it.title))) {
    text += row([`**${title}**`, ...engines.map(() => '')]);
    const names = results.filter((it) => it.title === title).flatMap((it) => it.cases);
    for (const name of new Set(names.map((it) => it.name)))
      text += row([name, ...engines.map((engine) => cell(title, name, engine))]);
  }
  if (reasons.length > 0) text += `\n${reasons.map((why, i) => `${i + 1}. ${why}\n`).join('')}`;
  return text;
}

/** The table without the versions, which change with every update of a browser, as {row: {engine: cell}}. */
export function cellsOf(text, engines = ENGINES) {
  const reasons = new Map([...text.matchAll(/^(\d+)\. (.*)$/gm)].map(([, at, why]) => [at, why]));
  const rows = [...text.matchAll(/^\| (.*) \|$/gm)].slice(2).map(([, row]) => row.split(' | '));
  return Object.fromEntries(
    rows.map(([name, ...cells]) => [
      name,
      Object.fromEntries(
        engines.map((engine, i) => [
          engine.name,
          cells[i].replace(/\((\d+)\)/, (_, at) => `(${reasons.get(at)})`),
        ]),
      ),
    ]),
  );
}

export function written(page, results) {
  const text = matrixOf(results);
  assert.ok(!text.includes(`| ${NOT_RUN} |`), 'run all engines first: make browser ENGINES=all');
  return page.replace(BLOCK, () => `\n${text}\n`);
}

/** Throws where the page does not say what the run of the chosen engines found. */
export function check(page, results, chosen = ENGINES) {
  for (const { name, label, programs } of chosen) {
    const here = results.some((it) => it.engine === name && it.version);
    assert.ok(here, `${label} was not run: "make deps" installs ${programs.join(' and ')}`);
  }
  const [ran, kept] = [cellsOf(matrixOf(results)), cellsOf(BLOCK.exec(page)[0])];
  // What this run left out is judged by the next whole one; a row that is gone shows only there.
  const isWhole = !Object.values(ran).some((it) => Object.values(it).includes(NOT_RUN));
  const judged = (cells) =>
    Object.fromEntries(
      Object.entries(cells)
        .filter(([row]) => isWhole || ran[row])
        .map(([row, it]) => [
          row,
          chosen.filter(({ name }) => ran[row]?.[name] !== NOT_RUN).map(({ name }) => it[name]),
        ]),
    );
  const [want, have] = [judged(ran), judged(kept)];
  assert.deepEqual(have, want, 'the matrix of docs/explanation/sdk-internals.md is old: run "make docs"');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const results = readResults(process.env.AU_RESULTS);
  const page = readFileSync(PAGE, 'utf8');
  if (process.argv.includes('--write')) {
    writeFileSync(PAGE, written(page, results));
  } else {
    check(page, results, chosenEngines());
    console.log('the matrix of docs/explanation/sdk-internals.md is as the engines are');
  }
}

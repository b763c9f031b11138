// docs/reference/close-codes.md beside the table in the code: the codes that the daemon chooses, and the
// reasons that its close frames give. `--write` writes the reasons into the page.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { inRoot } from './kit/pages.mjs';

const PAGE = inRoot('docs/reference/close-codes.md');
const BEGIN = '<!-- close codes: written by make docs -->\n';
const END = '<!-- end of close codes -->\n';

const TEXT = String.raw`((?:"(?:\\.|[^"\\])*"\s*)+)`;
const textOf = (literals) =>
  [...literals.matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, part]) => part.replace(/\\(.)/g, '$1')).join('');

/** [{name, code, reason}] of WS_CODE_TABLE, in its order. */
export function tableOf(header) {
  const [, table] = /#define WS_CODE_TABLE\(X\)((?:.*\\\n)+.*)/.exec(header);
  const row = new RegExp(String.raw`X\((\w+), (\d+), (?:true|false),[\s\\]*${TEXT}\)`, 'g');
  const rows = [...table.matchAll(row)].map(([, name, code, reason]) => ({ name, code: +code, reason: textOf(reason) }));
  if (rows.length !== table.match(/\bX\(/g)?.length) throw new Error('a row of WS_CODE_TABLE is not read');
  return rows;
}

/** [{name, reason}] of closings with a reason of their own: calls, and what a token is refused with. */
export function reasonsOf(code) {
  const calls = String.raw`(?:\b(?:ws_socket_close_for|refuse)\(\w+, |\{\{\d+, )WS_CODE_(\w+),\s*${TEXT}`;
  return [...code.matchAll(new RegExp(calls, 'g'))].map(([, name, reason]) => ({ name, reason: textOf(reason) }));
}

/** Closings by a number, which no table would know. */
export const numbersOf = (code) => code.match(/\b(?:ws_socket_close(?:_for)?|refuse|start_close)\(\w+, \d+[^)]*\)/g) ?? [];

export function sourcesOf(...folders) {
  return folders.flatMap((folder) =>
    readdirSync(inRoot(folder))
      .filter((name) => name.endsWith('.c'))
      .sort()
      .map((name) => readFileSync(path.join(inRoot(folder), name), 'utf8')),
  );
}

const SOURCES = sourcesOf('src/server/transports/websocket', 'src/server/transports/access');
export const closings = {
  table: tableOf(readFileSync(inRoot('src/server/wire/close_codes.h'), 'utf8')),
  reasons: SOURCES.flatMap(reasonsOf),
  numbers: SOURCES.flatMap(numbersOf),
};

/** The codes of the first column below a heading. */
export function codesBelow(page, heading) {
  const [, section] = page.split(`## ${heading}\n`);
  return [...section.split('\n## ')[0].matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => +code);
}

/** The page as it should be. */
export function written(page) {
  const rows = closings.table.flatMap(({ name, code, reason }) => {
    const own = closings.reasons.filter((one) => one.name === name).map((one) => one.reason);
    return [...new Set([reason, ...own])].map((text) => `| ${code} | ${text} |\n`);
  });
  const [before, rest] = page.split(BEGIN);
  return `${before}${BEGIN}| code | reason |\n|---|---|\n${rows.join('')}${END}${rest.split(END)[1]}`;
}

export const readPage = () => readFileSync(PAGE, 'utf8');

if (import.meta.url === pathToFileURL(process.argv[1]).href && process.argv[2] === '--write')
  writeFileSync(PAGE, written(readPage()));

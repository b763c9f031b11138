// The table of docs/reference/log-events.md: each line that the code can log. The last column is written by
// hand and stays; a line without it is a fault. `--write` writes the page.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { inRoot } from './kit/pages.mjs';

const PAGE = inRoot('docs/reference/log-events.md');
const BEGIN = '<!-- log events: written by make docs -->\n';
const END = '<!-- end of log events -->\n';

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(file);
    else if (entry.name.endsWith('.c')) yield file;
  }
}

/** The arguments of the call whose `(` is at `at`, as text; strings that stand side by side are joined. */
function argumentsAt(code, at) {
  const found = [''];
  for (let i = at + 1, depth = 0; ; i += 1) {
    const c = code[i];
    if (c === '"') {
      const [text] = /^"(?:\\.|[^"\\])*"/.exec(code.slice(i));
      found.push(found.pop() + text);
      i += text.length - 1;
    } else if (c === ')' && depth === 0) return found.map((text) => text.replace(/"\s*"/g, '').trim());
    else if (c === ',' && depth === 0) found.push('');
    else {
      if (c === '(') depth += 1;
      if (c === ')') depth -= 1;
      found.push(found.pop() + c);
    }
  }
}

const strings = (text) => [...text.matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, inner]) => inner.replace(/\\(.)/g, '$1'));

/** [{level, component, event, fields}]; a choice of two texts is two events. */
export function eventsOf(code) {
  const events = [];
  for (const call of code.matchAll(/\blog_(error|warn|info|debug)\(/g)) {
    const [component, event, ...fields] = argumentsAt(code, call.index + call[0].length - 1);
    // The store that daemons share has one kind today, and names itself.
    const from = strings(component)[0] ?? 'redis';
    const names = fields.flatMap((field) => (/^LOG_(STR|INT|SLICE)/.test(field) ? strings(field).slice(0, 1) : []));
    for (const text of strings(event)) events.push({ level: call[1], component: from, event: text, fields: names });
  }
  return events;
}

const rank = ({ level }) => ['error', 'warn', 'info', 'debug'].indexOf(level);

function allEvents() {
  const byKey = new Map();
  for (const file of sources(inRoot('src/server')))
    for (const one of eventsOf(readFileSync(file, 'utf8'))) {
      const key = `${one.component} ${one.event}`;
      const known = byKey.get(key) ?? { ...one, fields: [] };
      known.fields = [...new Set([...known.fields, ...one.fields])];
      if (rank(one) < rank(known)) known.level = one.level;
      byKey.set(key, known);
    }
  return [...byKey.values()].sort(
    (a, b) => a.component.localeCompare(b.component) || rank(a) - rank(b) || a.event.localeCompare(b.event),
  );
}

/** What stands in the last column by now, by component and event. */
function advice(page) {
  const rows = [...page.matchAll(/^\| `([^`]+)` \| `([^`]+)` \| .* \| (.*) \|$/gm)];
  return new Map(rows.map(([, component, event, text]) => [`${component} ${event}`, text.trim()]));
}

/** {page: as it should be, missing: events without advice}. */
export function written(page) {
  const known = advice(page);
  const events = allEvents();
  const rows = events.map(({ component, event, level, fields }) => {
    const names = fields.map((name) => `\`${name}\``).join(' ');
    return `| \`${component}\` | \`${event}\` | ${level} | ${names} | ${known.get(`${component} ${event}`) ?? ''} |\n`;
  });
  const head = '| component | event | level | fields | what it means, and what to do |\n|---|---|---|---|---|\n';
  const [before, rest] = page.split(BEGIN);
  const after = rest.split(END)[1];
  const missing = events.map(({ component, event }) => `${component} ${event}`).filter((key) => !known.get(key));
  return { page: before + BEGIN + head + rows.join('') + END + after, missing };
}

export const readPage = () => readFileSync(PAGE, 'utf8');

if (import.meta.url === pathToFileURL(process.argv[1]).href && process.argv[2] === '--write')
  writeFileSync(PAGE, written(readPage()).page);

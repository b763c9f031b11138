// `make attack`: hostile peers against the real daemon with its default options, a row each, with
// a bound each. ROWS=all is every row there is, ROWS=a,b those rows or themes; SHORT=1 is what
// `make test` runs of them.
import { Scope } from './kit/scope.mjs';
import { holds, tableText } from './kit/table.mjs';
import { ROWS, THEMES } from './rows.mjs';

const short = process.env.SHORT === '1';
const words = process.env.ROWS ? process.env.ROWS.split(',') : null;
const unknown = words?.filter(
  (word) => word !== 'all' && !(word in THEMES) && !ROWS.some(({ name }) => name === word),
);
if (unknown?.length > 0) {
  console.error(
    `attack: no row ${unknown.join(', ')}. Themes: all, ${Object.keys(THEMES).join(', ')}. Rows:`,
  );
  for (const { name, what } of ROWS) console.error(`  ${name.padEnd(22)} ${what}`);
  process.exit(2);
}
const isChosen = (row, word) => word === 'all' || word === row.name || THEMES[word]?.includes(row);
const chosen = ROWS.filter((row) =>
  words ? words.some((word) => isChosen(row, word)) : !row.more,
);

const showsProgress = process.stderr.isTTY && !process.env.CI;
const progress = (text) => showsProgress && process.stderr.write(`\r${text}\x1b[K`);

async function runRow(row) {
  const scope = new Scope();
  const result = { name: row.name, before: row.before };
  try {
    result.checks = await row.run({ t: scope, short });
  } catch (error) {
    result.error = error.message;
  }
  await scope.close().catch((error) => (result.error ??= error.message));
  return result;
}

const begun = performance.now();
/** A row that only waits runs beside the others. */
const background = new Map(chosen.filter((row) => row.background).map((row) => [row, runRow(row)]));
const results = [];
for (const [at, row] of chosen.entries()) {
  const missed = results.filter(({ checks, error }) => error || !checks.every(holds)).length;
  progress(
    `attack ${at + 1}/${chosen.length}: ${row.name}: ${row.what}${missed ? `, ${missed} missed` : ''}`,
  );
  if (!background.has(row)) results.push(await runRow(row));
}
progress('waiting for rows in the background');
results.push(...(await Promise.all(background.values())));
progress('');

const order = new Map(ROWS.map(({ name }, at) => [name, at]));
results.sort((a, b) => order.get(a.name) - order.get(b.name));
console.log(tableText(results, { colour: process.stdout.isTTY }));
const missed = results.filter(({ checks, error }) => error || !checks.every(holds));
const seconds = Math.round((performance.now() - begun) / 1_000);
console.log(`\n${results.length - missed.length} of ${results.length} attacks held, ${seconds} s`);
if (missed.length > 0) {
  console.log('missed:');
  for (const { name, before } of missed)
    console.log(`  ${name}: ${ROWS.find((row) => row.name === name).what} (before: ${before})`);
}
process.exit(missed.length > 0 ? 1 : 0);

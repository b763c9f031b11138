// Whether a check holds, and the table of all of them.

/** {what, measured} and one of most, least, is; `info` has no bound. */
export const holds = ({ measured, most, least, is, info }) =>
  info === true ||
  (most !== undefined && measured <= most) ||
  (least !== undefined && measured >= least) ||
  (is !== undefined && measured === is);

function number(value) {
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return value.toFixed(Math.abs(value) < 10 ? 2 : 0);
}

const withUnit = (value, unit) => (unit ? `${number(value)} ${unit}` : number(value));

export function boundText({ most, least, is, info, unit, measured }) {
  if (info) return '';
  if (typeof measured === 'string') return '';
  if (most !== undefined) return `≤ ${withUnit(most, unit)}`;
  if (least !== undefined) return `≥ ${withUnit(least, unit)}`;
  return `= ${withUnit(is, unit)}`;
}

/** What a failed check says. */
export const sentence = (check) =>
  `${check.what}: ${withUnit(check.measured, check.unit)}, bound ${boundText(check)}` +
  (check.note ? ` (${check.note})` : '');

const HEAD = ['row', 'what', 'measured', 'bound', '', 'note'];

/** Rows of results: {name, before, checks} or {name, error}. */
export function tableText(results, { colour = false } = {}) {
  const paint = (text, code) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const lines = [HEAD];
  for (const { name, checks, error } of results) {
    if (error) lines.push([name, '(failed)', '', '', 'MISSED', error.split('\n')[0]]);
    for (const [i, check] of (checks ?? []).entries())
      lines.push([
        i === 0 ? name : '',
        check.what,
        withUnit(check.measured, check.unit),
        boundText(check),
        check.info ? '' : holds(check) ? 'ok' : 'MISSED',
        check.note ?? '',
      ]);
  }
  const widths = HEAD.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  return lines
    .map((line, row) => {
      const cells = line.map((cell, at) =>
        at === 2 || at === 3 ? cell.padStart(widths[at]) : cell.padEnd(widths[at]),
      );
      if (line[4] === 'MISSED') cells[4] = paint(cells[4], 31);
      if (line[4] === 'ok') cells[4] = paint(cells[4], 32);
      return row === 0 ? paint(cells.join('  '), 1) : cells.join('  ');
    })
    .map((line) => line.trimEnd())
    .join('\n');
}

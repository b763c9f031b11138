// The table on the terminal.
import { goalText, meets, number, withUnit } from './figures.mjs';

/** The cells of a row; one that could not be measured has its reason in place of a figure. */
export function cells(row) {
  const { figure } = row;
  const goal = goalText(row);
  if (!figure) return [row.what, '', row.peer, '', goal, `not measured: ${row.reason}`];
  const peer = figure.peer === null ? '' : `${withUnit(figure.peer, row.unit)} ${row.peer}`;
  const ratio = figure.ratio === null ? '' : `${number(figure.ratio)} ×`;
  return [row.what, withUnit(figure.ours, row.unit), peer, ratio, goal, meets(row, figure) ? 'met' : 'MISSED'];
}

export const HEAD = ['what', 'ours', 'peer', 'ratio', 'goal', ''];

export function tableText(rows) {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column])).join(' | ').trimEnd())
    .join('\n');
}

export function printTable(rows, { name, seconds }) {
  console.log(tableText(rows));
  const known = rows.filter((row) => row.figure);
  const met = known.filter((row) => meets(row, row.figure)).length;
  console.log(
    `\n${met} of ${known.length} goals met, ${rows.length - known.length} rows not measured, ` +
      `${Math.round(seconds)} s` + (name === 'quick' ? '; quick figures show that it works, no more' : ''),
  );
}

// Numbers: medians, ratios, verdicts, and how they are printed. Measures nothing.

export function median(numbers) {
  if (numbers.length === 0) throw new Error('a median of nothing');
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * One figure of a row: ours and the peer's medians over the rounds. The ratio is the median of the
 * rounds' own ratios: what a busy machine does to one round, it does to both sides of it.
 */
export function compare(ours, theirs = null) {
  const figure = { ours: median(ours), peer: null, ratio: null };
  if (theirs === null) return figure;
  if (theirs.length !== ours.length) throw new Error('rounds that are not pairs');
  figure.peer = median(theirs);
  figure.ratio = median(ours.map((value, round) => value / theirs[round]));
  return figure;
}

/** Runs each measurement once a round, in turn: [[a's results], [b's results], …]. */
export async function interleave(rounds, measurements) {
  const results = measurements.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, measurement] of measurements.entries()) results[i].push(await measurement(round));
  return results;
}

/** What a goal looks at: the ratio, or our own figure when it has no peer to be compared with. */
export function judged(row, figure) {
  return row.goal.of === 'ratio' ? figure.ratio : figure.ours;
}

export function meets(row, figure) {
  const value = judged(row, figure);
  return 'max' in row.goal ? value <= row.goal.max : value >= row.goal.min;
}

/** How far from the goal: 1 is exactly on it, less is better, whichever way the goal points. */
export function share(row, figure) {
  const value = judged(row, figure);
  return 'max' in row.goal ? value / row.goal.max : row.goal.min / value;
}

/** Three digits that count, thousands with commas. */
export function number(value) {
  if (value === null) return '';
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const withUnit = (value, unit) => (value === null ? '' : `${number(value)} ${unit}`);

export function goalText(row) {
  const { of, max, min } = row.goal;
  const bound = max === undefined ? `≥ ${min.toLocaleString('en-US')}` : `≤ ${max.toLocaleString('en-US')}`;
  return of === 'ratio' ? `${bound} ×` : `${bound} ${row.unit}`;
}

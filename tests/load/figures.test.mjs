// The arithmetic and the print of the benchmark, without measuring anything.
import assert from 'node:assert/strict';
import test from 'node:test';

import { compare, goalText, interleave, median, meets, number, share } from './bench/figures.mjs';
import { place, plot } from './bench/plot.mjs';
import { rowsOf, SCALES } from './bench/rows.mjs';
import { cells, tableText } from './bench/table.mjs';

test('a median is the middle, or between the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
  assert.throws(() => median([]), /nothing/);
});

test('a ratio is the median of the ratios of the rounds', () => {
  // The second round met a busy machine, on both sides.
  assert.deepEqual(compare([10, 40, 10], [20, 80, 10]), { ours: 10, peer: 20, ratio: 0.5 });
  assert.deepEqual(compare([3, 1, 2]), { ours: 2, peer: null, ratio: null });
  assert.throws(() => compare([1, 2], [1]), /pairs/);
});

test('rounds take turns', async () => {
  const order = [];
  const results = await interleave(2, [
    async (round) => order.push(`a${round}`),
    async (round) => order.push(`b${round}`),
  ]);
  assert.deepEqual(order, ['a0', 'b0', 'a1', 'b1']);
  assert.deepEqual(results, [
    [1, 3],
    [2, 4],
  ]);
});

for (const [name, goal, figure, met, howFar, text] of [
  ['at the bound', { of: 'ratio', max: 0.9 }, { ours: 9, peer: 10, ratio: 0.9 }, true, 1, '≤ 0.9 ×'],
  ['above it', { of: 'ratio', max: 0.5 }, { ours: 9, peer: 9, ratio: 1 }, false, 2, '≤ 0.5 ×'],
  ['at least', { of: 'ratio', min: 0.6 }, { ours: 3, peer: 10, ratio: 0.3 }, false, 2, '≥ 0.6 ×'],
  ['our own', { of: 'ours', max: 4000 }, { ours: 2000, peer: 9, ratio: 222 }, true, 0.5, '≤ 4,000 B'],
]) {
  test(`a goal: ${name}`, () => {
    const row = { what: 'x', peer: '', unit: 'B', goal, figure };
    assert.equal(meets(row, figure), met);
    assert.equal(share(row, figure), howFar);
    assert.equal(goalText(row), text);
    assert.equal(cells(row).at(-1), met ? 'met' : 'MISSED');
  });
}

test('numbers have three digits that count', () => {
  assert.deepEqual([0.1234, 1.236, 12.34, 123.4, 12345].map(number), ['0.12', '1.24', '12.3', '123', '12,345']);
});

test('a row without a figure says why in words', () => {
  const row = { what: 'x', peer: 'nginx', unit: 'B', goal: { of: 'ours', max: 1 }, figure: null };
  const text = tableText([{ ...row, reason: 'nginx is not installed' }]);
  assert.match(text, /not measured: nginx is not installed$/);
});

test('every row has a goal, and an id of its own', () => {
  for (const scale of Object.values(SCALES)) {
    const rows = rowsOf(scale);
    assert.equal(new Set(rows.map((row) => row.id)).size, rows.length);
    for (const row of rows) assert.ok((row.goal.max ?? row.goal.min) > 0, row.id);
  }
});

test('the plot keeps every dot on its axis, and text out of its markup', () => {
  assert.ok(place(0.001) === place(1 / 16) && place(100) === place(4));
  assert.ok(place(0.5) < place(1) && place(1) < place(2));
  const svg = plot([{ label: 'a < b & c', share: 0.5 }]);
  assert.match(svg, /a &lt; b &amp; c/);
  assert.match(svg, /^<svg .*<\/svg>\n$/s);
});

// The whole benchmark in small: every row prints a figure. How large it is, is not judged here.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { Process, tempDir } from '../integration/harness.mjs';
import { rowsOf, SCALES } from './bench/rows.mjs';

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'bench.mjs');
const words = ['AU_DAEMON', 'AU_LOAD', 'AU_BARE', 'AU_FILL_HISTORY'];
const binaries = Object.fromEntries(words.map((name) => [name, process.env[name]]).filter(([, value]) => value));

function bench(env) {
  return new Process(process.execPath, [script], { ...binaries, CI: '1', ...env });
}

test('BENCH=quick prints every row, and leaves nothing behind', { timeout: 600_000 }, async (t) => {
  const dir = await tempDir(t);
  const run = bench({ BENCH: 'quick', TMPDIR: dir });
  const { code } = await run.waitExit(590_000);
  assert.equal(code, 0, run.stdout + run.stderr);
  assert.equal(run.stderr, '');
  const lines = run.stdout.split('\n');
  for (const [i, row] of rowsOf(SCALES.quick).entries()) {
    const cells = lines[i + 1].split('|').map((cell) => cell.trim());
    assert.equal(cells[0], row.what);
    // A peer that is not installed is the only excuse.
    if (/^not measured: .* not installed$/.test(cells[5])) continue;
    assert.match(cells[1], /^[\d,.]+ \S+$/, lines[i + 1]);
    assert.match(cells[5], /^(met|MISSED)$/, lines[i + 1]);
    if (row.peer) assert.match(cells[3], /^[\d,.]+ ×$/, lines[i + 1]);
  }
  assert.deepEqual(readdirSync(dir), []);
});

test('a wrong word ends it at once', async () => {
  for (const env of [{ BENCH: 'huge' }, { BENCH: 'quick', ROWS: 'http,nope' }]) {
    const run = bench(env);
    assert.equal((await run.waitExit()).code, 2);
    assert.match(run.stderr, /BENCH is quick or full/);
  }
});

test('a daemon that does not start is said so, in words', async () => {
  const run = bench({ BENCH: 'quick', ROWS: 'memory', AU_DAEMON: '/bin/false' });
  assert.equal((await run.waitExit()).code, 1);
  assert.match(run.stdout, /not measured: the daemon: ended with 1/);
});

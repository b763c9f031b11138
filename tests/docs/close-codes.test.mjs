// The page of close codes has each code that the daemon can choose, and none besides.
import assert from 'node:assert/strict';
import test from 'node:test';

import { closings, codesBelow, numbersOf, readPage, reasonsOf, tableOf, written } from './close_codes.mjs';

const MAX_REASON_BYTES = 123; // of a control frame, behind the code
const page = readPage();

test('the codes of the page are those of the table in the code, in its order', () => {
  assert.deepEqual(
    codesBelow(page, 'From the daemon'),
    closings.table.map(({ code }) => code),
  );
});

test('what comes from others is none of them, but 1001, which clients and daemons send', () => {
  const ours = new Set(closings.table.map(({ code }) => code));
  assert.deepEqual(codesBelow(page, 'From others').filter((code) => ours.has(code)), [1001]);
});

test('each reason is on the page', () => {
  assert.equal(page, written(page), 'docs/reference/close-codes.md is old: run "make docs"');
});

test('each closing names a code of the table, and its reason fits', () => {
  const names = new Set(closings.table.map(({ name }) => name));
  assert.ok(closings.reasons.length >= 10, 'closings are found in the code');
  for (const { name, reason } of closings.reasons) assert.ok(names.has(name), `WS_CODE_${name}: ${reason}`);
  for (const { reason } of [...closings.table, ...closings.reasons])
    assert.ok(Buffer.byteLength(reason) <= MAX_REASON_BYTES, reason);
  assert.deepEqual(closings.numbers, []);
});

test('the code is read as the compiler does', () => {
  const header = `#define WS_CODE_TABLE(X) \\
  X(A, 1001, false, "one, \\"two\\"") \\
  /* Ours. */ \\
  X(B_C, 4401, true, \\
    "x " "y")
`;
  assert.deepEqual(tableOf(header), [
    { name: 'A', code: 1001, reason: 'one, "two"' },
    { name: 'B_C', code: 4401, reason: 'x y' },
  ]);
  const code = `refuse(s, WS_CODE_A,
      "one "
      "two"); x = {{401, WS_CODE_B_C, "three"}, 1}; ws_socket_close(s, WS_CODE_A); ws_socket_close(s, 1013);`;
  assert.deepEqual(reasonsOf(code), [
    { name: 'A', reason: 'one two' },
    { name: 'B_C', reason: 'three' },
  ]);
  assert.deepEqual(numbersOf(code), ['ws_socket_close(s, 1013)']);
});

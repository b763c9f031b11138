// The matrix of the docs is held to the run: an old one and a missing engine fail.
import assert from 'node:assert/strict';
import test from 'node:test';

import { ENGINES } from './harness/engines.mjs';
import { check, matrixOf, written } from './matrix.mjs';

const PAGE =
  'before\n<!-- written by the browser suite: make docs -->\n<!-- end of what is written -->\nafter\n';

const resultOf = (engine, version, cases) => ({ engine, title: 'tabs', version, cases });
const RUN = [
  resultOf('chromium', '156.0.1', [
    { name: 'a', result: 'yes' },
    { name: 'b', result: 'yes' },
  ]),
  resultOf('firefox', '153.8', [
    { name: 'a', result: 'yes' },
    { name: 'b', result: 'not possible', reason: 'no command' },
  ]),
  resultOf('webkit', '2.50.6', [
    { name: 'a', result: 'differs', reason: 'one less' },
    { name: 'b', result: 'not possible', reason: 'no command' },
  ]),
];

test('the matrix: a row for each case, a reason once', () => {
  assert.equal(
    matrixOf(RUN),
    `|  | Chromium 156 | Firefox 153 | WebKitGTK 2.50 |
| --- | --- | --- | --- |
| **tabs** |  |  |  |
| a | yes | yes | differs (1) |
| b | yes | not possible (2) | not possible (2) |

1. one less
2. no command
`,
  );
});

test('what was written is current, whatever the versions are by then', () => {
  const page = written(PAGE, RUN);
  check(page, RUN);
  check(written(page, RUN), RUN);
  check(page, [{ ...RUN[0], version: '157.0' }, RUN[1], RUN[2]]);
  assert.match(page, /^before\n[^]*\nafter\n$/);
});

for (const [name, results, engines, message] of [
  [
    'a case that is new',
    [{ ...RUN[0], cases: [...RUN[0].cases, { name: 'c', result: 'yes' }] }, RUN[1], RUN[2]],
    ENGINES,
    /make docs/,
  ],
  [
    'a result that is another',
    [{ ...RUN[0], cases: [{ name: 'a', result: 'fails' }, RUN[0].cases[1]] }, RUN[1], RUN[2]],
    ENGINES,
    /make docs/,
  ],
  [
    'another reason',
    [
      RUN[0],
      RUN[1],
      { ...RUN[2], cases: [{ ...RUN[2].cases[0], reason: 'two less' }, RUN[2].cases[1]] },
    ],
    ENGINES,
    /make docs/,
  ],
  [
    'an engine that is not installed',
    [RUN[0], { ...RUN[1], version: null, cases: [] }, RUN[2]],
    ENGINES,
    /Firefox was not run.*make deps/,
  ],
])
  test(`${name} fails`, () => {
    assert.throws(() => check(written(PAGE, RUN), results, engines), message);
  });

test('what a run left out is not judged, and not written', () => {
  const more = { ...RUN[0], title: 'more', cases: [{ name: 'c', result: 'yes' }] };
  const whole = [...RUN, more, ...RUN.slice(1).map((it) => ({ ...more, engine: it.engine }))];
  const part = [...RUN, more];
  check(written(PAGE, whole), part);
  assert.throws(
    () => check(written(PAGE, whole), [...RUN, { ...more, cases: [{ name: 'c', result: 'fails' }] }]),
    /make docs/,
  );
  assert.throws(() => written(PAGE, part), /ENGINES=all/);
});

test('a run of one engine judges that one alone', () => {
  check(
    written(PAGE, RUN),
    [RUN[1]],
    ENGINES.filter(({ name }) => name === 'firefox'),
  );
});

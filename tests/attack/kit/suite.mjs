// Rows as tests, in their short form.
import assert from 'node:assert/strict';

import { suite } from '../../integration/harness/wait.mjs';
import { holds, sentence } from './table.mjs';

/**
 * The rows of the table and the brief ones of their kin. Those that wait for minutes to pass have no
 * short form: unit tests have their arithmetic.
 */
const hasShortForm = ({ background, more, brief }) => !background && (!more || brief);

export function attackSuite(name, rows) {
  suite(
    `attack: ${name}`,
    (test) => {
      for (const row of rows.filter(hasShortForm))
        test(`${row.name}: ${row.what}`, async (t) => {
          for (const check of await row.run({ t, short: true }))
            assert.ok(holds(check), sentence(check));
        });
    },
    { concurrency: 1 },
  );
}

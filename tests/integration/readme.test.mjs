// The README's quick start, command by command, against a daemon started as it says: what is
// printed there is what comes. Only the port is another one, so that suites run side by side.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { run, startDaemon, suite } from './harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** [{command, output}] of the first console block. */
async function quickStart() {
  const readme = await readFile(path.join(here, '../../README.md'), 'utf8');
  const block = readme.match(/```console\n([\s\S]*?)```/)[1];
  return block
    .split(/^\$ /m)
    .filter((text) => text !== '')
    .map((text) => {
      const [command, ...output] = text.trimEnd().split('\n');
      return { command, output: output.join('\n') };
    });
}

const withoutTimes = (text) => text.replace(/"timestamp":\d{13}/g, '"timestamp":T');

suite(
  "the README's quick start",
  async (test, shared) => {
    const daemon = await startDaemon(shared);
    const steps = await quickStart();
    test('has commands', () => assert.ok(steps.length >= 5));
    for (const { command, output } of steps) {
      test(command, async () => {
        const result = await run('sh', ['-c', command.replaceAll(':3001', `:${daemon.httpPort}`)]);
        assert.equal(result.code, 0, result.stderr);
        assert.equal(withoutTimes(result.stdout.trimEnd()), withoutTimes(output));
      });
    }
  },
  { concurrency: 1 }, // each command counts on the one before
);

// Every command is pasted into a shell, page by page, and answers what the page says it answers, but for
// moments and hashes: `console` blocks have `$ command` lines and their output, `sh` blocks have commands alone.
// DOCS_PAGE=redis runs the pages with that in their name.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { pages, place, reasonNotToRun } from './kit/pages.mjs';
import { runSteps } from './kit/session.mjs';

/** [{command, output}] of a console block. */
const dialogue = ({ text }) =>
  text
    .split(/^\$ /m)
    .filter((part) => part !== '')
    .map((part) => {
      const lines = part.trimEnd().split('\n');
      let end = 1; // a command goes on behind a backslash
      while (lines[end - 1].endsWith('\\')) end += 1;
      return { command: lines.slice(0, end).join('\n'), output: lines.slice(end).join('\n') };
    });

/** What the comment above a block has done before it: `first: commands`, or `file: name`, which is its text. */
function before(block) {
  const [, word, rest] = /^(first|file): (.*)/.exec(block.note) ?? [];
  if (word === 'first') return [{ block, command: rest }];
  if (word === 'file') return [{ block, command: `cat >${rest} <<'end of file'\n${block.text}\nend of file` }];
  return [];
}

function commandsOf(block) {
  if (block.kind === 'sh') return [{ block, command: block.text }];
  return block.kind === 'console' ? dialogue(block).map((step) => ({ block, ...step })) : [];
}

const stepsOf = (page) =>
  page.blocks
    .filter((block) => !reasonNotToRun(block))
    .flatMap((block) => [...before(block), ...commandsOf(block)]);

/** Moments and hashes are others each time; all other numbers are as they stand. */
const plain = (text) => text.trimEnd().replace(/\b[0-9a-f]{16}\b/g, 'HASH').replace(/\b\d{13}\b/g, 'TIME');

/** `…` in the page stands for anything. */
function assertSame(got, shown) {
  const parts = plain(shown).split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  if (!new RegExp(`^${parts.join('[^]*')}$`).test(plain(got))) assert.equal(got.trimEnd(), shown);
}

test('commands', { concurrency: 2 }, async (t) => {
  const done = pages
    .filter((page) => stepsOf(page).length > 0 && page.file.includes(process.env.DOCS_PAGE ?? ''))
    .map((page) =>
      t.test(page.file, async (t) => {
        const dir = await mkdtemp(path.join(os.tmpdir(), 'docs-'));
        t.after(() => rm(dir, { recursive: true, force: true }));
        const steps = stepsOf(page);
        const results = await runSteps(
          dir,
          steps.map(({ command, output }) => ({ command, shows: output !== undefined })),
        );
        for (const [i, { block, command, output }] of steps.entries())
          await t.test(`${place(block)}: ${command.split('\n')[0]}`, () => {
            const { failed, reached, stdout, stderr, said } = results[i];
            assert.ok(reached, `was not reached: ${said}`);
            if (output !== undefined) assertSame(stdout + stderr, output);
            else assert.ok(!failed, `failed:\n${stdout}${stderr}`);
          });
      }),
    );
  await Promise.all(done);
});

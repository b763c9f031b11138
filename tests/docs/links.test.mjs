// Links lead somewhere, every page can be reached, every block says what it is.
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { inRoot, linksOf, pages, place, reasonNotToRun } from './kit/pages.mjs';

/** What a block may be. `text` is for drawings and for what a program prints; it is shown, not run. */
const KINDS = new Set(
  'c caddyfile console css haproxy html http ini js json jsx nginx python redis sh svelte systemd text ts tsx vue yaml'.split(' '),
);
const byFile = new Map(pages.map((page) => [page.file, page]));
const isOutside = (target) => /^(https?|mailto):/.test(target);

/** What is wrong with a link of `page`, or undefined. */
function fault(page, target) {
  const [file, anchor] = target.split('#');
  const to = file === '' ? page.file : path.normalize(path.join(path.dirname(page.file), file));
  if (to.startsWith('..')) return 'leaves the project';
  if (!existsSync(inRoot(to))) return 'there is no such file';
  if (anchor === undefined || !to.endsWith('.md')) return undefined;
  return byFile.get(to)?.anchors.has(anchor) ? undefined : 'there is no such heading';
}

for (const page of pages)
  test(`${page.file}: links`, () => {
    const faults = linksOf(page)
      .filter(({ target }) => !isOutside(target))
      .map(({ target, line }) => [target, line, fault(page, target)])
      .filter(([, , why]) => why)
      .map(([target, line, why]) => `${page.file}:${line}: ${target}: ${why}`);
    assert.deepEqual(faults, []);
  });

test('each page is reached from the README', () => {
  const reached = new Set();
  const visit = (file) => {
    if (reached.has(file) || !byFile.has(file)) return;
    reached.add(file);
    for (const { target } of linksOf(byFile.get(file)))
      if (!isOutside(target))
        visit(path.normalize(path.join(path.dirname(file), target.split('#')[0] || path.basename(file))));
  };
  visit('README.md');
  assert.deepEqual([...byFile.keys()].filter((file) => !reached.has(file)), []);
});

test('each block says what it is', () => {
  const faults = pages.flatMap((page) => [
    ...(page.unclosed ? [`${page.file}: a block is not closed`] : []),
    ...page.blocks
      .filter(({ kind }) => !KINDS.has(kind))
      .map((block) => `${place(block)}: ${block.kind || 'nothing'} is no kind of block`),
    ...page.prose
      .filter(({ text }, i) => /^ {4}/.test(text) && page.prose[i - 1]?.text === '')
      .map(({ line }) => `${page.file}:${line}: indented, where a fence says what it is`),
    ...page.prose
      .filter(({ text }) => /^<!--.*docs-test/.test(text))
      .map(({ line }) => `${page.file}:${line}: a comment for this test that it does not know`),
  ]);
  assert.deepEqual(faults, []);
});

test('pictures are small, and say what is on them', () => {
  const faults = pages.flatMap(({ file, prose }) =>
    prose.flatMap(({ text, line }) =>
      [...text.matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g)]
        .filter(([, , target]) => !isOutside(target))
        .flatMap(([, words, target]) => {
          const { size } = statSync(inRoot(path.join(path.dirname(file), target)));
          return [
            ...(words === '' ? [`${file}:${line}: ${target} has no words`] : []),
            ...(size > 150_000 ? [`${file}:${line}: ${target} has ${size} bytes`] : []),
          ];
        }),
    ),
  );
  assert.deepEqual(faults, []);
});

// One list of what is pasted by nobody, so that it does not grow unseen.
const MAX_NOT_RUN = 30;

test('what is not run has a reason', (t) => {
  const blocks = pages.flatMap((page) => page.blocks.filter(reasonNotToRun));
  for (const block of blocks) t.diagnostic(`${place(block)}: not run: ${reasonNotToRun(block)}`);
  assert.ok(blocks.length <= MAX_NOT_RUN, `${blocks.length} blocks are not run`);
});

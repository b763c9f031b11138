// Pages for people in a hurry have short sentences: how-tos, the tutorial, the README.
import assert from 'node:assert/strict';
import test from 'node:test';

import { pages } from './kit/pages.mjs';

const MAX_WORDS = 20;

const isForEverybody = ({ file }) => /^(docs\/(howto\/|reference\/|getting-started|faq)|README\.md|CONTRIBUTING|SECURITY)/.test(file);
const isItem = (text) => /^\s*([-*]|\d+\.) /.test(text);
const isNoProse = (text) => /^\s*(\||#|<!--|!\[|$)/.test(text) || text.includes(' · ');

/** [{line, text}] of paragraphs and items of lists, joined; tables, headings and pictures are left out. */
function paragraphsOf({ prose }) {
  const found = [];
  let open = null;
  for (const { text, line } of prose) {
    if (isNoProse(text)) open = null;
    else if (open && !isItem(text)) open.text += ` ${text.trim()}`;
    else found.push((open = { line, text: text.trim() }));
  }
  return found;
}

const sentencesOf = (text) =>
  text
    .replace(/`[^`]*`/g, 'X')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .split(/(?<=[.!?:;])\**\s+/);

for (const page of pages.filter(isForEverybody))
  test(`${page.file}: sentences have at most ${MAX_WORDS} words`, () => {
    const long = paragraphsOf(page).flatMap(({ line, text }) =>
      sentencesOf(text)
        .filter((sentence) => sentence.split(/\s+/).length > MAX_WORDS)
        .map((sentence) => `${page.file}:${line}: ${sentence}`),
    );
    assert.deepEqual(long, []);
  });

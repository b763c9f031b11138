// The pages as the tests read them: headings with their anchors, links, and blocks of code.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const inRoot = (...parts) => path.join(ROOT, ...parts);

/** Pages for readers. What is beside the code (`tests/sim/README.md`) speaks to whoever works there. */
const isPage = (file) => /^(docs\/.*|[A-Z][A-Za-z.]*)\.md$/.test(file);

function pageFiles() {
  const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return tracked.split('\n').filter(isPage).sort();
}

/** As GitHub names a heading. */
const slug = (heading) =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

function anchorsOf(lines) {
  const seen = new Map();
  const anchors = new Set();
  for (const { text } of lines) {
    const heading = /^#{1,6} (.*)/.exec(text)?.[1];
    if (heading === undefined) continue;
    const name = slug(heading);
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    anchors.add(times === 0 ? name : `${name}-${times}`);
  }
  return anchors;
}

const DIRECTIVE = /^\s*<!-- docs-test: (.*?) -->$/;

/** A block has `kind` (the word behind the fence), `text`, `line`, and what the comment above it says. */
function read(file) {
  const source = readFileSync(inRoot(file), 'utf8');
  const prose = [];
  const blocks = [];
  let open = null;
  let note = '';
  for (const [i, text] of source.split('\n').entries()) {
    const fence = /^(\s*)```(.*)$/.exec(text);
    if (open && fence) {
      blocks.push({ ...open, file, text: open.lines.join('\n') });
      open = null;
    } else if (open) open.lines.push(text.slice(Math.min(open.indent, text.search(/\S|$/))));
    else if (fence) {
      open = { kind: fence[2], indent: fence[1].length, line: i + 1, note, lines: [] };
      note = '';
    } else {
      const directive = DIRECTIVE.exec(text)?.[1];
      if (directive) note = directive;
      else {
        if (text !== '') note = '';
        prose.push({ text, line: i + 1 });
      }
    }
  }
  return { file, source, prose, blocks, unclosed: open !== null, anchors: anchorsOf(prose) };
}

export const pages = pageFiles().map(read);

/** Links of the prose, without those inside code spans. */
export function linksOf({ prose }) {
  return prose.flatMap(({ text, line }) =>
    [...text.replace(/`[^`]*`/g, '``').matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].map((found) => ({
      target: found[1] ?? found[2],
      line,
    })),
  );
}

export const place = ({ file, line }) => `${file}:${line}`;

/** Why a block is not run, or undefined. */
export const reasonNotToRun = ({ note }) => /^not run: (.*)/.exec(note)?.[1];

export const blocksOf = (...kinds) =>
  pages.flatMap((page) => page.blocks.filter((block) => kinds.includes(block.kind)));

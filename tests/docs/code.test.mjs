// Code on the pages compiles, against what is built here: TypeScript and JavaScript by tsc, components
// by their compilers, HTML by the attributes that the SDK reads.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { run } from '../integration/harness/daemon.mjs';
import { blocksOf, inRoot, place, reasonNotToRun } from './kit/pages.mjs';

const ours = createRequire(inRoot('src/client/package.json'));
const projects = createRequire(inRoot('tests/projects/package.json'));
const esbuild = ours('esbuild');

const OPTIONS = {
  target: 'ES2022', module: 'ES2022', moduleResolution: 'Bundler', lib: ['ES2022', 'DOM', 'DOM.Iterable'],
  types: [], strict: true, noImplicitAny: false, strictNullChecks: false, allowJs: true, checkJs: true, noEmit: true,
  skipLibCheck: true, jsx: 'react-jsx', allowImportingTsExtensions: true,
};

/** What pages name without declaring it: modules by address, and what a reader has. */
const AMBIENT = `
declare module 'https://presence.example/client.mjs' { export * from 'active-users-client'; }
declare module 'node:crypto';
declare const process: any, Buffer: any;
`;

const kinds = ['js', 'jsx', 'ts', 'tsx'];
const scripts = blocksOf(...kinds).filter((block) => !reasonNotToRun(block));

test('TypeScript takes the code of the pages', { timeout: 600_000 }, async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'docs-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await mkdir(path.join(dir, 'node_modules'));
  await symlink(inRoot('build/client'), path.join(dir, 'node_modules/active-users-client'));
  for (const name of ['react', '@types', 'vue', 'csstype', '@vue'])
    await symlink(inRoot('src/client/node_modules', name), path.join(dir, 'node_modules', name)).catch(() => {});
  await writeFile(path.join(dir, 'ambient.d.ts'), AMBIENT);
  const names = await Promise.all(
    scripts.map(async ({ kind, text }, i) => {
      const name = `block${i}.${kind}`;
      await writeFile(path.join(dir, name), `${text}\nexport {};\n`);
      return name;
    }),
  );
  await writeFile(path.join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...OPTIONS, preserveSymlinks: false }, files: ['ambient.d.ts', ...names] }));
  const { stdout } = spawnSync(
    process.execPath,
    [inRoot('src/client/node_modules/typescript/bin/tsc'), '-p', dir, '--pretty', 'false'],
    { encoding: 'utf8' },
  );
  for (const [i, block] of scripts.entries())
    await t.test(place(block), () => {
      // JavaScript may write a number into `textContent`; TypeScript would not.
      const harmless = /error TS2322: Type 'number' is not assignable to type 'string'/;
      const faults = stdout
        .split('\n')
        .filter((line) => path.basename(line.split('(')[0]) === names[i])
        .filter((line) => !(block.kind.startsWith('js') && harmless.test(line)));
      assert.deepEqual(faults, []);
    });
  assert.deepEqual(stdout.split('\n').filter((line) => /error/.test(line) && !/block\d+\./.test(line)), []);
});

const compile = {
  css: (text) => esbuild.transform(text, { loader: 'css', logLevel: 'silent' }),
  svelte: async (text) => projects('svelte/compiler').compile(text, { generate: 'client' }),
  async vue(text) {
    const { compileScript, compileTemplate, parse } = projects('@vue/compiler-sfc');
    const { descriptor, errors } = parse(text);
    assert.deepEqual(errors, []);
    if (descriptor.scriptSetup) compileScript(descriptor, { id: 'page' });
    const template = compileTemplate({ source: descriptor.template.content, filename: 'page.vue', id: 'page' });
    assert.deepEqual(template.errors, []);
    return { warnings: [] };
  },
};
for (const block of blocksOf(...Object.keys(compile)))
  test(`${place(block)}: ${block.kind}`, { skip: reasonNotToRun(block) }, async () => {
    const { warnings } = await compile[block.kind](block.text);
    assert.deepEqual(warnings.map(({ text, message }) => text ?? message), []);
  });

for (const block of blocksOf('python'))
  test(`${place(block)}: python`, { skip: reasonNotToRun(block) }, async () => {
    const { code, stderr } = await run('python3', ['-c', 'import sys; compile(sys.stdin.read(), "page", "exec")'], { stdin: block.text });
    assert.equal(code, 0, stderr);
  });

/** The attributes that sdk.md lists. */
async function knownAttributes() {
  const page = await readFile(inRoot('docs/reference/sdk.md'), 'utf8');
  return new Set([...page.matchAll(/`([a-z][a-z-]*)`/g)].map(([, name]) => name));
}
const PLAIN = new Set(['src', 'async', 'defer', 'type', 'nonce', 'integrity', 'crossorigin', 'hidden', 'id', 'class', 'lang']);

for (const block of blocksOf('html'))
  test(`${place(block)}: html`, { skip: reasonNotToRun(block) }, async () => {
    const known = await knownAttributes();
    for (const [, tag, attributes] of block.text.matchAll(/<(script|active-users)\b([^>]*)>/g))
      for (const [name] of attributes.replace(/=("[^"]*"|'[^']*'|\S+)/g, ' ').matchAll(/[^\s/]+/g))
        assert.ok(PLAIN.has(name) || known.has(name), `<${tag} ${name}> is not in sdk.md`);
    for (const [, text] of block.text.matchAll(/<script>([^]*?)<\/script>/g)) await esbuild.transform(text);
    const open = block.text.match(/<(?!\/|!|img|br|meta|link)[a-z]/g)?.length ?? 0;
    assert.equal(block.text.match(/<\//g)?.length ?? 0, open, 'each element is closed');
  });

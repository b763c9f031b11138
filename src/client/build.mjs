// Builds the SDK: bundles, types, the npm package and the C file that the daemon serves it from.
//   node build.mjs OUT    (default ../../build/client)
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

import { assetsSource } from './assets.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const out = path.resolve(process.argv[2] ?? path.join(root, 'build/client'));
const manifest = JSON.parse(readFileSync(path.join(here, 'package.json'), 'utf8'));

// Names of properties that only our own files share. What pages, servers and other tabs see is not
// among them: tabs of two versions talk to each other.
const INTERNAL = `
  adopt alive alone answered arm armed attempt beat countIgnored current emit failed failures flush
  heard identity interval late leads leave onChange onGone onShared resume retry setStatus
  share since soon suspend transport use visibilityChanged wake why
`;

async function bundle(entry, file, options) {
  const result = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    write: false,
    target: 'es2022',
    charset: 'utf8',
    minify: true,
    mangleProps: new RegExp(`^(${INTERNAL.trim().replace(/\s+/g, '|')})$`),
    ...options,
  });
  const { code } = await minify(result.outputFiles[0].text, {
    module: options.format === 'esm',
    ecma: 2020,
    compress: {
      passes: 8,
      unsafe_arrows: true,
      pure_getters: true,
      hoist_funs: true,
      conditionals: false,
    },
  });
  writeFileSync(path.join(out, file), code + '\n');
}

/** element.mjs imports client.mjs, so that a page with both has one copy. */
const shareClient = {
  name: 'share-client',
  setup(build) {
    build.onResolve({ filter: /^\.\/index\.js$/ }, () => ({
      path: './client.mjs',
      external: true,
    }));
  },
};

/** The public types in one file: types.ts as it is, and the class. */
function rollUpTypes() {
  const read = (file) => readFileSync(path.join(out, 'modules', file), 'utf8');
  const bare = (text) =>
    text
      .replace(/^import [^;]+;\n/gm, '')
      .replace(/^export \* from [^;]+;\n/gm, '')
      .replace(/^export \{\};\n/gm, '')
      .replace(/^\/\/ .*\n/gm, '');
  writeFileSync(
    path.join(out, 'client.d.ts'),
    `// active-users-client ${manifest.version}\n` +
      bare(read('types.d.ts')) +
      bare(read('index.d.ts')),
  );
  // For the compiler './client.js' is client.d.ts.
  writeFileSync(
    path.join(out, 'element.d.ts'),
    read('element.d.ts').replace("'./index.js'", "'./client.js'"),
  );
}

function writePackage() {
  const { private: _private, devDependencies, scripts, ...published } = manifest;
  writeFileSync(path.join(out, 'package.json'), JSON.stringify(published, null, 2) + '\n');
  copyFileSync(path.join(root, 'LICENSE'), path.join(out, 'LICENSE'));
  copyFileSync(path.join(root, 'docs/client.md'), path.join(out, 'README.md'));
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const tsc = path.join(here, 'node_modules/typescript/bin/tsc');
const checked = spawnSync(
  process.execPath,
  [tsc, '-p', here, '--outDir', path.join(out, 'modules')],
  { stdio: 'inherit' },
);
if (checked.status !== 0) process.exit(1);
await bundle('index.ts', 'client.mjs', { format: 'esm' });
await bundle('element.ts', 'element.mjs', { format: 'esm', plugins: [shareClient] });
await bundle('script.ts', 'client.js', { format: 'iife', globalName: 'ActiveUsers' });
rollUpTypes();
writePackage();
const read = (file) => readFileSync(file);
writeFileSync(
  path.join(out, 'assets.c'),
  assetsSource([
    { path: '/', type: 'text/html; charset=utf-8', body: read(path.join(here, 'demo.html')) },
    {
      path: '/client.js',
      type: 'text/javascript; charset=utf-8',
      body: read(path.join(out, 'client.js')),
    },
    {
      path: '/client.mjs',
      type: 'text/javascript; charset=utf-8',
      body: read(path.join(out, 'client.mjs')),
    },
    {
      path: '/client.d.ts',
      type: 'text/plain; charset=utf-8',
      body: read(path.join(out, 'client.d.ts')),
    },
  ]),
);

// Builds the SDK: bundles, types, the npm package and the C file that the daemon serves it from.
//   node build.mjs OUT    (default ../../build/client)
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'terser';

import { assetsSource } from './assets.mjs';
import { botsSource } from './bots.mjs';
import { dashboardPage } from './dashboard/page.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const out = path.resolve(process.argv[2] ?? path.join(root, 'build/client'));
const manifest = JSON.parse(readFileSync(path.join(here, 'package.json'), 'utf8'));
const version = readFileSync(path.join(root, 'VERSION'), 'utf8').trim();

// Names of properties that only our own files share. What pages, servers and other tabs see is not
// among them: tabs of two versions talk to each other.
const INTERNAL = `
  adopt alive answered arm armed attempt beat changed countIgnored current failed failures
  flush heard identity interval late leads leave offline onChange onGone onShared online pollUntil
  resume retry seen setPollUntil setStatus share since soon start stop suspend touch transport use
  visibilityChanged wake why write
`;

async function bundle(entry, file, { banner = '', ...options }) {
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
    module: options.format !== 'iife',
    ecma: 2020,
    compress: {
      passes: 8,
      unsafe_arrows: true,
      pure_getters: true,
      hoist_funs: true,
      conditionals: false,
    },
  });
  writeFileSync(path.join(out, file), banner + code + '\n');
}

/** A part that the client loads where it is asked for. */
const loadTrack = (extension) => ({
  name: 'load-track',
  setup(build) {
    build.onResolve({ filter: /^\.\/track\.js$/ }, () => ({
      path: './track' + extension,
      external: true,
    }));
  },
});

/** The others import the client, so that a page with both has one copy. */
const shareClient = (extension) => ({
  name: 'share-client',
  setup(build) {
    build.onResolve({ filter: /^\.\/index\.js$/ }, () => ({
      path: './client' + extension,
      external: true,
    }));
    build.onResolve({ filter: /^(react|vue)$/ }, ({ path }) => ({ path, external: true }));
  },
});

/** The script has that part inside. */
const withTracking = {
  name: 'with-tracking',
  setup(build) {
    build.onResolve({ filter: /\/tracking\.js$/ }, () => ({
      path: path.join(here, 'lifecycle/tracking-inside.ts'),
    }));
  },
};

const bare = (text) =>
  text
    .replace(/^import [^;]+;\n/gm, '')
    .replace(/^export \* from [^;]+;\n/gm, '')
    .replace(/^export \{\};\n/gm, '')
    .replace(/^\/\/ .*\n/gm, '');

/** The public types: those of the client in one file. CommonJS has the same in files of its own. */
function rollUpTypes() {
  const read = (file) => readFileSync(path.join(out, 'modules', file), 'utf8');
  const types = {
    client:
      `// active-users-client ${version}\n` +
      bare(read('types.d.ts')) +
      bare(read('index.d.ts')),
  };
  // For the compiler './client.js' is client.d.ts, and './client.cjs' is client.d.cts.
  for (const name of ['element', 'react', 'vue'])
    types[name] = read(`${name}.d.ts`).replace("'./index.js'", "'./client.js'");
  for (const [name, text] of Object.entries(types)) {
    writeFileSync(path.join(out, `${name}.d.ts`), text);
    writeFileSync(path.join(out, `${name}.d.cts`), text.replace("'./client.js'", "'./client.cjs'"));
  }
}

function writePackage() {
  const { private: _private, devDependencies, scripts, name, ...published } = manifest;
  writeFileSync(
    path.join(out, 'package.json'),
    JSON.stringify({ name, version, ...published }, null, 2) + '\n',
  );
  copyFileSync(path.join(root, 'LICENSE'), path.join(out, 'LICENSE'));
  // The package has no other page that a link could lead to.
  const read = (file) =>
    readFileSync(file, 'utf8').replace(/\[([^\]]+)\]\((?!https?:|#)[^)]+\)/g, '$1');
  writeFileSync(
    path.join(out, 'README.md'),
    read(path.join(here, 'package.md')) + read(path.join(root, 'docs/reference/sdk.md')),
  );
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
for (const [format, extension] of [
  ['esm', '.mjs'],
  ['cjs', '.cjs'],
]) {
  const plugins = [shareClient(extension)];
  await bundle('index.ts', 'client' + extension, { format, plugins: [loadTrack(extension)] });
  await bundle('lifecycle/track.ts', 'track' + extension, { format });
  await bundle('element.ts', 'element' + extension, { format, plugins });
  // React's servers render no component that uses it without this.
  const others = { format, plugins, mangleProps: undefined };
  await bundle('react.ts', 'react' + extension, { ...others, banner: "'use client';\n" });
  await bundle('vue.ts', 'vue' + extension, others);
}
await bundle('script.ts', 'client.js', { format: 'iife', plugins: [withTracking] });
rollUpTypes();
writePackage();
const read = (file) => readFileSync(file);
const dashboard = await dashboardPage();
writeFileSync(path.join(out, 'dashboard.html'), dashboard);
writeFileSync(
  path.join(out, 'assets.c'),
  assetsSource([
    { path: '/', type: 'text/html; charset=utf-8', body: read(path.join(here, 'demo.html')) },
    { path: '/dashboard', type: 'text/html; charset=utf-8', body: dashboard },
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
      path: '/track.mjs',
      type: 'text/javascript; charset=utf-8',
      body: read(path.join(out, 'track.mjs')),
    },
    {
      path: '/client.d.ts',
      type: 'text/plain; charset=utf-8',
      body: read(path.join(out, 'client.d.ts')),
    },
    ...['openapi.yaml', 'asyncapi.yaml'].map((name) => ({
      path: `/${name}`,
      type: 'application/yaml',
      body: read(path.join(root, 'docs', name)),
    })),
  ]) + botsSource(createRequire(import.meta.url)('crawler-user-agents')),
);

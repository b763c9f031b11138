// What is shipped: its size, its types, its exports, and that it can be imported anywhere.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

import { BUILD } from './harness/sdk.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const SOURCES = path.resolve(here, '../../src/client');
const bytes = (file) => readFile(path.join(BUILD, file));
const packed = async (file) => gzipSync(await bytes(file), { level: 9 }).length;

/** min+gzip. The core is what every visitor of a shop loads; the script has the element with it. */
const LIMITS = [
  ['client.mjs', 6000],
  ['client.js', 9500],
  ['element.mjs', 2400],
  ['track.mjs', 600],
];
for (const [file, limit] of LIMITS)
  test(`${file} is at most ${limit} bytes`, async (t) => {
    const size = await packed(file);
    t.diagnostic(`${size} bytes`);
    assert.ok(size <= limit, `${size} bytes`);
  });

/** Runs node in a folder where the package is installed as npm would. */
async function withPackage(run) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'active-users-client-'));
  try {
    const manifest = JSON.parse(await bytes('package.json'));
    const target = path.join(dir, 'node_modules', manifest.name);
    await mkdir(target, { recursive: true });
    for (const file of [...manifest.files, 'package.json'])
      await cp(path.join(BUILD, file), path.join(target, file));
    await run(dir, manifest);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function node(dir, source) {
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    cwd: dir,
    encoding: 'utf8',
  });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

test('the package: exports, no side effects, no dependencies, nothing private', async () => {
  await withPackage(async (dir, manifest) => {
    assert.deepEqual(manifest.sideEffects, ['./client.js'], 'only the script does something by itself');
    for (const name of ['private', 'dependencies', 'devDependencies', 'scripts'])
      assert.equal(manifest[name], undefined);
    for (const name of ['license', 'description', 'keywords', 'engines', 'types', 'main', 'module'])
      assert.ok(manifest[name], name);
    for (const file of manifest.files) await bytes(file);
    const said = node(
      dir,
      `import * as core from 'active-users-client'; import * as element from 'active-users-client/element';
       console.log(Object.keys(core).join(), Object.keys(element).sort().join());`,
    );
    assert.equal(said.trim(), 'ActiveUsersClient ActiveUsersElement,defineActiveUsers');
  });
});

test('CommonJS has the same, and shares one client between its own parts', async () => {
  await withPackage(async (dir) => {
    const said = node(
      dir,
      `import { createRequire } from 'node:module';
       const require = createRequire(import.meta.url);
       const core = require('active-users-client'), element = require('active-users-client/element');
       console.log(Object.keys(core).join(), Object.keys(element).sort().join());
       await new core.ActiveUsersClient({ customerId: 'a', apiUrl: 'http://a' }).init().catch((error) => console.log(error.message));`,
    );
    assert.equal(
      said,
      'ActiveUsersClient ActiveUsersElement,defineActiveUsers\nactive-users: needs a browser\n',
    );
  });
});

test('its README begins with what it is and npm install', async () => {
  const text = (await bytes('README.md')).toString();
  assert.match(text.slice(0, 400), /npm install active-users-client/);
});

test('imports without a window, and says so only when it is started', async () => {
  await withPackage(async (dir) => {
    const said = node(
      dir,
      `import { ActiveUsersClient } from 'active-users-client'; import { defineActiveUsers } from 'active-users-client/element';
       defineActiveUsers();
       const client = new ActiveUsersClient({ customerId: 'a', apiUrl: 'http://a' });
       const off = client.onMetrics(() => {}); off();
       console.log(client.getMetrics(), client.getConnectionStatus().mode);
       await client.init().catch((error) => console.log(error.message));
       client.destroy();`,
    );
    assert.equal(said, 'null offline\nactive-users: needs a browser\n');
  });
});

const TYPED = `
import { ActiveUsersClient, type ActiveUsersEvent, type ClientConfig, type Metrics } from 'active-users-client';
import { defineActiveUsers } from 'active-users-client/element';
const token = undefined as (() => string) | undefined;
const websocketUrl = undefined as string | undefined;
const config: ClientConfig = { customerId: 'a', apiUrl: 'http://a', getToken: token, websocketUrl, debug: undefined };
const element = document.querySelector('active-users');
element?.state.startsWith('off') || element?.metrics?.count.toFixed();
document.createElement('active-users').setAttribute('customer', 'a');
const client = new ActiveUsersClient(config);
const off: () => void = client.onMetrics((metrics: Metrics) => metrics.count.toFixed(metrics.smoothed), { whileHidden: true });
client.subscribe((event: ActiveUsersEvent) => {
  switch (event.type) {
    case 'metrics': return event.metrics.ema;
    case 'status': return event.status.mode === 'polling';
    case 'error':
      if (event.error.code === 'closed') return event.error.closeCode.toFixed();
      if (event.error.code === 'http') return event.error.status.toFixed();
      // @ts-expect-error the others have no status
      return event.error.status;
    default: { const never: never = event; return never; }
  }
});
await client.init({ signal: new AbortController().signal });
const mode: 'websocket' | 'sse' | 'polling' | 'offline' = client.getConnectionStatus().mode;
// @ts-expect-error before the first message there are none
client.getMetrics().count;
// @ts-expect-error customerId is required
new ActiveUsersClient({ apiUrl: 'http://a' });
// @ts-expect-error no such storage
new ActiveUsersClient({ ...config, storage: 'session' });
defineActiveUsers({ name: 'my-count' });
off(); mode; client.destroy();
export {};
`;

const TSC = [
  path.join(SOURCES, 'node_modules/typescript/bin/tsc'),
  '--noEmit',
  '--strict',
  '--exactOptionalPropertyTypes',
  '--target',
  'es2022',
  '--lib',
  'es2022,dom',
];
const BUNDLER = ['--module', 'esnext', '--moduleResolution', 'bundler'];

async function assertCompiles(dir, source, ...flags) {
  const { file } = typeof flags.at(-1) === 'object' ? flags.pop() : { file: 'use.mts' };
  await writeFile(path.join(dir, file), source);
  const result = spawnSync(process.execPath, [...TSC, ...flags, file], {
    cwd: dir,
    encoding: 'utf8',
  });
  assert.equal(result.status, 0, result.stdout);
}

test('the types are whole, strict, and find a mistake', () =>
  withPackage(async (dir) => {
    await assertCompiles(dir, TYPED, ...BUNDLER);
    await assertCompiles(dir, TYPED, '--module', 'nodenext');
    const common = `import client = require('active-users-client');
      const it: client.Metrics | null = new client.ActiveUsersClient({ customerId: 'a', apiUrl: 'http://a' }).getMetrics();
      export = it;`;
    await assertCompiles(dir, common, '--module', 'nodenext', { file: 'use.cts' });
  }));

const REACT = `
import { createElement } from 'react';
import { useActiveUsers } from 'active-users-client/react';
export function Here({ customerId, consent }: { customerId: string; consent: boolean }) {
  const metrics = useActiveUsers(consent ? { customerId, apiUrl: 'https://presence.example' } : null);
  return <p hidden={!metrics}>{metrics?.count} <active-users customer={customerId} label="Leute" watch quiet="" className="x">…</active-users></p>;
}
// @ts-expect-error no such storage
export const wrong = <active-users customer="a" storage="session" />;
createElement(Here, { customerId: 'a', consent: true });
`;

const VUE = `
import { computed, ref } from 'vue';
import { useActiveUsers } from 'active-users-client/vue';
const metrics = useActiveUsers(() => ({ customerId: 'a', apiUrl: 'https://presence.example' }), { whileHidden: true });
export const text = computed(() => metrics.value?.count.toFixed());
useActiveUsers(ref(null));
`;

/** React and Vue as the SDK's own tools have them. */
async function withFrameworks(run) {
  await withPackage(async (dir) => {
    const modules = path.join(dir, 'node_modules');
    for (const name of ['@types', '@vue', '@babel', 'csstype', 'react', 'vue'])
      await symlink(path.join(SOURCES, 'node_modules', name), path.join(modules, name));
    await run(dir);
  });
}

test('the hook and the element compile against React’s own types, the composable against Vue’s', () =>
  withFrameworks(async (dir) => {
    for (const flags of [BUNDLER, ['--module', 'nodenext']]) {
      const react = [...flags, '--skipLibCheck', '--jsx', 'react-jsx', { file: 'use.tsx' }];
      await writeFile(path.join(dir, 'package.json'), '{"type":"module"}');
      await assertCompiles(dir, REACT, ...react);
      await assertCompiles(dir, VUE, ...flags, '--skipLibCheck');
    }
  }));

test('the hook and the composable import on a server, also by require()', () =>
  withFrameworks(async (dir) => {
    const said = node(
      dir,
      `import { createRequire } from 'node:module';
       const require = createRequire(import.meta.url);
       for (const name of ['react', 'vue'])
         console.log(Object.keys(await import('active-users-client/' + name)).join(), Object.keys(require('active-users-client/' + name)).join());`,
    );
    assert.equal(said.trim(), 'useActiveUsers useActiveUsers\nuseActiveUsers useActiveUsers');
  }));

test('the hook says that it is a client component, before anything else', async () => {
  for (const file of ['react.mjs', 'react.cjs'])
    assert.match((await bytes(file)).toString(), /^'use client';/);
});

test('a bundler drops what is not used', async () => {
  const { build } = await import(
    pathToFileURL(path.join(SOURCES, 'node_modules/esbuild/lib/main.js'))
  );
  await withPackage(async (dir) => {
    const result = await build({
      stdin: {
        contents: "import { ActiveUsersClient } from 'active-users-client'; console.log(1);",
        resolveDir: dir,
      },
      bundle: true,
      format: 'esm',
      write: false,
      logLevel: 'silent',
    });
    assert.ok(result.outputFiles[0].text.length < 200, result.outputFiles[0].text);
  });
});

test('no unload listener and no beacon of page views in what is shipped', async () => {
  for (const [file] of LIMITS) {
    const text = (await bytes(file)).toString();
    assert.doesNotMatch(text, /["'](before)?unload["']|\beval\(/, file);
  }
});

test('the C file: the same bytes, twice, and a policy that names each inline block', async () => {
  const { assetsSource, policyOf } = await import(pathToFileURL(path.join(SOURCES, 'assets.mjs')));
  const files = [
    {
      path: '/x',
      type: 'text/html',
      body: Buffer.from('<script>a</script><style>b</style><script src="/c"></script>'),
    },
  ];
  assert.equal(assetsSource(files), assetsSource(files));
  assert.match(assetsSource(files), /\.cache_control = "no-cache"/);
  const policy = policyOf(files[0].body.toString());
  assert.equal(policy.match(/sha256-/g).length, 2);
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  const page = (await readFile(path.join(SOURCES, 'demo.html'))).toString();
  assert.doesNotMatch(
    page,
    /\son[a-z]+=|style="/,
    'the page’s policy forbids inline handlers and style attributes',
  );
});

test('the lock file names no host', async () => {
  const lock = await readFile(path.join(SOURCES, 'package-lock.json'), 'utf8');
  assert.doesNotMatch(lock, /"resolved"/);
});

// The npm package as npm packs it: what is in it, what linters say, and a new Vite project with it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { provenanceOf } from '../../src/packaging/provenance.mjs';
import { suite, tempDir } from '../integration/harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const built = path.resolve(here, '../../build/client');

const run = (program, args, options = {}) => {
  const { MAKEFLAGS, ...env } = process.env;
  const done = spawnSync(program, args, { encoding: 'utf8', env, ...options });
  assert.equal(done.status, 0, `${program} ${args.join(' ')}:\n${done.stdout}${done.stderr}`);
  return done.stdout;
};

suite(
  'the npm package',
  async (test, shared) => {
    const dir = await tempDir(shared);
    const manifest = JSON.parse(await readFile(path.join(built, 'package.json'), 'utf8'));
    const [packed] = JSON.parse(
      run('npm', ['pack', '--json', '--pack-destination', dir], { cwd: built }),
    );
    const tarball = path.join(dir, packed.filename);

    test('has the files that its manifest names, and no others', () => {
      const files = packed.files.map((file) => file.path).sort();
      assert.deepEqual(files, [...manifest.files, 'LICENSE', 'README.md', 'package.json'].sort());
    });

    test('publint has nothing to say', () => {
      assert.match(
        run(path.join(here, 'node_modules/.bin/publint'), ['run', '--strict', tarball]),
        /All good!/,
      );
    });

    test('types are right for every way to import it', () => {
      // client.js is for a script tag, which asks for no types and is not required by anybody.
      const args = ['--exclude-entrypoints', './client.js', '--format', 'json', tarball];
      const { analysis } = JSON.parse(run(path.join(here, 'node_modules/.bin/attw'), args));
      assert.deepEqual(analysis.problems, []);
    });

    test('is the same bytes each time, and its provenance has each file, the commit and the packages', async (t) => {
      const again = await tempDir(t);
      run('npm', ['pack', '--pack-destination', again], { cwd: built });
      const bytes = await readFile(tarball);
      assert.ok(bytes.equals(await readFile(path.join(again, packed.filename))));
      const { subject, predicate } = provenanceOf(tarball);
      const [whole, ...files] = subject;
      const hash = (algorithm, text) => createHash(algorithm).update(text).digest('hex');
      assert.deepEqual(whole, { name: packed.filename, digest: { sha512: hash('sha512', bytes) } });
      assert.equal(`sha512-${Buffer.from(whole.digest.sha512, 'hex').toString('base64')}`, packed.integrity);
      assert.deepEqual(
        files.map(({ name }) => name),
        packed.files.map((file) => `package/${file.path}`).sort(),
      );
      for (const { name, digest } of files)
        assert.equal(digest.sha256, hash('sha256', await readFile(path.join(built, name.slice('package/'.length)))), name);
      const { externalParameters, resolvedDependencies } = predicate.buildDefinition;
      assert.equal(externalParameters.version, manifest.version);
      if (spawnSync('git', ['rev-parse', 'HEAD'], { cwd: built }).status === 0) // a release has no history
        assert.ok(resolvedDependencies.some(({ digest }) => /^[0-9a-f]{40}$/.test(digest.gitCommit)));
      const lock = JSON.parse(await readFile(path.join(built, '../../src/client/package-lock.json'), 'utf8'));
      const { version } = lock.packages['node_modules/esbuild'];
      assert.ok(resolvedDependencies.some(({ uri }) => uri === `pkg:npm/esbuild@${version}`));
    });

    test('a new Vite project installs, imports and builds it', async (t) => {
      const project = await tempDir(t);
      await writeFile(
        path.join(project, 'package.json'),
        '{"name":"shop","private":true,"type":"module"}',
      );
      run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project });
      await writeFile(
        path.join(project, 'index.html'),
        '<script type="module" src="/src/main.js"></script>',
      );
      await mkdir(path.join(project, 'src'));
      await writeFile(
        path.join(project, 'src/main.js'),
        `import { ActiveUsersClient } from 'active-users-client';
         import { defineActiveUsers } from 'active-users-client/element';
         defineActiveUsers();
         new ActiveUsersClient({ customerId: 'shop', apiUrl: 'https://presence.example' }).init();`,
      );
      const vite = createRequire(path.resolve(here, '../projects/package.json')).resolve('vite');
      const { build } = await import(pathToFileURL(vite));
      await build({ root: project, configFile: false, logLevel: 'error' });
      const assets = path.join(project, 'dist/assets');
      const [file] = await readdir(assets);
      const code = await readFile(path.join(assets, file), 'utf8');
      assert.ok(
        code.includes('presence.example') && code.includes('/presence/'),
        code.slice(0, 200),
      );
    });

    test('Node takes it both ways', async (t) => {
      const project = await tempDir(t);
      await writeFile(path.join(project, 'package.json'), '{"private":true}');
      run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project });
      const code = {
        'a.cjs': "console.log(typeof require('active-users-client').ActiveUsersClient)",
        'a.mjs':
          "import { ActiveUsersClient } from 'active-users-client'; console.log(typeof ActiveUsersClient)",
      };
      for (const [file, text] of Object.entries(code)) {
        await writeFile(path.join(project, file), text);
        assert.equal(run('node', [file], { cwd: project }), 'function\n');
      }
    });
  },
  { concurrency: 1 },
);

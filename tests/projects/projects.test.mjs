// Each recipe of docs/howto/recipes.md as a project: built, opened in a browser, clicked through.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import { startDaemon, suite, tempDir, waitFor } from '../integration/harness.mjs';
import { launchPlain } from '../browser/harness/plain.mjs';
import { startProxy } from '../browser/harness/proxy.mjs';
import { installPackage, pagesOf, projectDir, watchCounts } from './harness.mjs';

const client = () => readFile(projectDir('../../build/client/client.js'));

/** A folder whose files are the pages, with what a deployment adds. */
const plain = (name, more = async () => ({})) => ({
  async pages() {
    const headers = JSON.parse(
      await readFile(path.join(projectDir(name), 'headers.json'), 'utf8').catch(() => '{}'),
    );
    return { ...(await pagesOf(projectDir(name), headers)), ...(await more()) };
  },
});

const vite = (name, plugins = async () => []) => ({
  async pages(t) {
    const { build } = await import('vite');
    const outDir = await tempDir(t);
    await build({
      root: projectDir(name),
      configFile: false,
      logLevel: 'error',
      plugins: await plugins(),
      build: { outDir, emptyOutDir: true, target: 'es2022', modulePreload: false },
    });
    return pagesOf(outDir);
  },
  routes: ['b', 'none', 'a'],
});

const PROJECTS = {
  react: vite('react'),
  vue: vite('vue', async () => [(await import('@vitejs/plugin-vue')).default()]),
  svelte: vite('svelte', async () => [
    (await import('@sveltejs/vite-plugin-svelte')).svelte({ configFile: false }),
  ]),
  turbo: {
    ...plain('turbo', async () => ({
      '/turbo.js': {
        type: 'text/javascript',
        body: await readFile(projectDir('node_modules/@hotwired/turbo/dist/turbo.es2017-esm.js')),
      },
    })),
    visits: true,
  },
  wordpress: plain('wordpress', async () => ({
    '/wp-content/cache/combined.js': {
      type: 'text/javascript',
      body: `(function(){${await client()}\n})();\n(function(){ window.another = 1; })();`,
    },
  })),
  'tag-manager': plain('tag-manager'),
  'strict-csp': plain('strict-csp'),
  frame: plain('frame'),
};

// It has an install of its own, and takes a minute.
if (process.env.AU_PROJECTS === 'all')
  PROJECTS.next = {
    async pages() {
      const dir = projectDir('next');
      await installPackage(dir);
      for (const folder of ['.next', 'out'])
        await rm(path.join(dir, folder), { recursive: true, force: true });
      const { status, stdout, stderr } = spawnSync('npx', ['next', 'build'], {
        cwd: dir,
        encoding: 'utf8',
        env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
      });
      assert.equal(status, 0, stdout + stderr);
      return pagesOf(path.join(dir, 'out'));
    },
    routes: ['b', 'a'],
  };

suite(
  'recipes as projects',
  async (test, shared) => {
    const browser = await launchPlain(shared);
    await installPackage(projectDir('.'));

    for (const [name, project] of Object.entries(PROJECTS))
      test(`${name}: counted once, with one socket, and a watcher hears no other number`, async (t) => {
        const daemon = await startDaemon(t, { 'presence-ttl': 30 });
        const customerId = `shop-${name}`;
        const origin = await startProxy(t, daemon, '/presence', await project.pages(t));
        const { page, said } = await browser.open(t, origin + '/');
        const text = (id) => page.textContent(id);
        const waitOne = (id) => waitFor(`1 in ${id}`, async () => (await text(id)) === '1');
        const clicks = async (routes, check) => {
          for (let i = 0; i < 20; i++) {
            await page.click(`#go-${routes[i % routes.length]}`);
            await check(routes[i % routes.length]);
          }
        };
        await waitOne(project.routes ? '#layout' : '#count');
        const counts = await watchCounts(t, daemon, customerId);
        if (project.routes)
          await clicks(project.routes, (route) => (route === 'none' ? undefined : waitOne('#page')));
        else if (project.visits)
          await clicks(['b', 'a'], async (route) => {
            await page.waitForURL(`**/?page=${route}`);
            await waitOne('#count');
          });
        else assert.equal(await page.isVisible('#here'), true);
        assert.deepEqual(counts(), [1]);
        // This watcher's own socket is the second.
        assert.equal((await daemon.samples()).get('au_websocket_sockets'), 2);
        assert.deepEqual(said.filter((line) => /active-users|refused|violat/i.test(line)), []);
        await page.close();
        await daemon.waitCount(customerId, 0);
      });
  },
  { concurrency: 1 },
);

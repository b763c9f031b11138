// The image and docker/compose.yaml, run for real: `make test-container` (as root, minutes).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { defer, waitFor } from '../integration/harness/wait.mjs';
import { freePort } from '../integration/harness/port.mjs';
import { Compose, engine, ROOT, SERVICES } from './compose.mjs';
import { People } from './people.mjs';

const IMAGE = 'active-users:latest';
const NEXT = 'active-users:next';
const SOCKETS = 200;
const BEATERS = 60;

const environment = await engine();
const build = (...words) =>
  execFileSync('make', ['--no-print-directory', 'container', 'ENGINE=podman', ...words], {
    cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...environment, MAKEFLAGS: '' },
  });

test('the image', { timeout: 900_000 }, async (t) => {
  const compose = new Compose(environment, 'image');
  build();
  const [image] = JSON.parse(await compose.podman('image', 'inspect', IMAGE));

  await t.test('says what it is and runs as nobody', () => {
    assert.equal(image.Config.User, '10001:10001');
    const version = readFileSync(path.join(ROOT, 'VERSION'), 'utf8').trim();
    assert.equal(image.Config.Labels['org.opencontainers.image.version'], version);
    assert.match(image.Config.Labels['org.opencontainers.image.revision'], /^[0-9a-f]{40}$/);
    assert.deepEqual((image.Healthcheck ?? image.Config.Healthcheck).Test, ['CMD', '/usr/bin/active-users', 'check']);
    assert.deepEqual(image.Config.Entrypoint, ['/usr/bin/active-users']);
    assert.ok(image.Size < 30e6, `${image.Size} bytes`);
  });

  await t.test('has no shell, no package manager and no set-user-id program', async () => {
    const name = `${compose.project}-files`;
    await compose.podman('create', '--name', name, IMAGE);
    const folder = mkdtempSync('/tmp/au-image-');
    try {
      execFileSync('bash', ['-c', 'podman export "$0" | tar -x -C "$1"', name, folder], { env: compose.environment });
      const files = execFileSync('find', [folder, '-type', 'f', '-printf', '%P %m\n'], { encoding: 'utf8' }).trim().split('\n');
      const programs = files.filter((line) => /^(usr\/)?s?bin\//.test(line));
      assert.deepEqual(programs, ['usr/bin/active-users 755']);
      assert.deepEqual(files.filter((line) => parseInt(line.split(' ').at(-1), 8) > 0o777), []);
      assert.ok(files.some((line) => line.startsWith('var/lib/dpkg/status.d/libuv1')), 'scanners find the packages');
      assert.ok(files.some((line) => line.startsWith('usr/share/doc/libuv1')), 'licences are there');
    } finally {
      rmSync(folder, { recursive: true });
      await compose.podman('rm', name);
    }
  });

  await t.test('is healthy on a read-only file system, and ends with 0', async (t) => {
    const name = `${compose.project}-one`;
    const port = await freePort();
    await compose.podman('run', '-d', '--name', name, '--read-only', '--cap-drop', 'ALL', '-p', `127.0.0.1:${port}:3001`, IMAGE);
    defer(t, () => compose.podman('rm', '-f', name));
    await waitFor('health', () => compose.podman('healthcheck', 'run', name).then(() => true), { timeoutMs: 60_000 });
    assert.equal((await fetch(`http://127.0.0.1:${port}/client.js`)).status, 200);
    await compose.podman('stop', '-t', '15', name);
    assert.equal((await compose.podman('inspect', '--format', '{{.State.ExitCode}}', name)).trim(), '0');
  });

  await t.test('a mistake is one line and exit status 2', async () => {
    await assert.rejects(compose.podman('run', '--rm', '-e', 'AU_HTTP_PORT=99999', IMAGE), (error) => {
      assert.equal(error.code, 2);
      assert.match(error.stderr, /AU_HTTP_PORT/);
      return true;
    });
    await assert.rejects(compose.podman('run', '--rm', '-e', 'AU_ADMIN_TOKEN_FILE=/run/secrets/none', IMAGE), (error) => {
      assert.equal(error.code, 2);
      assert.match(error.stderr, /\/run\/secrets\/none/);
      return true;
    });
  });
});

test('the whole site', { timeout: 900_000 }, async (t) => {
  const compose = new Compose(environment, 'site');
  defer(t, () => compose.down());
  await compose.up();
  const people = new People(compose.port, compose.certificate);
  defer(t, () => people.stop());
  people.come(SOCKETS, BEATERS);

  const allThere = (timeoutMs = 60_000) =>
    waitFor(
      'everybody to be counted, and every socket open',
      async () => {
        const { count, stale } = await people.metrics();
        return count === people.size && !stale && people.open === SOCKETS + 1;
      },
      { timeoutMs, everyMs: 1000 },
    );
  const step = (name, fn) =>
    t.test(name, async () => {
      people.failed.length = 0;
      const from = Date.now();
      try {
        await fn();
        await allThere();
      } catch (error) {
        for (const service of SERVICES) t.diagnostic(`${service}: ${await compose.logs(service)}`);
        throw error;
      }
      t.diagnostic(`${name}: the watcher's number was off by ${(100 * people.worstSince(from)).toFixed(1)} % at most, ${people.failed.length} beats failed`);
    });

  await step('everybody is counted through TLS', () => {});

  await t.test('the containers keep what they do not need', async () => {
    for (const service of SERVICES) {
      const [it] = JSON.parse(await compose.podman('inspect', compose.container(service)));
      assert.equal(it.HostConfig.ReadonlyRootfs, true, service);
      assert.notEqual(it.Config.User || 'root', 'root', service);
      assert.ok(it.HostConfig.Memory > 0, service);
      assert.ok(it.HostConfig.SecurityOpt.some((option) => option.startsWith('no-new-privileges')), service);
      assert.deepEqual(it.EffectiveCaps ?? [], [], service);
    }
  });

  await t.test('operators are not let in at the front', async () => {
    for (const path of ['/metrics', '/admin/customers'])
      assert.equal((await people.request('GET', path)).status, 404, path);
  });

  await t.test('Prometheus scrapes both daemons and has the alerts', async () => {
    // The daemons' network alone reaches it, so it is asked from inside.
    const query = async (expression) =>
      JSON.parse(
        await compose.podman('exec', compose.container('prometheus'), 'promtool', 'query', 'instant', '-o', 'json', 'http://127.0.0.1:9090', expression),
      );
    await waitFor('both to be up', async () => (await query('sum(up{job="active-users"})'))[0]?.value[1] === '2', { timeoutMs: 60_000, everyMs: 500 });
    const rules = await query('count(ALERTS) or vector(0)');
    assert.ok(rules.length > 0);
  });

  await step('a daemon is killed', async () => {
    const from = Date.now();
    await compose.kill('daemon-1');
    await allThere();
    assert.ok(people.worstSince(from) <= 0.01, `off by ${people.worstSince(from)}`);
    await compose.restart('daemon-1');
  });

  await step('Redis is killed', async () => {
    await compose.kill('redis');
    await waitFor('the number to be stale', async () => (await people.metrics()).stale === true, { timeoutMs: 30_000, everyMs: 500 });
    assert.deepEqual(people.failed, []);
    await compose.restart('redis');
  });

  await step('the proxy is killed', async () => {
    await compose.kill('proxy');
    await waitFor('the sockets to be gone', () => people.open === 0, { timeoutMs: 30_000 });
    await compose.restart('proxy');
  });

  await step('the image is upgraded, one daemon after the other', async () => {
    build('IMAGE_TAG=next');
    const from = Date.now();
    people.failed.length = 0;
    for (const daemon of ['daemon-1', 'daemon-2']) {
      await compose.upgrade(daemon, 'next');
      await allThere();
    }
    assert.deepEqual(people.failed, []);
    assert.ok(people.worstSince(from) <= 0.01, `off by ${people.worstSince(from)}`);
    const [it] = JSON.parse(await compose.podman('inspect', compose.container('daemon-2')));
    assert.match(it.ImageName, new RegExp(`${NEXT}$`));
  });
});

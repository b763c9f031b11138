// The process itself: what it tells the operator of, and what others can read of it.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { DAEMON, defer, Process, startDaemon, suite, tempDir, waitFor } from './harness.mjs';

const SECRET = 'redis://:hunter2@127.0.0.1:1';
/** All that it warned of at its start: it is over then, and its log whole. */
async function warnings(daemon) {
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.exit(), { code: 0, signal: null }, daemon.stderr);
  return daemon.log.filter((line) => line.level === 'warn' && line.component === 'main');
}
const proc = (daemon, file) => readFileSync(`/proc/${daemon.pid}/${file}`, 'utf8');
const asRoot = process.getuid() === 0;

suite('process', async (test) => {
  test('a secret in the arguments is overwritten there, said once, and outlives a reload', async (t) => {
    const daemon = await startDaemon(t, { 'redis-url': SECRET });
    const line = proc(daemon, 'cmdline');
    assert.ok(!line.includes('hunter2') && !line.includes('127.0.0.1:1'), line);
    assert.match(line, /\0--redis-url=\*+\0/);
    daemon.signal('SIGHUP');
    await waitFor('the reload', () => daemon.log.some((entry) => entry.event === 'reloaded'));
    assert.equal((await daemon.get('/health')).json.status, 'degraded'); // still that Redis
    const said = (await warnings(daemon)).filter((entry) => entry.setting === 'redis-url');
    assert.deepEqual(
      said.map((entry) => entry.from),
      ['--redis-url'],
    );
    assert.ok(!daemon.stderr.includes('hunter2'), daemon.stderr);
  });

  test('an argument without a secret stays, and nothing is said', async (t) => {
    const daemon = await startDaemon(t, { 'redis-url': 'redis://127.0.0.1:1' });
    assert.ok(proc(daemon, 'cmdline').includes('--redis-url=redis://127.0.0.1:1'));
    assert.ok(!(await warnings(daemon)).some((entry) => entry.setting));
  });

  for (const [mode, open] of [
    [0o600, false],
    [0o640, true],
    [0o604, true],
  ])
    test(`a secret in a file of mode ${mode.toString(8)}: ${open ? 'said' : 'silent'}`, async (t) => {
      const dir = await tempDir(t);
      const [secret, config] = ['secret', 'config'].map((name) => path.join(dir, name));
      writeFileSync(secret, `${SECRET}\n`);
      writeFileSync(config, `redis-url = ${SECRET}\n`);
      for (const file of [secret, config]) chmodSync(file, mode);
      const daemon = await startDaemon(t, { config }, { AU_REDIS_URL_FILE: secret });
      assert.deepEqual(
        (await warnings(daemon))
          .filter((entry) => entry.setting)
          .map((entry) => `${entry.setting} ${entry.from}`),
        open ? [`redis-url ${config}`, 'redis-url AU_REDIS_URL_FILE'] : [],
      );
    });

  test('no core dump and no new privileges', async (t) => {
    const [plain, secret] = [
      await startDaemon(t),
      await startDaemon(t, {}, { AU_REDIS_URL: SECRET }),
    ];
    const core = (daemon) => /Max core file size +(\S+)/.exec(proc(daemon, 'limits'))[1];
    assert.equal(core(secret), '0');
    assert.equal(core(plain), /Max core file size +(\S+)/.exec(readFileSync('/proc/self/limits'))[1]);
    for (const daemon of [plain, secret])
      assert.match(proc(daemon, 'status'), /^NoNewPrivs:\s+1$/m);
  });

  test('root is told of; another user cannot read the memory of a daemon with a secret', async (t) => {
    if (!asRoot) {
      const daemon = await startDaemon(t, {}, { AU_REDIS_URL: SECRET });
      assert.equal(statSync(`/proc/${daemon.pid}/mem`).uid, 0);
      assert.ok(!(await warnings(daemon)).some((entry) => /root/.test(entry.event)));
      return;
    }
    const dir = await tempDir(t);
    const program = path.join(dir, 'active-users'); // where any user can run it
    copyFileSync(DAEMON, program);
    for (const file of [dir, program]) chmodSync(file, 0o755);
    const start = async (env) => {
      const args = ['--host=127.0.0.1', '--http-port=0', '--ws-port=0', '--log-format=json'];
      const user = ['--reuid=65534', '--regid=65534', '--clear-groups'];
      const daemon = new Process('setpriv', [...user, program, ...args], env);
      defer(t, () => daemon.kill('SIGKILL'));
      await waitFor('the daemon to listen', () => daemon.stderr.includes('"listening"'));
      return daemon;
    };
    for (const [env, owner] of [
      [{}, 65534],
      [{ AU_REDIS_URL: SECRET }, 0],
    ]) {
      const daemon = await start(env);
      assert.equal(statSync(`/proc/${daemon.pid}/mem`).uid, owner);
      daemon.kill('SIGTERM');
      assert.deepEqual(await daemon.waitExit(), { code: 0, signal: null }, daemon.stderr);
      assert.ok(!daemon.stderr.includes('root'), daemon.stderr);
    }
    const root = await startDaemon(t);
    assert.equal((await warnings(root)).filter((entry) => /running as root/.test(entry.event)).length, 1);
  });
});

// The reference's own "Manual Test" and "WebSocket Test", unchanged, against a daemon started with
// no flags at all. They name ports 3001 and 3003, so this runs in a network of its own where the
// machine allows that, and on the real ports where it does not.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { DAEMON, defer, Process, suite, waitFor } from './harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const fixture = (name) => path.join(here, '../fixtures', name);

/** Words to put in front of a command so that it runs in the private network; [] is the machine's own. */
async function privateNetwork(t) {
  for (const namespaces of ['-n', '-rn']) {
    const holder = new Process('unshare', [
      namespaces,
      'sh',
      '-c',
      'ip link set lo up && echo up && exec cat',
    ]);
    defer(t, () => holder.kill('SIGKILL'));
    const state = await waitFor('unshare', () => {
      if (holder.stdout.includes('up')) return 'up';
      return holder.status === null ? false : 'refused';
    }).catch(() => 'refused'); // no such program
    if (state !== 'up') continue;
    const target = [`--target=${holder.pid}`, '--net'];
    if (namespaces === '-rn') target.push('--user', '--preserve-credentials');
    return ['nsenter', ...target, '--'];
  }
  return [];
}

const start = (prefix, command) => {
  const [program, ...args] = [...prefix, ...command];
  return new Process(program, args);
};

suite(
  'the reference',
  async (test, shared) => {
    const prefix = await privateNetwork(shared);
    const daemon = start(prefix, [DAEMON]);
    defer(shared, async () => {
      daemon.kill('SIGTERM');
      assert.deepEqual(await daemon.waitExit(), { code: 0, signal: null }, daemon.stderr);
      assert.doesNotMatch(daemon.stderr, /Sanitizer|runtime error:/);
    });
    await waitFor('the daemon to listen on its default ports', () => {
      assert.equal(daemon.status, null, daemon.stderr);
      return daemon.stderr.includes('listening');
    });

    test('the curl lines of "Manual Test" give the answers it shows', async () => {
      const commands = (await readFile(fixture('manual-test.sh'), 'utf8'))
        .split(/^# .*\n/m)
        .filter((text) => text.trim() !== '');
      assert.equal(commands.length, 4);
      const answers = [];
      for (const command of commands) {
        const shell = start(prefix, ['bash', '-c', command]);
        assert.deepEqual(await shell.waitExit(), { code: 0, signal: null }, shell.stderr);
        answers.push(JSON.parse(shell.stdout));
      }
      const [join, beat, metrics, leave] = answers;
      for (const answer of [join, beat, leave]) assert.deepEqual(answer, { success: true });
      assert.deepEqual(metrics, {
        timestamp: metrics.timestamp,
        count: 1,
        ema: metrics.ema,
        customerId: 'shop123',
        peakToday: 1,
        peak: 1,
      });
      const health = start(prefix, ['curl', '--silent', '--fail', 'http://localhost:3001/health']);
      assert.equal((await health.waitExit()).code, 0);
      assert.equal(JSON.parse(health.stdout).status, 'ok');
    });

    test('the snippet of "WebSocket Test" prints hello and an update', async (t) => {
      // A browser has WebSocket and tries every address of localhost; node 18 needs telling.
      const browser = `import WebSocket from '${path.join(here, '../node_modules/ws/wrapper.mjs')}';`;
      const snippet = await readFile(fixture('websocket-test.js'), 'utf8');
      const node = start(prefix, [
        process.execPath,
        '--dns-result-order=ipv4first',
        '--input-type=module',
        '--eval',
        `${browser}\n${snippet}`,
      ]);
      defer(t, () => node.kill('SIGKILL'));
      await waitFor('both messages', () => {
        assert.equal(node.status, null, node.stderr);
        return /type: 'hello'/.test(node.stdout) && /type: 'metrics:update'/.test(node.stdout);
      });
      assert.match(node.stdout, /sessionId: 's1'/);
      assert.match(node.stdout, /customerId: 'shop123'/);
    });
  },
  { concurrency: 1 },
);

// Sockets that a service manager passes (LISTEN_FDS), and a state file that another daemon has.
import assert from 'node:assert/strict';
import path from 'node:path';

import {
  aBeat,
  DAEMON,
  defer,
  flagsOf,
  freePort,
  holdSockets,
  presenceText,
  Process,
  RawConnection,
  run,
  Socket,
  spawnDaemon,
  startDaemon,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

const said = (daemon, event) => daemon.log.find((line) => line.event.startsWith(event));

async function end(daemon) {
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.exit(), { code: 0, signal: null }, daemon.stderr);
}

suite('sockets that are passed', async (test) => {
  test('they take the place of both ports, and are ready before the daemon is', async (t) => {
    const { ports, prefix } = await holdSockets(t);
    const early = await RawConnection.open(t, ports[0]);
    early.send(presenceText('join', aBeat()));
    const daemon = await startDaemon(t, {}, {}, prefix);
    assert.deepEqual([daemon.httpPort, daemon.wsPort], ports);
    assert.equal((await early.response()).status, 200);
    await Socket.join(t, ports[1], aBeat());
  });

  test('connections wait from one daemon to the next', async (t) => {
    const { ports, prefix } = await holdSockets(t);
    const first = await startDaemon(t, {}, {}, prefix);
    await end(first);
    const waiting = await RawConnection.open(t, ports[0]);
    waiting.send(presenceText('join', aBeat()));
    await startDaemon(t, {}, {}, prefix);
    assert.equal((await waiting.response()).status, 200);
  });

  test('the admin port is the third', async (t) => {
    const { ports, prefix } = await holdSockets(t, 3);
    const daemon = await startDaemon(t, { 'admin-port': 0 }, {}, prefix);
    assert.deepEqual([daemon.httpPort, daemon.wsPort, daemon.adminPort], ports);
    assert.equal((await daemon.request('GET', '/metrics', { port: ports[2] })).status, 200);
  });

  test('a port that differs from the setting is told', async (t) => {
    const { ports, prefix } = await holdSockets(t);
    const other = await freePort();
    const daemon = await startDaemon(t, { 'http-port': other }, {}, prefix);
    const line = said(daemon, 'a socket that was passed has another port');
    assert.deepEqual([line.level, line.port, line.setting], ['warn', ports[0], other]);
  });

  test('too few or too many stop the start in one line', async (t) => {
    for (const [count, flags, needs] of [
      [1, {}, 'LISTEN_FDS passes 1, but these settings need 2: http-port, ws-port'],
      [3, {}, 'LISTEN_FDS passes 3, but these settings need 2: http-port, ws-port'],
      [2, { 'enable-websocket': false }, 'LISTEN_FDS passes 2, but these settings need 1: http-port'],
      [2, { 'admin-port': '0' }, 'LISTEN_FDS passes 2, but these settings need 3: http-port, ws-port, admin-port'],
    ]) {
      const { prefix } = await holdSockets(t, count);
      const [program, ...args] = [...prefix, DAEMON, ...flagsOf(flags)];
      const { code, stderr } = await run(program, args);
      assert.equal(stderr, `active-users: ${needs}, in this order\n`);
      assert.equal(code, 2);
    }
  });

  test('what is no listening socket stops the start', async () => {
    const script = 'exec 3</dev/null 4</dev/null; LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" "$@"';
    const { code, stderr } = await run('sh', ['-c', script, DAEMON]);
    assert.equal(
      stderr,
      'active-users: cannot use descriptor 3, which was passed: it is no TCP socket that listens\n',
    );
    assert.equal(code, 2);
  });

  test("systemd's own activator starts it with the first connection", async (t) => {
    const ports = [await freePort(), await freePort()];
    const listen = ports.map((port) => `--listen=127.0.0.1:${port}`);
    const activator = new Process('systemd-socket-activate', [...listen, DAEMON, '--log-format=json']);
    const missing = activator.exited.then(
      () => assert.fail(activator.stderr),
      () => 'systemd-socket-activate is not installed',
    );
    missing.catch(() => {}); // it ends at the end
    defer(t, () => activator.kill('SIGKILL'));
    const first = waitFor('a connection', () => RawConnection.open(t, ports[0]));
    const connection = await Promise.race([first, missing]);
    if (typeof connection === 'string') return t.skip(connection);
    connection.send(presenceText('join', aBeat()));
    assert.equal((await connection.response()).status, 200);
    await Socket.join(t, ports[1], aBeat());
    activator.kill('SIGTERM');
    assert.deepEqual(await activator.waitExit(), { code: 0, signal: null });
  });

  test('sockets for another process are none of ours', async (t) => {
    const daemon = await startDaemon(t, {}, { LISTEN_FDS: '2', LISTEN_PID: '1' });
    await daemon.assertHealthy();
  });
});

suite('a state file that another daemon has', async (test) => {
  async function startTwo(t) {
    const file = path.join(await tempDir(t), 'state');
    const { ports, prefix } = await holdSockets(t);
    const options = { 'state-file': file };
    const one = await startDaemon(t, options, {}, prefix);
    const two = spawnDaemon(t, options, {}, prefix);
    await waitFor('the second to wait', () => said(two, 'waits for the daemon that has the state'));
    return { one, two, ports };
  }

  test('the next waits, takes its people over, and only then answers', async (t) => {
    const { one, two, ports } = await startTwo(t);
    const beat = aBeat();
    for (let i = 0; i < 20; i += 1) await one.must('join', { ...beat, sessionId: `s${i}` });
    assert.equal(said(two, 'listening'), undefined);
    await end(one);
    const waiting = await RawConnection.open(t, ports[0]);
    waiting.send(presenceText('leave', { ...beat, sessionId: 's0' }));
    await two.ready();
    assert.equal((await waiting.response()).status, 200);
    assert.equal(await two.count(beat.customerId), 19);
    await end(two);
    assert.equal(said(two, 'written').sessions, 19);
  });

  test('one that is stopped while it waits leaves the file as it is', async (t) => {
    const { one, two } = await startTwo(t);
    const beat = aBeat();
    await one.must('join', beat);
    await end(two);
    assert.equal(said(two, 'written'), undefined);
    await end(one);
    assert.equal(said(one, 'written').sessions, 1);
  });

  test('one that is killed leaves it to the next', async (t) => {
    const { one, two } = await startTwo(t);
    one.signal('SIGKILL');
    await one.exit();
    await two.ready();
    await two.assertHealthy();
  });
});

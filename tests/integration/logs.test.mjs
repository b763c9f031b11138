// What is written to the log, and what never is.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

import {
  aBeat,
  DAEMON,
  defer,
  freePort,
  freshId,
  httpText,
  Process,
  Socket,
  startDaemon,
  startOn,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

suite('logs', async (test) => {
  test('JSON lines are JSON with a time, a level, a component and an event', async (t) => {
    const daemon = await startDaemon(t, { 'log-level': 'debug' });
    const beat = aBeat();
    await daemon.must('join', beat);
    await daemon.post('join', '{');
    await daemon.get('/%ff"\\%0a');
    await Socket.join(t, daemon.wsPort, beat);
    daemon.signal('SIGTERM');
    await daemon.exit();
    const lines = daemon.stderr.trimEnd().split('\n');
    assert.ok(lines.length >= 2);
    for (const line of lines) {
      const entry = JSON.parse(line);
      assert.match(entry.time ?? entry.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
      assert.match(entry.level, /^(error|warn|info|debug)$/);
      assert.equal(typeof entry.component, 'string');
      assert.equal(typeof entry.event, 'string');
    }
  });

  test('text lines name the component, the event and the ports', async (t) => {
    const process = new Process(DAEMON, [
      '--host=127.0.0.1',
      '--http-port=0',
      '--ws-port=0',
      '--drain=0',
    ]);
    defer(t, () => process.kill('SIGKILL'));
    await waitFor('the line', () => /server.*listening.*http_port=\d+/.test(process.stderr));
    process.kill('SIGTERM');
    assert.deepEqual(await process.waitExit(), { code: 0, signal: null });
    assert.doesNotMatch(
      process.stderr,
      /[\x00-\x09\x0b-\x1f\x7f]/,
      'no control bytes where no terminal is',
    );
  });

  test('no ids, addresses of users or user agents at info', async (t) => {
    const daemon = await startOn('redis', t, {
      'ema-interval': 50,
      'trusted-proxies': '127.0.0.0/8',
    });
    const secret = freshId('private');
    const beat = { customerId: `c-${secret}`, sessionId: `s-${secret}`, tabId: `t-${secret}` };
    const headers = { 'x-forwarded-for': '192.0.2.77', origin: `https://${secret}.example` };
    await daemon.post(
      'join',
      { ...beat, userAgent: `ua-${secret}`, platform: `p-${secret}` },
      headers,
    );
    await daemon.post('beat', beat, headers);
    await daemon.post('beat', { ...beat, tabId: `${secret} bad` }, headers);
    await daemon.post('join', `{"customerId":"${secret}`, headers);
    await daemon.get(`/${secret}?customerId=${secret}`, headers);
    const socket = await Socket.join(t, daemon.wsPort, beat, { headers });
    socket.send(`nonsense ${secret}`);
    await socket.next('error');
    socket.send(Buffer.from(secret));
    await socket.waitClose();
    await daemon.post('leave', beat, headers);
    daemon.signal('SIGTERM');
    assert.deepEqual(await daemon.exit(), { code: 0, signal: null });
    assert.ok(!daemon.stderr.includes(secret), daemon.stderr);
    assert.ok(!daemon.stderr.includes('192.0.2.77'), daemon.stderr);
  });

  test('clients cannot write lines of their own into the log', async (t) => {
    const daemon = await startDaemon(t, { 'log-level': 'debug' });
    const forged = '{"component":"server","event":"forged"}';
    const connection = await daemon.connect(t);
    connection.send(
      httpText('POST', `/x%0a${encodeURIComponent(forged)}`, { body: `\n${forged}\n` }),
    );
    await connection.response();
    await daemon.post('join', aBeat({ sessionId: `a\n${forged}\n` }));
    const socket = await Socket.open(t, daemon.wsPort);
    socket.send(`\n${forged}\n`);
    await socket.next('error');
    daemon.signal('SIGTERM');
    await daemon.exit();
    assert.ok(!daemon.log.some((line) => line.event === 'forged'), daemon.stderr);
  });

  test('SIGHUP opens the log file again after it was rotated away', async (t) => {
    const dir = await tempDir(t);
    const file = path.join(dir, 'au.log');
    const port = await freePort();
    const process = new Process(DAEMON, [
      '--host=127.0.0.1',
      `--http-port=${port}`,
      '--ws-port=0',
      '--drain=0',
      `--log-file=${file}`,
    ]);
    defer(t, () => process.kill('SIGKILL'));
    await waitFor('the first line', async () =>
      (await readFile(file, 'utf8')).includes('listening'),
    );
    await rename(file, `${file}.1`);
    process.kill('SIGHUP');
    await waitFor('a new file', () => existsSync(file));
    process.kill('SIGTERM');
    assert.deepEqual(await process.waitExit(), { code: 0, signal: null });
    assert.notEqual(await readFile(file, 'utf8'), '', 'the end was logged into the new one');
    assert.equal(process.stderr, '');
  });

  /** What no log is written to. */
  const NO_LOGS = [
    ['a FIFO that nobody reads', (file) => execFileSync('mkfifo', [file])],
    ['a folder', (file) => mkdirSync(file)],
    ['a socket', (file) => net.createServer().listen(file)],
    ['a symbolic link', (file) => symlinkSync('/dev/null', file)],
  ];

  for (const [name, make] of NO_LOGS) {
    test(`${name} as log file: status 2 and one line, at SIGHUP the old file is kept`, async (t) => {
      const dir = await tempDir(t);
      const bad = path.join(dir, 'bad');
      const server = make(bad);
      if (server instanceof net.Server) defer(t, () => server.close());
      const refused = new Process(DAEMON, ['--http-port=0', '--ws-port=0', `--log-file=${bad}`]);
      defer(t, () => refused.kill('SIGKILL'));
      assert.deepEqual(await refused.waitExit(), { code: 2, signal: null }, refused.stderr);
      assert.match(refused.stderr, /^active-users: log-file: cannot open \S+bad: [^\n]+\n$/);

      const file = path.join(dir, 'au.log');
      const args = ['--host=127.0.0.1', '--http-port=0', '--ws-port=0', '--drain=0'];
      const daemon = new Process(DAEMON, [...args, `--log-file=${file}`]);
      defer(t, () => daemon.kill('SIGKILL'));
      const log = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
      await waitFor('the first line', () => log().includes('listening'));
      const kept = `${file}.1`;
      renameSync(file, kept);
      renameSync(bad, file);
      daemon.kill('SIGHUP');
      await waitFor('the complaint', () =>
        readFileSync(kept, 'utf8').match(/error main log not reopened file=\S+ error=.*\n/),
      );
      daemon.kill('SIGTERM');
      assert.deepEqual(await daemon.waitExit(), { code: 0, signal: null });
      assert.match(readFileSync(kept, 'utf8'), /server stopped/);
    });
  }

  test('/dev/stdout is the pipe or socket that a service manager gave', async (t) => {
    const args = ['--host=127.0.0.1', '--http-port=0', '--ws-port=0', '--drain=0'];
    const daemon = new Process(DAEMON, [...args, '--log-file=/dev/stdout']);
    defer(t, () => daemon.kill('SIGKILL'));
    await waitFor('the line', () => daemon.stdout.includes('server listening'));
    daemon.kill('SIGHUP');
    await waitFor('the next', () => daemon.stdout.includes('server reloaded'));
    daemon.kill('SIGTERM');
    assert.deepEqual(await daemon.waitExit(), { code: 0, signal: null });
    assert.equal(daemon.stderr, '');
  });
});

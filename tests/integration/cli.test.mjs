// The commands of operators, as processes beside a real daemon: into a pipe and on a terminal.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

import {
  aBeat,
  DAEMON,
  defer,
  freshId,
  Process,
  run,
  startDaemon,
  startOn,
  suite,
  tempDir,
  waitDegraded,
  waitFor,
} from './harness.mjs';

const TOKEN = 'a-token-of-operators-0123';
const urlOf = (port) => `http://127.0.0.1:${port}`;

/** Runs a command with nothing of the test's own environment that would matter. */
const cli = (words, env = {}) => run(DAEMON, words, { env });

const insist = async (words, env) => {
  const result = await cli(words, env);
  assert.equal(result.code, 0, result.stdout + result.stderr);
  assert.equal(result.stderr, '');
  return result.stdout;
};

/** One line on standard error, none on standard output, and the status. */
const refused = async (code, words, pattern, env) => {
  const result = await cli(words, env);
  assert.equal(result.code, code, result.stdout + result.stderr);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, /^active-users \w+: [^\n]+\n$/);
  assert.match(result.stderr, pattern);
};

const join = (daemon, customerId, n) =>
  Promise.all(Array.from({ length: n }, () => daemon.must('join', aBeat({ customerId }))));

/** Something that listens and is no daemon. */
const startOther = async (t, answer) => {
  const server = http.createServer(answer);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  defer(t, () => {
    server.closeAllConnections?.();
    server.close();
  });
  return server.address().port;
};

suite('check', async (test, shared) => {
  const daemon = await startDaemon(shared);

  test('a daemon that is well: 0, and one line', async () => {
    const url = urlOf(daemon.httpPort);
    assert.equal(await insist(['check', '--url', url]), `ok: ${url} is ok\n`);
    assert.equal(await insist(['check', `--url=${url}/`]), `ok: ${url} is ok\n`);
  });

  test('finds the daemon by its own settings: variables, file, flags', async (t) => {
    const port = String(daemon.httpPort);
    const file = path.join(await tempDir(t), 'au.conf');
    await writeFile(file, `http-port = ${port}\nhost = 0.0.0.0\n`);
    for (const [words, env] of [
      [['check'], { AU_HTTP_PORT: port }],
      [['check'], { AU_CONFIG: file }],
      [['check', '--config', file], {}],
      [['check', '--http-port', port, '--strict'], { AU_HTTP_PORT: '1' }],
    ])
      assert.match(await insist(words, env), /^ok: http:\/\/127\.0\.0\.1:\d+ is ok\n$/);
  });

  test('asks no proxy that the environment names', async (t) => {
    let asked = 0;
    const proxy = await startOther(t, (_, response) => response.end(`${(asked += 1)}`));
    await insist(['check', '--url', urlOf(daemon.httpPort)], {
      http_proxy: urlOf(proxy),
      all_proxy: urlOf(proxy),
    });
    assert.equal(asked, 0);
  });

  test('a degraded daemon: 0, with --strict 1', async (t) => {
    const lost = await startOn('redis', t);
    await lost.redis.crash();
    await waitDegraded(lost);
    const url = urlOf(lost.httpPort);
    assert.match(await insist(['check', '--url', url]), /is degraded: .+; it counts on/);
    const strict = await cli(['check', '--url', url, '--strict']);
    assert.equal(strict.code, 1);
    assert.match(strict.stdout, /^not ok: [^\n]+ is degraded: [^\n]+\n$/);
  });

  for (const [name, answer, pattern, timeout = 60_000] of [
    ['another program', (_, response) => response.end('<html>'), /not as Active Users does/],
    ['one that answers with a redirect', (_, response) => response.writeHead(302, { location: urlOf(daemon.httpPort) }).end(), /with 302, and not as/],
    ['one that never answers', () => {}, /not ok: .*timed? ?out/i, 500],
    ['one that answers without end', (_, response) => {
      response.on('error', () => {});
      const more = () => response.write('x'.repeat(65536)) ? setImmediate(more) : response.once('drain', more);
      more();
    }, /not ok: .*too large/],
    ['one that ends the connection', (request) => request.socket.destroy(), /not ok: .+/],
  ])
    test(`${name}: 1`, async (t) => {
      const port = await startOther(t, answer);
      const result = await cli(['check', '--url', urlOf(port), '--timeout', String(timeout)]);
      assert.equal(result.code, 1);
      assert.match(result.stdout, /^not ok: [^\n]+\n$/);
      assert.match(result.stdout, pattern);
      assert.equal(result.stderr, '');
    });

  test('a stopping daemon and nobody at all: 1', async (t) => {
    const port = await startOther(t, (_, response) => response.writeHead(503).end('{"status":"stopping"}'));
    assert.match((await cli(['check', '--url', urlOf(port)])).stdout, /^not ok: .+ is stopping\n$/);
    const nobody = await cli(['check', '--url', 'http://127.0.0.1:1']);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stdout, /^not ok: [^\n]+\n$/);
  });

  for (const [name, words, pattern] of [
    ['a URL of another scheme', ['--url', 'ftp://127.0.0.1'], /--url: no address of a daemon/],
    ['a URL with a query', ['--url', 'http://127.0.0.1:1/?a'], /--url: no address of a daemon/],
    ['no URL behind the flag', ['--url'], /--url: a value is missing/],
    ['a time-out out of range', ['--timeout', '5'], /--timeout: 5 is out of range/],
    ['a flag that is none', ['--frobnicate'], /--frobnicate: no such flag/],
    ['a flag of another command', ['--interval', '500'], /--interval: no such flag/],
    ['a stray word', ['shop'], /is not a flag/],
    ['a setting out of range', ['--http-port', '70000'], /70000 is out of range/],
    ['a port that is open', ['--http-port', '0'], /--url must name it/],
    ['an action of the daemon', ['--print-config'], /none of its commands/],
  ])
    test(`${name}: 2`, () => refused(2, ['check', ...words], pattern));
});

suite('stat', async (test, shared) => {
  const daemon = await startDaemon(shared);
  const url = urlOf(daemon.httpPort);

  test('prints what GET /metrics has, whatever the id', async () => {
    for (const customerId of [freshId('shop'), 'a+b/c=d@e~f._g']) {
      await join(daemon, customerId, 3);
      const printed = JSON.parse(await insist(['stat', customerId, '--url', url]));
      const { timestamp, ...rest } = await daemon.metrics(customerId);
      assert.equal(typeof timestamp, 'number');
      assert.equal(printed.count, 3);
      assert.deepEqual({ ...printed, timestamp: undefined }, { ...rest, timestamp: undefined });
    }
    assert.equal(JSON.parse(await insist(['stat', freshId('nobody')], { AU_HTTP_PORT: String(daemon.httpPort) })).count, 0);
  });

  test('no customer, or no id: 2', async () => {
    await refused(2, ['stat', '--url', url], /the customer is missing: active-users stat CUSTOMER/);
    await refused(2, ['stat', 'a b', '--url', url], /is no id of 1 to 128 characters/);
  });

  test('a refusal, another program, nobody: 1', async (t) => {
    const limited = await startDaemon(t, { 'rate-customer': 1 });
    await join(limited, 'shop', 1);
    await limited.get('/metrics?customerId=shop');
    await refused(1, ['stat', 'shop', '--url', urlOf(limited.httpPort)], /answers 429: Rate limit exceeded/);
    const other = await startOther(t, (_, response) => response.end('<html>\u001b[2J'));
    await refused(1, ['stat', 'shop', '--url', urlOf(other)], /does not answer as Active Users does/);
    await refused(1, ['stat', 'shop', '--url', 'http://127.0.0.1:1'], /127\.0\.0\.1:1/);
  });
});

suite('top', async (test, shared) => {
  const daemon = await startDaemon(shared, { 'admin-token': TOKEN, 'admin-port': 0 });
  const env = { AU_ADMIN_TOKEN: TOKEN };
  const url = urlOf(daemon.adminPort);
  await join(daemon, 'small', 2);
  await join(daemon, 'large', 11);

  test('plain lines in a pipe, by falling count', async () => {
    const lines = (await insist(['top', '--url', url], env)).split('\n').map((line) => line.split(/ +/));
    assert.deepEqual(lines, [
      ['CUSTOMER', 'COUNT', 'EMA'],
      ['large', '11', '11.0'],
      ['small', '2', '2.0'],
      [''],
    ]);
  });

  test('takes the port and the token from settings and their files', async (t) => {
    const file = path.join(await tempDir(t), 'token');
    await writeFile(file, `${TOKEN}\n`, { mode: 0o600 });
    const printed = await insist(['top', '--admin-port', String(daemon.adminPort)], {
      AU_ADMIN_TOKEN_FILE: file,
    });
    assert.match(printed, /^large +11 /m);
  });

  test('no token, another token, another port: 1, and what to do', async () => {
    await refused(1, ['top', '--url', url], /answers 401: .+; give the token as AU_ADMIN_TOKEN_FILE/);
    await refused(1, ['top', '--url', url], /answers 401/, { AU_ADMIN_TOKEN: `${TOKEN}-old` });
    await refused(1, ['top', '--url', urlOf(daemon.httpPort)], /answers 404: .+; the operators' port/, env);
  });

  test('a name that would move the cursor is shown harmlessly', async (t) => {
    const port = await startOther(t, (request, response) =>
      response.end(
        request.url.startsWith('/admin')
          ? JSON.stringify({ customers: [{ customerId: '\u001b[2Jx\u009b', count: 1, ema: 1 }], next: null })
          : '{"status":"ok"}',
      ),
    );
    const printed = await insist(['top', '--url', urlOf(port)]);
    assert.match(printed, /^\?\[2Jx\?+ +1 +1\.0$/m);
  });

  /** On a terminal of its own; `script` is of every Debian. It runs a shell, and one that waited for its command
   * would have the terminal's interrupt as well, and answer 130 for it: the command takes its place. */
  const onTerminal = (t, words, more = {}) => {
    const child = new Process('script', ['-qfec', ['exec', DAEMON, ...words].join(' '), '/dev/null'], {
      ...env,
      TERM: 'xterm',
      ...more,
    });
    defer(t, () => child.kill('SIGKILL'));
    return child;
  };
  const OPENED = '\u001b[?1049h\u001b[?25l';
  const CLOSED = '\u001b[?25h\u001b[?1049l';

  test('a terminal: drawn anew as people come, in colour, until q', async (t) => {
    const child = onTerminal(t, ['top', '--url', url, '--interval', '200']);
    await waitFor('the page', () => /large +11 /.test(child.stdout));
    assert.ok(child.stdout.startsWith(OPENED));
    assert.match(child.stdout, /\u001b\[1;32mactive-users at http:\S+: ok/);
    const customerId = freshId('new');
    await join(daemon, customerId, 5);
    await waitFor('the newcomers', () => new RegExp(`${customerId} +5 `).test(child.stdout));
    child.child.stdin.write('q');
    assert.deepEqual(await child.waitExit(), { code: 0, signal: null });
    assert.ok(child.stdout.trimEnd().endsWith(CLOSED), JSON.stringify(child.stdout.slice(-80)));
  });

  test('without colour where NO_COLOR is set; plain where the terminal is dumb', async (t) => {
    const plain = onTerminal(t, ['top', '--url', url, '--interval', '200'], { NO_COLOR: '1' });
    await waitFor('the page', () => /large +11 /.test(plain.stdout));
    assert.doesNotMatch(plain.stdout, /\u001b\[(1;\d+|7)m/);
    plain.child.stdin.write('q');
    await plain.waitExit();
    const dumb = onTerminal(t, ['top', '--url', url], { TERM: 'dumb' });
    assert.deepEqual(await dumb.waitExit(), { code: 0, signal: null });
    assert.doesNotMatch(dumb.stdout, /\u001b/);
  });

  test('scrolls, and goes on while the daemon is away', async (t) => {
    const other = await startDaemon(t);
    for (let i = 0; i < 40; i++) await join(other, `c${100 + i}`, 1);
    const child = onTerminal(t, ['top', '--url', urlOf(other.httpPort), '--interval', '200']);
    await waitFor('the first page', () => /c100 +1 /.test(child.stdout));
    assert.doesNotMatch(child.stdout, /c139/);
    child.child.stdin.write('\u001b[6~');
    await waitFor('the last page', () => /c139 +1 /.test(child.stdout));
    await other.stop();
    await waitFor('the fault', () => /\u001b\[1;31mhttp:\S+: /.test(child.stdout));
    child.child.stdin.write('\u0003');
    assert.deepEqual(await child.waitExit(), { code: 0, signal: null });
    assert.ok(child.stdout.trimEnd().endsWith(CLOSED));
  });
});

suite('help of the commands', async (test) => {
  for (const name of ['check', 'stat', 'top'])
    test(name, async () => {
      const printed = await insist([name, '--help']);
      assert.match(printed, new RegExp(`^Usage: active-users ${name} `));
      assert.match(printed, /Exit status: 0 /);
      assert.match(await insist(['--help']), new RegExp(`^  ${name} `, 'm'));
    });
});

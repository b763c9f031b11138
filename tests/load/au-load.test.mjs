// The load generator as a user has it, against the real daemon.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { defer, freePort, Process, run, startDaemon, suite, waitFor } from '../integration/harness.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const AU_LOAD = process.env.AU_LOAD ?? path.join(root, 'build/au-load');

const load = (...words) => run(AU_LOAD, words);

/** Runs to a clean end and gives the figures. */
async function figures(...words) {
  const result = await load(...words, '--json');
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, '', 'nothing but figures when nobody watches');
  return JSON.parse(result.stdout);
}

/**
 * A server that does `act(socket, request, fake)` for each request, which it counts by connection.
 * A request comes in one piece: it is small, and written at once.
 */
async function fakeServer(t, act) {
  const fake = { sockets: [] };
  fake.server = net.createServer((socket) => {
    let requests = 0;
    fake.sockets.push(socket);
    socket.on('error', () => {}); // au-load ends its connections with a reset
    socket.on('data', () => act(socket, ++requests, fake));
  });
  await new Promise((resolve) => fake.server.listen(0, '127.0.0.1', resolve));
  defer(t, () => {
    for (const socket of fake.sockets) socket.destroy();
    fake.server.close();
  });
  fake.target = `http://127.0.0.1:${fake.server.address().port}`;
  return fake;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

suite('au-load', async (test, context) => {
  const daemon = await startDaemon(context, { 'ema-interval': 3_600_000 });
  const http = `http://127.0.0.1:${daemon.httpPort}`;
  const ws = `ws://127.0.0.1:${daemon.wsPort}`;
  const count = (prefix) => daemon.count(`${prefix}-0000000`);

  test('beats sessions that the daemon counts', async () => {
    const told = await figures('beat', http, '--prefix=beat', '--requests=500', '--sessions=100');
    assert.equal(told.requests, 500);
    assert.equal(told.failed, 0);
    assert.ok(told.latency_p50_ms > 0 && told.latency_p99_ms <= told.latency_max_ms);
    assert.equal(await count('beat'), 100);
  });

  test('spreads sessions over customers', async () => {
    await figures('join', http, '--prefix=many', '--requests=90', '--sessions=90', '--customers=3');
    assert.equal(await count('many'), 30);
  });

  test('churns, and leaves nobody behind', async () => {
    const told = await figures('churn', http, '--prefix=churn', '--requests=400', '--connections=10');
    assert.equal(told.requests, 400);
    assert.equal(await count('churn'), 0);
  });

  test('keeps a rate, and ends in time', async () => {
    const told = await figures('health', http, '--rate=200', '--duration=1', '--connections=2');
    assert.ok(told.requests >= 150 && told.requests <= 201, `${told.requests} requests`);
    assert.ok(told.seconds < 5, `${told.seconds} s`);
  });

  test('reports the CPU time and the memory of the server', async () => {
    const told = await figures('metrics', http, '--requests=2000', `--pid=${daemon.pid},${process.pid}`);
    assert.ok(told.cpu_us_per_request > 0 && told.cpu_us_per_request < 10_000);
    assert.ok(told.cpu_us_per_request_2 >= 0);
    const joined = await figures('join', http, '--prefix=rss', '--requests=10', `--pid=${daemon.pid}`);
    assert.ok(joined.rss_bytes > 1_000_000);
  });

  test('every socket hears of every change, once', async () => {
    const told = await figures(
      ...['sockets', ws, '--changes-at', http, '--prefix=fan', '--sockets=300', '--fanouts=2'],
      `--pid=${daemon.pid}`,
    );
    assert.equal(told.sockets, 300);
    assert.equal(told.fanouts, 2);
    assert.equal(told.frames, 600);
    assert.ok(told.last_median_ms > 0 && told.cpu_us_per_frame > 0);
    assert.ok('rss_bytes_per_socket' in told);
  });

  test('streams hear of every change as sockets do, each customer of its own', async () => {
    const words = ['sockets', http, '--stream', '--prefix=sse', '--sockets=60', '--customers=3'];
    const told = await figures(...words, '--fanouts=2');
    assert.equal(told.sockets, 60);
    assert.equal(told.frames, 40);
    const refused = await load('sockets', ws, '--stream', '--sockets=1');
    assert.match(refused.stderr, /a stream that was refused/);
  });

  test('dashboards are not counted', async () => {
    const told = await figures('sockets', http, '--prefix=watch', '--sockets=20', '--fanouts=1', '--watch');
    assert.equal(told.frames, 20);
    assert.equal(await count('watch'), 1); // the one that made the change
  });

  test('only the sockets of a customer hear of its change', async () => {
    const told = await figures(
      ...['sockets', http, '--prefix=split', '--sockets=31', '--customers=3', '--fanouts=1'],
    );
    assert.equal(told.frames, 11);
  });

  test('a storm comes, and goes', async () => {
    const told = await figures('storm', ws, '--prefix=storm', '--sockets=500', '--connections=100');
    assert.equal(told.sockets, 500);
    assert.ok(told.sockets_per_second > 0);
    assert.ok(told.open_p99_ms > 0);
  });

  test('plain lines of a name and a figure for people and pipes', async () => {
    const { code, stdout, stderr } = await load('beat', http, '--requests=10');
    assert.equal(code, 0, stderr);
    for (const line of stdout.trimEnd().split('\n')) assert.match(line, /^[a-z0-9_]+ +\S+$/);
    assert.match(stdout, /^requests +10$/m);
  });

  test('an interrupt ends it with the figures so far', async () => {
    const tool = new Process(AU_LOAD, ['beat', http, '--duration=60', '--rate=100', '--json']);
    const answered = () => daemon.samples().then((all) => all.get('au_presence_beats_total'));
    const before = await answered();
    await waitFor('some beats', async () => (await answered()) > before + 10);
    tool.kill('SIGINT');
    assert.deepEqual(await tool.waitExit(), { code: 0, signal: null });
    assert.ok(JSON.parse(tool.stdout).requests > 0);
  });

  test('a refusal is a failure, with its status', async () => {
    const limited = await startDaemon(context, { 'rate-ip': 5 });
    const { code, stdout, stderr } = await load(
      ...['metrics', `http://127.0.0.1:${limited.httpPort}`, '--requests=20', '--connections=1', '--json'],
    );
    assert.equal(code, 1);
    assert.equal(JSON.parse(stdout).failed, 15);
    assert.match(stderr, /^au-load: 15 failed, the first: answered with status 429\n$/);
  });

  test('a server that is not there is a failure', async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    for (const mode of ['beat', 'sockets']) {
      const { code, stdout, stderr } = await load(mode, nowhere, '--connections=2', '--sockets=2');
      assert.equal(code, 1);
      assert.doesNotMatch(stdout, /^requests/m, 'nothing was measured');
      assert.match(stderr, /^au-load: 2 failed, the first: connection refused\n$/);
    }
  });

  test('connections that the server closes between two requests are opened again', async () => {
    const brief = await startDaemon(context, { 'idle-timeout': 100, 'ema-interval': 3_600_000 });
    const target = `http://127.0.0.1:${brief.httpPort}`;
    const paced = await figures('beat', target, '--rate=4', '--requests=6', '--connections=3');
    assert.equal(paced.requests, 6);
    assert.ok(paced.reconnects > 0);
    const told = await figures('sockets', target, '--sockets=5', '--fanouts=2');
    assert.equal(told.frames, 10);
  });

  for (const [what, act, answered, connections, problem] of [
    ['closes behind each answer', (socket) => socket.end(OK), 4, 4],
    [
      'closes when the second request comes',
      (socket, request) => (request === 1 ? socket.write(OK) : socket.end()),
      ...[4, 4],
    ],
    [
      'resets when the second request comes',
      (socket, request) => (request === 1 ? socket.write(OK) : socket.resetAndDestroy()),
      ...[4, 4],
    ],
    ['twice closes without an answer', (socket) => socket.end(), 0, 2, 'end of file'],
    ['closes in the middle of a head', (socket) => socket.end(OK.slice(0, 10)), 0, 1, 'end of file'],
    ['closes in the middle of a body', (socket) => socket.end(OK.slice(0, -1)), 0, 1, 'end of file'],
    [
      'is gone after its first answer',
      (socket, request, { server }) => (server.close(), socket.end(OK)),
      ...[1, 1, 'connection refused'],
    ],
    [
      'answers twice',
      (socket) => socket.end(OK + OK),
      ...[0, 1, 'more than one answer to one request'],
    ],
  ])
    test(`a server that ${what} ${problem ? 'fails' : 'is no failure'}`, async (t) => {
      const fake = await fakeServer(t, act);
      const { code, stdout, stderr } = await load(
        ...['health', fake.target, '--requests=4', '--connections=1', '--rate=50', '--json'],
      );
      assert.equal(code, problem ? 1 : 0, stderr);
      const told = JSON.parse(stdout);
      assert.equal(told.failed, problem ? 1 : 0);
      assert.equal(told.problem, problem);
      assert.equal(told.requests, answered);
      assert.equal(fake.sockets.length, connections);
      if (!problem) assert.equal(told.reconnects, connections - 1);
    });

  test('an answer to no request is a failure, and the others go on', async (t) => {
    const fake = await fakeServer(t, (socket, request, { sockets }) => {
      for (const each of sockets) each.write(OK);
    });
    const { code, stdout } = await load(
      ...['health', fake.target, '--requests=2', '--connections=2', '--rate=2', '--json'],
    );
    assert.equal(code, 1);
    const told = JSON.parse(stdout);
    assert.equal(told.failed, 1);
    assert.equal(told.problem, 'more than one answer to one request');
    assert.equal(told.requests, 2);
  });

  for (const [what, words, problem] of [
    ['another machine', ['beat', 'http://192.0.2.1:80'], /192\.0\.2\.1:80 is refused: load goes to this machine only/],
    ['any address at all', ['beat', 'http://0.0.0.0:80'], /this machine only/],
    ['a name', ['beat', 'http://shop.example:80'], /this machine only/],
    ['an unknown mode', ['attack'], /no such mode/],
    ['no mode', [], /say what to do/],
    ['no such process', ['beat', http, '--pid=4194305'], /no such process/],
  ])
    test(`refuses ${what} in one line`, async () => {
      const { code, stdout, stderr } = await load(...words);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.match(stderr, problem);
      assert.equal(stderr.split('\n').length, 2);
    });

  test('explains itself', async () => {
    const { code, stdout } = await load('--help');
    assert.equal(code, 0);
    for (const word of ['beat', 'churn', 'storm', '--sockets', '--json', '127.0.0.0/8']) assert.ok(stdout.includes(word));
    assert.match((await load('--version')).stdout, /^au-load \d+\.\d+\.\d+\n$/);
  });
});

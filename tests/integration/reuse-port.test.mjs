// Several daemons on the same ports: --reuse-port.
import assert from 'node:assert/strict';

import {
  aBeat,
  DAEMON,
  freePort,
  HEALTH,
  httpText,
  presenceText,
  Process,
  startDaemon,
  suite,
  waitFor,
} from './harness.mjs';

/** The daemon behind a connection tells itself by its customer limit. */
const LIMITS = ['1000000', '2000000'];
const WHO = httpText('GET', '/metrics?customerId=shop');

async function askWho(connection) {
  connection.send(WHO);
  const answer = await connection.response();
  assert.equal(answer.status, 200);
  return answer.headers['x-ratelimit-limit'];
}

async function startTwo(t) {
  const ports = { 'http-port': await freePort(), 'ws-port': await freePort(), 'reuse-port': true };
  const daemons = [];
  for (const limit of LIMITS)
    daemons.push(await startDaemon(t, { ...ports, drain: 5000, 'rate-customer': limit }));
  return daemons;
}

/** Connections by who holds them; with 60 of them both have some. */
async function spread(t, daemon) {
  const held = new Map(LIMITS.map((limit) => [limit, []]));
  for (let i = 0; i < 60; i += 1) {
    const connection = await daemon.connect(t);
    held.get(await askWho(connection)).push(connection);
  }
  return LIMITS.map((limit) => held.get(limit));
}

suite('several daemons on one port', async (test) => {
  test('connections are spread over both', async (t) => {
    const [one] = await startTwo(t);
    const [first, second] = await spread(t, one);
    assert.ok(first.length > 0 && second.length > 0, `${first.length} and ${second.length}`);
  });

  test('one stops: its requests under way are answered, and the other goes on', async (t) => {
    const [one, two] = await startTwo(t);
    const [[fence, ...first], second] = await spread(t, one);
    const text = presenceText('join', aBeat());
    for (const connection of first) connection.send(text.slice(0, -5));
    await askWho(fence); // answered behind them on the same loop: the halves have been read
    one.signal('SIGTERM');
    await waitFor('the stop to begin', async () => {
      fence.send(HEALTH);
      return (await fence.response()).status === 503;
    });
    for (const connection of first) {
      connection.send(text.slice(-5));
      assert.equal((await connection.response()).status, 200);
    }
    assert.deepEqual(await one.exit(), { code: 0, signal: null });
    for (const connection of second) assert.equal(await askWho(connection), LIMITS[1]);
    for (let i = 0; i < 20; i += 1)
      assert.equal(await askWho(await two.connect(t)), LIMITS[1], 'new ones come to the other');
  });

  test('a daemon that does not share keeps the port from one that would, and the other way round', async (t) => {
    for (const [here, there] of [
      [true, false],
      [false, true],
    ]) {
      const daemon = await startDaemon(t, { 'reuse-port': here });
      const other = new Process(DAEMON, [
        '--host=127.0.0.1',
        `--http-port=${daemon.httpPort}`,
        '--ws-port=0',
        `--reuse-port=${there}`,
      ]);
      assert.deepEqual(await other.waitExit(), { code: 2, signal: null });
      assert.match(other.stderr, new RegExp(`^[^\\n]*${daemon.httpPort}[^\\n]*\\n$`), 'one line');
    }
  });
});

// --state-file: the memory store over a restart (contract §2).
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  DAEMON,
  fakeWallClock,
  flagsOf,
  freshId,
  run,
  startDaemon,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

/** A daemon, and how to end it so that another one may go on. */
async function startWith(t, file, options = {}, env = {}) {
  return startDaemon(t, { 'state-file': file, 'ema-interval': 100, ...options }, env);
}

async function end(daemon) {
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.exit(), { code: 0, signal: null }, daemon.stderr);
}

const lineOf = (daemon, event) =>
  daemon.log.find((line) => line.component === 'state' && line.event.startsWith(event));

/** People of two customers, and a customer that has only an average left. */
async function someState(t, file) {
  const daemon = await startWith(t, file);
  const shop = freshId(), other = freshId(), empty = freshId();
  const beats = [];
  for (let i = 0; i < 5; i += 1) beats.push(aBeat({ customerId: shop }));
  beats.push(aBeat({ customerId: other }));
  for (const beat of beats) await daemon.must('join', beat);
  const gone = aBeat({ customerId: empty });
  await daemon.must('join', gone);
  await waitFor('ticks', async () => (await daemon.metrics(empty)).peak === 1);
  await waitFor('an average', async () => (await daemon.samples()).get('au_tick_customers_total') > 3);
  await daemon.must('leave', gone);
  await daemon.must('leave', { ...beats[1], graceMs: 9000 });
  return { daemon, shop, other, empty, beats };
}

suite('state file', (test) => {
  test('a restart keeps the count, averages, peaks and the history', async (t) => {
    const file = path.join(await tempDir(t), 'state');
    const { daemon, shop, other, empty, beats } = await someState(t, file);
    const before = await daemon.metrics(shop);
    await end(daemon);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal(lineOf(daemon, 'written').sessions, 6);
    const next = await startWith(t, file);
    assert.equal(lineOf(next, 'read').sessions, 6);
    assert.equal(lineOf(next, 'read').customers, 3);
    const after = await next.metrics(shop);
    assert.deepEqual([after.count, after.peak], [before.count, before.peak]);
    // It goes on from where it was, toward the count.
    assert.ok(after.ema >= before.ema && after.ema <= 5, `${before.ema} and ${after.ema}`);
    assert.equal(await next.count(other), 1);
    assert.ok((await next.metrics(empty)).ema > 0);
    const history = (await next.get(`/metrics/history?customerId=${shop}`)).json;
    assert.deepEqual(history.points.at(-1)[3], 5);
    assert.deepEqual([history.uniqueToday, history.peakToday], [5, 5]);
    // Sessions are whose they were: one is renewed, one left, and nobody is counted twice.
    await next.must('beat', beats[0]);
    await next.must('leave', beats[2]);
    await next.waitCount(shop, 4);
    await next.must('join', aBeat({ customerId: shop }));
    await waitFor('the next peak', async () => {
      const { uniqueToday } = (await next.get(`/metrics/history?customerId=${shop}`)).json;
      return uniqueToday === 6;
    });
  });

  test('deadlines go on while nothing runs', async (t) => {
    const file = path.join(await tempDir(t), 'state');
    const { daemon, shop, beats } = await someState(t, file);
    await end(daemon);
    const soon = await startWith(t, file, {}, fakeWallClock('+100s'));
    assert.equal(await soon.count(shop), 4); // the one that was shortened is gone
    await soon.must('beat', beats[0]);
    await end(soon);
    const late = await startWith(t, file, {}, fakeWallClock('+200s'));
    assert.equal(await late.count(shop), 1);
    await end(late);
    const later = await startWith(t, file, {}, fakeWallClock('+3600s'));
    assert.equal(await later.count(shop), 0);
    const { peak } = await later.metrics(shop);
    assert.equal(peak, 5);
  });

  test('a shorter TTL and smaller tables hold for what was kept', async (t) => {
    const file = path.join(await tempDir(t), 'state');
    const { daemon, shop } = await someState(t, file);
    await end(daemon);
    const small = await startWith(t, file, { 'max-sessions': 3 });
    assert.equal(lineOf(small, 'some of it did not fit').left_out, 3);
    assert.equal((await small.samples()).get('au_sessions'), 3);
    await end(small);
    const short = await startWith(t, file, { 'presence-ttl': 1 });
    await short.waitCount(shop, 0);
  });

  const damages = [
    ['cut in half', (bytes) => bytes.subarray(0, bytes.length / 2), 'it is cut off'],
    ['cut in its head', (bytes) => bytes.subarray(0, 12), 'it is cut off'],
    ['of another version', (bytes) => bytes.fill(99, 8, 9), 'it is of another version of the daemon'],
    ['something else', () => Buffer.from('{"sessions":[]}'), 'it is no state file'],
    ['empty', () => Buffer.alloc(0), 'it is empty'],
    ...[0.1, 0.3, 0.5, 0.9].map((place) => [
      `with a flipped bit at ${place}`,
      (bytes) => {
        bytes[16 + Math.floor((bytes.length - 32) * place)] ^= 1;
        return bytes;
      },
      'it is damaged',
    ]),
  ];
  test('one that is damaged is set aside, and the start is empty', async (t) => {
    const file = path.join(await tempDir(t), 'state');
    const { daemon, shop } = await someState(t, file);
    await end(daemon);
    const whole = await readFile(file);
    for (const [name, damage, reason] of damages) {
      const bytes = damage(Buffer.from(whole));
      await writeFile(file, bytes);
      const next = await startWith(t, file);
      const warnings = next.log.filter(({ component }) => component === 'state');
      assert.equal(warnings.length, 1, name);
      assert.deepEqual(
        [warnings[0].level, warnings[0].event, warnings[0].reason],
        ['warn', 'not read, and renamed to .bad', reason],
        name,
      );
      assert.deepEqual(await readFile(`${file}.bad`), bytes, name);
      assert.equal(await next.count(shop), 0, name);
      await end(next); // which writes a new one
    }
  });

  test('a file that cannot be written stops the start', async (t) => {
    const dir = await tempDir(t);
    await writeFile(path.join(dir, 'file'), '');
    for (const [file, reason] of [
      [path.join(dir, 'no/such/state'), 'No such file or directory'],
      [path.join(dir, 'file/state'), 'Not a directory'],
      ['/proc/state', 'No such file or directory'],
      [dir, 'it is no regular file'],
    ]) {
      const flags = { host: '127.0.0.1', 'http-port': 0, 'ws-port': 0, 'state-file': file };
      const { code, stderr } = await run(DAEMON, flagsOf(flags));
      assert.equal(stderr, `active-users: --state-file: cannot be written: ${reason}\n`, file);
      assert.equal(code, 2, file);
    }
  });

  test('with Redis it is refused', async () => {
    const { code, stderr } = await run(
      DAEMON,
      flagsOf({ 'redis-url': 'redis://127.0.0.1:1', 'state-file': '/tmp/state' }),
    );
    assert.equal(
      stderr,
      'active-users: --state-file: is for the memory store: Redis keeps what it holds\n',
    );
    assert.equal(code, 2);
  });

  test('a start that fails leaves the file as it is', async (t) => {
    const file = path.join(await tempDir(t), 'state');
    const { daemon } = await someState(t, file);
    await end(daemon);
    const whole = await readFile(file);
    const holder = await startDaemon(t);
    const flags = { host: '127.0.0.1', 'http-port': holder.httpPort, 'state-file': file };
    const { code } = await run(DAEMON, flagsOf(flags));
    assert.equal(code, 2);
    assert.deepEqual(await readFile(file), whole);
  });
});

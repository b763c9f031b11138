// The crowd of the benchmark in small: it comes, it does what it says, and it says why when it cannot.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { freePort, Process, waitFor } from '../integration/harness.mjs';
import { costOf } from './bench/crowd.mjs';
import { startDaemonOnRedis } from './bench/servers.mjs';

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'bench/crowd-people.mjs');

test('a crowd in two processes: all come, go from page to page, and cost something', async () => {
  const daemon = await startDaemonOnRedis();
  try {
    const ask = async () => (await fetch(`http://${daemon.http}/metrics?customerId=shop`)).json();
    const size = { people: 60, seconds: 3, inProcess: 40 };
    let counted = null;
    const cost = await costOf(daemon, 'ours', size, () => {
      counted = waitFor('the people of both processes', async () => (await ask()).count === 60);
    });
    await counted;
    // Each page is two commands of Redis at least: key and index.
    assert.ok(cost.commands >= 2 * cost.views, `${cost.commands} commands a person-hour`);
    for (const what of ['views', 'cpuMs', 'redisMs', 'kilobytes', 'frames']) assert.ok(cost[what] > 0, what);
  } finally {
    await daemon.stop();
  }
});

test('people who cannot come say why', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const words = [script, 'ours', address, address, '127.0.1.1', '0', '5', '5', '1'];
  const people = new Process(process.execPath, words, {});
  assert.equal((await people.waitExit()).code, 1);
  assert.match(people.stderr, /^0 of 5 are there; \d errors, first a socket: connect ECONNREFUSED/);
});

// Valkey in the place of Redis: the same tests once more, where it is installed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';

import { startRedis } from './harness.mjs';

const PROGRAM = 'valkey-server';

if (spawnSync(PROGRAM, ['--version']).status === 0) {
  process.env.AU_REDIS_SERVER = PROGRAM; // of this file's process, and so of what it imports
  test('it is Valkey', async (t) => {
    const client = await (await startRedis(t)).client();
    assert.match(await client.call('INFO', 'server'), /server_name:valkey/);
  });
  await import('./redis.test.mjs');
  await import('./redis-two.test.mjs');
} else {
  test(
    'Valkey',
    { skip: `${PROGRAM} is not installed: Debian 13 has it, Debian 12 not` },
    () => {},
  );
}

// The population at full length: `make population`. It prints what each surface said, and how long
// the office took; here the times of the office are bounds too.
import assert from 'node:assert/strict';

import { suite } from '../integration/harness.mjs';
import { office } from './office.mjs';
import { judge, play, SCENES, SLOW } from './scenes.mjs';

const people = Number(process.env.PEOPLE || 2000);
const seconds = Number(process.env.SECONDS || 120);

suite(
  'a population at full length',
  async (test) => {
    for (const scene of SCENES)
      test(`${scene.name}: ${people} people for ${seconds} s`, async (t) => {
        const crowd = await play(t, scene, { people, seconds, times: SLOW });
        for (const line of crowd.table()) t.diagnostic(line);
        judge(crowd, scene);
      });
    for (const store of ['memory', 'redis'])
      for (const sockets of [true, false])
        test(`office, ${store}, ${sockets ? 'sockets' : 'polling'}: in within 10 s, gone 3 s after they left`, async (t) => {
          const { arrived, reloaded, gone } = await office(t, store, { sockets });
          t.diagnostic(`in after ${arrived} ms, reloaded after ${reloaded} ms, gone after ${gone} ms`);
          assert.ok(arrived <= 10_000, `in after ${arrived} ms`);
          assert.ok(gone <= 3000, `gone after ${gone} ms`);
        });
  },
  { concurrency: 1, timeoutMs: 20 * 60_000 },
);

// The office of 500 on default limits: in, through a storm of reloads, and out, whatever is blocked.
import { suite } from '../integration/harness.mjs';
import { office } from './office.mjs';

suite(
  'an office behind one address',
  async (test) => {
    for (const store of ['memory', 'redis'])
      for (const sockets of [true, false])
        test(`${store}, ${sockets ? 'sockets' : 'polling'}: nobody is lost to a limit`, async (t) => {
          const { arrived, reloaded, gone } = await office(t, store, { sockets });
          t.diagnostic(`in after ${arrived} ms, reloaded after ${reloaded} ms, gone after ${gone} ms`);
        });
  },
  { concurrency: 1 },
);

// A new daemon takes over from an old one under load: nothing is lost.
import { STORES, suite } from '../integration/harness.mjs';
import { judge, upgrade } from './scene.mjs';

const SOCKETS = 300;

suite(
  'upgrade',
  (test) => {
    for (const store of STORES)
      for (const order of ['overlap', 'restart'])
        test(`${store}, ${order}`, async (t) => {
          judge(await upgrade(t, { store, order, sockets: SOCKETS }), SOCKETS);
        });
  },
  { concurrency: 1 },
);

// Every way out tells the same numbers: asked at the same moment they agree to the digit.
import assert from 'node:assert/strict';

import {
  aBeat,
  EventStream,
  Socket,
  startOn,
  STORES,
  suite,
  waitFor,
} from './harness.mjs';

/** The numbers of a customer by each way to ask for them, oldest answer first. */
async function ask(t, daemon, who) {
  const { customerId } = who;
  const beat = await daemon.request('POST', '/presence/beat?metrics=1', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(who),
  });
  const answers = {
    rest: await daemon.metrics(customerId),
    beat: beat.json.metrics,
    socket: await (await Socket.join(t, daemon.httpPort, { customerId })).update(),
    stream: await (await EventStream.open(t, daemon, customerId)).update(),
  };
  const badge = await daemon.get(`/badge/${customerId}.json`);
  assert.equal(badge.json.message, String(answers.rest.count));
  // Only answers have peaks: a frame tells of now.
  return Object.entries(answers).map(([way, { timestamp, peak, peakToday, ...numbers }]) => ({
    way,
    numbers,
  }));
}

for (const store of STORES) {
  suite(`one snapshot, ${store}`, async (test) => {
    test('before the first tick the average reads as the count, everywhere', async (t) => {
      const daemon = await startOn(store, t, { 'ema-interval': 3600000 });
      const who = aBeat();
      await daemon.must('join', who);
      await daemon.must('join', aBeat({ customerId: who.customerId }));
      for (const { way, numbers } of await ask(t, daemon, who))
        assert.deepEqual(numbers, { count: 2, ema: 2, customerId: who.customerId }, way);
    });

    test('an average of many digits is the same by every way, as it was published', async (t) => {
      const daemon = await startOn(store, t, { 'ema-interval': 2000, 'ema-alpha': 0.137 });
      const who = aBeat();
      await daemon.must('join', who);
      const watcher = await Socket.join(t, daemon.httpPort, { customerId: who.customerId });
      await watcher.update(({ count }) => count === 1);
      const ticked = () => watcher.updates.filter(({ timestamp }) => timestamp > joined);
      let joined = Infinity;
      await waitFor('the first tick', () => watcher.updates.length > 2);
      for (let i = 0; i < 6; i++) await daemon.must('join', aBeat({ customerId: who.customerId }));
      joined = Date.now();
      // A tick may come between two answers: then all are asked again.
      await waitFor('no tick in between', async () => {
        await waitFor('an average on its way', () => ticked().at(-1)?.ema % 1 > 0);
        const { timestamp, ...published } = ticked().at(-1);
        const answers = await ask(t, daemon, who);
        if (ticked().at(-1).ema !== published.ema) return false;
        for (const { way, numbers } of answers) assert.deepEqual(numbers, published, way);
        return true;
      });
    });

    test('Prometheus has the same numbers, to the digit', async (t) => {
      const options = { 'ema-interval': 3000, 'ema-alpha': 0.137, 'metrics-customers': 5 };
      const daemon = await startOn(store, t, options);
      const who = aBeat();
      const { customerId } = who;
      await daemon.must('join', who);
      await waitFor('the first tick', async () => (await daemon.samples()).get('au_ticks_total') > 0);
      for (let i = 0; i < 6; i++) await daemon.must('join', aBeat({ customerId }));
      // Its series are those of the last tick, and an exposition is kept for a second.
      await waitFor('an exposition of the tick that answers tell of', async () => {
        const before = await daemon.metrics(customerId);
        const samples = await daemon.samples();
        const after = await daemon.metrics(customerId);
        if (before.ema % 1 === 0 || before.ema !== after.ema) return false;
        const of = (name) => samples.get(`${name}{customer="${customerId}"}`);
        return of('au_customer_sessions') === 7 && of('au_customer_sessions_smoothed') === after.ema;
      });
    });
  });
}

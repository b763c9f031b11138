// A Redis that moved (contract §7): behind a name may be another server by now, and a link that
// works is no reason to trust it for ever.
import assert from 'node:assert/strict';

import {
  aBeat,
  freshId,
  keyOf,
  Proxy,
  Socket,
  startDaemon,
  startRedis,
  suite,
  waitDegraded,
  waitFor,
  waitTruth,
  waitWhole,
} from './harness.mjs';

/** Daemons of one Redis, each by way of a proxy of its own. */
async function daemonsOn(t, redis, count, options = {}) {
  const proxies = [];
  const daemons = [];
  for (let i = 0; i < count; i += 1) {
    proxies.push(await Proxy.start(t, redis));
    daemons.push(await startDaemon(t, { 'redis-url': proxies[i].url, ...options }));
  }
  for (const daemon of daemons) await waitWhole(daemon);
  return [daemons, proxies];
}

suite('a Redis that moved', async (test) => {
  test('the name leads to a new master, the old one lives on as its replica', async (t) => {
    const [old, next] = [await startRedis(t), await startRedis(t)];
    const [oldAsk, nextAsk] = [await old.client(), await next.client()];
    await nextAsk.call('REPLICAOF', '127.0.0.1', old.port);
    await waitFor('the replica to follow', async () =>
      /master_link_status:up/.test(await nextAsk.call('INFO', 'replication')),
    );
    const [[daemon], [proxy]] = await daemonsOn(t, old, 1);
    const customerId = freshId('shop');
    const before = aBeat({ customerId });
    await daemon.must('join', before);
    await waitFor('the replica to have it', () => nextAsk.call('EXISTS', keyOf(before)));

    await nextAsk.call('REPLICAOF', 'NO', 'ONE');
    // Of what nobody is at, so that it hears nothing of the new master: a real one may take long.
    await oldAsk.call('REPLICAOF', '127.0.0.1', 1);
    proxy.redisPort = next.port; // no link is cut: only who asks again is led there
    const during = aBeat({ customerId });
    await daemon.must('join', during);
    await waitFor('the new master to have it', () => nextAsk.call('EXISTS', keyOf(during)));
    await waitWhole(daemon);
    await waitTruth([daemon], customerId, 2);
    // Changes are published and heard there too, although the subscriptions' link was not cut.
    const watcher = await Socket.join(t, daemon.wsPort, { customerId });
    await daemon.must('join', aBeat({ customerId }));
    await watcher.update((data) => data.count === 3);
  });

  test('a name that leads to a replica for good: asked ever less often, and said once', async (t) => {
    const [master, replica] = [await startRedis(t), await startRedis(t)];
    const ask = await replica.client();
    await ask.call('REPLICAOF', '127.0.0.1', master.port);
    const daemon = await startDaemon(t, { 'redis-url': replica.url });
    const links = () =>
      daemon.log.filter(({ event, link }) => /^connect/.test(event) && link === 'active-users');
    await daemon.must('join', aBeat());
    const connected = async () =>
      Number(/total_connections_received:(\d+)/.exec(await ask.call('INFO', 'stats'))[1]);
    const before = await connected();
    await waitFor('it to have asked again', async () => (await connected()) >= before + 4);
    assert.deepEqual(
      links().map(({ event }) => event),
      ['connected', 'connection failed'],
    );
    await ask.call('REPLICAOF', 'NO', 'ONE');
    await waitWhole(daemon);
    await waitFor('it to say so', () => links().at(-1).event === 'connected');
    assert.equal(links().length, 3);
  });

  test('a leave told to another daemon while Redis is away is kept until the TTL is over', async (t) => {
    const redis = await startRedis(t);
    const [[knows, other], proxies] = await daemonsOn(t, redis, 2);
    const customerId = freshId('shop');
    const [stays, goes] = [aBeat({ customerId }), aBeat({ customerId })];
    for (const beat of [stays, goes]) await knows.must('join', beat);
    for (const proxy of proxies) proxy.shut();
    for (const daemon of [knows, other]) await waitDegraded(daemon);
    await other.must('leave', goes);
    // A daemon that knows the session and is back first writes it again.
    proxies[0].open();
    await waitWhole(knows);
    await waitTruth([knows], customerId, 2);
    proxies[1].open();
    await waitTruth([knows, other], customerId, 1);
    // Nor does an empty Redis bring it back.
    await redis.crash();
    await redis.start();
    for (const daemon of [knows, other]) await waitWhole(daemon);
    await waitTruth([knows, other], customerId, 1);
    const ask = await redis.client();
    assert.equal(await ask.call('EXISTS', keyOf(goes)), 0);
    assert.equal(await ask.call('EXISTS', keyOf(stays)), 1);
  });

  test('a Redis that closes idle links after a second is not lost each second', async (t) => {
    const redis = await startRedis(t, { options: ['--timeout', '1'] });
    const [[daemon]] = await daemonsOn(t, redis, 1);
    // Whom it closes, so that the time is known to be over. Once a busy machine may hold the daemon, or
    // Redis itself, for as long.
    for (let i = 0; i < 4; i += 1) {
      const idle = await redis.client();
      await waitFor('Redis to close an idle link', () => idle.socket.destroyed);
    }
    const lost = daemon.log.filter(({ event }) => event === 'connection failed');
    assert.ok(lost.length <= 1, `lost: ${lost.map(({ link }) => link)}`);
    await waitWhole(daemon);
  });
});

suite('the people of a whole store', async (test) => {
  for (const count of [1, 3]) {
    test(`${count} daemons: together they say how many there are`, async (t) => {
      const redis = await startRedis(t);
      const [daemons] = await daemonsOn(t, redis, count, { 'ema-interval': 300 });
      const customers = [freshId('shop'), freshId('shop'), freshId('shop')];
      const beats = customers.flatMap((customerId, i) =>
        Array.from({ length: 2 * i + 1 }, () => aBeat({ customerId })),
      );
      for (const [i, beat] of beats.entries()) await daemons[i % count].must('join', beat);
      const people = async () => {
        const all = await Promise.all(daemons.map((daemon) => daemon.samples()));
        return all.reduce((sum, samples) => sum + samples.get('au_people'), 0);
      };
      await waitFor('all of them', async () => (await people()) === 9);
      for (const beat of beats.slice(0, 4)) await daemons[0].must('leave', beat);
      await waitFor('those who stay', async () => (await people()) === 5);
    });
  }
});

// What other programs leave in Redis and shout on its channels: nobody else notices.
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';

import { aBeat, Socket, startOn, suite, waitFor } from './harness.mjs';

const HUGE = 17 * 1024 * 1024;
const FLOOD_MS = 4000;

/** What a daemon under sanitizers on a busy machine can read: more, and Redis or the daemon drops the
 * link, as they should. */
const [BATCH, PAUSE_MS] = [25, 5];

/** Publishes until told to stop; resolves to how many. */
const flood = async (redisPort, channel, messageOf, until) => {
  const socket = net.connect({ port: redisPort, host: '127.0.0.1' });
  socket.on('data', () => {});
  await once(socket, 'connect');
  let sent = 0;
  while (!until()) {
    let text = '';
    for (let i = 0; i < BATCH; i += 1, sent += 1) {
      const message = messageOf(sent);
      text += `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${message.length}\r\n${message}\r\n`;
    }
    if (!socket.write(text)) await once(socket, 'drain');
    await setTimeout(PAUSE_MS);
  }
  socket.destroy();
  return sent;
};

suite('what other programs leave in Redis', async (test) => {
  test('a flood of claims keeps the pace of the sockets, and people are served', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 60000 });
    const beat = aBeat({ customerId: 'shop' });
    const watcher = await Socket.join(t, daemon.wsPort, { customerId: 'shop' });
    await watcher.next('metrics:update');
    const claim = (i) =>
      JSON.stringify({
        customerId: 'shop',
        timestamp: i % 3 === 0 ? 1 : 9e15,
        count: i % 1000,
        ema: i % 2 === 0 ? 0.5 : 1.5,
      });
    const began = Date.now();
    let frames = 0;
    watcher.ws.on('message', () => (frames += 1));
    const [sent] = await Promise.all([
      flood(daemon.redis.port, 'metrics:shop', claim, () => Date.now() - began > FLOOD_MS),
      (async () => {
        while (Date.now() - began < FLOOD_MS) await daemon.must('beat', beat);
      })(),
    ]);
    const seconds = (Date.now() - began) / 1000;
    assert.ok(sent > 1000, `${sent} messages`);
    assert.ok(frames >= 1 && frames <= seconds + 2, `${frames} frames in ${seconds} s`);
    assert.equal(daemon.log.filter(({ event }) => event === 'connection failed').length, 0);
    t.diagnostic(`${sent} messages, ${frames} frames, ${seconds} s`);
  });

  test('values, members and names of any size cost no link, and are told once', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 100, 'presence-ttl': 100 });
    const redis = await daemon.redis.client();
    const huge = 'x'.repeat(HUGE);
    await redis.call('SET', 'presence:shop:odd', huge);
    await redis.call('SET', 'ema:shop', huge);
    await redis.call('SET', `presence:${huge}`, 'x');
    await redis.call('ZADD', 'au:idx:shop', '+inf', huge);
    await redis.call('ZADD', 'au:customers', 0, huge);
    for (let i = 0; i < 300; i += 1) await redis.call('SET', `presence:shop:s${i}`, '{}');
    await daemon.waitCount('shop', 300);
    const ticks = async () => (await daemon.samples()).get('au_ticks_total');
    const before = await ticks();
    await waitFor('some ticks', async () => (await ticks()) > before + 10);
    assert.equal(await daemon.count('shop'), 300);
    await daemon.assertHealthy();
    const of = (event) => daemon.log.filter((line) => line.event === event);
    assert.equal(of('connection failed').length, 0);
    assert.equal(of('scan skips what it cannot read').length, 1);
  });
});

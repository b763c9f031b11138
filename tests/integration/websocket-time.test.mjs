// What sockets see over time (contract §4, §6): ticks, deadlines, pings, the disconnect-grace.
import assert from 'node:assert/strict';

import {
  aBeat,
  FREE_AT_ONCE,
  frameBytes,
  freshId,
  handshakeText,
  OPCODE,
  PORTS,
  RawConnection,
  RawSocket,
  Socket,
  startDaemon,
  startOn,
  STORES,
  suite,
  waitFor,
} from './harness.mjs';

for (const store of STORES) {
  suite(`the tick on ${store}`, async (test) => {
    test('every socket of a customer gets an update on each tick', async (t) => {
      const daemon = await startOn(store, t, { 'ema-interval': 100 });
      const who = aBeat();
      const sockets = [];
      for (const port of PORTS) sockets.push(await Socket.join(t, daemon[port], who));
      sockets.push(await Socket.join(t, daemon.wsPort, { customerId: who.customerId }));
      for (const socket of sockets) {
        await waitFor('ten updates', () => socket.updates.length >= 10);
        const times = socket.updates.map((data) => data.timestamp);
        assert.deepEqual(
          times,
          [...times].sort((a, b) => a - b),
        );
      }
    });

    test('the first sample is the count, then the ema goes a fifth of the way at a time (40, then 42: 40.4)', async (t) => {
      const daemon = await startOn(store, t, { 'ema-interval': 1000, 'update-interval': 100 });
      const phase = aBeat();
      await daemon.must('join', phase);
      const clock = await Socket.join(t, daemon.wsPort, { customerId: phase.customerId });
      // Nothing changes there: what comes behind the first number and the join is a tick's.
      const ticked = async () => {
        const seen = Math.max(clock.updates.length, 2);
        await waitFor('a tick', () => clock.updates.length > seen, { everyMs: 5 });
      };
      await ticked();
      const customerId = freshId();
      const crowd = (count) =>
        Promise.all(
          Array.from({ length: count }, () => daemon.must('join', aBeat({ customerId }))),
        );
      const watcher = await Socket.join(t, daemon.wsPort, { customerId });
      await crowd(40);
      assert.equal((await daemon.metrics(customerId)).ema, 40, 'the count before the first tick');
      await ticked();
      await watcher.update((data) => data.ema === 40 && data.count === 40);
      await crowd(2);
      const second = await watcher.update((data) => data.ema > 40 && data.ema !== data.count);
      assert.equal(second.count, 42);
      assert.equal(second.ema, 40.4);
      assert.equal((await daemon.metrics(customerId)).ema, 40.4);
      const third = await watcher.update((data) => data.ema > 40.4);
      assert.equal(third.ema, 40.72);
    });

    test('an empty customer decays to 0 and is told so to the end', async (t) => {
      const daemon = await startOn(store, t, { 'ema-interval': 50 });
      const who = aBeat();
      const watcher = await Socket.join(t, daemon.wsPort, { customerId: who.customerId });
      await daemon.must('join', who);
      await watcher.update((data) => data.ema > 0);
      await daemon.must('leave', who);
      await watcher.update((data) => data.count === 0 && data.ema < 0.02);
      await waitFor('ema 0', async () => (await daemon.metrics(who.customerId)).ema === 0);
      const falling = watcher.updates
        .filter((data) => data.count === 0 && data.ema > 0)
        .map((data) => data.ema);
      assert.deepEqual(
        falling,
        [...falling].sort((a, b) => b - a),
      );
      for (const data of watcher.updates)
        assert.match(String(data.ema), /^\d+(\.\d{1,4})?$/, 'at most 4 decimals');
    });
  });
}

suite(
  'deadlines of sockets',
  async (test) => {
    // These wait longest, so they begin first.
    test('a peer that does not answer our close is dropped all the same', async (t) => {
      const daemon = await startDaemon(t);
      const mutes = [];
      for (const port of PORTS) {
        const mute = await RawSocket.open(t, daemon[port]);
        mute.send(OPCODE.binary, 'x');
        assert.equal(await mute.closeCode(), 1003);
        mutes.push(mute);
      }
      await Promise.all(mutes.map((mute) => mute.connection.end()));
      await waitFor(
        'no sockets',
        async () => (await daemon.samples()).get('au_websocket_sockets') === 0,
      );
    });

    test('a reader that is too slow is closed, and the others get their updates', async (t) => {
      const daemon = await startDaemon(t, { 'ema-interval': 50 }, FREE_AT_ONCE);
      const who = aBeat();
      const slow = await RawSocket.open(t, daemon.wsPort);
      slow.sendJson({ type: 'auth', ...who });
      await slow.next('hello');
      const good = await Socket.join(t, daemon.wsPort, who);
      slow.connection.socket.pause();
      const ask = frameBytes(OPCODE.text, `{"type":"ping","timestamp":${2 ** 53 - 1}}`);
      const many = Buffer.concat(Array(20_000).fill(ask));
      const residentBefore = daemon.residentKb();
      // A peer that asks and never listens fills the buffers of both kernels, then the daemon's.
      await waitFor(
        'the daemon to give it up',
        async () => {
          slow.connection.send(many);
          const samples = await daemon.samples();
          return (
            samples.get('au_websocket_slow_readers_total') === 1 ||
            samples.get('au_websocket_sockets') === 1
          );
        },
        { everyMs: 100, timeoutMs: 45_000 },
      );
      assert.ok(daemon.residentKb() - residentBefore < 20_000, 'its queue was bounded');
      const seen = good.updates.length;
      await waitFor('further updates of the good one', () => good.updates.length > seen + 3);
      assert.equal(good.closed, null);
    });

    test('no auth in time closes it with 1008; a ping is no auth', async (t) => {
      const daemon = await startDaemon(t, { 'ws-auth-timeout': 1500 });
      for (const port of PORTS) {
        const authenticated = await Socket.join(t, daemon[port], aBeat());
        const before = Date.now(); // its time begins after this, however slow the machine is
        const silent = await Socket.open(t, daemon[port]);
        const pinging = await Socket.open(t, daemon[port]);
        const wrong = await Socket.open(t, daemon[port]);
        wrong.send({ type: 'auth', customerId: 'a:b' });
        await waitFor('the pinging socket to be closed', () => {
          if (pinging.closed === null) pinging.send({ type: 'ping' });
          return pinging.closed;
        });
        assert.equal(pinging.closed.code, 1008);
        assert.equal((await silent.waitClose()).code, 1008);
        assert.equal((await wrong.waitClose()).code, 1008);
        assert.ok(silent.closed.at - before >= 1490);
        authenticated.send({ type: 'ping', timestamp: 1 });
        await authenticated.next('pong');
      }
    });

    test('a handshake that never ends is dropped', async (t) => {
      const daemon = await startDaemon(t, {
        'header-timeout': 300,
        'idle-timeout': 300,
        'ws-auth-timeout': 300,
      });
      for (const port of PORTS) {
        const silent = await RawConnection.open(t, daemon[port]);
        const half = await RawConnection.open(t, daemon[port]);
        half.send(handshakeText().slice(0, 60));
        await silent.end();
        await half.end();
      }
    });

    for (const store of STORES) {
      test(`a ping renews the session on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { 'presence-ttl': 1, 'ema-interval': 100 });
        const renew = async (port) => {
          const customerId = freshId();
          await daemon.must('join', aBeat({ customerId }));
          const socket = await Socket.join(t, daemon[port], aBeat({ customerId }));
          const began = Date.now();
          await waitFor(
            'two TTLs to pass under pings',
            () => {
              socket.send({ type: 'ping' });
              return Date.now() - began > 2500;
            },
            { everyMs: 200 },
          );
          assert.equal(await daemon.count(customerId), 1, 'the silent one is gone');
          await daemon.waitCount(customerId, 0);
        };
        await Promise.all(PORTS.map(renew));
      });

      test(`the session of a socket that vanished ends after the grace, unless its tab has another here, on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { 'disconnect-grace': 300 });
        for (const port of PORTS) {
          const customerId = freshId();
          const kept = aBeat({ customerId });
          const gone = aBeat({ customerId });
          const first = await Socket.join(t, daemon[port], kept);
          const second = await Socket.join(t, daemon[port], kept);
          const only = await Socket.join(t, daemon[port], gone);
          await daemon.waitCount(customerId, 2);
          first.terminate();
          const vanished = Date.now();
          only.terminate();
          await daemon.waitCount(customerId, 1);
          assert.ok(Date.now() - vanished >= 250, 'not before the grace is over');
          await daemon.must('leave', gone);
          assert.equal(
            await daemon.count(customerId),
            1,
            'the one that has a socket left is the one that stayed',
          );
          second.terminate();
          await daemon.waitCount(customerId, 0);
        }
      });

      test(`a socket that vanishes right behind its auth leaves nobody for a whole TTL, on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { 'disconnect-grace': 300 });
        const customerId = freshId();
        const sockets = Array.from({ length: 20 }, async () => {
          const auth = JSON.stringify({ type: 'auth', ...aBeat({ customerId }) });
          const socket = await RawSocket.open(t, daemon.wsPort, {
            early: frameBytes(OPCODE.text, auth),
          });
          socket.connection.close();
        });
        await Promise.all(sockets);
        await waitFor('each to have been counted', async () =>
          /^au_presence_beats_total 20$/m.test((await daemon.get('/metrics')).text),
        );
        await daemon.waitCount(customerId, 0);
      });

      test(`a session taken over by another tab does not end with the old tab's socket, on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { 'disconnect-grace': 300 });
        const customerId = freshId();
        const [taken, control] = [aBeat({ customerId }), aBeat({ customerId })];
        const old = await Socket.join(t, daemon.wsPort, taken);
        const witness = await Socket.join(t, daemon.wsPort, control);
        await daemon.must('beat', { ...taken, tabId: 'tab-2' });
        old.terminate();
        witness.terminate();
        await daemon.waitCount(customerId, 1);
        await daemon.must('leave', control);
        assert.equal(await daemon.count(customerId), 1);
      });

      test(`another sign of life within the grace keeps the session, on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { 'disconnect-grace': 300 });
        const customerId = freshId();
        const [back, control] = [aBeat({ customerId }), aBeat({ customerId })];
        const sockets = [
          await Socket.join(t, daemon.wsPort, back),
          await Socket.join(t, daemon.wsPort, control),
        ];
        sockets.forEach((socket) => socket.terminate());
        await waitFor(
          'the sockets to be gone',
          async () => (await daemon.samples()).get('au_websocket_sockets') === 0,
        );
        await daemon.must('beat', back);
        await daemon.waitCount(customerId, 1);
        await daemon.must('leave', control);
        assert.equal(await daemon.count(customerId), 1);
      });

      test(`a socket closed for its client's fault leaves nobody for a whole TTL, on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { 'disconnect-grace': 300 });
        const faults = {
          1002: frameBytes(OPCODE.text, '{}', { masked: false }),
          1003: frameBytes(OPCODE.binary, 'x'),
          1007: frameBytes(OPCODE.text, Buffer.of(0xff)),
          1008: Buffer.concat(Array(5).fill(frameBytes(OPCODE.text, 'nonsense'))),
          1009: frameBytes(OPCODE.text, 'x'.repeat(4097)),
        };
        const customerId = freshId();
        const stays = await Socket.join(t, daemon.wsPort, aBeat({ customerId }));
        for (const [code, bytes] of Object.entries(faults)) {
          const socket = await RawSocket.open(t, daemon.wsPort);
          socket.sendJson({ type: 'auth', ...aBeat({ customerId }) });
          await socket.next('hello');
          assert.equal(await daemon.count(customerId), 2);
          socket.connection.send(bytes);
          assert.equal(await socket.closeCode(), Number(code));
          await daemon.waitCount(customerId, 1);
        }
        assert.equal(stays.closed, null);
      });
    }

    for (const port of PORTS) {
      test(`idle sockets are pinged; one that does not answer is dropped, one that does stays (${port})`, async (t) => {
        const daemon = await startDaemon(t, { 'ws-ping-interval': 200, 'ws-pong-timeout': 2000 });
        const polite = await Socket.join(t, daemon[port], aBeat());
        const mute = await RawSocket.open(t, daemon[port]);
        mute.sendJson({ type: 'auth', ...aBeat() });
        await mute.next('hello');
        let pings = 0;
        for (let frame; (frame = await mute.frame()) !== null;)
          pings += frame.opcode === OPCODE.ping ? 1 : 0;
        assert.ok(pings >= 1, 'it was pinged before it was dropped');
        await waitFor('several pings', () => polite.pings >= 3);
        assert.equal(polite.closed, null);
        polite.send({ type: 'ping', timestamp: 1 });
        await polite.next('pong');
      });
    }
  },
  { concurrency: 5 },
);

// WebSocket (contract §4): the same cases on both ports and both stores.
import assert from 'node:assert/strict';

import {
  aBeat,
  authText,
  frameBytes,
  freshId,
  handshakeText,
  httpText,
  OPCODE,
  PORTS,
  RawConnection,
  RawSocket,
  Socket,
  startOn,
  STORES,
  suite,
  waitFor,
  WS_PATH,
} from './harness.mjs';

for (const store of STORES) {
  for (const port of PORTS) {
    suite(
      `a socket on ${port} and ${store}`,
      async (test, shared) => {
        // No tick meanwhile: what is told here is told because of a change.
        const daemon = await startOn(store, shared, { 'ema-interval': 3_600_000 });
        const open = (t, options) => Socket.open(t, daemon[port], options);
        const join = (t, who, options) => Socket.join(t, daemon[port], who, options);

        test('auth is answered with hello and at once with an update, and counts', async (t) => {
          const who = aBeat();
          const socket = await open(t);
          const before = Date.now();
          socket.send({ type: 'auth', ...who });
          const hello = await socket.next('hello');
          assert.deepEqual(hello, {
            type: 'hello',
            timestamp: hello.timestamp,
            sessionId: who.sessionId,
          });
          assert.ok(Math.abs(hello.timestamp - before) < 10_000);
          const update = await socket.next('metrics:update');
          assert.deepEqual(Object.keys(update).sort(), ['data', 'type']);
          assert.deepEqual(Object.keys(update.data).sort(), [
            'count',
            'customerId',
            'ema',
            'timestamp',
          ]);
          assert.equal(update.data.customerId, who.customerId);
          assert.equal(update.data.count, 1);
          assert.equal(socket.inbox.all[0].type, 'hello');
          assert.equal(socket.inbox.all[1].type, 'metrics:update');
          assert.equal(await daemon.count(who.customerId), 1);
        });

        test('several sockets of one session are one session', async (t) => {
          const who = aBeat();
          for (const tabId of ['tab-1', 'tab-1', 'tab-2']) await join(t, { ...who, tabId });
          assert.equal(await daemon.count(who.customerId), 1);
        });

        test('auth takes the session over, as a beat does', async (t) => {
          const who = aBeat();
          await daemon.must('join', who);
          await join(t, { ...who, tabId: 'tab-2' });
          await daemon.must('leave', who);
          assert.equal(await daemon.count(who.customerId), 1);
          await daemon.must('leave', { ...who, tabId: 'tab-2' });
          assert.equal(await daemon.count(who.customerId), 0);
        });

        test('ping is answered with its own timestamp, exactly', async (t) => {
          const socket = await join(t, aBeat());
          for (const timestamp of [
            0,
            1,
            1234567890,
            Date.now(),
            2 ** 53 - 1,
            -(2 ** 53 - 1),
            1.5,
            0.1,
          ]) {
            socket.send({ type: 'ping', timestamp });
            assert.deepEqual(await socket.next('pong'), { type: 'pong', timestamp });
          }
        });

        test('a pong prints whole timestamps without exponent or fraction', async (t) => {
          const socket = await RawSocket.open(t, daemon[port]);
          socket.sendJson({ type: 'ping', timestamp: 2 ** 53 - 1 });
          assert.equal((await socket.frame()).text, '{"type":"pong","timestamp":9007199254740991}');
        });

        test("a ping without a timestamp is answered with the server's clock", async (t) => {
          const socket = await join(t, aBeat());
          socket.send({ type: 'ping' });
          const pong = await socket.next('pong');
          assert.ok(Math.abs(pong.timestamp - Date.now()) < 10_000);
          assert.ok(Number.isInteger(pong.timestamp));
        });

        test('a ping before auth is answered and counts nothing', async (t) => {
          const who = aBeat();
          const socket = await open(t);
          socket.send({ type: 'ping', timestamp: 5, ...who });
          assert.deepEqual(await socket.next('pong'), { type: 'pong', timestamp: 5 });
          assert.equal(await daemon.count(who.customerId), 0);
          socket.send({ type: 'auth', ...who });
          await socket.next('hello');
        });

        test('auth without a session only watches', async (t) => {
          const customerId = freshId();
          const socket = await open(t);
          socket.send({ type: 'auth', customerId });
          const hello = await socket.next('hello');
          assert.deepEqual(Object.keys(hello).sort(), ['timestamp', 'type']);
          assert.equal((await socket.update()).count, 0);
          socket.send({ type: 'ping', timestamp: 1 });
          await socket.next('pong');
          assert.equal(await daemon.count(customerId), 0);
          await daemon.must('join', aBeat({ customerId }));
          await socket.update((data) => data.count === 1);
        });

        test('a second auth is an error message and changes nothing', async (t) => {
          const [one, two] = [aBeat(), aBeat()];
          const socket = await join(t, one);
          socket.send({ type: 'auth', ...two });
          const error = await socket.next('error');
          assert.deepEqual(Object.keys(error).sort(), ['message', 'type']);
          assert.equal(await daemon.count(two.customerId), 0);
          assert.equal(await daemon.count(one.customerId), 1);
          socket.send({ type: 'ping', timestamp: 2 });
          await socket.next('pong');
        });

        const wrong = [
          ['no JSON', 'hello'],
          ['an empty message', ''],
          ['an array', '[]'],
          ['no type', '{}'],
          ['an unknown type', '{"type":"shout"}'],
          ['a type that is no text', '{"type":1}'],
          ['a duplicate key', '{"type":"ping","type":"ping"}'],
          ['bytes behind the object', '{"type":"ping"} x'],
          ['an escaped NUL', '{"type":"ping","x":"\\u0000"}'],
          ['a depth bomb', `{"type":${'['.repeat(3000)}`],
          ['a ping with a timestamp that is text', '{"type":"ping","timestamp":"1"}'],
          ['a ping with a timestamp beyond numbers', '{"type":"ping","timestamp":1e999}'],
          ['auth without a customer', authText({ sessionId: 's', tabId: 't' })],
          ['auth with a bad customer', authText(aBeat({ customerId: 'a:b' }))],
          ['auth with a bad session', authText(aBeat({ sessionId: 'a b' }))],
          ['auth with an empty session', authText(aBeat({ sessionId: '' }))],
          ['auth with a session and no tab', authText(aBeat({ tabId: undefined }))],
          ['auth with a bad tab', authText(aBeat({ tabId: '*' }))],
        ];
        for (const [what, text] of wrong) {
          test(`${what}: an error message, and the socket goes on`, async (t) => {
            const socket = await open(t);
            socket.send(text);
            const error = await socket.next('error');
            assert.deepEqual(Object.keys(error).sort(), ['message', 'type']);
            assert.notEqual(error.message, '');
            const who = aBeat();
            socket.send({ type: 'auth', ...who });
            await socket.next('hello');
            assert.equal(await daemon.count(who.customerId), 1);
          });
        }

        test('five errors close it with 1008', async (t) => {
          const socket = await join(t, aBeat());
          for (let i = 0; i < 4; i += 1) {
            socket.send('nonsense');
            await socket.next('error');
          }
          socket.send({ type: 'ping', timestamp: 1 });
          await socket.next('pong');
          socket.send('nonsense');
          await socket.next('error');
          assert.equal((await socket.waitClose()).code, 1008);
        });

        test('a binary message closes it with 1003', async (t) => {
          const socket = await join(t, aBeat());
          socket.send(Buffer.from('{"type":"ping"}'));
          assert.equal((await socket.waitClose()).code, 1003);
        });

        const notUtf8 = {
          'a stray byte': [
            frameBytes(OPCODE.text, Buffer.from('{"type":"ping","x":"\xff"}', 'latin1')),
          ],
          'an overlong form': [frameBytes(OPCODE.text, Buffer.from('"\xc0\x80"', 'latin1'))],
          'a surrogate': [frameBytes(OPCODE.text, Buffer.from('"\xed\xa0\x80"', 'latin1'))],
          'a character cut off by the end': [
            frameBytes(OPCODE.text, Buffer.from('"\xe2\x82', 'latin1')),
          ],
          'a bad sequence across fragments': [
            frameBytes(OPCODE.text, Buffer.from('"\xe2\x82', 'latin1'), { fin: false }),
            frameBytes(OPCODE.continuation, Buffer.from('A"', 'latin1')),
          ],
        };
        for (const [what, frames] of Object.entries(notUtf8)) {
          test(`text with ${what} closes it with 1007`, async (t) => {
            const socket = await RawSocket.open(t, daemon[port]);
            frames.forEach((frame) => socket.connection.send(frame));
            assert.equal(await socket.closeCode(), 1007);
          });
        }

        test('UTF-8 cut in the middle of a character by fragments is fine', async (t) => {
          const socket = await RawSocket.open(t, daemon[port]);
          const text = Buffer.from('{"type":"ping","timestamp":3,"x":"€"}');
          const cut = text.indexOf(0xe2) + 1;
          socket.send(OPCODE.text, text.subarray(0, cut), { fin: false });
          socket.send(OPCODE.continuation, text.subarray(cut));
          assert.equal((await socket.next('pong')).timestamp, 3);
        });

        test('a message of 4 KiB is read, whole or in pieces', async (t) => {
          const filled = `{"type":"ping","timestamp":4,"x":"${'y'.repeat(4096 - 36)}"}`;
          assert.equal(filled.length, 4096);
          const socket = await RawSocket.open(t, daemon[port]);
          socket.send(OPCODE.text, filled);
          await socket.next('pong');
          socket.send(OPCODE.text, filled.slice(0, 1000), { fin: false });
          socket.send(OPCODE.continuation, filled.slice(1000, 4000), { fin: false });
          socket.send(OPCODE.continuation, filled.slice(4000));
          await socket.next('pong');
        });

        test('a larger one closes it with 1009', async (t) => {
          const socket = await join(t, aBeat());
          socket.send(`{"type":"ping","x":"${'y'.repeat(4097)}"}`);
          assert.equal((await socket.waitClose()).code, 1009);
        });

        test('fragments are summed up: too large together closes it with 1009', async (t) => {
          const socket = await RawSocket.open(t, daemon[port]);
          socket.send(OPCODE.text, '"'.padEnd(2000, 'x'), { fin: false });
          socket.send(OPCODE.continuation, 'x'.repeat(2000), { fin: false });
          socket.send(OPCODE.continuation, 'x'.repeat(2000), { fin: false });
          assert.equal(await socket.closeCode(), 1009);
        });

        test('a WebSocket ping between the fragments of a message is answered at once', async (t) => {
          const socket = await RawSocket.open(t, daemon[port]);
          socket.send(OPCODE.text, '{"type":"ping",', { fin: false });
          socket.send(OPCODE.ping, 'are you there');
          const pong = await socket.frame();
          assert.equal(pong.opcode, OPCODE.pong);
          assert.equal(pong.text, 'are you there');
          socket.send(OPCODE.continuation, '"timestamp":6}');
          assert.equal((await socket.next('pong')).timestamp, 6);
        });

        test('many messages in one segment are all answered, in their order', async (t) => {
          const socket = await RawSocket.open(t, daemon[port]);
          const pings = Array.from({ length: 50 }, (_, i) =>
            frameBytes(OPCODE.text, `{"type":"ping","timestamp":${i}}`),
          );
          socket.connection.send(Buffer.concat(pings));
          for (let i = 0; i < 50; i += 1) assert.equal((await socket.next('pong')).timestamp, i);
        });

        test('a frame may come byte by byte', async (t) => {
          const socket = await RawSocket.open(t, daemon[port]);
          await socket.connection.sendBytewise(
            frameBytes(OPCODE.text, '{"type":"ping","timestamp":7}').toString('latin1'),
          );
          assert.equal((await socket.next('pong')).timestamp, 7);
        });

        const broken = {
          'a reserved bit': frameBytes(OPCODE.text, '{}', { rsv: 4 }),
          'a reserved opcode': frameBytes(3, '{}'),
          'a control frame in fragments': frameBytes(OPCODE.ping, 'x', { fin: false }),
          'a continuation of nothing': frameBytes(OPCODE.continuation, '{}'),
          'a ping of 126 bytes': frameBytes(OPCODE.ping, 'x'.repeat(126)),
        };
        for (const [what, frame] of Object.entries(broken)) {
          test(`${what} ends the socket, and only that`, async (t) => {
            const socket = await RawSocket.open(t, daemon[port]);
            socket.connection.send(frame);
            socket.sendJson({ type: 'ping', timestamp: 1 });
            const answer = await socket.frame();
            if (answer !== null) {
              assert.equal(answer.opcode, OPCODE.close, `answered with ${answer.text}`);
              assert.equal(answer.payload.readUInt16BE(0), 1002);
            }
            await daemon.assertHealthy();
          });
        }

        test('a close is answered with a close', async (t) => {
          const socket = await RawSocket.open(t, daemon[port]);
          socket.send(OPCODE.close, Buffer.from([1000 >> 8, 1000 & 255]));
          assert.equal(await socket.closeCode(), 1000);
          await socket.connection.end();
        });

        test('frames in the segment of the handshake are processed', async (t) => {
          const who = aBeat();
          const early = Buffer.concat([
            frameBytes(OPCODE.text, '{"type":"ping","timestamp":8}'),
            frameBytes(OPCODE.text, authText(who)),
          ]);
          const socket = await RawSocket.open(t, daemon[port], { early });
          assert.equal((await socket.next('pong')).timestamp, 8);
          assert.equal((await socket.next('hello')).sessionId, who.sessionId);
          assert.equal(await daemon.count(who.customerId), 1);
        });

        test('the handshake may come byte by byte', async (t) => {
          const connection = await RawConnection.open(t, daemon[port]);
          await connection.sendBytewise(handshakeText());
          assert.equal((await connection.response()).status, 101);
        });

        test('the handshake may carry a large cookie and a query', async (t) => {
          const socket = await open(t, {
            path: `${WS_PATH}?v=1`,
            headers: {
              cookie: `session=${'c'.repeat(6000)}`,
              'user-agent': 'Mozilla/5.0 '.repeat(20),
            },
          });
          socket.send({ type: 'ping', timestamp: 9 });
          await socket.next('pong');
        });

        test('no extension is agreed upon: compression would cost memory a socket', async (t) => {
          const socket = await open(t);
          assert.equal(socket.ws.extensions, '');
        });

        for (const path of [
          '/',
          '/ws',
          '/ws/active-users/',
          '/ws/active-users2',
          '/WS/active-users',
          '//ws/active-users',
        ]) {
          test(`an upgrade on ${path}: 404`, async (t) => {
            await assert.rejects(open(t, { path }), { status: 404 });
          });
        }

        test('another version of WebSocket: 426 that names 13', async (t) => {
          for (const version of [8, 14, 0]) {
            const connection = await RawConnection.open(t, daemon[port]);
            connection.send(handshakeText({ version }));
            const answer = await connection.response();
            assert.equal(answer.status, 426);
            assert.equal(answer.headers['sec-websocket-version'], '13');
          }
        });

        test('a handshake without a version or a key, or by POST, is refused', async (t) => {
          for (const shape of [{ version: null }, { key: false }, { method: 'POST' }]) {
            const connection = await RawConnection.open(t, daemon[port]);
            connection.send(handshakeText(shape));
            const { status } = await connection.response();
            assert.ok(status >= 400 && status < 500, `${JSON.stringify(shape)}: ${status}`);
          }
        });

        test('a plain GET on the path: 426', async (t) => {
          const connection = await RawConnection.open(t, daemon[port]);
          connection.send(httpText('GET', WS_PATH));
          const answer = await connection.response();
          assert.equal(answer.status, 426);
          assert.match(answer.headers.upgrade ?? '', /websocket/i);
        });

        test('a malformed handshake ends the connection and nothing else', async (t) => {
          for (const text of [
            'GARBAGE\r\n\r\n',
            '\x16\x03\x01\x02\x00\x01\x00',
            `GET ${WS_PATH} HTTP/1.1\r\nHo\0st: a\r\n\r\n`,
          ]) {
            const connection = await RawConnection.open(t, daemon[port]);
            connection.send(text);
            connection.socket.end();
            await connection.end();
          }
          await daemon.assertHealthy();
        });

        test('others hear of a join and of a leave', async (t) => {
          const customerId = freshId();
          const watcher = await join(t, { customerId });
          const who = aBeat({ customerId });
          await daemon.must('join', who);
          await watcher.update((data) => data.count === 1);
          await daemon.must('leave', who);
          await watcher.update((data) => data.count === 0);
        });

        test('nobody hears of other customers', async (t) => {
          const [mine, other] = [freshId(), freshId()];
          const watcher = await join(t, { customerId: mine });
          const stranger = await join(t, { customerId: other });
          await daemon.must('join', aBeat({ customerId: other }));
          await stranger.update((data) => data.count === 1);
          assert.ok(watcher.updates.every((data) => data.customerId === mine));
        });

        test('changes are told at most once a second, and the newest wins', async (t) => {
          const customerId = freshId();
          const watcher = await join(t, { customerId });
          await watcher.update();
          const began = Date.now();
          let joined = 0;
          await waitFor('changes for more than two seconds', async () => {
            await daemon.must('join', aBeat({ customerId }));
            joined += 1;
            return Date.now() - began > 2200;
          });
          await watcher.update((data) => data.count === joined);
          const [, ...changes] = watcher.updates;
          const most = 2 + (Date.now() - began) / 1000; // the first, and one a second
          assert.ok(changes.length >= 2 && changes.length <= most, `${changes.length} updates`);
          for (let i = 1; i < changes.length; i += 1)
            assert.ok(changes[i].count > changes[i - 1].count, 'never an old one');
        });
      },
      { concurrency: 6 },
    );
  }
}

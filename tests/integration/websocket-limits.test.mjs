// What one socket may do to the daemon: how often it may speak, what may come with its handshake,
// and how its end is told (contract §4).
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  authText,
  frameBytes,
  freshId,
  handshakeText,
  OPCODE,
  RawConnection,
  RawSocket,
  Socket,
  startDaemon,
  startRedis,
  suite,
  tempDir,
  waitFor,
  waitReady,
} from './harness.mjs';

const PING = frameBytes(OPCODE.text, '{"type":"ping","timestamp":1}');
const repeat = (count, bytes) => Buffer.concat(Array(count).fill(bytes));

/** Text messages by type and pongs until the connection ends: {pong: 10, error: 5, …, code}. */
async function tally(socket) {
  const seen = { code: null, error: 0, pong: 0, controlPong: 0 };
  for (let frame; (frame = await socket.frame()) !== null;) {
    if (frame.opcode === OPCODE.close)
      seen.code = frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0);
    else if (frame.opcode === OPCODE.pong) seen.controlPong += 1;
    else seen[JSON.parse(frame.text).type] += 1;
  }
  return seen;
}

suite('what one socket may do', async (test, shared) => {
  // Slow enough that no token comes back while a test runs.
  const strict = await startDaemon(shared, { 'socket-rate': 1 });
  const free = await startDaemon(shared);

  test('over its rate a socket gets errors, five of them close it with 1008', async (t) => {
    const socket = await RawSocket.open(t, strict.wsPort);
    socket.connection.send(repeat(40, PING));
    const { code, pong, error } = await tally(socket);
    assert.equal(code, 1008);
    assert.equal(error, 5);
    assert.ok(pong >= 2 && pong <= 5, `${pong} answered`);
  });

  const floods = {
    'WebSocket pings': frameBytes(OPCODE.ping, 'x'),
    'empty pings': frameBytes(OPCODE.ping, ''),
    'unasked pongs': frameBytes(OPCODE.pong, 'x'),
  };
  for (const [what, bytes] of Object.entries(floods)) {
    test(`${what} pay from the same bucket`, async (t) => {
      const socket = await RawSocket.open(t, strict.wsPort);
      socket.connection.send(repeat(40, bytes));
      const { code, controlPong, error } = await tally(socket);
      assert.equal(code, 1008);
      assert.equal(error, 5);
      assert.ok(controlPong <= 5, `${controlPong} answered`);
    });
  }

  test('so do fragments without a byte', async (t) => {
    const socket = await RawSocket.open(t, strict.wsPort);
    socket.send(OPCODE.text, '', { fin: false });
    socket.connection.send(
      repeat(40, frameBytes(OPCODE.continuation, Buffer.alloc(0), { fin: false })),
    );
    const { code, error } = await tally(socket);
    assert.deepEqual({ code, error }, { code: 1008, error: 5 });
  });

  test('a message in a hundred fragments is one message', async (t) => {
    const socket = await RawSocket.open(t, strict.wsPort);
    const text = Buffer.from(`{"type":"ping","timestamp":1,"x":"${'y'.repeat(65)}"}`);
    const parts = Array.from(text, (byte, i) =>
      frameBytes(i === 0 ? OPCODE.text : OPCODE.continuation, Buffer.of(byte), {
        fin: i === text.length - 1,
      }),
    );
    assert.equal(parts.length, 101);
    socket.connection.send(Buffer.concat(parts));
    assert.equal((await socket.next('pong')).timestamp, 1);
  });

  test('a rate of 0 is no limit', async (t) => {
    const socket = await RawSocket.open(t, free.wsPort);
    socket.connection.send(Buffer.concat([repeat(500, PING), frameBytes(OPCODE.close, '')]));
    assert.deepEqual(await tally(socket), { code: 1005, error: 0, pong: 500, controlPong: 0 });
  });

  test('the rate can be changed while it runs', async (t) => {
    const file = path.join(await tempDir(t), 'active-users.conf');
    await writeFile(file, 'socket-rate = 1\n');
    const daemon = await startDaemon(t, { config: file, 'socket-rate': undefined });
    const before = await RawSocket.open(t, daemon.wsPort);
    before.connection.send(repeat(40, PING));
    assert.equal((await tally(before)).code, 1008);
    await writeFile(file, 'socket-rate = 0\n');
    daemon.signal('SIGHUP');
    await waitFor('the reload', () => daemon.log.some((entry) => entry.event === 'reloaded'));
    const after = await RawSocket.open(t, daemon.wsPort);
    after.connection.send(Buffer.concat([repeat(100, PING), frameBytes(OPCODE.close, '')]));
    assert.equal((await tally(after)).pong, 100);
  });

  test('a burst of pings renews a session once', async (t) => {
    const daemon = await startDaemon(t);
    const who = aBeat();
    const socket = await RawSocket.open(t, daemon.wsPort);
    socket.sendJson({ type: 'auth', ...who });
    await socket.next('hello');
    const beats = async () => (await daemon.samples()).get('au_presence_beats_total');
    const authed = await beats();
    const began = Date.now();
    for (let i = 0; i < 5; i += 1) {
      socket.connection.send(repeat(100, PING));
      for (let n = 0; n < 100; n += 1) await socket.next('pong');
    }
    const seconds = (Date.now() - began) / 1000;
    const renewed = (await beats()) - authed;
    assert.ok(renewed <= 1 + seconds, `${renewed} renewals in ${seconds} s`);
    await waitFor('the next second to renew it', async () => {
      socket.connection.send(PING);
      return (await beats()) > authed;
    });
  });

  test('4 KiB behind a handshake are processed, whatever they are', async (t) => {
    const who = aBeat();
    const auth = frameBytes(OPCODE.text, authText(who));
    const filler = repeat(Math.floor((4096 - auth.length) / PING.length), PING);
    const socket = await RawSocket.open(t, free.wsPort, { early: Buffer.concat([filler, auth]) });
    assert.equal((await socket.next('hello')).sessionId, who.sessionId);
    // What comes later is read after it.
    socket.sendJson({ type: 'ping', timestamp: 2 });
    assert.equal((await socket.next('pong')).timestamp, 2);
  });

  test('a frame that began behind the handshake goes on with the next bytes', async (t) => {
    const bytes = frameBytes(OPCODE.text, '{"type":"ping","timestamp":77}');
    for (const cut of [1, 2, 5, 6, 7, bytes.length - 1]) {
      const socket = await RawSocket.open(t, free.wsPort, { early: bytes.subarray(0, cut) });
      socket.connection.send(bytes.subarray(cut));
      assert.equal((await socket.next('pong')).timestamp, 77);
    }
  });

  test('more than 4 KiB behind a handshake close with 1008, unread', async (t) => {
    const customerId = freshId();
    const auth = frameBytes(OPCODE.text, authText(aBeat({ customerId })));
    const early = Buffer.concat([auth, repeat(200, PING)]);
    const socket = await RawSocket.open(t, free.wsPort, { early });
    const first = await socket.frame();
    assert.equal(first.opcode, OPCODE.close);
    assert.equal(first.payload.readUInt16BE(0), 1008);
    assert.equal(await free.count(customerId), 0);
  });

  test('after a fault the close frame goes out, then the end, and the slot is free', async (t) => {
    const daemon = await startDaemon(t);
    const samples = async () => (await daemon.samples()).get('au_websocket_sockets');
    const faults = [
      [frameBytes(OPCODE.text, 'x', { masked: false }), 1002],
      [frameBytes(OPCODE.binary, 'x'), 1003],
      [frameBytes(OPCODE.text, Buffer.of(0xff)), 1007],
      [Buffer.from([0x81, 0xfe, 0x10, 0x01]), 1009],
    ];
    for (const [bytes, code] of faults) {
      const socket = await RawSocket.open(t, daemon.wsPort);
      // More than is ever read of it lies behind the fault.
      socket.connection.send(Buffer.concat([bytes, Buffer.alloc(20_000, 0x81)]));
      assert.equal(await socket.closeCode(), code);
      await socket.connection.end();
    }
    // These peers do not end their side: they are not waited for.
    await waitFor('no sockets', async () => (await samples()) === 0);
    const counters = await daemon.samples();
    assert.equal(counters.get('au_websocket_protocol_errors_total'), 3);
    assert.equal(counters.get('au_websocket_too_large_total'), 1);
  });

  test('an upgrade of HTTP/1.0 or with two keys is refused', async (t) => {
    const upgrade = handshakeText();
    for (const text of [
      upgrade.replace('HTTP/1.1', 'HTTP/1.0'),
      upgrade.replace('\r\n\r\n', '\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'),
      upgrade.replace('\r\n\r\n', '\r\nSec-WebSocket-Version: 13\r\n\r\n'),
    ]) {
      const connection = await RawConnection.open(t, free.wsPort);
      connection.send(text);
      assert.equal((await connection.response()).status, 400);
    }
  });

  test('a stop shortens no session', async (t) => {
    const redis = await startRedis(t);
    const flags = { 'redis-url': redis.url, 'disconnect-grace': 300 };
    const [stopping, other] = [await startDaemon(t, flags), await startDaemon(t, flags)];
    await waitReady(stopping);
    await waitReady(other);
    const customerId = freshId();
    const told = await Socket.join(t, stopping.wsPort, aBeat({ customerId }));
    const vanishing = await Socket.join(t, other.wsPort, aBeat({ customerId }));
    await other.waitCount(customerId, 2);
    await stopping.stop();
    assert.equal((await told.waitClose()).code, 1001);
    // Its grace ends behind that of the one that was told to go, if that had any.
    vanishing.terminate();
    await other.waitCount(customerId, 1);
    assert.equal(await other.count(customerId), 1);
  });
});

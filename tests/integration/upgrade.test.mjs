// Who may upgrade, and where (contract §4).
import assert from 'node:assert/strict';

import {
  aBeat,
  freePort,
  freshId,
  handshakeText,
  PORTS,
  presenceText,
  RawConnection,
  RawSocket,
  Socket,
  startDaemon,
  suite,
  waitFor,
} from './harness.mjs';

suite('who may upgrade', async (test, shared) => {
  const daemon = await startDaemon(shared, {
    'allowed-origins': 'https://shop.example,http://localhost:8080',
  });
  for (const port of PORTS) {
    test(`an origin of the list, or none, may (${port})`, async (t) => {
      for (const headers of [
        { origin: 'https://shop.example' },
        { origin: 'http://localhost:8080' },
        {},
      ]) {
        await Socket.join(t, daemon[port], aBeat(), { headers });
      }
    });

    for (const origin of [
      'https://evil.example',
      'http://shop.example',
      'https://shop.example.evil.example',
      'https://evilshop.example',
      'https://shop.example:444',
      'null',
    ]) {
      test(`the origin ${origin} is refused with 403 (${port})`, async (t) => {
        await assert.rejects(Socket.open(t, daemon[port], { headers: { origin } }), {
          status: 403,
        });
      });
    }
  }

  test('the REST port takes an upgrade behind other requests of the connection', async (t) => {
    const connection = await RawConnection.open(t, daemon.httpPort);
    const who = aBeat();
    connection.send(presenceText('join', who) + handshakeText());
    assert.equal((await connection.response()).status, 200);
    assert.equal((await connection.response()).status, 101);
    const socket = new RawSocket(connection);
    socket.sendJson({ type: 'auth', ...who });
    assert.equal((await socket.next('hello')).sessionId, who.sessionId);
  });

  test('the WebSocket port serves no REST', async (t) => {
    const beat = aBeat();
    const connection = await RawConnection.open(t, daemon.wsPort);
    connection.send(presenceText('join', beat));
    const { status } = await connection.response();
    assert.ok(status >= 400 && status < 500, `answered ${status}`);
    assert.equal(await daemon.count(beat.customerId), 0);
  });

  test('enable-websocket=false: no listener, and an upgrade on the REST port gets 404', async (t) => {
    const wsPort = await freePort();
    const without = await startDaemon(t, { 'enable-websocket': false, 'ws-port': wsPort });
    await assert.rejects(RawConnection.open(t, wsPort), { code: 'ECONNREFUSED' });
    await assert.rejects(Socket.open(t, without.httpPort), { status: 404 });
    await without.assertHealthy();
  });

  test('sockets that come and go in hundreds leave nothing behind', async (t) => {
    const busy = await startDaemon(t, { 'disconnect-grace': 0 });
    const customerId = freshId();
    for (let round = 0; round < 3; round += 1) {
      const sockets = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          Socket.join(t, busy[PORTS[i % 2]], aBeat({ customerId })),
        ),
      );
      await busy.waitCount(customerId, 100);
      sockets.forEach((socket, i) => (i % 2 === 0 ? socket.terminate() : socket.ws.close()));
      await waitFor(
        'no sockets',
        async () => (await busy.samples()).get('au_websocket_sockets') === 0,
      );
      await busy.waitCount(customerId, 0);
    }
  });
});

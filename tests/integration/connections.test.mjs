// Places for connections: how many one address may have, and who makes room at the limit.
import assert from 'node:assert/strict';

import {
  aBeat,
  freshId,
  handshakeText,
  HEALTH,
  httpText,
  metricsText,
  RawConnection,
  Socket,
  startDaemon,
  suite,
  waitFor,
} from './harness.mjs';

const LOOPBACK = '127.0.0.1';
const open = (t, daemon, from) => RawConnection.open(t, daemon.httpPort, LOOPBACK, from);
const counter = async (daemon, name) => (await daemon.samples()).get(name);

async function served(connection, text = HEALTH) {
  connection.send(text);
  await waitFor('an answer or the end', () => connection.received.length > 0 || connection.ended);
  return connection.received.length > 0 ? (await connection.response()).status : 0;
}

/** In use: half of a request has come. `end` gives the other half. */
function begin(connection) {
  connection.send(HEALTH.slice(0, 10));
  return { end: () => served(connection, HEALTH.slice(10)) };
}

async function openMany(t, daemon, from, count) {
  const connections = [];
  for (let i = 0; i < count; i += 1) {
    connections.push(await open(t, daemon, from));
    assert.equal(await served(connections[i]), 200, `connection ${i} of ${from}`);
  }
  return connections;
}

suite('connections of one address', async (test) => {
  test('an address has its share, another has its own, and what closes makes room', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections': 800, 'max-connections-ip': '5%' });
    const mine = await openMany(t, daemon, '127.0.0.2', 40);
    const halves = mine.map(begin);
    assert.equal(await served(await open(t, daemon, '127.0.0.2')), 0, 'over the limit');
    assert.equal(await served(await open(t, daemon, '127.0.0.3')), 200, 'of another address');
    assert.equal(await counter(daemon, 'au_connections_refused_ip_total'), 1);
    mine[0].close();
    await waitFor('the place to be free', async () => {
      return (await served(await open(t, daemon, '127.0.0.2'))) === 200;
    });
    assert.equal(await halves[1].end(), 200, 'nobody was dropped');
  });

  test('at its limit an idle one of its own makes room, and nobody else’s', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections-ip': 3 });
    const [other] = await openMany(t, daemon, '127.0.0.3', 1);
    const [busy, oldest, young] = await openMany(t, daemon, '127.0.0.2', 3);
    const half = begin(busy);
    assert.equal(await served(await open(t, daemon, '127.0.0.2')), 200);
    await waitFor('the oldest to end', () => oldest.ended);
    assert.deepEqual([busy.ended, young.ended, other.ended], [false, false, false]);
    assert.equal(await half.end(), 200);
    assert.equal(await counter(daemon, 'au_connections_evicted_ip_total'), 1);
    assert.equal(await counter(daemon, 'au_connections_refused_ip_total'), 0);
  });

  test('so does what says nothing for a moment; a person’s socket never does', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections-ip': 3 });
    const from = '127.0.0.2';
    const silent = await open(t, daemon, from);
    const unknown = await Socket.open(t, daemon.wsPort, { from });
    const person = await Socket.join(t, daemon.wsPort, aBeat(), { from });
    assert.equal(await served(await open(t, daemon, from)), 0, 'each gets a moment');
    const halves = [];
    for (let i = 0; i < 2; i += 1) {
      await waitFor('room', async () => {
        const connection = await open(t, daemon, from);
        if ((await served(connection)) !== 200) return false;
        halves.push(begin(connection));
        return true;
      });
    }
    await waitFor('both to have ended', () => silent.ended && unknown.closed);
    assert.equal(unknown.closed.code, 1013);
    assert.equal(person.closed, null);
    assert.equal(await served(await open(t, daemon, from)), 0, 'all are in use');
    for (const half of halves) assert.equal(await half.end(), 200);
  });

  test('sockets count among its connections, wherever they came in', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections-ip': 3 });
    const from = '127.0.0.2';
    const sockets = [];
    for (const port of [daemon.httpPort, daemon.wsPort, daemon.wsPort])
      sockets.push(await Socket.join(t, port, { customerId: freshId() }, { from }));
    assert.equal(await served(await open(t, daemon, from)), 0);
    sockets[0].terminate();
    await waitFor('its place to be free', async () => {
      return (await served(await open(t, daemon, from))) === 200;
    });
  });

  test('a trusted proxy may have any number; the sockets of its clients are counted', async (t) => {
    const daemon = await startDaemon(t, {
      'max-connections-ip': 2,
      'trusted-proxies': '127.0.0.1',
    });
    await openMany(t, daemon, '127.0.0.1', 5);
    const client = (address) => ({ headers: { 'x-forwarded-for': address } });
    const join = (address) =>
      Socket.join(t, daemon.wsPort, { customerId: freshId() }, client(address));
    const first = await join('192.0.2.1');
    await join('192.0.2.1');
    await assert.rejects(join('192.0.2.1'), (error) => {
      assert.equal(error.status, 429);
      assert.match(error.headers['retry-after'], /^[1-9]/);
      return true;
    });
    await join('192.0.2.2');
    first.terminate();
    await waitFor('its place to be free', () => join('192.0.2.1').then(() => true, () => false));
  });

  test('0 is no limit, and SIGHUP changes it for those that come', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections-ip': 0 });
    await openMany(t, daemon, '127.0.0.2', 60);
  });
});

suite('an address over its limit', async (test) => {
  test('its connections wait between two requests, and nobody else does', async (t) => {
    const daemon = await startDaemon(t, { 'rate-ip': 2 });
    const hostile = await open(t, daemon, '127.0.0.2');
    hostile.send(metricsText('shop').repeat(30));
    let answers = 0;
    const look = () => {
      for (let answer; (answer = hostile.tryResponse()); answers += 1)
        assert.equal(answer.status, answers < 2 ? 200 : 429);
      return answers;
    };
    await waitFor('its first refusal', () => look() > 2);
    const honest = await open(t, daemon, '127.0.0.3');
    for (let i = 0; i < 30; i += 1) assert.equal(await served(honest), 200);
    assert.ok(look() < 30, 'it was not served at full speed');
    await waitFor('all of its answers', () => look() === 30);
    assert.equal(await served(hostile), 200, 'the connection stays usable');
  });
});

suite('PROXY protocol', async (test) => {
  const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
  const header = (address, port = 4711) => {
    const rest = Buffer.alloc(16);
    rest.writeUInt8(0x21, 0); // version 2, PROXY
    rest.writeUInt8(0x11, 1); // TCP over IPv4
    rest.writeUInt16BE(12, 2);
    address.split('.').forEach((part, i) => rest.writeUInt8(Number(part), 4 + i));
    rest.writeUInt32BE(0x7f000001, 8);
    rest.writeUInt16BE(port, 12);
    rest.writeUInt16BE(80, 14);
    return Buffer.concat([SIGNATURE, rest]);
  };
  const LOCAL = Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
  const asText = (bytes, text) => Buffer.concat([bytes, Buffer.from(text, 'latin1')]);

  test('a trusted proxy names its client, for limits and for connections', async (t) => {
    const daemon = await startDaemon(t, {
      'trusted-proxies': '127.0.0.0/8',
      'rate-ip': 2,
      'max-connections-ip': 2,
    });
    const read = metricsText('shop');
    const first = await open(t, daemon);
    for (const [text, status] of [
      [asText(header('192.0.2.1'), read), 200],
      [read, 200],
      [read, 429],
    ])
      assert.equal(await served(first, text), status);
    const second = await open(t, daemon);
    assert.equal(await served(second, asText(header('192.0.2.1'), read)), 429);
    for (const connection of [first, second]) begin(connection);
    assert.equal(await served(await open(t, daemon), asText(header('192.0.2.1'), read)), 0);
    assert.equal(await served(await open(t, daemon), asText(header('192.0.2.2'), read)), 200);
  });

  test('a proxy that a proxy names may have any number, and gives its places back', async (t) => {
    const daemon = await startDaemon(t, {
      'trusted-proxies': '127.0.0.0/8,192.0.2.0/24',
      'max-connections-ip': 2,
    });
    for (let i = 0; i < 5; i += 1) {
      const connection = await open(t, daemon);
      const upgrade = handshakeText({ headers: [`X-Forwarded-For: 198.51.100.${i}`] });
      connection.send(asText(header('192.0.2.1'), upgrade));
      assert.equal((await connection.response()).status, 101, `socket ${i}`);
    }
    assert.equal(await served(await open(t, daemon), asText(header('192.0.2.1'), HEALTH)), 200);
  });

  test('byte by byte, LOCAL, and none at all', async (t) => {
    const daemon = await startDaemon(t, { 'trusted-proxies': '127.0.0.0/8' });
    const slow = await open(t, daemon);
    for (const byte of asText(header('192.0.2.1'), HEALTH.slice(0, -4))) {
      slow.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await served(slow, HEALTH.slice(-4)), 200);
    assert.equal(await served(await open(t, daemon), asText(LOCAL, HEALTH)), 200);
    assert.equal(await served(await open(t, daemon), HEALTH), 200);
    assert.equal(await served(await open(t, daemon), `\r\n\r\n${HEALTH}`), 200);
  });

  test('a wrong one is closed without a word; from others it is no request', async (t) => {
    const trusting = await startDaemon(t, { 'trusted-proxies': '127.0.0.0/8' });
    const wrong = header('192.0.2.1');
    wrong.writeUInt8(0x31, SIGNATURE.length); // version 3
    assert.equal(await served(await open(t, trusting), asText(wrong, HEALTH)), 0);
    const strict = await startDaemon(t);
    assert.equal(await served(await open(t, strict), asText(header('192.0.2.1'), HEALTH)), 400);
  });
});

suite('room at the limit', async (test) => {
  const ask = metricsText('shop');

  test('the idlest connection goes, and who is busy stays', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections': 3, 'idle-timeout': 2000 });
    const [oldest, busy] = await openMany(t, daemon, undefined, 3);
    await waitFor('the others to be idle for half of the time-out', async () => {
      assert.equal(await served(busy), 200);
      return (await served(await open(t, daemon), ask)) === 200;
    });
    assert.ok(oldest.ended);
    assert.ok(!busy.ended);
    busy.send(httpText('GET', '/metrics'));
    assert.match((await busy.response()).text, /^au_connections_evicted_total [1-9]/m);
  });

  test('a socket that does not authenticate makes room', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections': 2, 'ws-auth-timeout': 60_000 });
    const silent = await Socket.open(t, daemon.wsPort);
    const person = await Socket.join(t, daemon.wsPort, aBeat());
    assert.equal(await served(await open(t, daemon), ask), 503, 'it may still authenticate');
    await daemon.stop();
    const impatient = await startDaemon(t, { 'max-connections': 2, 'ws-auth-timeout': 2000 });
    const other = await Socket.open(t, impatient.wsPort);
    const another = await Socket.join(t, impatient.wsPort, aBeat());
    let ended = false;
    other.closing.then(() => (ended = true));
    await waitFor('its place', async () => (await served(await open(t, impatient), ask)) === 200);
    await waitFor('it to hear so', () => ended);
    assert.equal(other.closed.code, 1013);
    assert.equal(another.closed, null);
    assert.ok(silent && person);
  });

  test('watchers of the address that has most of them make room; people never do', async (t) => {
    const daemon = await startDaemon(t, {
      'max-connections': 40,
      'max-connections-ip': 0,
      'new-sessions-ip': 0,
    });
    const join = (auth, from) => Socket.join(t, daemon.wsPort, auth, { from });
    const people = [];
    for (let i = 0; i < 10; i += 1) people.push(await join(aBeat(), '127.0.0.2'));
    const lone = await join({ customerId: 'shop' }, '127.0.0.4');
    const crowd = [];
    for (let i = 0; i < 28; i += 1) crowd.push(await join({ customerId: 'shop' }, '127.0.0.3'));
    const before = crowd.filter((socket) => socket.closed).length;
    assert.equal(before, 0);
    for (let i = 0; i < 5; i += 1)
      await waitFor('room for a newcomer', async () => {
        const connection = await open(t, daemon, `127.0.0.${10 + i}`);
        return (await served(connection, ask)) === 200;
      });
    await waitFor('watchers to have gone', () => crowd.some((socket) => socket.closed));
    assert.ok(crowd.every((socket) => !socket.closed || socket.closed.code === 1013));
    assert.equal(lone.closed, null);
    assert.ok(people.every((socket) => socket.closed === null));
    await daemon.assertHealthy();
  });

  test('where only people are, a newcomer is told, and health is answered', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections': 4, 'new-sessions-ip': 0 });
    const people = [];
    for (let i = 0; i < 4; i += 1) people.push(await Socket.join(t, daemon.wsPort, aBeat()));
    assert.equal(await served(await open(t, daemon), ask), 503);
    for (const path of ['/health', '/ready'])
      assert.equal(await served(await open(t, daemon), httpText('GET', path)), 200);
    await assert.rejects(Socket.open(t, daemon.httpPort), (error) => error.status === 503);
    people[0].terminate();
    await waitFor('a place', async () => (await served(await open(t, daemon), ask)) === 200);
  });

  test('silent connections in the reserved slots do not keep health out', async (t) => {
    const daemon = await startDaemon(t, { 'max-connections': 2, 'new-sessions-ip': 0 });
    for (let i = 0; i < 2; i += 1) await Socket.join(t, daemon.wsPort, aBeat());
    for (let i = 0; i < 60; i += 1) await open(t, daemon, `127.0.1.${i + 1}`);
    const probe = await open(t, daemon);
    assert.equal(await served(probe), 200);
  });
});

// What the daemon does when Redis is away, refuses, or is no Redis (contract §7).
import assert from 'node:assert/strict';
import net from 'node:net';

import {
  aBeat,
  assertNotAcknowledged,
  defer,
  keyOf,
  PORTS,
  presenceText,
  RawConnection,
  Socket,
  startDaemon,
  startOn,
  startRedis,
  suite,
  waitDegraded,
  waitFor,
  waitReady,
} from './harness.mjs';

suite(
  'when Redis is away',
  async (test) => {
    test('it may be down at the start: the daemon starts, says so, and goes on when Redis comes', async (t) => {
      const redis = await startRedis(t, { start: false });
      const daemon = await startDaemon(t, { 'redis-url': redis.url });
      const health = await daemon.get('/health');
      assert.equal(health.status, 200);
      assert.equal(health.json.status, 'degraded');
      const ready = await daemon.get('/ready');
      assert.equal(ready.status, 503);
      assert.notEqual(ready.text, '');
      const beat = aBeat();
      for (const action of ['join', 'beat', 'leave', 'beat?metrics=1'])
        assertNotAcknowledged(await daemon.post(action, beat));
      assertNotAcknowledged(await daemon.get(`/metrics?customerId=${beat.customerId}`));
      assert.ok(
        daemon.log.some((line) => line.level === 'warn' || line.level === 'error'),
        'the log says so',
      );
      assert.ok(await redis.start());
      await waitReady(daemon);
      await daemon.assertHealthy();
      await daemon.must('join', beat);
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    test('a socket gets an error and no hello; a new one is welcome when Redis is there', async (t) => {
      const redis = await startRedis(t, { start: false });
      const daemon = await startDaemon(t, { 'redis-url': redis.url });
      const who = aBeat();
      for (const port of PORTS) {
        const socket = await Socket.open(t, daemon[port]);
        socket.send({ type: 'auth', ...who });
        await socket.next('error');
        assert.ok(!socket.inbox.all.some((message) => message.type === 'hello'));
      }
      assert.ok(await redis.start());
      await waitReady(daemon);
      for (const port of PORTS) await Socket.join(t, daemon[port], who);
      assert.equal(await daemon.count(who.customerId), 1);
    });

    test('it may die in the middle and come back empty: no join is acknowledged meanwhile, and all goes on', async (t) => {
      const daemon = await startOn('redis', t, { 'ema-interval': 100 });
      const watcher = await Socket.join(t, daemon.wsPort, { customerId: 'watched' });
      await daemon.must('join', aBeat({ customerId: 'watched' }));
      await watcher.update((data) => data.count === 1);
      await daemon.redis.crash();
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => daemon.post('join', aBeat())),
      );
      answers.forEach(assertNotAcknowledged);
      await waitDegraded(daemon);
      assert.ok(await daemon.redis.start());
      await waitReady(daemon);
      await daemon.assertHealthy();
      await daemon.must('join', aBeat({ customerId: 'watched' }));
      await daemon.must('join', aBeat({ customerId: 'watched' }));
      await watcher.update((data) => data.count >= 2);
    });

    test('one that stops answering is given up within seconds, and nothing hangs', async (t) => {
      const daemon = await startOn('redis', t);
      daemon.redis.freeze();
      const began = Date.now();
      assertNotAcknowledged(await daemon.post('join', aBeat()));
      assert.ok(Date.now() - began < 8000);
      await waitDegraded(daemon);
      daemon.redis.thaw();
      await waitReady(daemon);
      await daemon.must('join', aBeat());
    });

    test('requests behind one that waits for Redis keep their order', async (t) => {
      const daemon = await startOn('redis', t);
      const connection = await RawConnection.open(t, daemon.httpPort);
      daemon.redis.freeze();
      connection.send(presenceText('join', aBeat()) + 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.equal((await connection.response()).status, 503);
      assert.equal((await connection.response()).json.status, 'degraded');
      daemon.redis.thaw();
    });

    const refusals = {
      'out of memory': {
        break: (redis) => redis.call('CONFIG', 'SET', 'maxmemory', '1'),
        mend: (redis) => redis.call('CONFIG', 'SET', 'maxmemory', '0'),
      },
      'a read-only replica': {
        break: (redis) => redis.call('REPLICAOF', '127.0.0.1', '1'),
        mend: (redis) => redis.call('REPLICAOF', 'NO', 'ONE'),
      },
    };
    for (const [what, { break: breakIt, mend }] of Object.entries(refusals)) {
      test(`${what}: 503 and degraded, never success, and all goes on afterwards`, async (t) => {
        const daemon = await startOn('redis', t, { 'ema-interval': 100 });
        const redis = await daemon.redis.client();
        await daemon.must('join', aBeat());
        await breakIt(redis);
        const beat = aBeat();
        assertNotAcknowledged(await daemon.post('join', beat));
        assert.equal((await daemon.get('/health')).json.status, 'degraded');
        assert.equal(await redis.call('EXISTS', keyOf(beat)), 0);
        await mend(redis);
        await waitFor(
          'joins to be taken again',
          async () => (await daemon.post('join', beat)).status === 200,
        );
        await waitFor('ok', async () => (await daemon.get('/health')).json.status === 'ok');
        assert.equal(await daemon.count(beat.customerId), 1);
      });
    }

    test('a refusal is logged once a state, not once a request', async (t) => {
      const daemon = await startOn('redis', t, { 'ema-interval': 50 });
      const redis = await daemon.redis.client();
      await redis.call('CONFIG', 'SET', 'maxmemory', '1');
      const linesBefore = daemon.log.length;
      for (let i = 0; i < 50; i += 1) assertNotAcknowledged(await daemon.post('join', aBeat()));
      assert.ok(daemon.log.length - linesBefore <= 12, daemon.stderr);
    });

    test('passwords: the right one is used, a wrong one or none is degraded, none is ever shown', async (t) => {
      const password = 'p@ss/w:rd%';
      const redis = await startRedis(t, { options: ['--requirepass', password] });
      const urlWith = (secret) => `redis://${secret}127.0.0.1:${redis.port}`;
      const right = await startDaemon(t, {
        'redis-url': urlWith(`:${encodeURIComponent(password)}@`),
      });
      const named = await startDaemon(t, {
        'redis-url': urlWith(`default:${encodeURIComponent(password)}@`),
      });
      for (const daemon of [right, named]) {
        await waitReady(daemon);
        await daemon.must('join', aBeat());
      }
      for (const secret of ['', ':wr0ngsecret@']) {
        const daemon = await startDaemon(t, { 'redis-url': urlWith(secret), 'log-level': 'debug' });
        await waitFor('a complaint', () =>
          daemon.log.some((line) => ['warn', 'error'].includes(line.level)),
        );
        assertNotAcknowledged(await daemon.post('join', aBeat()));
        assert.equal((await daemon.get('/health')).json.status, 'degraded');
        const shown =
          daemon.stderr + (await daemon.get('/health')).text + (await daemon.get('/ready')).text;
        assert.ok(!shown.includes('wr0ngsecret'), shown);
      }
      const shown =
        right.stderr + (await right.get('/health')).text + (await right.get('/metrics')).text;
      assert.ok(!shown.includes(password) && !shown.includes(encodeURIComponent(password)), shown);
    });

    test('a database number and a unix socket are understood', async (t) => {
      const redis = await startRedis(t);
      const client = await redis.client();
      await client.call('SELECT', 3);
      for (const url of [`${redis.url}/3`, `redis://localhost:${redis.port}/3`]) {
        const daemon = await startDaemon(t, { 'redis-url': url });
        await waitReady(daemon);
        const beat = aBeat();
        await daemon.must('join', beat);
        assert.equal(await client.call('EXISTS', keyOf(beat)), 1, url);
      }
      await client.call('SELECT', 0);
      const daemon = await startDaemon(t, { 'redis-url': `unix://${redis.unixPath}` });
      await waitReady(daemon);
      const beat = aBeat();
      await daemon.must('join', beat);
      assert.equal(await client.call('EXISTS', keyOf(beat)), 1);
    });

    /** Speaks to each command of the daemon in its own way. */
    const liars = {
      'closes every connection': (socket) => socket.destroy(),
      'says nothing': () => {},
      'sends no RESP': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'announces a huge array': (socket) => socket.write('*2147483647\r\n'),
      'announces an array beyond 32 bits': (socket) => socket.write('*4294967297\r\n$1\r\na\r\n'),
      'announces a negative bulk': (socket) => socket.write('$-7\r\n'),
      'answers everything with a number': (socket) =>
        socket.on('data', () => socket.write(':1\r\n'.repeat(20))),
      'answers everything with an empty array': (socket) =>
        socket.on('data', () => socket.write('*0\r\n'.repeat(20))),
      'answers everything with nil': (socket) =>
        socket.on('data', () => socket.write('$-1\r\n'.repeat(20))),
      'answers everything with nested arrays': (socket) =>
        socket.on('data', () => socket.write('*1\r\n'.repeat(50))),
      'answers everything with an error': (socket) =>
        socket.on('data', () => socket.write('-ERR no\r\n'.repeat(20))),
    };
    for (const [what, lie] of Object.entries(liars)) {
      test(`a peer that ${what} is no Redis: the daemon lives and acknowledges nothing`, async (t) => {
        let connections = 0;
        const peers = new Set();
        const server = net.createServer((socket) => {
          connections += 1;
          peers.add(socket);
          socket.on('error', () => {});
          lie(socket);
        });
        await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
        defer(t, () => {
          peers.forEach((socket) => socket.destroy());
          server.close();
        });
        const daemon = await startDaemon(t, {
          'redis-url': `redis://127.0.0.1:${server.address().port}`,
          'ema-interval': 50,
        });
        await waitFor('the daemon to have tried', () => connections >= 1);
        for (const action of ['join', 'beat', 'leave']) {
          const answer = await daemon.post(action, aBeat());
          assert.equal(answer.status, 503, `${action}: ${answer.text}`);
        }
        assert.equal((await daemon.get('/health')).status, 200);
      });
    }
  },
  { concurrency: 6 },
);

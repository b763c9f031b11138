// What one daemon does when Redis is away, refuses, or is no Redis (contract §7).
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

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
  waitWhole,
} from './harness.mjs';

const REFUSALS = {
  'out of memory': {
    begin: (redis) => redis.call('CONFIG', 'SET', 'maxmemory', '1'),
    end: (redis) => redis.call('CONFIG', 'SET', 'maxmemory', '0'),
  },
  'a read-only replica': {
    begin: (redis) => redis.call('REPLICAOF', '127.0.0.1', '1'),
    end: (redis) => redis.call('REPLICAOF', 'NO', 'ONE'),
  },
  'a command that is not permitted': {
    begin: (redis) => redis.call('ACL', 'SETUSER', 'default', '-set'),
    end: (redis) => redis.call('ACL', 'SETUSER', 'default', '+set'),
  },
  'keys that are not permitted': {
    begin: (redis) => redis.call('ACL', 'SETUSER', 'default', 'resetkeys', '~other:*'),
    end: (redis) => redis.call('ACL', 'SETUSER', 'default', 'allkeys'),
  },
  'a Redis that cannot save': {
    async begin(redis, server) {
      await mkdir(path.join(server.dir, 'dump.rdb')); // where it would write a file
      await redis.call('CONFIG', 'SET', 'save', '3600 1');
      await redis.call('BGSAVE');
      await waitFor('the save to fail', async () =>
        (await redis.call('INFO', 'persistence')).includes('rdb_last_bgsave_status:err'),
      );
    },
    end: (redis) => redis.call('CONFIG', 'SET', 'save', ''),
  },
};

suite(
  'when Redis is away',
  async (test) => {
    test('it may be down at the start: the daemon starts, says so, takes signs of life, and Redis is told when it comes', async (t) => {
      const redis = await startRedis(t, { start: false });
      const daemon = await startDaemon(t, { 'redis-url': redis.url });
      const health = await daemon.get('/health');
      assert.equal(health.status, 200);
      assert.equal(health.json.status, 'degraded');
      const ready = await daemon.get('/ready');
      assert.equal(ready.status, 503);
      assert.notEqual(ready.text, '');
      const [stays, leaves] = [aBeat({ customerId: 'shop' }), aBeat({ customerId: 'shop' })];
      for (const beat of [stays, leaves]) await daemon.must('join', beat);
      const { metrics } = await daemon.must('beat?metrics=1', stays);
      assert.deepEqual([metrics.count, metrics.stale], [2, true]);
      await daemon.must('leave', leaves);
      assert.equal((await daemon.metrics('shop')).stale, true);
      assert.ok(
        daemon.log.some(
          (line) => line.component !== 'main' && ['warn', 'error'].includes(line.level),
        ),
        'the log says so',
      );
      assert.ok(await redis.start());
      await waitReady(daemon);
      await waitWhole(daemon);
      const { count, stale } = await daemon.metrics('shop');
      assert.deepEqual([count, stale], [1, undefined]);
      const client = await redis.client();
      assert.deepEqual(await client.keys('presence:*'), [keyOf(stays)]);
    });

    test('once Redis was there, its loss does not take the daemon off the balancer', async (t) => {
      const daemon = await startOn('redis', t);
      await daemon.redis.crash();
      await waitDegraded(daemon);
      assert.equal((await daemon.get('/ready')).status, 200);
    });

    test('a socket is welcome from the start, counts, and hears what is stale until Redis is there', async (t) => {
      const redis = await startRedis(t, { start: false });
      const daemon = await startDaemon(t, { 'redis-url': redis.url });
      const who = aBeat();
      const sockets = [];
      for (const port of PORTS) sockets.push(await Socket.join(t, daemon[port], who));
      for (const socket of sockets) await socket.update((data) => data.count === 1 && data.stale);
      assert.ok(await redis.start());
      for (const socket of sockets) await socket.update((data) => data.count === 1 && !data.stale);
    });

    test('it may die in the middle and come back empty: joins are taken meanwhile, and nobody is missing', async (t) => {
      const daemon = await startOn('redis', t, { 'ema-interval': 100 });
      const customerId = 'watched';
      const watcher = await Socket.join(t, daemon.wsPort, { customerId });
      await daemon.must('join', aBeat({ customerId }));
      await watcher.update((data) => data.count === 1 && !data.stale);
      await daemon.redis.crash();
      await Promise.all(
        Array.from({ length: 20 }, () => daemon.must('join', aBeat({ customerId }))),
      );
      await watcher.update((data) => data.count === 21 && data.stale);
      assert.equal((await daemon.get('/health')).json.status, 'degraded');
      assert.ok(await daemon.redis.start());
      await watcher.update((data) => data.count === 21 && !data.stale);
      await daemon.assertHealthy();
      const client = await daemon.redis.client();
      assert.equal((await client.keys(`presence:${customerId}:*`)).length, 21);
    });

    test('one that stops answering is given up within seconds, and nothing hangs', async (t) => {
      const daemon = await startOn('redis', t);
      daemon.redis.freeze();
      const beat = aBeat();
      await daemon.must('join', beat); // which has its patience
      assert.equal((await daemon.get('/health')).json.status, 'degraded');
      assert.equal((await daemon.metrics(beat.customerId)).stale, true);
      daemon.redis.thaw();
      await waitWhole(daemon);
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    test('requests behind one that waits for Redis keep their order', async (t) => {
      const daemon = await startOn('redis', t);
      const connection = await RawConnection.open(t, daemon.httpPort);
      daemon.redis.freeze();
      connection.send(presenceText('join', aBeat()) + 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.deepEqual((await connection.response()).json, { success: true });
      assert.equal((await connection.response()).json.status, 'degraded');
      daemon.redis.thaw();
    });

    for (const [what, { begin, end }] of Object.entries(REFUSALS)) {
      test(`${what}: degraded and stale, and Redis is told when it accepts again`, async (t) => {
        const daemon = await startOn('redis', t, { 'ema-interval': 100 });
        const redis = await daemon.redis.client();
        const [before, meanwhile] = [aBeat({ customerId: 'shop' }), aBeat({ customerId: 'shop' })];
        await daemon.must('join', before);
        await begin(redis, daemon.redis);
        await daemon.must('join', meanwhile);
        assert.equal((await daemon.get('/health')).json.status, 'degraded');
        const stale = await daemon.metrics('shop');
        assert.deepEqual([stale.count, stale.stale], [2, true]);
        await daemon.must('leave', before);
        await end(redis);
        await waitWhole(daemon);
        const { count, stale: still } = await daemon.metrics('shop');
        assert.deepEqual([count, still], [1, undefined]);
        assert.deepEqual(await redis.keys('presence:*'), [keyOf(meanwhile)]);
      });
    }

    test('scripts that are flushed are sent again', async (t) => {
      const daemon = await startOn('redis', t);
      const redis = await daemon.redis.client();
      const beat = aBeat();
      for (let i = 0; i < 2; i += 1) {
        await daemon.must('join', beat);
        await daemon.must('leave', beat);
        assert.equal(await daemon.count(beat.customerId), 0);
        await redis.call('SCRIPT', 'FLUSH');
      }
      await daemon.assertHealthy();
    });

    test('a Redis that loads its data is waited for', async (t) => {
      const slowly = ['--key-load-delay', '1500', '--loading-process-events-interval-bytes', '1024'];
      const redis = await startRedis(t, { options: slowly });
      const daemon = await startDaemon(t, { 'redis-url': redis.url });
      await waitReady(daemon);
      const client = await redis.client();
      await client.call('EVAL', "for i = 1, 1500 do redis.call('SET', 'filler' .. i, i) end", 0);
      await client.call('SAVE');
      const beat = aBeat();
      await daemon.must('join', beat);
      await redis.crash();
      await redis.start({ loading: true });
      await waitFor(
        'the daemon to say that it loads',
        async () => (await daemon.get('/health')).text.includes('loading'),
      );
      await daemon.must('beat', beat);
      await waitWhole(daemon);
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    test('a refusal is logged once a state, not once a request', async (t) => {
      const daemon = await startOn('redis', t, { 'ema-interval': 50 });
      const redis = await daemon.redis.client();
      await redis.call('CONFIG', 'SET', 'maxmemory', '1');
      const linesBefore = daemon.log.length;
      for (let i = 0; i < 50; i += 1) await daemon.must('join', aBeat());
      assert.ok(daemon.log.length - linesBefore <= 12, daemon.stderr);
    });

    test('what does not fit into the table is not acknowledged', async (t) => {
      const daemon = await startOn('redis', t, { 'max-sessions': 2 });
      await daemon.redis.crash();
      const [first, second, third] = Array.from({ length: 3 }, () => aBeat({ customerId: 'shop' }));
      await daemon.must('join', first);
      await daemon.must('join', second);
      assertNotAcknowledged(await daemon.post('join', third));
      await daemon.must('beat', first);
      await daemon.must('leave', second);
      await daemon.must('join', third);
      assert.equal(await daemon.count('shop'), 2);
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
          daemon.log.some(
            (line) => line.component !== 'main' && ['warn', 'error'].includes(line.level),
          ),
        );
        await daemon.must('join', aBeat());
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
      test(`a peer that ${what} is no Redis: the daemon lives and goes by its own table`, async (t) => {
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
        const [stays, leaves] = [aBeat({ customerId: 'shop' }), aBeat({ customerId: 'shop' })];
        for (const beat of [stays, leaves]) await daemon.must('join', beat);
        await daemon.must('beat', stays);
        await daemon.must('leave', leaves);
        const { count, stale } = await daemon.metrics('shop');
        assert.deepEqual([count, stale], [1, true]);
        assert.equal((await daemon.get('/ready')).status, 503);
        assert.equal((await daemon.get('/health')).status, 200);
      });
    }
  },
  { concurrency: 6 },
);

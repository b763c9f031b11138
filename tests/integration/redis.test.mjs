// What stands in Redis, and what other programs may write there (contract §5).
import assert from 'node:assert/strict';

import {
  aBeat,
  assertNotAcknowledged,
  freshId,
  keyOf,
  Socket,
  startDaemon,
  startOn,
  suite,
  waitFor,
  waitReady,
  waitWhole,
} from './harness.mjs';

suite('what stands in Redis', async (test, shared) => {
  const daemon = await startOn('redis', shared, { 'presence-ttl': 100, 'ema-interval': 100 });
  const redis = await daemon.redis.client();
  const stored = async (beat) => JSON.parse(await redis.call('GET', keyOf(beat)));

  test("a join writes the reference's key: its JSON and a TTL", async () => {
    const beat = aBeat();
    const extra = {
      timestamp: 1234567890,
      isLeader: false,
      platform: 'desktop',
      userAgent: 'Mozilla/5.0 "quoted" \\ ünïcode',
    };
    const before = Date.now();
    await daemon.must('join', { ...beat, ...extra, unknown: 'not stored' });
    const { updatedAt, ...value } = await stored(beat);
    assert.deepEqual(value, { ...beat, ...extra });
    assert.ok(
      Number.isInteger(updatedAt) && updatedAt >= before - 5000 && updatedAt <= Date.now() + 5000,
    );
    const ttl = await redis.call('PTTL', keyOf(beat));
    assert.ok(ttl > 95_000 && ttl <= 100_000, `TTL of ${ttl} ms`);
  });

  test('isLeader is true unless the join says otherwise', async () => {
    const beat = aBeat();
    await daemon.must('join', beat);
    assert.equal((await stored(beat)).isLeader, true);
  });

  test('a user agent is cut at 256 bytes, never inside a character', async () => {
    const beat = aBeat();
    await daemon.must('join', { ...beat, userAgent: `a${'ü'.repeat(500)}` });
    assert.equal((await stored(beat)).userAgent, `a${'ü'.repeat(127)}`);
  });

  test('a beat keeps what the join said and brings its own tab and time', async () => {
    const beat = aBeat();
    const extra = { timestamp: 1, isLeader: false, platform: 'mobile', userAgent: 'Agent/1' };
    await daemon.must('join', { ...beat, ...extra });
    const joined = await stored(beat);
    await daemon.must('beat', { ...beat, tabId: 'tab-2', timestamp: 2 });
    const { updatedAt, ...value } = await stored(beat);
    assert.deepEqual(value, { ...beat, ...extra, tabId: 'tab-2', timestamp: 2 });
    assert.ok(updatedAt >= joined.updatedAt);
  });

  test('another daemon keeps it too, though it has never seen the join', async (t) => {
    const beat = aBeat();
    await daemon.must('join', {
      ...beat,
      platform: 'mobile',
      userAgent: 'Agent/1',
      isLeader: false,
    });
    const other = await startDaemon(t, { 'redis-url': daemon.redis.url });
    await waitReady(other);
    await other.must('beat', beat);
    const value = await stored(beat);
    assert.equal(value.platform, 'mobile');
    assert.equal(value.userAgent, 'Agent/1');
    assert.equal(value.isLeader, false);
  });

  test('every beat renews the TTL', async () => {
    const beat = aBeat();
    await daemon.must('join', beat);
    await redis.call('EXPIRE', keyOf(beat), 5);
    await daemon.must('beat', beat);
    assert.ok((await redis.call('TTL', keyOf(beat))) > 95);
  });

  test('the next page of a session is welcome before Redis has answered', async (t) => {
    const own = await startOn('redis', t);
    const client = await own.redis.client();
    const beat = aBeat();
    await Socket.join(t, own.wsPort, beat);
    let tabs = 1;
    await waitFor('a hello while the link to a silent Redis is up', async () => {
      const tabId = `tab-${(tabs += 1)}`;
      const page = await Socket.open(t, own.wsPort);
      own.redis.freeze();
      page.send({ type: 'auth', ...beat, tabId });
      await page.next('hello');
      const isUp = (await own.get('/health')).json.status === 'ok'; // a slow machine loses it first
      own.redis.thaw();
      await waitWhole(own);
      await waitFor(
        'the record of the page',
        async () => JSON.parse(await client.call('GET', keyOf(beat))).tabId === tabId,
      );
      return isUp;
    });
  });

  test('a ping and an auth of a socket renew it too', async (t) => {
    const beat = aBeat();
    const socket = await Socket.join(t, daemon.wsPort, beat);
    await redis.call('EXPIRE', keyOf(beat), 5);
    // A ping within a second of the auth is answered, and renews nothing more.
    await waitFor('the TTL', async () => {
      socket.send({ type: 'ping' });
      await socket.next('pong');
      return (await redis.call('TTL', keyOf(beat))) > 95;
    }, { everyMs: 200 });
  });

  test('leave deletes the key if its tab holds it, and only then', async () => {
    const beat = aBeat();
    await daemon.must('join', beat);
    await daemon.must('leave', { ...beat, tabId: 'tab-2' });
    assert.equal(await redis.call('EXISTS', keyOf(beat)), 1);
    await daemon.must('leave', beat);
    assert.equal(await redis.call('EXISTS', keyOf(beat)), 0);
  });

  test('leave works after the scripts of Redis were flushed', async () => {
    const beat = aBeat();
    await daemon.must('join', beat);
    await redis.call('SCRIPT', 'FLUSH');
    await daemon.must('leave', beat);
    assert.equal(await redis.call('EXISTS', keyOf(beat)), 0);
    await redis.call('SCRIPT', 'FLUSH');
    await daemon.must('beat', beat);
    assert.equal(await daemon.count(beat.customerId), 1);
  });

  test('the disconnect-grace shortens the TTL of the key', async (t) => {
    const beat = aBeat();
    const socket = await Socket.join(t, daemon.wsPort, beat);
    socket.terminate();
    await waitFor(
      'a TTL of at most the grace',
      async () => (await redis.call('TTL', keyOf(beat))) <= 10,
    );
  });

  test('ema: is a number as text, the one that GET /metrics gives', async () => {
    const customerId = freshId();
    await daemon.must('join', aBeat({ customerId }));
    await daemon.must('join', aBeat({ customerId }));
    // Until its first tick a customer has none, and GET /metrics gives the count.
    const text = await waitFor('a steady ema', async () => {
      const stored = await redis.call('GET', `ema:${customerId}`);
      return stored && Number(Number(stored).toFixed(4)) === 2 && stored;
    });
    assert.match(text, /^\d+(\.\d+)?$/);
    assert.equal((await daemon.metrics(customerId)).ema, 2);
  });

  test('the ema of another program or an earlier daemon is gone on with', async () => {
    const customerId = freshId();
    await redis.call('SET', `ema:${customerId}`, '100');
    await daemon.must('join', aBeat({ customerId }));
    const { ema } = await waitFor('a tick', async () => {
      const metrics = await daemon.metrics(customerId);
      return metrics.ema < 100 && metrics;
    });
    assert.ok(ema > 1, `${ema} comes from 100`);
  });

  test('metrics: carries the data of metrics:update', async () => {
    const beat = aBeat();
    const listener = await daemon.redis.client();
    await listener.call('SUBSCRIBE', `metrics:${beat.customerId}`);
    await daemon.must('join', beat);
    const [kind, channel, text] = await listener.pushed.next('a message');
    assert.equal(kind, 'message');
    assert.equal(channel, `metrics:${beat.customerId}`);
    const data = JSON.parse(text);
    assert.deepEqual(Object.keys(data).sort(), ['count', 'customerId', 'ema', 'timestamp']);
    assert.equal(data.customerId, beat.customerId);
    await listener.pushed.next(
      'an update with the count',
      ([, , later]) => JSON.parse(later).count === 1,
    );
  });

  test('what another program publishes on metrics: reaches the sockets; junk there does not', async (t) => {
    const customerId = freshId();
    const watcher = await Socket.join(t, daemon.wsPort, { customerId });
    const channel = `metrics:${customerId}`;
    // The link that hears is another one than the link that answered the watcher.
    await waitFor('the daemon to hear', async () => (await redis.call('PUBLISH', channel, '')) > 0);
    for (const junk of [
      'junk',
      '[]',
      '{}',
      '{"customerId":"other","timestamp":1,"count":5,"ema":5}',
      '{"count":-1}',
      `{"customerId":"${customerId}","count":"x"}`,
    ]) {
      await redis.call('PUBLISH', channel, junk);
    }
    await redis.call(
      'PUBLISH',
      channel,
      JSON.stringify({ customerId, timestamp: 5, count: 77, ema: 76.5 }),
    );
    const update = await watcher.update((data) => data.count === 77);
    assert.deepEqual(update, { customerId, timestamp: 5, count: 77, ema: 76.5 });
    assert.ok(
      watcher.updates.every(
        (data) => data.customerId === customerId && [0, 77].includes(data.count),
      ),
    );
  });

  test('there are no keys but those of the contract, and no presence key without a TTL', async () => {
    const beat = aBeat();
    await daemon.must('join', beat);
    await daemon.must('beat', beat);
    const keys = await redis.keys();
    for (const key of keys) assert.match(key, /^(presence:[^:]+:[^:]+|ema:[^:]+|au:.*)$/);
    assert.ok(
      keys.some((key) => key.startsWith('au:')),
      'the index is there',
    );
    for (const key of keys.filter((name) => name.startsWith('presence:'))) {
      const ttl = await redis.call('PTTL', key);
      assert.ok(ttl > 0 || ttl === -2, `${key} has the TTL ${ttl}`);
    }
  });
});

suite('what other programs write', async (test, shared) => {
  const daemon = await startOn('redis', shared, { 'ema-interval': 100 });
  const redis = await daemon.redis.client();
  const foreign = (customerId, sessionId) =>
    JSON.stringify({
      customerId,
      sessionId,
      tabId: 'elsewhere',
      timestamp: 1,
      isLeader: true,
      updatedAt: 1,
    });
  /** Ticks are over when the subscriber has heard that many updates. */
  const hear = async (customerId) => {
    const listener = await daemon.redis.client();
    await listener.call('SUBSCRIBE', `metrics:${customerId}`);
    return listener.pushed;
  };

  test('a presence key of another program is counted by the next ticks, and no longer when deleted by hand', async () => {
    const customerId = freshId();
    for (const sessionId of ['x', 'y']) {
      await redis.call(
        'SET',
        `presence:${customerId}:${sessionId}`,
        foreign(customerId, sessionId),
        'EX',
        100,
      );
    }
    await daemon.waitCount(customerId, 2);
    await redis.call('DEL', `presence:${customerId}:x`);
    await daemon.waitCount(customerId, 1);
    await redis.call('DEL', `presence:${customerId}:y`);
    await daemon.waitCount(customerId, 0);
  });

  test('it stops counting when its own TTL ends', async () => {
    const customerId = freshId();
    await redis.call('SET', `presence:${customerId}:x`, foreign(customerId, 'x'), 'PX', 1500);
    await daemon.waitCount(customerId, 1);
    await daemon.waitCount(customerId, 0);
  });

  test('its tab holds it: others cannot end it, the tab itself can', async () => {
    const beat = aBeat({ sessionId: 'x', tabId: 'elsewhere' });
    await redis.call('SET', keyOf(beat), foreign(beat.customerId, 'x'), 'EX', 100);
    await daemon.waitCount(beat.customerId, 1);
    await daemon.must('leave', { ...beat, tabId: 'tab-1' });
    assert.equal(await daemon.count(beat.customerId), 1);
    await daemon.must('leave', beat);
    assert.equal(await daemon.count(beat.customerId), 0);
    assert.equal(await redis.call('EXISTS', keyOf(beat)), 0);
  });

  test('a key of ours that was deleted by hand is no longer counted, and a beat brings it back', async () => {
    const beat = aBeat();
    await daemon.must('join', beat);
    assert.equal(await daemon.count(beat.customerId), 1);
    await redis.call('DEL', keyOf(beat));
    await daemon.waitCount(beat.customerId, 0);
    await daemon.must('beat', beat);
    assert.equal(await daemon.count(beat.customerId), 1);
    assert.equal(await redis.call('EXISTS', keyOf(beat)), 1);
  });

  test('other types, junk and odd names are passed over', async () => {
    const customerId = freshId();
    const key = (rest) => `presence:${customerId}:${rest}`;
    await redis.call('LPUSH', key('list'), 'x');
    await redis.call('HSET', key('hash'), 'a', 'b');
    for (const [session, junk] of [
      ['junk', 'junk'],
      ['empty', ''],
      ['array', '[]'],
      ['number', '7'],
      ['cut', '{"customerId":'],
    ]) {
      await redis.call('SET', key(session), junk, 'EX', 100);
    }
    for (const name of [
      `presence:${customerId}`,
      key(''),
      key('a:b'),
      key('a b'),
      key('*'),
      key('x'.repeat(129)),
      'presence::x',
      'presence:',
    ]) {
      await redis.call('SET', name, foreign(customerId, 'x'), 'EX', 100);
    }
    const messages = await hear(customerId);
    await redis.call('SET', key('good'), foreign(customerId, 'good'), 'EX', 100);
    await daemon.waitCount(customerId, 1);
    for (let i = 0; i < 8; i += 1) await messages.next('a tick');
    assert.equal(await daemon.count(customerId), 1, 'after several ticks as well');
    assert.equal(await redis.call('LLEN', key('list')), 1, 'they are left as they were');
    await daemon.assertHealthy();
  });

  test('two thousand keys of another program are counted', async () => {
    const customerId = freshId();
    const writes = [];
    for (let i = 0; i < 2000; i += 1) {
      writes.push(
        redis.call('SET', `presence:${customerId}:s${i}`, foreign(customerId, `s${i}`), 'EX', 100),
      );
    }
    await Promise.all(writes);
    await daemon.waitCount(customerId, 2000);
  });

  test('a join on a key of the wrong type is no success unless it is really stored', async () => {
    for (const action of ['join', 'beat', 'leave']) {
      const beat = aBeat();
      await redis.call('LPUSH', keyOf(beat), 'not ours');
      const answer = await daemon.post(action, beat);
      if (answer.status === 200) {
        const type = await redis.call('TYPE', keyOf(beat));
        if (action === 'leave') assert.equal(type, 'list', 'a leave leaves what no tab holds');
        else assert.equal(JSON.parse(await redis.call('GET', keyOf(beat))).tabId, beat.tabId);
      } else {
        assertNotAcknowledged(answer);
        assert.equal(await redis.call('LLEN', keyOf(beat)), 1);
      }
      await redis.call('DEL', keyOf(beat));
    }
    await waitReady(daemon);
  });

  test('no KEYS, and no presence key is set without a TTL, whatever the daemon does', async (t) => {
    const monitor = await daemon.redis.client();
    await monitor.call('MONITOR');
    const beat = aBeat();
    const socket = await Socket.join(t, daemon.wsPort, beat);
    for (const action of ['join', 'beat', 'leave', 'beat']) await daemon.must(action, beat);
    for (let i = 0; i < 5; i += 1) await socket.update();
    const words = () =>
      monitor.pushed.all.map((line) => /^\S+ \[[^\]]*\] "([^"]*)"/.exec(line)[1].toUpperCase());
    await waitFor('the reconciling scan', () => words().includes('SCAN'));
    const commands = words();
    // HGETALL is of hashes with a field for each daemon.
    for (const slow of ['KEYS', 'FLUSHALL', 'FLUSHDB', 'SMEMBERS'])
      assert.ok(!commands.includes(slow), slow);
    for (const line of monitor.pushed.all) {
      if (/"SET" "presence:/i.test(line)) assert.match(line, /"(EX|PX|PXAT|EXAT)" "/i);
    }
  });

  test('a round of the scan asks about many sessions at once', async (t) => {
    const own = await startOn('redis', t, { 'ema-interval': 100 });
    const client = await own.redis.client();
    const customerId = freshId('many');
    const people = Array.from({ length: 300 }, () => aBeat({ customerId }));
    for (const beat of people) await own.must('join', beat);
    await client.call('CONFIG', 'RESETSTAT');
    const calls = async () => {
      const stats = await client.call('INFO', 'commandstats');
      return (name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    };
    const of = await waitFor('three rounds', async () => {
      const now = await calls();
      return now('pttl') >= 3 * people.length && now;
    });
    for (const name of ['zmscore', 'exists']) assert.ok(of(name) <= of('pttl') / 50, `${name}: ${of(name)}`);
    assert.equal(of('zscore'), 0);
  });
});

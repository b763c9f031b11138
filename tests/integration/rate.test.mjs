// Rate limits (contract §3 "Rate limits") and what SIGHUP takes over.
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  freshId,
  httpText,
  presenceText,
  startDaemon,
  startOn,
  STORES,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

/** Claims to come from an address; believed from loopback where trusted-proxies says so. */
const from = (address) => ({ 'x-forwarded-for': address });
const TRUSTING = { 'trusted-proxies': '127.0.0.0/8' };

function assertAllowed(answer) {
  assert.equal(answer.status, 200, answer.text);
}

function assertBlocked(answer, by, limit) {
  assert.equal(answer.status, 429, answer.text);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(
    Number.isInteger(seconds) && seconds >= 1 && seconds <= 60,
    answer.headers['retry-after'],
  );
  assert.equal(
    answer.text,
    `{"error":"Too Many Requests","message":"Rate limit exceeded (${by}). Try again in ${seconds} seconds.","blockedBy":"${by}"}`,
  );
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.equal(answer.headers['x-ratelimit-limit'], String(limit));
  assert.equal(answer.headers['x-ratelimit-remaining'], '0');
  assertReset(answer);
}

function assertReset(answer) {
  const reset = answer.headers['x-ratelimit-reset'];
  assert.match(reset, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const away = Date.parse(reset) - Date.now();
  assert.ok(away > -1000 && away <= 62_000, `${reset} is ${away} ms away`);
}

suite(
  'rate limits',
  async (test) => {
    test('each answer carries the state of the customer limit', async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 100, 'rate-customer': 50 });
      const beat = aBeat();
      const read = () => daemon.get(`/metrics?customerId=${beat.customerId}`);
      const requests = [
        [() => daemon.post('join', beat), 49],
        [() => daemon.post('beat', beat), 48],
        [() => daemon.post('beat?metrics=1', beat), 47],
        [read, 49, 'reads have a limit of their own'],
        [read, 48],
        [() => daemon.post('leave', beat), 47, 'a leave of a live session is free'],
        [() => daemon.post('leave', beat), 46, 'a leave of none is not'],
        [() => daemon.post('beat', beat), 46, 'a new session costs its IP, not the customer'],
      ];
      for (const [request, remaining, why] of requests) {
        const answer = await request();
        assertAllowed(answer);
        assert.equal(answer.headers['x-ratelimit-limit'], '50');
        assert.equal(answer.headers['x-ratelimit-remaining'], String(remaining), why);
        assertReset(answer);
      }
      const other = await daemon.post('join', aBeat());
      assert.equal(other.headers['x-ratelimit-remaining'], '49', 'customers are counted apart');
    });

    test('over the customer limit: 429 that says so, until the window ends', async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 100, 'rate-customer': 3 });
      const beat = aBeat();
      const read = () => daemon.get(`/metrics?customerId=${beat.customerId}`);
      for (let i = 0; i < 3; i += 1) assertAllowed(await daemon.post('join', beat));
      for (const action of ['join', 'beat'])
        assertBlocked(await daemon.post(action, beat), 'customer', 3);
      for (let i = 0; i < 3; i += 1) assertAllowed(await read());
      assertBlocked(await read(), 'customer', 3);
      assertAllowed(await daemon.post('join', aBeat()));
      const samples = await daemon.samples();
      assert.equal(samples.get('au_rate_limited_customer_total'), 2);
      assert.equal(samples.get('au_rate_limited_customer_reads_total'), 1);
      assert.equal(samples.get('au_rate_limited_ip_total'), 0);
    });

    test('over the IP limit: 429 that says so, whatever the customer', async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 3, 'rate-customer': 100 });
      for (let i = 0; i < 3; i += 1) assertAllowed(await daemon.post('join', aBeat()));
      assertBlocked(await daemon.post('join', aBeat()), 'ip', 3);
      for (let i = 0; i < 3; i += 1) assertAllowed(await daemon.get(`/metrics?customerId=a${i}`));
      assertBlocked(await daemon.get('/metrics?customerId=a'), 'ip', 3);
      const samples = await daemon.samples();
      assert.equal(samples.get('au_rate_limited_ip_total'), 1);
      assert.equal(samples.get('au_rate_limited_ip_reads_total'), 1);
    });

    test('a request blocked by the customer limit does not use up the IP limit', async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 5, 'rate-customer': 2 });
      const [a, b, c] = [aBeat(), aBeat(), aBeat()];
      for (const beat of [a, a]) assertAllowed(await daemon.post('join', beat));
      for (let i = 0; i < 10; i += 1) assertBlocked(await daemon.post('join', a), 'customer', 2);
      for (const beat of [b, b, c]) assertAllowed(await daemon.post('join', beat));
      assertBlocked(await daemon.post('join', c), 'ip', 5);
    });

    test('a request blocked by the IP limit does not use up the customer limit', async (t) => {
      const daemon = await startDaemon(t, { ...TRUSTING, 'rate-ip': 2, 'rate-customer': 4 });
      const beat = aBeat();
      const join = (address) => daemon.post('join', beat, from(address));
      for (let i = 0; i < 2; i += 1) assertAllowed(await join('192.0.2.1'));
      for (let i = 0; i < 10; i += 1) assertBlocked(await join('192.0.2.1'), 'ip', 2);
      for (let i = 0; i < 2; i += 1) assertAllowed(await join('192.0.2.2'));
      assertBlocked(await join('192.0.2.3'), 'customer', 4);
    });

    test('a blocked request does not touch the store', async (t) => {
      const daemon = await startDaemon(t, { ...TRUSTING, 'rate-ip': 1 });
      const beat = aBeat();
      assertAllowed(await daemon.post('join', beat, from('192.0.2.1')));
      for (const action of ['join', 'leave'])
        assertBlocked(
          await daemon.post(action, { ...beat, tabId: 'another' }, from('192.0.2.1')),
          'ip',
          1,
        );
      const metrics = await daemon.get(`/metrics?customerId=${beat.customerId}`, from('192.0.2.2'));
      assert.equal(metrics.json.count, 1);
    });

    test('a blocked request leaves the connection usable, and its body is no request', async (t) => {
      const daemon = await startDaemon(t, { ...TRUSTING, 'rate-customer': 1 });
      const [beat, smuggled] = [aBeat(), aBeat()];
      const connection = await daemon.connect(t);
      const blocked = presenceText('join', { ...beat, x: presenceText('join', smuggled) });
      connection.send(presenceText('join', beat) + blocked + blocked + httpText('GET', '/health'));
      const statuses = [];
      for (let i = 0; i < 4; i += 1) statuses.push((await connection.response()).status);
      assert.deepEqual(statuses, [200, 429, 429, 200]);
      assert.equal(await daemon.count(smuggled.customerId), 0);
    });

    test('/health, /ready, the Prometheus page and OPTIONS are not limited', async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 1, 'rate-customer': 1 });
      assertAllowed(await daemon.post('join', aBeat()));
      for (let i = 0; i < 10; i += 1) {
        assertAllowed(await daemon.get('/health'));
        assertAllowed(await daemon.get('/ready'));
        assertAllowed(await daemon.get('/metrics'));
        assert.equal((await daemon.request('OPTIONS', '/presence/join')).status, 204);
      }
      assertBlocked(await daemon.post('join', aBeat()), 'ip', 1);
    });

    test('0 turns a limit off', async (t) => {
      const daemon = await startDaemon(t, { 'rate-ip': 0, 'rate-customer': 0 });
      const connection = await daemon.connect(t);
      const beat = aBeat();
      connection.send(presenceText('beat', beat).repeat(300));
      for (let i = 0; i < 300; i += 1) assert.equal((await connection.response()).status, 200);
    });

    for (const store of STORES) {
      test(`on ${store}: a paced beat costs nothing, one of a session renewed just now does`, async (t) => {
        const daemon = await startOn(store, t, { 'rate-ip': 4, 'rate-customer': 3 });
        const customerId = freshId();
        const beats = [1, 2, 3].map((i) => aBeat({ customerId, sessionId: `s${i}` }));
        for (const beat of beats) assertAllowed(await daemon.post('join', beat));
        const renewed = Date.now();
        assertBlocked(await daemon.post('beat', beats[0]), 'customer', 3);
        await waitFor('ten seconds since the last renewal', () => Date.now() - renewed > 10_100, {
          everyMs: 100,
        });
        for (const beat of beats) assertAllowed(await daemon.post('beat', beat));
        assertBlocked(await daemon.post('beat', beats[0]), 'customer', 3);
        assertBlocked(await daemon.post('join', aBeat({ customerId })), 'customer', 3);
        assertAllowed(await daemon.post('beat', aBeat({ customerId })));
        assert.equal(
          (await daemon.post('join', aBeat())).status,
          200,
          'one of four was left for the IP',
        );
        assertBlocked(await daemon.post('join', aBeat()), 'ip', 4);
      });
    }
  },
  { concurrency: 6 },
);

suite('whose request it is', async (test) => {
  test('X-Forwarded-For of a peer that is no proxy is ignored', async (t) => {
    const daemon = await startDaemon(t, { 'rate-ip': 2 });
    for (let i = 0; i < 2; i += 1)
      assertAllowed(await daemon.post('join', aBeat(), from(`192.0.2.${i}`)));
    assertBlocked(await daemon.post('join', aBeat(), from('192.0.2.9')), 'ip', 2);
  });

  test('a proxy that is not in the list is a client', async (t) => {
    const daemon = await startDaemon(t, {
      'rate-ip': 1,
      'trusted-proxies': '10.0.0.0/8,2001:db8::/32',
    });
    assertAllowed(await daemon.post('join', aBeat(), from('192.0.2.1')));
    assertBlocked(await daemon.post('join', aBeat(), from('192.0.2.2')), 'ip', 1);
  });

  /** Rows of [first claim, second claim, same bucket?]. */
  const claims = [
    ['the address counts', '192.0.2.1', '192.0.2.2', false],
    [
      'what a client wrote in front of it does not',
      '198.51.100.1, 192.0.2.3',
      '198.51.100.2, 192.0.2.3',
      true,
    ],
    [
      'proxies of ours at the end are passed over',
      '192.0.2.4, 127.0.0.7',
      '192.0.2.4,127.0.0.8 , 127.1.2.3',
      true,
    ],
    [
      'the last one that is no proxy counts',
      '192.0.2.5, 192.0.2.6, 127.0.0.7',
      '192.0.2.5, 192.0.2.7, 127.0.0.7',
      false,
    ],
    ['spaces and empty places mean nothing', ' 192.0.2.8 ', ',192.0.2.8', true],
    [
      'an IPv6 address counts as its /64',
      '2001:db8:0:1::1',
      '2001:db8:0:1:ffff:ffff:ffff:ffff',
      true,
    ],
    ['another /64 is another client', '2001:db8:0:2::1', '2001:db8:0:3::1', false],
    ['IPv4 in IPv6 is the IPv4 address', '192.0.2.10', '::ffff:192.0.2.10', true],
    ['two IPv4 addresses in IPv6 are two clients', '::ffff:192.0.2.11', '::ffff:192.0.2.12', false],
    ['what is no address counts as the proxy itself', 'unknown', 'nonsense', true],
    ['leading zeros and over-long text are no address', '192.0.2.013', `${'9'.repeat(500)}`, true],
  ];
  for (const [rule, first, second, same] of claims) {
    test(`X-Forwarded-For from a trusted proxy: ${rule}`, async (t) => {
      const daemon = await startDaemon(t, { ...TRUSTING, 'rate-ip': 1 });
      assertAllowed(await daemon.post('join', aBeat(), from(first)));
      const answer = await daemon.post('join', aBeat(), from(second));
      if (same) assertBlocked(answer, 'ip', 1);
      else assertAllowed(answer);
    });
  }

  test('several X-Forwarded-For lines are one list', async (t) => {
    const daemon = await startDaemon(t, { ...TRUSTING, 'rate-ip': 1 });
    const join = async (lines) => {
      const connection = await daemon.connect(t);
      connection.send(
        presenceText(
          'join',
          aBeat(),
          lines.map((address) => `X-Forwarded-For: ${address}`),
        ),
      );
      return connection.response();
    };
    assertAllowed(await join(['198.51.100.1', '192.0.2.1']));
    assertBlocked(await join(['198.51.100.2', '192.0.2.1']), 'ip', 1);
    assertAllowed(await join(['192.0.2.1', '198.51.100.3']));
  });
});

suite('SIGHUP', async (test) => {
  /** A daemon whose limits, origins and level come from a file that the test rewrites. */
  async function startFromFile(t, text) {
    const file = path.join(await tempDir(t), 'active-users.conf');
    await writeFile(file, text);
    const daemon = await startDaemon(t, {
      config: file,
      'rate-ip': undefined,
      'rate-customer': undefined,
    });
    const reload = async (changed) => {
      // Renamed into place, as careful editors do: a reader never sees half of it.
      await writeFile(`${file}.new`, changed);
      await rename(`${file}.new`, file);
      daemon.signal('SIGHUP');
    };
    return { daemon, reload };
  }
  const limitOf = async (daemon) =>
    (await daemon.post('join', aBeat())).headers['x-ratelimit-limit'];

  test('rereads the limits, and what was used up stays used up', async (t) => {
    const { daemon, reload } = await startFromFile(t, 'rate-ip = 0\nrate-customer = 5\n');
    const beat = aBeat();
    for (let i = 0; i < 5; i += 1) assertAllowed(await daemon.post('join', beat));
    assertBlocked(await daemon.post('join', beat), 'customer', 5);
    await reload('rate-ip = 0\nrate-customer = 7\n');
    await waitFor('the new limit', async () => (await limitOf(daemon)) === '7');
    for (let i = 0; i < 2; i += 1) assertAllowed(await daemon.post('join', beat));
    assertBlocked(await daemon.post('join', beat), 'customer', 7);
  });

  test('rereads the origins', async (t) => {
    const { daemon, reload } = await startFromFile(
      t,
      'rate-ip = 0\nallowed-origins = https://one.example\n',
    );
    const status = async (origin) => (await daemon.post('join', aBeat(), { origin })).status;
    assert.equal(await status('https://one.example'), 200);
    assert.equal(await status('https://two.example'), 403);
    await reload('rate-ip = 0\nallowed-origins = https://two.example\n');
    await waitFor('the new origin', async () => (await status('https://two.example')) === 200);
    assert.equal(await status('https://one.example'), 403);
  });

  test('rereads the log level', async (t) => {
    const fileWith = (level, limit) =>
      `rate-ip = 0\nrate-customer = ${limit}\nlog-level = ${level}\n`;
    const { daemon, reload } = await startFromFile(t, fileWith('info', 1));
    const reloadAndWait = async (level, limit) => {
      await reload(fileWith(level, limit));
      await waitFor('the new limit', async () => (await limitOf(daemon)) === String(limit));
    };
    await reloadAndWait('error', 2);
    const linesBefore = daemon.log.length;
    await reloadAndWait('error', 3);
    assert.equal(daemon.log.length, linesBefore, 'a reload is no error');
    await reloadAndWait('info', 4);
    await reload(fileWith('info', 5));
    await waitFor('a line about a reload', () => daemon.log.length > linesBefore);
  });

  test('a file that became wrong changes nothing and stops nothing', async (t) => {
    const { daemon, reload } = await startFromFile(t, 'rate-ip = 0\nrate-customer = 5\n');
    assert.equal(await limitOf(daemon), '5');
    const linesBefore = daemon.log.length;
    await reload('rate-ip = 0\nrate-customer = nonsense\n');
    await waitFor('a complaint', () =>
      daemon.log.slice(linesBefore).some((line) => ['error', 'warn'].includes(line.level)),
    );
    assert.equal(await limitOf(daemon), '5');
    await reload('rate-ip = 0\nrate-customer = 6\n');
    await waitFor('the next good file', async () => (await limitOf(daemon)) === '6');
  });

  test('keeps connections and sessions', async (t) => {
    const { daemon, reload } = await startFromFile(t, 'rate-ip = 0\nrate-customer = 1000\n');
    const beat = aBeat();
    const connection = await daemon.connect(t);
    connection.send(presenceText('join', beat));
    assert.equal((await connection.response()).status, 200);
    await reload('rate-ip = 0\nrate-customer = 1001\n');
    await waitFor('the new limit', async () => (await limitOf(daemon)) === '1001');
    connection.send(httpText('GET', `/metrics?customerId=${beat.customerId}`));
    assert.equal((await connection.response()).json.count, 1);
  });
});

// Who pays for what (contract §3 "Rate limits"): readers, leavers, an office, a good day, and
// everything else that can be asked. Limits are as they are by default where no test says otherwise.
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  DEFAULT_LIMITS,
  freshId,
  httpText,
  many,
  presenceText,
  Socket,
  startDaemon,
  startOn,
  STORES,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

const TRUSTING = { ...DEFAULT_LIMITS, 'trusted-proxies': '127.0.0.1' };
const OTHER_PER_MIN = 6000;
const READERS = 51;
const READS_EACH = 100;

/** Sends texts one behind the other on one connection; the answers. */
async function sendMany(t, daemon, texts, { from } = {}) {
  const connection = await daemon.connect(t, daemon.httpPort, { from });
  const answers = [];
  for (let at = 0; at < texts.length; at += 250) {
    const part = texts.slice(at, at + 250);
    connection.send(part.join(''));
    for (let i = 0; i < part.length; i += 1) answers.push(await connection.response());
  }
  connection.close();
  return answers;
}

/** How often each status came: `{200: 3, 429: 1}`. */
function statuses(answers) {
  const found = {};
  for (const { status } of answers) found[status] = (found[status] ?? 0) + 1;
  return found;
}

const repeated = (count, text) => Array.from({ length: count }, () => text);
const beatsOf = (action, beats) => beats.map((beat) => presenceText(action, beat));
const readText = (customerId) => httpText('GET', `/metrics?customerId=${customerId}`);
const from = (address) => [`X-Forwarded-For: ${address}`];

function assertBlocked(answer, by) {
  assert.equal(answer.status, 429, answer.text);
  assert.equal(answer.json.blockedBy, by);
  assert.ok(Number(answer.headers['retry-after']) >= 1);
  assert.equal(answer.headers['x-ratelimit-remaining'], '0');
}

suite(
  'who pays',
  async (test) => {
    test('readers of a customer hold up neither joins, beats and leaves nor dashboards', async (t) => {
      const daemon = await startDaemon(t, DEFAULT_LIMITS);
      const beat = aBeat();
      const { customerId } = beat;
      assert.equal((await daemon.post('join', beat)).status, 200);
      let blocked = 0;
      for (let i = 0; i < READERS; i += 1) {
        const answers = await sendMany(t, daemon, repeated(READS_EACH, readText(customerId)), {
          from: `127.0.1.${i + 1}`,
        });
        blocked += statuses(answers)[429] ?? 0;
        for (const answer of answers.filter(({ status }) => status === 429))
          assertBlocked(answer, 'customer');
      }
      assert.equal(blocked, READERS * READS_EACH - 5000, 'the reads of one customer have a limit');
      assert.equal((await daemon.post('join', aBeat({ customerId }))).status, 200);
      assert.equal((await daemon.post('beat', beat)).status, 200);
      const dashboard = await Socket.open(t, daemon.wsPort);
      dashboard.send({ type: 'auth', customerId });
      assert.equal((await dashboard.update()).count, 2);
      assert.equal((await daemon.post('leave', beat)).status, 200);
      await dashboard.update(({ count }) => count === 1);
      const samples = await daemon.samples();
      assert.equal(samples.get('au_rate_limited_customer_reads_total'), blocked);
      assert.equal(samples.get('au_rate_limited_customer_total'), 0);
    });

    for (const store of STORES) {
      test(`on ${store}: an office of 500 leaves at once, and each of them is gone`, async (t) => {
        const daemon = await startOn(store, t, DEFAULT_LIMITS);
        const customerId = freshId('office');
        const people = many(500, customerId);
        const came = await sendMany(t, daemon, beatsOf('beat', people), { from: '127.0.0.2' });
        assert.deepEqual(statuses(came), { 200: 500 });
        assert.equal(await daemon.count(customerId), 500);
        const went = await sendMany(t, daemon, beatsOf('leave', people), { from: '127.0.0.2' });
        assert.deepEqual(statuses(went), { 200: 500 });
        assert.equal(await daemon.count(customerId), 0);
      });

      test(`on ${store}: a leave is free only for the tab that holds the session`, async (t) => {
        const daemon = await startOn(store, t, { ...DEFAULT_LIMITS, 'rate-ip': 2 });
        const beat = aBeat();
        const other = { ...beat, tabId: 'another' };
        assert.equal((await daemon.post('join', beat)).status, 200);
        assert.equal((await daemon.post('leave', other)).status, 200, 'it has paid');
        assertBlocked(await daemon.post('leave', other), 'ip');
        assertBlocked(await daemon.post('leave', { ...beat, sessionId: 'none' }), 'ip');
        assert.equal(await daemon.count(beat.customerId), 1);
        assert.equal((await daemon.post('leave', beat)).status, 200);
        assert.equal(await daemon.count(beat.customerId), 0);
        assertBlocked(await daemon.post('leave', beat), 'ip'); // it is over
      });

      test(`on ${store}: a good day costs a customer nobody`, async (t) => {
        const daemon = await startOn(store, t, { ...DEFAULT_LIMITS, 'rate-customer': 10 });
        const customerId = freshId('viral');
        for (let i = 0; i < 4; i += 1) {
          const came = await sendMany(t, daemon, beatsOf('beat', many(50, customerId)), {
            from: `127.0.2.${i + 1}`,
          });
          assert.deepEqual(statuses(came), { 200: 50 });
        }
        const last = aBeat({ customerId });
        await Socket.join(t, daemon.wsPort, last);
        assert.equal(await daemon.count(customerId), 201);
        assert.equal((await daemon.post('leave', last)).status, 200);
      });
    }

    test('a beat that begins a session pays new-sessions-ip, and names it when that is over', async (t) => {
      const daemon = await startDaemon(t, { ...DEFAULT_LIMITS, 'rate-ip': 1, 'new-sessions-ip': 1 });
      const customerId = freshId();
      const came = await sendMany(t, daemon, beatsOf('beat', many(1001, customerId)));
      assert.deepEqual(statuses(came), { 200: 1000, 429: 1 });
      assertBlocked(came[1000], 'ip');
      assert.equal(came[1000].headers['x-ratelimit-limit'], '1');
      assert.equal((await daemon.post('join', aBeat())).status, 200, 'a join has its own');
      assert.equal((await daemon.samples()).get('au_rate_limited_new_sessions_total'), 1);
    });

    /** Everything that names neither a session nor a customer: request, and what it answers. */
    const others = [
      ['health', httpText('GET', '/health', { headers: from('192.0.2.1') }), 200],
      ['readiness', httpText('GET', '/ready', { headers: from('192.0.2.1') }), 200],
      ['the exposition', httpText('GET', '/metrics', { headers: from('192.0.2.1') }), 200],
      ['an asset', httpText('HEAD', '/client.js', { headers: from('192.0.2.1') }), 200, true],
      ['a path that is none', httpText('GET', '/none', { headers: from('192.0.2.1') }), 404],
      ['a wrong method', httpText('GET', '/presence/join', { headers: from('192.0.2.1') }), 405],
      ['a preflight', httpText('OPTIONS', '/presence/join', { headers: from('192.0.2.1') }), 204],
    ];
    test('everything else has a limit of its own, from which loopback is exempt', async (t) => {
      const daemon = await startDaemon(t, TRUSTING);
      const answers = await sendMany(t, daemon, repeated(OTHER_PER_MIN + 1, others[0][1]));
      assert.deepEqual(statuses(answers), { 200: OTHER_PER_MIN, 429: 1 });
      assertBlocked(answers[OTHER_PER_MIN], 'ip');
      assert.equal(answers[0].headers['x-ratelimit-limit'], undefined);
      for (const [name, text, , ofHead] of others) {
        const connection = await daemon.connect(t);
        connection.send(text);
        assert.equal((await connection.response({ ofHead })).status, 429, name);
        connection.send(text.replace('192.0.2.1', '192.0.2.2'));
        const elsewhere = await connection.response({ ofHead });
        assert.equal(elsewhere.status, others.find(([other]) => other === name)[2], name);
      }
      const own = { 'x-forwarded-for': '192.0.2.1' };
      assert.equal((await daemon.post('join', aBeat(), own)).status, 200, 'it is a pot of its own');
      const local = await sendMany(t, daemon, repeated(OTHER_PER_MIN + 1, httpText('GET', '/health')));
      assert.deepEqual(statuses(local), { 200: OTHER_PER_MIN + 1 });
      const counted = 1 + others.length;
      await waitFor(
        'each of them to be counted, in an exposition that is printed anew',
        async () => (await daemon.samples()).get('au_rate_limited_other_total') === counted,
      );
    });

    test('the exposition is printed once a second, however often it is asked for', async (t) => {
      const daemon = await startDaemon(t);
      const answers = await sendMany(t, daemon, repeated(200, httpText('GET', '/metrics')));
      const texts = new Set(answers.map(({ text }) => text));
      assert.ok(texts.size <= 3, `${texts.size} of 200 are different`);
      await waitFor('a new one', async () => !texts.has((await daemon.get('/metrics')).text), {
        everyMs: 50,
      });
    });

    test('of an address over its limit only small bodies are read', async (t) => {
      const daemon = await startDaemon(t, { ...DEFAULT_LIMITS, 'rate-ip': 1 });
      const beat = aBeat();
      const large = presenceText('beat', { ...beat, x: 'x'.repeat(1024) });
      assert.equal((await daemon.post('beat', beat)).status, 200);
      const allowed = await sendMany(t, daemon, [large]);
      assert.equal(allowed[0].status, 200, 'it is within the limit');
      for (const headers of ['Content-Length: 16000', 'Transfer-Encoding: chunked']) {
        const connection = await daemon.connect(t);
        connection.send(
          `POST /presence/beat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}\r\n\r\n`,
        );
        assertBlocked(await connection.response(), 'ip'); // none of the body was sent
        await connection.end();
      }
      const small = await sendMany(t, daemon, [
        presenceText('beat', beat),
        presenceText('beat', aBeat()),
        presenceText('leave', beat),
      ]);
      assert.deepEqual(statuses(small), { 200: 2, 429: 1 });
      assert.equal((await daemon.samples()).get('au_rate_limited_bodies_total'), 2);
    });

    test('large bodies of an address that may begin no more sessions are not read either', async (t) => {
      const daemon = await startDaemon(t, { ...DEFAULT_LIMITS, 'new-sessions-ip': 1 });
      const people = many(1001, freshId());
      const came = await sendMany(t, daemon, beatsOf('beat', people));
      assert.equal(came[1000].status, 429);
      const large = (action) =>
        sendMany(t, daemon, [presenceText(action, { ...people[0], x: 'x'.repeat(1024) })]);
      assertBlocked((await large('beat'))[0], 'ip');
      assert.equal((await large('join'))[0].status, 200);
      assert.equal((await daemon.post('beat', people[1])).status, 200);
    });

    test('an IPv6 /48 has ten times what an address has', async (t) => {
      const daemon = await startDaemon(t, { ...TRUSTING, 'rate-ip': 1 });
      const join = (address) => daemon.post('join', aBeat(), { 'x-forwarded-for': address });
      for (let i = 0; i < 10; i += 1)
        assert.equal((await join(`2001:db8:1:${i}::1`)).status, 200);
      assertBlocked(await join('2001:db8:1:0::2'), 'ip');
      assertBlocked(await join('2001:db8:1:a::1'), 'ip');
      assert.equal((await join('2001:db8:2:a::1')).status, 200);
    });

    test('a customer has the limit that the file gives it, also after SIGHUP', async (t) => {
      const file = path.join(await tempDir(t), 'active-users.conf');
      const write = async (text) => {
        await writeFile(`${file}.new`, text);
        await rename(`${file}.new`, file);
      };
      await write('rate-customer = 2\nrate-customer.large = 4\nrate-customer.a=b = 1\n');
      const daemon = await startDaemon(t, { config: file, 'rate-customer': undefined });
      const joins = async (customerId, count) =>
        statuses(await sendMany(t, daemon, beatsOf('join', many(count, customerId))));
      assert.deepEqual(await joins('other', 3), { 200: 2, 429: 1 });
      assert.deepEqual(await joins('large', 5), { 200: 4, 429: 1 });
      assert.deepEqual(await joins('a=b', 2), { 200: 1, 429: 1 });
      const reads = await sendMany(t, daemon, repeated(5, readText('large')));
      assert.deepEqual(statuses(reads), { 200: 4, 429: 1 });
      await write('rate-customer = 2\nrate-customer.large = 6\n');
      daemon.signal('SIGHUP');
      await waitFor(
        'the new limit',
        async () => (await daemon.post('join', aBeat({ customerId: 'large' }))).status === 200,
        { everyMs: 20 },
      );
      assert.deepEqual(await joins('large', 2), { 200: 1, 429: 1 });
      assert.deepEqual(await joins('a=b', 2), { 200: 1, 429: 1 });
    });
  },
  { concurrency: 4 },
);

suite('what a proxy says in Forwarded', async (test) => {
  /** Rows of [what is said first, what is said next, the same client?]. */
  const claims = [
    ['an address', ['Forwarded: for=192.0.2.1'], ['Forwarded: for=192.0.2.2'], false],
    [
      'the last one counts',
      ['Forwarded: for=198.51.100.1, for=192.0.2.1;proto=https'],
      ['Forwarded: for=198.51.100.2, for=192.0.2.1'],
      true,
    ],
    [
      'several lines are one list',
      ['Forwarded: for=192.0.2.1', 'Forwarded: for=127.0.0.1'],
      ['Forwarded: for=192.0.2.2', 'Forwarded: for=127.0.0.1'],
      false,
    ],
    [
      'IPv6 between quotes, with a port',
      ['Forwarded: for="[2001:db8::1]:1"'],
      ['Forwarded: for="[2001:db8::2]:2"'],
      true,
    ],
    [
      'a hidden one is no address',
      ['Forwarded: for=192.0.2.1, for=_a'],
      ['Forwarded: for=192.0.2.2, for=unknown'],
      true,
    ],
    [
      'X-Forwarded-For comes before it',
      ['X-Forwarded-For: 192.0.2.1', 'Forwarded: for=192.0.2.2'],
      ['X-Forwarded-For: 192.0.2.1', 'Forwarded: for=192.0.2.3'],
      true,
    ],
  ];
  for (const [rule, first, second, same] of claims)
    test(rule, async (t) => {
      const daemon = await startDaemon(t, { ...TRUSTING, 'rate-ip': 1 });
      const answers = await sendMany(
        t,
        daemon,
        [first, second].map((lines) => presenceText('join', aBeat(), lines)),
      );
      assert.deepEqual(statuses(answers), same ? { 200: 1, 429: 1 } : { 200: 2 });
    });

  test('a stranger may say what it likes', async (t) => {
    const daemon = await startDaemon(t, { ...DEFAULT_LIMITS, 'rate-ip': 1 });
    const answers = await sendMany(t, daemon, [
      presenceText('join', aBeat(), ['Forwarded: for=192.0.2.1']),
      presenceText('join', aBeat(), ['Forwarded: for=192.0.2.2']),
    ]);
    assert.deepEqual(statuses(answers), { 200: 1, 429: 1 });
  });
});

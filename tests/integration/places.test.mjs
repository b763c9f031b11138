// Who gets a place in the tables (contract §3 "Rate limits", §7 "Memory is bounded"): what one
// address may take, what one customer may take, and what an empty customer gives back.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  assertNotAcknowledged,
  DAEMON,
  DEFAULT_LIMITS,
  freshId,
  many,
  presenceText,
  run,
  Socket,
  startDaemon,
  startOn,
  STORES,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

const OFFICE = '127.0.0.4';
const ATTACKER = '127.0.0.2';
const HONEST = '127.0.0.3';
const JSON_TYPE = { 'content-type': 'application/json' };

/** Beats one behind the other on one connection; the answers. */
async function beatMany(t, daemon, beats, from) {
  const connection = await daemon.connect(t, daemon.httpPort, { from });
  const answers = [];
  for (let at = 0; at < beats.length; at += 250) {
    const part = beats.slice(at, at + 250);
    connection.send(part.map((beat) => presenceText('beat', beat)).join(''));
    for (let i = 0; i < part.length; i += 1) answers.push(await connection.response());
  }
  connection.close();
  return answers;
}

const accepted = (answers) => answers.filter(({ status }) => status === 200).length;

const postFrom = (daemon, from, action, body, headers = {}) =>
  daemon.request('POST', `/presence/${action}`, {
    body,
    from,
    headers: { ...JSON_TYPE, ...headers },
  });

async function mustFrom(daemon, from, action, beat) {
  const answer = await postFrom(daemon, from, action, beat);
  assert.equal(answer.status, 200, answer.text);
}

function assertNoRoom(answer) {
  assert.equal(answer.status, 429, answer.text);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `${seconds}`);
  assert.equal(
    answer.text,
    `{"error":"Too Many Requests","message":"Rate limit exceeded (ip). Try again in ${seconds} seconds.","blockedBy":"ip"}`,
  );
}

/** Says why, and closes with 1013: come back later. */
async function assertTurnedAway(t, daemon, beat, options, why) {
  const socket = await Socket.open(t, daemon.wsPort, options);
  socket.send({ type: 'auth', ...beat });
  assert.match((await socket.next('error')).message, why);
  assert.equal((await socket.closing).code, 1013);
}

suite(
  'places',
  async (test) => {
    for (const store of STORES) {
      test(`an office behind one address loses nobody on ${store}`, async (t) => {
        const daemon = await startOn(store, t, DEFAULT_LIMITS);
        const customerId = freshId('office');
        const first = many(1000, customerId);
        assert.equal(accepted(await beatMany(t, daemon, first, OFFICE)), 1000);
        // The bucket fills by ten a second: who is refused comes back.
        await Promise.all(
          many(20, customerId).map((beat) =>
            waitFor(
              'a place in the office',
              async () => {
                const answer = await postFrom(daemon, OFFICE, 'beat', beat);
                if (answer.status !== 200) assertNoRoom(answer);
                return answer.status === 200;
              },
              { everyMs: 200 },
            ),
          ),
        );
        assert.equal(await daemon.count(customerId), 1020);
      });

      test(`one address does not fill the table of sessions on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { ...DEFAULT_LIMITS, 'max-sessions': 200 });
        const customerId = freshId('victim');
        const taken = many(150, customerId);
        const answers = await beatMany(t, daemon, taken, ATTACKER);
        assert.equal(accepted(answers), 100, 'half of the table');
        assert.equal(answers[100].status, 429);
        for (const action of ['beat', 'join'])
          assertNoRoom(await postFrom(daemon, ATTACKER, action, aBeat({ customerId })));
        await assertTurnedAway(
          t,
          daemon,
          aBeat({ customerId }),
          { from: ATTACKER },
          /too many sessions/,
        );
        await mustFrom(daemon, ATTACKER, 'beat', taken[0]); // it lives, so it costs no place
        await mustFrom(daemon, ATTACKER, 'join', taken[1]);
        for (let i = 0; i < 10; i += 1) {
          await mustFrom(daemon, HONEST, 'join', aBeat({ customerId }));
          await mustFrom(daemon, HONEST, 'beat', aBeat({ customerId }));
          await Socket.join(t, daemon.wsPort, aBeat({ customerId }), { from: HONEST });
        }
        assert.equal(await daemon.count(customerId), 130);
        await mustFrom(daemon, ATTACKER, 'leave', taken[0]);
        await mustFrom(daemon, ATTACKER, 'beat', aBeat({ customerId }));
        assertNoRoom(await postFrom(daemon, ATTACKER, 'beat', aBeat({ customerId })));
        const warnings = daemon.log.filter(({ component }) => component === 'presence');
        assert.deepEqual(
          warnings.map(({ sessions }) => sessions),
          [100],
          'said once a minute, and no address',
        );
        const samples = await daemon.samples();
        assert.equal(samples.get('au_rate_limited_new_sessions_total'), 54, 'each is counted');
      });

      test(`handshakes and auths of one address do not fill it either on ${store}`, async (t) => {
        const daemon = await startOn(store, t, {
          ...DEFAULT_LIMITS,
          'max-sessions': 100,
          'disconnect-grace': 60_000,
        });
        const customerId = freshId('victim');
        let refused = 0;
        for (let i = 0; i < 60; i += 1) {
          const socket = await Socket.open(t, daemon.wsPort, { from: ATTACKER });
          socket.send({ type: 'auth', ...aBeat({ customerId }) });
          const answer = await socket.inbox.next('an answer', ({ type }) => type !== 'metrics:update');
          refused += answer.type === 'error' ? 1 : 0;
          socket.send(Buffer.from('binary, which is a fault'));
          await socket.closing;
        }
        assert.equal(refused, 10);
        await Socket.join(t, daemon.wsPort, aBeat({ customerId }), { from: HONEST });
        await mustFrom(daemon, HONEST, 'beat', aBeat({ customerId }));
      });

      test(`one address does not fill the table of customers on ${store}`, async (t) => {
        const daemon = await startOn(store, t, { ...DEFAULT_LIMITS, 'max-customers': 40 });
        const flood = Array.from({ length: 45 }, () => aBeat());
        assert.equal(accepted(await beatMany(t, daemon, flood, ATTACKER)), 20, 'half of the table');
        assertNoRoom(await postFrom(daemon, ATTACKER, 'join', aBeat()));
        const [{ customerId }] = flood;
        await mustFrom(daemon, ATTACKER, 'join', aBeat({ customerId })); // this one is there
        for (let i = 0; i < 19; i += 1) await mustFrom(daemon, HONEST, 'join', aBeat());
      });

      test(`an empty customer makes room at once on ${store}`, async (t) => {
        const daemon = await startOn(store, t, {
          'max-customers': 10,
          'ema-interval': 50,
          'ema-alpha': 0.001, // averages last
        });
        const lasting = aBeat();
        await daemon.must('join', lasting);
        // Before it the average reads as the count, so that shows nothing.
        await waitFor(
          'its first tick',
          async () => (await daemon.samples()).get('au_tick_customers_total') > 0,
        );
        assert.equal((await daemon.metrics(lasting.customerId)).ema, 1);
        const quiet = aBeat(); // its place goes to another one, its dashboard stays
        const dashboard = await Socket.join(t, daemon.wsPort, { customerId: quiet.customerId });
        await daemon.must('join', quiet);
        await dashboard.update(({ count }) => count === 1);
        await daemon.must('leave', quiet);
        await dashboard.update(({ count }) => count === 0);
        for (let i = 0; i < 60; i += 1) {
          const beat = aBeat();
          await daemon.must(i % 2 ? 'join' : 'beat', beat);
          await daemon.must('leave', beat);
        }
        assert.equal((await daemon.metrics(lasting.customerId)).count, 1);
        assert.ok((await daemon.metrics(lasting.customerId)).ema > 0.9);
        if (store === 'memory') await dashboard.update(({ ema }) => ema === 0);
        await daemon.must('beat', quiet);
        await dashboard.update(({ count }) => count === 1);
        for (let i = 0; i < 8; i += 1) await daemon.must('join', aBeat());
        assertNotAcknowledged(await daemon.post('join', aBeat())); // all ten have people
      });

      test(`one customer has its share on ${store}`, async (t) => {
        const file = path.join(await tempDir(t), 'au.conf');
        const settings = (share, own) =>
          writeFile(file, `max-sessions-customer = ${share}\nmax-sessions.large = ${own}\n`);
        await settings('50%', 12);
        const daemon = await startOn(store, t, {
          config: file,
          'max-sessions': 20,
          'max-sessions-customer': undefined,
        });
        const customerId = freshId('crowd');
        const people = many(10, customerId);
        for (const beat of people) await daemon.must('join', beat);
        assertNotAcknowledged(await daemon.post('join', aBeat({ customerId })));
        assertNotAcknowledged(await daemon.post('beat', aBeat({ customerId })));
        await assertTurnedAway(t, daemon, aBeat({ customerId }), {}, /full/);
        await daemon.must('beat', people[0]);
        await daemon.must('join', aBeat()); // others get in
        await daemon.must('leave', people[0]);
        await daemon.must('beat', aBeat({ customerId }));

        for (const beat of people) await daemon.must('leave', beat);
        const large = many(13, 'large');
        for (const beat of large.slice(0, 12)) await daemon.must('join', beat);
        assertNotAcknowledged(await daemon.post('join', large[12]));
        await settings('1', 13);
        daemon.signal('SIGHUP');
        await waitFor('the new share', async () => {
          const { status } = await daemon.post('join', large[12]);
          return status === 200;
        });
        const small = freshId('small');
        await daemon.must('join', aBeat({ customerId: small }));
        assertNotAcknowledged(await daemon.post('join', aBeat({ customerId: small })));
      });
    }

    test('behind a trusted proxy each client has places of its own', async (t) => {
      const daemon = await startDaemon(t, {
        'trusted-proxies': '127.0.0.0/8',
        'max-sessions-ip': 3,
      });
      const customerId = freshId();
      const client = (address) => ({ 'x-forwarded-for': address });
      const beat = (address) =>
        postFrom(daemon, undefined, 'beat', aBeat({ customerId }), client(address));
      const socketOf = (address) => ({ headers: client(address) });
      for (let i = 0; i < 2; i += 1) assert.equal((await beat('192.0.2.1')).status, 200);
      await Socket.join(t, daemon.httpPort, aBeat({ customerId }), socketOf('192.0.2.1'));
      assertNoRoom(await beat('192.0.2.1'));
      await assertTurnedAway(
        t,
        daemon,
        aBeat({ customerId }),
        socketOf('192.0.2.1'),
        /too many sessions/,
      );
      assert.equal((await beat('192.0.2.2')).status, 200);
      await Socket.join(t, daemon.wsPort, aBeat({ customerId }), socketOf('192.0.2.3'));
    });

    test('a socket of a living session goes on while its address may begin no more', async (t) => {
      const daemon = await startDaemon(t, { 'max-sessions-ip': 1, 'presence-ttl': 2 });
      const beat = aBeat();
      const socket = await Socket.join(t, daemon.wsPort, beat);
      assertNoRoom(await daemon.post('beat', aBeat()));
      const until = Date.now() + 2500;
      await waitFor('longer than a TTL', async () => {
        socket.send({ type: 'ping' });
        await socket.next('pong');
        return Date.now() > until;
      });
      assert.equal(await daemon.count(beat.customerId), 1);
      const again = await Socket.join(t, daemon.wsPort, beat); // the same person, reconnected
      await again.next('metrics:update');
    });

    test('shares that are none stop the start', async () => {
      for (const flag of ['max-sessions-customer', 'max-connections-ip'])
        for (const text of ['120%', '-1', 'many', '5 %', '']) {
          const { code, stderr } = await run(DAEMON, [`--${flag}=${text}`]);
          assert.equal(code, 2, `${flag} ${text}: ${stderr}`);
          assert.match(stderr, new RegExp(`${flag}: .* is not a number, or a share up to 100%`));
        }
    });
  },
  { concurrency: 3 },
);

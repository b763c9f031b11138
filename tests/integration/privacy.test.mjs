// --privacy strict: what is in Redis, in memory and in answers, and what is not.
import assert from 'node:assert/strict';

import {
  aBeat,
  DAEMON,
  freshId,
  run,
  Socket,
  startDaemon,
  startRedis,
  STORES,
  suite,
  waitFor,
  waitWhole,
} from './harness.mjs';

const KEY = 'a-key-of-all-daemons-0123';
const AGENT = 'SomeBrowser/1.2 (of a person)';

async function startStrict(t, store) {
  if (store === 'memory') return [await startDaemon(t, { privacy: 'strict' })];
  const redis = await startRedis(t);
  const options = { privacy: 'strict', 'redis-url': redis.url };
  const daemons = [];
  for (let i = 0; i < 2; i += 1) {
    daemons.push(await startDaemon(t, options, { AU_PRIVACY_KEY: KEY }));
    await waitWhole(daemons[i]);
  }
  daemons.redis = await redis.client();
  return daemons;
}

for (const store of STORES)
  suite(`privacy strict: ${store}`, async (test, shared) => {
    const daemons = await startStrict(shared, store);
    const [a, b = a] = daemons;

    test('a person is one, by beats of both daemons and by a socket', async (t) => {
      const beat = aBeat({ userAgent: AGENT });
      await a.must('join', beat);
      await b.must('beat', beat);
      const socket = await Socket.open(t, b.wsPort);
      socket.send({ type: 'auth', ...beat });
      const hello = await socket.next('hello');
      assert.equal(hello.sessionId, beat.sessionId, 'hello says what the client said');
      assert.equal(await a.count(beat.customerId), 1);
      socket.terminate();
      await a.must('leave', beat);
      await a.waitCount(beat.customerId, 0);
    });

    test('the session is stored under another name, without its user agent', async () => {
      const beat = aBeat({ userAgent: AGENT });
      await a.must('join', beat);
      const path = `customers/${beat.customerId}`;
      const page = (await a.get(`/admin/${path}`)).json;
      assert.equal(page.sessions.length, 1);
      const [session] = page.sessions;
      assert.match(session.sessionId, /^~[0-9a-f]{32}$/);
      assert.equal(session.userAgent, undefined);
      if (daemons.redis) {
        const dump = [];
        for (const key of await daemons.redis.keys()) {
          const type = await daemons.redis.call('TYPE', key);
          if (type === 'string') dump.push(key, await daemons.redis.call('GET', key));
          else dump.push(key, ...(await daemons.redis.call('ZRANGE', key, 0, -1)));
        }
        const text = dump.join('\n');
        assert.ok(text.includes(session.sessionId));
        for (const secret of [beat.sessionId, AGENT, KEY, '127.0.0.'])
          assert.ok(!text.includes(secret), secret);
      }
      assert.ok(!a.stderr.includes(beat.sessionId));

      // "What do you know of me": by the id of the person's browser, or by the name.
      for (const id of [beat.sessionId, session.sessionId]) {
        const answer = await b.get(`/admin/sessions/${beat.customerId}/${id}`);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.json.session.sessionId, session.sessionId);
      }
      const gone = await b.request('DELETE', `/admin/${path}/sessions/${beat.sessionId}`);
      assert.deepEqual(gone.json, { success: true, ended: 1 });
      assert.equal(await a.count(beat.customerId), 0);
    });

    test('the name of a session is not one that a client can take', async () => {
      const beat = aBeat();
      await a.must('join', beat);
      const [{ sessionId }] = (await a.get(`/admin/customers/${beat.customerId}`)).json.sessions;
      await a.must('leave', { ...beat, sessionId });
      assert.equal(await a.count(beat.customerId), 1);
    });

    test('an address is blocked and undone by its hash, until midnight at the latest', async () => {
      const from = '127.0.9.1';
      const customerId = freshId('shop');
      const join = (sessionId) =>
        a.request('POST', '/presence/join', { from, body: aBeat({ customerId, sessionId }) });
      for (let i = 0; i < 20; i += 1) assert.equal((await join(`s${i}`)).status, 200);
      const answer = await a.request('POST', '/admin/blocks', {
        body: { address: from, seconds: 30 * 24 * 3600 },
        headers: { 'content-type': 'application/json' },
      });
      assert.equal(answer.status, 200, answer.text);
      assert.ok(answer.json.until - Date.now() <= 24 * 3600_000 + 1000);
      const { id } = answer.json;
      const ended = await a.request('DELETE', `/admin/addresses/${id}/sessions`);
      assert.deepEqual(ended.json, { success: true, ended: 20 });
      await waitFor('the block at the other', async () => {
        const refused = await b.request('GET', '/metrics?customerId=a', { from });
        return refused.status === 403;
      });
    });
  });

suite('privacy: what stops the start', async (test) => {
  test('strict on Redis without a key', async () => {
    const flags = ['--http-port=0', '--ws-port=0', '--redis-url=redis://127.0.0.1:1'];
    const result = await run(DAEMON, [...flags, '--privacy=strict']);
    assert.equal(result.code, 2);
    assert.match(result.stderr, /^active-users: --privacy: [^\n]*privacy-key[^\n]*\n$/);
  });

  test('a short key, which is not repeated', async () => {
    const result = await run(DAEMON, ['--http-port=0', '--ws-port=0', '--privacy-key=fifteen-letters']);
    assert.equal(result.code, 2);
    assert.match(result.stderr, /^active-users: --privacy-key[^\n]+\n$/);
    assert.ok(!result.stderr.includes('fifteen'));
  });
});

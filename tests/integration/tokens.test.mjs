// Tokens (contract §2 token-secret, docs/howto/tokens.md): who is counted once there is a secret.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import {
  aBeat,
  assertError,
  DAEMON,
  DEFAULT_LIMITS,
  freshId,
  inMs,
  mint,
  run,
  SECRET,
  Socket,
  startDaemon,
  startOn,
  STORES,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

const HS256 = { alg: 'HS256', typ: 'JWT' };
const bearer = (token) => ({ authorization: `Bearer ${token}`, 'content-type': 'text/plain' });
const forCustomer = (customerId, more) => mint({ customerId, exp: inMs(60_000), ...more });

/** name, claims of `shop`, how it is minted, HTTP status, close code, counter. */
const REFUSED = [
  ['expired', { exp: 1 }, {}, 401, 4401, 'expired'],
  ['from the future', { iat: inMs(3600_000) }, {}, 401, 4401, 'not_yet'],
  ['of another customer', { customerId: 'other' }, {}, 403, 4403, 'customer'],
  ['of another session', { sessionId: 'other' }, {}, 403, 4403, 'session'],
  ['of another scope', { scope: 'other' }, {}, 403, 4403, 'scope'],
  ['of another secret', {}, { secret: SECRET + '!' }, 401, 4401, 'signature'],
  ['without a signature', {}, { header: { alg: 'none' } }, 401, 4401, 'algorithm'],
  ['with another hash', {}, { header: { alg: 'HS512' } }, 401, 4401, 'algorithm'],
  ['with a claim twice', '{"customerId":"shop","customerId":"shop"}', {}, 401, 4401, 'malformed'],
  // What JSON makes of an end that is NaN: it must not live for ever.
  ['with an end that is null', { exp: null }, {}, 401, 4401, 'malformed'],
  ['without a customer', { customerId: undefined }, {}, 401, 4401, 'malformed'],
];

for (const store of STORES)
  suite(`tokens on ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared, { 'token-secret': SECRET });
    const must = async (action, beat, token) => {
      const answer = await daemon.post(action, beat, bearer(token));
      assert.equal(answer.status, 200, answer.text);
      return answer.json;
    };

    test('a good one is counted, from the header and from the body', async () => {
      const beat = aBeat();
      const token = forCustomer(beat.customerId);
      const { tokenExpiresInMs } = await must('join', beat, token);
      assert.ok(tokenExpiresInMs > 50_000 && tokenExpiresInMs <= 60_000, tokenExpiresInMs);
      const other = aBeat({ customerId: beat.customerId, token });
      assert.equal((await daemon.post('beat?metrics=1', other)).json.metrics.count, 2);
      await must('leave', beat, token);
      assert.equal(await daemon.count(beat.customerId), 1, 'reading needs none');
    });

    test('without one nothing is stored', async () => {
      const beat = aBeat();
      for (const action of ['join', 'beat', 'leave']) {
        const answer = await daemon.post(action, beat);
        assertError(answer, 401, 'Unauthorized');
        assert.equal(answer.headers['www-authenticate'], 'Bearer');
      }
      assert.equal(await daemon.count(beat.customerId), 0);
      if (!daemon.redis) return;
      const client = await daemon.redis.client();
      assert.deepEqual(await client.keys(`*${beat.customerId}*`), []);
    });

    test('a socket needs one, as a person and as a watcher', async (t) => {
      const beat = aBeat();
      for (const who of [beat, { customerId: beat.customerId }]) {
        const socket = await Socket.open(t, daemon.httpPort);
        socket.send({ type: 'auth', ...who });
        assert.equal((await socket.next('error')).message, 'a token is required');
        assert.equal((await socket.waitClose()).code, 4401);
      }
      assert.equal(await daemon.count(beat.customerId), 0);
      const token = forCustomer(beat.customerId);
      const socket = await Socket.open(t, daemon.httpPort);
      socket.send({ type: 'auth', ...beat, token });
      const hello = await socket.next('hello');
      assert.ok(hello.tokenExpiresInMs > 50_000 && hello.tokenExpiresInMs <= 60_000);
      assert.equal((await socket.update()).count, 1);
    });

    test('the end of one closes its socket, a fresh one keeps it open', async (t) => {
      const beat = aBeat();
      const token = (ms) => forCustomer(beat.customerId, { exp: inMs(ms) });
      const [kept, ended] = [await Socket.open(t, daemon.httpPort), await Socket.open(t, daemon.wsPort)];
      const second = { ...beat, tabId: 'tab-2' };
      const end = Date.now() + 700;
      kept.send({ type: 'auth', ...beat, token: token(700) });
      await kept.next('hello');
      ended.send({ type: 'auth', ...second, token: token(700) });
      await ended.next('hello');
      kept.send({ type: 'auth', ...beat, token: token(60_000) });
      const { tokenExpiresInMs } = await kept.next('hello', (m) => m.tokenExpiresInMs > 10_000);
      assert.ok(tokenExpiresInMs < 61_000, `${tokenExpiresInMs} ms`); // two clocks, and neither is the other
      const { code, at } = await ended.waitClose();
      assert.equal(code, 4401);
      assert.ok(at >= end, 'not before its time');
      assert.equal((await ended.next('error')).message, 'the token has expired');
      kept.send({ type: 'ping', timestamp: 1 });
      await kept.next('pong');
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    test('a fresh one that is bad closes the socket, of another person it is an error', async (t) => {
      const beat = aBeat();
      const token = forCustomer(beat.customerId);
      const socket = await Socket.open(t, daemon.httpPort);
      socket.send({ type: 'auth', ...beat, token });
      await socket.next('hello');
      socket.send({ type: 'auth', ...beat, sessionId: 'another', token });
      assert.equal((await socket.next('error')).message, 'already authenticated');
      socket.send({ type: 'auth', ...beat });
      assert.equal((await socket.next('error')).message, 'already authenticated');
      socket.send({ type: 'auth', ...beat, token: 'a.b.c' });
      assert.equal((await socket.waitClose()).code, 4401);
    });
  });

suite('tokens that are refused', async (test, shared) => {
  const daemon = await startDaemon(shared, { 'token-secret': SECRET });

  for (const [name, claims, how, status, code, counter] of REFUSED)
    test(`one ${name}: ${status}, ${code}, and its counter`, async (t) => {
      const fresh = await startDaemon(t, { 'token-secret': SECRET });
      const beat = aBeat({ customerId: 'shop' });
      const token = mint(
        typeof claims === 'string' ? claims : { customerId: 'shop', exp: inMs(60_000), ...claims },
        how,
      );
      const answer = await fresh.post('join', beat, bearer(token));
      assertError(answer, status, status === 401 ? 'Unauthorized' : 'Forbidden');
      assert.equal(
        answer.headers['www-authenticate'],
        status === 401 ? 'Bearer error="invalid_token"' : undefined,
      );
      const socket = await Socket.open(t, fresh.httpPort);
      socket.send({ type: 'auth', ...beat, token });
      assert.equal((await socket.next('error')).message, answer.json.message);
      assert.equal((await socket.waitClose()).code, code);
      assert.equal((await fresh.samples()).get(`au_tokens_${counter}_total`), 2);
      assert.equal(await fresh.count('shop'), 0);
      assert.ok(!fresh.stderr.includes(token) && !fresh.stderr.includes(SECRET), 'nothing logged');
    });

  test('what is no token, in the header and in the body', async () => {
    const beat = aBeat();
    const good = forCustomer(beat.customerId);
    const odd = ['', '.', '..', '...', 'a.b.c', 'x'.repeat(4096), `${good}.`, `${good}=`];
    for (const token of [...odd, good.slice(0, -1), good.replace('.', '..')]) {
      assertError(await daemon.post('join', beat, bearer(token)), 401, 'Unauthorized');
      assertError(await daemon.post('join', { ...beat, token }), 401, 'Unauthorized');
    }
    for (const token of [1, true, [good], { token: good }])
      assertError(await daemon.post('join', { ...beat, token }), 400, 'Bad Request', 'token');
    for (const value of ['Basic abc', `Bearer`, `bearer${good}`, good]) {
      const answer = await daemon.post('join', beat, { authorization: value });
      assertError(answer, 401, 'Unauthorized');
    }
    assert.equal(await daemon.count(beat.customerId), 0);
  });

  test('the header goes first, and comes once', async (t) => {
    const beat = aBeat();
    const good = forCustomer(beat.customerId);
    const both = await daemon.post('join', { ...beat, token: good }, bearer('a.b.c'));
    assertError(both, 401, 'Unauthorized');
    const connection = await daemon.connect(t);
    const body = JSON.stringify(beat);
    connection.send(
      `POST /presence/join HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${good}\r\n` +
        `Authorization: Bearer ${good}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    assert.equal((await connection.response()).status, 400);
  });

  test('a watcher and a person each need their scope', async (t) => {
    const beat = aBeat();
    const { customerId } = beat;
    const reply = async (who, scope) => {
      const socket = await Socket.open(t, daemon.httpPort);
      socket.send({ type: 'auth', ...who, token: forCustomer(customerId, { scope }) });
      const first = await Promise.race([socket.next('hello'), socket.next('error')]);
      return first.type;
    };
    assert.equal(await reply(beat, 'presence'), 'hello');
    assert.equal(await reply(beat, 'watch'), 'error');
    assert.equal(await reply({ customerId }, 'watch'), 'hello');
    assert.equal(await reply({ customerId }, 'presence'), 'error');
  });

  test('bad ones cost the address, and honest people behind it nothing', async (t) => {
    const limited = await startDaemon(t, { ...DEFAULT_LIMITS, 'token-secret': SECRET });
    const from = '127.0.0.2'; // loopback alone is exempt of the limit of other requests
    const beat = aBeat();
    const bad = await Promise.all(
      Array.from({ length: 150 }, () =>
        limited.request('POST', '/presence/beat', { body: aBeat(), headers: {}, from }),
      ),
    );
    assert.ok(bad.every(({ status }) => status === 401), 'over rate-ip, and none is 429');
    const good = await limited.request('POST', '/presence/join', {
      body: { ...beat, token: forCustomer(beat.customerId) },
      from,
    });
    assert.equal(good.status, 200, good.text);
    assert.equal(good.headers['x-ratelimit-remaining'], '4999');
  });
});

suite('secrets', async (test, shared) => {
  const dir = await tempDir(shared);
  const fileWith = async (text) => {
    const file = path.join(dir, freshId('conf'));
    await writeFile(file, text, { mode: 0o600 });
    return file;
  };

  test('customers without one stay open; with one for all, nobody does', async (t) => {
    const config = await fileWith(`token-secret.shop = ${SECRET}\n`);
    const open = await startDaemon(t, { config });
    const closed = await startDaemon(t, { config, 'token-secret': 'for-all' });
    const shop = aBeat({ customerId: 'shop' });
    const other = aBeat({ customerId: 'other' });
    const odd = { ...other, token: 'is not looked at' };
    for (const beat of [other, odd]) assert.equal((await open.post('join', beat)).status, 200);
    assert.equal((await open.post('join', shop)).status, 401);
    assert.equal((await closed.post('join', other)).status, 401);
    const own = { ...shop, token: mint({ customerId: 'shop' }) };
    const others = { ...other, token: mint({ customerId: 'other' }, { secret: 'for-all' }) };
    const wrong = { ...shop, token: mint({ customerId: 'shop' }, { secret: 'for-all' }) };
    for (const daemon of [open, closed]) {
      assert.equal((await daemon.post('join', own)).status, 200);
      assert.equal((await daemon.post('join', wrong)).status, 401, 'its own, not the one for all');
    }
    assert.equal((await closed.post('join', others)).status, 200);
  });

  test('are rotated by SIGHUP: the old one and the new one side by side', async (t) => {
    const config = await fileWith('token-secret = old:first\n');
    const daemon = await startDaemon(t, { config });
    const signed = (kid, secret) =>
      mint({ customerId: 'shop' }, { secret, header: { ...HS256, kid } });
    const status = async (token) =>
      (await daemon.post('join', aBeat({ customerId: 'shop', token }))).status;
    const reload = async (text) => {
      const before = daemon.log.filter(({ event }) => event === 'reloaded').length;
      await writeFile(config, text);
      daemon.signal('SIGHUP');
      await waitFor(
        'the reload',
        () => daemon.log.filter(({ event }) => event === 'reloaded').length > before,
      );
    };
    const [old, fresh] = [signed('old', 'first'), signed('new', 'second')];
    assert.deepEqual([await status(old), await status(fresh)], [200, 401]);
    const socket = await Socket.open(t, daemon.httpPort);
    socket.send({ type: 'auth', ...aBeat({ customerId: 'shop', token: old }) });
    await socket.next('hello');
    await reload('token-secret = old:first new:second\n');
    assert.deepEqual([await status(old), await status(fresh)], [200, 200]);
    assert.equal(await status(mint({ customerId: 'shop' }, { secret: 'second' })), 200, 'no kid');
    await reload('token-secret = new:second\n');
    assert.deepEqual([await status(old), await status(fresh)], [401, 200]);
    socket.send({ type: 'ping', timestamp: 1 });
    await socket.next('pong');
    assert.doesNotMatch(daemon.stderr, /first|second/);
  });

  test('what cannot be one stops the start with a line that does not repeat it', async () => {
    for (const bad of ['a:', 'a:hush b:', 'a:hush a:hush', 'a:1 b:2 c:3 d:4 e:hush']) {
      const { code, stderr } = await run(DAEMON, ['--http-port=0', '--ws-port=0', `--token-secret=${bad}`]);
      assert.equal(code, 2, bad);
      assert.match(stderr, /^active-users: (--)?token-secret: [^\n]+\n$/);
      assert.doesNotMatch(stderr, /hush/);
    }
    const config = await fileWith('token-secret.shop = a:\n');
    const { code, stderr } = await run(DAEMON, [`--config=${config}`, '--http-port=0', '--ws-port=0']);
    assert.equal(code, 2);
    assert.match(stderr, /token-secret\.shop: a secret is missing/);
    const empty = await fileWith('token-secret.shop = ""\n');
    assert.equal((await run(DAEMON, [`--config=${empty}`])).code, 2, 'an empty one is a mistake');
  });

  test('are hidden in --print-config, and come from a file', async () => {
    const secret = await fileWith(`${SECRET.replaceAll(' ', '-')}\n`);
    const config = await fileWith(`token-secret.shop = hush\n`);
    const { stdout } = await run(DAEMON, ['--print-config', `--config=${config}`], {
      env: { AU_TOKEN_SECRET_FILE: secret },
    });
    assert.match(stdout, /^token-secret +=\s"\*\*\*"  # AU_TOKEN_SECRET_FILE$/m);
    assert.match(stdout, /^token-secret\.shop = \*\*\*  # /m);
    assert.doesNotMatch(stdout, /hush|example/);
  });

  test('a short one is warned of', async (t) => {
    const daemon = await startDaemon(t, { 'token-secret': 'short' });
    assert.ok(daemon.log.some(({ event }) => /32 bytes/.test(event)));
  });
});

suite('the examples of docs/howto/tokens.md', async (test, shared) => {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const page = await readFile(path.join(here, '../../docs/howto/tokens.md'), 'utf8');
  const minting = page.slice(page.indexOf('## Sign one on your server'));
  const example = (language) =>
    minting.match(new RegExp('```' + language + '\\n([\\s\\S]*?)```'))[1];
  const secret = SECRET.replaceAll(' ', '-');
  const daemon = await startDaemon(shared, { 'token-secret': secret });
  const dir = await tempDir(shared);
  for (const [language, program, file] of [
    ['js', process.execPath, 'mint.mjs'],
    ['python', 'python3', 'mint.py'],
    ['sh', 'sh', 'mint.sh'],
  ])
    test(`mint a token: ${program}`, async () => {
      const script = path.join(dir, file);
      await writeFile(script, example(language));
      const { code, stdout, stderr } = await run(program, [script], { env: { AU_SECRET: secret } });
      assert.equal(code, 0, stderr);
      const beat = aBeat({ customerId: 'shop123', token: stdout.trim() });
      const answer = await daemon.post('join', beat);
      assert.equal(answer.status, 200, answer.text);
      assert.ok(answer.json.tokenExpiresInMs > 200_000 && answer.json.tokenExpiresInMs <= 301_000);
    });
});

// The operators' endpoints: at which port, for whom, and what everybody else gets instead.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import {
  aBeat,
  assertError,
  DAEMON,
  httpText,
  run,
  startDaemon,
  startOn,
  STORES,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

const TOKEN = 'a-token-of-operators-0123';
const bearer = (token = TOKEN) => ({ authorization: `Bearer ${token}` });
const BARE = { status: 'ok' };

const details = (answer) => {
  assert.equal(answer.status, 200, answer.text);
  return Object.keys(answer.json).length > 1;
};

/** An IPv4 address of this machine that is not loopback. */
const OWN = Object.values(os.networkInterfaces())
  .flat()
  .find((each) => each.family === 'IPv4' && !each.internal)?.address;

suite('operators: without a token and a port of their own', async (test, shared) => {
  const daemon = await startDaemon(shared, { host: '0.0.0.0', 'trusted-proxies': '127.0.0.9' });
  const local = { host: `127.0.0.1:${daemon.httpPort}` };

  test('everybody reads the exposition and the details of /health', async () => {
    assert.equal((await daemon.get('/metrics')).status, 200);
    assert.ok(details(await daemon.get('/health')));
  });

  for (const [name, options, status] of [
    ['loopback', {}, 404],
    ['loopback by name', { headers: { host: 'localhost' } }, 404],
    ['loopback in IPv6 notation', { headers: { host: '[::1]:3001' } }, 404],
    ['X-Forwarded-For', { headers: { ...local, 'x-forwarded-for': '127.0.0.1' } }, 403],
    ['Forwarded', { headers: { ...local, forwarded: 'for=127.0.0.1' } }, 403],
    ['an empty X-Forwarded-For', { headers: { ...local, 'x-forwarded-for': '' } }, 403],
    ['X-Real-IP, as many proxies send alone', { headers: { ...local, 'x-real-ip': '192.0.2.1' } }, 403],
    ['X-Forwarded-Proto', { headers: { ...local, 'x-forwarded-proto': 'https' } }, 403],
    ['X-Forwarded-Host', { headers: { ...local, 'x-forwarded-host': 'shop.example' } }, 403],
    ['an empty Via', { headers: { ...local, via: '' } }, 403],
    ['a trusted proxy on loopback', { from: '127.0.0.9' }, 403],
    ['a page', { headers: { ...local, origin: 'http://localhost:3001' } }, 403],
    ['a name that leads to loopback', { headers: { host: 'attacker.example' } }, 403],
    ['a name that begins like it', { headers: { host: '127.0.0.1.attacker.example' } }, 403],
  ])
    test(`/admin/ for ${name}: ${status}`, async () => {
      const answer = await daemon.request('GET', '/admin/nothing', options);
      assertError(answer, status, status === 404 ? 'Not Found' : 'Forbidden');
    });

  test('/admin/ for another address of this machine: 403', async (t) => {
    if (!OWN) return t.skip('this machine has no other address');
    assertError(await daemon.request('GET', '/admin/x', { host: OWN }), 403, 'Forbidden');
  });

  test('a preflight allows no DELETE, so no page can send one', async () => {
    const answer = await daemon.request('OPTIONS', '/admin/customers/a', {
      headers: { origin: 'https://a.example', 'access-control-request-method': 'DELETE' },
    });
    assert.equal(answer.status, 204);
    assert.doesNotMatch(answer.headers['access-control-allow-methods'], /DELETE/);
  });
});

suite('operators: with a token', async (test, shared) => {
  const daemon = await startDaemon(shared, {}, { AU_ADMIN_TOKEN: TOKEN });

  for (const [name, headers] of [
    ['none', {}],
    ['another', bearer('a-token-of-operators-0124')],
    ['its beginning', bearer(TOKEN.slice(0, -1))],
    ['one that goes on', bearer(`${TOKEN}0`)],
    ['it twice', bearer(TOKEN + TOKEN)],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['no scheme', { authorization: TOKEN }],
    ['nothing behind the scheme', { authorization: 'Bearer ' }],
  ])
    test(`token: ${name}: 401, and a bare /health`, async () => {
      for (const target of ['/metrics', '/admin/customers', '/admin/nothing']) {
        const answer = await daemon.get(target, headers);
        assertError(answer, 401, 'Unauthorized');
        assert.equal(answer.headers['www-authenticate'], 'Bearer realm="active-users"');
      }
      assert.deepEqual((await daemon.get('/health', headers)).json, BARE);
    });

  test('the token opens all of it, whatever the case of the scheme', async () => {
    for (const headers of [bearer(), { authorization: `bearer  ${TOKEN}` }]) {
      assert.equal((await daemon.get('/metrics', headers)).status, 200);
      assert.ok(details(await daemon.get('/health', headers)));
      assertError(await daemon.get('/admin/nothing', headers), 404, 'Not Found');
    }
  });

  test('with the token it does not matter where a request comes from', async () => {
    const answer = await daemon.get('/admin/nothing', { ...bearer(), 'x-forwarded-for': '192.0.2.1' });
    assertError(answer, 404, 'Not Found');
  });

  for (const name of ['token', 'access_token', 'admin_token', 'admin-token'])
    test(`${name} in the query: 400`, async () => {
      const answer = await daemon.get(`/admin/customers?${name}=${TOKEN}`, bearer());
      assertError(answer, 400, 'Bad Request');
    });

  test('balancers need no token, and customers are read as ever', async () => {
    assert.equal((await daemon.get('/ready')).status, 200);
    await daemon.must('join', aBeat());
    assert.equal((await daemon.get('/metrics?customerId=a')).status, 200);
  });

  test('refusals are counted, and the token is in no log and no argument', async () => {
    const answer = await daemon.get('/metrics', bearer());
    assert.match(answer.text, /^au_operators_refused_total [1-9]/m);
    assert.ok(!daemon.stderr.includes(TOKEN));
  });
});

suite('operators: at a port of their own', async (test, shared) => {
  const daemon = await startDaemon(shared, { 'admin-port': 0 });
  const port = daemon.adminPort;
  assert.ok(port > 0);

  for (const method of ['GET', 'HEAD', 'POST', 'DELETE'])
    test(`${method}: the public port knows none of it`, async () => {
      for (const target of ['/metrics', '/admin/customers', '/admin/'])
        assert.equal((await daemon.request(method, target)).status, 404);
    });

  test('the public port has the bare /health, and /ready', async () => {
    assert.deepEqual((await daemon.get('/health')).json, BARE);
    assert.equal((await daemon.get('/ready')).status, 200);
    assert.equal((await daemon.get('/metrics?customerId=a')).status, 200);
  });

  test('all of it is at the port, and nothing for visitors', async () => {
    assert.match((await daemon.request('GET', '/metrics', { port })).text, /^au_build_info/m);
    assert.ok(details(await daemon.request('GET', '/health', { port })));
    assert.equal((await daemon.request('GET', '/ready', { port })).status, 200);
    assertError(await daemon.request('GET', '/admin/nothing', { port }), 404, 'Not Found');
    for (const target of ['/', '/client.js', '/ws/active-users'])
      assertError(await daemon.request('GET', target, { port }), 404, 'Not Found');
    const join = await daemon.request('POST', '/presence/join', { port, body: aBeat() });
    assertError(join, 404, 'Not Found');
  });

  test('visitors take no connection of an operator, nor the other way round', async (t) => {
    const daemon = await startDaemon(t, { 'admin-port': 0, 'max-connections': 4 });
    const port = daemon.adminPort;
    const visitors = [];
    for (let i = 0; i < 60; i += 1) {
      const visitor = await daemon.connect(t);
      visitor.send('GET /health HTTP/1.1\r\n'); // a head that is not whole
      visitors.push(visitor);
    }
    assert.equal((await daemon.request('GET', '/metrics', { port })).status, 200);
    for (const visitor of visitors) visitor.close();
    await waitFor('a free connection', async () => (await daemon.get('/ready')).status === 200);

    for (let i = 0; i < 80; i += 1) await daemon.connect(t, port);
    await daemon.must('join', aBeat());
    const last = await daemon.connect(t, port); // the connection that has been idle for longest goes
    last.send(httpText('GET', '/ready'));
    assert.equal((await last.response()).status, 200);
  });
});

for (const store of STORES)
  suite(`operators: a token at a port of their own: ${store}`, async (test, shared) => {
    const dir = await tempDir(shared);
    const file = path.join(dir, 'token');
    await writeFile(file, `${TOKEN}\n`, { mode: 0o600 });
    const daemon = await startOn(store, shared, { 'admin-port': 0, 'admin-token': TOKEN });
    const port = daemon.adminPort;

    test('the token is asked for there too', async () => {
      for (const target of ['/metrics', '/admin/customers'])
        assertError(await daemon.request('GET', target, { port }), 401, 'Unauthorized');
      const answer = await daemon.request('GET', '/metrics', { port, headers: bearer() });
      assert.equal(answer.status, 200);
      assert.equal((await daemon.get('/metrics', bearer())).status, 404);
      assert.deepEqual((await daemon.get('/health', bearer())).json, BARE);
    });

    test('an argument is overwritten, a file is read, --print-config shows neither', async () => {
      const line = readFileSync(`/proc/${daemon.pid}/cmdline`, 'latin1');
      assert.ok(line.includes('--admin-token=***') && !line.includes(TOKEN));
      const shown = await run(DAEMON, ['--print-config'], { env: { AU_ADMIN_TOKEN_FILE: file } });
      assert.match(shown.stdout, /^admin-token +?= "\*\*\*" +# AU_ADMIN_TOKEN_FILE$/m);
    });
  });

suite('operators: what stops the start', async (test) => {
  for (const flag of [
    '--admin-token=too-short',
    '--admin-token=sixteen characters',
    '--admin-token=sixteen:character',
    '--admin-port=65536',
    '--admin-port=none',
    '--admin-port=-1',
  ])
    test(`${flag}: status 2 and one line that does not repeat it`, async () => {
      const result = await run(DAEMON, ['--http-port=0', '--ws-port=0', flag]);
      assert.equal(result.code, 2, result.stderr);
      assert.match(result.stderr, /^active-users: --admin-(token|port): [^\n]+\n$/);
      assert.ok(!result.stderr.includes(flag.slice(14)));
    });

  test('a host that is no address: status 1 or 2, and one line', async () => {
    const flags = ['--http-port=0', '--ws-port=0', '--admin-port=0', '--admin-host=nowhere'];
    const result = await run(DAEMON, flags);
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, /^active-users: --admin-host: cannot listen on host nowhere[^\n]+\n$/);
  });
});

// The dashboard as it is served: one file, a policy by hashes, who may have it in a frame, at which
// port, and what it reads for operators.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  assertBadRequest,
  assertError,
  freshId,
  startDaemon,
  startOn,
  STORES,
  suite,
  tempDir,
} from './harness.mjs';

const TOKEN = 'a-token-of-operators-0123';

/** A Content-Security-Policy as {directive: [source]}. */
const policyOf = ({ headers }) =>
  Object.fromEntries(
    headers['content-security-policy'].split('; ').map((directive) => {
      const [name, ...sources] = directive.split(' ');
      return [name, sources];
    }),
  );

const ancestorsOf = async (daemon, query = '', port = daemon.httpPort) => {
  const answer = await daemon.request('GET', `/dashboard${query}`, { port });
  assert.equal(answer.status, 200, answer.text);
  return policyOf(answer)['frame-ancestors'].join(' ');
};

suite('the dashboard, as it is served', async (test, shared) => {
  const daemon = await startDaemon(shared);

  test('one file: its style and script are inside, and allowed by their hashes alone', async () => {
    const page = await daemon.get('/dashboard');
    const policy = policyOf(page);
    const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const inside = (tag) =>
      [...page.text.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map(([, it]) => hash(it));
    const [styles, scripts] = [inside('style'), inside('script')];
    assert.deepEqual([styles.length, scripts.length], [1, 1]);
    assert.deepEqual(policy['style-src'], styles);
    assert.deepEqual(policy['script-src'], ["'self'", ...scripts]);
    assert.deepEqual(policy['default-src'], ["'none'"]);
    assert.deepEqual(policy['connect-src'], ["'self'"]);
    assert.doesNotMatch(page.headers['content-security-policy'], /unsafe|http:|https:|\*/);
    // What a browser would fetch by itself.
    assert.doesNotMatch(page.text, /\bsrc=["'a-z]|@import|url\((?!data:)|<link(?! rel="icon" href="data:)/);
    assert.doesNotMatch(page.text.replaceAll('http://www.w3.org/2000/svg', ''), /["'(]https?:\/\//);
    assert.equal(page.headers['referrer-policy'], 'no-referrer');
  });

  test('packed it is small enough to paint at once', async () => {
    const packed = await daemon.get('/dashboard', { 'accept-encoding': 'gzip' });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.ok(Number(packed.headers['content-length']) < 40_000, packed.headers['content-length']);
  });

  test('no page may read it, and none but the one path is it', async () => {
    const answer = await daemon.get('/dashboard', { origin: 'https://shop.example' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    for (const target of ['/dashboard/', '/dashboard/x', '/Dashboard', '/dashboard.html'])
      assertError(await daemon.get(target), 404, 'Not Found');
    const port = daemon.wsPort;
    assertError(await daemon.request('GET', '/dashboard', { port }), 404, 'Not Found');
  });
});

suite('who may have the dashboard in a frame', async (test, shared) => {
  const config = path.join(await tempDir(shared), 'au.conf');
  const many = Array.from({ length: 120 }, (_, i) => `https://shop-${i}.some-long-name.example`);
  await writeFile(
    config,
    [
      'allowed-origins = https://a.example, https://*.a.example:8443',
      'allowed-origins.own = http://localhost:5173',
      'allowed-origins.open = *',
      `allowed-origins.many = ${many.join(', ')}`,
    ].join('\n'),
  );
  const daemon = await startDaemon(shared, { config, 'admin-port': 0 });

  for (const [name, query, want] of [
    ['a customer: who may read of it', '?customerId=any', 'https://*.a.example:8443 https://a.example'],
    ['a customer with a list of its own', '?customerId=own&range=day', 'http://localhost:5173'],
    ['a customer that is open', '?customerId=open', '*'],
    ['an id that is escaped', '?customerId=%6Fwn', 'http://localhost:5173'],
    ['a list that is longer than a header', '?customerId=many', "'none'"],
    ['no customer', '', "'none'"],
    ['an empty customer', '?customerId=', "'none'"],
    ['a customer that is none', '?customerId=a%20b', "'none'"],
    ['two customers', '?customerId=open&customerId=own', "'none'"],
    ['an id with a directive in it', '?customerId=%3B%20script-src%20*', "'none'"],
    ['an id that is too long', `?customerId=${'a'.repeat(129)}`, "'none'"],
  ])
    test(name, async () => assert.equal(await ancestorsOf(daemon, query), want));

  test('nobody at the admin port', async () => {
    assert.equal(await ancestorsOf(daemon, '?customerId=open', daemon.adminPort), "'none'");
  });

  test('a copy that is kept has the policy of now', async () => {
    const first = await daemon.get('/dashboard?customerId=own');
    const same = await daemon.get('/dashboard?customerId=own', { 'if-none-match': first.headers.etag });
    assert.equal(same.status, 304);
    assert.equal(
      same.headers['content-security-policy'],
      first.headers['content-security-policy'],
    );
    assert.equal(first.headers['cache-control'], 'no-cache');
  });
});

suite('what the dashboard reads at the admin port', async (test, shared) => {
  const daemon = await startDaemon(shared, { 'admin-port': 0 });
  const port = daemon.adminPort;

  test('the numbers and the history of a customer', async () => {
    const beat = aBeat();
    await daemon.must('join', beat);
    for (const target of ['/metrics', '/metrics/history']) {
      const answer = await daemon.request('GET', `${target}?customerId=${beat.customerId}`, { port });
      assert.equal(answer.status, 200, target);
      assert.equal(answer.json.peak, 1, target);
    }
  });

  test('no stream: its connections are few', async () => {
    const answer = await daemon.request('GET', '/metrics/stream?customerId=a', { port });
    assertError(answer, 404, 'Not Found');
  });
});

suite('what was refused, in the details of /health', async (test) => {
  const refusedOf = async (daemon) => (await daemon.get('/health')).json.refused;

  test('zeros at first', async (t) => {
    assert.deepEqual(await refusedOf(await startDaemon(t)), {
      address: 0,
      customer: 0,
      newSessions: 0,
      connections: 0,
      blocked: 0,
      origins: 0,
      tokens: 0,
    });
  });

  test('each refusal counts under its own name, and once', async (t) => {
    const daemon = await startDaemon(t, {
      'rate-ip': 1,
      'allowed-origins': 'https://a.example',
      'token-secret': 'a secret of more than thirty-two bytes',
    });
    const customerId = freshId();
    await daemon.get(`/metrics?customerId=${customerId}`);
    assert.equal((await daemon.get(`/metrics?customerId=${customerId}`)).status, 429);
    await daemon.get(`/metrics?customerId=${customerId}`, { origin: 'https://b.example' });
    assert.equal((await daemon.post('join', aBeat())).status, 401);
    const { address, customer, origins, tokens } = await refusedOf(daemon);
    assert.deepEqual({ address, customer, origins, tokens }, { address: 1, customer: 0, origins: 1, tokens: 1 });
    const limited = await startDaemon(t, { 'rate-customer': 1, 'new-sessions-ip': 1 });
    await limited.get(`/metrics?customerId=${customerId}`);
    assert.equal((await limited.get(`/metrics?customerId=${customerId}`)).status, 429);
    assert.deepEqual((await refusedOf(limited)).customer, 1);
  });

  test('not for others than operators', async (t) => {
    const daemon = await startDaemon(t, { 'admin-token': TOKEN });
    assert.equal(await refusedOf(daemon), undefined);
  });
});

for (const store of STORES)
  suite(`customers that are searched for, ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared);
    const ids = ['north-shop', 'SHOP-2', 'shop-10', 'museum', 'a.b~c'];
    for (const [i, customerId] of ids.entries())
      for (let n = 0; n <= i; n++) await daemon.must('join', aBeat({ customerId }));
    const found = async (query) => {
      const answer = await daemon.get(`/admin/customers?${query}`);
      assert.equal(answer.status, 200, answer.text);
      return answer.json.customers.map(({ customerId }) => customerId);
    };

    for (const [name, search, want] of [
      ['a part, whatever the case of letters', 'shop', ['shop-10', 'SHOP-2', 'north-shop']],
      ['the end', 'SHOP-2', ['SHOP-2']],
      ['all of it', 'museum', ['museum']],
      ['more than all of it', 'museum-shop', []],
      ['no pattern', '.', ['a.b~c']],
      ['empty: all', '', [...ids].reverse()],
      ['nothing', 'zoo', []],
    ])
      test(`${name}: "${search}"`, async () => {
        assert.deepEqual(await found(`search=${encodeURIComponent(search)}`), want);
      });

    test('page by page', async () => {
      const first = await daemon.get('/admin/customers?search=shop&limit=2');
      assert.deepEqual(first.json.customers.map((it) => it.count), [3, 2]);
      const after = encodeURIComponent(first.json.next);
      assert.deepEqual(await found(`search=shop&limit=2&after=${after}`), ['north-shop']);
    });

    for (const search of ['a%20b', '%00', 'a*', '%3A', 'a'.repeat(129), 'a&search=b'])
      test(`search=${search.slice(0, 20)}: 400`, async () => {
        assertBadRequest(await daemon.get(`/admin/customers?search=${search}`), 'search');
      });
  });

// The SDK and the demo page as the daemon serves them: representations, validators, methods, policy.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { httpText, startDaemon, suite } from './harness.mjs';

const build = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../build/client');

const FILES = [
  ['/client.js', 'text/javascript; charset=utf-8', 'client.js'],
  ['/client.mjs', 'text/javascript; charset=utf-8', 'client.mjs'],
  ['/track.mjs', 'text/javascript; charset=utf-8', 'track.mjs'],
  ['/client.d.ts', 'text/plain; charset=utf-8', 'client.d.ts'],
  ['/', 'text/html; charset=utf-8', null],
  ['/dashboard', 'text/html; charset=utf-8', 'dashboard.html'],
];

suite('assets', async (test, shared) => {
  const daemon = await startDaemon(shared);

  for (const [target, type, file] of FILES) {
    test(`${target}: plain, packed, not modified, HEAD`, async (t) => {
      const plain = await daemon.get(target);
      assert.equal(plain.status, 200);
      assert.equal(plain.headers['content-type'], type);
      assert.equal(plain.headers['vary'], 'Accept-Encoding');
      assert.equal(plain.headers['x-content-type-options'], 'nosniff');
      // A page that is isolated (COEP) may embed it too.
      assert.equal(plain.headers['cross-origin-resource-policy'], 'cross-origin');
      assert.equal(plain.headers['content-encoding'], undefined);
      if (file !== null) assert.equal(plain.text, await readFile(path.join(build, file), 'utf8'));

      const raw = await daemon.connect(t);
      raw.send(httpText('GET', target, { headers: ['Accept-Encoding: gzip, br'] }));
      const packed = await raw.response();
      assert.equal(packed.headers['content-encoding'], 'gzip');
      assert.notEqual(packed.headers.etag, plain.headers.etag, 'two representations, two tags');
      assert.ok(Number(packed.headers['content-length']) < Number(plain.headers['content-length']) / 1.5);

      for (const [tag, encoding] of [
        [plain.headers.etag, 'identity'],
        [packed.headers.etag, 'gzip'],
      ]) {
        // On the same connection: a 304 has no body, and the next answer must stand where it ends.
        raw.send(httpText('GET', target, { headers: [`If-None-Match: ${tag}`, `Accept-Encoding: ${encoding}`] }));
        const same = await raw.response();
        assert.equal(same.status, 304);
        assert.equal(same.headers.etag, tag);
        assert.equal(same.headers['cache-control'], plain.headers['cache-control']);
        for (const name of ['content-length', 'content-type', 'content-encoding']) assert.equal(same.headers[name], undefined, name);
      }
      raw.send(httpText('GET', target, { headers: ['If-None-Match: "old"'] }));
      assert.equal((await raw.response()).status, 200);

      raw.send(httpText('HEAD', target));
      const head = await raw.response({ ofHead: true });
      assert.equal(head.status, 200);
      assert.equal(head.headers['content-length'], plain.headers['content-length']);
      raw.send(httpText('POST', target, { headers: ['Content-Length: 0'] }));
      const posted = await raw.response();
      assert.equal(posted.status, 405);
      assert.equal(posted.headers.allow, 'GET, HEAD, OPTIONS');
    });
  }

  test('packed bytes are the plain ones', async () => {
    const { get } = await import('node:http');
    const bytes = await new Promise((resolve, reject) => {
      get(
        { port: daemon.httpPort, host: '127.0.0.1', path: '/client.mjs', headers: { 'accept-encoding': 'gzip' }, agent: false },
        (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('end', () => resolve(Buffer.concat(chunks)));
        },
      ).on('error', reject);
    });
    assert.deepEqual(gunzipSync(bytes), await readFile(path.join(build, 'client.mjs')));
    assert.ok(bytes.length <= 6000, `${bytes.length} bytes`);
  });

  test('scripts are cached for an hour and readable from any page; the demo has a policy and is asked for each time', async () => {
    const script = await daemon.get('/client.js', { origin: 'https://shop.example' });
    assert.match(script.headers['cache-control'], /^public, max-age=3600/);
    assert.equal(script.headers['access-control-allow-origin'], '*');
    assert.equal(script.headers['content-security-policy'], undefined);
    const page = await daemon.get('/');
    assert.equal(page.headers['cache-control'], 'no-cache');
    assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self' 'sha256-/);
    assert.match(page.headers['content-security-policy'], /; frame-ancestors 'none'$/);
    assert.doesNotMatch(page.headers['content-security-policy'], /unsafe/);
  });

  test('a page that may not use the daemon gets no script either; other paths are 404', async (t) => {
    const closed = await startDaemon(t, { 'allowed-origins': 'https://shop.example' });
    assert.equal((await closed.get('/client.mjs', { origin: 'https://evil.example' })).status, 403);
    assert.equal((await closed.get('/client.mjs', { origin: 'https://shop.example' })).status, 200);
    for (const target of ['/client', '/client.js/', '/index.html', '/client.js.map', '//client.js'])
      assert.equal((await daemon.get(target)).status, 404, target);
  });
});

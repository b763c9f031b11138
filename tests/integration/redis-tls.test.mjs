// Redis over TLS (contract §2): what is trusted, what is not, and that all works as without.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { readFile } from 'node:fs/promises';

import {
  aBeat,
  DAEMON,
  defer,
  freePort,
  freshId,
  keyOf,
  makeAuthority,
  makeCertificate,
  run,
  Socket,
  startDaemon,
  startRedis,
  suite,
  tempDir,
  waitFor,
  waitReady,
} from './harness.mjs';

suite('Redis over TLS', async (test, shared) => {
  const dir = await tempDir(shared);
  const ours = await makeAuthority(dir, 'ours');
  const other = await makeAuthority(dir, 'other');
  const certificate = await makeCertificate(dir, 'here', ours, 'DNS:localhost,IP:127.0.0.1');

  async function startTlsRedis(t, { cert, key } = certificate, options = []) {
    const tlsPort = await freePort();
    const redis = await startRedis(t, {
      options: [
        ...['--tls-port', tlsPort, '--tls-cert-file', cert, '--tls-key-file', key],
        ...['--tls-ca-cert-file', ours.cert, '--tls-auth-clients', 'no', ...options],
      ],
    });
    return Object.assign(redis, { tlsPort, tlsUrl: `rediss://127.0.0.1:${tlsPort}` });
  }

  for (const host of ['localhost', '127.0.0.1']) {
    test(`${host}: presence, counts and messages, all through TLS`, async (t) => {
      const redis = await startTlsRedis(t, certificate, ['--requirepass', 'sesame']);
      const daemon = await startDaemon(t, {
        'redis-url': `rediss://:sesame@${host}:${redis.tlsPort}`,
        'redis-ca': ours.cert,
        'ema-interval': 100,
      });
      await waitReady(daemon);
      const client = await redis.client();
      await client.call('AUTH', 'sesame');
      const beat = aBeat();
      const watcher = await Socket.join(t, daemon.wsPort, { customerId: beat.customerId });
      await daemon.must('join', beat);
      await watcher.update((data) => data.count === 1);
      assert.equal(await client.call('EXISTS', keyOf(beat)), 1);
      const links = (await client.call('CLIENT', 'LIST'))
        .split('\n')
        .filter((line) => line.includes('name=active-users'));
      assert.equal(links.length, 2);
      for (const line of links) assert.ok(line.includes(`laddr=127.0.0.1:${redis.tlsPort}`), line);
      await daemon.assertHealthy();
    });
  }

  test('many commands at once, and answers of many records', async (t) => {
    const redis = await startTlsRedis(t);
    const daemon = await startDaemon(t, {
      'redis-url': redis.tlsUrl,
      'redis-ca': ours.cert,
      'ema-interval': 100,
    });
    await waitReady(daemon);
    const client = await redis.client();
    const [written, joined] = [freshId(), freshId()];
    const value = JSON.stringify({ userAgent: 'x'.repeat(1000) });
    await Promise.all(
      Array.from({ length: 3000 }, (_, i) =>
        client.call('SET', `presence:${written}:s${i}`, value, 'EX', 100),
      ),
    );
    await Promise.all(
      Array.from({ length: 500 }, () => daemon.must('join', aBeat({ customerId: joined }))),
    );
    assert.equal(await daemon.count(joined), 500);
    await daemon.waitCount(written, 3000);
  });

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    test(`a server of ${version} alone`, async (t) => {
      const redis = await startTlsRedis(t, certificate, ['--tls-protocols', version]);
      const daemon = await startDaemon(t, { 'redis-url': redis.tlsUrl, 'redis-ca': ours.cert });
      await waitReady(daemon);
      await daemon.must('join', aBeat());
    });
  }

  test("without redis-ca the system's store is used, wherever OpenSSL is told that it is", async (t) => {
    const redis = await startTlsRedis(t);
    const daemon = await startDaemon(
      t,
      { 'redis-url': redis.tlsUrl },
      { SSL_CERT_FILE: ours.cert },
    );
    await waitReady(daemon);
    await daemon.must('join', aBeat());
  });

  test('a Redis that restarts or stands still is found again', async (t) => {
    const redis = await startTlsRedis(t);
    const daemon = await startDaemon(t, { 'redis-url': redis.tlsUrl, 'redis-ca': ours.cert });
    await waitReady(daemon);
    const joins = async () =>
      waitFor('a join to be in Redis', async () => {
        const beat = aBeat();
        await daemon.post('join', beat);
        return (await redis.client()).call('EXISTS', keyOf(beat));
      });
    await redis.crash();
    await redis.start();
    await joins();
    redis.freeze();
    await waitFor('the daemon to notice', async () => {
      await daemon.post('join', aBeat());
      return (await daemon.get('/health')).json.status === 'degraded';
    });
    redis.thaw();
    await joins();
  });

  const distrusted = 'the certificate of redis is not trusted';
  /** What must not be talked to: where the daemon is sent, with which CA, and the reason it gives. */
  const refused = {
    'an authority that nobody here trusts': async (t) => ({
      url: (await startTlsRedis(t)).tlsUrl,
      reason: distrusted,
    }),
    'another authority than ours': async (t) => ({
      url: (await startTlsRedis(t)).tlsUrl,
      ca: other.cert,
      reason: distrusted,
    }),
    'a certificate for another name': async (t) => {
      const elsewhere = await makeCertificate(dir, 'name', ours, 'DNS:elsewhere.example');
      const { tlsPort } = await startTlsRedis(t, elsewhere);
      return { url: `rediss://localhost:${tlsPort}`, ca: ours.cert, reason: distrusted };
    },
    'a certificate for another address': async (t) => {
      const elsewhere = await makeCertificate(dir, 'address', ours, 'DNS:localhost,IP:192.0.2.1');
      return {
        url: (await startTlsRedis(t, elsewhere)).tlsUrl,
        ca: ours.cert,
        reason: distrusted,
      };
    },
    'a certificate that has expired': async (t) => {
      const old = await makeCertificate(dir, 'old', ours, 'IP:127.0.0.1', 0);
      await waitFor('its end', async () => {
        const end = await run('openssl', ['x509', '-in', old.cert, '-noout', '-checkend', '0']);
        return end.code !== 0;
      });
      return { url: (await startTlsRedis(t, old)).tlsUrl, ca: ours.cert, reason: distrusted };
    },
    'a port without TLS': async (t) => ({
      url: (await startRedis(t)).url.replace('redis:', 'rediss:'),
      ca: ours.cert,
      reason: 'redis does not agree on TLS: without TLS the scheme is redis://',
    }),
    'a server that wants a certificate of ours': async (t) => ({
      url: (await startTlsRedis(t, certificate, ['--tls-auth-clients', 'yes'])).tlsUrl,
      ca: ours.cert,
      reason: 'the link to redis was lost', // TLS 1.3 lets the client talk before it is refused
    }),
    'a port with TLS, and a URL without': async (t) => ({
      url: (await startTlsRedis(t)).tlsUrl.replace('rediss:', 'redis:'),
      reason: 'the link to redis was lost',
    }),
    'a server that never ends its handshake': async (t) => {
      const peers = new Set();
      const server = net.createServer((socket) => peers.add(socket.on('error', () => {})));
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      defer(t, () => {
        peers.forEach((socket) => socket.destroy());
        server.close();
      });
      return {
        url: `rediss://127.0.0.1:${server.address().port}`,
        ca: ours.cert,
        reason: 'redis does not agree on TLS: without TLS the scheme is redis://',
      };
    },
  };
  for (const [what, set] of Object.entries(refused)) {
    test(`${what}: degraded, the reason, and one line of each link`, async (t) => {
      const { url, ca, reason } = await set(t);
      const daemon = await startDaemon(t, { 'redis-url': url, 'redis-ca': ca });
      const lines = () => daemon.log.filter((line) => line.event === 'connection failed');
      await waitFor('both links to say so', () => lines().length >= 2);
      const health = (await daemon.get('/health')).json;
      assert.equal(health.status, 'degraded');
      assert.equal(health.reason, reason);
      assert.deepEqual(
        lines().map((line) => line.reason),
        [reason, reason],
        daemon.stderr,
      );
    });
  }

  /** Options that stop the start: status 2 and one line. */
  const wrong = {
    'a file that is not there': ['rediss://h', '/no/such/file'],
    'a file without a certificate': ['rediss://h', `${dir}/ours.key`],
    'an authority without TLS': ['redis://h', ours.cert],
  };
  for (const [what, [url, ca]] of Object.entries(wrong)) {
    test(`redis-ca is ${what}: the daemon does not start, and says why`, async () => {
      const args = ['--http-port=0', '--ws-port=0', `--redis-url=${url}`, `--redis-ca=${ca}`];
      const result = await run(DAEMON, args);
      assert.equal(result.code, 2);
      assert.match(result.stderr, /^active-users: [^\n]*redis-ca[^\n]*\n$/);
      const key = await readFile(ours.key, 'utf8');
      assert.ok(!result.stderr.includes(key.split('\n')[1]));
    });
  }
});

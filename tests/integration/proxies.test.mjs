// The proxies of docker/proxies, each the real one with the file that docs/howto/proxies.md shows.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';

import { launchPlain } from '../browser/harness/plain.mjs';
import { aBeat, defer, freshId, startDaemon, suite, waitFor, WS_PATH } from './harness.mjs';
import { HOST, HOST_OF_ITS_OWN, missing, PROXIES, startWebProxy, textOf } from './harness/web-proxies.mjs';

const VISITOR = '127.0.0.7';
const ADMIN = 'admin-token-of-the-tests';
const TRUST = { 'trusted-proxies': '127.0.0.1' };

const page = (base, customerId) => `<!doctype html><title>shop</title><p id="count">…</p>
<script src="${base}/client.js" data-customer="${customerId}" data-target="#count" async></script>`;

/** A shop's pages at `/`; each names its customer. */
async function startSite(t, base) {
  const site = http.createServer((request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(page(base, request.url.slice(1) || 'none'));
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  defer(t, () => {
    site.closeAllConnections();
    return new Promise((resolve) => site.close(resolve));
  });
  return site.address().port;
}

const asAdmin = (daemon, target) => daemon.get(target, { authorization: `Bearer ${ADMIN}` });

/** Who the daemon takes the sessions of a customer for: the names of their addresses. */
async function addressesOf(daemon, customerId) {
  const { json } = await asAdmin(daemon, `/admin/customers/${customerId}`);
  return new Map(json.sessions.map(({ sessionId, address }) => [sessionId, address]));
}

suite(
  'proxies',
  async (test, shared) => {
    let launched;
    const browser = () =>
      (launched ??= launchPlain(shared, {
        flags: [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`],
        context: { ignoreHTTPSErrors: true },
      }));

    for (const name of Object.keys(PROXIES)) {
      const declare = (title, fn) =>
        test(`${name}: ${title}`, async (t) => {
          const reason = missing(name);
          if (reason) t.skip(reason);
          else await fn(t);
        });
      const start = async (t, options = {}, change = {}, base = PROXIES[name].base) => {
        const daemon = await startDaemon(t, { ...TRUST, ...options });
        const site = await startSite(t, PROXIES[name].base);
        return { daemon, proxy: await startWebProxy(t, name, { daemon, site, change, base }) };
      };

      declare('a person comes, is counted and goes, by requests and by a socket', async (t) => {
        const { daemon, proxy } = await start(t);
        const customerId = freshId();
        const [one, two] = [aBeat({ customerId }), aBeat({ customerId })];
        await proxy.must('join', one);
        assert.equal((await proxy.must('beat?metrics=1', one)).metrics.count, 1);
        const socket = await proxy.socket(t, two);
        await socket.update(({ count }) => count === 2);
        socket.send({ type: 'ping', timestamp: 42 });
        assert.equal((await socket.next('pong')).timestamp, 42);
        await proxy.must('leave', one);
        await socket.update(({ count }) => count === 1);
        socket.ws.close();
        await proxy.must('leave', two);
        await daemon.waitCount(customerId, 0);
        assert.equal((await proxy.request('GET', '/health')).status, 200);
        // Errors of the daemon arrive as they are.
        assert.equal((await proxy.request('POST', '/presence/join', { body: {} })).json.field, 'customerId');
        assert.equal((await proxy.request('GET', WS_PATH)).status, 426);
      });

      if (HOST_OF_ITS_OWN[name])
        declare('the same on a host of its own', async (t) => {
          const { proxy } = await start(t, {}, HOST_OF_ITS_OWN[name], '');
          const beat = aBeat();
          await proxy.must('join', beat);
          const socket = await proxy.socket(t, beat);
          await socket.update(({ count }) => count === 1);
        });

      declare("the daemon sees the visitor's address, whatever the visitor claims", async (t) => {
        const { daemon, proxy } = await start(t, { 'admin-token': ADMIN });
        const customerId = freshId();
        const beats = {
          direct: aBeat({ customerId }),
          plain: aBeat({ customerId }),
          claims: aBeat({ customerId }),
          socket: aBeat({ customerId }),
          other: aBeat({ customerId }),
        };
        const lie = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' };
        const json = { 'content-type': 'application/json' };
        await daemon.request('POST', '/presence/join', {
          ...{ body: beats.direct, from: VISITOR, headers: json },
        });
        await proxy.must('join', beats.plain, { from: VISITOR });
        await proxy.must('join', beats.claims, { from: VISITOR, headers: lie });
        await proxy.socket(t, beats.socket, { from: VISITOR, headers: lie });
        await proxy.must('join', beats.other, { from: '127.0.0.8' });
        const seen = await addressesOf(daemon, customerId);
        assert.equal(seen.size, 5);
        for (const way of ['plain', 'claims', 'socket'])
          assert.equal(seen.get(beats[way].sessionId), seen.get(beats.direct.sessionId), way);
        assert.notEqual(seen.get(beats.other.sessionId), seen.get(beats.direct.sessionId));
        const { text } = await asAdmin(daemon, '/metrics');
        assert.match(text, /^au_forwarded_disagreements_total 0$/m);
        assert.match(text, /^au_proxy_headers_malformed_total 0$/m);
      });

      declare('events arrive one by one, none is collected', async (t) => {
        const { daemon, proxy } = await start(t);
        const customerId = freshId();
        const stream = await proxy.open('GET', `/metrics/stream?customerId=${customerId}`, {
          headers: { accept: 'text/event-stream' },
        });
        assert.equal(stream.status, 200);
        assert.match(stream.headers['content-type'], /^text\/event-stream/);
        // The stream is open all the time: each event has come by itself.
        const counts = () =>
          [...stream.body.join('').matchAll(/"count":(\d+)/g)].map((match) => Number(match[1]));
        await waitFor('the first event', () => counts()[0] === 0);
        await daemon.must('join', aBeat({ customerId }));
        await waitFor('the next event', () => counts().at(-1) === 1);
        stream.close();
        await waitFor('the stream to end at the daemon', async () => {
          return (await daemon.samples()).get('au_streams') === 0;
        });
      });

      // Time-outs of 75 s as 3, and pings each second: what holds here holds for 75 and 30.
      const short = { nginx: { '75s': '3s' }, HAProxy: { '75s': '3s' } };
      short['HAProxy, PROXY protocol'] = { '80s': '3s' };
      const PING_S = 1, PINGS = 9;
      declare('a silent socket outlives the time-outs, for the daemon pings it', async (t) => {
        const { proxy, daemon } = await start(
          t,
          { 'ws-ping-interval': PING_S * 1000, 'ema-interval': 3600e3 },
          short[name],
        );
        const socket = await proxy.socket(t, aBeat());
        await waitFor('pings', () => socket.pings >= PINGS || socket.closed);
        assert.equal(socket.closed, null);
        socket.send({ type: 'ping', timestamp: 1 });
        await socket.next('pong');
        assert.equal((await daemon.samples()).get('au_websocket_sockets'), 1);
      });

      if (short[name])
        declare('without these pings it does not', async (t) => {
          const { proxy } = await start(t, { 'ema-interval': 3600e3 }, short[name]);
          const socket = await proxy.socket(t, aBeat());
          await socket.waitClose();
        });

      if (PROXIES[name].base)
        declare('a browser finds all it needs under the path', async (t) => {
          const { daemon, proxy } = await start(t);
          const customerId = freshId();
          const { page: tab } = await (await browser()).open(t, `${proxy.origin}/${customerId}`);
          await tab.waitForFunction(() => document.querySelector('#count').textContent === '1');
          const sockets = async () => (await daemon.samples()).get('au_websocket_sockets');
          await waitFor('its socket', async () => (await sockets()) === 1);
          await daemon.must('join', aBeat({ customerId }));
          await tab.waitForFunction(() => document.querySelector('#count').textContent === '2');
          await tab.close({ runBeforeUnload: true });
          await daemon.waitCount(customerId, 1);
        });
    }

    test('a proxy keeps connections for less long than the daemon', async () => {
      const options = await readFile(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8');
      const idle_s = Number(/--idle-timeout MS[^\n]*?\| `(\d+)` \|/.exec(options)[1]) / 1000;
      const kept = {
        nginx: /keepalive_timeout (\d+)s/,
        HAProxy: /pool-purge-delay (\d+)s/,
        Caddy: /keepalive (\d+)s/,
      };
      for (const [name, pattern] of Object.entries(kept)) {
        const [, kept_s] = pattern.exec(await textOf(name));
        assert.ok(Number(kept_s) < idle_s, `${name}: ${kept_s} s of ${idle_s}`);
      }
    });

    test('the how-to shows each file as it is', async () => {
      const how = await readFile(new URL('../../docs/howto/proxies.md', import.meta.url), 'utf8');
      for (const name of Object.keys(PROXIES)) assert.ok(how.includes(await textOf(name)), name);
    });
  },
  { concurrency: 2 },
);

// HTTP and WebSocket by the letter (contract §3 and §4): all cases of tests/conformance, on both
// ports where they apply. `make conformance` runs them against other servers as well.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { casesOf, runCases } from '../conformance/suite.mjs';
import { startDaemon, suite } from './harness.mjs';

suite('conformance', async (test, shared) => {
  // Cases of HTTP wait for its end; of WebSocket none does, and a handshake byte by byte may take long.
  const startWith = (headerTimeout) =>
    startDaemon(shared, { 'header-timeout': headerTimeout, 'max-connections-ip': 0 });
  const [hasty, patient] = [await startWith(6000), await startWith(60_000)];
  const ws = '/ws/active-users';
  const targets = {
    'HTTP/1.1': ['http', hasty, { port: hasty.httpPort, path: '/health', post: '/presence/join' }],
    'WebSocket on ws-port': ['websocket', patient, { port: patient.wsPort, path: ws }],
    'WebSocket on http-port': ['websocket', patient, { port: patient.httpPort, path: ws }],
  };
  for (const [name, [kind, daemon, where]] of Object.entries(targets)) {
    test(`${name}: every case`, async () => {
      const target = { host: '127.0.0.1', name: 'localhost', ...where };
      const results = await runCases(kind, target, casesOf(kind), { strict: true });
      const faults = results.filter(({ fault }) => fault);
      assert.deepEqual(
        faults.map(({ test: one, fault }) => `${one.rule}, ${one.name}: ${fault}`),
        [],
      );
      await daemon.assertHealthy();
    });
  }

  test('there are as many cases as docs/explanation/architecture.md says', async () => {
    const page = await readFile(new URL('../../docs/explanation/architecture.md', import.meta.url), 'utf8');
    const [, http, webSocket] = /has (\d+) cases of HTTP and (\d+) of WebSocket/.exec(page);
    assert.equal(casesOf('http').length, Number(http));
    assert.equal(casesOf('websocket').length, Number(webSocket));
  });
});

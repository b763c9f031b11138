// What Prometheus reads: both formats, every family, and a Redis that is lost.
import assert from 'node:assert/strict';

import { aBeat, assertError, run, Socket, startOn, STORES, suite, waitDegraded, waitFor, waitWhole } from './harness.mjs';

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

const ask = (daemon, accept) => daemon.get('/metrics', accept ? { accept } : {});

/** Buckets of a histogram, by their rising bounds. */
function bucketsOf(samples, name, label = '') {
  const found = [];
  for (const [key, value] of samples) {
    const bound = new RegExp(`^${name}_bucket\\{${label}le="([^"]+)"\\}$`).exec(key)?.[1];
    if (bound) found.push([bound === '+Inf' ? Infinity : Number(bound), value]);
  }
  return found;
}

function assertHistogram(samples, name, labels = '') {
  const buckets = bucketsOf(samples, name, labels && `${labels},`);
  assert.equal(buckets.length, 37, name);
  for (let i = 1; i < buckets.length; i++) {
    assert.ok(buckets[i][0] > buckets[i - 1][0], `${name}: bounds rise`);
    assert.ok(buckets[i][1] >= buckets[i - 1][1], `${name}: counts do not fall`);
  }
  const suffix = labels && `{${labels}}`;
  assert.equal(buckets.at(-1)[1], samples.get(`${name}_count${suffix}`), name);
  assert.ok(samples.get(`${name}_sum${suffix}`) >= 0, name);
  return samples.get(`${name}_count${suffix}`);
}

for (const store of STORES) {
  suite(`exposition (${store})`, async (test, shared) => {
    const daemon = await startOn(store, shared, { 'ema-interval': 100 });
    const [leader, follower] = [aBeat(), aBeat()];
    await daemon.must('join', leader);
    await daemon.must('join', { ...follower, isLeader: false });
    await daemon.must('beat', leader);
    await daemon.metrics(leader.customerId);
    await daemon.post('beat', { customerId: 'bad id' });
    const socket = await Socket.join(shared, daemon.wsPort, aBeat());
    const watcher = await Socket.join(shared, daemon.wsPort, { customerId: leader.customerId });
    await socket.update((data) => data.count === 1);
    await watcher.update((data) => data.count >= 1);

    test('promtool finds nothing in it', async () => {
      const answer = await ask(daemon);
      assert.equal(answer.headers['content-type'], TEXT);
      const { code, stdout, stderr } = await run('promtool', ['check', 'metrics'], { stdin: answer.text });
      assert.equal(code, 0, stdout + stderr);
      assert.equal(stdout + stderr, '');
    });

    test('the reader chooses the format', async () => {
      const cases = [
        ['', TEXT],
        ['*/*', TEXT],
        ['text/plain', TEXT],
        ['application/openmetrics-text', OPEN_METRICS],
        ['application/openmetrics-text;q=0', TEXT],
        ['application/openmetrics-text;q=0.3,text/plain;q=0.4', TEXT],
        ['Application/OpenMetrics-Text; version=1.0.0;q=0.5 , text/plain;q=0.25', OPEN_METRICS],
        ['text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0,*/*;q=0.1', OPEN_METRICS],
      ];
      for (const [accept, type] of cases)
        assert.equal((await ask(daemon, accept)).headers['content-type'], type, accept);
    });

    test('in OpenMetrics families of counters have no ending, and the page has an end', async () => {
      const { text } = await ask(daemon, 'application/openmetrics-text');
      assert.ok(text.endsWith('\n# EOF\n'));
      assert.match(text, /^# TYPE au_http_requests counter$/m);
      assert.match(text, /^au_http_requests_total \d+$/m);
      const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
      const names = families.map(([, name]) => name);
      assert.equal(new Set(names).size, names.length, 'each family once');
      for (const [, name, type] of families) if (type === 'counter') assert.doesNotMatch(name, /_total$/);
    });

    test('requests by route and status, with how long they took', async () => {
      const samples = await daemon.samples();
      const of = (route, code) => samples.get(`au_http_responses_total{route="${route}",code="${code}"}`) ?? 0;
      assert.equal(of('join', 200), 2);
      assert.equal(of('beat', 200), 1);
      assert.equal(of('beat', 400), 1);
      assert.ok(of('metrics', 200) >= 1);
      assert.equal(assertHistogram(samples, 'au_http_request_duration_seconds', 'route="join"'), 2);
      let answers = 0;
      for (const [name, value] of samples) if (name.startsWith('au_http_responses_total{')) answers += value;
      assert.equal(answers, samples.get('au_http_requests_total'));
      for (const name of ['au_http_received_bytes_total', 'au_http_sent_bytes_total'])
        assert.ok(samples.get(name) > 0, name);
    });

    test('sockets by what they are for, until they are gone', async (t) => {
      const modes = async () => {
        const samples = await daemon.samples();
        return ['session', 'watcher'].map((mode) => samples.get(`au_websocket_authenticated{mode="${mode}"}`));
      };
      assert.deepEqual(await modes(), [1, 1]);
      const more = await Socket.join(t, daemon.wsPort, { customerId: 'x' });
      await waitFor('one more', async () => (await modes())[1] === 2);
      more.terminate();
      await waitFor('it to go', async () => (await modes())[1] === 1);
    });

    test('loop, ticks, fan-out, process, and what the SDK says of its tab', async () => {
      const samples = await daemon.samples();
      for (const name of ['au_loop_turn_seconds', 'au_tick_duration_seconds', 'au_tick_lateness_seconds', 'au_fanout_duration_seconds'])
        assert.ok(assertHistogram(samples, name) > 0, name);
      for (const name of [
        'au_uptime_seconds', 'process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds',
        'process_max_fds', 'au_websocket_received_bytes_total', 'au_websocket_sent_bytes_total',
        'au_rate_limit_checks_total{limit="presence"}', 'au_rate_limit_checks_total{limit="reads"}',
        'au_presence_socket_beats_total', 'au_ticker_partitions_held',
      ])
        assert.ok(samples.get(name) > 0, name);
      for (const role of ['leader', 'follower'])
        assert.equal(samples.get(`au_presence_join_requests_total{role="${role}"}`), 1, role);
      assert.ok(samples.get('process_open_fds') < samples.get('process_max_fds'));
    });

    test('operations of Redis by kind; of the memory store there are none', async () => {
      const samples = await daemon.samples();
      const name = 'au_store_operation_duration_seconds';
      if (store === 'memory') {
        assert.ok(![...samples.keys()].some((key) => key.startsWith(name)));
        return;
      }
      for (const kind of ['touch', 'sample', 'save', 'publish', 'due']) {
        assert.ok(assertHistogram(samples, name, `operation="${kind}"`) > 0, kind);
        assert.equal(samples.get(`au_store_operation_errors_total{operation="${kind}"}`), 0, kind);
      }
    });

    test('a query that names no customer is 400', async () => {
      for (const query of ['custmerId=a', 'x', 'customer=a&y=1'])
        assertError(await daemon.get(`/metrics?${query}`), 400, 'Bad Request', 'customerId');
    });
  });
}

for (const store of STORES)
  suite(`exposition: customers (${store})`, async (test) => {
    test('the largest are named, the rest is one; without the option there are none', async (t) => {
      const daemon = await startOn(store, t, { 'ema-interval': 100, 'metrics-customers': 2 });
      const people = { large: 3, 'a/b': 2, small: 1, other: 4 };
      for (const [customerId, count] of Object.entries(people))
        for (let i = 0; i < count; i++) await daemon.must('join', aBeat({ customerId }));
      const of = (samples, id, name = 'au_customer_sessions') => samples.get(`${name}{customer="${id}"}`);
      await waitFor('a whole tick', async () => of(await daemon.samples(), 'other') === 5);
      const samples = await daemon.samples();
      assert.deepEqual(['large', 'a/b', 'small'].map((id) => of(samples, id)), [3, 2, undefined]);
      const smoothed = of(samples, 'large', 'au_customer_sessions_smoothed');
      assert.ok(smoothed > 0 && smoothed <= 3);
      const { code, stdout, stderr } = await run('promtool', ['check', 'metrics'], {
        stdin: (await daemon.get('/metrics')).text,
      });
      assert.equal(code, 0, stdout + stderr);
      const plain = await startOn(store, t);
      assert.ok(![...(await plain.samples()).keys()].some((name) => name.startsWith('au_customer_')));
    });
  });

suite('exposition: Redis is lost', async (test) => {
  test('the next exposition says so, and /health, and that it is back', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 100 });
    const errorsOf = (samples) =>
      ['refused', 'unreachable'].reduce((sum, kind) => sum + samples.get(`au_store_errors_total{kind="${kind}"}`), 0);
    const beat = aBeat();
    await daemon.must('join', beat);
    await waitWhole(daemon);
    const before = await daemon.samples();
    assert.equal(before.get('au_store_available'), 1);
    await daemon.redis.crash();
    await waitDegraded(daemon);
    const lost = await daemon.samples();
    assert.equal(lost.get('au_store_available'), 0);
    assert.equal(lost.get('au_store_acknowledges'), 1);
    assert.ok(errorsOf(lost) > errorsOf(before));
    const health = await daemon.get('/health');
    assert.deepEqual([health.status, health.json.status], [200, 'degraded']);
    assert.equal((await daemon.get('/ready')).status, 200);
    await daemon.must('leave', beat);
    await waitFor('hints and lost time', async () => {
      const samples = await daemon.samples();
      return samples.get('au_store_hints') === 1 && samples.get('au_store_degraded_seconds_total') >= 1;
    });
    assert.ok(await daemon.redis.start());
    await waitWhole(daemon);
    const back = await daemon.samples();
    assert.deepEqual([back.get('au_store_available'), back.get('au_store_hints')], [1, 0]);
    assert.ok(back.get('au_store_reconnects_total') > 0);
  });
});

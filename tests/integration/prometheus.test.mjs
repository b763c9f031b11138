// A real Prometheus scrapes a real daemon: the alert of a lost Redis fires, and each query of the dashboard
// for Grafana has an answer.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  defer,
  freePort,
  Process,
  run,
  Socket,
  startOn,
  suite,
  tempDir,
  waitDegraded,
  waitFor,
} from './harness.mjs';

const folder = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../docker');
const rules = path.join(folder, 'prometheus/alerts.yml');
const dashboard = JSON.parse(readFileSync(path.join(folder, 'grafana/active-users.json'), 'utf8'));
const queries = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr]));


async function startPrometheus(t, daemon) {
  const dir = await tempDir(t);
  // The rules as they are, but for how long their states must last.
  const hasty = readFileSync(rules, 'utf8').replace(/^( *for:) .*$/gm, '$1 1s');
  await writeFile(path.join(dir, 'alerts.yml'), hasty);
  await writeFile(
    path.join(dir, 'prometheus.yml'),
    `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [alerts.yml]
scrape_configs:
  - job_name: active-users
    static_configs: [{ targets: ['127.0.0.1:${daemon.adminPort}'] }]
`,
  );
  const port = await freePort();
  const server = new Process('prometheus', [
    `--config.file=${path.join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${path.join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ]);
  defer(t, async () => {
    server.kill('SIGTERM');
    await server.waitExit();
  });
  const ask = async (target) => {
    const answer = await fetch(`http://127.0.0.1:${port}${target}`).catch(() => null);
    return answer?.headers.get('content-type')?.includes('json') ? answer.json() : null;
  };
  const query = (expr) => ask(`/api/v1/query?query=${encodeURIComponent(expr)}`);
  await waitFor('a scrape', async () => {
    const up = await query('up{job="active-users"} == 1');
    return up?.data?.result.length === 1;
  });
  return { ask, query, server };
}

suite('prometheus: rules', async (test) => {
  test('promtool runs the tests of the rules', async () => {
    for (const args of [['check', 'rules', rules], ['test', 'rules', path.join(folder, 'prometheus/alerts.test.yml')]]) {
      const { code, stdout, stderr } = await run('promtool', args);
      assert.equal(code, 0, stdout + stderr);
    }
  });
});

suite("prometheus: a real one, at the operators' port", async (test) => {
  /** Each query of the dashboard, of a daemon that people come to. */
  const waitForPanels = async (t, daemon, prometheus) => {
    const socket = await Socket.join(t, daemon.wsPort, aBeat());
    await socket.update((data) => data.count === 1);
    const beat = aBeat();
    for (const [title, expr] of queries) {
      const asked = expr.replaceAll('$__rate_interval', '1m');
      await waitFor(`an answer for ${title}: ${expr}`, async () => {
        await daemon.must('join', beat);
        await daemon.must('beat', beat);
        const found = (await prometheus.query(asked))?.data?.result ?? [];
        return found.some(({ value }) => value[1] !== 'NaN');
      }, { everyMs: 200 });
    }
  };

  test('each query of the dashboard has an answer without Redis', async (t) => {
    const daemon = await startOn('memory', t, { 'ema-interval': 200, 'admin-port': 0 });
    await waitForPanels(t, daemon, await startPrometheus(t, daemon));
  });

  test('each query has an answer with Redis; then that is lost and the alert fires', async (t) => {
    const daemon = await startOn('redis', t, { 'ema-interval': 200, 'admin-port': 0 });
    const prometheus = await startPrometheus(t, daemon);
    await waitForPanels(t, daemon, prometheus);
    const operations = 'count by (operation) (au_store_operation_duration_seconds_count)';
    await waitFor('series of operations', async () => (await prometheus.query(operations))?.data?.result.length > 1);
    const firing = async () =>
      (await prometheus.ask('/api/v1/alerts')).data.alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels }) => labels.alertname);
    assert.ok(!(await firing()).includes('ActiveUsersStoreLost'));
    await daemon.redis.crash();
    await waitDegraded(daemon);
    await waitFor('the alert', async () => (await firing()).includes('ActiveUsersStoreLost'));
    assert.ok(await daemon.redis.start());
    await waitFor('its end', async () => !(await firing()).includes('ActiveUsersStoreLost'));
  });
});

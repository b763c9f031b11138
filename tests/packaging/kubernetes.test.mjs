// docker/kubernetes.yaml against the types of Kubernetes's API, and against the daemon itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { startDaemon, startRedis, suite, tempDir, waitWhole } from '../integration/harness.mjs';
import { faultsOf } from './kit/typed.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const { parseAllDocuments } = createRequire(path.join(root, 'tests/package.json'))('yaml');

const TYPES = {
  Secret: 'v1',
  Service: 'v1',
  Deployment: 'apps/v1',
  PodDisruptionBudget: 'policy/v1',
};

/** Objects as literals of their types. */
const sourceOf = (objects) =>
  objects
    .map((object, at) => {
      const { kind, apiVersion } = object;
      assert.equal(apiVersion, TYPES[kind], kind);
      return `import type { I${kind} as T${at} } from 'kubernetes-models/${apiVersion}';
export const object${at}: T${at} = ${JSON.stringify(object)};`;
    })
    .join('\n');

suite('Kubernetes', async (test) => {
  const text = await readFile(path.join(root, 'docker/kubernetes.yaml'), 'utf8');
  const objects = parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });
  const of = (kind) => objects.find((object) => object.kind === kind);
  const pod = of('Deployment').spec.template;
  const [container] = pod.spec.containers;

  test('each object is one of the API, in every field; what is none is found', async (t) => {
    assert.deepEqual(objects.map(({ kind }) => kind).sort(), Object.keys(TYPES).sort());
    const broken = (field, value) => {
      const deployment = structuredClone(of('Deployment'));
      deployment.spec.template.spec.containers[0][field] = value;
      return [deployment];
    };
    const [ours, unknown, wrong] = await faultsOf(
      t,
      ['kubernetes-models', '@kubernetes-models'],
      [objects, broken('livenessProb', {}), broken('ports', [{ containerPort: '3001' }])].map(sourceOf),
    );
    assert.equal(ours, '');
    assert.match(unknown, /livenessProb/);
    assert.match(wrong, /'string' is not assignable to type 'number'/);
  });

  test('labels and names fit together', () => {
    const { labels } = pod.metadata;
    for (const { spec } of [of('Deployment'), of('PodDisruptionBudget')])
      assert.deepEqual(spec.selector.matchLabels, labels);
    assert.deepEqual(of('Service').spec.selector, labels);
    const [port] = container.ports;
    for (const name of [
      of('Service').spec.ports[0].targetPort,
      container.readinessProbe.httpGet.port,
      container.livenessProbe.httpGet.port,
    ])
      assert.equal(name, port.name);
    const [volume] = pod.spec.volumes;
    assert.equal(volume.secret.secretName, of('Secret').metadata.name);
    assert.equal(container.volumeMounts[0].name, volume.name);
  });

  test('the daemon takes the variables, and answers the probes', async (t) => {
    const redis = await startRedis(t);
    const file = path.join(await tempDir(t), Object.keys(of('Secret').stringData)[0]);
    await writeFile(file, redis.url, { mode: 0o440 });
    const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
    const { mountPath } = container.volumeMounts[0];
    assert.equal(env.AU_REDIS_URL_FILE, `${mountPath}/${path.basename(file)}`);
    const daemon = await startDaemon(t, {}, { ...env, AU_REDIS_URL_FILE: file });
    await waitWhole(daemon);
    for (const probe of [container.readinessProbe, container.livenessProbe])
      assert.equal((await daemon.get(probe.httpGet.path)).status, 200);
    assert.deepEqual(
      daemon.log.filter(({ event }) => event.includes('no setting')),
      [],
    );
  });

  test('the port is the daemon’s, and its stop has the time it needs', async () => {
    const shown = spawnSync(path.join(root, 'build/active-users'), ['--print-config'], { encoding: 'utf8' });
    const setting = (name) => Number(new RegExp(`^${name} += (\\d+)`, 'm').exec(shown.stdout)[1]);
    assert.equal(container.ports[0].containerPort, setting('http-port'));
    const stop_s = container.lifecycle.preStop.sleep.seconds + setting('drain') / 1000 + 2;
    assert.ok(pod.spec.terminationGracePeriodSeconds > stop_s);
  });
});

// docker/grafana beside what Grafana takes: the dashboard by the types that Grafana publishes, provisioning
// files by schemas of their documented fields, and both beside compose.yaml. Grafana itself is not run.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { suite } from '../integration/harness.mjs';
import { faultsOf } from './kit/typed.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const docker = path.resolve(here, '../../docker');
const ours = createRequire(path.resolve(here, '../package.json'));
const { parse } = ours('yaml');
const { default: Ajv } = ours('ajv');

const yaml = async (file) => parse(await readFile(path.join(docker, file), 'utf8'));
const json = async (file) => JSON.parse(await readFile(file, 'utf8'));

/** Grafana's types leave targets and options open, because each kind of source and panel has its own. */
const typed = (dashboard) => `
import type { Dashboard, DataQuery, DataSourceRef, FieldConfigSource, Panel, VariableModel } from '@grafana/schema';
type Query = DataQuery & { expr: string; legendFormat?: string; instant?: boolean; range?: boolean };
type Shown = Omit<Panel, 'targets' | 'options' | 'datasource' | 'type'> & {
  type: 'stat' | 'timeseries';
  datasource: DataSourceRef;
  fieldConfig: FieldConfigSource;
  targets: Query[];
  options: Record<string, never>;
};
type Whole = Omit<Dashboard, 'panels' | 'templating'> & { panels: Shown[]; templating: { list: VariableModel[] } };
export const dashboard: Whole = ${JSON.stringify(dashboard)};`;

suite('Grafana', async (test) => {
  const dashboard = await json(path.join(docker, 'grafana/active-users.json'));
  const { services } = await yaml('compose.yaml');
  const ajv = new Ajv({ strict: true, allErrors: true });
  const rules = {};
  const files = [];
  for (const kind of ['datasources', 'dashboards']) {
    rules[kind] = ajv.compile(await json(path.join(here, `grafana/${kind}.schema.json`)));
    for (const name of await readdir(path.join(docker, 'grafana/provisioning', kind)))
      files.push({ kind, name, content: await yaml(`grafana/provisioning/${kind}/${name}`) });
  }
  const all = (kind, list) => files.filter((file) => file.kind === kind).flatMap(({ content }) => content[list]);

  test('the types are those of the image', async () => {
    const { version } = await json(path.join(here, 'node_modules/@grafana/schema/package.json'));
    const [, image] = /^docker\.io\/grafana\/grafana:(\d+\.\d+)\.\d+$/.exec(services.grafana.image);
    assert.equal(version.split('.').slice(0, 2).join('.'), image);
  });

  test('the dashboard is one, in every field; what is none is found', async (t) => {
    const broken = (change) => {
      const copy = structuredClone(dashboard);
      change(copy, copy.panels[0]);
      return copy;
    };
    const [good, ...bad] = await faultsOf(
      t,
      ['@grafana/schema'],
      [
        dashboard,
        broken((copy) => (copy.panel = [])),
        broken((copy, panel) => (panel.gridPos.h = '8')),
        broken((copy, panel) => (panel.fieldConfig.defaults.units = 's')),
        broken((copy, panel) => delete panel.targets[0].refId),
        broken((copy) => (copy.templating.list[0].type = 'source')),
      ].map(typed),
    );
    assert.equal(good, '');
    const words = [/"panel"/, /'string' is not assignable to type 'number'/, /"units"/, /'Query'/, /"source"/];
    for (const [i, word] of words.entries()) assert.match(bad[i], word);
  });

  test('panels have ids of their own, and lie side by side on 24 columns', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const taken = new Set();
    for (const { title, gridPos, targets } of dashboard.panels) {
      const { x, y, w, h } = gridPos;
      assert.ok(x >= 0 && x + w <= 24, title);
      for (let i = x; i < x + w; i += 1)
        for (let j = y; j < y + h; j += 1) {
          assert.ok(!taken.has(`${i},${j}`), `${title} lies on another panel`);
          taken.add(`${i},${j}`);
        }
      const refs = targets.map(({ refId }) => refId);
      assert.equal(new Set(refs).size, refs.length, title);
    }
  });

  for (const { kind, name, content } of files)
    test(`${kind}/${name}: each field is a documented one; what is none is found`, () => {
      assert.ok(rules[kind](content), JSON.stringify(rules[kind].errors));
      const [list] = Object.keys(content).filter((key) => key !== 'apiVersion');
      for (const change of [
        (copy) => (copy.apiVersion = 2),
        (copy) => (copy.version = 1),
        (copy) => delete copy[list][0].name,
        (copy) => (copy[list][0].isdefault = true),
        (copy) => (copy[list][0].type = 'prometeus'),
      ]) {
        const copy = structuredClone(content);
        change(copy);
        assert.ok(!rules[kind](copy), String(change));
      }
    });

  test('they fit to each other, and to compose.yaml', () => {
    const sources = all('datasources', 'datasources');
    assert.equal(sources.filter(({ isDefault }) => isDefault).length, 1);
    for (const { url } of sources) {
      const { hostname, port } = new URL(url);
      assert.ok(services[hostname], hostname);
      assert.equal(port, '9090'); // where Prometheus listens unless told otherwise
    }
    const types = new Set(sources.map(({ type }) => type));
    const variables = dashboard.templating.list.map(({ name }) => `\${${name}}`);
    for (const { query } of dashboard.templating.list) assert.ok(types.has(query), query);
    for (const { title, datasource } of dashboard.panels) {
      assert.ok(types.has(datasource.type), title);
      assert.ok(variables.includes(datasource.uid), title);
    }
    const mounts = services.grafana.volumes.map((volume) => volume.split(':')[1]);
    assert.ok(mounts.includes('/etc/grafana/provisioning'));
    for (const { options } of all('dashboards', 'providers'))
      assert.ok(mounts.some((mount) => path.dirname(mount) === options.path), options.path);
  });
});

// Runs the cases of HTTP or WebSocket against any server:
//   node tests/conformance/run.mjs --target host:port --kind http|websocket [--path /]
//     [--post /] [--name host] [--contract] [--all] [--only text]
// Cases of our contract are asked with --contract only; --all prints those that pass as well.
import { parseArgs } from 'node:util';

import { casesOf, runCases } from './suite.mjs';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    kind: { type: 'string' },
    path: { type: 'string' },
    post: { type: 'string' },
    name: { type: 'string', default: 'localhost' },
    contract: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const match = /^(.+):(\d+)$/.exec(values.target ?? '');
if (!match || !['http', 'websocket'].includes(values.kind)) {
  console.error(
    'usage: run.mjs --target host:port --kind http|websocket [--path /] [--contract] [--all] [--only text]',
  );
  process.exit(2);
}
const target = {
  host: match[1].replace(/^\[|\]$/g, ''),
  port: Number(match[2]),
  name: values.name,
  path: values.path ?? (values.kind === 'http' ? '/health' : '/ws/active-users'),
  post: values.post ?? values.path ?? '/presence/join',
};
const cases = casesOf(values.kind)
  .filter((test) => values.contract || !test.contract)
  .filter((test) => !values.only || test.name.includes(values.only));
const results = await runCases(values.kind, target, cases, { strict: values.contract });
for (const { test, fault } of results)
  if (fault || values.all)
    console.log(
      `${fault ? 'FAIL' : 'ok  '}  ${test.rule.padEnd(16)}  ${test.name}${fault ? `: ${fault}` : ''}`,
    );
const failed = results.filter(({ fault }) => fault).length;
console.log(`${results.length - failed} of ${results.length} ${values.kind} cases passed`);
process.exit(failed ? 1 : 0);

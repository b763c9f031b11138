// The list of known bots as the daemon's table has it, and what the SDK says of a driven browser.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import { Browser } from './harness/browser.mjs';
import { startIn } from './harness/sdk.mjs';
import { botsSource, expand, needlesOf } from '../../src/client/bots.mjs';

const require = createRequire(new URL('../../src/client/package.json', import.meta.url));
const list = require('crawler-user-agents');
const needles = needlesOf(list);

const isBot = (agent) =>
  needles.some(({ text, begins, ends }) => {
    if (begins && ends) return agent === text;
    if (begins) return agent.startsWith(text);
    return ends ? agent.endsWith(text) : agent.includes(text);
  });

for (const [pattern, expected] of [
  ['Googlebot\\/', ['Googlebot/']],
  ['[wW]get', ['wget', 'Wget']],
  ['(^| )sentry\\/', ['\x02sentry/', ' sentry/']],
  ['S[eE]m(rush|Rush)?X$', ['SemrushX\x03', 'SemRushX\x03', 'SemX\x03', 'SEmrushX\x03', 'SEmRushX\x03', 'SEmX\x03']],
  ['A\\d+\\.B[\\s\\S]*C', ['A\0\0.B\0C']],
  ['a|b', ['a', 'b']],
])
  test(`${pattern} stands for these texts`, () => {
    assert.deepEqual(expand(pattern).sort(), [...expected].sort());
  });

for (const pattern of ['a{2}', '(?<!x)bot', 'a(b', '[ab', '\\bbot'])
  test(`${pattern} is more than it reads, and ends the build`, () => {
    assert.throws(() => expand(pattern));
  });

test('every user agent that the list gives for a bot is one; programs that only fetch are not', () => {
  const people = ['AP3A\\.240617\\.008', 'Code\\/1\\.', 'Notion\\/', 'ds9'];
  for (const { pattern, tags = [], instances = [] } of list) {
    if (tags.includes('http-library') || people.includes(pattern)) continue;
    for (const agent of instances) assert.ok(isBot(agent), `${pattern}: ${agent}`);
  }
  for (const agent of ['curl/8.5.0', 'okhttp/4.12.0', 'node', 'python-requests/2.32'])
    assert.ok(!isBot(agent), agent);
});

test('the table is the same for the same list, and no bucket holds a beat up', () => {
  const source = botsSource(list);
  assert.equal(source, botsSource(list));
  const buckets = /bots_buckets\[.*\] = \{([^}]*)\}/.exec(source)[1].split(',').filter((n) => n.trim()).map(Number);
  assert.equal(buckets.at(-1), needles.length);
  const longest = Math.max(...buckets.slice(1).map((first, i) => first - buckets[i]));
  assert.ok(longest <= 64, `${longest} needles in one bucket`);
});

async function told(driven, config, faults = {}) {
  const browser = new Browser();
  Object.assign(browser.server.faults, faults);
  const tab = browser.tab();
  if (driven !== undefined) tab.scope.navigator.webdriver = driven;
  const it = await startIn(tab, config);
  await it.ready;
  const { said, requests } = browser.server;
  return config?.enableWebSocket === false
    ? requests.map(({ body }) => body)
    : said.map(({ message }) => message);
}

for (const [way, config] of [
  ['the socket', {}],
  ['polling', { enableWebSocket: false }],
])
  test(`a driven browser says so by ${way}, and no other browser says anything of it`, async () => {
    assert.equal((await told(true, config))[0].webdriver, true);
    for (const driven of [false, undefined])
      assert.ok(!('webdriver' in (await told(driven, config))[0]));
  });

test('a watcher is nobody, so it does not say it', async () => {
  assert.ok(!('webdriver' in (await told(true, { watch: true }))[0]));
});

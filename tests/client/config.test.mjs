// Wrong options: init() rejects with what to fix. Right ones: defaults and derived URLs.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser } from './harness/browser.mjs';
import { ActiveUsersClient, CONFIG, load } from './harness/sdk.mjs';

const { resolveConfig } = await load('modules/config.js');

const WRONG = [
  ['no options', undefined, /customerId must be/],
  ['no customerId', { apiUrl: CONFIG.apiUrl }, /customerId must be/],
  ['an empty customerId', { customerId: '' }, /customerId must be/],
  ['a customerId with a colon', { customerId: 'a:b' }, /customerId must be a string like .*1,128/],
  ['a customerId of 129', { customerId: 'x'.repeat(129) }, /customerId must be a string like .*1,128/],
  ['a customerId that is a number', { ...CONFIG, customerId: 123 }, /customerId must be a string/],
  ['a customerId that is null', { ...CONFIG, customerId: null }, /customerId must be a string/],
  ['no apiUrl', { customerId: 'shop' }, /apiUrl must be a URL like https:.*undefined/],
  ['a relative apiUrl', { apiUrl: '/api' }, /apiUrl must be a URL .*not \/api/],
  ['apiUrl of a socket', { apiUrl: 'ws://a' }, /apiUrl must be a URL like https:/],
  ['apiUrl of a file', { apiUrl: 'file:///a' }, /apiUrl must be/],
  ['websocketUrl over http', { websocketUrl: 'http://a' }, /websocketUrl must be a URL like wss:/],
  ['no way to connect', { ...CONFIG, enableWebSocket: false, enablePolling: false }, /needs enableWebSocket or enablePolling/],
];

for (const [name, options, message] of WRONG) {
  test(`init() rejects ${name}`, async () => {
    const given =
      options && 'customerId' in options ? options : options && { ...CONFIG, ...options };
    if (name === 'no customerId') delete given.customerId;
    const tab = new Browser().tab();
    const client = new ActiveUsersClient(given, tab.scope); // the constructor never throws
    await assert.rejects(client.init(), (error) => {
      assert.match(error.message, /^active-users: /);
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(client.getMetrics(), null);
    client.destroy();
  });
}

const RIGHT = [
  [
    'the reference snippet',
    { websocketUrl: 'ws://localhost:3003/ws/active-users' },
    { websocketUrl: 'ws://localhost:3003/ws/active-users' },
  ],
  ['websocketUrl from http', {}, { websocketUrl: 'ws://api.test:3001/ws/active-users' }],
  [
    'websocketUrl from https',
    { apiUrl: 'https://a.example/' },
    { apiUrl: 'https://a.example', websocketUrl: 'wss://a.example/ws/active-users' },
  ],
  [
    'an apiUrl below a path',
    { apiUrl: 'https://a.example/au/?x#y' },
    { apiUrl: 'https://a.example/au', websocketUrl: 'wss://a.example/au/ws/active-users' },
  ],
  [
    'a host that holds the word http',
    { apiUrl: 'https://http.example' },
    { websocketUrl: 'wss://http.example/ws/active-users' },
  ],
  [
    'defaults',
    {},
    {
      foregroundHeartbeatInterval: 30000,
      backgroundHeartbeatInterval: 60000,
      heartbeatTimeout: 180000,
      emaAlpha: 0.2,
      emaWindowSize: 20,
      pollingInterval: 30000,
      enableWebSocket: true,
      enablePolling: true,
      storage: 'local',
      watch: false,
    },
  ],
  [
    'undefined and null stand for the default',
    { pollingInterval: undefined, emaAlpha: null },
    { pollingInterval: 30000, emaAlpha: 0.2 },
  ],
  [
    'NaN, 0 and below are no intervals',
    { pollingInterval: NaN, foregroundHeartbeatInterval: 0, heartbeatTimeout: -1 },
    { pollingInterval: 30000, foregroundHeartbeatInterval: 30000, heartbeatTimeout: 180000 },
  ],
  [
    'a number out of its range becomes the nearest in it',
    {
      foregroundHeartbeatInterval: 0.001,
      backgroundHeartbeatInterval: Number.MAX_VALUE,
      heartbeatTimeout: 2 ** 31,
      pollingInterval: Infinity,
      emaAlpha: 1.5,
      emaWindowSize: 0.5,
    },
    {
      foregroundHeartbeatInterval: 100,
      backgroundHeartbeatInterval: 86_400_000,
      heartbeatTimeout: 86_400_000,
      pollingInterval: 86_400_000,
      emaAlpha: 1,
      emaWindowSize: 1,
    },
  ],
  ['so does a window', { emaWindowSize: 1e9 }, { emaWindowSize: 1000 }],
  [
    'numbers as text, as from an attribute',
    { pollingInterval: '5000', emaAlpha: 'half' },
    { pollingInterval: 5000, emaAlpha: 0.2 },
  ],
  ['false stays false', { enablePolling: false }, { enablePolling: false }],
];

for (const [name, options, expected] of RIGHT) {
  test(`config: ${name}`, () => {
    const config = resolveConfig({ ...CONFIG, ...options });
    for (const [key, value] of Object.entries(expected)) assert.equal(config[key], value, key);
  });
}

test('options given are not changed', () => {
  const given = Object.freeze({ ...CONFIG });
  resolveConfig(given);
});

// Whose pages may (contract §2 allowed-origins): one table for requests, reads and sockets.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import {
  aBeat,
  assertError,
  DAEMON,
  freshId,
  PORTS,
  run,
  Socket,
  startDaemon,
  startOn,
  STORES,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

/** Each row of the table has customers of its own, since rows run side by side. */
const settings = (rows) => {
  const lines = rows.map(
    (_, row) => `allowed-origins.own${row} = https://own.example
allowed-origins.below${row} = https://*.below.example:8443, app://phone
allowed-origins.open${row} = *
`,
  );
  return `allowed-origins = https://shop.example, https://*.shop.example, http://localhost:8080
${lines.join('')}`;
};

/** Origin; for which customers it may: `all` is any that has no list of its own. */
const MATRIX = [
  [undefined, ['all', 'own', 'below', 'open']],
  ['https://shop.example', ['all', 'open']],
  ['https://www.shop.example', ['all', 'open']],
  ['https://a.b.shop.example', ['all', 'open']],
  ['http://localhost:8080', ['all', 'open']],
  ['https://own.example', ['own', 'open']],
  ['https://a.below.example:8443', ['below', 'open']],
  ['https://a.b.below.example:8443', ['below', 'open']],
  ['app://phone', ['below', 'open']],
  ...[
    'https://below.example:8443',
    'https://a.below.example',
    'https://a.below.example:8444',
    'https://www.own.example',
    'http://shop.example',
    'http://www.shop.example',
    'https://www.shop.example:8443',
    'https://shop.example:444',
    'https://shop.example.evil.example',
    'https://evilshop.example',
    'https://.shop.example',
    'https://evil.example/.shop.example',
    'https://evil.example@www.shop.example',
    'https://*.shop.example',
    'https://SHOP.example',
    'http://localhost',
    'http://localhost:80800',
    'null',
    '*',
    `https://${'a.'.repeat(600)}shop.example`,
  ].map((origin) => [origin, ['open']]),
];
/** What is read of a customer. An allowed stream would not end, so of that the head alone. */
const reads = (customerId, allowed) => [
  ['GET', `/metrics?customerId=${customerId}`],
  ['GET', `/metrics/history?customerId=${customerId}`],
  ['GET', `/badge/${customerId}.json`],
  [allowed ? 'HEAD' : 'GET', `/metrics/stream?customerId=${customerId}`],
];
const CUSTOMERS = ['all', 'own', 'below', 'open'];
const short = (origin = 'no page') => (origin.length > 60 ? `${origin.slice(0, 60)}…` : origin);

const fileWith = async (t, text) => {
  const file = path.join(await tempDir(t), 'conf');
  await writeFile(file, text);
  return file;
};

for (const store of STORES)
  suite(`origins on ${store}`, async (test, shared) => {
    const config = await fileWith(shared, settings(MATRIX));
    const daemon = await startOn(store, shared, { config });
    const cors = (answer) =>
      Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));

    const ask = async (customerId, headers, allowed) => {
      const beat = aBeat({ customerId });
      const answers = [];
      for (const [method, target] of reads(customerId, allowed))
        answers.push(await daemon.request(method, target, { headers }));
      for (const action of ['join', 'beat', 'leave'])
        answers.push(await daemon.post(action, beat, { ...headers, 'content-type': 'text/plain' }));
      for (const answer of answers) {
        assert.match(answer.headers.vary, /\bOrigin\b/, 'a cache keeps origins apart');
        if (allowed) {
          assert.equal(answer.status, 200, answer.text);
          assert.equal(answer.headers['access-control-allow-origin'], '*');
        } else {
          assertError(answer, 403, 'Forbidden');
          assert.match(answer.json.message, /may not use this customer: .* allowed-origins/);
          assert.deepEqual(cors(answer), [], 'a page reads nothing of it');
        }
      }
    };

    const connect = async (t, port, customerId, headers, allowed) => {
      for (const who of [aBeat({ customerId }), { customerId }]) {
        const socket = await Socket.open(t, port, { headers });
        socket.send({ type: 'auth', ...who });
        if (allowed) {
          await socket.next('hello');
          await socket.update();
          if (who.sessionId) assert.equal((await daemon.post('leave', who)).status, 200);
          socket.terminate();
        } else {
          assert.match((await socket.next('error')).message, /allowed-origins/);
          const { code, reason } = await socket.waitClose();
          assert.equal(code, 4403);
          assert.match(reason, /pages of this origin may not use this customer/);
          assert.deepEqual(socket.updates, [], 'it heard no count');
        }
      }
    };

    MATRIX.forEach(([origin, may], row) =>
      test(`${short(origin)} may for ${may.join(', ')}`, async (t) => {
        const headers = origin === undefined ? {} : { origin };
        for (const name of CUSTOMERS) {
          const customerId = `${name}${row}`;
          await ask(customerId, headers, may.includes(name));
          for (const port of PORTS)
            await connect(t, daemon[port], customerId, headers, may.includes(name));
          await daemon.waitCount(customerId, 0);
        }
      }),
    );
  });

suite('origins of customers', async (test, shared) => {
  const lists = `allowed-origins = https://shop.example
allowed-origins.own = https://own.example, https://*.own.example
`;
  const config = await fileWith(shared, lists);
  const daemon = await startDaemon(shared, { config });

  test('each refusal is counted, by its head or once the customer is known', async (t) => {
    const own = await startDaemon(t, { config });
    const count = async () => (await own.samples()).get('au_origins_refused_total');
    const evil = { origin: 'https://evil.example' };
    const headers = { origin: 'https://own.example' };
    const answer = await own.post('join', '{', evil);
    assertError(answer, 403, 'Forbidden'); // the body was not parsed
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    assert.equal(answer.headers.vary, 'Origin');
    await assert.rejects(Socket.open(t, own.wsPort, { headers: evil }), { status: 403 });
    assert.equal(await count(), 2);
    const other = await own.post('join', aBeat(), { ...headers, 'content-type': 'text/plain' });
    assert.equal(other.status, 403);
    const socket = await Socket.open(t, own.httpPort, { headers });
    socket.send({ type: 'auth', ...aBeat() });
    assert.equal((await socket.waitClose()).code, 4403);
    assert.equal(await count(), 4);
  });

  test('preflights and scripts are for the pages of every customer', async () => {
    for (const origin of ['https://shop.example', 'https://own.example', 'https://www.own.example']) {
      const headers = { origin, 'access-control-request-method': 'POST' };
      const preflight = await daemon.request('OPTIONS', '/presence/join', { headers });
      assert.equal(preflight.headers['access-control-allow-origin'], origin);
      assert.equal((await daemon.get('/nothing', { origin })).headers.vary, 'Origin');
      const script = await daemon.get('/client.mjs', { origin });
      assert.equal(script.headers['access-control-allow-origin'], origin);
    }
    const evil = await daemon.request('OPTIONS', '/presence/join', {
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(evil.headers['access-control-allow-origin'], undefined);
  });

  test('an allowed answer names the page, not everybody', async () => {
    const origin = 'https://www.own.example';
    const beat = aBeat({ customerId: 'own' });
    const answer = await daemon.post('join', beat, { origin, 'content-type': 'text/plain' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], origin);
    assert.equal(answer.headers.vary, 'Origin');
  });

  test('the upgrade and the first message may come in one piece', async (t) => {
    for (const [customerId, code] of [['own', undefined], [freshId(), 4403]]) {
      const socket = await Socket.open(t, daemon.wsPort, {
        headers: { origin: 'https://own.example' },
      });
      const who = aBeat({ customerId });
      socket.send({ type: 'auth', ...who });
      socket.send({ type: 'auth', ...who });
      if (code) assert.equal((await socket.waitClose()).code, code);
      else assert.match((await socket.next('error')).message, /already authenticated/);
    }
  });

  test('a socket that was refused for one customer has no second try', async (t) => {
    const socket = await Socket.open(t, daemon.wsPort, {
      headers: { origin: 'https://own.example' },
    });
    socket.send({ type: 'auth', ...aBeat() });
    socket.send({ type: 'auth', ...aBeat({ customerId: 'own' }) });
    assert.equal((await socket.waitClose()).code, 4403);
    assert.equal(socket.inbox.all.filter(({ type }) => type === 'hello').length, 0);
  });

  test('SIGHUP takes a list over, for a socket without auth too; a wrong one changes nothing', async (t) => {
    const file = await fileWith(t, lists);
    const live = await startDaemon(t, { config: file });
    const reload = async (text, event) => {
      const seen = () => live.log.filter((line) => line.event === event).length;
      const before = seen();
      await writeFile(file, text);
      live.signal('SIGHUP');
      await waitFor(event, () => seen() > before);
    };
    const status = async (customerId, origin) =>
      (await live.post('join', aBeat({ customerId }), { origin, 'content-type': 'text/plain' })).status;
    assert.equal(await status('own', 'https://own.example'), 200);
    const socket = await Socket.open(t, live.wsPort, { headers: { origin: 'https://own.example' } });
    await reload(lists.replace('own = https://own.example', 'own = https://new.example'), 'reloaded');
    assert.equal(await status('own', 'https://own.example'), 403);
    assert.equal(await status('own', 'https://new.example'), 200);
    socket.send({ type: 'auth', ...aBeat({ customerId: 'own' }) });
    assert.equal((await socket.waitClose()).code, 4403);
    await reload('allowed-origins.own = https://own.example/\n', 'not reloaded');
    assert.equal(await status('own', 'https://new.example'), 200);
    const { error } = live.log.findLast(({ event }) => event === 'not reloaded');
    assert.ok(error.startsWith(`${file}:1: allowed-origins.own: "https://own.example/": `), error);
  });

  /** What no browser sends, and a word of the reason. */
  const NEVER = [
    ['https://shop.example/', 'slash'],
    ['https://shop.example/app', 'path'],
    ['shop.example', 'https://shop.example'],
    ['*.shop.example', 'https://*.shop.example'],
    ['https://*', 'star'],
    ['https://www.*.example', 'star'],
    ['https://shop*.example', 'star'],
    ['https://Shop.example', 'small letters'],
    ['HTTPS://shop.example', 'small letters'],
    ['https://shop.example:443', 'leave out'],
    ['https://shop.example:', 'port'],
    ['wss://shop.example', 'http'],
    ['null', 'no origin'],
    ['https://café.example', 'Punycode'],
    ['http://[0::1]', 'shortest'],
  ];
  for (const [item, word] of NEVER)
    test(`${item} stops the start, for all and for one customer`, async (t) => {
      const free = ['--http-port=0', '--ws-port=0'];
      const good = 'https://good.example';
      const shown = item.replace(/[^ -~]/g, '??');
      const complaint = async (...args) => {
        const { code, stderr } = await run(DAEMON, [...free, ...args]);
        assert.equal(code, 2, stderr);
        assert.equal(stderr.trim().split('\n').length, 1, stderr);
        assert.ok(stderr.includes(`"${shown}": `), stderr);
        assert.ok(stderr.includes(word), stderr);
        assert.ok(!stderr.includes(good), 'it names the wrong item alone');
        return stderr;
      };
      const flag = await complaint(`--allowed-origins=${good},${item}`);
      assert.match(flag, /^active-users: --allowed-origins: "/);
      const file = await fileWith(t, `drain = 1\nallowed-origins.shop = ${item}, ${good}\n`);
      const line = await complaint(`--config=${file}`);
      assert.ok(line.includes(`${file}:2: allowed-origins.shop: "`), line);
    });

  test('--print-config shows the lists of customers', async () => {
    const { stdout } = await run(DAEMON, ['--print-config', `--config=${config}`]);
    assert.match(stdout, /allowed-origins\.own = .*https:\/\/own\.example, https:\/\/\*\.own\.example/);
  });
});

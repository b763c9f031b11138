// Mistakes that people make, and the words they get: what is wrong, where, and what to write.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

import {
  aBeat,
  DAEMON,
  defer,
  freePort,
  freshId,
  OPCODE,
  RawSocket,
  run,
  Process,
  Socket,
  startCluster,
  startDaemon,
  startRedis,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

const FREE = ['--http-port=0', '--ws-port=0'];
const JSON_BODY = { 'content-type': 'application/json' };

suite('mistakes at the start', async (test, shared) => {
  const dir = await tempDir(shared);
  const fileWith = async (text) => {
    const file = path.join(dir, freshId('conf'));
    await writeFile(file, text);
    return file;
  };
  /** One line on stderr, and nothing on stdout. */
  const complaint = async (args, env, code = 2) => {
    const result = await run(DAEMON, args, { env });
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, /^active-users: [^\n]+\n$/);
    assert.equal(result.stdout, '');
    return result.stderr.slice('active-users: '.length, -1);
  };

  const flags = [
    [
      'a flag with two letters swapped',
      ['--http-prot', '80'],
      '--http-prot: no such flag; did you mean --http-port? --help lists them',
    ],
    [
      'a flag in upper case',
      ['--HTTP-Port=80'],
      '--HTTP-Port: no such flag; did you mean --http-port? --help lists them',
    ],
    ['a flag like no other', ['--colour=red'], '--colour: no such flag; --help lists them'],
    [
      'a port without its flag',
      ['8080'],
      'argument 1 is not a flag: a setting is --name value; --help lists them',
    ],
    ['a port that is a word', ['--http-port', 'abc'], '--http-port: abc is not a whole number'],
    [
      'a port that is too high',
      ['--http-port=99999'],
      '--http-port: 99999 is out of range (0 to 65535)',
    ],
    [
      'a level that is none',
      ['--log-level', 'verbose'],
      '--log-level: verbose is not one of error, warn, info, debug',
    ],
    [
      'a Redis without its scheme',
      [...FREE, '--redis-url=localhost:6379'],
      '--redis-url: must begin with redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://; you gave a host and a port alone',
    ],
    [
      'a Redis by http',
      [...FREE, '--redis-url=http://localhost'],
      '--redis-url: must begin with redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://; you gave http://',
    ],
    [
      'a wildcard without its scheme',
      [...FREE, '--allowed-origins=https://a.example, *.shop.example'],
      '--allowed-origins: "*.shop.example": an origin is scheme://host or scheme://host:port, as in https://shop.example or https://*.shop.example',
    ],
    [
      'an origin with a slash',
      [...FREE, '--allowed-origins=https://shop.example/'],
      '--allowed-origins: "https://shop.example/": an origin ends with its host or port: no path, and no slash at its end',
    ],
    [
      'a host that is a name',
      [...FREE, '--host=nowhere'],
      '--host: cannot listen on host nowhere, port 0: not an IPv4 or IPv6 address',
    ],
  ];
  for (const [what, args, says] of flags)
    test(what, async () => assert.equal(await complaint(args), says));

  for (const flag of ['-h', 'help', '--help'])
    test(`${flag} prints every scheme of a Redis, and three examples`, async () => {
      const { code, stdout, stderr } = await run(DAEMON, [flag]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      for (const scheme of [
        'redis://',
        'rediss://',
        'unix://',
        'redis+sentinel://',
        'redis+cluster://',
      ])
        assert.ok(stdout.includes(`    ${scheme}`), scheme);
      assert.equal(stdout.split('\nExamples\n')[1].trimEnd().split('\n').length, 3);
    });

  test('a wrong variable is named', async () => {
    const says = await complaint([], { AU_HTTP_PORT: 'x' });
    assert.equal(says, 'AU_HTTP_PORT: x is not a whole number');
  });

  for (const flag of ['http-port', 'ws-port'])
    test(`${flag} is taken: how to see by whom`, async (t) => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      defer(t, () => server.close());
      const { port } = server.address();
      const says = await complaint(['--host=127.0.0.1', ...FREE, `--${flag}=${port}`]);
      assert.equal(
        says,
        `cannot listen on host 127.0.0.1, port ${port}: address already in use, perhaps by another ` +
          `active-users; \`ss -ltnp 'sport = :${port}'\` shows by what, and --reuse-port lets daemons share a port`,
      );
    });

  /** Line 2 of the file is wrong. */
  const lines = [
    ['a key with an underscore', 'ws_port = 1', 'ws_port: no such key; did you mean ws-port?'],
    ['a key twice', 'drain = 2', 'drain is already set in line 1'],
    ['no equals sign', 'ws-port 1', 'not a `key = value` line'],
    ['an open quote', 'host = "::', 'a quote is not closed'],
    ['a number out of range', 'presence-ttl = 0', 'presence-ttl: 0 is out of range (1 to 86400)'],
    [
      'an origin with a path',
      'allowed-origins = https://shop.example/',
      /^allowed-origins: .*https:\/\/shop\.example/,
    ],
    [
      'an origin without a scheme',
      'allowed-origins = shop.example',
      /^allowed-origins: .*https:\/\//,
    ],
    [
      'proxies that are no networks',
      'trusted-proxies = 10.0.0.0/8, 10.0.0',
      'trusted-proxies: "10.0.0" is no network: an item is like 10.0.0.0/8 or 2001:db8::/32',
    ],
    [
      'a Redis without its scheme',
      'redis-url = localhost:6379',
      /^redis-url: must begin with redis:\/\//,
    ],
    ['a host that is a name', 'host = nowhere', /^host: cannot listen on host nowhere/],
    ['a short token', 'admin-token = short', /^admin-token: must be 16 to 512 characters/],
    ['an admin port that is none', 'admin-port = x', /^admin-port: is no port/],
  ];
  for (const [what, line, says] of lines)
    test(`a config file with ${what}: its name and the line`, async () => {
      const file = await fileWith(`drain = 1\n${line}\n`);
      const text = await complaint([...FREE, `--config=${file}`]);
      assert.ok(text.startsWith(`${file}:2: `), text);
      const rest = text.slice(`${file}:2: `.length);
      if (says instanceof RegExp) assert.match(rest, says);
      else assert.equal(rest, says);
    });

  test('variables that are no settings are named once each, without their values', async (t) => {
    const env = {
      AU_HTTPPORT: 'hunter2',
      AU_EMA_INTERVAL: '1',
      AU_HOST_FILE: '/x',
      AU_REDIS_URL_FILE: '',
    };
    const daemon = await startDaemon(t, {}, { ...env, AUTHOR: 'me' });
    const warned = await waitFor('the warnings', () => {
      const lines = daemon.log.filter(
        (line) => line.event === 'a variable is no setting and is ignored',
      );
      return lines.length >= 3 && lines;
    });
    assert.deepEqual(Object.fromEntries(warned.map((line) => [line.name, line.did_you_mean])), {
      AU_HTTPPORT: 'AU_HTTP_PORT',
      AU_EMA_INTERVAL: 'AU_EMA_INTERVAL_MS',
      AU_HOST_FILE: undefined,
    });
    assert.ok(!daemon.stderr.includes('hunter2'));
  });

  const banner = async (t, args) => {
    const process = new Process(DAEMON, [...FREE, '--drain=0', ...args]);
    defer(t, () => process.kill('SIGKILL'));
    await waitFor('the line', () => process.stderr.includes('listening'));
    process.kill('SIGTERM');
    await process.waitExit();
    return process.stdout;
  };

  test('the banner tells the address that is listened on, and one to try', async (t) => {
    const [first, ...others] = (await banner(t, [])).split('\n');
    assert.match(
      first,
      /^active-users \S+ listens on http:\/\/0\.0\.0\.0:\d+ and ws:\/\/0\.0\.0\.0:\d+\/ws\/active-users, on every address of this machine$/,
    );
    assert.match(others.join('\n'), /curl .*'http:\/\/127\.0\.0\.1:\d+\/presence\/join'/);
    const own = (await banner(t, ['--host=127.0.0.1'])).split('\n')[0];
    assert.match(own, /^active-users \S+ listens on http:\/\/127\.0\.0\.1:\d+ and \S+$/);
  });

  test('where the log is JSON there is no banner', async (t) => {
    assert.equal(await banner(t, ['--log-format=json']), '');
  });
});

suite('mistakes with Redis', async (test) => {
  const failed = async (t, url, is) => {
    const daemon = await startDaemon(t, { 'redis-url': url });
    const line = await waitFor('the line', () =>
      daemon.log.find(({ component, level }) => component === 'redis' && level === 'warn'),
    );
    assert.deepEqual({ ...is, ...line }, { ...line, ...is }, daemon.stderr);
    return line;
  };

  test('nobody is there: host and port', async (t) => {
    const port = await freePort();
    await failed(t, `redis://127.0.0.1:${port}`, {
      event: 'connection failed',
      host: '127.0.0.1',
      port,
    });
  });

  test('a wrong password: host, port and the reason', async (t) => {
    const redis = await startRedis(t, { options: ['--requirepass', 'right'] });
    const reason = 'redis refuses the user or password';
    const line = await failed(t, `redis://:wrong@127.0.0.1:${redis.port}`, {
      port: redis.port,
      reason,
    });
    assert.ok(!JSON.stringify(line).includes('wrong'));
  });

  test('TLS to a Redis without it: the reason, and the scheme to try', async (t) => {
    const { port } = await startRedis(t);
    const line = await failed(t, `rediss://127.0.0.1:${port}`, { host: '127.0.0.1', port });
    assert.match(
      line.reason,
      /^redis does not agree on TLS: without TLS the scheme is redis:\/\/$/,
    );
  });

  test('a database that it does not have', async (t) => {
    const { port } = await startRedis(t);
    const reason = 'redis does not have the database of the URL';
    await failed(t, `redis://127.0.0.1:${port}/99`, { host: '127.0.0.1', port, reason });
  });

  test('a cluster at one Redis', async (t) => {
    const { port } = await startRedis(t);
    const reason = 'this redis is no cluster: use redis://';
    await failed(t, `redis+cluster://127.0.0.1:${port}`, { event: 'no map', port, reason });
  });

  test('one Redis at a cluster', async (t) => {
    const { masters } = await startCluster(t, { masters: 1 });
    const daemon = await startDaemon(t, { 'redis-url': `redis://127.0.0.1:${masters[0].port}` });
    await waitFor('health', async () => (await daemon.get('/ready')).status === 200);
  });
});

suite('mistakes of clients', async (test, shared) => {
  const daemon = await startDaemon(shared);
  const said = async (answer, status, message, field) => {
    const { status: got, json } = await answer;
    assert.deepEqual(
      { got, message: json.message, field: json.field },
      { got: status, message, field },
    );
  };
  const beat = aBeat();

  test('JSON with single quotes', () =>
    said(daemon.post('join', "{'customerId':'a'}"), 400, 'body is not valid JSON'));
  test('a list', () => said(daemon.post('join', '[]'), 400, 'body must be a JSON object'));
  test('curl without the header', () =>
    said(
      daemon.post('join', JSON.stringify(beat), {
        'content-type': 'application/x-www-form-urlencoded',
      }),
      415,
      'Content-Type must be application/json or text/plain',
    ));

  const queries = {
    'customerid=x': 'customerId is required: did you mean customerId by customerid?',
    'customer_id=x': 'customerId is required: did you mean customerId by customer_id?',
    'a=1&customeId=x': 'customerId is required: did you mean customerId by customeId?',
    'shop=x': 'customerId is required',
    '=': 'customerId is required',
  };
  for (const [query, message] of Object.entries(queries))
    test(`GET /metrics?${query}`, () =>
      said(daemon.get(`/metrics?${query}`), 400, message, 'customerId'));

  const paths = {
    '/presnce/join': 'there is nothing at /presnce/join',
    '/a?b=c': 'there is nothing at /a',
    '/%22%3Cb%3E"<b>': 'there is nothing at /%22%3Cb%3E"<b>',
    [`/${'x'.repeat(500)}`]: `there is nothing at /${'x'.repeat(95)}...`,
  };
  for (const [target, message] of Object.entries(paths))
    test(`GET ${target.slice(0, 40)}`, () => said(daemon.get(target), 404, message));

  test('a method that a path does not take: the others, as in Allow', async () => {
    const answer = await daemon.request('GET', '/presence/join');
    assert.equal(answer.headers.allow, 'POST, OPTIONS');
    const message = 'this method is not allowed at /presence/join, which takes POST, OPTIONS';
    await said(answer, 405, message);
    await said(
      daemon.request('POST', '/health'),
      405,
      'this method is not allowed at /health, which takes GET, HEAD, OPTIONS',
    );
  });

  test('a page of another origin: the origin, the setting, and one line in the log', async (t) => {
    const strict = await startDaemon(t, { 'allowed-origins': 'https://shop.example' });
    const headers = { ...JSON_BODY, origin: 'https://evil.example' };
    for (let i = 0; i < 3; i += 1)
      await said(
        strict.post('join', beat, headers),
        403,
        'pages of https://evil.example may not use this daemon: its setting allowed-origins names who may',
      );
    await assert.rejects(
      Socket.open(t, strict.wsPort, { headers: { origin: 'https://evil.example' } }),
      { status: 403 },
    );
    const lines = await waitFor('the line', () => {
      const warned = strict.log.filter(({ level }) => level === 'warn');
      return warned.some(({ origin }) => origin) && warned;
    });
    const refused = lines.filter(({ origin }) => origin);
    assert.deepEqual(
      refused.map(({ origin, requests }) => [origin, requests]),
      [['https://evil.example', 1]],
    );
    assert.match(refused[0].event, /origin that allowed-origins does not name/);
  });

  test('requests over a limit: one line for each limit, with the origin', async (t) => {
    const strict = await startDaemon(t, { 'rate-ip': 5, 'rate-customer': 2 });
    const headers = { ...JSON_BODY, origin: 'https://shop.example' };
    const blocked = new Set();
    for (let i = 0; i < 12; i += 1) {
      const customer = i < 4 ? beat.customerId : `${beat.customerId}-${i}`;
      const answer = await strict.post(
        'join',
        { ...beat, customerId: customer, sessionId: `s${i}` },
        headers,
      );
      if (answer.status === 429) blocked.add(answer.json.blockedBy);
    }
    assert.deepEqual(blocked, new Set(['customer', 'ip']));
    const lines = await waitFor('both lines', () => {
      const told = strict.log.filter(({ event }) => event === 'requests over a limit are refused');
      return told.length >= 2 && told;
    });
    assert.deepEqual(
      lines.map(({ blocked_by, origin, requests }) => ({ blocked_by, origin, requests })),
      ['customer', 'ip'].map((by) => ({
        blocked_by: by,
        origin: 'https://shop.example',
        requests: 1,
      })),
    );
  });

  test('no token where one is asked for: one line for requests and one for sockets, with the origin', async (t) => {
    const strict = await startDaemon(t, { 'token-secret': 'x'.repeat(32) });
    const origin = 'https://shop.example';
    const lines = (count) =>
      waitFor(`line ${count}`, () => {
        const told = strict.log.filter(({ event }) => event === 'requests without a token that is good for them are refused');
        return told.length >= count && told;
      });
    for (let i = 0; i < 3; i += 1)
      await said(strict.post('join', beat, { ...JSON_BODY, origin }), 401, 'a token is required');
    await lines(1);
    for (let i = 0; i < 3; i += 1) {
      const socket = await Socket.open(t, strict.wsPort, { headers: { origin } });
      socket.send({ type: 'auth', ...beat });
      const { code, reason } = await socket.waitClose();
      assert.deepEqual({ code, reason }, { code: 4401, reason: 'a token is required' });
    }
    const told = await lines(2);
    assert.deepEqual(told.map(({ origin, requests }) => [origin, requests]), [[origin, 1], [origin, 1]]);
  });

  test('close frames say why', async (t) => {
    const quick = await startDaemon(t, { 'ws-auth-timeout': 100 });
    const cases = [
      [async () => {}, 1008, 'no auth message came in time', quick],
      [
        async (s) => {
          for (let i = 0; i < 5; i += 1) s.send('{}');
        },
        1008,
        'too many bad messages, or too many a second',
      ],
      [async (s) => s.send(Buffer.from([1])), 1003, 'only text messages are taken'],
      [async (s) => s.send('x'.repeat(5000)), 1009, 'a message is longer than 4096 bytes'],
    ];
    for (const [act, code, reason, at = daemon] of cases) {
      const socket = await Socket.open(t, at.wsPort);
      await act(socket);
      const closed = await socket.waitClose();
      assert.deepEqual({ code: closed.code, reason: closed.reason }, { code, reason });
    }
  });

  const raw = [
    [
      'a frame without a mask',
      (s) => s.send(OPCODE.text, '{}', { masked: false }),
      1002,
      'a frame breaks RFC 6455',
    ],
    [
      'a text that is not UTF-8',
      (s) => s.send(OPCODE.text, Buffer.from([0xff])),
      1007,
      'a text is not UTF-8',
    ],
    ['a close frame of its own', (s) => s.send(OPCODE.close, Buffer.from([3, 232])), 1000, ''],
  ];
  for (const [what, act, code, reason] of raw)
    test(`${what}: ${code}`, async (t) => {
      const socket = await RawSocket.open(t, daemon.wsPort);
      act(socket);
      const frame = await socket.frame();
      assert.deepEqual(
        [frame.payload.readUInt16BE(0), frame.payload.toString('utf8', 2)],
        [code, reason],
      );
    });

  test('a stop says so', async (t) => {
    const stopping = await startDaemon(t);
    const socket = await Socket.open(t, stopping.wsPort);
    stopping.signal('SIGTERM');
    const closed = await socket.waitClose();
    assert.deepEqual([closed.code, closed.reason], [1001, 'the server stops, come back']);
    await stopping.exit();
  });
});

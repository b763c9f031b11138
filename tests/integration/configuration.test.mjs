// The option table from outside (contract §2), and what stops the start.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import {
  aBeat,
  DAEMON,
  defer,
  freshId,
  HEALTH,
  RawConnection,
  run,
  Socket,
  startDaemon,
  startRedis,
  suite,
  tempDir,
  waitFor,
} from './harness.mjs';

suite('what stops the start', async (test, shared) => {
  const dir = await tempDir(shared);
  const fileWith = async (text) => {
    const file = path.join(dir, freshId('conf'));
    await writeFile(file, text);
    return file;
  };
  const complaint = (result, code) => {
    assert.deepEqual(
      { code: result.code, signal: result.signal },
      { code, signal: null },
      result.stderr,
    );
    assert.match(result.stderr, /^[^\n]+\n$/, 'one line');
    assert.equal(result.stdout, '');
    return result.stderr;
  };

  for (const flag of ['http-port', 'ws-port']) {
    test(`${flag} in use: status 2 and one line that names the port`, async (t) => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      defer(t, () => server.close());
      const { port } = server.address();
      const others = { 'http-port': ['--ws-port=0'], 'ws-port': ['--http-port=0'] }[flag];
      const result = await run(DAEMON, ['--host=127.0.0.1', `--${flag}=${port}`, ...others]);
      assert.match(complaint(result, 2), new RegExp(String(port)));
    });
  }

  test('an address that is not ours: status 2 and one line', async () => {
    complaint(await run(DAEMON, ['--host=192.0.2.1', '--http-port=0', '--ws-port=0']), 2);
  });

  test('a log file that cannot be opened: status 2 and one line that names it', async () => {
    const result = await run(DAEMON, [
      '--http-port=0',
      '--ws-port=0',
      `--log-file=${dir}/none/au.log`,
    ]);
    assert.match(complaint(result, 2), /au\.log/);
  });

  const badFlags = [
    ['--presence-ttl=0', 'presence-ttl'],
    ['--presence-ttl=86401', 'presence-ttl'],
    ['--presence-ttl=', 'presence-ttl'],
    ['--presence-ttl=18O', 'presence-ttl'],
    ['--presence-ttl=1.5', 'presence-ttl'],
    ['--presence-ttl=-180', 'presence-ttl'],
    ['--presence-ttl=99999999999999999999', 'presence-ttl'],
    ['--presence-ttl', 'presence-ttl'],
    ['--ema-alpha=0', 'ema-alpha'],
    ['--ema-alpha=1.01', 'ema-alpha'],
    ['--ema-alpha=nan', 'ema-alpha'],
    ['--ema-alpha=0,2', 'ema-alpha'],
    ['--ema-interval=49', 'ema-interval'],
    ['--http-port=65536', 'http-port'],
    ['--http-port=-1', 'http-port'],
    ['--enable-websocket=maybe', 'enable-websocket'],
    ['--log-level=loud', 'log-level'],
    ['--log-format=xml', 'log-format'],
    ['--host=nowhere at all', 'host'],
    ['--trusted-proxies=10.0.0.0/33', 'trusted-proxies'],
    ['--trusted-proxies=10.0.0', 'trusted-proxies'],
    ['--trusted-proxies=10.0.0.0/8;11.0.0.0/8', 'trusted-proxies'],
    ['--allowed-origins=shop.example', 'allowed-origins'],
    ['--redis-url=http://localhost', 'redis-url'],
    ['--redis-url=redis://localhost:notaport', 'redis-url'],
    ['--redis-url=localhost:6379', 'redis-url'],
    ['--no-such-flag=1', 'no-such-flag'],
    ['--Presence-TTL=1', 'Presence-TTL'],
  ];
  for (const [flag, named] of badFlags) {
    test(`${flag}: status 2 and one line that names it`, async () => {
      const result = await run(DAEMON, ['--http-port=0', '--ws-port=0', flag]);
      assert.ok(complaint(result, 2).includes(named), result.stderr);
    });
  }

  test('a stray argument: status 2', async () => {
    complaint(await run(DAEMON, ['start']), 2);
  });

  test('both ports alike: status 2', async () => {
    complaint(await run(DAEMON, ['--http-port=3001', '--ws-port=3001']), 2);
  });

  const badFiles = [
    ['an unknown key', 'presence-ttl = 5\nno-such-key = 1\n', /no-such-key/],
    ['a value out of range', '# a comment\n\npresence-ttl = 0\n', /presence-ttl/],
    ['no equals sign', 'presence-ttl 5\n', /1/],
    ['a key twice', 'presence-ttl = 5\npresence-ttl = 6\n', /presence-ttl/],
    ['a NUL', 'presence-ttl = 5\0\n', /./],
  ];
  for (const [what, text, names] of badFiles) {
    test(`a config file with ${what}: status 2 and one line that says where`, async () => {
      const result = await run(DAEMON, [
        '--http-port=0',
        '--ws-port=0',
        `--config=${await fileWith(text)}`,
      ]);
      assert.match(complaint(result, 2), names);
    });
  }

  test('a config file that is not there: status 2', async () => {
    complaint(await run(DAEMON, [`--config=${dir}/nothing.conf`]), 2);
    complaint(await run(DAEMON, [], { env: { AU_CONFIG: `${dir}/nothing.conf` } }), 2);
  });

  test('a bad variable: status 2 and its name', async () => {
    const result = await run(DAEMON, ['--http-port=0', '--ws-port=0'], {
      env: { AU_PRESENCE_TTL: 'soon' },
    });
    assert.match(complaint(result, 2), /AU_PRESENCE_TTL/);
  });

  test('a secret is never repeated', async () => {
    for (const url of ['redis://:hunter2@localhost:port', 'http://:hunter2@localhost', 'hunter2']) {
      for (const result of [
        await run(DAEMON, ['--http-port=0', '--ws-port=0', `--redis-url=${url}`]),
        await run(DAEMON, ['--http-port=0', '--ws-port=0'], { env: { AU_REDIS_URL: url } }),
        await run(DAEMON, ['--http-port=0', '--ws-port=0'], {
          env: { AU_REDIS_URL_FILE: await fileWith(url) },
        }),
      ]) {
        assert.ok(!complaint(result, 2).includes('hunter2'), result.stderr);
      }
    }
  });
});

suite('configuration', async (test, shared) => {
  const dir = await tempDir(shared);
  const fileWith = async (text) => {
    const file = path.join(dir, freshId('conf'));
    await writeFile(file, text);
    return file;
  };
  /** What is in force, by key: {value, from}. */
  const inForce = async (args, env) => {
    const result = await run(DAEMON, [...args, '--print-config'], { env });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr, '');
    const rows = result.stdout.trimEnd().split('\n');
    return Object.fromEntries(
      rows.map((row) => {
        const [, key, value, from] = /^([a-z-]+) += (.*?) +# (.*)$/.exec(row);
        return [key, { value, from }];
      }),
    );
  };

  /** Flag, environment, default: contract §2. */
  const table = [
    ['host', 'AU_HOST', '"0.0.0.0"'],
    ['http-port', 'AU_HTTP_PORT', '3001'],
    ['ws-port', 'AU_WS_PORT', '3003'],
    ['enable-websocket', 'AU_ENABLE_WEBSOCKET', 'true'],
    ['reuse-port', 'AU_REUSE_PORT', 'false'],
    ['redis-url', 'AU_REDIS_URL', '""'],
    ['redis-ca', 'AU_REDIS_CA', '""'],
    ['presence-ttl', 'AU_PRESENCE_TTL', '180'],
    ['admin-port', 'AU_ADMIN_PORT', '""'],
    ['admin-host', 'AU_ADMIN_HOST', '"127.0.0.1"'],
    ['admin-token', 'AU_ADMIN_TOKEN', '""'],
    ['privacy', 'AU_PRIVACY', 'standard'],
    ['privacy-key', 'AU_PRIVACY_KEY', '""'],
    ['ema-alpha', 'AU_EMA_ALPHA', '0.2'],
    ['ema-interval', 'AU_EMA_INTERVAL_MS', '30000'],
    ['rate-ip', 'AU_RATE_IP', '100'],
    ['rate-customer', 'AU_RATE_CUSTOMER', '5000'],
    ['disconnect-grace', 'AU_DISCONNECT_GRACE_MS', '10000'],
    ['allowed-origins', 'AU_ALLOWED_ORIGINS', '"*"'],
    ['trusted-proxies', 'AU_TRUSTED_PROXIES', '""'],
    ['header-timeout', 'AU_HEADER_TIMEOUT_MS', '10000'],
    ['ws-auth-timeout', 'AU_WS_AUTH_TIMEOUT_MS', '10000'],
    ['drain', 'AU_DRAIN_MS', '3000'],
    ['metrics-customers', 'AU_METRICS_CUSTOMERS', '0'],
    ['max-connections', 'AU_MAX_CONNECTIONS', '0'],
    ['max-customers', 'AU_MAX_CUSTOMERS', '100000'],
    ['max-sessions', 'AU_MAX_SESSIONS', '1000000'],
    ['log-level', 'AU_LOG_LEVEL', 'info'],
    ['log-format', 'AU_LOG_FORMAT', 'text'],
  ];

  test('--help and --print-markdown name every flag, its variable and its default', async () => {
    const help = await run(DAEMON, ['--help']);
    assert.equal(help.code, 0);
    assert.equal(help.stderr, '');
    const markdown = await run(DAEMON, ['--print-markdown']);
    assert.equal(markdown.code, 0);
    for (const [flag, variable] of [...table, ['config', 'AU_CONFIG']]) {
      for (const { stdout } of [help, markdown]) {
        assert.ok(stdout.includes(`--${flag} `), flag);
        assert.ok(stdout.includes(variable), variable);
      }
    }
  });

  test('--version is one line with a number', async () => {
    const result = await run(DAEMON, ['--version']);
    assert.equal(result.code, 0);
    assert.match(result.stdout, /^[^\n]*\b\d+\.\d+\.\d+\b[^\n]*\n$/);
  });

  test('the defaults are those of the contract', async () => {
    const settings = await inForce([]);
    for (const [flag, , value] of table) assert.equal(settings[flag]?.value, value, flag);
  });

  test('a flag beats the environment, which beats the file, which beats the default', async () => {
    const file = await fileWith(
      'presence-ttl = 11 # here\nema-interval=12000\nlog-level = "warn"\n',
    );
    const env = { AU_CONFIG: file, AU_PRESENCE_TTL: '22', AU_EMA_INTERVAL_MS: '22000' };
    const settings = await inForce(['--presence-ttl', '33'], env);
    assert.equal(settings['presence-ttl'].value, '33');
    assert.equal(settings['ema-interval'].value, '22000');
    assert.equal(settings['log-level'].value, 'warn');
    assert.equal(settings['rate-ip'].value, '100');
  });

  test('every variable is read', async () => {
    const texts = {
      host: '127.0.0.1',
      'redis-url': 'redis://localhost',
      'redis-ca': '/ca.pem',
      'admin-host': '::',
      privacy: 'strict',
      'allowed-origins': 'https://a.example',
      'trusted-proxies': '10.0.0.0/8',
      'enable-websocket': 'false',
      'reuse-port': 'true',
      'ema-alpha': '0.5',
      'log-level': 'debug',
      'log-format': 'json',
    };
    for (const [flag, variable, standard] of table) {
      const value = texts[flag] ?? String(Number(standard.replaceAll('"', '')) + 1);
      const settings = await inForce([], { [variable]: value });
      const secret = flag === 'admin-token' || flag === 'privacy-key';
      const shown = secret ? '***' : value;
      assert.equal(settings[flag].value.replaceAll('"', ''), shown, variable);
    }
  });

  test('what --print-config prints is taken back by --config', async () => {
    const args = [
      '--presence-ttl=7',
      '--allowed-origins=https://a.example,https://b.example',
      '--ema-alpha=0.25',
      '--log-level=debug',
    ];
    const printed = await run(DAEMON, [...args, '--print-config']);
    const again = await inForce([`--config=${await fileWith(printed.stdout)}`]);
    const first = await inForce(args);
    assert.deepEqual(
      Object.entries(again).map(([key, { value }]) => [key, value]),
      Object.entries(first).map(([key, { value }]) => [key, value]),
    );
  });

  test('--print-config hides passwords', async () => {
    const result = await run(DAEMON, [
      '--redis-url=redis://user:hunter2@redis.example:6380/1',
      '--print-config',
    ]);
    assert.equal(result.code, 0);
    assert.ok(!result.stdout.includes('hunter2'), result.stdout);
    assert.match(result.stdout, /redis\.example/);
  });

  test('the variables of a container work for real', async (t) => {
    const redis = await startRedis(t);
    const daemon = await startDaemon(
      t,
      { 'rate-customer': undefined },
      {
        AU_REDIS_URL_FILE: await fileWith(`${redis.url}\n`),
        AU_RATE_CUSTOMER: '1234',
        AU_PRESENCE_TTL: '50',
      },
    );
    await waitFor(
      'the daemon to reach Redis',
      async () => (await daemon.get('/ready')).status === 200,
    );
    const beat = aBeat();
    const answer = await daemon.post('join', beat);
    assert.equal(answer.headers['x-ratelimit-limit'], '1234');
    const ttl = await (
      await redis.client()
    ).call('TTL', `presence:${beat.customerId}:${beat.sessionId}`);
    assert.ok(ttl > 45 && ttl <= 50);
  });

  test('an IPv6 address is listened on', async (t) => {
    const hasIpv6 = Object.values(os.networkInterfaces())
      .flat()
      .some((address) => address.address === '::1');
    if (!hasIpv6) return t.diagnostic('this machine has no ::1');
    const daemon = await startDaemon(t, { host: '::1' });
    const connection = await RawConnection.open(t, daemon.httpPort, '::1');
    connection.send(HEALTH);
    assert.equal((await connection.response()).status, 200);
    const socket = await Socket.open(t, daemon.wsPort, { host: '[::1]' });
    socket.send({ type: 'ping', timestamp: 1 });
    await socket.next('pong');
    return undefined;
  });
});

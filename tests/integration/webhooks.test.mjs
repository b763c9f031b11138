// Webhooks against a real receiver: what is sent and when, again and again, and to whom never.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import dgram from 'node:dgram';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import {
  aBeat,
  DAEMON,
  defer,
  flagsOf,
  freshId,
  run,
  signatureOf,
  startDaemon,
  startOn,
  startReceiver,
  startRedis,
  suite,
  tempDir,
  waitFor,
  waitWhole,
} from './harness.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const LOOPBACK = { 'webhook-networks': '127.0.0.0/8' };
const TICK = { 'ema-interval': 500 };

const configFile = async (t, lines) => {
  const file = path.join(await tempDir(t), 'au.conf');
  await writeFile(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  return file;
};

const startTelling = async (t, lines, options = {}) =>
  startDaemon(t, { ...TICK, ...LOOPBACK, ...options, config: await configFile(t, lines) });

const people = (customerId, n) =>
  Array.from({ length: n }, (_, i) => aBeat({ customerId, sessionId: `s${i}` }));
const join = (daemon, beats) => Promise.all(beats.map((beat) => daemon.must('join', beat)));
const leave = (daemon, beats) => Promise.all(beats.map((beat) => daemon.must('leave', beat)));
const logOf = (daemon, event) => daemon.log.filter((line) => line.component === 'webhook' && line.event === event);

/**
 * Binds port 53 of an address of loopback that nobody else has: another run of this file may be at
 * it too. Returns the address, or null where the port is not allowed.
 */
const bindNameServer = async (server) => {
  for (;;) {
    const address = `127.77.${randomInt(256)}.${randomInt(1, 255)}`;
    const error = await new Promise((resolve) => {
      server.once('error', resolve);
      server.bind(53, address, () => {
        server.off('error', resolve);
        resolve(null);
      });
    });
    if (error === null) return address;
    if (error.code === 'EACCES') return null;
    if (error.code !== 'EADDRINUSE') throw error;
  }
};

/** A prefix of commands whose names are asked of a server that never answers; null: not allowed. */
const silentNameServer = async (t) => {
  let asked = 0;
  const server = dgram.createSocket('udp4');
  server.on('message', () => (asked += 1));
  defer(t, () => server.close());
  const address = await bindNameServer(server);
  if (address === null) return null;
  const file = path.join(await tempDir(t), 'resolv.conf');
  await writeFile(file, `nameserver ${address}\noptions timeout:30 attempts:2\n`);
  const script = `mount --bind ${file} /etc/resolv.conf && exec "$@"`;
  const prefix = ['unshare', '--mount', 'sh', '-c', script, 'sh'];
  const tried = await run(prefix[0], [...prefix.slice(1), 'true']).catch(() => ({ code: 1 }));
  return tried.code === 0 ? { prefix, asked: () => asked } : null;
};

/** A number of the exposition, when it is what the test waits for. */
const waitSample = (daemon, name, value) =>
  waitFor(`${name} ${value}`, async () => (await daemon.samples()).get(name) === value, { everyMs: 1100 });

suite('webhooks', async (test) => {
  test('a count above its threshold, and back: signed, as documented', async (t) => {
    const receiver = await startReceiver(t);
    const customerId = freshId('shop');
    const daemon = await startTelling(
      t,
      [`webhook.crowd = ${receiver.urlTo()}?a=b customer ${customerId} above 2 until 1 for 1s`],
      { 'webhook-secret': SECRET },
    );
    const beats = people(customerId, 4);
    await join(daemon, beats);
    const fired = await receiver.next('the crowd');
    assert.equal(fired.method, 'POST');
    assert.equal(fired.path, '/hook?a=b');
    assert.equal(fired.headers['content-type'], 'application/json');
    assert.match(fired.headers['user-agent'], /^active-users\/\d/);
    assert.match(fired.headers['webhook-id'], /^msg_[0-9a-f]{24}$/);
    assert.ok(Math.abs(Number(fired.headers['webhook-timestamp']) - Date.now() / 1000) < 60);
    assert.equal(fired.headers['webhook-signature'], signatureOf(SECRET, fired));
    const { timestamp, daemon: name, ema, ...rest } = fired.json;
    assert.ok(Math.abs(timestamp - Date.now()) < 60_000);
    assert.notEqual(name, '');
    assert.ok(ema > 0 && ema <= 4);
    assert.deepEqual(rest, {
      webhook: 'crowd',
      state: 'firing',
      condition: 'above',
      forSeconds: 1,
      customerId,
      threshold: 2,
      until: 1,
      count: 4,
      text: `crowd: firing: ${customerId} has 4 active users (above 2)`,
    });

    await leave(daemon, beats.slice(2));
    assert.equal(await daemon.count(customerId), 2); // between the two thresholds
    await leave(daemon, beats.slice(1, 2));
    const recovered = await receiver.next('the recovery');
    assert.equal(recovered.json.state, 'recovered');
    assert.equal(recovered.json.count, 1);
    assert.notEqual(recovered.headers['webhook-id'], fired.headers['webhook-id']);
    assert.equal(recovered.headers['webhook-signature'], signatureOf(SECRET, recovered));
    assert.equal(receiver.requests.all.length, 2);
    await waitSample(daemon, 'au_webhook_events_total{result="delivered"}', 2);
    assert.deepEqual(logOf(daemon, 'fires').map(({ webhook }) => webhook), ['crowd']);
    assert.equal(logOf(daemon, 'recovers').length, 1);
    assert.ok(!daemon.stderr.includes(SECRET) && !daemon.stderr.includes('?a=b'));
  });

  test('a customer that nobody has ever seen is below', async (t) => {
    const receiver = await startReceiver(t);
    const customerId = freshId('nobody');
    const daemon = await startTelling(t, [
      `webhook.empty = ${receiver.urlTo()} customer ${customerId} below 1 for 1s`,
    ]);
    const fired = await receiver.next('the emptiness');
    assert.equal(fired.json.state, 'firing');
    assert.equal(fired.json.count, 0);
    assert.equal(fired.headers['webhook-signature'], undefined); // there is no secret
    await join(daemon, people(customerId, 1));
    assert.equal((await receiver.next('the first')).json.state, 'recovered');
  });

  test('two secrets sign both, so that one can be changed', async (t) => {
    const receiver = await startReceiver(t);
    const other = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';
    await startTelling(t, [`webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`], {
      'webhook-secret': `${other} ${SECRET}`,
    });
    const request = await receiver.next('a message');
    assert.equal(
      request.headers['webhook-signature'],
      `${signatureOf(other, request)} ${signatureOf(SECRET, request)}`,
    );
  });

  test('a receiver that fails twice gets it again: the same message, signed anew', async (t) => {
    const receiver = await startReceiver(t);
    receiver.answers = [500, (response) => response.socket.destroy()];
    const daemon = await startTelling(
      t,
      [`webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`],
      { 'webhook-secret': SECRET },
    );
    const all = [await receiver.next('1'), await receiver.next('2'), await receiver.next('3')];
    assert.equal(new Set(all.map(({ headers }) => headers['webhook-id'])).size, 1);
    assert.equal(new Set(all.map(({ text }) => text)).size, 1);
    const times = all.map(({ headers }) => Number(headers['webhook-timestamp']));
    assert.ok(times[2] > times[0], 'the times of the attempts');
    for (const each of all) assert.equal(each.headers['webhook-signature'], signatureOf(SECRET, each));
    await waitFor('the log', () => logOf(daemon, 'delivered again').length === 1);
    const failures = logOf(daemon, 'not delivered; it is tried again');
    assert.equal(failures.length, 1, 'only the first is logged');
    assert.equal(failures[0].reason, 'it answers 500');
    assert.equal(failures[0].host, `127.0.0.1:${receiver.port}`);
    await waitSample(daemon, 'au_webhook_failures_total', 2);
    const samples = await daemon.samples();
    assert.equal(samples.get('au_webhooks_failing'), 0);
    assert.equal(samples.get('au_webhook_queue'), 0);
  });

  test('one that hangs delays neither another one nor the daemon', async (t) => {
    const [slow, quick] = [await startReceiver(t), await startReceiver(t)];
    slow.answers = Array(20).fill('hang');
    const customerId = freshId('shop');
    const daemon = await startTelling(
      t,
      [
        `webhook.slow = ${slow.urlTo()} customer ${customerId} above 0 for 1s`,
        `webhook.quick = ${quick.urlTo()} customer ${customerId} above 0 for 1s`,
      ],
      { 'webhook-timeout': 60_000 },
    );
    const beats = people(customerId, 1);
    await join(daemon, beats);
    await slow.next('the slow one');
    await quick.next('the quick one');
    const ticks = (await daemon.samples()).get('au_ticks_total');
    await leave(daemon, beats);
    assert.equal((await quick.next('the recovery')).json.state, 'recovered');
    await waitFor('ticks', async () => (await daemon.samples()).get('au_ticks_total') > ticks + 2, { everyMs: 1100 });
    assert.equal(slow.requests.all.length, 1, 'one at a time');
    const samples = await daemon.samples();
    assert.equal(samples.get('au_webhook_queue'), 2);
    assert.equal(samples.get('au_ticks_skipped_total'), 0);
  });

  test('as many as there may be, all at once', async (t) => {
    const receiver = await startReceiver(t);
    const lines = Array.from({ length: 100 }, (_, i) => `webhook.n${i} = ${receiver.urlTo()} customer nobody below 1 for 1s`);
    const daemon = await startTelling(t, lines, { 'webhook-secret': SECRET });
    for (let i = 0; i < 100; i++) await receiver.next(`message ${i}`);
    assert.equal(new Set(receiver.requests.all.map(({ json }) => json.webhook)).size, 100);
    await waitSample(daemon, 'au_webhook_events_total{result="delivered"}', 100);
  });

  test('one that does not answer in time is a failure', async (t) => {
    const receiver = await startReceiver(t);
    receiver.answers = ['hang'];
    const daemon = await startTelling(
      t,
      [`webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`],
      { 'webhook-timeout': 300 },
    );
    await receiver.next('1');
    await receiver.next('2');
    assert.match(logOf(daemon, 'not delivered; it is tried again')[0].reason, /timed? ?out/i);
  });

  test('a redirect is a failure, and not followed', async (t) => {
    const [receiver, other] = [await startReceiver(t), await startReceiver(t)];
    receiver.answers = [(response) => response.writeHead(307, { location: other.urlTo() }).end()];
    const daemon = await startTelling(t, [
      `webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`,
    ]);
    await receiver.next('1');
    await receiver.next('2');
    assert.equal(other.connections, 0);
    assert.equal(logOf(daemon, 'not delivered; it is tried again')[0].reason, 'it answers 307');
  });

  test('an answer without end is cut, and counts by its status', async (t) => {
    const receiver = await startReceiver(t);
    receiver.answers = [
      (response) => {
        response.writeHead(200);
        const more = () => response.write('x'.repeat(65_536)) ? setImmediate(more) : response.once('drain', more);
        more();
      },
    ];
    const daemon = await startTelling(
      t,
      [`webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`],
      { 'webhook-timeout': 60_000 },
    );
    await receiver.next('1');
    await waitSample(daemon, 'au_webhook_events_total{result="delivered"}', 1);
  });

  for (const [name, host] of [
    ['an address of loopback', '127.0.0.1'],
    ['a name that leads to loopback', 'localhost'],
    ['a mapped address', '[::ffff:127.0.0.1]'],
    ['a number', '2130706433'],
    ['no address at all', '0.0.0.0'],
  ])
    test(`not to ${name}, unless it is allowed`, async (t) => {
      const receiver = await startReceiver(t);
      const line = `webhook.a = ${receiver.urlTo(host)} customer nobody below 1 for 1s`;
      const daemon = await startTelling(t, [line], { 'webhook-networks': '10.0.0.0/8' });
      const refused = await waitFor('the refusal', () => logOf(daemon, 'not delivered; it is tried again')[0]);
      assert.match(refused.reason, /^its address is not public, and webhook-networks/);
      assert.equal(receiver.connections, 0);
      await startTelling(t, [line], { 'webhook-networks': '127.0.0.0/8, ::1, 0.0.0.0/8' });
      await receiver.next('a message');
    });

  test('by no proxy of the environment, which would connect to any address', async (t) => {
    const [receiver, proxy] = [await startReceiver(t), await startReceiver(t)];
    const config = await configFile(t, [`webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`]);
    await startDaemon(t, { ...TICK, ...LOOPBACK, config }, { http_proxy: proxy.urlTo(), ALL_PROXY: proxy.urlTo() });
    await receiver.next('a message');
    assert.equal(proxy.connections, 0);
  });

  test('a name server that never answers holds nobody up, nor the stop', async (t) => {
    const silent = await silentNameServer(t);
    if (silent === null) return t.skip('needs root: a name server of its own');
    const receiver = await startReceiver(t);
    const config = await configFile(t, [
      'webhook.lost = http://hooks.example/x customer nobody below 1 for 1s',
      `webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`,
    ]);
    const daemon = await startDaemon(t, { ...TICK, ...LOOPBACK, config, 'webhook-timeout': 300 }, {}, silent.prefix);
    await receiver.next('the other one');
    await waitFor('two attempts', async () => (await daemon.samples()).get('au_webhook_failures_total') >= 2, { everyMs: 1100 });
    assert.ok(silent.asked() > 0);
    const samples = await daemon.samples();
    // The resolver would go on for 60 s; the loop does not wait for it.
    assert.ok(samples.get('au_loop_lag_max_seconds') < 10);
    assert.match(logOf(daemon, 'not delivered; it is tried again')[0].reason, /timed? ?out/i);
    await daemon.stop();
  });

  test('https: to a receiver of a trusted authority alone', async (t) => {
    const dir = await tempDir(t);
    const [key, cert] = [path.join(dir, 'key.pem'), path.join(dir, 'cert.pem')];
    const made = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']);
    assert.equal(made.code, 0, made.stderr);
    const receiver = await startReceiver(t, { tls: { key: await readFile(key), cert: await readFile(cert) } });
    const line = `webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`;
    const daemon = await startTelling(t, [line]);
    const refused = await waitFor('the refusal', () => logOf(daemon, 'not delivered; it is tried again')[0]);
    assert.match(refused.reason, /certificate|SSL/);
    assert.equal(receiver.requests.all.length, 0);
    await startTelling(t, [line], { 'webhook-ca': cert });
    await receiver.next('a message');
  });
});

suite('webhooks: the store', async (test) => {
  test('degraded when Redis is killed, and well again', async (t) => {
    const receiver = await startReceiver(t);
    const config = await configFile(t, [
      `webhook.redis = ${receiver.urlTo()} store degraded for 1s`,
      `webhook.shop = ${receiver.urlTo()} customer shop below 1 for 2s`,
    ]);
    const daemon = await startOn('redis', t, { ...TICK, ...LOOPBACK, config });
    await join(daemon, people('shop', 1));
    await daemon.redis.crash();
    const fired = await receiver.next('the loss', ({ webhook }) => webhook === 'redis');
    assert.equal(fired.json.state, 'firing');
    assert.equal(fired.json.condition, 'store degraded');
    assert.notEqual(fired.json.reason, '');
    await leave(daemon, people('shop', 1)); // nobody is told by what the daemon only believes
    await daemon.redis.start();
    const recovered = await receiver.next('the return', ({ webhook }) => webhook === 'redis');
    assert.equal(recovered.json.state, 'recovered');
    await receiver.next('the empty shop', ({ webhook, state }) => webhook === 'shop' && state === 'firing');
    const order = receiver.requests.all.map(({ json }) => `${json.webhook} ${json.state}`);
    assert.deepEqual(order, ['redis firing', 'redis recovered', 'shop firing']);
  });

  test('two daemons of one Redis: told once, and by the other when one dies', async (t) => {
    const receiver = await startReceiver(t);
    const redis = await startRedis(t);
    const customerId = freshId('shop');
    const config = await configFile(t, [
      `webhook.crowd = ${receiver.urlTo()} customer ${customerId} above 1 for 2s`,
    ]);
    const options = { ...TICK, ...LOOPBACK, config, 'redis-url': redis.url, 'log-level': 'debug' };
    const daemons = [await startDaemon(t, options), await startDaemon(t, options)];
    for (const daemon of daemons) await waitWhole(daemon);
    await waitFor('one to tick', async () => {
      const held = await Promise.all(daemons.map(async (daemon) => (await daemon.samples()).get('au_ticker_partitions_held')));
      return held.toString() === '1,0' || held.toString() === '0,1' ? held : false;
    }, { everyMs: 1100 });
    const beats = people(customerId, 3);
    await join(daemons[0], beats);
    assert.equal((await receiver.next('the crowd')).json.state, 'firing');
    await leave(daemons[1], beats);
    assert.equal((await receiver.next('the recovery')).json.state, 'recovered');
    assert.deepEqual(receiver.requests.all.map(({ json }) => json.state), ['firing', 'recovered']);
    const told = daemons.filter((daemon) => logOf(daemon, 'fires').length === 1);
    assert.equal(told.length, 1);
    const survivor = daemons.find((daemon) => daemon !== told[0]);
    told[0].signal('SIGKILL');
    assert.equal((await told[0].exit()).signal, 'SIGKILL');
    // Each daemon looks by itself: one that is late has to have seen them gone for those 2 s, too.
    const killed = Date.now();
    await waitFor('the survivor to see it', () => Date.now() - killed > 6000);
    await join(survivor, beats);
    // Who survives cannot know whether the last turn was told: it tells it again, and then what is new.
    const states = [(await receiver.next('what comes next')).json.state];
    if (states[0] === 'recovered') states.push((await receiver.next('the next crowd')).json.state);
    assert.equal(states.at(-1), 'firing');
    assert.deepEqual(
      receiver.requests.all.map(({ json }) => json.state),
      ['firing', 'recovered', ...states],
    );
  });
});

suite('webhooks: a reload and a stop', async (test) => {
  test('SIGHUP takes new ones over, all or nothing, and keeps what fires', async (t) => {
    const receiver = await startReceiver(t);
    const lines = (path) => [
      `webhook-networks = 127.0.0.0/8`,
      `webhook.a = ${receiver.urlTo('127.0.0.1', path)} customer nobody below 1 for 1s`,
    ];
    const config = await configFile(t, []);
    const daemon = await startDaemon(t, { ...TICK, config });
    const reload = async (text, event, n) => {
      await writeFile(config, text.map((line) => `${line}\n`).join(''));
      daemon.signal('SIGHUP');
      return waitFor(event, () => {
        const found = daemon.log.filter((line) => line.event === event);
        return found.length === n ? found.at(-1) : false;
      });
    };
    await reload(lines('/1'), 'reloaded', 1);
    assert.equal((await receiver.next('the first')).path, '/1');
    // A wrong line: nothing of the file is in force.
    const bad = await reload(['rate-ip = 3', ...lines('/2'), 'webhook.b = ftp://x store degraded'], 'not reloaded', 1);
    assert.match(bad.error, /au\.conf:4: webhook\.b: the URL is not of http or https/);
    // The same condition at another place is not told again; a new one is.
    await reload([...lines('/3'), `webhook.c = ${receiver.urlTo('127.0.0.1', '/c')} customer nobody below 2 for 1s`], 'reloaded', 2);
    assert.equal((await receiver.next('the new one')).path, '/c');
    await join(daemon, people('nobody', 3));
    const both = [await receiver.next('back'), await receiver.next('back')].map((each) => each.path);
    assert.deepEqual(both.sort(), ['/3', '/c']);
    await reload([], 'reloaded', 3);
    await leave(daemon, people('nobody', 3));
    await waitSample(daemon, 'au_webhook_queue', 0);
    assert.equal(receiver.requests.all.length, 4);
  });

  test('what waits goes to the new URL of its webhook', async (t) => {
    const [away, receiver] = [await startReceiver(t), await startReceiver(t)];
    away.answers = Array(20).fill('hang');
    const line = (to) => `webhook.a = ${to.urlTo()} customer nobody below 1 for 1s`;
    const config = await configFile(t, [line(away)]);
    const daemon = await startDaemon(t, { ...TICK, ...LOOPBACK, config, 'webhook-timeout': 60_000 });
    const { headers } = await away.next('the first attempt');
    await writeFile(config, `${line(receiver)}\n`);
    daemon.signal('SIGHUP');
    assert.equal((await receiver.next('the message')).headers['webhook-id'], headers['webhook-id']);
  });

  test('a stop lets what is in flight end, and waits for nothing else', async (t) => {
    const [slow, dead] = [await startReceiver(t), await startReceiver(t)];
    let answer;
    slow.answers = [(response) => (answer = () => response.end())];
    dead.answers = Array(20).fill('hang');
    const daemon = await startTelling(
      t,
      [
        `webhook.slow = ${slow.urlTo()} customer nobody below 1 for 1s`,
        `webhook.dead = ${dead.urlTo()} customer nobody below 1 for 1s`,
      ],
      { 'webhook-timeout': 60_000 },
    );
    await slow.next('1');
    await dead.next('1');
    daemon.signal('SIGTERM');
    await waitFor('the stop', () => daemon.log.some((line) => line.event === 'stopping'));
    answer();
    assert.deepEqual(await daemon.exit(), { code: 0, signal: null });
    const dropped = logOf(daemon, 'dropped');
    assert.deepEqual(dropped.map(({ webhook, reason }) => [webhook, reason]), [['dead', 'the daemon stops']]);
  });
});

suite('webhooks: bad lines', async (test) => {
  const refusedLine = async (t, lines, pattern) => {
    const config = await configFile(t, ['# first', ...lines]);
    const result = await run(DAEMON, flagsOf({ config, 'http-port': 0, 'ws-port': 0 }));
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, pattern);
    assert.equal(result.stderr.split('\n').length, 2);
    assert.ok(!result.stderr.includes('s3cret'));
  };
  const URL = 'https://hooks.example/s3cret';
  for (const [name, line, pattern] of [
    ['no URL', 'shop above 5', /au\.conf:2: webhook\.a: the first word is no URL/],
    ['another scheme', 'ftp://x/s3cret store degraded', /au\.conf:2: webhook\.a: the URL is not of http or https/],
    ['no condition', URL, /webhook\.a: customer or store is missing; a webhook is: URL/],
    ['another condition', `${URL} client shop above 5`, /`client` stands where customer or store is expected/],
    ['a bad id', `${URL} customer a:b above 5`, /`a:b` stands where a customer id is expected/],
    ['no number', `${URL} customer shop above many`, /`many` stands where a number of people is expected/],
    ['a wrong until', `${URL} customer shop above 5 until 6`, /`6` stands where a number that is not higher/],
    ['a wrong time', `${URL} customer shop above 5 for 60`, /`60` stands where a time from 1s to 24h/],
    ['too long a time', `${URL} store degraded for 25h`, /`25h` stands where a time/],
    ['a rest', `${URL} store degraded for 5s please`, /`please` stands where the end is expected/],
    ['a host that is none', 'https:// store degraded', /webhook\.a: is no URL/],
  ])
    test(name, (t) => refusedLine(t, [`webhook.a = ${line}`], pattern));

  test('more than there may be', (t) =>
    refusedLine(
      t,
      Array.from({ length: 101 }, (_, i) => `webhook.n${i} = ${URL} store degraded`),
      /au\.conf:102: webhook\.n100: there are more than 100 webhooks/,
    ));

  test('a name twice, a secret that is none, networks that are none', async (t) => {
    const line = `webhook.a = ${URL} store degraded`;
    await refusedLine(t, [line, line], /au\.conf:3: webhook\.a: is already set in line 2/);
    await refusedLine(t, ['webhook-secret = s3cret'], /au\.conf:2: webhook-secret: is not whsec_ and base64/);
    await refusedLine(t, ['webhook-networks = 10.0.0.0/40'], /au\.conf:2: webhook-networks: is no list of CIDRs/);
  });

  test('--print-config shows them without what may be a secret', async (t) => {
    const config = await configFile(t, [
      `webhook.a = https://user:s3cret@hooks.example:8443/s3cret customer shop above 5 for 2m`,
      `webhook.b = https://hooks.example store degraded`,
      `webhook-secret = ${SECRET}`,
    ]);
    const { stdout } = await run(DAEMON, flagsOf({ config }).concat('--print-config'));
    assert.match(stdout, /^webhook\.a = https:\/\/\*\*\*@hooks\.example:8443\/\*\*\* customer shop above 5 until 5 for 120s {2}# .*:1$/m);
    assert.match(stdout, /^webhook\.b = https:\/\/hooks\.example store degraded for 60s {2}# .*:2$/m);
    assert.ok(!stdout.includes('s3cret') && !stdout.includes(SECRET));
  });
});

suite('webhooks: the docs', async (test) => {
  test('the examples that check a signature take what is genuine, and nothing else', async (t) => {
    const here = path.dirname(fileURLToPath(import.meta.url));
    const page = await readFile(path.join(here, '../../docs/howto/webhooks.md'), 'utf8');
    const example = (language) => page.match(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``))[1];
    const dir = await tempDir(t);
    await writeFile(path.join(dir, 'genuine.mjs'), example('js'));
    await writeFile(path.join(dir, 'genuine.py'), example('python'));
    const { isGenuine } = await import(pathToFileURL(path.join(dir, 'genuine.mjs')));
    const driver = [
      'import json, sys',
      'from genuine import is_genuine',
      'for case in json.load(sys.stdin):',
      '    print(is_genuine(case["secret"], case["headers"], case["body"].encode(), case.get("now")))',
    ].join('\n');

    const receiver = await startReceiver(t);
    await startTelling(t, [`webhook.a = ${receiver.urlTo()} customer nobody below 1 for 1s`], {
      'webhook-secret': SECRET,
    });
    const { headers, text } = await receiver.next('a message');
    const genuine = { secret: SECRET, headers, body: text };
    const now = Number(headers['webhook-timestamp']);
    const cases = [
      [true, genuine],
      [true, { ...genuine, now: now + 299 }],
      [false, { ...genuine, now: now + 301 }],
      [false, { ...genuine, body: text.replace('firing', 'recovered') }],
      [false, { ...genuine, secret: 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX' }],
      [false, { ...genuine, headers: { ...headers, 'webhook-timestamp': String(now + 1) } }],
      [false, { ...genuine, headers: { ...headers, 'webhook-id': 'msg_2' } }],
      [false, { ...genuine, headers: { ...headers, 'webhook-signature': '' } }],
      [true, { ...genuine, headers: { ...headers, 'webhook-signature': `v1,AAAA ${headers['webhook-signature']}` } }],
    ];
    const want = cases.map(([each]) => each);
    assert.deepEqual(cases.map(([, c]) => isGenuine(c.secret, c.headers, c.body, c.now)), want);
    const python = await run('python3', ['-c', driver], {
      env: { PYTHONPATH: dir, PYTHONDONTWRITEBYTECODE: '1' },
      stdin: JSON.stringify(cases.map(([, c]) => c)),
    });
    assert.equal(python.code, 0, python.stderr);
    assert.deepEqual(python.stdout.trim().split('\n').map((word) => word === 'True'), want);
  });
});

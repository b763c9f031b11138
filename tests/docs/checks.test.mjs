// Each block that is a file of some program is read by that program.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { createRequire } from 'node:module';

import { DAEMON, run } from '../integration/harness/daemon.mjs';
import { RedisClient, startRedis } from '../integration/harness/redis.mjs';
import { blocksOf, inRoot, place, reasonNotToRun } from './kit/pages.mjs';

const { parseAllDocuments } = createRequire(inRoot('tests/package.json'))('yaml');

const folder = async (t) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'docs-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

async function accepts(program, args, env) {
  const { code, stdout, stderr } = await run(program, args, { env });
  assert.equal(code, 0, stdout + stderr);
}

const isThere = async (program) => (await run('sh', ['-c', `command -v ${program}`])).code === 0;

/** For blocks that name one: {cert, key, both}. */
async function makeCertificate(dir) {
  const [cert, key, both] = ['cert.pem', 'key.pem', 'both.pem'].map((name) => path.join(dir, name));
  const words = 'req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=presence.example'.split(' ');
  await accepts('openssl', [...words, '-out', cert, '-keyout', key]);
  await writeFile(both, (await readFile(cert, 'utf8')) + (await readFile(key, 'utf8')));
  return { cert, key, both };
}

const CHECKS = {
  async ini(t, text) {
    const file = path.join(await folder(t), 'active-users.conf');
    await writeFile(file, text);
    await accepts(DAEMON, [`--config=${file}`, '--print-config'], { AU_PRIVACY_KEY: 'x'.repeat(16) });
  },

  json: async (t, text) => void JSON.parse(text),

  async yaml(t, text) {
    for (const document of parseAllDocuments(text)) assert.deepEqual(document.errors, []);
    if (!/^(scrape_configs|rule_files):/m.test(text)) return;
    const dir = await folder(t);
    await writeFile(path.join(dir, 'prometheus.yml'), text.replaceAll('/etc/prometheus/', `${dir}/`));
    await writeFile(path.join(dir, 'active-users.token'), 'x');
    await writeFile(path.join(dir, 'alerts.yml'), await readFile(inRoot('docker/prometheus/alerts.yml')));
    await accepts('promtool', ['check', 'config', path.join(dir, 'prometheus.yml')]);
  },

  /** A whole file, a server, or what stands in one. */
  async nginx(t, text) {
    if (!(await isThere('nginx'))) return t.skip('nginx is not installed');
    const dir = await folder(t);
    const server = /^\s*(server|upstream|map) /m.test(text) ? text : `server { listen 8080; ${text} }`;
    const whole = /^\s*http /m.test(text) ? text : `http { ${server} }`;
    const certificate = await makeCertificate(dir);
    const file = path.join(dir, 'nginx.conf');
    await mkdir(path.join(dir, 'logs'));
    await writeFile(
      file,
      `error_log stderr; pid ${dir}/pid; ${/^\s*events /m.test(whole) ? '' : 'events {}'}\n` +
        whole.replace(/(ssl_certificate) .*;/g, `$1 ${certificate.cert};`).replace(/(ssl_certificate_key) .*;/g, `$1 ${certificate.key};`),
    );
    await accepts('nginx', ['-t', '-p', dir, '-c', file]);
  },

  /** Lines as they are pasted into redis-cli: each is a command. */
  async redis(t, text) {
    const redis = await startRedis(t);
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of lines) {
      const { stdout } = await run('redis-cli', ['-p', String(redis.port)], { stdin: `${line}\n` });
      assert.doesNotMatch(stdout, /^\(error\)|^ERR|^NOPERM|unknown/m, `${line}: ${stdout}`);
    }
    const login = /SETUSER (\S+) .*>(\S+)/.exec(text);
    if (login) await serves(t, redis, login[1], login[2]);
  },

  /** A drop-in of the unit. */
  async systemd(t, text) {
    for (const line of text.split('\n').filter((line) => !/^(#.*)?$/.test(line)))
      assert.match(line, /^\[(Unit|Service|Socket|Install)\]$|^[A-Z][A-Za-z]+=/);
    if (!(await isThere('systemd-analyze'))) return t.skip('systemd is not installed');
    const dir = await folder(t);
    const [service, socket] = await Promise.all(
      ['service.in', 'socket'].map((name) => readFile(inRoot(`src/packaging/active-users.${name}`), 'utf8')),
    );
    const isSocket = text.includes('[Socket]');
    const filled = service.replace(/^@comment@\n/m, '').replace(/@bindir@.*/, '/bin/true').replace(/@\w+@/g, '');
    const files = ['service', 'socket'].map((kind) => path.join(dir, `active-users.${kind}`));
    await writeFile(files[0], isSocket ? filled : `${filled}\n${text}\n`);
    await writeFile(files[1], isSocket ? `${socket}\n${text}\n` : socket);
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', ...files]);
    const said = (stdout + stderr).split('\n').filter((line) => line.includes(dir));
    assert.deepEqual(said, []);
  },

  async haproxy(t, text) {
    if (!(await isThere('haproxy'))) return t.skip('haproxy is not installed');
    const dir = await folder(t);
    const file = path.join(dir, 'haproxy.cfg');
    const { both } = await makeCertificate(dir);
    await writeFile(file, `${text.replace(/\bcrt \S+/g, `crt ${both}`)}\n`);
    await accepts('haproxy', ['-c', '-f', file]);
  },

  async caddy(t, text) {
    if (!(await isThere('caddy'))) return t.skip('caddy is not installed');
    const file = path.join(await folder(t), 'Caddyfile');
    await writeFile(file, text + '\n');
    await accepts('caddy', ['adapt', '--adapter', 'caddyfile', '--config', file]);
  },
};

/** A daemon that logs in with the rights of the page counts, ticks and keeps a history. */
async function serves(t, redis, user, password) {
  const { startDaemon, waitWhole, aBeat, waitFor } = await import('../integration/harness.mjs');
  const admin = await RedisClient.connect(redis.port);
  t.after(() => admin.socket.destroy());
  const daemon = await startDaemon(t, {
    'redis-url': `redis://${user}:${password}@127.0.0.1:${redis.port}`,
    'ema-interval': 100,
  });
  await waitWhole(daemon);
  const beat = aBeat();
  await daemon.must('join', beat);
  await daemon.must('beat', beat);
  await waitFor('ticks', async () => (await daemon.samples()).get('au_ticks_total') > 3);
  await daemon.must('leave', beat);
  assert.equal((await daemon.get(`/metrics/history?customerId=${beat.customerId}`)).status, 200);
  assert.deepEqual(await admin.call('ACL', 'LOG'), []);
}

for (const block of blocksOf(...Object.keys(CHECKS)))
  test(`${place(block)}: ${block.kind}`, { skip: reasonNotToRun(block) }, (t) => CHECKS[block.kind](t, block.text));

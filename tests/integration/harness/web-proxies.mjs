// The proxies of docker/proxies before a daemon: each file as it is, but for ports, addresses and
// certificates.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import WebSocket from 'ws';

import { makeAuthority, makeCertificate } from './certificates.mjs';
import { Process } from './daemon.mjs';
import { freePort } from './port.mjs';
import { Socket, WS_PATH } from './socket.mjs';
import { defer, tempDir, waitFor, within } from './wait.mjs';

const FOLDER = new URL('../../../docker/proxies/', import.meta.url);
export const HOST = 'shop.example';

/** Every text of `words` must be there, so that a file that changes does not pass by chance. */
export function replaceAll(text, words) {
  for (const [from, to] of Object.entries(words)) {
    assert.ok(text.includes(from), `"${from}" is not in the configuration`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const haproxyWords = ({ port, daemon, certificate }) => ({
  'maxconn 20000': 'maxconn 1000', // within any limit of descriptors
  'bind :443': `bind 127.0.0.1:${port}`,
  '/etc/haproxy/shop.example.pem': certificate.pem,
  '127.0.0.1:3001': `127.0.0.1:${daemon}`,
});
/** The same proxies where the whole host is the daemon's, as the how-to says. */
export const HOST_OF_ITS_OWN = {
  nginx: {
    'location / {': 'location /site {',
    'location /presence/ {': 'location / {',
    'http://active_users/;': 'http://active_users;',
  },
  HAProxy: {
    'use_backend active_users if { path_beg /presence/ }': 'use_backend active_users',
    'http-request set-path %[path,regsub(^/presence/,/)]': '',
  },
  Caddy: { '\thandle {': '\thandle /site {', 'handle_path /presence/* {': 'handle {' },
};

const haproxyRun = (file) => ['/usr/sbin/haproxy', '-db', '-f', file];

/** What each is started with. `words`: what differs from the file. `base`: where the daemon is. */
export const PROXIES = {
  nginx: {
    file: 'nginx.conf',
    program: '/usr/sbin/nginx',
    base: '/presence',
    words: ({ port, daemon, site, certificate }) => ({
      'listen 443': `listen 127.0.0.1:${port}`,
      'listen [::]:443 ssl http2;': '',
      '/etc/ssl/shop.example.crt': certificate.cert,
      '/etc/ssl/shop.example.key': certificate.key,
      '127.0.0.1:3001': `127.0.0.1:${daemon}`,
      '127.0.0.1:8080': `127.0.0.1:${site}`,
    }),
    // Debian's nginx.conf includes what is in conf.d.
    async prepare(dir, file) {
      const main = path.join(dir, 'main.conf');
      const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
      await writeFile(
        main,
        `pid ${dir}/pid; worker_processes 1; daemon off; error_log stderr;
         events { worker_connections 1000; }
         http { access_log off; ${paths.map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')}
                include ${file}; }`,
      );
      return ['/usr/sbin/nginx', '-p', dir, '-e', 'stderr', '-c', main];
    },
  },
  HAProxy: {
    file: 'haproxy.cfg',
    program: '/usr/sbin/haproxy',
    base: '/presence',
    words: (at) => ({ ...haproxyWords(at), '127.0.0.1:8080': `127.0.0.1:${at.site}` }),
    prepare: (dir, file) => haproxyRun(file),
  },
  'HAProxy, PROXY protocol': {
    file: 'haproxy-proxy-protocol.cfg',
    program: '/usr/sbin/haproxy',
    base: '',
    words: haproxyWords,
    prepare: (dir, file) => haproxyRun(file),
  },
  Caddy: {
    file: 'Caddyfile',
    program: '/usr/bin/caddy',
    base: '/presence',
    words: ({ port, daemon, site, certificate }) => ({
      'shop.example {': `{
	admin off
	auto_https disable_redirects
	default_bind 127.0.0.1
}
https://shop.example:${port} {
	tls ${certificate.cert} ${certificate.key}`,
      '127.0.0.1:3001': `127.0.0.1:${daemon}`,
      '127.0.0.1:8080': `127.0.0.1:${site}`,
    }),
    prepare: (dir, file) => ['/usr/bin/caddy', 'run', '--adapter', 'caddyfile', '--config', file],
  },
};

export const textOf = (name) => readFile(new URL(PROXIES[name].file, FOLDER), 'utf8');

async function makeFiles(dir) {
  const authority = await makeAuthority(dir, 'authority');
  const certificate = await makeCertificate(dir, 'shop', authority, `DNS:${HOST}`);
  const pem = path.join(dir, 'shop.pem'); // HAProxy wants both in one file
  const parts = [certificate.cert, certificate.key].map((file) => readFile(file));
  await writeFile(pem, Buffer.concat(await Promise.all(parts)));
  return { ca: await readFile(authority.cert), certificate: { ...certificate, pem } };
}

/** A visitor's way through a proxy: TLS, checked, from an address of ours. */
class WebProxy {
  constructor(name, port, ca, base) {
    this.name = name;
    this.port = port;
    this.ca = ca;
    this.origin = `https://${HOST}:${port}`;
    this.url = this.origin + base;
  }

  #options(from) {
    const lookup = (_, { all }, done) =>
      all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
    return { ca: this.ca, lookup, localAddress: from, agent: false };
  }

  /** The response with its head; `body` grows until `ended`. */
  open(method, target, { from, headers = {}, body } = {}) {
    const opened = new Promise((resolve, reject) => {
      const bytes = body === undefined ? undefined : JSON.stringify(body);
      const type = bytes ? { 'content-type': 'application/json' } : {};
      const options = { ...this.#options(from), method, headers: { ...type, ...headers } };
      const request = https.request(this.url + target, options, (response) => {
        const pieces = [];
        response.setEncoding('utf8').on('data', (piece) => pieces.push(piece));
        const ended = new Promise((over) => response.once('end', over));
        response.on('error', () => {}); // whoever waits for the end is told
        const { statusCode: status, headers: head } = response;
        resolve({ status, headers: head, body: pieces, ended, close: () => request.destroy() });
      });
      request.once('error', reject);
      request.end(bytes);
    });
    return within(`${method} ${target} by ${this.name}`, opened);
  }

  async request(method, target, options) {
    const answer = await this.open(method, target, options);
    await within('the body', answer.ended);
    const text = answer.body.join('');
    return { ...answer, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
  }

  async must(action, beat, options) {
    const answer = await this.request('POST', `/presence/${action}`, { ...options, body: beat });
    assert.equal(answer.status, 200, `${action}: ${answer.text}`);
    return answer.json;
  }

  /** A socket by wss. */
  async socket(t, auth, { from, headers } = {}) {
    const url = this.url.replace('https', 'wss') + WS_PATH;
    const ws = new WebSocket(url, { ...this.#options(from), headers });
    defer(t, () => ws.terminate());
    const socket = new Socket(ws);
    const opened = new Promise((resolve, reject) => {
      ws.once('open', resolve);
      ws.once('error', reject);
    });
    await within('the handshake', opened);
    socket.send({ type: 'auth', ...auth });
    await socket.next('hello');
    return socket;
  }
}

const isOpen = (port) =>
  new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket.destroy()));
    socket.once('error', reject);
  });

/** Why a proxy cannot be had; undefined: it can. */
export const missing = (name) =>
  existsSync(PROXIES[name].program) ? undefined : `${PROXIES[name].program} is not installed`;

/**
 * Starts a proxy before a daemon and a site, for one test. `change`: more words to replace; `base`: where
 * the daemon is then.
 */
export async function startWebProxy(t, name, { daemon, site, change = {}, base = PROXIES[name].base }) {
  const { words, prepare } = PROXIES[name];
  const dir = await tempDir(t);
  const port = await freePort();
  const { ca, certificate } = await makeFiles(dir);
  const ours = words({ port, daemon: daemon.httpPort, site, certificate });
  const file = path.join(dir, 'proxy.conf');
  await writeFile(file, replaceAll(await textOf(name), { ...ours, ...change }));
  await mkdir(path.join(dir, 'home'));
  const [program, ...args] = await prepare(dir, file);
  const home = { HOME: path.join(dir, 'home'), XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir };
  const process = new Process(program, args, home);
  defer(t, async () => {
    process.kill('SIGTERM');
    await process.waitExit();
  });
  const up = await waitFor(`${name} to listen`, async () => {
    if (process.status !== null) return { died: true };
    await isOpen(port);
    return {};
  });
  assert.ok(!up.died, process.stderr);
  return new WebProxy(name, port, ca, base);
}

// Everything that is measured: the daemon and its peers, each started on a free port.
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { UNLIMITED } from '../../integration/harness/limits.mjs';
import { freePort } from '../../integration/harness/port.mjs';
import { ask } from './ask.mjs';
import {
  childOf,
  command,
  listens,
  LOAD,
  Missing,
  start,
  tempDir,
  until,
} from './process.mjs';

const load = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const root = path.resolve(load, '../..');
const peers = path.join(load, 'peers');

export const DAEMON = process.env.AU_DAEMON ?? path.join(root, 'build/active-users');
export const AU_LOAD = process.env.AU_LOAD ?? path.join(root, 'build/au-load');
export const FILL_HISTORY = process.env.AU_FILL_HISTORY ?? path.join(root, 'build/fill-history');
const BARE = process.env.AU_BARE ?? path.join(root, 'build/bare');

export const url = (port) => `127.0.0.1:${port}`;

export const flagsOf = (options) =>
  Object.entries(options).map(([name, value]) => `--${name}=${value}`);

/** The daemon with its limits off; `flags` without dashes. */
export async function startDaemon(flags = {}) {
  const all = {
    host: '127.0.0.1',
    'http-port': 0,
    'ws-port': 0,
    ...UNLIMITED,
    'max-sessions': 3_000_000,
    'max-customers': 1_000_000,
    'ema-interval': 3_600_000,
    'max-connections': 100_000,
    drain: 0,
    'log-format': 'json',
    ...flags,
  };
  const daemon = start(DAEMON, flagsOf(all));
  const line = await until(daemon, 'the daemon', () =>
    daemon.stderr.split('\n').find((text) => text.includes('"event":"listening"')),
  );
  const { http_port: http, ws_port: ws } = JSON.parse(line);
  return Object.assign(daemon, { http: url(http), ws: url(ws) });
}

export async function startRedis({ processor = LOAD } = {}) {
  const port = await freePort();
  const dir = tempDir();
  const words = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir];
  const redis = start(command('redis-server'), words.map(String), { processor });
  await until(redis, 'redis-server', () => listens(port));
  return Object.assign(redis, { port, url: `redis://127.0.0.1:${port}` });
}

/** The daemon on a Redis of its own, when it has reached it. */
export async function startDaemonOnRedis(flags = {}) {
  const redis = await startRedis();
  const daemon = await startDaemon({ 'redis-url': redis.url, ...flags });
  const isReady = async () => (await ask(daemon.http, '/ready'))?.status === 200;
  await until(daemon, 'the daemon to reach Redis', isReady);
  const stop = daemon.stop;
  daemon.redis = redis;
  daemon.stop = async () => {
    await stop();
    await redis.stop();
  };
  return daemon;
}

const MODULES = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules'];

/** nginx with one worker: a constant for every request, and Nchan for sockets when asked. */
async function nginx({ nchan }) {
  const program = command('nginx');
  const module = MODULES.map((dir) => `${dir}/ngx_nchan_module.so`).find(existsSync);
  if (nchan && !module) throw new Missing('libnginx-mod-nchan is not installed');
  const dir = tempDir();
  const port = await freePort();
  const rooms = nchan
    ? `location = /ws/active-users { nchan_subscriber websocket; nchan_channel_id load;
                                     nchan_websocket_ping_interval 0; }
       location = /presence/join { nchan_publisher http; nchan_channel_id load;
                                   nchan_store_messages off; }`
    : '';
  writeFileSync(
    path.join(dir, 'nginx.conf'),
    `${nchan ? `load_module ${module};` : ''}
daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid ${dir}/nginx.pid; error_log ${dir}/error.log warn;
events { worker_connections 19500; }
http {
  access_log off; default_type application/json;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  ${nchan ? 'nchan_shared_memory_size 128M;' : ''}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${rooms}
    location / { return 200 '{"success":true}'; }
  }
}
`,
  );
  const server = start(program, ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`]);
  await until(server, 'nginx', () => listens(port));
  const worker = await until(server, 'nginx', () => childOf(server.pid));
  return Object.assign(server, { pid: worker, http: url(port), ws: url(port), noAuth: true });
}

export const startNginx = () => nginx({ nchan: false });
export const startNchan = () => nginx({ nchan: true });

export async function startBare() {
  const server = start(BARE, []);
  const port = await until(server, 'bare', () => Number(server.stdout.trim()) || 0);
  return Object.assign(server, { http: url(port), ws: url(port) });
}

async function startNode(script, port, words) {
  if (!existsSync(path.join(peers, 'node_modules/.package-lock.json')))
    throw new Missing('the npm packages of tests/load/peers are not installed');
  const server = start(process.execPath, [path.join(peers, script), String(port), ...words]);
  await until(server, script, () => listens(port));
  return Object.assign(server, { http: url(port), ws: url(port) });
}

export async function startFastify(redis) {
  return startNode('fastify.mjs', await freePort(), [String(redis.port)]);
}

/** A server of node on a Redis of its own, which stops with it. */
async function onRedis(script) {
  const redis = await startRedis();
  const server = await startNode(script, await freePort(), [String(redis.port)]);
  const stop = server.stop;
  server.redis = redis;
  server.stop = async () => {
    await stop();
    await redis.stop();
  };
  return server;
}

export const startReference = () => onRedis('reference.mjs');
export const startSocketIo = () => onRedis('socketio.mjs');

export async function startWs() {
  return startNode('ws.mjs', await freePort(), []);
}

// Starts the real daemon on free ports and stops it so that leaks and crashes fail the test.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { RawConnection } from './http.mjs';
import { UNLIMITED } from './limits.mjs';
import { startRedis } from './redis.mjs';
import { defer, freshId, PATIENCE_MS, waitFor, within } from './wait.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

export const DAEMON = process.env.AU_DAEMON ?? path.join(root, 'build/active-users');
export const EMBEDDER = process.env.AU_EMBED ?? path.join(root, 'build/embed');

/** Limits off, no drain, and browsers that a test drives are people: suites that test those say so. */
const QUIET = {
  host: '127.0.0.1',
  'http-port': 0,
  'ws-port': 0,
  'log-format': 'json',
  ...UNLIMITED,
  drain: 0,
  'count-bots': true,
};

/** Takes the limits back that tests are usually without. */
export const DEFAULT_LIMITS = Object.fromEntries(
  Object.keys(UNLIMITED).map((name) => [name, undefined]),
);

/** AddressSanitizer keeps freed memory for a while; where memory is measured it must not. */
export const FREE_AT_ONCE = { ASAN_OPTIONS: 'quarantine_size_mb=1' };

/** A child of this test run. Only processes started here are ever signalled. */
export class Process {
  stdout = '';
  stderr = '';
  status = null;

  constructor(program, args, env = {}, options = {}) {
    // AU_DAEMON and AU_EMBED are words of the test run, not of the daemon.
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('AU_'));
    this.child = spawn(program, args, {
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...options,
    });
    this.child.stdin.on('error', () => {}); // the peer may be gone already
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    const killAtExit = () => this.child.kill('SIGKILL');
    process.once('exit', killAtExit);
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        process.removeListener('exit', killAtExit);
        this.status = { code, signal };
        resolve(this.status);
      });
    });
    this.exited.catch(() => {}); // reported by whoever waits for it
  }

  get pid() {
    return this.child.pid;
  }

  kill(signal) {
    if (this.status === null) this.child.kill(signal);
  }

  waitExit(timeoutMs = PATIENCE_MS) {
    return within(`process ${this.pid} to exit`, this.exited, timeoutMs);
  }
}

/** Runs to the end: {code, signal, stdout, stderr}. */
export async function run(program, args, { env, stdin = '' } = {}) {
  const process = new Process(program, args, env);
  process.child.stdin.end(stdin);
  const status = await process.waitExit();
  return { ...status, stdout: process.stdout, stderr: process.stderr };
}

export function flagsOf(options) {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name}=${value}`);
}

function assertNoReport(text) {
  assert.doesNotMatch(text, /AddressSanitizer|LeakSanitizer|runtime error:/, 'sanitizer report');
}

class Daemon {
  #process;
  #claimed = false;
  #sampledMs = -Infinity;

  constructor(process) {
    this.#process = process;
  }

  get pid() {
    return this.#process.pid;
  }

  get stderr() {
    return this.#process.stderr;
  }

  /** Lines of the log that are JSON objects. */
  get log() {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  }

  async ready() {
    const line = await waitFor(
      'the daemon to listen',
      () => {
        if (this.#process.status !== null) return { died: true };
        return this.log.find(
          (entry) => entry.component === 'server' && entry.event === 'listening',
        );
      },
      { everyMs: 5 },
    );
    assert.ok(
      !line.died,
      `daemon exited with ${JSON.stringify(this.#process.status)}:\n${this.stderr}`,
    );
    this.httpPort = line.http_port;
    this.wsPort = line.ws_port;
    this.adminPort = line.admin_port;
  }

  signal(name) {
    this.#process.kill(name);
  }

  /** Until SIGCONT, which would take back a SIGSTOP that has not come yet. */
  async freeze() {
    this.signal('SIGSTOP');
    const state = () => readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1][0];
    await waitFor('the daemon to stand still', () => state() === 'T', { everyMs: 1 });
  }

  /** For tests that make it exit themselves: the status is theirs to judge, sanitizer reports are not. */
  async exit() {
    this.#claimed = true;
    try {
      return await this.#process.waitExit();
    } finally {
      this.#process.kill('SIGKILL'); // one that hangs must not outlive its test
      assertNoReport(this.stderr);
    }
  }

  /** SIGTERM, and nothing but a clean end is accepted: that is where a leak would show. */
  async stop() {
    if (this.#claimed) return;
    assert.equal(this.#process.status, null, `daemon was gone before the end:\n${this.stderr}`);
    this.signal('SIGTERM');
    assert.deepEqual(await this.exit(), { code: 0, signal: null }, this.stderr);
  }

  connect(t, port = this.httpPort, { from } = {}) {
    return RawConnection.open(t, port, '127.0.0.1', from);
  }

  /** One request on a connection of its own, `from` an address of ours. `body` may be an object, text or bytes. */
  request(
    method,
    target,
    { body, headers = {}, from, host = '127.0.0.1', port = this.httpPort } = {},
  ) {
    const bytes =
      body === undefined || Buffer.isBuffer(body) || typeof body === 'string'
        ? body
        : JSON.stringify(body);
    return within(
      `${method} ${target}`,
      new Promise((resolve, reject) => {
        const request = http.request({
          host,
          port,
          localAddress: from,
          agent: false,
          method,
          path: target,
          headers:
            bytes === undefined
              ? headers
              : { 'content-length': Buffer.byteLength(bytes), ...headers },
        });
        request.once('error', reject);
        request.once('response', (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({
              status: response.statusCode,
              headers: response.headers,
              text,
              get json() {
                return JSON.parse(text);
              },
            });
          });
        });
        request.end(bytes);
      }),
    );
  }

  get(target, headers) {
    return this.request('GET', target, { headers });
  }

  post(action, body, headers = { 'content-type': 'application/json' }) {
    return this.request('POST', `/presence/${action}`, { body, headers });
  }

  /** Posts and insists on success. */
  async must(action, beat) {
    const answer = await this.post(action, beat);
    assert.equal(answer.status, 200, `${action}: ${answer.text}`);
    return answer.json;
  }

  async metrics(customerId) {
    const answer = await this.get(`/metrics?customerId=${encodeURIComponent(customerId)}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  }

  async count(customerId) {
    return (await this.metrics(customerId)).count;
  }

  waitCount(customerId, count) {
    return waitFor(
      `count ${count} of ${customerId}`,
      async () => (await this.count(customerId)) === count,
    );
  }

  /** Prometheus samples as a map of `name{labels}` to number. The daemon prints them once a second,
   * so that a second call waits until it prints anew. */
  async samples() {
    await waitFor('the next exposition', () => performance.now() - this.#sampledMs > 1000, {
      everyMs: 20,
    });
    const answer = await this.get('/metrics');
    this.#sampledMs = performance.now();
    assert.equal(answer.status, 200, answer.text);
    const lines = answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => {
        const [, name, value] = /^(\S+(?:\{.*\})?) (\S+)$/.exec(line);
        return [name, Number(value)];
      }),
    );
  }

  async assertHealthy() {
    const answer = await this.get('/health');
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.status, 'ok');
  }

  /** Processor time used so far; the kernel counts it in hundredths of a second. */
  cpuMs() {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** Resident memory in kB, as the kernel sees it. */
  residentKb() {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }
}

/**
 * Starts a daemon that is stopped, and judged, when the test is over. `options` are flags without
 * their dashes; undefined takes one of QUIET away. `prefix` is a command that runs a command.
 */
export async function startDaemon(t, options = {}, env = {}, prefix = []) {
  const daemon = spawnDaemon(t, options, env, prefix);
  await daemon.ready();
  return daemon;
}

/** The same without waiting until it listens. */
export function spawnDaemon(t, options = {}, env = {}, prefix = []) {
  const [program, ...args] = [...prefix, DAEMON, ...flagsOf({ ...QUIET, ...options })];
  const daemon = new Daemon(new Process(program, args, env));
  defer(t, () => daemon.stop());
  return daemon;
}

/** The same daemon on a store by name: contract rows hold for both. */
export async function startOn(store, t, options = {}) {
  if (store === 'memory') return startDaemon(t, options);
  const redis = await startRedis(t);
  const daemon = await startDaemon(t, { 'redis-url': redis.url, ...options });
  daemon.redis = redis;
  await waitWhole(daemon); // it starts without waiting for Redis
  return daemon;
}

export const STORES = ['memory', 'redis'];

/** A sign of life of a session nobody else uses; override what matters to the test. */
export function aBeat(override = {}) {
  return {
    customerId: freshId('shop'),
    sessionId: freshId('session'),
    tabId: 'tab-1',
    ...override,
  };
}

/** The key the reference names. */
export const keyOf = ({ customerId, sessionId }) => `presence:${customerId}:${sessionId}`;

export const waitReady = (daemon) =>
  waitFor('the daemon to reach Redis', async () => (await daemon.get('/ready')).status === 200);

export const waitDegraded = (daemon) =>
  waitFor(
    'the daemon to notice',
    async () => (await daemon.get('/health')).json.status === 'degraded',
  );

/** Until Redis has all that this daemon has acknowledged. */
export const waitWhole = (daemon) =>
  waitFor('the daemon to be well', async () => (await daemon.get('/health')).json.status === 'ok');

export function assertNotAcknowledged(answer) {
  assert.equal(answer.status, 503, answer.text);
  assert.equal(answer.json.error, 'Service Unavailable');
  assert.equal(typeof answer.json.message, 'string');
  assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
}

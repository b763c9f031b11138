// The engine and docker/compose.yaml, as a project of its own that is gone afterwards.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { waitFor } from '../integration/harness/wait.mjs';
import { freePort } from '../integration/harness/port.mjs';

const run = promisify(execFile);
export const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
/** Grafana's image cannot be made of Debian's packages: its files are checked by themselves. */
export const SERVICES = ['redis', 'daemon-1', 'daemon-2', 'proxy', 'prometheus'];
const A_MINUTE_MS = 60_000;

/** What a shell script's `export A=B C=D` line says. */
function exported(line) {
  const words = line.trim().replace(/^export /, '').split(' ');
  return Object.fromEntries(words.map((word) => word.split(/=(.*)/s).slice(0, 2)));
}

export async function engine() {
  const { stdout } = await run(path.join(ROOT, 'tests/container/engine.sh'), [
    process.env.AU_CONTAINERS ?? '/tmp/active-users-containers',
  ]);
  return exported(stdout);
}

export class Compose {
  constructor(environment, name) {
    this.environment = { ...process.env, ...environment };
    this.project = `au-${name}-${process.pid}`;
  }

  podman = async (...words) => (await run('podman', words, { env: this.environment, maxBuffer: 1 << 24 })).stdout;

  #compose = (...words) =>
    run('podman-compose', ['-p', this.project, '-f', 'docker/compose.yaml', ...words], {
      env: this.environment,
      cwd: ROOT,
      maxBuffer: 1 << 24,
    });

  container = (service) => `${this.project}_${service}_1`;

  async up() {
    this.secrets = await mkdtemp('/tmp/au-secrets-');
    await run(path.join(ROOT, 'docker/secrets.sh'), [this.secrets]);
    this.port = await freePort();
    Object.assign(this.environment, { AU_SECRETS: this.secrets, AU_HTTPS_PORT: String(this.port) });
    this.certificate = await readFile(path.join(this.secrets, 'tls.pem'), 'utf8');
    this.adminToken = await readFile(path.join(this.secrets, 'admin-token'), 'utf8');
    await this.start(...SERVICES);
  }

  /** Creates what is missing of these, and starts it. */
  async start(...services) {
    await this.#compose('up', '-d', '--no-build', '--no-deps', ...services);
    for (const service of services) await this.healthy(service);
  }

  /** Its own health check, run by hand: on a machine without systemd nothing runs it. */
  healthy = (service) =>
    waitFor(
      `${service} to be healthy`,
      () => this.podman('healthcheck', 'run', this.container(service)).then(() => true),
      { timeoutMs: A_MINUTE_MS, everyMs: 250 },
    );

  kill = (service) => this.podman('kill', this.container(service));
  restart = async (service) => {
    await this.podman('start', this.container(service));
    await this.healthy(service);
  };

  /** As `docker compose up -d SERVICE` with another AU_TAG does it. */
  async upgrade(service, tag) {
    await this.podman('stop', '-t', '15', this.container(service));
    await this.podman('rm', this.container(service));
    this.environment.AU_TAG = tag;
    await this.start(service);
  }

  logs = async (service) => {
    const words = ['logs', '--tail', '30', this.container(service)];
    const { stdout, stderr } = await run('podman', words, { env: this.environment }).catch((error) => error);
    return stdout + stderr;
  };

  async down() {
    await this.#compose('down', '-v', '-t', '2').catch(() => {});
    if (this.secrets) await rm(this.secrets, { recursive: true, force: true });
  }
}

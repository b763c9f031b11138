// Runs au-flood, the many connections of an attack.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { defer, tempDir, waitFor, within } from '../../integration/harness/wait.mjs';
import { PRIORITY, setPriority } from './priority.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const FLOOD = process.env.AU_FLOOD ?? path.join(root, 'build/au-flood');
/** From --seconds to the end of the process. */
const PATIENCE_MS = 150_000;

const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

class Flood {
  #child;
  #ended;
  #text = '';
  #errors = '';

  constructor(child) {
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (data) => (this.#text += data));
    child.stderr.setEncoding('utf8').on('data', (data) => (this.#errors += data));
    this.#ended = new Promise((resolve) => child.once('close', resolve));
  }

  /** Until each connection was tried once: how many are open. */
  async ready() {
    const found = await waitFor(
      'the flood to connect',
      () => /^ready (\d+)$/m.exec(this.#text) ?? this.#child.exitCode !== null,
    );
    return Number(found[1] ?? 0);
  }

  /** Until its time is over or all is sent: what it counted. */
  async report() {
    await within('the flood to end', this.#ended, PATIENCE_MS);
    assert.equal(this.#errors, '');
    const report = JSON.parse(this.#text.trim().split('\n').at(-1));
    report.answers = Object.values(report.status).reduce((sum, count) => sum + count, 0);
    report.of = (status) => report.status[status] ?? 0;
    return report;
  }

  stop() {
    if (this.#child.exitCode === null) this.#child.kill('SIGTERM');
    return this.report();
  }

  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Starts a flood; `payload` and `first` are bytes, the rest are flags of au-flood. */
export async function startFlood(t, port, { payload, first, ...options }) {
  const dir = await tempDir(t);
  const flags = [`--port=${port}`];
  for (const [name, bytes] of Object.entries({ payload, first })) {
    if (bytes === undefined) continue;
    const file = path.join(dir, name);
    await writeFile(file, bytes);
    flags.push(`--${name}=${file}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === false || value === undefined) continue;
    flags.push(value === true ? `--${kebab(name)}` : `--${kebab(name)}=${value}`);
  }
  const child = spawn(FLOOD, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  child.once('close', () => process.removeListener('exit', killAtExit));
  const flood = new Flood(child);
  defer(t, () => flood.kill());
  setPriority(child.pid, PRIORITY.flood);
  return flood;
}

/** A flood from its beginning to its end. */
export async function runFlood(t, port, options) {
  return (await startFlood(t, port, options)).report();
}

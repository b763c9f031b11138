// Processes and directories of a benchmark. Ends only what it started, and all of that.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/** Something is not installed: the rows that need it say so. */
export class Missing extends Error {}

/** A command that is on the PATH, or Missing. /usr/sbin is not on everybody's. */
export function command(name) {
  for (const dir of [...process.env.PATH.split(':'), '/usr/sbin', '/usr/local/sbin'])
    if (dir !== '' && isAllowed('test', ['-x', path.join(dir, name)])) return path.join(dir, name);
  throw new Missing(`${name} is not installed`);
}

function isAllowed(program, args) {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A program of this machine as a row of numbers about it: its version in one line. */
export function versionOf(program, args) {
  return new Promise((resolve) => {
    execFile(program, args, (error, stdout, stderr) => {
      const line = `${stdout}\n${stderr}`.split('\n').find((text) => /\d+\.\d+/.test(text)) ?? '';
      resolve(/\d+(?:\.\d+)+/.exec(line)?.[0] ?? 'unknown');
    });
  });
}

/** Each program has a process group of its own, with its workers: nginx's outlive its master. */
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    /* gone already */
  }
}

const started = new Set();
const dirs = new Set();
process.once('exit', () => {
  for (const child of started) endGroup(child.pid);
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => process.exit(128 + os.constants.signals[signal]));

/** A directory that is gone with this process. */
export function tempDir() {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'active-users-bench-'));
  dirs.add(dir);
  return dir;
}

/** Servers have the first processor and the load the second, so that neither takes the other's. */
const pinned = os.cpus().length > 1 && isAllowed('taskset', ['-c', '1', 'true']);
export const SERVER = 0;
export const LOAD = 1;

function onProcessor(which, urgent, program, args) {
  const words = [program, ...args];
  if (pinned) words.unshift('taskset', '-c', String(which));
  if (urgent && urgency()) words.unshift('chrt', '-r', String(urgent));
  return words;
}

/**
 * Whether this user may go before the machine's other work, for what is measured by the clock. Only
 * root may; otherwise such figures have that other work in them.
 */
let mayBeUrgent = null;
function urgency() {
  mayBeUrgent ??= isAllowed('chrt', ['-r', '1', 'true']);
  return mayBeUrgent;
}

/** Makes processes urgent that run already. */
export function makeUrgent(...servers) {
  if (urgency())
    for (const { pid } of servers) isAllowed('chrt', ['-a', '-r', '-p', '1', String(pid)]);
}

function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AU_')));
}

/**
 * Starts a program; `processor` is SERVER or LOAD, `urgent` as for makeUrgent, and 2 goes
 * before 1. The result has pid, output, exited, stop().
 */
export function start(program, args, { processor = SERVER, urgent = 0 } = {}) {
  const [file, ...words] = onProcessor(processor, urgent, program, args);
  const child = spawn(file, words, {
    env: cleanEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const running = { pid: child.pid, stdout: '', stderr: '', status: null };
  started.add(child);
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('utf8').on('data', (text) => (running.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (running.stderr += text));
  running.exited = new Promise((resolve) => {
    const ended = (code) => {
      started.delete(child);
      running.status ??= code;
      resolve(running.status);
    };
    child.once('error', (error) => {
      running.stderr += error.message;
      ended(127);
    });
    child.once('close', (code) => ended(code ?? 128));
  });
  running.write = (text) => child.stdin.write(text);
  running.signal = (name) => running.status === null && child.kill(name);
  running.stop = async () => {
    running.signal('SIGTERM');
    const late = setTimeout(() => endGroup(child.pid), 5000);
    await running.exited;
    clearTimeout(late);
  };
  return running;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until `probe` gives something; a program that ended meanwhile is an error with its words. */
export async function until(running, what, probe, timeoutMs = 20_000) {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (running.status !== null)
      throw new Error(`${what}: ended with ${running.status}: ${running.stderr.trim().slice(-300)}`);
    if (Date.now() > giveUpAt) throw new Error(`${what}: nothing in ${timeoutMs} ms`);
    await sleep(2);
  }
}

/** Whether somebody listens. */
export function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket.destroy() && true)).once('error', () => resolve(false));
  });
}

/** The only child of a process, such as the worker of nginx. */
export function childOf(pid) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]) || null;
}

/** Processor time of all threads so far, in microseconds. */
export function cpuUs(pid) {
  let sum = 0;
  for (const task of readdirSync(`/proc/${pid}/task`))
    sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return sum / 1000;
}

/** Waits, at most some seconds, until a server has nothing left to do, such as closing sockets. */
export async function untilIdle(pids, timeoutMs = 5000) {
  const sum = () => pids.reduce((total, pid) => total + cpuUs(pid), 0);
  const giveUpAt = Date.now() + timeoutMs;
  for (let before = sum(); Date.now() < giveUpAt; ) {
    await sleep(30);
    const now = sum();
    if (now - before < 1500) return;
    before = now;
  }
}

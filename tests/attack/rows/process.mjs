// The process itself: its log, its user, its secrets.
import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { DAEMON, flagsOf, Process } from '../../integration/harness/daemon.mjs';
import { tempDir, waitFor } from '../../integration/harness/wait.mjs';
import { eventually, startTarget } from '../kit/daemon.mjs';

const FREE_PORTS = { host: '127.0.0.1', 'http-port': 0, 'ws-port': 0 };
const SECRET = 'hunter2hunter2hunter2hunter2hunter2';

/** Whether a start with this log file ends by itself, and with what. */
async function startWithLog(file) {
  const process = new Process(DAEMON, flagsOf({ ...FREE_PORTS, 'log-file': file }));
  const status = await process.waitExit(10_000).catch(() => null);
  process.kill('SIGKILL');
  await process.waitExit();
  return {
    ended: status !== null && status.code !== 0,
    lines: process.stderr.trim().split('\n').length,
  };
}

async function logFiles({ t }) {
  const dir = await tempDir(t);
  const fifo = path.join(dir, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const target = path.join(dir, 'target');
  const link = path.join(dir, 'link');
  writeFileSync(target, '');
  symlinkSync(target, link);
  const refused = async (file) => ((await startWithLog(file)).ended ? 1 : 0);
  return [
    { what: 'a FIFO as log is refused', measured: await refused(fifo), is: 1 },
    { what: 'a link as log is refused', measured: await refused(link), is: 1 },
    { what: 'a directory as log is refused', measured: await refused(dir), is: 1 },
  ];
}

/** The warnings come after the line that it listens. */
const says = (daemon, pattern) => eventually(() => pattern.test(daemon.stderr));

async function secrets({ t }) {
  const daemon = await startTarget(t, { 'redis-url': `redis://:${SECRET}@127.0.0.1:9/` });
  const shown = (name) => readFileSync(`/proc/${daemon.pid}/${name}`, 'latin1').includes(SECRET);
  await waitFor('the log', () => daemon.stderr.includes('redis'));
  const health = await daemon.get('/health');
  return [
    { what: 'secret in /proc/PID/cmdline', measured: shown('cmdline') ? 1 : 0, is: 0 },
    {
      what: 'secret in the log or /health',
      measured: (daemon.stderr + health.text).includes(SECRET) ? 1 : 0,
      is: 0,
    },
    {
      what: 'a line says that argv had a secret',
      measured: (await says(daemon, /secret|password/i)) ? 1 : 0,
      is: 1,
    },
  ];
}

async function said({ t }) {
  const daemon = await startTarget(t);
  const root = process.getuid() === 0;
  const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
  const checks = [
    { what: 'no_new_privs is set', measured: Number(/NoNewPrivs:\s+(\d)/.exec(status)[1]), is: 1 },
  ];
  if (root)
    checks.unshift({
      what: 'a line says that it runs as root',
      measured: (await says(daemon, /root/i)) ? 1 : 0,
      is: 1,
    });
  return checks;
}

async function coreDumps({ t }) {
  const daemon = await startTarget(t, { 'redis-url': `redis://:${SECRET}@127.0.0.1:9/` });
  const limits = readFileSync(`/proc/${daemon.pid}/limits`, 'utf8');
  const soft = /Max core file size\s+(\S+)/.exec(limits)[1];
  return [
    {
      what: 'core files with a secret',
      measured: soft === '0' ? 0 : 1,
      is: 0,
      note: `limit ${soft}`,
    },
  ];
}

export const processes = [
  {
    name: 'log-file',
    run: logFiles,
    what: '--log-file is a FIFO, a link, a directory',
    before: 'blocks for ever',
  },
  { name: 'secrets', run: secrets, what: 'a password in argv', before: 'in /proc/PID/cmdline' },
  { name: 'said', run: said, what: 'started as root', before: 'silent' },
  { name: 'core', run: coreDumps, what: 'core dumps while a secret is set', before: 'silent' },
];

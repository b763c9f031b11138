// One shell for all commands of a page, in namespaces of its own (session.sh), with the built programs
// on its path.
import { spawn } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { within } from '../../integration/harness/wait.mjs';
import { inRoot, ROOT } from './pages.mjs';

const LIMIT_MS = 60_000;
const ISOLATED = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];

function shell(script, env) {
  const user = process.getuid() === 0 ? [] : ['--user', '--map-root-user'];
  const child = spawn('unshare', [...user, ...ISOLATED, 'bash', '-c', script], {
    env: { ...env, PATH: process.env.PATH, LANG: 'C.UTF-8', ROOT },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (bytes) => (said += bytes));
  child.stderr.on('data', (bytes) => (said += bytes));
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(said));
  }).finally(() => process.removeListener('exit', killAtExit));
  return within('the commands of the page', ended, LIMIT_MS).finally(killAtExit);
}

/** Runs the commands one after the other: [{failed, reached, stdout, stderr, said}]. One that `shows` has its
 * output on the page. */
export async function runSteps(dir, steps) {
  const at = (name) => path.join(dir, name);
  await mkdir(at('home'));
  await mkdir(at('bin'));
  for (const program of ['active-users', 'au-load'])
    await symlink(inRoot('build', program), at(`bin/${program}`));
  await symlink(ROOT, at('home/active-users'));
  for (const [i, { command }] of steps.entries()) await writeFile(at(`step.${i}`), command + '\n');
  const script = [
    `. ${inRoot('tests/docs/kit/session.sh')}`,
    ...steps.map(({ shows }, i) => `session_step ${i} ${shows ? 1 : 0}`),
  ];
  const said = await shell(script.join('\n'), { SESSION: dir });
  const text = (name) => readFile(at(name), 'utf8').catch(() => undefined);
  return Promise.all(
    steps.map(async (_, i) => {
      const status = await text(`status.${i}`);
      const [stdout, stderr] = [await text(`out.${i}`), await text(`err.${i}`)];
      return { failed: status?.trim() !== '0', reached: status !== undefined, stdout, stderr, said };
    }),
  );
}

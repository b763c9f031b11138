// From the start of the process to its first answer.
import { freePort } from '../../integration/harness/port.mjs';
import { ask } from './ask.mjs';
import { compare } from './figures.mjs';
import { sleep, start } from './process.mjs';
import { DAEMON } from './servers.mjs';

const GIVE_UP_MS = 20_000;

async function startOnce() {
  const ports = [await freePort(), await freePort()];
  const begun = performance.now();
  const words = ['--host=127.0.0.1', `--http-port=${ports[0]}`, `--ws-port=${ports[1]}`, '--drain=0'];
  const daemon = start(DAEMON, words);
  while ((await ask(`127.0.0.1:${ports[0]}`, '/health'))?.status !== 200) {
    if (performance.now() - begun > GIVE_UP_MS || daemon.status !== null)
      throw new Error(`the daemon did not start: ${daemon.stderr.trim()}`);
    await sleep(1);
  }
  const took = performance.now() - begun;
  await daemon.stop();
  return took;
}

export async function startup({ scale, note }) {
  const times = [];
  for (let i = 0; i < scale.starts; i++) times.push(await startOnce());
  note('start', compare(times));
}

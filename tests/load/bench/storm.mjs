// Everybody comes at once, and leaves at once: how fast they are let in, and what those feel who are
// there already.
import { ask } from './ask.mjs';
import { compare, interleave } from './figures.mjs';
import { begin, measure } from './load.mjs';
import { makeUrgent, sleep, until, untilIdle } from './process.mjs';
import { startBare, startDaemon } from './servers.mjs';

const AT_ONCE = 200;
const HOLD_MS = 1_000;

async function socketsOf(daemon) {
  const answer = await ask(daemon.http, '/metrics');
  return Number(/^au_websocket_sockets (\d+)$/m.exec(answer?.text ?? '')?.[1] ?? 0);
}

/**
 * The p99 of one /health a millisecond while `work` is done, from as many connections as need not
 * wait for one another: on a single one the probe's own requests would queue.
 */
async function othersDuring(daemon, work) {
  const each = { connections: 20, rate: 1000, duration: 60 };
  const probe = begin('health', daemon.http, each, { urgent: 2 });
  await sleep(50);
  await work();
  probe.signal('SIGTERM');
  return (await probe.figures()).latency_p99_ms;
}

export async function storm({ scale, must, note }) {
  const daemon = await must('the daemon', startDaemon);
  const bare = await must('bare accept loop', startBare);
  makeUrgent(daemon, bare);
  const crowd = { sockets: scale.stormSockets, connections: AT_ONCE, duration: 60 };
  const rush = async (server) => {
    await untilIdle([daemon.pid, bare.pid]);
    return (await measure('storm', server.ws, crowd, { urgent: 1 })).sockets_per_second;
  };
  const rates = await interleave(scale.stormRounds, [() => rush(daemon), () => rush(bare)]);
  note('storm', compare(...rates));

  const coming = [];
  const leaving = [];
  for (let round = 0; round < scale.stormRounds; round++) {
    await untilIdle([daemon.pid]);
    let tool;
    const are = async (count) => (await socketsOf(daemon)) === count;
    coming.push(
      await othersDuring(daemon, async () => {
        tool = begin('storm', daemon.ws, { ...crowd, hold: HOLD_MS }, { urgent: 1 });
        await until(tool, 'all sockets', () => are(scale.stormSockets));
      }),
    );
    leaving.push(
      await othersDuring(daemon, async () => {
        await tool.figures();
        await until(daemon, 'no sockets', () => are(0));
      }),
    );
  }
  note('coming', compare(coming));
  note('leaving', compare(leaving));
}

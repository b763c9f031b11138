// Everybody comes at once: how fast they are let in, and what those feel who are there already.
import { compare, interleave, median } from './figures.mjs';
import { begin, measure } from './load.mjs';
import { makeUrgent, sleep, untilIdle } from './process.mjs';
import { startBare, startDaemon } from './servers.mjs';

const AT_ONCE = 200;

export async function storm({ scale, must, note }) {
  const daemon = await must('the daemon', startDaemon);
  const bare = await must('bare accept loop', startBare);
  makeUrgent(daemon, bare);
  const urgent = { urgent: true };
  const others = [];
  const rush = async (server, watched) => {
    await untilIdle([daemon.pid, bare.pid]);
    const each = { connections: 1, rate: 1000, duration: 60 };
    const probe = watched && begin('health', daemon.http, each, urgent);
    if (probe) await sleep(100);
    const figures = await measure('storm', server.ws, {
      sockets: scale.stormSockets,
      connections: AT_ONCE,
      duration: 60,
    });
    if (probe) {
      probe.signal('SIGTERM');
      others.push((await probe.figures()).latency_p99_ms);
    }
    return figures.sockets_per_second;
  };
  const [ours, theirs] = await interleave(scale.stormRounds, [
    () => rush(daemon, false),
    () => rush(bare, false),
  ]);
  note('storm', compare(ours, theirs));
  for (let round = 0; round < scale.stormRounds; round++) await rush(daemon, true);
  note('others', compare([median(others)]));
}

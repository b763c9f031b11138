// What a session takes in the memory store, and whether a full table is slower than an empty one.
import { compare, interleave } from './figures.mjs';
import { measure } from './load.mjs';
import { startDaemon } from './servers.mjs';

const FEW = 1_000;

export async function memory({ scale, must, note }) {
  const fill = async (sessions) => {
    const daemon = await must('the daemon', startDaemon);
    const joined = await measure('join', daemon.http, {
      requests: sessions,
      sessions,
      pid: daemon.pid,
      duration: 300,
    });
    return { daemon, joined };
  };
  const full = await fill(scale.sessions);
  const small = await fill(FEW);
  note('session', compare([full.joined.rss_bytes_per_session]));

  const churn = ({ daemon }) =>
    measure('churn', daemon.http, {
      requests: scale.requests,
      sessions: scale.requests,
      first: 10_000_000,
      pid: daemon.pid,
      duration: 120,
    });
  const [atFull, atSmall] = await interleave(scale.rounds, [() => churn(full), () => churn(small)]);
  const cpu = (results) => results.map((result) => result.cpu_us_per_request);
  note('join', compare(cpu(atFull), cpu(atSmall)));
}

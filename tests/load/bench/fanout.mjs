// One change, one frame to every socket: CPU of a frame, time to the last socket, memory of a
// socket. Everybody is paced as the daemon paces itself, one change a second.
import { compare, interleave } from './figures.mjs';
import { measure } from './load.mjs';
import { makeUrgent, untilIdle } from './process.mjs';
import { startBare, startDaemon, startNchan, startWs } from './servers.mjs';

const COMPETITORS = [
  ['the daemon', startDaemon],
  ['bare send loop', startBare],
  ['Nchan', startNchan],
  ['ws', startWs],
];

async function atSize({ scale, use, attempt, note }, size, sockets) {
  const servers = [];
  for (const [name, startIt] of COMPETITORS) servers.push(await use(name, startIt));
  makeUrgent(...servers.filter(Boolean));
  const fanOut = async (server) => {
    await untilIdle(servers.filter(Boolean).map(({ pid }) => pid));
    const flags = {
      'changes-at': server.http,
      'no-auth': server.noAuth,
      sockets,
      fanouts: scale.fanouts,
      pid: server.pid,
      duration: 120,
    };
    return measure('sockets', server.ws, flags, { urgent: 1 });
  };
  const results = await interleave(
    scale.fanoutRounds,
    servers.map((server, i) => () => server && attempt(COMPETITORS[i][0], () => fanOut(server))),
  );
  const [ours, bare, nchan, ws] = results;
  const against = (id, peer, field) => {
    if (![...ours, ...peer].includes(null))
      note(id, compare(ours.map((r) => r[field]), peer.map((r) => r[field])));
  };
  against(`${size}Bare`, bare, 'cpu_us_per_frame');
  against(`${size}Nchan`, nchan, 'cpu_us_per_frame');
  against(`${size}Ws`, ws, 'cpu_us_per_frame');
  against(`${size}Last`, bare, 'last_median_ms');
  if (size !== 'many') return servers;
  /* Only the first round: after it a server uses memory again that it has. */
  for (const [id, peer] of [['idleNchan', nchan], ['idleWs', ws]])
    if (ours[0] && peer[0])
      note(id, compare([ours[0].rss_bytes_per_socket], [peer[0].rss_bytes_per_socket]));
  return servers;
}

export async function fanout(bench) {
  const servers = await atSize(bench, 'few', bench.scale.fewSockets);
  await Promise.all(servers.filter(Boolean).map((server) => server.stop()));
  await atSize(bench, 'many', bench.scale.manySockets);
}

// One change, one frame to every socket: CPU of a frame, time to the last socket, memory of a
// socket. Everybody is paced as the daemon paces itself.
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
/* The daemon tells a large customer less often: a change that comes sooner waits for its turn. */
const pauseMs = (sockets) => (sockets >= 10_000 ? 5_100 : sockets >= 1_000 ? 2_100 : 1_100);
const STREAMS = ['our WebSocket frame', async () => Object.assign(await startDaemon(), { stream: true })];

async function atSize({ scale, use, attempt, note }, size, sockets) {
  const servers = [];
  const competitors = size === 'few' ? [...COMPETITORS, STREAMS] : COMPETITORS;
  for (const [name, startIt] of competitors) servers.push(await use(name, startIt));
  makeUrgent(...servers.filter(Boolean));
  const fanOut = async (server) => {
    await untilIdle(servers.filter(Boolean).map(({ pid }) => pid));
    const flags = {
      'changes-at': server.http,
      'no-auth': server.noAuth,
      stream: server.stream,
      sockets,
      fanouts: scale.fanouts,
      pause: pauseMs(sockets),
      pid: server.pid,
      duration: 120,
    };
    return measure('sockets', server.stream ? server.http : server.ws, flags, { urgent: 1 });
  };
  const results = await interleave(
    scale.fanoutRounds,
    servers.map((server, i) => () => server && attempt(competitors[i][0], () => fanOut(server))),
  );
  const [ours, bare, nchan, ws, streams] = results;
  const against = (id, peer, field, mine = ours) => {
    if (![...mine, ...peer].includes(null))
      note(id, compare(mine.map((r) => r[field]), peer.map((r) => r[field])));
  };
  if (streams) against('fewStreams', ours, 'cpu_us_per_frame', streams);
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
